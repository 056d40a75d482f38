#include "api/sagemaker/runtime_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/errors.h"
#include "api/sagemaker/model_validation.h"
#include "base/json_text.h"
#include "base/percent.h"

namespace terrapin::api {
namespace {

constexpr std::string_view kStart = "/endpoints/";
constexpr std::string_view kEnd = "/invocations";
constexpr const char* kNamePattern = "satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*";
constexpr std::size_t kMaxName = 63, kMaxAttributes = 1024, kMaxInferenceId = 64;

http::Response refused(const Exchange& exchange, int status, const char* code, std::string message) {
  return rest_json_error({status, code, std::move(message), {}}, exchange.request_id);
}
http::Response invalid_value(const Exchange& exchange, std::string_view value, std::string_view member,
                             std::string_view constraint) {
  return refused(exchange, 400, "ValidationError", constraint_error(value, member, constraint).message);
}

bool is_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !name.empty() && plain(name.front()) && plain(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
}

std::string header(const Exchange& exchange, std::string_view name) {
  return std::string(exchange.request.headers.find(name).value_or(std::string_view()));
}

// Members that ask for what is not here.
struct Unserved {
  const char *field, *member, *instead;
};
constexpr Unserved kUnserved[] = {
    {"X-Amzn-SageMaker-Target-Model", "TargetModel",
     "an endpoint serves one model a variant; name a variant"},
    {"X-Amzn-SageMaker-Target-Container-Hostname", "TargetContainerHostname", "a model has one container"},
    {"X-Amzn-SageMaker-Inference-Component", "InferenceComponentName", "name a variant with TargetVariant"},
    {"X-Amzn-SageMaker-Enable-Explanations", "EnableExplanations", "there is no explainer here"},
    {"X-Amzn-SageMaker-Session-Id", "SessionId", "requests know nothing of each other"},
};

}  // namespace

http::Response RuntimeService::handle(const Exchange& exchange) {
  const std::string_view path = exchange.request.path;
  if (exchange.request.method != "POST" || !path.starts_with(kStart) || !path.ends_with(kEnd) ||
      path.size() <= kStart.size() + kEnd.size())
    return refused(exchange, 404, "UnknownOperationException",
                   "Served is POST /endpoints/<name>/invocations (InvokeEndpoint).");
  if (!exchange.caller)
    return refused(exchange, 403, "MissingAuthenticationTokenException", "The request carries no signature.");
  const auto name = percent_decode(path.substr(kStart.size(), path.size() - kStart.size() - kEnd.size()));
  if (!name) return refused(exchange, 400, "ValidationError", name.error().message);
  if (name->size() > kMaxName)
    return invalid_value(exchange, *name, "endpointName",
                         fmt::format("have length less than or equal to {}", kMaxName));
  if (!is_name(*name)) return invalid_value(exchange, *name, "endpointName", kNamePattern);
  return invoke(exchange, *name);
}

http::Response RuntimeService::invoke(const Exchange& exchange, const std::string& endpoint) {
  for (const Unserved& one : kUnserved)
    if (exchange.request.headers.find(one.field))
      return refused(exchange, 400, "ValidationError",
                     fmt::format("{} is not served: {}.", one.member, one.instead));
  control::Invocation invocation;
  invocation.endpoint = endpoint;
  invocation.variant = header(exchange, "X-Amzn-SageMaker-Target-Variant");
  invocation.content_type = header(exchange, "Content-Type");
  invocation.accept = header(exchange, "Accept");
  invocation.custom_attributes = header(exchange, "X-Amzn-SageMaker-Custom-Attributes");
  invocation.inference_id = header(exchange, "X-Amzn-SageMaker-Inference-Id");
  if (invocation.custom_attributes.size() > kMaxAttributes)
    return invalid_value(exchange, invocation.custom_attributes, "customAttributes",
                         fmt::format("have length less than or equal to {}", kMaxAttributes));
  if (invocation.inference_id.size() > kMaxInferenceId)
    return invalid_value(exchange, invocation.inference_id, "inferenceId",
                         fmt::format("have length less than or equal to {}", kMaxInferenceId));
  if (exchange.request.spooled) {
    invocation.source = exchange.request.spooled.get();
  } else {
    invocation.body = exchange.request.body;
  }
  invocation.abandoned = exchange.request.client_gone.get();
  auto answer = control_.invocations().invoke(invocation);
  if (!answer) return told(exchange, answer.error());
  http::Response response =
      http::Response::bytes(answer->status, std::move(answer->content_type), std::move(answer->body));
  response.headers.set("x-Amzn-Invoked-Production-Variant", answer->variant);
  if (!answer->custom_attributes.empty())
    response.headers.set("X-Amzn-SageMaker-Custom-Attributes", answer->custom_attributes);
  return response;
}

http::Response RuntimeService::told(const Exchange& exchange,
                                    const control::InvocationFailure& failure) const {
  using Kind = control::InvocationFailure::Kind;
  switch (failure.kind) {
    case Kind::kNoEndpoint:
      return refused(
          exchange, 400, "ValidationError",
          fmt::format("Endpoint {} of account {} not found.", failure.endpoint, place_.account_id));
    case Kind::kNoVariant:
      return refused(exchange, 400, "ValidationError",
                     fmt::format("Endpoint {} of account {} has no production variant {}.", failure.endpoint,
                                 place_.account_id, header(exchange, "X-Amzn-SageMaker-Target-Variant")));
    case Kind::kModel:
      return model_error(exchange, failure, failure.status, failure.message);
    case Kind::kTimeout:
      return model_error(exchange, failure, 0,
                         "Your invocation timed out while waiting for a response from container primary. "
                         "Review the logs of the endpoint, resolve the issue, and try again.");
    case Kind::kTooLarge:
      return model_error(exchange, failure, 0, failure.message);
    case Kind::kBody:
      return rest_json_error(
          internal_failure(Protocol::kRestJson, {ErrorCode::kIo, failure.message}, exchange.request_id),
          exchange.request_id);
    case Kind::kNotReady:
    case Kind::kAbandoned:
      break;
  }
  http::Response response = refused(
      exchange, 503, "ServiceUnavailable",
      fmt::format("Endpoint {} cannot answer now: {}. Try again.", failure.endpoint, failure.message));
  response.headers.set("Retry-After", "1");
  return response;
}

// In the words of AWS; its members are those of the model's shape.
http::Response RuntimeService::model_error(const Exchange& exchange,
                                           const control::InvocationFailure& failure, int status,
                                           const std::string& said) const {
  const bool clients = status >= 400 && status < 500;
  const std::string group = control::kEndpointLogGroups + failure.endpoint;
  const nlohmann::ordered_json document{
      {"ErrorCode", clients ? "CLIENT_ERROR_FROM_MODEL" : "INTERNAL_FAILURE_FROM_MODEL"},
      {"LogStreamArn",
       fmt::format("arn:aws:logs:{}:{}:log-group:{}", place_.region, place_.account_id, group)},
      {"Message",
       fmt::format("Received {} error ({}) from primary with message \"{}\". See log group {}, stream "
                   "{}/{}, in account {} for more information.",
                   clients ? "client" : "server", status, said, group, failure.variant, failure.instance,
                   place_.account_id)},
      {"OriginalMessage", said},
      {"OriginalStatusCode", status}};
  http::Response response = http::Response::json(424, json_text(document));
  response.headers.set("x-amzn-ErrorType", "ModelError");
  set_request_id(Protocol::kRestJson, response, exchange.request_id);
  return response;
}

}  // namespace terrapin::api
