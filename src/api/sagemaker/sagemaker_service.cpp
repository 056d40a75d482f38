#include "api/sagemaker/sagemaker_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/errors.h"
#include "api/sagemaker/model_validation.h"
#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/operations.h"
#include "base/json_text.h"

namespace terrapin::api {
namespace {

enum class Access {
  kLabeling,  // keys of admins and requesters
  kAdmin,
};

struct Route {
  std::string_view operation;
  Operation run;
  Access access;
};

// Ascending. A new operation is one new row here and its function in operations/.
constexpr Route kRoutes[] = {
    {"AddTags", &add_tags, Access::kLabeling},
    {"CreateEndpoint", &create_endpoint, Access::kLabeling},
    {"CreateEndpointConfig", &create_endpoint_config, Access::kLabeling},
    {"CreateHyperParameterTuningJob", &create_hyper_parameter_tuning_job, Access::kLabeling},
    {"CreateLabelingJob", &create_labeling_job, Access::kLabeling},
    {"CreateModel", &create_model, Access::kLabeling},
    {"CreateTrainingJob", &create_training_job, Access::kLabeling},
    {"CreateTransformJob", &create_transform_job, Access::kLabeling},
    {"CreateWorkforce", &create_workforce, Access::kAdmin},
    {"CreateWorkteam", &create_workteam, Access::kAdmin},
    {"DeleteEndpoint", &delete_endpoint, Access::kLabeling},
    {"DeleteEndpointConfig", &delete_endpoint_config, Access::kLabeling},
    {"DeleteModel", &delete_model, Access::kLabeling},
    {"DeleteTags", &delete_tags, Access::kLabeling},
    {"DeleteWorkforce", &delete_workforce, Access::kAdmin},
    {"DeleteWorkteam", &delete_workteam, Access::kAdmin},
    {"DescribeEndpoint", &describe_endpoint, Access::kLabeling},
    {"DescribeEndpointConfig", &describe_endpoint_config, Access::kLabeling},
    {"DescribeHyperParameterTuningJob", &describe_hyper_parameter_tuning_job, Access::kLabeling},
    {"DescribeLabelingJob", &describe_labeling_job, Access::kLabeling},
    {"DescribeModel", &describe_model, Access::kLabeling},
    {"DescribeSubscribedWorkteam", &describe_subscribed_workteam, Access::kLabeling},
    {"DescribeTrainingJob", &describe_training_job, Access::kLabeling},
    {"DescribeTransformJob", &describe_transform_job, Access::kLabeling},
    {"DescribeWorkforce", &describe_workforce, Access::kLabeling},
    {"DescribeWorkteam", &describe_workteam, Access::kLabeling},
    {"ListEndpointConfigs", &list_endpoint_configs, Access::kLabeling},
    {"ListEndpoints", &list_endpoints, Access::kLabeling},
    {"ListHyperParameterTuningJobs", &list_hyper_parameter_tuning_jobs, Access::kLabeling},
    {"ListLabelingJobs", &list_labeling_jobs, Access::kLabeling},
    {"ListLabelingJobsForWorkteam", &list_labeling_jobs_for_workteam, Access::kLabeling},
    {"ListModels", &list_models, Access::kLabeling},
    {"ListSubscribedWorkteams", &list_subscribed_workteams, Access::kLabeling},
    {"ListTags", &list_tags, Access::kLabeling},
    {"ListTrainingJobs", &list_training_jobs, Access::kLabeling},
    {"ListTrainingJobsForHyperParameterTuningJob", &list_training_jobs_for_hyper_parameter_tuning_job,
     Access::kLabeling},
    {"ListTransformJobs", &list_transform_jobs, Access::kLabeling},
    {"ListWorkforces", &list_workforces, Access::kLabeling},
    {"ListWorkteams", &list_workteams, Access::kLabeling},
    {"StopHyperParameterTuningJob", &stop_hyper_parameter_tuning_job, Access::kLabeling},
    {"StopLabelingJob", &stop_labeling_job, Access::kLabeling},
    {"StopTrainingJob", &stop_training_job, Access::kLabeling},
    {"StopTransformJob", &stop_transform_job, Access::kLabeling},
    {"UpdateEndpoint", &update_endpoint, Access::kLabeling},
    {"UpdateEndpointWeightsAndCapacities", &update_endpoint_weights_and_capacities, Access::kLabeling},
    {"UpdateWorkforce", &update_workforce, Access::kAdmin},
    {"UpdateWorkteam", &update_workteam, Access::kAdmin},
};

constexpr std::string_view kTargetStart = "SageMaker.";

AwsError unknown_operation(std::string_view target) {
  std::string served;
  for (const Route& route : kRoutes) served += (served.empty() ? "" : ", ") + std::string(route.operation);
  return {400,
          "UnknownOperationException",
          fmt::format(
              "The operation \"{}\" is not served; served are, as X-Amz-Target: SageMaker.<operation>: {}",
              target.substr(0, 128), served),
          {}};
}

// What an operation acts on, for a refusal.
std::string resource_of(const Place& place, std::string_view operation) {
  const char* kind = operation.find("Workforce") != std::string_view::npos     ? "workforce"
                     : operation.find("Workteam") != std::string_view::npos    ? "workteam"
                     : operation.find("TuningJob") != std::string_view::npos   ? "hyper-parameter-tuning-job"
                     : operation.find("TrainingJob") != std::string_view::npos ? "training-job"
                     : operation.find("EndpointConfig") != std::string_view::npos ? "endpoint-config"
                     : operation.find("Endpoint") != std::string_view::npos       ? "endpoint"
                     : operation.find("TransformJob") != std::string_view::npos   ? "transform-job"
                     : operation.find("Model") != std::string_view::npos          ? "model"
                                                                                  : "labeling-job";
  return fmt::format("arn:aws:sagemaker:{}:{}:{}/*", place.region, place.account_id, kind);
}

AwsResult<void> check_access(const OperationContext& context, Access access) {
  const identity::Scope scope = context.caller.scope;
  if (scope == identity::Scope::kAdmin) return {};
  const std::string resource = resource_of(context.place, context.operation);
  if (scope != identity::Scope::kRequester) {
    return tl::unexpected<AwsError>(
        access_denied(context, resource, "the access key's scope allows invoking endpoints only"));
  }
  if (access == Access::kAdmin) {
    return tl::unexpected<AwsError>(access_denied(
        context, resource, "only an access key of scope admin may change workforces and work teams"));
  }
  return {};
}

}  // namespace

SageMakerService::SageMakerService(labeling::JobService& jobs, labeling::Workforces& workforces,
                                   control::ControlPlane& control, Place place, std::string portal_address)
    : jobs_(jobs),
      workforces_(workforces),
      control_(control),
      place_(std::move(place)),
      portal_address_(std::move(portal_address)) {}

std::vector<std::string_view> SageMakerService::operations() {
  std::vector<std::string_view> names;
  for (const Route& route : kRoutes) names.push_back(route.operation);
  return names;
}

AwsResult<std::string> SageMakerService::answer(const Exchange& exchange) {
  const std::string_view target = exchange.request.headers.find("X-Amz-Target").value_or(std::string_view());
  const std::string_view operation =
      target.substr(0, kTargetStart.size()) == kTargetStart ? target.substr(kTargetStart.size()) : target;
  const Route* route = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                    [&](const Route& one) { return one.operation == operation; });
  if (exchange.request.method != "POST" || exchange.request.path != "/" ||
      operation.size() == target.size() || route == std::end(kRoutes)) {
    return tl::unexpected<AwsError>(unknown_operation(operation));
  }
  if (!exchange.caller) {
    return tl::unexpected<AwsError>(
        AwsError{403, "MissingAuthenticationTokenException", "The request carries no signature.", {}});
  }
  const OperationContext context{jobs_,           workforces_,      control_,  place_,
                                 portal_address_, *exchange.caller, operation, exchange.request_id};
  TERRAPIN_AWS_TRY_STATUS(check_access(context, route->access));
  std::string text;
  if (exchange.body) {
    auto read = read_all_text(*exchange.body, kMaxRequestBytes);
    if (!read && read.error().code == ErrorCode::kTooLarge) {
      return refuse("SerializationException", "The request has {} bytes; at most {} are read",
                    exchange.body->size(), kMaxRequestBytes);
    }
    TERRAPIN_AWS_TRY(text, told(context, std::move(read)));
  }
  TERRAPIN_AWS_TRY(const nlohmann::json input, ServiceModel::sagemaker().read_request(operation, text));
  TERRAPIN_AWS_TRY(const nlohmann::json result, route->run(context, input));
  return result.is_null() ? std::string() : json_text(result);
}

http::Response SageMakerService::handle(const Exchange& exchange) {
  const auto text = answer(exchange);
  if (!text) return json_error(text.error(), exchange.request_id);
  auto response = http::Response::text(200, "application/x-amz-json-1.1", *text);
  set_request_id(Protocol::kJson, response, exchange.request_id);
  return response;
}

}  // namespace terrapin::api
