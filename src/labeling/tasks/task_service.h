// What workers do: accept, draw, submit. The door for portal. Every method takes the worker that the session
// proved; a task, draft or answer of another worker is kNotFound, as if it did not exist.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "base/clock.h"
#include "base/result.h"
#include "labeling/jobs/job.h"

namespace terrapin::labeling {

struct Worker {
  std::string id;                                  // opaque, visible ASCII
  std::vector<std::string> workteam_arns;          // of the teams they belong to now
  std::string identity_provider, issuer, subject;  // for the worker response's identityData
};

struct WorkerJob {
  std::string job_name, title, description, workteam_arn;
  std::vector<std::string> keywords;
  std::int64_t task_time_limit_s = 0;
  Timestamp created;
  std::int64_t available = 0;  // tasks this worker could accept now
  std::optional<Price> price;
};

enum class AssignmentState { kLeased, kSubmitted, kReturned, kDeclined, kExpired, kWithdrawn };
const char* assignment_state_name(AssignmentState state);

// One worker's lease on one object.
struct Assignment {
  std::string id;
  std::string job_name;
  std::int64_t object_index = 0;
  AssignmentState state = AssignmentState::kLeased;
  Timestamp accepted, deadline;
  std::optional<Timestamp> submitted;
  bool correctable = false;  // submitted, and its object not yet consolidated
};

// What the page needs to show a task.
struct TaskContent {
  Assignment assignment;
  std::string title, description;
  std::string task_input_json;  // {"taskObject": ..., "labels": [...], ...}
  std::string template_html;    // as the requester wrote it
  std::vector<std::string>
      readable_uris;  // s3:// that the input or the template names: the page may read these, no others
  std::vector<std::string> labels;  // of the category file, without BACKGROUND
  std::vector<std::string> colors;  // "#2ca02c", one a label
  std::vector<bool> voids;          // one a label: what training ignores
  std::vector<int> indices;         // one a label: what mask files call it
  std::string label_attribute;
  std::string draft_owner;  // tab that owns the draft, "" = none
  std::int64_t draft_next_sequence = 1;
};

struct DraftDelta {
  std::int64_t sequence = 0;  // 1, 2, 3, ...
  std::string data;           // the canvas's own; text, at most 4 MiB
};
struct DraftState {
  std::string owner;               // tab
  std::int64_t base_sequence = 0;  // deltas up to here are replaced by `snapshot`
  std::string snapshot;            // "" = none
  std::vector<DraftDelta> deltas;  // after the base, ascending
};

struct TaskLimits {
  std::int64_t max_draft_bytes = std::int64_t{64} << 20;  // of one draft, snapshot and deltas together
  std::int64_t max_worker_draft_bytes = std::int64_t{512} << 20;  // of one worker's drafts
  std::int64_t max_delta_bytes = std::int64_t{4} << 20;
  std::int64_t max_answer_bytes = std::int64_t{64} << 20;
  std::int64_t max_answer_pixels = std::int64_t{400} << 20;
  int max_leases_per_worker = 10;
};

// Any method may be called from any thread; a success is durable when it returns.
class TaskService {
 public:
  virtual ~TaskService() = default;

  virtual Result<std::vector<WorkerJob>> jobs(const Worker& worker) = 0;
  // The next object of the job (of any of the worker's jobs if empty) as a new lease; a lease the worker
  // holds in that job already is given back instead, oldest first, unless `prefetch`. nullopt: nothing to do
  // now. kConflict over the number of leases.
  virtual Result<std::optional<Assignment>> accept_next(const Worker& worker, const std::string& job_name,
                                                        bool prefetch = false) = 0;
  virtual Result<TaskContent> content(const Worker& worker, const std::string& assignment_id) = 0;
  // The lease as it is now.
  virtual Result<Assignment> assignment(const Worker& worker, const std::string& assignment_id) = 0;
  // Newest first.
  virtual Result<std::vector<Assignment>> history(const Worker& worker, std::int64_t offset, int limit) = 0;

  // The newest tab takes the draft over; saves of the others are refused from then on.
  virtual Result<DraftState> open_draft(const Worker& worker, const std::string& assignment_id,
                                        const std::string& tab) = 0;
  // Deltas must follow the last saved one without a gap; those already saved with the same data are
  // acknowledged again. Returns the next sequence expected. kConflict: another tab owns the draft, or a gap
  // (message names the sequence expected), or the lease is over (the draft stays for the worker's next lease
  // on the object).
  virtual Result<std::int64_t> save_draft(const Worker& worker, const std::string& assignment_id,
                                          const std::string& tab, const std::vector<DraftDelta>& deltas) = 0;
  // Replaces snapshot and all deltas up to `base_sequence`.
  virtual Status save_snapshot(const Worker& worker, const std::string& assignment_id, const std::string& tab,
                               std::int64_t base_sequence, const std::string& snapshot) = 0;
  virtual Status discard_draft(const Worker& worker, const std::string& assignment_id) = 0;

  // `answer_json`: what the form gave, {"<element name>": {"labeledImage": {"pngImageData": ...}, ...}}.
  // Again until the object is consolidated: a correction. kInvalidArgument names what is wrong with the
  // answer (the lease goes on), kConflict if the lease is over.
  virtual Result<Assignment> submit(const Worker& worker, const std::string& assignment_id,
                                    const std::string& answer_json) = 0;
  virtual Result<Assignment> decline(const Worker& worker, const std::string& assignment_id,
                                     const std::string& reason) = 0;
  virtual Result<Assignment> give_back(const Worker& worker, const std::string& assignment_id) = 0;
  // The worker's newest answer in the job that is kept, `before` (an assignment of theirs, or "") and what
  // came after it aside; nullopt: there is none.
  virtual Result<std::optional<std::string>> previous(const Worker& worker, const std::string& job_name,
                                                      const std::string& before) = 0;
  // The worker's own answer, as submitted. kNotFound once its retention is over.
  virtual Result<std::string> answer(const Worker& worker, const std::string& assignment_id) = 0;
};

}  // namespace terrapin::labeling
