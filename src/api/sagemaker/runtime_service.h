// SageMaker's runtime: POST /endpoints/<name>/invocations and /async-invocations, REST with JSON.
// docs/formats/endpoints.md is the page for clients.
#pragma once

#include "api/exchange.h"
#include "control/control_plane.h"

namespace terrapin::api {

// Thread-safe. Everything given outlives the service.
class RuntimeService {
 public:
  RuntimeService(control::ControlPlane& control, Place place) : control_(control), place_(std::move(place)) {}

  // Answers every request whose signature names this service; failures are answers too.
  http::Response handle(const Exchange& exchange);

 private:
  http::Response invoke(const Exchange& exchange, const std::string& endpoint);
  http::Response invoke_async(const Exchange& exchange, const std::string& endpoint);
  http::Response told(const Exchange& exchange, const control::InvocationFailure& failure) const;
  http::Response model_error(const Exchange& exchange, const control::InvocationFailure& failure, int status,
                             const std::string& said) const;

  control::ControlPlane& control_;
  const Place place_;
};

}  // namespace terrapin::api
