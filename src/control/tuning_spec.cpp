#include "control/tuning_spec.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "base/digest.h"
#include "base/json_text.h"
#include "jobs/json_members.h"

namespace terrapin::control {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using tuning::ParameterRange;
using Kind = ParameterRange::Kind;

struct KindName {
  Kind kind;
  const char* name;
};
constexpr KindName kKinds[] = {
    {Kind::kWhole, "integer"}, {Kind::kContinuous, "continuous"}, {Kind::kCategorical, "categorical"}};

// What of the algorithm may be tuned, and within which ends: docs/formats/hyperparameters.md.
struct Tunable {
  const char* name;
  Kind kind;
  double low, high;
  bool low_is_out, high_is_out;
};
constexpr Tunable kTunables[] = {
    {"learning_rate", Kind::kContinuous, 0, 1, true, false},
    {"mini_batch_size", Kind::kWhole, 1, 65'536, false, false},
    {"momentum", Kind::kContinuous, 0, 1, true, false},
    {"optimizer", Kind::kCategorical, 0, 0, false, false},
    {"weight_decay", Kind::kContinuous, 0, 1, true, true},
};
constexpr std::string_view kOptimizers[] = {"sgd", "nag", "adam", "adamw", "adagrad", "rmsprop", "adadelta"};

const char* kind_name(Kind kind) {
  return std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& one) { return one.kind == kind; })
      ->name;
}

Status check_number(const ParameterRange& range, const Tunable& tunable) {
  const bool low_fits = tunable.low_is_out ? range.low > tunable.low : range.low >= tunable.low;
  const bool high_fits = tunable.high_is_out ? range.high < tunable.high : range.high <= tunable.high;
  if (low_fits && high_fits) return {};
  return fail(ErrorCode::kInvalidArgument,
              "the range of {} goes from {} to {}: the algorithm takes {} {} to {} {}", range.name, range.low,
              range.high, tunable.low_is_out ? "above" : "from", tunable.low,
              tunable.high_is_out ? "below" : "at most", tunable.high);
}

Status check_range(const ParameterRange& range) {
  const auto* const tunable = std::find_if(std::begin(kTunables), std::end(kTunables),
                                           [&](const Tunable& one) { return one.name == range.name; });
  if (tunable == std::end(kTunables))
    return fail(ErrorCode::kInvalidArgument,
                "the hyperparameter [{}] is not tunable for the [semantic-segmentation] algorithm; tunable "
                "are learning_rate, mini_batch_size, momentum, optimizer, weight_decay",
                range.name);
  if (range.kind == Kind::kCategorical) {
    if (tunable->kind == Kind::kCategorical) {
      for (const std::string& value : range.values) {
        if (std::find(std::begin(kOptimizers), std::end(kOptimizers), value) == std::end(kOptimizers))
          return fail(ErrorCode::kInvalidArgument, "{}={}: must be one of {}", range.name, value,
                      fmt::join(kOptimizers, ", "));
      }
      return {};
    }
    // A list of numbers, as a grid needs it.
    for (const std::string& value : range.values) {
      const json number = json::parse(value, nullptr, false);
      if (!number.is_number() || (tunable->kind == Kind::kWhole && !number.is_number_integer()))
        return fail(ErrorCode::kInvalidArgument, "{}={}: must be {}", range.name, value,
                    tunable->kind == Kind::kWhole ? "a whole number" : "a number");
      ParameterRange one = range;
      one.low = one.high = number.get<double>();
      TERRAPIN_TRY_STATUS(check_number(one, *tunable));
    }
    return {};
  }
  if (tunable->kind == Kind::kCategorical)
    return fail(ErrorCode::kInvalidArgument, "the hyperparameter {} takes a categorical range, not a {} one",
                range.name, kind_name(range.kind));
  if (tunable->kind == Kind::kWhole && range.kind == Kind::kContinuous)
    return fail(ErrorCode::kInvalidArgument,
                "the hyperparameter {} takes an integer range, not a continuous one", range.name);
  return check_number(range, *tunable);
}

std::optional<double> number_of(const json& from, const char* name) {
  const auto member = from.find(name);
  if (member == from.end() || !member->is_number()) return std::nullopt;
  return member->get<double>();
}

ordered_json range_json(const ParameterRange& range) {
  ordered_json made{{"name", range.name}, {"kind", kind_name(range.kind)}};
  if (range.kind == Kind::kCategorical) {
    made["values"] = range.values;
  } else {
    made["low"] = range.low;
    made["high"] = range.high;
    made["scaling"] = tuning::scaling_name(range.scaling);
  }
  return made;
}

Result<ParameterRange> parse_range(const json& from) {
  ParameterRange range;
  range.name = jobs::text_of(from, "name");
  const auto* const kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& one) {
    return one.name == jobs::text_of(from, "kind");
  });
  if (kind == std::end(kKinds)) return fail(ErrorCode::kCorrupt, "the range of '{}' has no kind", range.name);
  range.kind = kind->kind;
  range.values = jobs::texts_of(from, "values");
  if (range.kind != Kind::kCategorical) {
    range.low = number_of(from, "low").value_or(0);
    range.high = number_of(from, "high").value_or(0);
    TERRAPIN_TRY(range.scaling, tuning::parse_scaling(jobs::text_of(from, "scaling")));
  }
  return range;
}

ordered_json trial_json(const TuningTrial& trial) {
  ordered_json made{{"training", trial.training},
                    {"values", trial.values},
                    {"attempt", trial.attempt},
                    {"made", trial.made},
                    {"status", batch_status_name(trial.status)},
                    {"created_us", to_microseconds(trial.created)},
                    {"failure_reason", trial.failure_reason},
                    {"stopped_early", trial.stopped_early}};
  if (trial.objective) made["objective"] = *trial.objective;
  jobs::put_time(made, "started_us", trial.started);
  jobs::put_time(made, "ended_us", trial.ended);
  return made;
}

Result<TuningTrial> parse_trial(const json& from) {
  TuningTrial trial;
  trial.training = jobs::text_of(from, "training");
  if (trial.training.empty()) return fail(ErrorCode::kCorrupt, "a training of a tuning job has no name");
  trial.values = jobs::text_map_of(from, "values");
  trial.attempt = static_cast<int>(jobs::integer_of(from, "attempt", 0));
  trial.made = jobs::flag_of(from, "made");
  TERRAPIN_TRY(trial.status, parse_batch_status(jobs::text_of(from, "status")));
  trial.created = from_microseconds(jobs::integer_of(from, "created_us", 0));
  trial.failure_reason = jobs::text_of(from, "failure_reason");
  trial.stopped_early = jobs::flag_of(from, "stopped_early");
  trial.objective = number_of(from, "objective");
  trial.started = jobs::time_of(from, "started_us");
  trial.ended = jobs::time_of(from, "ended_us");
  return trial;
}

}  // namespace

Status check_tuning_spec(const TuningSpec& spec) {
  TERRAPIN_TRY(const auto space, tuning::SearchSpace::make(spec.ranges));
  for (const ParameterRange& range : spec.ranges) {
    TERRAPIN_TRY_STATUS(check_range(range));
    if (spec.training.hyperparameters.contains(range.name))
      return fail(ErrorCode::kInvalidArgument,
                  "the hyperparameter [{}] is both static and tuned: give it one of the two", range.name);
    if (spec.strategy == tuning::Strategy::kGrid && range.kind != Kind::kCategorical)
      return fail(ErrorCode::kInvalidArgument,
                  "the strategy Grid takes categorical parameters only; {} is {}", range.name,
                  kind_name(range.kind));
  }
  const auto count = space.count();
  if (spec.strategy == tuning::Strategy::kGrid && (!count || *count != spec.max_trainings))
    return fail(ErrorCode::kInvalidArgument,
                "the strategy Grid trains once for each of the {} combinations: leave the number of "
                "training jobs out, or make it that; {} were asked for",
                count.value_or(0), spec.max_trainings);
  if (std::find(std::begin(kObjectives), std::end(kObjectives), spec.objective) == std::end(kObjectives))
    return fail(ErrorCode::kInvalidArgument,
                "The objective metric for the hyperparameter tuning job, [{}], isn't valid for the "
                "[semantic-segmentation] algorithm. Choose a valid objective metric: {}.",
                spec.objective, fmt::join(kObjectives, ", "));
  if (spec.max_trainings < 1 || spec.max_trainings > kMostTrainings)
    return fail(ErrorCode::kInvalidArgument, "{} training jobs were asked for; 1 to {} are allowed",
                spec.max_trainings, kMostTrainings);
  if (spec.max_parallel < 1 || spec.max_parallel > kMostParallel)
    return fail(ErrorCode::kInvalidArgument, "{} training jobs at a time were asked for; 1 to {} are allowed",
                spec.max_parallel, kMostParallel);
  if (spec.max_parallel > spec.max_trainings)
    return fail(ErrorCode::kInvalidArgument,
                "{} training jobs at a time were asked for, which is more than the {} in all",
                spec.max_parallel, spec.max_trainings);
  return {};
}

std::string tuning_spec_text(const TuningSpec& spec) {
  ordered_json ranges = ordered_json::array();
  for (const ParameterRange& range : spec.ranges) ranges.push_back(range_json(range));
  ordered_json made{{"version", 1},
                    {"name", spec.name},
                    {"strategy", tuning::strategy_name(spec.strategy)},
                    {"objective", spec.objective},
                    {"ranges", std::move(ranges)},
                    {"max_trainings", spec.max_trainings},
                    {"max_parallel", spec.max_parallel},
                    {"max_run_s", spec.max_run_s},
                    {"early_stopping", spec.early_stopping},
                    {"seed", spec.seed},
                    {"not_improving", spec.not_improving},
                    {"retries", spec.retries},
                    {"parents", spec.parents},
                    {"training", training_spec_text(spec.training)},
                    {"kept", spec.kept}};
  if (spec.target) made["target"] = *spec.target;
  return json_text(made);
}

Result<TuningSpec> parse_tuning_spec(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the description of a tuning job"));
  TuningSpec spec;
  spec.name = jobs::text_of(from, "name");
  TERRAPIN_TRY(spec.strategy, tuning::parse_strategy(jobs::text_of(from, "strategy")));
  spec.objective = jobs::text_of(from, "objective");
  for (const json& one : from.value("ranges", json::array())) {
    TERRAPIN_TRY(ParameterRange range, parse_range(one));
    spec.ranges.push_back(std::move(range));
  }
  spec.max_trainings = static_cast<int>(jobs::integer_of(from, "max_trainings", 1));
  spec.max_parallel = static_cast<int>(jobs::integer_of(from, "max_parallel", 1));
  spec.max_run_s = jobs::integer_of(from, "max_run_s", 0);
  spec.early_stopping = jobs::flag_of(from, "early_stopping");
  if (const auto seed = from.find("seed"); seed != from.end() && seed->is_number_unsigned())
    spec.seed = seed->get<std::uint64_t>();
  spec.target = number_of(from, "target");
  spec.not_improving = static_cast<int>(jobs::integer_of(from, "not_improving", 0));
  spec.retries = static_cast<int>(jobs::integer_of(from, "retries", 0));
  spec.parents = jobs::texts_of(from, "parents");
  TERRAPIN_TRY(spec.training, parse_training_spec(jobs::text_of(from, "training")));
  spec.kept = jobs::text_of(from, "kept");
  return spec;
}

bool may_move(BatchStatus from, BatchStatus to) {
  switch (from) {
    case BatchStatus::kInProgress:
      return to == BatchStatus::kStopping || to == BatchStatus::kCompleted || to == BatchStatus::kFailed;
    case BatchStatus::kStopping:
      return to == BatchStatus::kStopped;
    case BatchStatus::kCompleted:
    case BatchStatus::kFailed:
    case BatchStatus::kStopped:
      return false;
  }
  return false;
}

bool is_retryable(const TuningTrial& trial) {
  return trial.status == BatchStatus::kFailed && trial.failure_reason.starts_with("InternalServerError");
}

std::string tuning_state_text(const TuningState& state) {
  ordered_json trials = ordered_json::array();
  for (const TuningTrial& trial : state.trials) trials.push_back(trial_json(trial));
  ordered_json made{{"version", 1},
                    {"trials", std::move(trials)},
                    {"closing", state.closing},
                    {"found_nothing_new", state.found_nothing_new},
                    {"failure_reason", state.failure_reason}};
  jobs::put_time(made, "ended_us", state.ended);
  return json_text(made);
}

Result<TuningState> parse_tuning_state(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the state of a tuning job"));
  TuningState state;
  for (const json& one : from.value("trials", json::array())) {
    TERRAPIN_TRY(TuningTrial trial, parse_trial(one));
    state.trials.push_back(std::move(trial));
  }
  state.closing = jobs::text_of(from, "closing");
  state.found_nothing_new = jobs::flag_of(from, "found_nothing_new");
  state.failure_reason = jobs::text_of(from, "failure_reason");
  state.ended = jobs::time_of(from, "ended_us");
  return state;
}

const TuningTrial* best_trial(const std::vector<TuningTrial>& trials) {
  const TuningTrial* best = nullptr;
  for (const TuningTrial& trial : trials) {
    if (!has_ended(trial.status) || !trial.objective) continue;
    if (best == nullptr || *trial.objective > *best->objective) best = &trial;
  }
  return best;
}

int trainings_since_best(const std::vector<TuningTrial>& trials) {
  const TuningTrial* const best = best_trial(trials);
  if (best == nullptr || !best->ended) return 0;
  return static_cast<int>(std::count_if(trials.begin(), trials.end(), [&](const TuningTrial& trial) {
    return &trial != best && has_ended(trial.status) && trial.objective && trial.ended &&
           *trial.ended > *best->ended;
  }));
}

std::string tuning_training_name(const std::string& tuning, std::size_t index, int attempt) {
  const std::string text = fmt::format("{}\n{}\n{}", tuning, index, attempt);
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  return fmt::format("{}-{:03}-{}", tuning, index + 1,
                     sha256_hex(std::span(bytes, text.size())).substr(0, 8));
}

}  // namespace terrapin::control
