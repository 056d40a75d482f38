#include "control/invocations.h"

#include <nlohmann/json.hpp>

#include "crypto/secrets.h"

namespace terrapin::control {
namespace {

using Kind = InvocationFailure::Kind;

constexpr std::string_view kCustomAttributes =
    "x-amzn-sagemaker-custom-attributes";  // of the hosting contract
constexpr std::size_t kMaxMessage = 2000;

// {"message": "..."} as `terrapin host` tells it, else the first of what it says.
std::string message_of(const InstanceAnswer& answer) {
  const std::string text(reinterpret_cast<const char*>(answer.body.data()),
                         std::min(answer.body.size(), kMaxMessage));
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_object())
    if (const auto message = document.find("message"); message != document.end() && message->is_string())
      return message->get<std::string>();
  return text;
}

}  // namespace

Invocations::Invocations(RouteTable& routes, EndpointCapture& capture, const Clock& clock,
                         std::function<bool()> ready, std::function<void()> unreachable)
    : routes_(routes),
      capture_(capture),
      clock_(clock),
      ready_(std::move(ready)),
      unreachable_(std::move(unreachable)) {}

std::optional<InvocationFailure> Invocations::not_ready(const std::string& endpoint) {
  if (ready_()) return std::nullopt;
  InvocationFailure failure;
  failure.endpoint = endpoint;
  failure.message = "the service has just started";
  return failure;
}

tl::expected<std::shared_ptr<const EndpointRoute>, InvocationFailure> Invocations::route(
    const std::string& endpoint) {
  if (auto early = not_ready(endpoint)) return tl::unexpected(std::move(*early));
  auto found = routes_.find(endpoint);
  if (found) return found;
  InvocationFailure failure;
  failure.kind = Kind::kNoEndpoint;
  failure.endpoint = endpoint;
  return tl::unexpected(std::move(failure));
}

tl::expected<InvocationAnswer, InvocationFailure> Invocations::invoke(const Invocation& invocation) {
  const auto deadline = std::chrono::steady_clock::now() + invocation.time;
  if (auto early = not_ready(invocation.endpoint)) return tl::unexpected(std::move(*early));
  InvocationFailure failure;
  failure.endpoint = invocation.endpoint;

  InstanceRequest request;
  request.method = "POST";
  request.path = "/invocations";
  if (!invocation.content_type.empty()) request.fields.emplace_back("Content-Type", invocation.content_type);
  if (!invocation.accept.empty()) request.fields.emplace_back("Accept", invocation.accept);
  if (!invocation.custom_attributes.empty())
    request.fields.emplace_back(kCustomAttributes, invocation.custom_attributes);
  request.body = invocation.body;
  request.source = invocation.source;

  failure.message = "none of its model servers is healthy";
  std::vector<std::string> tried;
  for (;;) {
    const auto taken = routes_.take(invocation.endpoint, invocation.variant, tried);
    if (!taken) {
      if (taken.error() == NoRoute::kNoneReady) return tl::unexpected(failure);
      failure.kind = taken.error() == NoRoute::kNoEndpoint ? Kind::kNoEndpoint : Kind::kNoVariant;
      return tl::unexpected(failure);
    }
    ServedInstance& instance = *taken->instance;
    failure.endpoint = taken->endpoint->name;
    failure.variant = instance.variant;
    failure.instance = instance.id;
    auto answer = instance.client.ask(request, deadline, invocation.abandoned);
    if (!answer) {
      failure.message = answer.error().message;
      switch (answer.error().kind) {
        case InstanceFault::Kind::kUnreachable:
          // Nothing of an answer went on to the caller: another server may give the whole of it.
          instance.healthy = false;
          failure.went_away = true;
          unreachable_();
          tried.push_back(instance.id);
          continue;
        case InstanceFault::Kind::kLocal:  // the same with every server, and none of their faults
          break;
        case InstanceFault::Kind::kTimeout:
          failure.kind = Kind::kTimeout;
          break;
        case InstanceFault::Kind::kAbandoned:
          failure.kind = Kind::kAbandoned;
          break;
        case InstanceFault::Kind::kTooLarge:
          failure.kind = Kind::kTooLarge;
          break;
        case InstanceFault::Kind::kBody:
          failure.kind = Kind::kBody;
          break;
      }
      return tl::unexpected(failure);
    }
    if (answer->status == 503) {  // too busy, or about to end: others may not be
      failure.message = message_of(*answer);
      tried.push_back(instance.id);
      continue;
    }
    if (answer->status < 200 || answer->status > 299) {
      failure.kind = Kind::kModel;
      failure.status = answer->status;
      failure.message = message_of(*answer);
      return tl::unexpected(failure);
    }
    ++instance.answered;
    InvocationAnswer result;
    result.endpoint = taken->endpoint->name;
    result.variant = instance.variant;
    result.instance = instance.id;
    result.status = answer->status;
    result.content_type = answer->field("content-type");
    result.custom_attributes = answer->field(kCustomAttributes);
    result.body = std::move(answer->body);
    capture(*taken->endpoint, invocation, result);
    return result;
  }
}

void Invocations::capture(const EndpointRoute& endpoint, const Invocation& invocation,
                          const InvocationAnswer& answer) {
  if (!endpoint.capture || !endpoint.capture->enabled || !routes_.is_chosen(endpoint.capture->percent))
    return;
  CapturedInvocation captured;
  captured.endpoint = endpoint.name;
  captured.variant = answer.variant;
  captured.event_id = crypto::random_uuid();
  captured.custom_attributes = invocation.custom_attributes;
  captured.inference_id = invocation.inference_id;
  captured.time = clock_.now();
  captured.input_type = invocation.content_type;
  captured.output_type = answer.content_type;
  captured.output = answer.body;
  captured.input = invocation.body;
  Bytes read;
  if (invocation.source && endpoint.capture->wants("Input")) {
    auto all = read_all(*invocation.source, kMaxInvocationBytes);
    if (!all) return;
    read = std::move(*all);
    captured.input = read;
  }
  capture_.add(*endpoint.capture, captured);
}

}  // namespace terrapin::control
