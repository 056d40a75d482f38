// The one request that the proxy reads: CONNECT host:port.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace terrapin::proxy {

struct ConnectAnswer {
  int status = 200;  // 200: go on with `host`; 403: not this host; 400: not a request
  std::string host;  // lower case; only with 200
  std::string text;  // for a person; names what was asked for
};

// `head`: all bytes up to and with the empty line. Only port 443 of a host that `allows` passes; literal
// addresses, other methods and whatever is not strictly HTTP/1.x do not. What the head says beside its first
// line counts for nothing.
ConnectAnswer judge_connect(std::string_view head, const std::function<bool(const std::string& host)>& allows,
                            const std::string& allowed_words);

}  // namespace terrapin::proxy
