// Request targets (RFC 9112, 3.2; RFC 3986): path and query.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace terrapin::http {

// "a=1&b=x+y&c" -> {a,1} {b,"x y"} {c,""}; empty parts are skipped.
Result<Query> parse_query(std::string_view text);

struct Target {
  std::string path;  // still percent-encoded, starts with '/'
  Query query;
};
// Origin form "/path?query" and absolute form "http://host/path?query"; a fragment is refused.
Result<Target> parse_target(std::string_view target);

}  // namespace terrapin::http
