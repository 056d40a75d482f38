// The output of endpoints' model servers as log streams: a group for each endpoint.
#pragma once

#include <memory>

#include "control/endpoints.h"
#include "control/log_source.h"
#include "control/resources.h"
#include "jobs/runner.h"

namespace terrapin::control {

inline constexpr const char* kEndpointLogGroups = "/aws/sagemaker/Endpoints/";  // and the endpoint's name

// Streams are called <variant>/<instance id>. Those of servers that have ended stay while their endpoint
// does, the last EndpointRules::kept_past of them. Everything given outlives the source.
std::unique_ptr<LogSource> make_endpoint_logs(Resources& resources, Endpoints& endpoints,
                                              jobs::Runner& runner);

}  // namespace terrapin::control
