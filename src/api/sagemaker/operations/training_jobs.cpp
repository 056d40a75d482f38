#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/operations.h"
#include "api/sagemaker/operations/training_checks.h"
#include "api/sagemaker/operations/training_codec.h"

namespace terrapin::api {
namespace {

using control::TrainingJob;
using control::TrainingJobSpec;
using nlohmann::json;

// AWS's answer for a job that is none.
template <class T>
AwsResult<T> found_training(const OperationContext& context, Result<T> result) {
  if (!result && result.error().code == ErrorCode::kNotFound) return invalid("Requested resource not found.");
  return told(context, std::move(result));
}

}  // namespace

AwsResult<json> create_training_job(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(TrainingJobSpec spec, training_job_spec(input));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  spec.allowed_buckets = context.caller.buckets;
  TERRAPIN_AWS_TRY_STATUS(check_training_buckets(context, spec));
  const std::string arn = control_arn(context.place, control::kTrainingJobKind, spec.name);
  control::TrainingJobs& jobs = context.control.training_jobs();
  const auto taken = [&] {
    return refuse(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, and a training job with this "
        "name already exists ({})",
        arn);
  };
  if (jobs.describe(spec.name)) return taken();
  TERRAPIN_AWS_TRY_STATUS(check_training_places(context, spec));
  const auto created = jobs.create(spec, context.caller.owner, {tags.begin(), tags.end()});
  if (!created && created.error().code == ErrorCode::kAlreadyExists) return taken();
  TERRAPIN_AWS_TRY_STATUS(told(context, created));
  return json{{"TrainingJobArn", arn}};
}

AwsResult<json> describe_training_job(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(
      const TrainingJob job,
      found_training(context, context.control.training_jobs().describe(input.at("TrainingJobName"))));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, job.spec.output_uri));
  return training_job_description(job, context.place);
}

AwsResult<json> list_training_jobs(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  // There are neither warm pools nor plans: no job is of one.
  if (input.contains("WarmPoolStatusEquals") || input.contains("TrainingPlanArnEquals"))
    return json{{"TrainingJobSummaries", json::array()}};
  const control::ResourceFilter filter = resource_filter(input, page, "Ascending");
  TERRAPIN_AWS_TRY(const control::TrainingJobPage found,
                   told(context, context.control.training_jobs().list(filter)));
  json list = json::array();
  for (const TrainingJob& job : found.jobs) list.push_back(training_job_summary(job, context.place));
  json answer{{"TrainingJobSummaries", std::move(list)}};
  if (found.more && !found.jobs.empty()) {
    std::optional<Timestamp> as_of = page.as_of;
    if (!as_of && filter.descending && filter.sort_by == control::ResourceFilter::SortBy::kCreationTime)
      as_of = found.jobs.front().resource.created + std::chrono::microseconds(1);
    answer["NextToken"] =
        next_token(context, input, page.offset + static_cast<std::int64_t>(found.jobs.size()), as_of);
  }
  return answer;
}

AwsResult<json> stop_training_job(const OperationContext& context, const json& input) {
  const std::string name = input.at("TrainingJobName");
  control::TrainingJobs& jobs = context.control.training_jobs();
  TERRAPIN_AWS_TRY(const TrainingJob job, found_training(context, jobs.describe(name)));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, job.spec.output_uri));
  const auto stopped = jobs.stop(name);
  if (!stopped && stopped.error().code == ErrorCode::kConflict) {
    TERRAPIN_AWS_TRY(const TrainingJob now, found_training(context, jobs.describe(name)));
    return invalid("The request was rejected because the training job is in status {}.",
                   control::batch_status_name(now.state.status));
  }
  TERRAPIN_AWS_TRY_STATUS(found_training(context, stopped));
  return json();
}

}  // namespace terrapin::api
