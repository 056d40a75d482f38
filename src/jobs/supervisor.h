// The thread that brings jobs and processes together: starts what waits, watches, stops, and takes up what an
// earlier server left.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/repeating_thread.h"
#include "jobs/job_store.h"
#include "jobs/runner.h"

namespace terrapin::jobs {

struct SupervisorOptions {
  std::string lane = "batch";  // whose jobs it looks after
  std::chrono::milliseconds look_interval{500};
  // Strictly in order: a job that waits for much is not overtaken for ever by those that want little. Else
  // one that no place is free for holds up no other.
  bool in_order = true;
  // Told after every change that the supervisor makes, on its thread.
  std::function<void(const std::string& job_id)> changed = {};
};

// One per database and lane at a time, with a runner of its own.
class Supervisor {
 public:
  Supervisor(JobStore store, Runner& runner, const Clock& clock, SupervisorOptions options = {});
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  void start() { looks_.start(); }
  // Ends the thread; jobs go on and are taken up by the next supervisor.
  void stop() { looks_.stop(); }
  // What a job that is Starting waits for, where it is in a queue behind the runner; else "".
  std::string waiting(const std::string& id);
  // Something was queued or is to be stopped: look now.
  void wake() { looks_.wake(); }

  // One look at everything, as the thread does it again and again. A job that cannot be dealt with now (the
  // disk is full) is logged and holds up no other; the error is the first of these. Not beside the thread.
  Status look();

 private:
  Status attend(const JobRecord& job);
  Status begin(const JobRecord& job);
  Status note_running(const std::string& id);
  void note_waiting(const std::string& id, const std::string& what_for);
  Status finish(const JobRecord& job, const Ending& ending);
  Status start_queued();
  void tell(const std::string& id);

  JobStore store_;
  Runner& runner_;
  const Clock& clock_;
  const SupervisorOptions options_;
  std::set<std::string> known_;  // jobs whose places this supervisor holds; of whoever looks

  std::mutex mutex_;
  std::map<std::string, std::string> waiting_;  // guarded by mutex_; by job id
  RepeatingThread looks_;
};

}  // namespace terrapin::jobs
