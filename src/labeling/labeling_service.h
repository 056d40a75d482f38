// The labeling engine as a whole: jobs, tasks and the threads behind them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "labeling/jobs/job_service.h"
#include "labeling/tasks/task_service.h"
#include "storage/database.h"
#include "storage/object_store.h"

namespace terrapin::labeling {

struct LabelingOptions {
  std::filesystem::path scratch_folder;  // for manifests while they are written; exists
  // Goes before the lower-case job name in what annotation functions are told.
  std::string job_arn_prefix = "arn:aws:sagemaker:us-east-1:111122223333:labeling-job/";
  int threads = 0;                            // jobs worked on at once, 0 = cores
  std::int64_t max_job_s = 30LL * 24 * 3600;  // a job that is older is stopped
  int manifest_interval_ms =
      500;  // between two writes of a job's intermediate manifest; longer for long ones
  // Between two looks for leases that are over and for jobs that other processes made or changed.
  int look_interval_ms = 1000;
  std::int64_t max_decoded_pixels = std::int64_t{800} << 20;
  int retain_answers_days = 0;  // answers of jobs that ended longer ago are removed; 0: never
  TaskLimits tasks;
};

// Annotation functions that a person registered; labeling/functions/.
class FunctionCaller {
 public:
  virtual ~FunctionCaller() = default;
  // kInternal: what is registered cannot be read now; that says nothing about `name`.
  virtual Result<bool> knows(const std::string& name) = 0;
  // JSON in, JSON out, with the function's time limit and retries. An error is the function's verdict, but
  // for kInternal (as above) and kCancelled (the server stops): the call may be made again.
  virtual Result<std::string> call(const std::string& name, const std::string& request_json) = 0;
};

// Notices to people's own programs; labeling/notices/.
class NoticeSink {
 public:
  virtual ~NoticeSink() = default;
  // `event`: "job.in-progress", "job.completed", "job.stopped", "job.failed", "tasks.available". Must not
  // block. Inside the write that makes it true: what is to be sent is stored with the change, or neither is.
  virtual Status post(storage::Transaction& state, const std::string& event, const JobRecord& job) = 0;
  // After that write: something may be due.
  virtual void wake() = 0;
};

struct Collaborators {
  FunctionCaller* functions = nullptr;  // null: none is registered
  NoticeSink* notices = nullptr;
  // May the owner of a job read this bucket; empty: yes.
  // May this owner of a job use this bucket; an error where nobody can tell now.
  std::function<Result<bool>(const std::string& owner, const std::string& bucket)> may_read;
};

class LabelingService {
 public:
  // Makes the tables; no thread runs before start(). The references must outlive the service.
  static Result<std::unique_ptr<LabelingService>> open(storage::Database& state, storage::ObjectStore& store,
                                                       const Clock& clock, LabelingOptions options,
                                                       Collaborators collaborators);
  ~LabelingService();  // stop()

  JobService& jobs();
  TaskService& tasks();

  // Goes on with every job that has not ended.
  void start();
  void stop();
  // Does in the caller all that is due now, instead of start(): for tests and one-shot commands. The first
  // error.
  Status run_pending();
  // All leases of a worker who was removed.
  Status give_back_leases(const std::string& worker_id);

 private:
  class Implementation;
  explicit LabelingService(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace terrapin::labeling
