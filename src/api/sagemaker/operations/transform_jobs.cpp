#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/operations.h"
#include "api/sagemaker/operations/training_checks.h"
#include "api/sagemaker/operations/transform_codec.h"

namespace terrapin::api {
namespace {

using control::TransformJob;
using control::TransformSpec;
using nlohmann::json;

// AWS's answer for a job that is none.
template <class T>
AwsResult<T> found_transform(const OperationContext& context, Result<T> result, const std::string& name) {
  if (!result && result.error().code == ErrorCode::kNotFound)
    return invalid("Could not find requested job with name: {}", name);
  return told(context, std::move(result));
}

}  // namespace

AwsResult<json> create_transform_job(const OperationContext& context, const json& input) {
  const std::string model_name = input.at("ModelName");
  TERRAPIN_AWS_TRY(
      const control::Model model,
      told(context, context.control.models().find(model_name), "ValidationException",
           fmt::format("model \"{}\"", control_arn(context.place, control::kModelKind, model_name))));
  TERRAPIN_AWS_TRY(TransformSpec spec, transform_spec(input, model.spec));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  spec.allowed_buckets = context.caller.buckets;
  for (const std::string* uri : {&spec.model_uri, &spec.source.uri, &spec.output_uri}) {
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, *uri));
  }
  const std::string arn = control_arn(context.place, control::kTransformJobKind, spec.name);
  control::TransformJobs& jobs = context.control.transform_jobs();
  const auto taken = [&] {
    return refuse(
        "ResourceInUse",
        "Job name must be unique within an AWS account and region, and a job with this name already "
        "exists ({})",
        arn);
  };
  if (jobs.describe(spec.name)) return taken();
  TERRAPIN_AWS_TRY_STATUS(check_output_bucket(context, spec.output_uri, "TransformOutput.S3OutputPath"));
  const auto created = jobs.create(spec, context.caller.owner, {tags.begin(), tags.end()});
  if (!created && created.error().code == ErrorCode::kAlreadyExists) return taken();
  TERRAPIN_AWS_TRY_STATUS(told(context, created));
  return json{{"TransformJobArn", arn}};
}

AwsResult<json> describe_transform_job(const OperationContext& context, const json& input) {
  const std::string name = input.at("TransformJobName");
  TERRAPIN_AWS_TRY(const TransformJob job,
                   found_transform(context, context.control.transform_jobs().describe(name), name));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, job.spec.output_uri));
  return transform_job_description(job, context.place);
}

AwsResult<json> list_transform_jobs(const OperationContext& context, const json& input) {
  return list_resources(context, input, control::kTransformJobKind, "TransformJobSummaries",
                        [&](const control::Resource& row) {
                          const auto job = control::TransformJobs::read(row);
                          return job ? transform_job_summary(*job, context.place) : json();
                        });
}

AwsResult<json> stop_transform_job(const OperationContext& context, const json& input) {
  const std::string name = input.at("TransformJobName");
  control::TransformJobs& jobs = context.control.transform_jobs();
  TERRAPIN_AWS_TRY(const TransformJob job, found_transform(context, jobs.describe(name), name));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, job.spec.output_uri));
  const auto stopped = jobs.stop(name);
  if (!stopped && stopped.error().code == ErrorCode::kConflict) {
    TERRAPIN_AWS_TRY(const TransformJob now, found_transform(context, jobs.describe(name), name));
    return invalid("The request was rejected because the transform job is in status {}.",
                   control::batch_status_name(now.state.status));
  }
  TERRAPIN_AWS_TRY_STATUS(found_transform(context, stopped, name));
  return json();
}

}  // namespace terrapin::api
