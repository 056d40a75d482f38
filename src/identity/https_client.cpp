#include "identity/https_client.h"

#include <curl/curl.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace terrapin::identity {
namespace {

struct Range {
  std::uint32_t network;
  int bits;
};
// IANA's special-purpose addresses that are not globally reachable, and multicast.
constexpr Range kPrivateV4[] = {
    {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
    {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0a80000, 16}, {0xc6120000, 15},
    {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3},
};

bool is_private_v4(std::uint32_t address) {
  return std::any_of(std::begin(kPrivateV4), std::end(kPrivateV4),
                     [&](const Range& range) { return (address ^ range.network) >> (32 - range.bits) == 0; });
}

std::uint32_t v4_at(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

bool is_private_v6(const std::uint8_t* bytes) {
  const auto starts_with = [&](std::initializer_list<std::uint8_t> prefix) {
    return std::equal(prefix.begin(), prefix.end(), bytes);
  };
  if (starts_with({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return is_private_v4(v4_at(bytes + 12));
  if (starts_with({0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return is_private_v4(v4_at(bytes + 12));
  if (starts_with({0x20, 0x02})) return is_private_v4(v4_at(bytes + 2));
  if (starts_with({0x20, 0x01, 0x0d, 0xb8}) || starts_with({0x20, 0x01, 0, 0})) return true;
  return (bytes[0] & 0xe0) != 0x20;  // only 2000::/3 is global unicast
}

struct UrlParts {
  std::string scheme, host;
};

std::string take(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

UrlParts split_url(const std::string& text) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {};
  if (!take(url.get(), CURLUPART_USER).empty()) return {};
  return {lower_case(take(url.get(), CURLUPART_SCHEME)), lower_case(take(url.get(), CURLUPART_HOST))};
}

struct Exchange {
  std::string body;
  std::int64_t limit = 0;
  bool too_large = false, private_allowed = false, refused_private = false;
};

std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const std::size_t bytes = size * count;
  if (static_cast<std::int64_t>(exchange.body.size() + bytes) > exchange.limit) {
    exchange.too_large = true;
    return 0;
  }
  exchange.body.append(data, bytes);
  return bytes;
}

// The address that is connected to is the one that is judged: names that change between look and use gain
// nothing.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  if (!exchange.private_allowed && is_private_address(address->addr)) {
    exchange.refused_private = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

bool is_loopback_host(const std::string& host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

}  // namespace

bool is_private_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return is_private_v4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    return is_private_v6(v6.sin6_addr.s6_addr);
  }
  return true;
}

std::string host_of_url(const std::string& url) {
  return split_url(url).host;
}

Result<HttpsAnswer> fetch_https(const HttpsRequest& request, const HttpsPolicy& policy) {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  const UrlParts parts = split_url(request.url);
  const bool configured = std::find(policy.configured_hosts.begin(), policy.configured_hosts.end(),
                                    parts.host) != policy.configured_hosts.end();
  const bool plain = parts.scheme == "http" && configured && is_loopback_host(parts.host);
  if (parts.host.empty() || (parts.scheme != "https" && !plain)) {
    return fail(ErrorCode::kInvalidArgument,
                "an identity provider's address on host '{}' is not allowed: it must begin with https://",
                parts.host);
  }
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!ready || !curl) return fail(ErrorCode::kInternal, "libcurl cannot start");
  Exchange exchange;
  exchange.limit = policy.max_answer_bytes;
  exchange.private_allowed = configured;
  curl_slist* fields = nullptr;
  for (const auto& [name, value] : request.headers)
    fields = curl_slist_append(fields, (name + ": " + value).c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> fields_owner(fields, curl_slist_free_all);

  char problem[CURL_ERROR_SIZE] = {};
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(policy.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!policy.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, policy.ca_file.c_str());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, fields);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &exchange);
  if (!request.form.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.form.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.form.size()));
  }
  const CURLcode code = curl_easy_perform(handle);
  if (exchange.too_large) {
    return fail(ErrorCode::kTooLarge, "{} answered more than {} bytes", parts.host, policy.max_answer_bytes);
  }
  if (code != CURLE_OK && exchange.refused_private) {
    return fail(ErrorCode::kDenied,
                "{} is an address of a private network: only the configured provider may be there",
                parts.host);
  }
  if (code != CURLE_OK) {
    return fail(ErrorCode::kIo, "{} cannot be asked: {}", parts.host,
                problem[0] != '\0' ? problem : curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return HttpsAnswer{static_cast<int>(status), std::move(exchange.body)};
}

}  // namespace terrapin::identity
