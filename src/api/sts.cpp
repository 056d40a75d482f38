#include "api/sts.h"

#include "api/errors.h"
#include "base/markup.h"
#include "http/target.h"

namespace terrapin::api {
namespace {

constexpr std::string_view kVersion = "2011-06-15";
constexpr std::int64_t kMaxFormBytes = 64 << 10;

}  // namespace

std::string caller_arn(const Place& place, const identity::AccessKey& caller) {
  return fmt::format("arn:aws:iam::{}:user/{}", place.account_id, caller.owner);
}

http::Response answer_sts(const Exchange& exchange, const Place& place) {
  const auto refuse = [&](int status, std::string code, std::string message) {
    return query_error({status, std::move(code), std::move(message), {}}, exchange.request_id);
  };
  http::Query members = exchange.request.query;
  const auto form = read_all_text(*exchange.body, kMaxFormBytes);
  if (!form) return refuse(413, "RequestEntityTooLarge", form.error().message);
  const auto fields = http::parse_query(*form);
  if (!fields) return refuse(400, "MalformedQueryString", fields.error().message);
  members.insert(members.end(), fields->begin(), fields->end());
  std::string action, version;
  for (const auto& [name, value] : members) {
    if (name == "Action") action = value;
    if (name == "Version") version = value;
  }
  if (action.empty()) return refuse(400, "MissingAction", "The request must contain the parameter Action.");
  if (action != "GetCallerIdentity" || version != kVersion)
    return refuse(
        400, "InvalidAction",
        fmt::format("Could not find operation {} for version {}; served is GetCallerIdentity for version {}",
                    action, version.empty() ? "NO_VERSION_SPECIFIED" : version, kVersion));
  if (!exchange.caller) return refuse(403, "MissingAuthenticationToken", "Missing Authentication Token");
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
