// Carries every job on: initialises it, opens objects, consolidates, keeps the manifest, ends it. Inside
// labeling only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "labeling/core.h"
#include "labeling/jobs/consolidator.h"
#include "labeling/jobs/tables.h"

namespace terrapin::labeling {

// One job is worked on by one thread at a time. Thread-safe.
class Engine {
 public:
  explicit Engine(Core& core) : core_(core) {}
  ~Engine() { stop(); }

  void start();
  void stop();
  void wake(const std::string& job_id);
  Status run_pending();

 private:
  // What is due for this job now. Returns when it wants to be looked at again. Without `may_call` a job that
  // calls registered functions is left to the threads for those.
  Result<Timestamp> work_on(const std::string& job_id, bool may_call);
  Result<JobRow> whole(const std::string& job_id);
  Status initialize(const JobRow& given);
  Status fail_job(const std::string& job_id, const std::string& reason);
  // A few objects; false: there is none more now.
  Result<bool> open_by_function(const JobHead& job);
  // Tells the objects whose answers were taken out.
  Status settle_withdrawn(const JobHead& job);
  Status end_availability(const JobHead& job);
  Status end_leases_of_stopped(const JobHead& job);
  // A few objects; returns how many.
  Result<int> consolidate_ready(const JobHead& job);
  Status consolidate_one(const JobRow& job, const ObjectRow& object, bool final_pass);
  // The intermediate manifest, and with `final_one` the final one, of the same bytes; counters with them.
  Status write_manifest(const JobHead& job, const OutputLayout& layout, bool final_one);
  // False: objects were opened again or answers taken out meanwhile, so the job goes on.
  Result<bool> finish(const JobHead& job);
  // Inside the write that makes it true; after it wake_notices().
  Status post(storage::Transaction& state, const char* event, const JobHead& job);
  void wake_notices();
  Status remove_superseded(const JobHead& job, const OutputLayout& layout);
  Result<JobSkills*> skills_of(const JobRow& job);
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  void tick();                // the thread that ends leases and finds work
  void labor(bool calls);     // the threads that do it; those with `calls` the jobs that call functions
  void start_call_threads();  // with mutex_ held
  Result<std::vector<std::string>> unfinished_jobs();

  Core& core_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Timestamp> due_;  // guarded by mutex_; jobs to look at, and when
  std::set<std::string> busy_;            // guarded by mutex_; worked on now
  // Jobs known to call registered functions, which may take an hour: they have threads of their own, since
  // those of the others are few. Guarded by mutex_.
  std::set<std::string> callers_;
  bool call_threads_running_ = false;  // guarded by mutex_
  std::vector<std::thread> threads_;   // guarded by mutex_ until stopping_ is set

  // By job, touched by the thread that works on it.
  struct Progress {
    std::unique_ptr<JobSkills> skills;
    Timestamp manifest_written;
    std::chrono::microseconds manifest_took{0};
    bool manifest_stale = false;  // its row says clean, but it could not be written
  };
  std::mutex progress_mutex_;
  std::map<std::string, std::shared_ptr<Progress>> progress_;  // guarded by progress_mutex_
  std::shared_ptr<Progress> progress_of(const std::string& job_id);
};

}  // namespace terrapin::labeling
