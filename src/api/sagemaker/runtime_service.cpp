#include "api/sagemaker/runtime_service.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/errors.h"
#include "api/sagemaker/model_validation.h"
#include "api/sagemaker/operations/answers.h"
#include "base/json_text.h"
#include "base/percent.h"

namespace terrapin::api {
namespace {

constexpr std::string_view kStart = "/endpoints/";
constexpr std::string_view kEnd = "/invocations", kAsyncEnd = "/async-invocations";
constexpr const char* kNamePattern = "satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*";
constexpr std::size_t kMaxName = 63, kMaxAttributes = 1024, kMaxInferenceId = 64, kMaxHeader = 1024;

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
constexpr Unserved kUnservedAsync[] = {
    {"X-Amzn-SageMaker-Filename", "Filename", "answers are named by their own ids"},
    {"X-Amzn-SageMaker-S3OutputPathExtension", "S3OutputPathExtension",
     "answers lie right below the S3OutputPath of the endpoint's configuration"},
};

constexpr const char* kContentType = "X-Amzn-SageMaker-Content-Type";
constexpr const char* kAccept = "X-Amzn-SageMaker-Accept";
constexpr const char* kCustomAttributes = "X-Amzn-SageMaker-Custom-Attributes";
constexpr const char* kInferenceId = "X-Amzn-SageMaker-Inference-Id";
constexpr const char* kInputLocation = "X-Amzn-SageMaker-InputLocation";

// What may stand in a member that is a text.
struct TextMember {
  const char *field, *member;
  std::size_t longest;
};
constexpr TextMember kSharedTexts[] = {{kCustomAttributes, "customAttributes", kMaxAttributes},
                                       {kInferenceId, "inferenceId", kMaxInferenceId}};
constexpr TextMember kAsyncTexts[] = {{kCustomAttributes, "customAttributes", kMaxAttributes},
                                      {kInferenceId, "inferenceId", kMaxInferenceId},
                                      {kContentType, "contentType", kMaxHeader},
                                      {kAccept, "accept", kMaxHeader},
                                      {kInputLocation, "inputLocation", kMaxHeader}};

// Nothing longer is kept or sent on.
std::optional<http::Response> bad_text(const Exchange& exchange, std::span<const TextMember> members) {
  for (const TextMember& one : members) {
    const std::string value = header(exchange, one.field);
    if (value.size() > one.longest)
      return invalid_value(exchange, value, one.member,
                           fmt::format("have length less than or equal to {}", one.longest));
  }
  return std::nullopt;
}
// What is stored must be plain text.
bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

struct SecondsMember {
  const char *field, *member;
  int least, most, otherwise;
};
constexpr SecondsMember kTimeToLive = {"X-Amzn-SageMaker-RequestTTLSeconds", "requestTTLSeconds", 60, 21'600,
                                       21'600};
constexpr SecondsMember kTime = {"X-Amzn-SageMaker-InvocationTimeoutSeconds", "invocationTimeoutSeconds", 1,
                                 3600, 900};

// The answer where it is no number of that range.
tl::expected<std::chrono::seconds, http::Response> seconds_of(const Exchange& exchange,
                                                              const SecondsMember& member) {
  const std::string text = header(exchange, member.field);
  if (text.empty()) return std::chrono::seconds(member.otherwise);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= member.least &&
      value <= member.most)
    return std::chrono::seconds(value);
  return tl::unexpected(
      invalid_value(exchange, text, member.member,
                    fmt::format("be a whole number from {} to {}", member.least, member.most)));
}

}  // namespace

http::Response RuntimeService::handle(const Exchange& exchange) {
  const std::string_view path = exchange.request.path;
  const bool asynchronous = path.ends_with(kAsyncEnd);
  const std::string_view end = asynchronous ? kAsyncEnd : kEnd;
  if (exchange.request.method != "POST" || !path.starts_with(kStart) || !path.ends_with(end) ||
      path.size() <= kStart.size() + end.size())
    return refused(exchange, 404, "UnknownOperationException",
                   "Served are POST /endpoints/<name>/invocations (InvokeEndpoint) and "
                   "/endpoints/<name>/async-invocations (InvokeEndpointAsync).");
  if (!exchange.caller)
    return refused(exchange, 403, "MissingAuthenticationTokenException", "The request carries no signature.");
  const auto name = percent_decode(path.substr(kStart.size(), path.size() - kStart.size() - end.size()));
  if (!name) return refused(exchange, 400, "ValidationError", name.error().message);
  if (name->size() > kMaxName)
    return invalid_value(exchange, *name, "endpointName",
                         fmt::format("have length less than or equal to {}", kMaxName));
  if (!is_name(*name)) return invalid_value(exchange, *name, "endpointName", kNamePattern);
  return asynchronous ? invoke_async(exchange, *name) : invoke(exchange, *name);
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
  invocation.custom_attributes = header(exchange, kCustomAttributes);
  invocation.inference_id = header(exchange, kInferenceId);
  if (const auto bad = bad_text(exchange, kSharedTexts)) return *bad;
  const auto route = control_.invocations().route(endpoint);
  if (!route) return told(exchange, route.error());
  if ((*route)->asynchronous)
    return refused(exchange, 400, "ValidationError",
                   fmt::format("Endpoint {} of account {} is asynchronous (its configuration has an "
                               "AsyncInferenceConfig) and does not serve InvokeEndpoint; call "
                               "InvokeEndpointAsync.",
                               (*route)->name, place_.account_id));
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

http::Response RuntimeService::invoke_async(const Exchange& exchange, const std::string& endpoint) {
  for (const Unserved& one : kUnservedAsync)
    if (exchange.request.headers.find(one.field))
      return refused(exchange, 400, "ValidationError",
                     fmt::format("{} is not served: {}.", one.member, one.instead));
  if (exchange.request.body_bytes() > 0)
    return refused(exchange, 400, "ValidationError",
                   "Body is not served: put the photo into the object store and name it with "
                   "InputLocation.");
  if (const auto bad = bad_text(exchange, kAsyncTexts)) return *bad;
  for (const TextMember& one : kAsyncTexts)
    if (const std::string value = header(exchange, one.field); !is_printable(value))
      return invalid_value(exchange, value, one.member, "be printable ASCII");
  control::AsyncRequest request;
  request.input = header(exchange, kInputLocation);
  const auto input = storage::parse_s3_uri(request.input);
  if (!input || input->key.empty())
    return invalid_value(exchange, request.input, "inputLocation",
                         "name an object of this object store, as s3://BUCKET/KEY");
  request.content_type = header(exchange, kContentType);
  request.accept = header(exchange, kAccept);
  request.custom_attributes = header(exchange, kCustomAttributes);
  request.inference_id = header(exchange, kInferenceId);
  const auto time_to_live = seconds_of(exchange, kTimeToLive), time = seconds_of(exchange, kTime);
  if (!time_to_live) return time_to_live.error();
  if (!time) return time.error();
  request.time_to_live = *time_to_live;
  request.time = *time;

  const auto route = control_.invocations().route(endpoint);
  if (!route) return told(exchange, route.error());
  const auto& asynchronous = (*route)->asynchronous;
  if (!asynchronous)
    return refused(exchange, 400, "ValidationError",
                   fmt::format("Endpoint {} of account {} answers at once (its configuration has no "
                               "AsyncInferenceConfig) and does not serve InvokeEndpointAsync; call "
                               "InvokeEndpoint.",
                               (*route)->name, place_.account_id));
  // The service reads the photo: nobody's may be read who could not read it himself.
  if (const auto allowed = check_bucket(place_, *exchange.caller, "InvokeEndpointAsync", request.input);
      !allowed)
    return rest_json_error(allowed.error(), exchange.request_id);
  const auto ticket = control_.async_invocations().accept(endpoint, *asynchronous, request);
  if (!ticket) {
    control::InvocationFailure failure;
    failure.endpoint = endpoint;
    failure.message = ticket.error().message;
    if (ticket.error().code == ErrorCode::kNotFound) {
      failure.kind = control::InvocationFailure::Kind::kNoEndpoint;
    } else if (ticket.error().code != ErrorCode::kTooLarge) {
      failure.kind = control::InvocationFailure::Kind::kBody;
    }
    return told(exchange, failure);
  }
  http::Response response =
      http::Response::json(202, json_text(nlohmann::json{{"InferenceId", ticket->inference_id}}));
  response.headers.set("X-Amzn-SageMaker-OutputLocation", ticket->output);
  if (!ticket->failure.empty()) response.headers.set("X-Amzn-SageMaker-FailureLocation", ticket->failure);
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
