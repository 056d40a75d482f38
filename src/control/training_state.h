// What has become of a training job, derived from its process and from what that wrote down.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/batch_status.h"
#include "control/process/phases.h"
#include "control/training_metrics.h"
#include "jobs/job_store.h"

namespace terrapin::control {

enum class TrainingStep {
  kPending,
  kStarting,
  kDownloading,
  kTraining,
  kUploading,
  kStopping,
  kCompleted,
  kFailed,
  kStopped,
  kMaxRuntimeExceeded,
};
const char* training_step_name(TrainingStep step);  // "Pending"

struct TrainingTransition {
  TrainingStep step = TrainingStep::kPending;
  Timestamp start;
  std::optional<Timestamp> end;  // nullopt: it is the present one
  std::string message;
};

struct TrainingJobState {
  BatchStatus status = BatchStatus::kInProgress;
  std::vector<TrainingTransition> transitions;  // oldest first, never empty
  std::string failure_reason;                   // begins with whose fault it is: "ClientError: ..."
  std::optional<Timestamp> started, ended;      // of the process
  std::string model_uri;                        // where the model lies, "" while there is none
  std::vector<MetricValue> metrics;             // the last of each name

  std::int64_t seconds() const;  // that it ran, rounded up; 0 while it runs
};

// The same answer for the same rows and files, whoever asks and however often. `metrics`: the last value of
// each.
TrainingJobState derive_training_state(const jobs::JobRecord& job,
                                       const std::vector<jobs::JobChange>& changes,
                                       const std::vector<Phase>& phases, std::vector<MetricValue> metrics);

// Version 1, docs/formats/control.md.
std::string training_state_text(const TrainingJobState& state);
Result<TrainingJobState> parse_training_state(const std::string& text);

}  // namespace terrapin::control
