#include "control/tuning_jobs.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"

namespace terrapin::control {
namespace {

// If nothing has come of so many, nothing will.
constexpr std::size_t kFruitlessTrainings = 5;

class RealTrainings final : public TunedTrainings {
 public:
  explicit RealTrainings(TrainingJobs& jobs) : jobs_(jobs) {}
  Result<TrainingJob> create(const TrainingJobSpec& spec, const std::string& owner,
                             const std::string& parent) override {
    return jobs_.create(spec, owner, {}, parent);
  }
  Result<TrainingJob> describe(const std::string& name) override { return jobs_.describe(name); }
  Status stop(const std::string& name) override {
    return jobs_.stop(name).map([](const TrainingJob&) {});
  }
  Result<std::vector<MetricValue>> metrics(const std::string& name) override { return jobs_.metrics(name); }

 private:
  TrainingJobs& jobs_;
};

tuning::Trial to_trial(const TuningTrial& trial) {
  using Outcome = tuning::Trial::Outcome;
  tuning::Trial made{trial.values, Outcome::kPending, 0};
  if (!has_ended(trial.status)) return made;
  made.outcome = trial.objective ? Outcome::kMeasured : Outcome::kFailed;
  made.score = trial.objective.value_or(0);
  return made;
}

bool runs(const TuningTrial& trial) {
  return !has_ended(trial.status);
}

tuning::Curve curve_of(const std::vector<MetricValue>& values, const std::string& objective) {
  tuning::Curve curve;
  for (const MetricValue& value : values)
    if (value.name == objective) curve.push_back(value.value);
  return curve;
}

}  // namespace

std::unique_ptr<TunedTrainings> tuned_trainings(TrainingJobs& jobs) {
  return std::make_unique<RealTrainings>(jobs);
}

TuningJobs::TuningJobs(Resources& resources, std::unique_ptr<TunedTrainings> trainings, Slots slots)
    : resources_(resources), trainings_(std::move(trainings)), slots_(std::move(slots)) {}

Result<TuningJob> TuningJobs::read(Resource row) {
  TuningJob job;
  TERRAPIN_TRY(job.spec, parse_tuning_spec(row.spec));
  TERRAPIN_TRY(job.state, parse_tuning_state(row.state));
  TERRAPIN_TRY(job.status, parse_batch_status(row.status));
  job.resource = std::move(row);
  return job;
}

Status TuningJobs::check_parents(const TuningSpec& spec) {
  for (const std::string& name : spec.parents) {
    auto found = resources_.find(kTuningJobKind, name);
    if (!found && found.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kInvalidArgument, "the parent tuning job '{}' does not exist", name);
    TERRAPIN_TRY(Resource row, std::move(found));
    TERRAPIN_TRY(const TuningJob parent, read(std::move(row)));
    if (!has_ended(parent.status))
      return fail(ErrorCode::kInvalidArgument,
                  "the parent tuning job '{}' is in status {}; it must have ended", name,
                  batch_status_name(parent.status));
    if (parent.spec.objective != spec.objective)
      return fail(ErrorCode::kInvalidArgument,
                  "the parent tuning job '{}' went for {}, this one goes for {}: they cannot be compared",
                  name, parent.spec.objective, spec.objective);
  }
  return {};
}

Result<TuningJob> TuningJobs::create(const TuningSpec& spec, const std::string& owner,
                                     const std::map<std::string, std::string>& tags) {
  TERRAPIN_TRY_STATUS(check_tuning_spec(spec));
  TERRAPIN_TRY(const Slot slot, slots_.of(spec.training.instance_type));
  static_cast<void>(slot);
  TERRAPIN_TRY_STATUS(check_parents(spec));
  Resource row;
  row.kind = kTuningJobKind;
  row.name = spec.name;
  row.owner = owner;
  row.status = batch_status_name(BatchStatus::kInProgress);
  row.spec = tuning_spec_text(spec);
  row.state = tuning_state_text({});
  row.tags = tags;
  TERRAPIN_TRY(Resource made, resources_.create(std::move(row)));
  return read(std::move(made));
}

Result<TuningJob> TuningJobs::describe(const std::string& name) {
  TERRAPIN_TRY(Resource row, resources_.find(kTuningJobKind, name));
  return read(std::move(row));
}

Result<TuningJob> TuningJobs::stop(const std::string& name) {
  TERRAPIN_TRY(Resource changed,
               resources_.change(kTuningJobKind, name, [&](storage::Transaction&, Resource& row) -> Status {
                 TERRAPIN_TRY(const BatchStatus status, parse_batch_status(row.status));
                 if (status == BatchStatus::kStopping) return {};
                 if (!may_move(status, BatchStatus::kStopping))
                   return fail(ErrorCode::kConflict, "the tuning job '{}' is in status {}", row.name,
                               row.status);
                 row.status = batch_status_name(BatchStatus::kStopping);
                 return {};
               }));
  return read(std::move(changed));
}

Status TuningJobs::look() {
  Status first;
  ResourceFilter filter;
  filter.kind = kTuningJobKind;
  filter.statuses = {batch_status_name(BatchStatus::kInProgress), batch_status_name(BatchStatus::kStopping)};
  TERRAPIN_TRY(const std::vector<Resource> rows, resources_.all(filter));
  for (const Resource& row : rows) {
    const Status attended = attend(row);
    if (attended) continue;
    spdlog::warn("the tuning job {}: {}", row.name, attended.error().message);
    if (first) first = attended;
  }
  return first;
}

// Writes what has changed, and the end where there is one. Someone may have asked for the end meanwhile: that
// stays.
Status TuningJobs::keep(Standing& standing, std::optional<BatchStatus> ended) {
  if (!standing.changed && !ended) return {};
  if (ended) standing.job.state.ended = resources_.now();
  BatchStatus status = standing.job.status;
  TERRAPIN_TRY(
      const Resource written,
      resources_.change(
          kTuningJobKind, standing.job.resource.name, [&](storage::Transaction&, Resource& row) -> Status {
            TERRAPIN_TRY(status, parse_batch_status(row.status));
            row.state = tuning_state_text(standing.job.state);
            if (!ended) return {};
            const BatchStatus to = status == BatchStatus::kStopping ? BatchStatus::kStopped : *ended;
            if (!may_move(status, to))
              return fail(ErrorCode::kConflict, "a tuning job that is {} cannot become {}", row.status,
                          batch_status_name(to));
            row.status = batch_status_name(to);
            status = to;
            return {};
          }));
  standing.job.status = status;
  standing.changed = false;
  return {};
}

// The trial's training, if the row says that there is none yet. It may be there all the same, made right
// before a crash.
Status TuningJobs::make(Standing& standing, std::size_t index) {
  TuningTrial& trial = standing.job.state.trials[index];
  const TuningSpec& spec = standing.job.spec;
  TrainingJobSpec training = spec.training;
  training.name = trial.training;
  for (const auto& [name, value] : trial.values) training.hyperparameters[name] = value;
  const auto made = trainings_->create(training, standing.job.resource.owner, spec.name);
  if (!made && made.error().code == ErrorCode::kAlreadyExists) {
    TERRAPIN_TRY(const TrainingJob there, trainings_->describe(trial.training));
    if (there.resource.parent != spec.name) {
      trial.status = BatchStatus::kFailed;
      trial.failure_reason =
          fmt::format("ClientError: there is another training job of the name {} already", trial.training);
      trial.ended = resources_.now();
    }
  } else if (!made && (made.error().code == ErrorCode::kInvalidArgument ||
                       made.error().code == ErrorCode::kUnsupported)) {
    trial.status = BatchStatus::kFailed;
    trial.failure_reason = "ClientError: " + made.error().message;
    trial.ended = resources_.now();
  } else if (!made) {
    return tl::unexpected<Error>(made.error());
  }
  trial.made = true;
  standing.changed = true;
  return {};
}

Status TuningJobs::follow(Standing& standing, std::size_t index) {
  if (!standing.job.state.trials[index].made) {
    TERRAPIN_TRY_STATUS(make(standing, index));
  }
  TuningTrial& trial = standing.job.state.trials[index];
  if (has_ended(trial.status)) return {};
  const auto training = trainings_->describe(trial.training);
  if (!training && training.error().code == ErrorCode::kNotFound) {
    // Somebody removed it.
    trial.status = BatchStatus::kFailed;
    trial.failure_reason = "ClientError: the training job no longer exists";
    trial.ended = resources_.now();
    standing.changed = true;
    return {};
  }
  if (!training) return tl::unexpected<Error>(training.error());
  const TrainingJobState& state = training->state;
  if (trial.status != state.status || trial.started != state.started) {
    trial.status = state.status;
    trial.started = state.started;
    standing.changed = true;
  }
  if (!has_ended(state.status)) return {};
  trial.ended = state.ended.value_or(resources_.now());
  trial.failure_reason = state.failure_reason;
  if (state.status != BatchStatus::kFailed) {
    for (const MetricValue& metric : state.metrics)
      if (metric.name == standing.job.spec.objective) trial.objective = metric.value;
  }
  if (is_retryable(trial) && trial.attempt < standing.job.spec.retries &&
      standing.job.status == BatchStatus::kInProgress) {
    TuningTrial again;
    again.values = trial.values;
    again.attempt = trial.attempt + 1;
    again.training = tuning_training_name(standing.job.spec.name, index, again.attempt);
    again.created = resources_.now();
    trial = std::move(again);
  }
  return {};
}

void TuningJobs::close_where_due(Standing& standing) const {
  TuningState& state = standing.job.state;
  const TuningSpec& spec = standing.job.spec;
  const auto close = [&](std::string why) {
    if (!state.closing.empty()) return;
    state.closing = std::move(why);
    standing.changed = true;
  };
  const TuningTrial* const best = best_trial(state.trials);
  if (spec.target && best != nullptr && *best->objective >= *spec.target)
    close(fmt::format("{} reached {}, the target was {}", spec.objective, *best->objective, *spec.target));
  const int since = trainings_since_best(state.trials);
  if (spec.not_improving > 0 && since >= spec.not_improving)
    close(fmt::format("{} training jobs were no better than the best one", since));
  if (spec.max_run_s > 0 &&
      resources_.now() - standing.job.resource.created >= std::chrono::seconds(spec.max_run_s))
    close(fmt::format("the {} seconds that the tuning job had are over", spec.max_run_s));
  // Of those under way one is always new: only what they have reached counts for them.
  const bool all_failed = std::all_of(state.trials.begin(), state.trials.end(), [](const TuningTrial& trial) {
    return runs(trial) ? !trial.objective.has_value() : trial.status == BatchStatus::kFailed;
  });
  const auto ended = static_cast<std::size_t>(std::count_if(state.trials.begin(), state.trials.end(),
                                                            [](const auto& trial) { return !runs(trial); }));
  if (state.closing.empty() && all_failed && ended >= kFruitlessTrainings) {
    state.failure_reason = fmt::format(
        "No training job succeeded after {} attempts. For additional details, please take a look at the "
        "training job failures by listing training jobs for the hyperparameter tuning job.",
        ended);
    close(state.failure_reason);
  }
}

Status TuningJobs::stop_all(Standing& standing) {
  for (TuningTrial& trial : standing.job.state.trials) {
    if (!runs(trial) || trial.status == BatchStatus::kStopping) continue;
    if (!trial.made) {
      // A crash may have come between its making and the note of it.
      const auto there = trainings_->describe(trial.training);
      if (!there && there.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(there.error());
      trial.made = standing.changed = true;
      if (!there || there->resource.parent != standing.job.spec.name) {
        trial.status = BatchStatus::kStopped;
        trial.ended = resources_.now();
        continue;
      }
    }
    const Status stopped = trainings_->stop(trial.training);
    if (!stopped && stopped.error().code != ErrorCode::kConflict &&
        stopped.error().code != ErrorCode::kNotFound)
      return stopped;
  }
  return {};
}

Status TuningJobs::stop_the_poor(Standing& standing) {
  TuningState& state = standing.job.state;
  const std::string& objective = standing.job.spec.objective;
  const bool any = std::any_of(state.trials.begin(), state.trials.end(),
                               [](const auto& trial) { return trial.status == BatchStatus::kInProgress; });
  if (!any) return {};
  std::vector<tuning::Curve> earlier;
  for (const TuningTrial& trial : state.trials) {
    if (runs(trial) || !trial.objective) continue;
    tuning::Curve& curve = curves_[trial.training];
    if (curve.empty()) {
      TERRAPIN_TRY(const auto values, trainings_->metrics(trial.training));
      curve = curve_of(values, objective);
    }
    earlier.push_back(curve);
  }
  if (earlier.size() < tuning::kCurvesBeforeStopping) return {};
  for (TuningTrial& trial : state.trials) {
    if (trial.status != BatchStatus::kInProgress || !trial.made) continue;
    TERRAPIN_TRY(const auto values, trainings_->metrics(trial.training));
    if (!tuning::worse_than_median(curve_of(values, objective), earlier)) continue;
    const Status stopped = trainings_->stop(trial.training);
    if (!stopped && stopped.error().code == ErrorCode::kConflict) continue;  // it has just ended
    TERRAPIN_TRY_STATUS(stopped);
    trial.stopped_early = true;
    standing.changed = true;
  }
  return {};
}

// What is to be tried stands in the row before its training is made: a crash between the two loses nothing
// and makes nothing twice.
Status TuningJobs::add_trials(Standing& standing) {
  TuningState& state = standing.job.state;
  const TuningSpec& spec = standing.job.spec;
  TERRAPIN_TRY(const auto space, tuning::SearchSpace::make(spec.ranges));
  auto running = std::count_if(state.trials.begin(), state.trials.end(), runs);
  const std::size_t before = state.trials.size();
  while (running < spec.max_parallel && state.trials.size() < static_cast<std::size_t>(spec.max_trainings)) {
    std::vector<tuning::Trial> trials;
    for (const TuningTrial& trial : standing.earlier) trials.push_back(to_trial(trial));
    for (const TuningTrial& trial : state.trials) trials.push_back(to_trial(trial));
    auto values = tuning::propose(space, spec.strategy, spec.seed, trials);
    if (!values) {
      state.found_nothing_new = standing.changed = true;
      break;
    }
    TuningTrial next;
    next.values = std::move(*values);
    next.training = tuning_training_name(spec.name, state.trials.size(), 0);
    next.created = resources_.now();
    state.trials.push_back(std::move(next));
    standing.changed = true;
    ++running;
  }
  TERRAPIN_TRY_STATUS(keep(standing));
  if (standing.job.status != BatchStatus::kInProgress) return {};  // stopped meanwhile: the next look sees
  for (std::size_t index = before; index < state.trials.size(); ++index) {
    TERRAPIN_TRY_STATUS(make(standing, index));
  }
  return {};
}

Status TuningJobs::attend(const Resource& row) {
  Standing standing;
  TERRAPIN_TRY(standing.job, read(row));
  TuningState& state = standing.job.state;
  const TuningSpec& spec = standing.job.spec;
  for (const std::string& name : spec.parents) {
    const auto parent = describe(name);
    if (!parent) continue;  // removed since: what it knew is lost
    for (const TuningTrial& trial : parent->state.trials)
      if (trial.objective) standing.earlier.push_back(trial);
  }
  // A job that is to be stopped makes no training.
  const bool stopping = standing.job.status == BatchStatus::kStopping;
  if (stopping) {
    TERRAPIN_TRY_STATUS(stop_all(standing));
  }
  for (std::size_t index = 0; index < state.trials.size(); ++index) {
    if (!runs(state.trials[index])) continue;
    TERRAPIN_TRY_STATUS(follow(standing, index));
    TERRAPIN_TRY_STATUS(keep(standing));
  }
  if (!stopping) {
    close_where_due(standing);
    if (!state.closing.empty()) {
      TERRAPIN_TRY_STATUS(stop_all(standing));
    } else {
      if (spec.early_stopping) {
        TERRAPIN_TRY_STATUS(stop_the_poor(standing));
      }
      if (!state.found_nothing_new) {
        TERRAPIN_TRY_STATUS(add_trials(standing));
      }
    }
  }
  TERRAPIN_TRY_STATUS(keep(standing));
  if (std::any_of(state.trials.begin(), state.trials.end(), runs)) return {};
  for (const TuningTrial& trial : state.trials) curves_.erase(trial.training);
  const bool full = state.trials.size() >= static_cast<std::size_t>(spec.max_trainings);
  if (!stopping && state.closing.empty() && !full && !state.found_nothing_new) return {};
  // Given up for want of any success, those that were under way were stopped.
  const bool fruitless = !state.failure_reason.empty() && state.closing == state.failure_reason;
  const bool failed =
      !state.trials.empty() && std::all_of(state.trials.begin(), state.trials.end(), [&](const auto& trial) {
        return trial.status == BatchStatus::kFailed ||
               (fruitless && trial.status == BatchStatus::kStopped && !trial.objective);
      });
  if (!failed || stopping) {
    state.failure_reason.clear();
    return keep(standing, BatchStatus::kCompleted);
  }
  if (state.failure_reason.empty())
    state.failure_reason =
        "All training jobs failed. Please take a look at the training jobs failures to get more details.";
  return keep(standing, BatchStatus::kFailed);
}

}  // namespace terrapin::control
