// CloudWatch Logs, as far as one reads it: POST /, X-Amz-Target: Logs_20140328.<Operation>, JSON 1.1. What is
// served: docs/formats/logs-api.md.
#pragma once

#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "control/control_plane.h"

namespace terrapin::api {

// Thread-safe. The control plane outlives it.
class LogsService {
 public:
  LogsService(control::ControlPlane& control, Place place) : control_(control), place_(std::move(place)) {}

  // Answers every request whose signature names this service; failures are answers too.
  http::Response handle(const Exchange& exchange);

  static std::vector<std::string_view> operations();  // those that are served, ascending

 private:
  AwsResult<std::string> answer(const Exchange& exchange);

  control::ControlPlane& control_;
  const Place place_;
};

}  // namespace terrapin::api
