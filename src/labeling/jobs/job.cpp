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

const char* task_kind_name(TaskKind kind) {
  switch (kind) {
    case TaskKind::kSegmentation:
      return "segmentation";
    case TaskKind::kAdjustment:
      return "adjustment";
    case TaskKind::kVerification:
      return "verification";
  }
  return "";
}

const std::vector<BuiltInFunction>& built_in_functions() {
  using enum TaskKind;
  static const std::vector<BuiltInFunction> kFunctions{
      {"PRE-SemanticSegmentation", kSegmentation, true, false},
      {"PRE-AdjustmentSemanticSegmentation", kAdjustment, true, false},
      {"PRE-VerificationSemanticSegmentation", kVerification, true, false},
      {"ACS-SemanticSegmentation", kSegmentation, false, false},
      {"ACS-AdjustmentSemanticSegmentation", kAdjustment, false, false},
      {"ACS-VerificationSemanticSegmentation", kVerification, false, false},
      {"ACS-SemanticSegmentation-Majority", kSegmentation, false, true},
  };
  return kFunctions;
}

FunctionReference FunctionReference::of_arn(const std::string& arn) {
  constexpr std::string_view kBefore = ":function:";
  const std::size_t at = arn.find(kBefore);
  if (at == std::string::npos) return {arn, ""};
  const std::string name = arn.substr(at + kBefore.size());
  return {arn, name.substr(0, name.find(':'))};
}

const BuiltInFunction* FunctionReference::find_built_in() const {
  for (const BuiltInFunction& known : built_in_functions())
    if (name == known.name) return &known;
  return nullptr;
}

std::optional<bool> assist_learning_wanted(const JobSpec& spec) {
  for (const auto& [name, value] : spec.tags)
    if (name == kAssistLearningTag) return value == "on";
  return std::nullopt;
}

TaskKind task_kind(const JobSpec& spec) {
  for (const FunctionReference* function : {&spec.pre_function, &spec.post_function})
    if (const BuiltInFunction* known = function->find_built_in()) return known->kind;
  return TaskKind::kSegmentation;
}

}  // namespace terrapin::labeling
