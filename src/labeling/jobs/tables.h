// The tables of labeling jobs as rows and the few statements that several files need. Inside labeling only.
// Columns: docs/formats/labeling-state.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artifacts/label_categories.h"
#include "labeling/jobs/job_service.h"
#include "labeling/tasks/task_service.h"
#include "storage/database.h"

namespace terrapin::labeling {

std::span<const storage::Migration> labeling_migrations();

// A job without what only its tasks and masks need: for lists, for who takes and gives tasks, for counting.
struct JobHead {
  std::string id;
  JobSpec spec;
  JobStatus status = JobStatus::kInitializing;
  std::string failure;
  Timestamp created, modified;
  std::int64_t objects = 0;
  std::int64_t next_index = 0;  // no object before it waits to be opened
  std::int64_t open = 0, labeled = 0, failed = 0, passed = 0;
  LabelCounters shown;  // of the manifest on disk
  std::string manifest_uri;
  int iteration = 1;
  bool rework = false;  // ended, but its answers changed: masks and manifest are to be made again
  bool dirty = false;   // objects changed since the manifest was written

  JobRecord record() const;
  LabelCounters counters() const;  // as the objects are now
};

// With up to 2 MiB of template and 254 classes.
struct JobRow : JobHead {
  // As answers are counted: BACKGROUND, the labels, and last the void one, which mask files call 255.
  artifacts::ClassList classes;
  bool has_void = false;
  std::string template_html;

  artifacts::LabelCategories categories() const;
  void set_categories(artifacts::LabelCategories categories);
  // What mask files call a class of `classes`.
  int file_index(int class_index) const;
};

Result<std::optional<JobHead>> find_job_head(storage::Transaction& state, const std::string& id);
Result<std::optional<JobRow>> find_job_by_id(storage::Transaction& state, const std::string& id);
// By a WHERE clause of the caller's.
Result<std::vector<JobHead>> select_jobs(storage::Transaction& state, const std::string& where,
                                         std::span<const storage::Value> values);
// kNotFound naming it.
Result<JobHead> require_job(storage::Transaction& state, const std::string& name);
Result<JobRow> require_whole_job(storage::Transaction& state, const std::string& name);
Status insert_job(storage::Transaction& state, const JobRow& job);
// Moves the job; kConflict naming both states if it may not.
Status move_job(storage::Transaction& state, const std::string& id, JobStatus from, JobStatus to,
                const std::string& failure, Timestamp now);

struct ObjectRow {
  std::int64_t index = 0;
  std::string line, source_uri;
  ObjectState state = ObjectState::kWaiting;
  int wanted = 0;  // answers
  int slots = 0;   // answers that nobody has given or works on
  int answers = 0, declines = 0;
  Timestamp opened;
  std::string result;  // name stem of mask and figures, "" = none
  std::string mask_uri, failure;
  double confidence = 0, disagreement = 0;
  std::string value_json, metadata_json;  // what the manifest says
  int iteration = 0;                      // that computed the result
  std::string task_input;                 // of a registered pre-annotation function

  // It has no mask any more; the files go at the job's end.
  void take_mask_back() {
    result.clear();
    mask_uri.clear();
    value_json.clear();
    metadata_json.clear();
    confidence = disagreement = 0;
  }
};
Result<std::optional<ObjectRow>> find_object(storage::Transaction& state, const std::string& job_id,
                                             std::int64_t index);
// Those in this state with an index of at least `from`, ascending, at most `limit`.
Result<std::vector<ObjectRow>> objects_in_state(storage::Transaction& state, const std::string& job_id,
                                                ObjectState wanted, std::int64_t from, int limit);
Result<std::vector<ObjectRow>> objects_from(storage::Transaction& state, const std::string& job_id,
                                            std::int64_t from, int limit);
Result<std::vector<ObjectRow>> select_objects(storage::Transaction& state, const std::string& where,
                                              std::span<const storage::Value> values);
Status save_object(storage::Transaction& state, const std::string& job_id, const ObjectRow& object);
Status insert_object(storage::Transaction& state, const std::string& job_id, const ObjectRow& object);

struct AssignmentRow {
  std::string id, job_id, job_name;
  std::int64_t index = 0;
  std::string worker_id;
  AssignmentState state = AssignmentState::kLeased;
  Timestamp accepted, deadline;
  std::optional<Timestamp> submitted;
  std::string reason, answer_uri, mask_uri;
  std::string identity_json;  // for the worker response file
  bool correctable = false;

  Assignment assignment() const;
};
Result<std::optional<AssignmentRow>> find_assignment(storage::Transaction& state, const std::string& id);
// Table aliases: a assignments, j jobs, o objects.
Result<std::vector<AssignmentRow>> select_assignments(storage::Transaction& state, const std::string& where,
                                                      std::span<const storage::Value> values);
Result<std::vector<AssignmentRow>> assignments_of_object(storage::Transaction& state,
                                                         const std::string& job_id, std::int64_t index);

// ---- the moves of an object, each inside a write ----

// Opens waiting objects while the job may show more. Built-in pre-annotation only. Returns how many.
Result<std::int64_t> open_objects(storage::Transaction& state, JobHead& job, Timestamp now);
// Shows one waiting object.
Status open_object(storage::Transaction& state, JobHead& job, ObjectRow& object, Timestamp now);
// How many more objects the job may open: concurrency and stopping conditions.
Result<std::int64_t> openable(storage::Transaction& state, const JobHead& job);
// After an answer, a decline or an end of a lease: whether the object is complete, and what it becomes.
Status settle_object(storage::Transaction& state, JobHead& job, ObjectRow& object, Timestamp now);
// Forgets that answers of the object were taken out, and says how many there are.
Result<std::int64_t> count_answers(storage::Transaction& state, const std::string& job_id,
                                   std::int64_t index);
// After answers were taken out: the object waits for others or, in a job that does not run, is consolidated
// from those that are left; failed if none is.
Status settle_withdrawn(storage::Transaction& state, JobHead& job, ObjectRow& object, Timestamp now);
// Writes back what the functions above changed in the job's counts.
Status save_counts(storage::Transaction& state, const JobHead& job);
// How many objects may get a mask before a stopping condition holds.
std::int64_t label_target(const JobHead& job);

}  // namespace terrapin::labeling
