// Tuning jobs: each a row that makes training jobs, looks how they end, and makes better ones.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/resources.h"
#include "control/slots.h"
#include "control/training_jobs.h"
#include "control/tuning/early_stopping.h"
#include "control/tuning_spec.h"

namespace terrapin::control {

// What tuning needs of training jobs: TrainingJobs, or a stand-in of a test. As TrainingJobs says.
class TunedTrainings {
 public:
  virtual ~TunedTrainings() = default;
  virtual Result<TrainingJob> create(const TrainingJobSpec& spec, const std::string& owner,
                                     const std::string& parent) = 0;
  virtual Result<TrainingJob> describe(const std::string& name) = 0;
  virtual Status stop(const std::string& name) = 0;
  virtual Result<std::vector<MetricValue>> metrics(const std::string& name) = 0;
};
std::unique_ptr<TunedTrainings> tuned_trainings(TrainingJobs& jobs);

struct TuningJob {
  Resource resource;
  TuningSpec spec;
  TuningState state;
  BatchStatus status = BatchStatus::kInProgress;
};

// Thread-safe. Everything given outlives it.
class TuningJobs {
 public:
  TuningJobs(Resources& resources, std::unique_ptr<TunedTrainings> trainings, Slots slots);

  // kInvalidArgument as check_tuning_spec, for an instance type that is none here, and for parents that do
  // not fit; kAlreadyExists.
  Result<TuningJob> create(const TuningSpec& spec, const std::string& owner,
                           const std::map<std::string, std::string>& tags);
  static Result<TuningJob> read(Resource row);          // kCorrupt
  Result<TuningJob> describe(const std::string& name);  // kNotFound
  // No more training jobs; those that run are stopped. kConflict naming the status of one that has ended;
  // saying it twice is saying it once.
  Result<TuningJob> stop(const std::string& name);

  // Brings every tuning job that has not ended a step on: called again and again, by one thread. All that
  // counts is in rows, so that whoever calls it next, after a crash too, goes on. What cannot be dealt with
  // now is logged and holds up no other.
  Status look();

 private:
  struct Standing {
    TuningJob job;
    std::vector<TuningTrial> earlier;  // of its parents
    bool changed = false;
  };
  Status check_parents(const TuningSpec& spec);
  Status attend(const Resource& row);
  Status follow(Standing& standing, std::size_t index);
  Status make(Standing& standing, std::size_t index);
  Status stop_the_poor(Standing& standing);
  Status stop_all(Standing& standing);
  void close_where_due(Standing& standing) const;
  Status add_trials(Standing& standing);
  Status keep(Standing& standing, std::optional<BatchStatus> ended = {});

  Resources& resources_;
  const std::unique_ptr<TunedTrainings> trainings_;
  const Slots slots_;
  std::map<std::string, tuning::Curve> curves_;  // of whoever calls look(): trainings that have ended
};

}  // namespace terrapin::control
