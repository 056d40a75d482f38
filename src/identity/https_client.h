// Small requests to an identity provider. libcurl shows in https_client.cpp alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

struct sockaddr;

namespace terrapin::identity {

// True for what only this machine or its own network can reach: loopback, private, link-local, shared, test,
// multicast and reserved ranges, also written as IPv4 inside IPv6; and for whatever is no IP address.
bool is_private_address(const sockaddr& address);

// "https://login.example.org:8443/a" -> "login.example.org"; "" if it is no URL.
std::string host_of_url(const std::string& url);

struct HttpsPolicy {
  // Hosts that a person configured. They may be private, and http:// where they are the loopback host itself.
  std::vector<std::string> configured_hosts;
  std::filesystem::path ca_file;  // "": the system's
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
  std::int64_t max_answer_bytes = 512 << 10;
};

struct HttpsRequest {
  std::string url;
  std::string form;  // not empty: POST as application/x-www-form-urlencoded
  std::vector<std::pair<std::string, std::string>> headers;
};
struct HttpsAnswer {
  int status = 0;
  std::string body;
};

// Redirects are not followed. kInvalidArgument: a URL that the policy does not allow; kDenied: a host that is
// private and not configured; kTooLarge; kIo: the host cannot be reached, its certificate is wrong, or it
// takes too long. Messages name the host only: paths and bodies may hold secrets.
Result<HttpsAnswer> fetch_https(const HttpsRequest& request, const HttpsPolicy& policy);

}  // namespace terrapin::identity
