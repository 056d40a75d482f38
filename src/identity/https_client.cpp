#include "identity/https_client.h"

#include <curl/curl.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/public_address.h"
#include "base/text.h"

namespace terrapin::identity {
namespace {

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
  return address_kind(address) != AddressKind::kPublic;
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
