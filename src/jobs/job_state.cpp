#include "jobs/job_state.h"

#include <utility>

namespace terrapin::jobs {
namespace {

constexpr std::pair<JobState, const char*> kStateNames[] = {
    {JobState::kPending, "Pending"},   {JobState::kStarting, "Starting"},   {JobState::kRunning, "Running"},
    {JobState::kStopping, "Stopping"}, {JobState::kCompleted, "Completed"}, {JobState::kFailed, "Failed"},
    {JobState::kStopped, "Stopped"},
};

}  // namespace

const char* job_state_name(JobState state) {
  for (const auto& [value, name] : kStateNames)
    if (value == state) return name;
  return "?";
}

Result<JobState> parse_job_state(std::string_view name) {
  for (const auto& [value, known] : kStateNames)
    if (name == known) return value;
  return fail(ErrorCode::kInvalidArgument,
              "'{}' is no state of a job: Pending, Starting, Running, Stopping, Completed, Failed, Stopped",
              name);
}

bool may_move(JobState from, JobState to) {
  using enum JobState;
  switch (from) {
    case kPending:
      return to == kStarting || to == kStopped || to == kFailed;
    case kStarting:
      return to == kRunning || to == kStopping || to == kFailed;
    case kRunning:
      return to == kCompleted || to == kStopping || to == kFailed;
    case kStopping:  // it may have ended by itself before the signal came
      return to == kStopped || to == kCompleted || to == kFailed;
    case kCompleted:
    case kFailed:
    case kStopped:
      return false;
  }
  return false;
}

}  // namespace terrapin::jobs
