#include "labeling/functions/http_call.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/public_address.h"
#include "base/text.h"

namespace terrapin::labeling {
namespace {

constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxQuotedBytes = 512;

struct UrlParts {
  std::string scheme, host, port, user, password, fragment;
};

std::string take(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string result(text);
  curl_free(text);
  return result;
}

// All parts empty for what is no URL.
UrlParts split_url(const std::string& text) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return {};
  return {lower_case(take(url.get(), CURLUPART_SCHEME)),
          take(url.get(), CURLUPART_HOST),
          take(url.get(), CURLUPART_PORT),
          take(url.get(), CURLUPART_USER),
          take(url.get(), CURLUPART_PASSWORD),
          take(url.get(), CURLUPART_FRAGMENT)};
}

struct Exchange {
  std::string body;
  std::int64_t limit = 0, received = 0;
  bool keep = true, allow_private = false;
  bool too_large = false;
  bool refused = false;
  AddressKind refused_kind = AddressKind::kPublic;
};

std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const std::size_t bytes = size * count;
  if (!exchange.keep) return bytes;
  exchange.received += static_cast<std::int64_t>(bytes);
  if (exchange.received > exchange.limit) {
    exchange.too_large = true;
    return 0;
  }
  exchange.body.append(data, bytes);
  return bytes;
}

curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  const AddressKind kind = address_kind(address->addr);
  if (kind == AddressKind::kNever || (kind == AddressKind::kPrivate && !exchange.allow_private)) {
    exchange.refused = true;
    exchange.refused_kind = std::max(exchange.refused_kind, kind);
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// OpenSSL writes to sockets without MSG_NOSIGNAL: a peer that hangs up must not end this program.
class SigpipeBlock {
 public:
  SigpipeBlock() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    was_pending_ = ::sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    blocked_ = ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_) == 0;
  }
  ~SigpipeBlock() {
    if (!blocked_) return;
    if (!was_pending_) {
      const timespec none{};
      while (::sigtimedwait(&pipe_, nullptr, &none) < 0 && errno == EINTR) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeBlock(const SigpipeBlock&) = delete;
  SigpipeBlock& operator=(const SigpipeBlock&) = delete;

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false, blocked_ = false;
};

bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

const char* describe(AddressKind kind) {
  return kind == AddressKind::kNever ? "an unspecified, multicast, reserved or cloud metadata address"
                                     : "a loopback, link-local, private or otherwise not public address";
}

// Printable, one line, cut: what a stranger's program answered goes into messages.
std::string one_line(std::string_view body) {
  std::string text;
  for (const char c : body.substr(0, kMaxQuotedBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  return text;
}

}  // namespace

Status check_url(const std::string& url, bool allow_private) {
  if (url.size() > kMaxUrlBytes)
    return fail(ErrorCode::kInvalidArgument, "URL of {} bytes: at most {} are allowed", url.size(),
                kMaxUrlBytes);
  const bool printable =
      std::all_of(url.begin(), url.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  const UrlParts parts = split_url(url);
  // libcurl also takes one slash or three for two.
  const std::string_view scheme = parts.scheme == "https" ? "https://" : "http://";
  const std::string start = lower_case(url.substr(0, scheme.size() + 1));
  if (!printable || parts.host.empty() || !start.starts_with(scheme) || start.ends_with("///"))
    return fail(ErrorCode::kInvalidArgument,
                "URL '{}': allowed are https://host[:port][/path] and http://, in printable ASCII",
                printable ? url : "");
  if (!parts.user.empty() || !parts.password.empty())
    return fail(ErrorCode::kInvalidArgument, "URL on host '{}': a user name or password is not allowed in it",
                parts.host);
  if (!parts.fragment.empty())
    return fail(ErrorCode::kInvalidArgument, "URL '{}': a fragment ('#{}') is not allowed", url,
                parts.fragment);
  const AddressKind kind = literal_host_kind(parts.host);
  if (kind == AddressKind::kNever)
    return fail(ErrorCode::kInvalidArgument, "URL on host '{}': {} is never allowed", parts.host,
                describe(kind));
  if (kind == AddressKind::kPrivate && !allow_private)
    return fail(ErrorCode::kInvalidArgument, "URL on host '{}': {} is allowed only with allow_private",
                parts.host, describe(kind));
  return {};
}

std::string place_of_url(const std::string& url) {
  const UrlParts parts = split_url(url);
  return parts.port.empty() ? parts.host : parts.host + ":" + parts.port;
}

Attempt post_json(const HttpCall& call, const HttpSettings& settings, const StopSignal& stop) {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  const std::string place = place_of_url(call.url);
  if (stop.is_set()) return final_failure(fail(ErrorCode::kCancelled, "{}: shutting down", place));
  if (const Status allowed = check_url(call.url, call.allow_private); !allowed)
    return final_failure(fail(ErrorCode::kDenied, "{}", allowed.error().message));

  const SigpipeBlock no_sigpipe;  // first, for closing a TLS connection writes too
  const std::unique_ptr<CURLM, CURLMcode (*)(CURLM*)> multi(curl_multi_init(), curl_multi_cleanup);
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
  if (!ready || !multi || !easy) return final_failure(fail(ErrorCode::kInternal, "libcurl cannot start"));

  Exchange exchange;
  exchange.limit = call.max_answer_bytes;
  exchange.keep = call.keep_answer;
  exchange.allow_private = call.allow_private;
  struct Lists {
    curl_slist* fields = nullptr;
    curl_slist* resolve = nullptr;
    ~Lists() {
      curl_slist_free_all(fields);
      curl_slist_free_all(resolve);
    }
  } lists;
  for (const char* field :
       {"Content-Type: application/json", "Accept: application/json", "Expect:", "User-Agent: terrapin"})
    lists.fields = curl_slist_append(lists.fields, field);
  for (const auto& [name, value] : call.headers)
    lists.fields = curl_slist_append(lists.fields, (name + ": " + value).c_str());
  for (const std::string& entry : settings.resolve)
    lists.resolve = curl_slist_append(lists.resolve, entry.c_str());

  char problem[CURL_ERROR_SIZE] = {};
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!settings.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, settings.ca_file.c_str());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lists.fields);
  if (lists.resolve != nullptr) curl_easy_setopt(handle, CURLOPT_RESOLVE, lists.resolve);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &exchange);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call.body.data());

  CURLcode code = CURLE_FAILED_INIT;
  bool stopped = false;
  {
    struct Membership {
      CURLM* multi;
      CURL* easy;
      bool added;
      ~Membership() {
        if (added) curl_multi_remove_handle(multi, easy);
      }
    } membership{multi.get(), handle, curl_multi_add_handle(multi.get(), handle) == CURLM_OK};
    int running = membership.added ? 1 : 0;
    while (running != 0) {
      if (curl_multi_perform(multi.get(), &running) != CURLM_OK || running == 0) break;
      curl_waitfd wake{};
      wake.fd = stop.descriptor();
      wake.events = CURL_WAIT_POLLIN;
      if (curl_multi_poll(multi.get(), &wake, stop.descriptor() >= 0 ? 1 : 0, 1000, nullptr) != CURLM_OK)
        break;
      stopped = stop.is_set();
      if (stopped) break;
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left))
      if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  if (stopped) return final_failure(fail(ErrorCode::kCancelled, "{}: shutting down", place));
  if (exchange.too_large)
    return final_failure(
        fail(ErrorCode::kTooLarge, "{} answered more than {} bytes", place, call.max_answer_bytes));
  if (code != CURLE_OK && exchange.refused)
    return final_failure(fail(ErrorCode::kDenied, "{} leads to {}, which is not allowed", place,
                              describe(exchange.refused_kind)));
  if (code == CURLE_OPERATION_TIMEDOUT)
    return passing_failure(
        fail(ErrorCode::kIo, "{} did not answer within {} ms", place, call.timeout.count()));
  if (code != CURLE_OK) {
    auto failure = fail(ErrorCode::kIo, "{} cannot be asked: {}", place,
                        problem[0] != '\0' ? problem : curl_easy_strerror(code));
    return may_pass(code) ? passing_failure(std::move(failure)) : final_failure(std::move(failure));
  }
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) return std::move(exchange.body);
  Error error{ErrorCode::kIo, fmt::format("{} answered {}", place, status)};
  if (status >= 300 && status < 400) {
    error.message += ", a redirect: these are not followed";
  } else if (!exchange.body.empty()) {
    error.message += ": " + one_line(exchange.body);
  }
  return tl::unexpected<AttemptFailure>(AttemptFailure{std::move(error), status >= 500, true});
}

}  // namespace terrapin::labeling
