#include "labeling/jobs/job.h"

#include <array>
#include <utility>

namespace terrapin::labeling {
namespace {

constexpr std::array<std::pair<JobStatus, const char*>, 6> kStatusNames{{
    {JobStatus::kInitializing, "Initializing"},
    {JobStatus::kInProgress, "InProgress"},
    {JobStatus::kCompleted, "Completed"},
    {JobStatus::kFailed, "Failed"},
    {JobStatus::kStopping, "Stopping"},
    {JobStatus::kStopped, "Stopped"},
}};

constexpr std::array<std::string_view, 7> kBuiltInFunctions{
    "PRE-SemanticSegmentation",
    "PRE-AdjustmentSemanticSegmentation",
    "PRE-VerificationSemanticSegmentation",
    "ACS-SemanticSegmentation",
    "ACS-AdjustmentSemanticSegmentation",
    "ACS-VerificationSemanticSegmentation",
    "ACS-SemanticSegmentation-Majority",
};

}  // namespace

const char* job_status_name(JobStatus status) {
  for (const auto& [value, name] : kStatusNames)
    if (value == status) return name;
  return "?";
}

Result<JobStatus> parse_job_status(std::string_view name) {
  for (const auto& [value, known] : kStatusNames)
    if (name == known) return value;
  return fail(
      ErrorCode::kInvalidArgument,
      "'{}' is no status of a labeling job: Initializing, InProgress, Completed, Failed, Stopping, Stopped",
      name);
}

bool may_move(JobStatus from, JobStatus to) {
  using enum JobStatus;
  switch (from) {
    case kInitializing:
      return to == kInProgress || to == kStopping || to == kFailed;
    case kInProgress:
      return to == kCompleted || to == kStopping || to == kFailed;
    case kStopping:
      return to == kStopped || to == kFailed;
    case kCompleted:
    case kFailed:
    case kStopped:
      return false;
  }
  return false;
}

bool FunctionReference::built_in() const {
  for (const std::string_view known : kBuiltInFunctions)
    if (name == known) return true;
  return false;
}

TaskKind task_kind(const JobSpec& spec) {
  if (spec.pre_function.name == "PRE-AdjustmentSemanticSegmentation") return TaskKind::kAdjustment;
  if (spec.pre_function.name == "PRE-VerificationSemanticSegmentation") return TaskKind::kVerification;
  return TaskKind::kSegmentation;
}

}  // namespace terrapin::labeling
