#include "api/query_call.h"

#include "http/target.h"

namespace terrapin::api {
namespace {

constexpr std::int64_t kMaxFormBytes = 64 << 10;

}  // namespace

std::optional<std::string> QueryCall::find(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [member, value] : members)
    if (member == name) found = value;
  return found;
}

AwsResult<QueryCall> read_query_call(const Exchange& exchange) {
  QueryCall call;
  call.members = exchange.request.query;
  const auto form = read_all_text(*exchange.body, kMaxFormBytes);
  if (!form) return refuse(413, "RequestEntityTooLarge", form.error().message);
  const auto fields = http::parse_query(*form);
  if (!fields) return refuse(400, "MalformedQueryString", fields.error().message);
  call.members.insert(call.members.end(), fields->begin(), fields->end());
  call.action = call.find("Action").value_or("");
  call.version = call.find("Version").value_or("");
  if (call.action.empty())
    return refuse(400, "MissingAction", "The request must contain the parameter Action.");
  return call;
}

AwsError invalid_action(const QueryCall& call, std::string_view served) {
  return {400,
          "InvalidAction",
          fmt::format("Could not find operation {} for version {}; served is {}", call.action,
                      call.version.empty() ? "NO_VERSION_SPECIFIED" : call.version, served),
          {}};
}

}  // namespace terrapin::api
