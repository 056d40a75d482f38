#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin::jobs {

enum class JobState { kPending, kStarting, kRunning, kStopping, kCompleted, kFailed, kStopped };

const char* job_state_name(JobState state);  // "Pending"
Result<JobState> parse_job_state(std::string_view name);
// The whole life of a job process; docs/states.md shows the same table.
bool may_move(JobState from, JobState to);
inline bool has_ended(JobState state) {
  return state == JobState::kCompleted || state == JobState::kFailed || state == JobState::kStopped;
}

}  // namespace terrapin::jobs
