// Jobs as rows of the state database. Columns: docs/formats/jobs.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "jobs/ending.h"
#include "jobs/job_state.h"
#include "jobs/work.h"
#include "storage/database.h"

namespace terrapin::jobs {

struct JobRecord {
  std::string id;
  std::string kind;  // the caller's word: "training"
  std::string spec;  // the caller's JSON
  Work work;
  JobState state = JobState::kPending;
  std::string handle;   // the runner's; "" before it has a place
  std::string failure;  // why it is Failed, or why it was stopped if nobody asked for it
  Timestamp created, modified;
  std::optional<Ending> ending;  // of its process, if there was one
};

struct JobChange {
  JobState state = JobState::kPending;
  Timestamp time;
};

// Thread-safe, also between processes.
class JobStore {
 public:
  // Brings the tables up to date.
  static Result<JobStore> open(storage::Database& state, const Clock& clock);

  // A new job at the end of the queue. kInvalidArgument for a work that check_work refuses.
  Result<JobRecord> create(const std::string& kind, const std::string& spec, const Work& work);
  // The same inside a write of the caller's, beside rows of its own.
  Result<std::string> create(storage::Transaction& state, const std::string& kind, const std::string& spec,
                             const Work& work);
  Result<JobRecord> find(const std::string& id);  // kNotFound
  // Every state it had, oldest first.
  Result<std::vector<JobChange>> changes(const std::string& id);
  // Those of the lane that wait, in the order in which they begin.
  Result<std::vector<JobRecord>> queue(const std::string& lane, int limit);
  // Starting, Running and Stopping, of the lane.
  Result<std::vector<JobRecord>> live(const std::string& lane);

  // Asks for the job's end: Pending becomes Stopped, Starting and Running become Stopping; said twice is said
  // once. kConflict naming the state of one that has ended. `reason` is told as its failure.
  Result<JobRecord> stop(const std::string& id, const std::string& reason = "");

  // kConflict naming both states if it may not, or is no longer `from`.
  Status move(const std::string& id, JobState from, JobState to, const std::string& failure = "");
  // Pending becomes Starting, with its place.
  Status place(const std::string& id, const std::string& handle);
  // Its end as its keeper saw it: Completed, Failed or Stopped, with the times of its process, from any state
  // between. kConflict if it has ended.
  Result<JobRecord> end(const std::string& id, const Ending& ending);

  // Forgets one that has ended; else kConflict.
  Status remove(const std::string& id);

 private:
  JobStore(storage::Database& state, const Clock& clock) : state_(&state), clock_(&clock) {}

  storage::Database* state_;
  const Clock* clock_;
};

}  // namespace terrapin::jobs
