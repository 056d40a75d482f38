// The one operation of STS that clients ask of a service they log on to: who am I.
#pragma once

#include "api/exchange.h"
#include "http/message.h"

namespace terrapin::api {

// "arn:aws:iam::<account>:user/<owner>"
std::string caller_arn(const Place& place, const identity::AccessKey& caller);

// Query protocol, by form or query. GetCallerIdentity; anything else is InvalidAction.
http::Response answer_sts(const Exchange& exchange, const Place& place);

}  // namespace terrapin::api
