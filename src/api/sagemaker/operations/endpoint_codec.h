// Models, endpoint configurations and endpoints: SageMaker's JSON <-> control's plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "control/endpoints.h"

namespace terrapin::api {

// What a request that the model has accepted asks for. ValidationException for members that are not served,
// by name and with what to use instead, and for values that do not fit together.
AwsResult<control::ModelSpec> model_spec(const nlohmann::json& input);
AwsResult<control::EndpointConfigSpec> endpoint_config_spec(const nlohmann::json& input);
// Of CreateEndpoint and UpdateEndpoint: how servers are exchanged.
AwsResult<void> check_deployment(const nlohmann::json& input);
AwsResult<control::Retained> retained_properties(const nlohmann::json& input);
AwsResult<std::vector<control::VariantChange>> variant_changes(const nlohmann::json& input);

nlohmann::json model_description(const control::Model& model, const Place& place);
nlohmann::json endpoint_config_description(const control::EndpointConfig& config, const Place& place);
nlohmann::json endpoint_description(const control::Endpoint& endpoint, const Place& place);

}  // namespace terrapin::api
