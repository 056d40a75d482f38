#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/endpoint_codec.h"
#include "api/sagemaker/operations/operations.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

std::string arn_of(const OperationContext& context, const char* kind, const std::string& name) {
  return control_arn(context.place, kind, name);
}
std::string config_named(const OperationContext& context, const std::string& name) {
  return fmt::format("endpoint configuration \"{}\"", arn_of(context, control::kEndpointConfigKind, name));
}
std::string endpoint_named(const OperationContext& context, const std::string& name) {
  return fmt::format("endpoint \"{}\"", arn_of(context, control::kEndpointKind, name));
}

// A key that may use some buckets only must not reach others through an endpoint: the model's, where requests
// are captured, and where answers are written.
AwsResult<void> check_buckets(const OperationContext& context,
                              const std::optional<control::CaptureSpec>& capture,
                              const std::optional<control::AsyncSpec>& asynchronous) {
  if (capture) {
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, capture->destination));
  }
  if (asynchronous) {
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, asynchronous->output));
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, asynchronous->failure));
  }
  return {};
}
AwsResult<void> check_buckets(const OperationContext& context, const control::EndpointConfigSpec& spec) {
  if (context.caller.buckets.empty()) return {};
  TERRAPIN_AWS_TRY_STATUS(check_buckets(context, spec.capture, spec.asynchronous));
  for (const control::VariantSpec& variant : spec.variants) {
    const auto model = context.control.models().find(variant.model);
    if (!model) continue;  // told by who needs it
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, model->spec.container.data));
  }
  return {};
}
AwsResult<void> check_buckets(const OperationContext& context, const control::Endpoint& endpoint) {
  if (context.caller.buckets.empty()) return {};
  if (!endpoint.state.active && !endpoint.state.pending) {
    for (const std::string& bucket : control::buckets_left(endpoint.state))
      if (!context.caller.may_use_bucket(bucket))
        return tl::unexpected<AwsError>(
            access_denied(context, arn_of(context, control::kEndpointKind, endpoint.row.name),
                          "the access key may use other buckets only"));
  }
  for (const auto* deployment : {&endpoint.state.active, &endpoint.state.pending}) {
    if (!*deployment) continue;
    TERRAPIN_AWS_TRY_STATUS(check_buckets(context, (*deployment)->capture, (*deployment)->asynchronous));
    for (const control::DeployedVariant& variant : (*deployment)->variants) {
      TERRAPIN_AWS_TRY_STATUS(check_bucket(context, variant.container.data));
    }
  }
  return {};
}

// "endpoint-config NAME" or "model NAME", as control names what is not there.
std::string missing_thing(const OperationContext& context, const std::string& thing,
                          const std::string& endpoint) {
  const std::size_t blank = thing.find(' ');
  const std::string kind = thing.substr(0, blank);
  const std::string name = blank == std::string::npos ? "" : thing.substr(blank + 1);
  if (kind == control::kEndpointConfigKind) return config_named(context, name);
  if (kind == control::kModelKind)
    return fmt::format("model \"{}\"", arn_of(context, control::kModelKind, name));
  return endpoint_named(context, endpoint);
}

AwsResult<control::EndpointConfig> find_config(const OperationContext& context, const std::string& name) {
  TERRAPIN_AWS_TRY(control::EndpointConfig config,
                   told(context, context.control.endpoint_configs().find(name), "ValidationException",
                        config_named(context, name)));
  TERRAPIN_AWS_TRY_STATUS(check_buckets(context, config.spec));
  return config;
}
AwsResult<control::Endpoint> find_endpoint(const OperationContext& context, const std::string& name) {
  TERRAPIN_AWS_TRY(control::Endpoint endpoint, told(context, context.control.endpoints().find(name),
                                                    "ValidationException", endpoint_named(context, name)));
  TERRAPIN_AWS_TRY_STATUS(check_buckets(context, endpoint));
  return endpoint;
}

// The answer to a change: the endpoint's name, or why it cannot be.
template <class T>
AwsResult<void> changed(const OperationContext& context, const Result<T>& result, const std::string& name) {
  if (result) return {};
  const Error& error = result.error();
  if (error.code == ErrorCode::kConflict)
    return invalid("Cannot update in-progress {}.", endpoint_named(context, name));
  if (error.code == ErrorCode::kNotFound)
    return invalid("Could not find {}.", missing_thing(context, error.message, name));
  return tl::unexpected<AwsError>(error_told(context, error));
}

// AWS: only deletion ends what failed.
AwsResult<void> check_not_failed(const OperationContext& context, const control::Endpoint& endpoint) {
  if (endpoint.row.status != control::kEndpointFailed) return {};
  return invalid("Cannot update {} because it is Failed; delete it and create it anew.",
                 endpoint_named(context, endpoint.row.name));
}

json endpoint_arn_answer(const OperationContext& context, const std::string& name) {
  return {{"EndpointArn", arn_of(context, control::kEndpointKind, name)}};
}

}  // namespace

AwsResult<json> create_endpoint_config(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const control::EndpointConfigSpec spec, endpoint_config_spec(input));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  TERRAPIN_AWS_TRY_STATUS(check_buckets(context, spec));
  const auto made =
      context.control.endpoint_configs().create(spec, context.caller.owner, {tags.begin(), tags.end()});
  if (!made && made.error().code == ErrorCode::kAlreadyExists)
    return invalid("Cannot create already existing {}.", config_named(context, spec.name));
  if (!made && made.error().code == ErrorCode::kNotFound)
    return invalid("Could not find model \"{}\".",
                   arn_of(context, control::kModelKind, made.error().message));
  TERRAPIN_AWS_TRY_STATUS(told(context, made));
  return json{{"EndpointConfigArn", arn_of(context, control::kEndpointConfigKind, spec.name)}};
}

AwsResult<json> describe_endpoint_config(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const control::EndpointConfig config,
                   find_config(context, input.at("EndpointConfigName")));
  return endpoint_config_description(config, context.place);
}

AwsResult<json> list_endpoint_configs(const OperationContext& context, const json& input) {
  return list_resources(context, input, control::kEndpointConfigKind, "EndpointConfigs",
                        [&](const control::Resource& row) {
                          return json{{"EndpointConfigName", row.name},
                                      {"EndpointConfigArn", arn_of(context, row.kind.c_str(), row.name)},
                                      {"CreationTime", epoch_seconds(row.created)}};
                        });
}

AwsResult<json> delete_endpoint_config(const OperationContext& context, const json& input) {
  const std::string name = input.at("EndpointConfigName");
  TERRAPIN_AWS_TRY_STATUS(find_config(context, name));
  TERRAPIN_AWS_TRY_STATUS(told(context, context.control.endpoint_configs().remove(name),
                               "ValidationException", config_named(context, name)));
  return json();
}

AwsResult<json> create_endpoint(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY_STATUS(check_deployment(input));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  const std::string name = input.at("EndpointName"), config = input.at("EndpointConfigName");
  TERRAPIN_AWS_TRY_STATUS(find_config(context, config));
  const auto made =
      context.control.endpoints().create(name, config, context.caller.owner, {tags.begin(), tags.end()});
  if (!made && made.error().code == ErrorCode::kAlreadyExists)
    return invalid("Cannot create already existing {}.", endpoint_named(context, name));
  TERRAPIN_AWS_TRY_STATUS(changed(context, made, name));
  return endpoint_arn_answer(context, name);
}

AwsResult<json> describe_endpoint(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const control::Endpoint endpoint, find_endpoint(context, input.at("EndpointName")));
  return endpoint_description(endpoint, context.place);
}

AwsResult<json> list_endpoints(const OperationContext& context, const json& input) {
  return list_resources(context, input, control::kEndpointKind, "Endpoints",
                        [&](const control::Resource& row) {
                          return json{{"EndpointName", row.name},
                                      {"EndpointArn", arn_of(context, row.kind.c_str(), row.name)},
                                      {"CreationTime", epoch_seconds(row.created)},
                                      {"LastModifiedTime", epoch_seconds(row.modified)},
                                      {"EndpointStatus", row.status}};
                        });
}

AwsResult<json> update_endpoint(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const control::Retained retained, retained_properties(input));
  const std::string name = input.at("EndpointName"), config = input.at("EndpointConfigName");
  TERRAPIN_AWS_TRY(const control::Endpoint before, find_endpoint(context, name));
  TERRAPIN_AWS_TRY_STATUS(check_not_failed(context, before));
  TERRAPIN_AWS_TRY_STATUS(find_config(context, config));
  TERRAPIN_AWS_TRY_STATUS(changed(context, context.control.endpoints().update(name, config, retained), name));
  return endpoint_arn_answer(context, name);
}

AwsResult<json> update_endpoint_weights_and_capacities(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const auto changes, variant_changes(input));
  const std::string name = input.at("EndpointName");
  TERRAPIN_AWS_TRY(const control::Endpoint before, find_endpoint(context, name));
  TERRAPIN_AWS_TRY_STATUS(check_not_failed(context, before));
  TERRAPIN_AWS_TRY_STATUS(changed(context, context.control.endpoints().update_variants(name, changes), name));
  return endpoint_arn_answer(context, name);
}

AwsResult<json> delete_endpoint(const OperationContext& context, const json& input) {
  const std::string name = input.at("EndpointName");
  TERRAPIN_AWS_TRY_STATUS(find_endpoint(context, name));
  const Status removed = context.control.endpoints().remove(name);
  if (!removed) {
    TERRAPIN_AWS_TRY_STATUS(changed(context, Result<int>(tl::unexpected<Error>(removed.error())), name));
  }
  return json();
}

}  // namespace terrapin::api
