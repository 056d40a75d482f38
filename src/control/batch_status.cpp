#include "control/batch_status.h"

#include <algorithm>
#include <iterator>

#include "jobs/ending.h"

namespace terrapin::control {
namespace {

struct StatusName {
  BatchStatus status;
  const char* name;
};
constexpr StatusName kStatuses[] = {{BatchStatus::kInProgress, "InProgress"},
                                    {BatchStatus::kStopping, "Stopping"},
                                    {BatchStatus::kCompleted, "Completed"},
                                    {BatchStatus::kFailed, "Failed"},
                                    {BatchStatus::kStopped, "Stopped"}};

}  // namespace

const char* batch_status_name(BatchStatus status) {
  return std::find_if(std::begin(kStatuses), std::end(kStatuses),
                      [&](const StatusName& one) { return one.status == status; })
      ->name;
}

Result<BatchStatus> parse_batch_status(std::string_view name) {
  for (const StatusName& one : kStatuses)
    if (one.name == name) return one.status;
  return fail(ErrorCode::kInvalidArgument,
              "'{}' is no status of a job: it is InProgress, Stopping, Completed, Failed or Stopped", name);
}

std::string failure_reason(const jobs::JobRecord& job, const std::string& usual) {
  const std::string& reason = job.failure;
  for (const char* begin : {"ClientError:", "AlgorithmError:", "InternalServerError:"})
    if (reason.starts_with(begin)) return jobs::first_characters(reason, jobs::kFailureCharacters);
  const auto& ending = job.ending;
  std::string whose = usual + ": ";
  if (!ending) {
    // No process: it asks for more than there is.
    whose = "CapacityError: Unable to provision requested ML compute capacity. ";
  } else if (ending->killed_for_memory()) {
    whose = "ClientError: ";
  } else if (!ending->problem.empty() || ending->stop_asked) {
    whose = "InternalServerError: ";
  }
  return jobs::first_characters(whose + reason, jobs::kFailureCharacters);
}

}  // namespace terrapin::control
