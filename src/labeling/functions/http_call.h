// One POST to an address that a person registered. libcurl shows in http_call.cpp alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "labeling/functions/attempt.h"
#include "labeling/functions/stop_signal.h"

namespace terrapin::labeling {

// kInvalidArgument naming what is wrong with a URL that may not be registered: another scheme than http and
// https, a user name, a fragment, over 2048 bytes, or a host that is plainly an address which functions and
// webhooks may not be at.
Status check_url(const std::string& url, bool allow_private);

// "example.org:8443": for messages, since paths and queries may hold secrets.
std::string place_of_url(const std::string& url);

// What calls share beyond the registration; the defaults are for production.
struct HttpSettings {
  std::filesystem::path ca_file;     // "": the system's
  std::vector<std::string> resolve;  // "HOST:PORT:ADDRESS" instead of asking a name server
};

struct HttpCall {
  std::string url;
  std::string body;                                          // sent as application/json
  std::vector<std::pair<std::string, std::string>> headers;  // beyond the usual ones
  bool allow_private = false;
  std::chrono::milliseconds timeout = std::chrono::seconds(60);  // from name look-up to the last byte
  std::int64_t max_answer_bytes = 16 << 20;
  bool keep_answer = true;  // false: any 2xx is a success, its body is thrown away
};

// The answer's body if its status is 2xx. Redirects are not followed, proxies not used, certificates always
// verified. The address is judged when it is connected to, so a name that leads elsewhere the second time
// gains nothing. Time-outs, connections that fail and 5xx may pass; other statuses, forbidden addresses
// (kDenied), wrong certificates and answers over the limit (kTooLarge) are final. kCancelled once `stop` is
// set.
Attempt post_json(const HttpCall& call, const HttpSettings& settings, const StopSignal& stop);

}  // namespace terrapin::labeling
