#include "api/sagemaker/operations/tuning_codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/training_codec.h"
#include "base/digest.h"
#include "base/json_text.h"

namespace terrapin::api {
namespace {

using control::BatchStatus;
using control::TuningSpec;
using control::TuningTrial;
using control::tuning::ParameterRange;
using nlohmann::json;

// Members of a training definition that CreateTrainingJob has under the same name.
constexpr const char* kSharedMembers[] = {"AlgorithmSpecification",
                                          "CheckpointConfig",
                                          "EnableInterContainerTrafficEncryption",
                                          "EnableManagedSpotTraining",
                                          "EnableNetworkIsolation",
                                          "Environment",
                                          "InputDataConfig",
                                          "OutputDataConfig",
                                          "ResourceConfig",
                                          "RoleArn",
                                          "StoppingCondition",
                                          "VpcConfig"};

AwsResult<double> number_of(const json& range, const char* member) {
  const std::string text = range.at(member);
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !std::isfinite(number))
    return invalid("{} '{}' of the parameter {} is no number.", member, text,
                   range.at("Name").get<std::string>());
  return number;
}

AwsResult<void> add_numbers(const json& ranges, const char* member, ParameterRange::Kind kind,
                            std::vector<ParameterRange>& found) {
  for (const json& one : ranges.value(member, json::array())) {
    ParameterRange range;
    range.name = one.at("Name");
    range.kind = kind;
    TERRAPIN_AWS_TRY(range.low, number_of(one, "MinValue"));
    TERRAPIN_AWS_TRY(range.high, number_of(one, "MaxValue"));
    const auto scaling = control::tuning::parse_scaling(one.value("ScalingType", "Auto"));
    if (!scaling) return invalid("{}.", scaling.error().message);
    range.scaling = *scaling;
    found.push_back(std::move(range));
  }
  return {};
}

// The SDK sends categories as JSON text ("\"sgd\"") where the estimator is no framework's own.
std::string plain(const std::string& value) {
  const json decoded = json::parse(value, nullptr, false);
  return decoded.is_string() ? decoded.get<std::string>() : value;
}

AwsResult<std::vector<ParameterRange>> parameter_ranges(const json& config) {
  const json ranges = config.value("ParameterRanges", json::object());
  TERRAPIN_AWS_TRY_STATUS(
      refuse_member(ranges, "AutoParameters", "Give each parameter the range that is to be tried."));
  std::vector<ParameterRange> found;
  TERRAPIN_AWS_TRY_STATUS(add_numbers(ranges, "IntegerParameterRanges", ParameterRange::Kind::kWhole, found));
  TERRAPIN_AWS_TRY_STATUS(
      add_numbers(ranges, "ContinuousParameterRanges", ParameterRange::Kind::kContinuous, found));
  for (const json& one : ranges.value("CategoricalParameterRanges", json::array())) {
    ParameterRange range;
    range.name = one.at("Name");
    range.kind = ParameterRange::Kind::kCategorical;
    for (const json& value : one.at("Values")) range.values.push_back(plain(value.get<std::string>()));
    found.push_back(std::move(range));
  }
  return found;
}

// Added to what stays; clients that take up a tuning job count on it (the Python SDK's attach).
constexpr const char* kObjectiveParameter = "_tuning_objective_metric";

// As CreateTrainingJob would be asked for one of the trainings.
AwsResult<json> training_request(const json& input, TuningSpec& spec) {
  TERRAPIN_AWS_TRY_STATUS(refuse_member(input, "TrainingJobDefinitions",
                                        "Use TrainingJobDefinition, and a tuning job for each definition."));
  if (!input.contains("TrainingJobDefinition")) return invalid("TrainingJobDefinition is needed.");
  const json& definition = input["TrainingJobDefinition"];
  for (const char* member : {"HyperParameterRanges", "TuningObjective"}) {
    TERRAPIN_AWS_TRY_STATUS(refuse_member(definition, member,
                                          "It goes with TrainingJobDefinitions; give it in "
                                          "HyperParameterTuningJobConfig."));
  }
  json request{{"TrainingJobName", spec.name}};
  for (const char* member : kSharedMembers)
    if (definition.contains(member)) request[member] = definition[member];
  request["HyperParameters"] = definition.value("StaticHyperParameters", json::object());
  request["HyperParameters"][kObjectiveParameter] = spec.objective;
  if (definition.contains("HyperParameterTuningResourceConfig")) {
    const json& resources = definition["HyperParameterTuningResourceConfig"];
    for (const char* member : {"InstanceConfigs", "AllocationStrategy"}) {
      TERRAPIN_AWS_TRY_STATUS(refuse_member(resources, member, "Use InstanceType and InstanceCount."));
    }
    if (definition.contains("ResourceConfig"))
      return invalid("Give ResourceConfig or HyperParameterTuningResourceConfig, not both.");
    request["ResourceConfig"] = resources;
  }
  if (definition.contains("RetryStrategy"))
    spec.retries = definition["RetryStrategy"].at("MaximumRetryAttempts");
  return request;
}

AwsResult<void> read_limits(const json& config, TuningSpec& spec) {
  const json& limits = config.at("ResourceLimits");
  spec.max_parallel = limits.at("MaxParallelTrainingJobs");
  spec.max_run_s = limits.value("MaxRuntimeInSeconds", std::int64_t{0});
  const json criteria = config.value("TuningJobCompletionCriteria", json::object());
  if (criteria.contains("TargetObjectiveMetricValue"))
    spec.target = criteria["TargetObjectiveMetricValue"].get<double>();
  if (criteria.contains("BestObjectiveNotImproving"))
    spec.not_improving =
        criteria["BestObjectiveNotImproving"].value("MaxNumberOfTrainingJobsNotImproving", 0);
  if (criteria.contains("ConvergenceDetected") &&
      text_member(criteria["ConvergenceDetected"], "CompleteOnConvergence") == "Enabled") {
    return invalid(
        "TuningJobCompletionCriteria.ConvergenceDetected is not served. Use BestObjectiveNotImproving or "
        "TargetObjectiveMetricValue.");
  }
  if (limits.contains("MaxNumberOfTrainingJobs")) {
    spec.max_trainings = limits["MaxNumberOfTrainingJobs"];
  } else if (spec.strategy == control::tuning::Strategy::kGrid) {
    const auto space = control::tuning::SearchSpace::make(spec.ranges);
    spec.max_trainings = static_cast<int>(
        std::min<std::int64_t>(space ? space->count().value_or(1) : 1, control::kMostTrainings + 1));
    spec.max_parallel = std::min(spec.max_parallel, spec.max_trainings);
  } else if (spec.max_run_s > 0 || spec.target || spec.not_improving > 0) {
    spec.max_trainings = control::kMostTrainings;
  } else {
    return invalid(
        "ResourceLimits.MaxNumberOfTrainingJobs is needed, unless the strategy is Grid or something else "
        "ends "
        "the tuning job: MaxRuntimeInSeconds or TuningJobCompletionCriteria.");
  }
  return {};
}

AwsResult<void> check_objective(const json& config, TuningSpec& spec) {
  if (!config.contains("HyperParameterTuningJobObjective"))
    return invalid("A metric is required for this hyperparameter tuning job objective: one of {}.",
                   fmt::join(control::kObjectives, ", "));
  const json& objective = config["HyperParameterTuningJobObjective"];
  spec.objective = objective.at("MetricName");
  const std::string type = objective.at("Type");
  const bool known = std::find(std::begin(control::kObjectives), std::end(control::kObjectives),
                               spec.objective) != std::end(control::kObjectives);
  if (known && type != "Maximize")
    return invalid(
        "The objective metric type, [{}], that you specified for objective metric, [{}], isn't valid for the "
        "[semantic-segmentation] algorithm. Choose a valid objective metric type: Maximize.",
        type, spec.objective);
  return {};
}

// Without a seed of the caller's, the job's name gives one: the log of a job is enough to repeat it.
std::uint64_t seed_of(const json& config, const std::string& name) {
  if (config.contains("RandomSeed")) return config["RandomSeed"].get<std::uint64_t>();
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(name.data());
  std::uint64_t seed = 0;
  const std::string digest = sha256_hex(std::span(bytes, name.size()));
  std::from_chars(digest.data(), digest.data() + 8, seed, 16);
  return seed & 0x7fff'ffff;  // an Integer of the model
}

json status_counters(const control::TuningJob& job) {
  int completed = 0, in_progress = 0, retryable = 0, failed = 0, stopped = 0;
  for (const TuningTrial& trial : job.state.trials) {
    retryable += trial.attempt;  // what failed before is not among the trials
    switch (trial.status) {
      case BatchStatus::kInProgress:
      case BatchStatus::kStopping:
        ++in_progress;
        break;
      case BatchStatus::kCompleted:
        ++completed;
        break;
      case BatchStatus::kFailed:
        ++failed;
        break;
      case BatchStatus::kStopped:
        ++stopped;
        break;
    }
  }
  return {{"Completed", completed},
          {"InProgress", in_progress},
          {"RetryableError", retryable},
          {"NonRetryableError", failed},
          {"Stopped", stopped}};
}

const char* objective_status(const TuningTrial& trial) {
  if (!control::has_ended(trial.status)) return "Pending";
  return trial.objective ? "Succeeded" : "Failed";
}

json objective_counters(const control::TuningJob& job) {
  json counters{{"Succeeded", 0}, {"Pending", 0}, {"Failed", 0}};
  for (const TuningTrial& trial : job.state.trials) {
    json& counter = counters[objective_status(trial)];
    counter = counter.get<int>() + 1;
  }
  return counters;
}

std::string arn_of(const control::TuningJob& job, const Place& place) {
  return control_arn(place, control::kTuningJobKind, job.spec.name);
}

}  // namespace

AwsResult<TuningSpec> tuning_spec(const json& input) {
  TuningSpec spec;
  spec.name = input.at("HyperParameterTuningJobName");
  TERRAPIN_AWS_TRY_STATUS(
      refuse_member(input, "Autotune", "Give ParameterRanges, a strategy and an objective."));
  const json& config = input.at("HyperParameterTuningJobConfig");
  TERRAPIN_AWS_TRY_STATUS(refuse_member(config, "StrategyConfig",
                                        "It goes with the strategy Hyperband only, which is not served."));
  const auto strategy = control::tuning::parse_strategy(config.at("Strategy"));
  if (!strategy) return invalid("HyperParameterTuningJobConfig.Strategy: {}.", strategy.error().message);
  spec.strategy = *strategy;
  TERRAPIN_AWS_TRY_STATUS(check_objective(config, spec));
  TERRAPIN_AWS_TRY(spec.ranges, parameter_ranges(config));
  TERRAPIN_AWS_TRY_STATUS(read_limits(config, spec));
  spec.early_stopping = text_member(config, "TrainingJobEarlyStoppingType") == "Auto";
  spec.seed = seed_of(config, spec.name);
  if (input.contains("WarmStartConfig")) {
    for (const json& parent : input["WarmStartConfig"].at("ParentHyperParameterTuningJobs"))
      spec.parents.push_back(text_member(parent, "HyperParameterTuningJobName"));
  }
  TERRAPIN_AWS_TRY(const json request, training_request(input, spec));
  TERRAPIN_AWS_TRY(spec.training, training_job_spec(request));
  if (const Status checked = control::check_tuning_spec(spec); !checked)
    return invalid("{}", checked.error().message);
  json kept = json::object();
  for (const char* member : {"HyperParameterTuningJobConfig", "TrainingJobDefinition", "WarmStartConfig"})
    if (input.contains(member)) kept[member] = input[member];
  kept["TrainingJobDefinition"]["StaticHyperParameters"][kObjectiveParameter] = spec.objective;
  // The Python SDK gives HyperParameterTuningResourceConfig, and reads ResourceConfig where it takes a job
  // up.
  kept["TrainingJobDefinition"]["ResourceConfig"] = request.at("ResourceConfig");
  kept["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"] = metric_definitions();
  spec.kept = json_text(kept);
  return spec;
}

json trial_summary(const control::TuningJob& job, const TuningTrial& trial, const Place& place) {
  json summary{{"TrainingJobName", trial.training},
               {"TrainingJobArn", control_arn(place, control::kTrainingJobKind, trial.training)},
               {"TuningJobName", job.spec.name},
               {"CreationTime", epoch_seconds(trial.created)},
               {"TrainingJobStatus", control::batch_status_name(trial.status)},
               {"TunedHyperParameters", trial.values},
               {"ObjectiveStatus", objective_status(trial)}};
  if (trial.started) summary["TrainingStartTime"] = epoch_seconds(*trial.started);
  if (trial.ended) summary["TrainingEndTime"] = epoch_seconds(*trial.ended);
  if (!trial.failure_reason.empty()) summary["FailureReason"] = trial.failure_reason;
  if (trial.objective)
    summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
        {"Type", "Maximize"}, {"MetricName", job.spec.objective}, {"Value", *trial.objective}};
  return summary;
}

json tuning_job_summary(const control::TuningJob& job, const Place& place) {
  json limits{{"MaxNumberOfTrainingJobs", job.spec.max_trainings},
              {"MaxParallelTrainingJobs", job.spec.max_parallel}};
  if (job.spec.max_run_s > 0) limits["MaxRuntimeInSeconds"] = job.spec.max_run_s;
  json summary{{"HyperParameterTuningJobName", job.spec.name},
               {"HyperParameterTuningJobArn", arn_of(job, place)},
               {"HyperParameterTuningJobStatus", control::batch_status_name(job.status)},
               {"Strategy", control::tuning::strategy_name(job.spec.strategy)},
               {"CreationTime", epoch_seconds(job.resource.created)},
               {"LastModifiedTime", epoch_seconds(job.resource.modified)},
               {"TrainingJobStatusCounters", status_counters(job)},
               {"ObjectiveStatusCounters", objective_counters(job)},
               {"ResourceLimits", std::move(limits)}};
  if (job.state.ended) summary["HyperParameterTuningEndTime"] = epoch_seconds(*job.state.ended);
  return summary;
}

json tuning_job_description(const control::TuningJob& job, const Place& place) {
  json answer = json::parse(job.spec.kept.empty() ? "{}" : job.spec.kept, nullptr, false);
  if (!answer.is_object()) answer = json::object();
  answer.update(tuning_job_summary(job, place));
  answer.erase("Strategy");
  answer.erase("ResourceLimits");
  json& config = answer["HyperParameterTuningJobConfig"];
  if (!config.is_object()) config = json::object();
  config["RandomSeed"] = job.spec.seed;
  if (const TuningTrial* best = control::best_trial(job.state.trials); best != nullptr)
    answer["BestTrainingJob"] = trial_summary(job, *best, place);
  std::int64_t seconds = 0;
  for (const TuningTrial& trial : job.state.trials)
    if (trial.started && trial.ended)
      seconds += std::chrono::ceil<std::chrono::seconds>(*trial.ended - *trial.started).count();
  answer["ConsumedResources"] = {{"RuntimeInSeconds", seconds}};
  answer["TuningJobCompletionDetails"] = {
      {"NumberOfTrainingJobsObjectiveNotImproving", control::trainings_since_best(job.state.trials)}};
  if (!job.state.failure_reason.empty()) answer["FailureReason"] = job.state.failure_reason;
  return answer;
}

}  // namespace terrapin::api
