// Labeling jobs: creation, life, what requesters ask of them. The door for api, portal and cli.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/label_categories.h"
#include "labeling/jobs/job.h"

namespace terrapin::labeling {

struct JobFilter {
  std::string name_contains, workteam_arn;
  std::string reference_code_contains;
  std::optional<JobStatus> status;
  std::optional<Timestamp> created_after, created_before, modified_after, modified_before;
  enum class SortBy { kName, kCreationTime, kStatus } sort_by = SortBy::kCreationTime;
  bool descending = false;
  std::int64_t offset = 0;
  int limit = 100;
};
struct JobPage {
  std::vector<JobRecord> jobs;
  bool more = false;
};

enum class ObjectState { kWaiting, kOpen, kReady, kLabeled, kFailed, kPassed };
const char* object_state_name(ObjectState state);  // "waiting", ...

// One line of the manifest.
struct ObjectRecord {
  std::int64_t index = 0;
  std::string source_uri;
  ObjectState state = ObjectState::kWaiting;
  int answers = 0, declines = 0;
  std::string mask_uri, failure_reason;
  double confidence = 0, disagreement = 0;  // of the consolidated mask
};
struct ObjectFilter {
  std::optional<ObjectState> state;
  double min_disagreement = -1;
  bool most_disputed_first = false;
  std::int64_t offset = 0;
  int limit = 100;
};

// What answers have become, for who learns from it.
struct FinishedMask {
  std::int64_t index = 0;
  std::string source_uri, mask_uri;
  Timestamp answered;  // the last of its answers
};
struct FinishedMasks {
  std::int64_t count = 0;            // all of them
  std::vector<FinishedMask> newest;  // by `answered`, the newest first
};

struct WorkerStatistics {
  std::string worker_id;
  std::int64_t submitted = 0, declined = 0, returned = 0, expired = 0;
  double seconds_spent = 0;           // of submitted answers
  std::optional<double> reliability;  // 0..1, once two workers have answered the same objects
};

// How the work goes; withdrawn answers aside.
struct JobProgress {
  std::int64_t answers = 0, answers_last_hour = 0;
  std::optional<double> median_seconds;  // from accepting to submitting
  struct Point {
    Timestamp time;
    std::int64_t answers = 0;  // up to then
  };
  std::vector<Point> series;  // ascending, at most kMaxProgressPoints
};
inline constexpr int kMaxProgressPoints = 120;

// One worker's answer on one object, for review.
struct AnswerRecord {
  std::string assignment_id, worker_id, answer_uri;
  Timestamp accepted, submitted;
  bool withdrawn = false;
};

// Any method may be called from any thread; a success is durable. kNotFound names the missing job.
class JobService {
 public:
  virtual ~JobService() = default;

  // Checks what can be checked at once (bucket and files readable, categories, template, functions, work
  // team's kind), stores the job and starts it in the background. kAlreadyExists for a taken name,
  // kInvalidArgument, kUnsupported naming the member.
  virtual Result<JobRecord> create(const JobSpec& spec) = 0;
  virtual Result<JobRecord> describe(const std::string& name) = 0;
  virtual Result<JobPage> list(const JobFilter& filter) = 0;
  // Keeps what is labelled and finishes the manifest. kConflict if it has ended.
  virtual Result<JobRecord> stop(const std::string& name) = 0;

  // The new job belongs to `owner`, who asked for it; "": to the old one's.
  // A new job with the same members and another name and output folder.
  virtual Result<JobRecord> clone(const std::string& name, const std::string& new_name,
                                  const std::string& owner) = 0;
  // A new job that labels what a stopped, failed or completed one left unlabelled, on its output manifest.
  virtual Result<JobRecord> continue_job(const std::string& name, const std::string& new_name,
                                         const std::string& owner) = 0;
  // `spec` with the output manifest of `name` as its input.
  virtual Result<JobRecord> chain(const std::string& name, JobSpec spec) = 0;

  virtual Result<std::vector<ObjectRecord>> objects(const std::string& name, const ObjectFilter& filter) = 0;
  // Photos with a mask made from answers, lines that passed through aside. `most` 0 counts them alone, which
  // is cheap.
  virtual Result<FinishedMasks> finished_masks(const std::string& name, int most) = 0;
  virtual Result<std::vector<AnswerRecord>> answers(const std::string& name, std::int64_t index) = 0;
  // Takes the object's mask back and shows it to workers again; kept answers count unless `discard_answers`.
  // Of an ended job kConflict: continue it instead.
  virtual Status reopen_object(const std::string& name, std::int64_t index, bool discard_answers) = 0;
  // Takes all answers of a worker out: objects that lack answers then go back to workers while the job runs;
  // of a job that has ended, masks and manifest are computed again without them.
  virtual Status withdraw_worker(const std::string& name, const std::string& worker_id) = 0;
  virtual Result<std::vector<WorkerStatistics>> workers(const std::string& name) = 0;

  virtual Result<artifacts::LabelCategories> categories(const std::string& name) = 0;
  virtual Result<std::string> template_html(const std::string& name) = 0;
  virtual Result<ObjectRecord> object(const std::string& name, std::int64_t index) = 0;
  virtual Result<JobProgress> progress(const std::string& name) = 0;

  // True if a job to this team has not ended.
  virtual Result<bool> team_in_use(const std::string& workteam_arn) = 0;
};

}  // namespace terrapin::labeling
