// How work that ends by itself stands: a training, a transform, a tuning job.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "jobs/job_store.h"

namespace terrapin::control {

enum class BatchStatus { kInProgress, kStopping, kCompleted, kFailed, kStopped };
const char* batch_status_name(BatchStatus status);              // "InProgress"
Result<BatchStatus> parse_batch_status(std::string_view name);  // kInvalidArgument
inline bool has_ended(BatchStatus status) {
  return status != BatchStatus::kInProgress && status != BatchStatus::kStopping;
}

// Why the process failed, at most 1,024 characters. Whose fault it was begins the sentence, as the service
// that this follows has it; `usual` where nothing tells: "AlgorithmError".
std::string failure_reason(const jobs::JobRecord& job, const std::string& usual);

}  // namespace terrapin::control
