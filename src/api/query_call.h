// A call of the Query protocol: what STS and IAM share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/exchange.h"
#include "http/message.h"

namespace terrapin::api {

struct QueryCall {
  std::string action, version;
  http::Query members;  // of the query, then those of the form

  // The last value of that name.
  std::optional<std::string> find(std::string_view name) const;
};

// RequestEntityTooLarge, MalformedQueryString, MissingAction.
AwsResult<QueryCall> read_query_call(const Exchange& exchange);

// "Could not find operation ...": `served` says what there is.
AwsError invalid_action(const QueryCall& call, std::string_view served);

}  // namespace terrapin::api
