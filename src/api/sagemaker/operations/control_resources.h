// What the operations of training jobs, models, endpoints and the like share: names of their resources.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/exchange.h"

namespace terrapin::api {

// "arn:aws:sagemaker:<region>:<account>:training-job/<name in lower case>". `kind`: of control::Resource.
std::string control_arn(const Place& place, std::string_view kind, std::string_view name);

// The kind and the name (in lower case) of an ARN of this place; nullopt for any other text.
std::optional<std::pair<std::string, std::string>> parse_control_arn(const Place& place,
                                                                     std::string_view arn);

}  // namespace terrapin::api
