#include "api/sts.h"

#include "api/errors.h"
#include "api/query_call.h"
#include "base/markup.h"

namespace terrapin::api {
namespace {

constexpr std::string_view kVersion = "2011-06-15";

}  // namespace

std::string caller_arn(const Place& place, const identity::AccessKey& caller) {
  return fmt::format("arn:aws:iam::{}:user/{}", place.account_id, caller.owner);
}

http::Response answer_sts(const Exchange& exchange, const Place& place) {
  const auto refuse = [&](const AwsError& error) { return query_error(error, exchange.request_id); };
  const auto call = read_query_call(exchange);
  if (!call) return refuse(call.error());
  if (call->action != "GetCallerIdentity" || call->version != kVersion)
    return refuse(invalid_action(*call, fmt::format("GetCallerIdentity for version {}", kVersion)));
  if (!exchange.caller) {
    return refuse({403, "MissingAuthenticationToken", "Missing Authentication Token", {}});
  }
  auto response = http::Response::text(
      200, "text/xml",
      fmt::format("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
                  "<GetCallerIdentityResult><Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>"
                  "</GetCallerIdentityResult><ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>"
                  "</GetCallerIdentityResponse>",
                  markup_text(caller_arn(place, *exchange.caller)), markup_text(exchange.caller->owner),
                  markup_text(place.account_id), exchange.request_id));
  set_request_id(Protocol::kQuery, response, exchange.request_id);
  return response;
}

}  // namespace terrapin::api
