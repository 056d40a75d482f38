// What clients ask of IAM before they start a job: the ARN of a role.
#pragma once

#include "api/exchange.h"
#include "http/message.h"

namespace terrapin::api {

// Query protocol, by form or query. GetRole answers for every name that a role can have: roles give no rights
// here, they are only named. Other operations of IAM are refused as to a caller without rights, anything else
// as no operation.
http::Response answer_iam(const Exchange& exchange, const Place& place);

}  // namespace terrapin::api
