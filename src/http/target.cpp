#include "http/target.h"

#include <algorithm>

#include "base/percent.h"

namespace terrapin::http {
Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view part = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    TERRAPIN_TRY(std::string name, percent_decode(part.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      TERRAPIN_TRY(value, percent_decode(part.substr(equals + 1), true));
    }
    query.emplace_back(std::move(name), std::move(value));
  }
  return query;
}

Result<Target> parse_target(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    if (target.empty()) target = "/";
    break;
  }
  const std::size_t question = target.find('?');
  // "http://host?x" has an empty path, which means "/".
  const std::string path(question == 0 ? std::string_view("/") : target.substr(0, question));
  if (path.empty() || path.front() != '/') {
    return fail(ErrorCode::kInvalidArgument, "the request target must be a path that starts with '/'");
  }
  if (target.find('#') != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, "the request target must not hold a fragment ('#')");
  }
  Target result;
  result.path = path;
  if (question != std::string_view::npos) {
    TERRAPIN_TRY(result.query, parse_query(target.substr(question + 1)));
  }
  return result;
}

}  // namespace terrapin::http
