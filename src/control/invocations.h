// A request to an endpoint: a variant, a server, its answer; tried again where a server went away.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/byte_source.h"
#include "base/clock.h"
#include "base/result.h"
#include "control/endpoint_capture.h"
#include "control/endpoint_routes.h"

namespace terrapin::control {

inline constexpr std::int64_t kMaxInvocationBytes = 64 << 20;  // what `terrapin host` takes
inline constexpr auto kInvocationTime = std::chrono::seconds(60);

struct Invocation {
  std::string endpoint;
  std::string variant;  // "" for any, by weight
  std::string content_type, accept, custom_attributes, inference_id;
  // One of the two.
  std::span<const std::uint8_t> body;
  const ByteSource* source = nullptr;
  const std::atomic<bool>* abandoned = nullptr;
  std::chrono::milliseconds time = kInvocationTime;
};

struct InvocationAnswer {
  std::string endpoint, variant, instance;  // who answered
  int status = 0;                           // 2xx
  std::string content_type, custom_attributes;
  Bytes body;
};

struct InvocationFailure {
  enum class Kind {
    kNoEndpoint,
    kNoVariant,
    kNotReady,  // no server is healthy, or all are too busy
    kModel,     // the server's answer is an error: `status` and `message` are its own
    kTimeout,
    kAbandoned,  // the caller has gone
    kTooLarge,   // the answer
    kBody,       // the body cannot be read
  };
  Kind kind = Kind::kNotReady;
  std::string message;
  int status = 0;
  bool went_away = false;                   // kNotReady: a server that was asked is no more
  std::string endpoint, variant, instance;  // who was asked last
};

// Thread-safe.
class Invocations {
 public:
  // `ready`: waits, if it must, until routes are what they should be; false: they are not.
  // `unreachable`: told that a server was not there, so that it is looked at.
  Invocations(RouteTable& routes, EndpointCapture& capture, const Clock& clock, std::function<bool()> ready,
              std::function<void()> unreachable);

  // What serves under that name. kNoEndpoint, kNotReady.
  tl::expected<std::shared_ptr<const EndpointRoute>, InvocationFailure> route(const std::string& endpoint);
  tl::expected<InvocationAnswer, InvocationFailure> invoke(const Invocation& invocation);

 private:
  // Not before routes are what they should be.
  std::optional<InvocationFailure> not_ready(const std::string& endpoint);
  void capture(const EndpointRoute& endpoint, const Invocation& invocation, const InvocationAnswer& answer);

  RouteTable& routes_;
  EndpointCapture& capture_;
  const Clock& clock_;
  const std::function<bool()> ready_;
  const std::function<void()> unreachable_;
};

}  // namespace terrapin::control
