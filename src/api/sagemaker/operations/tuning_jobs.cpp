#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/operations.h"
#include "api/sagemaker/operations/training_checks.h"
#include "api/sagemaker/operations/tuning_codec.h"

namespace terrapin::api {
namespace {

using control::TuningJob;
using control::TuningSpec;
using control::TuningTrial;
using nlohmann::json;

template <class T>
AwsResult<T> found_tuning(const OperationContext& context, Result<T> result, const std::string& name) {
  if (!result && result.error().code == ErrorCode::kNotFound)
    return refuse(
        "ResourceNotFound",
        "Amazon SageMaker can't find a tuning job with the name {}. Provide the name of an existing "
        "tuning job.",
        name);
  return told(context, std::move(result));
}

AwsResult<void> check_visible(const OperationContext& context, const TuningJob& job) {
  return check_bucket(context, job.spec.training.output_uri);
}

AwsResult<TuningJob> visible_job(const OperationContext& context, const json& input) {
  const std::string name = input.at("HyperParameterTuningJobName");
  TERRAPIN_AWS_TRY(TuningJob job, found_tuning(context, context.control.tuning_jobs().describe(name), name));
  TERRAPIN_AWS_TRY_STATUS(check_visible(context, job));
  return job;
}

// What a job learns from its parents, and tells of them, is for those alone who may see these.
AwsResult<void> check_parents(const OperationContext& context, const TuningSpec& spec) {
  for (const std::string& name : spec.parents) {
    const auto parent = context.control.tuning_jobs().describe(name);
    if (!parent && parent.error().code == ErrorCode::kNotFound) continue;  // told by who needs it
    TERRAPIN_AWS_TRY(const TuningJob seen, told(context, parent));
    TERRAPIN_AWS_TRY_STATUS(check_visible(context, seen));
  }
  return {};
}

// The trainings that the request asks for, in its order.
std::vector<const TuningTrial*> chosen_trials(const TuningJob& job, const json& input) {
  const std::string status = text_member(input, "StatusEquals"), sort_by = text_member(input, "SortBy");
  std::vector<const TuningTrial*> trials;
  for (const TuningTrial& trial : job.state.trials) {
    if (!trial.made) continue;
    if (status.empty() || status == control::batch_status_name(trial.status)) trials.push_back(&trial);
  }
  const auto status_of = [](const TuningTrial* trial) {
    return std::string_view(control::batch_status_name(trial->status));
  };
  // Trials stand in the order of their creation.
  const auto sort = [&](auto less) { std::stable_sort(trials.begin(), trials.end(), less); };
  if (sort_by == "Name" || sort_by.empty())
    sort([](const auto* a, const auto* b) { return a->training < b->training; });
  if (sort_by == "Status") sort([&](const auto* a, const auto* b) { return status_of(a) < status_of(b); });
  // Those without a value are the worst.
  if (sort_by == "FinalObjectiveMetricValue")
    sort([](const auto* a, const auto* b) { return a->objective < b->objective; });
  if (text_member(input, "SortOrder") == "Descending") std::reverse(trials.begin(), trials.end());
  return trials;
}

}  // namespace

AwsResult<json> create_hyper_parameter_tuning_job(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(TuningSpec spec, tuning_spec(input));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  spec.training.allowed_buckets = context.caller.buckets;
  TERRAPIN_AWS_TRY_STATUS(check_training_buckets(context, spec.training));
  const std::string arn = control_arn(context.place, control::kTuningJobKind, spec.name);
  control::TuningJobs& jobs = context.control.tuning_jobs();
  const auto taken = [&] {
    return refuse("ResourceInUse",
                  "Hyperparameter tuning job names must be unique within an AWS account and region, and a "
                  "hyperparameter tuning job with this name already exists ({})",
                  arn);
  };
  if (jobs.describe(spec.name)) return taken();
  TERRAPIN_AWS_TRY_STATUS(check_parents(context, spec));
  TERRAPIN_AWS_TRY_STATUS(check_training_places(context, spec.training));
  const auto created = jobs.create(spec, context.caller.owner, {tags.begin(), tags.end()});
  if (!created && created.error().code == ErrorCode::kAlreadyExists) return taken();
  TERRAPIN_AWS_TRY_STATUS(told(context, created));
  return json{{"HyperParameterTuningJobArn", arn}};
}

AwsResult<json> describe_hyper_parameter_tuning_job(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const TuningJob job, visible_job(context, input));
  json answer = tuning_job_description(job, context.place);
  // Of this job and of those it goes on from, as far as the key may see them.
  std::optional<double> best;
  const auto consider = [&](const TuningJob& one) {
    const TuningTrial* const trial = control::best_trial(one.state.trials);
    if (trial == nullptr || (best && *best >= *trial->objective)) return;
    best = trial->objective;
    answer["OverallBestTrainingJob"] = trial_summary(one, *trial, context.place);
  };
  consider(job);
  for (const std::string& name : job.spec.parents)
    if (const auto parent = context.control.tuning_jobs().describe(name);
        parent && check_visible(context, *parent))
      consider(*parent);
  return answer;
}

AwsResult<json> list_hyper_parameter_tuning_jobs(const OperationContext& context, const json& input) {
  // These AWS lists by name, unless it is told otherwise.
  json wanted = input;
  if (!wanted.contains("SortBy")) wanted["SortBy"] = "Name";
  if (!wanted.contains("SortOrder")) wanted["SortOrder"] = "Ascending";
  return list_resources(context, wanted, control::kTuningJobKind, "HyperParameterTuningJobSummaries",
                        [&](const control::Resource& row) {
                          const auto job = control::TuningJobs::read(row);
                          return job ? tuning_job_summary(*job, context.place) : json();
                        });
}

AwsResult<json> stop_hyper_parameter_tuning_job(const OperationContext& context, const json& input) {
  const std::string name = input.at("HyperParameterTuningJobName");
  TERRAPIN_AWS_TRY(const TuningJob job, visible_job(context, input));
  const auto stopped = context.control.tuning_jobs().stop(name);
  if (!stopped && stopped.error().code == ErrorCode::kConflict) {
    TERRAPIN_AWS_TRY(const TuningJob now, visible_job(context, input));
    return invalid("The request was rejected because the hyperparameter tuning job is in status {}.",
                   control::batch_status_name(now.status));
  }
  TERRAPIN_AWS_TRY_STATUS(found_tuning(context, stopped, name));
  return json();
}

AwsResult<json> list_training_jobs_for_hyper_parameter_tuning_job(const OperationContext& context,
                                                                  const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  TERRAPIN_AWS_TRY(const TuningJob job, visible_job(context, input));
  const std::vector<const TuningTrial*> trials = chosen_trials(job, input);
  json list = json::array();
  const auto count = static_cast<std::int64_t>(trials.size());
  const std::int64_t end = std::min(page.offset + page.limit, count);
  for (std::int64_t i = page.offset; i < end; ++i)
    list.push_back(trial_summary(job, *trials[static_cast<std::size_t>(i)], context.place));
  json answer{{"TrainingJobSummaries", std::move(list)}};
  if (end < count) answer["NextToken"] = next_token(context, input, end);
  return answer;
}

}  // namespace terrapin::api
