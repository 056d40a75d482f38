#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/endpoint_codec.h"
#include "api/sagemaker/operations/operations.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

std::string model_arn(const OperationContext& context, const std::string& name) {
  return control_arn(context.place, control::kModelKind, name);
}
std::string model_named(const OperationContext& context, const std::string& name) {
  return fmt::format("model \"{}\"", model_arn(context, name));
}

}  // namespace

AwsResult<json> create_model(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const control::ModelSpec spec, model_spec(input));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, spec.container.data));
  const auto made = context.control.models().create(spec, context.caller.owner, {tags.begin(), tags.end()});
  if (!made && made.error().code == ErrorCode::kAlreadyExists)
    return invalid("Cannot create already existing {}.", model_named(context, spec.name));
  TERRAPIN_AWS_TRY_STATUS(told(context, made));
  return json{{"ModelArn", model_arn(context, spec.name)}};
}

AwsResult<json> describe_model(const OperationContext& context, const json& input) {
  const std::string name = input.at("ModelName");
  TERRAPIN_AWS_TRY(const control::Model model, told(context, context.control.models().find(name),
                                                    "ValidationException", model_named(context, name)));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, model.spec.container.data));
  return model_description(model, context.place);
}

AwsResult<json> list_models(const OperationContext& context, const json& input) {
  return list_resources(context, input, control::kModelKind, "Models", [&](const control::Resource& row) {
    return json{{"ModelName", row.name},
                {"ModelArn", model_arn(context, row.name)},
                {"CreationTime", epoch_seconds(row.created)}};
  });
}

AwsResult<json> delete_model(const OperationContext& context, const json& input) {
  const std::string name = input.at("ModelName");
  TERRAPIN_AWS_TRY(const control::Model model, told(context, context.control.models().find(name),
                                                    "ValidationException", model_named(context, name)));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, model.spec.container.data));
  TERRAPIN_AWS_TRY_STATUS(told(context, context.control.models().remove(name), "ValidationException",
                               model_named(context, name)));
  return json();
}

}  // namespace terrapin::api
