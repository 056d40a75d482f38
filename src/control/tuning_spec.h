// What a tuning job was asked to do, and what has become of it; free of the words of the service that asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/batch_status.h"
#include "control/training_spec.h"
#include "control/training_state.h"
#include "control/tuning/search_space.h"
#include "control/tuning/strategy.h"

namespace terrapin::control {

// What a training is judged by: larger is better.
inline constexpr const char* kObjectives[] = {"validation:mIOU", "validation:pixel_accuracy"};
inline constexpr int kMostTrainings = 750, kMostParallel = 100;  // of one tuning job

struct TuningSpec {
  std::string name;  // at most 32 characters
  tuning::Strategy strategy = tuning::Strategy::kBayesian;
  std::string objective;  // one of kObjectives
  std::vector<tuning::ParameterRange> ranges;
  int max_trainings = 1, max_parallel = 1;
  std::int64_t max_run_s = 0;        // since its creation, then it ends; 0: no limit
  bool early_stopping = false;       // of trainings, by the median rule
  std::uint64_t seed = 0;            // of everything that is drawn
  std::optional<double> target;      // reached: it ends
  int not_improving = 0;             // so many trainings in a row that are no better: it ends; 0: goes on
  int retries = 0;                   // of a training that failed through no fault of its own
  std::vector<std::string> parents;  // tuning jobs whose trainings count as tried
  TrainingJobSpec training;          // of each; its hyperparameters are those that stay, its name is unused
  std::string kept;                  // JSON object of the edge's, given back as it is
};

// kInvalidArgument naming the member: what can be told before anything runs. Hyperparameters that cannot be
// tuned or that lie outside of what the algorithm takes are named, too.
Status check_tuning_spec(const TuningSpec& spec);

// Version 1, docs/formats/control.md.
std::string tuning_spec_text(const TuningSpec& spec);
Result<TuningSpec> parse_tuning_spec(const std::string& text);

// The whole life of a tuning job; docs/states.md shows the same table.
bool may_move(BatchStatus from, BatchStatus to);

// A training job of a tuning job. It stands here before it is made.
struct TuningTrial {
  std::string training;  // its name
  tuning::Assignment values;
  int attempt = 0;  // 1: the first repetition after a failure
  bool made = false;
  BatchStatus status = BatchStatus::kInProgress;
  std::optional<double> objective;  // the last value, once it has ended
  Timestamp created;                // of the trial
  std::optional<Timestamp> started, ended;
  std::string failure_reason;
  bool stopped_early = false;
};
// It failed through no fault of its own.
bool is_retryable(const TuningTrial& trial);

struct TuningState {
  std::vector<TuningTrial> trials;  // oldest first
  std::string closing;              // why no more are made, for people; "": they are
  bool found_nothing_new = false;   // every assignment was tried
  std::string failure_reason;
  std::optional<Timestamp> ended;
};
// Version 1, docs/formats/control.md.
std::string tuning_state_text(const TuningState& state);
Result<TuningState> parse_tuning_state(const std::string& text);

// The one with the largest objective among those that have ended, the first of equals; nullptr: none has one.
const TuningTrial* best_trial(const std::vector<TuningTrial>& trials);
// Trainings that ended after the best one, in the order in which they ended.
int trainings_since_best(const std::vector<TuningTrial>& trials);

// "turtles-001-5f3a9c20": the same for the same arguments, another one for another attempt.
std::string tuning_training_name(const std::string& tuning, std::size_t index, int attempt);

}  // namespace terrapin::control
