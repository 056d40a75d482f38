#include "storage/s3_client.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/percent.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"
#include "storage/sigv4_signing.h"

namespace terrapin::storage {
namespace {

constexpr std::int64_t kMaxErrorBytes = 1 << 20;
constexpr int kLongestWaitMs = 10'000;

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw std::runtime_error("libcurl cannot start");
}

struct CurlHandle {
  CURL* curl = nullptr;
  CurlHandle() : curl(curl_easy_init()) {
    if (curl == nullptr) throw std::bad_alloc();
  }
  ~CurlHandle() { curl_easy_cleanup(curl); }
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;
};

// A handle keeps its connection; a thread waits while all are in use.
class HandlePool {
 public:
  explicit HandlePool(int most) : left_(most) {}

  class Lease {
   public:
    Lease(HandlePool& pool, std::unique_ptr<CurlHandle> handle) : pool_(pool), handle_(std::move(handle)) {}
    ~Lease() {
      const std::lock_guard lock(pool_.mutex_);
      pool_.idle_.push_back(std::move(handle_));
      ++pool_.left_;
      pool_.freed_.notify_one();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    CURL* curl() { return handle_->curl; }

   private:
    HandlePool& pool_;
    std::unique_ptr<CurlHandle> handle_;
  };

  Lease take() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return left_ > 0; });
    --left_;
    std::unique_ptr<CurlHandle> handle;
    if (!idle_.empty()) {
      handle = std::move(idle_.back());
      idle_.pop_back();
    }
    lock.unlock();
    if (handle) {
      curl_easy_reset(handle->curl);
    } else {
      handle = std::make_unique<CurlHandle>();
    }
    return {*this, std::move(handle)};
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  int left_;                                       // guarded by mutex_
  std::vector<std::unique_ptr<CurlHandle>> idle_;  // guarded by mutex_
};

// Bytes that come in: in memory up to a limit, then in an unnamed file.
class Sink {
 public:
  Sink(std::int64_t memory_bytes, std::filesystem::path folder)
      : memory_bytes_(memory_bytes), folder_(std::move(folder)) {}
  ~Sink() {
    if (file_ >= 0) ::close(file_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  Status add(std::span<const std::uint8_t> bytes) {
    if (file_ < 0 && static_cast<std::int64_t>(memory_.size() + bytes.size()) <= memory_bytes_) {
      memory_.insert(memory_.end(), bytes.begin(), bytes.end());
      return {};
    }
    if (file_ < 0) {
      TERRAPIN_TRY_STATUS(open_file());
      TERRAPIN_TRY_STATUS(write(memory_));
      memory_ = {};
    }
    return write(bytes);
  }

  Result<ByteSourcePtr> finish() {
    if (file_ < 0) return bytes_source(std::move(memory_));
    return file_source(path_);  // stays readable when the destructor removes the name
  }

 private:
  tl::unexpected<Error> failure(const char* what) const {
    const int number = errno;
    return fail(number == ENOSPC || number == EDQUOT ? ErrorCode::kNoSpace : ErrorCode::kIo, "{}: {}: {}",
                folder_.string(), what, std::strerror(number));
  }
  Status open_file() {
    std::string name = (folder_ / "terrapin-object-XXXXXX").string();
    file_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (file_ < 0) return failure("cannot make a temporary file");
    path_ = name;
    return {};
  }
  Status write(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(file_, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return failure("cannot write a temporary file");
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
  }

  std::int64_t memory_bytes_;
  std::filesystem::path folder_, path_;
  Bytes memory_;
  int file_ = -1;
};

// One attempt, as libcurl's callbacks see it.
struct Transfer {
  const ByteSource* body = nullptr;
  std::int64_t sent = 0;
  S3Answer answer;
  std::optional<Sink> sink;
  std::int64_t memory_bytes = 0;
  std::filesystem::path folder;
  std::int64_t received = 0;
  bool refused = false;  // the answer is an error: only its first bytes are kept
  std::optional<Error> failure;
};

std::size_t send_some(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const auto most = static_cast<std::int64_t>(size * count);
  const std::int64_t bytes = std::min(most, transfer.body->size() - transfer.sent);
  const auto read = transfer.body->read(
      transfer.sent, {reinterpret_cast<std::uint8_t*>(buffer), static_cast<std::size_t>(bytes)});
  if (!read) {
    transfer.failure = read.error();
    return CURL_READFUNC_ABORT;
  }
  transfer.sent += bytes;
  return static_cast<std::size_t>(bytes);
}

int seek_body(void* user, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  transfer.sent = offset;
  return CURL_SEEKFUNC_OK;
}

std::size_t receive_header(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string_view line(buffer, size * count);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    // Another answer begins: the one before it was "100 Continue".
    transfer.answer.headers.clear();
    const std::size_t space = line.find(' ');
    transfer.answer.status =
        space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space + 1, 3)).c_str());
    transfer.refused = transfer.answer.status >= 300;
    return size * count;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  transfer.answer.headers.emplace_back(lower_case(std::string(line.substr(0, colon))),
                                       trimmed(line.substr(colon + 1)));
  return size * count;
}

std::size_t receive_some(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  transfer.received += static_cast<std::int64_t>(bytes);
  if (transfer.refused && transfer.received > kMaxErrorBytes) return bytes;
  if (!transfer.sink) transfer.sink.emplace(transfer.memory_bytes, transfer.folder);
  const auto added = transfer.sink->add({reinterpret_cast<const std::uint8_t*>(buffer), bytes});
  if (!added) {
    transfer.failure = added.error();
    return 0;
  }
  return bytes;
}

// `host` with its port. No proxy is asked for the machine itself.
bool is_loopback(std::string_view host) {
  const std::size_t end = host.rfind(':');
  if (end != std::string_view::npos && host.find(']', end) == std::string_view::npos)
    host = host.substr(0, end);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

bool worth_repeating(int status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

// The request surely had no effect.
bool never_arrived(CURLcode code) {
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
         code == CURLE_COULDNT_RESOLVE_PROXY;
}

bool can_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

// Frees a header list on every way out.
class HeaderList {
 public:
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  void add(const std::string& name, const std::string& value) {
    // "name;" is libcurl's way to send a field without a value.
    curl_slist* longer = curl_slist_append(list_, (value.empty() ? name + ";" : name + ": " + value).c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list_ = longer;
  }
  void leave_out(const std::string& name) {
    curl_slist* longer = curl_slist_append(list_, (name + ":").c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list_ = longer;
  }
  curl_slist* get() { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

Result<std::string> sha256_of(const ByteSource* body) {
  crypto::Hasher hasher(crypto::HashKind::kSha256);
  if (body != nullptr) {
    Bytes block(static_cast<std::size_t>(std::min<std::int64_t>(256 << 10, body->size())));
    for (std::int64_t at = 0; at < body->size();) {
      const auto part = std::span(block).first(static_cast<std::size_t>(
          std::min<std::int64_t>(static_cast<std::int64_t>(block.size()), body->size() - at)));
      TERRAPIN_TRY_STATUS(body->read(at, part));
      hasher.add(part);
      at += static_cast<std::int64_t>(part.size());
    }
  }
  return crypto::hex(hasher.finish());
}

}  // namespace

std::optional<std::string_view> S3Answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return std::nullopt;
}

class S3Client::Implementation {
 public:
  Implementation(RemoteStoreOptions options, std::string scheme, std::string host)
      : options_(std::move(options)),
        scheme_(std::move(scheme)),
        host_(std::move(host)),
        endpoint_(scheme_ + "://" + host_),
        pool_(options_.max_connections) {
    if (options_.spool_folder.empty()) options_.spool_folder = std::filesystem::temp_directory_path();
  }

  const std::string& endpoint() const { return endpoint_; }

  Result<S3Answer> send(const S3Request& request) {
    for (const auto& [name, value] : request.headers)
      if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
        return fail(ErrorCode::kInvalidArgument, "the value of '{}' may not hold line ends or zero bytes",
                    name);
    TERRAPIN_TRY(const std::string hash, sha256_of(request.body));
    for (int attempt = 1;; ++attempt) {
      Transfer transfer;
      CURLcode code = CURLE_OK;
      std::string words;
      {
        auto lease = pool_.take();
        code = perform(lease.curl(), request, hash, transfer, words);
      }
      if (transfer.failure) return tl::unexpected(*transfer.failure);
      const bool last = attempt >= options_.attempts;
      if (code == CURLE_OK) {
        const int status = transfer.answer.status;
        // "503 Slow Down" is said before anything is done.
        const bool again = worth_repeating(status) && (request.repeatable || status == 503 || status == 429);
        if (!again || last) {
          transfer.answer.attempts = attempt;
          if (transfer.sink) {
            TERRAPIN_TRY(transfer.answer.content, transfer.sink->finish());
          } else {
            transfer.answer.content = bytes_source(std::string_view());
          }
          return std::move(transfer.answer);
        }
      } else if (last || !can_pass(code) || !(request.repeatable || never_arrived(code))) {
        return fail(ErrorCode::kIo, "{}: {} {}: {}", endpoint_, request.method, path_of(request), words);
      }
      wait_before(attempt + 1);
    }
  }

 private:
  static std::string path_of(const S3Request& request) {
    std::string path = "/";
    if (!request.bucket.empty()) path += request.bucket;
    if (!request.key.empty()) path += "/" + request.key;
    return path;
  }

  void wait_before(int attempt) const {
    if (options_.first_wait_ms <= 0) return;
    const int doubled = std::min<int>(kLongestWaitMs, options_.first_wait_ms << std::min(attempt - 2, 10));
    const Bytes random = crypto::random_bytes(2);
    const int spread = (random[0] << 8 | random[1]) % (doubled / 2 + 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(doubled - spread));
  }

  CURLcode perform(CURL* curl, const S3Request& request, const std::string& hash, Transfer& transfer,
                   std::string& words) const {
    std::string host = host_, path = "/";
    if (!request.bucket.empty() && options_.path_style) {
      path += request.bucket;
      if (!request.key.empty()) path += "/";
    } else if (!request.bucket.empty()) {
      host = request.bucket + "." + host_;
    }
    SignedRequest text;
    text.method = request.method;
    text.path = percent_encode(path + request.key, true);
    text.query = canonical_query(request.query);
    text.payload_hash = hash;
    const std::string time = basic_time_text(options_.clock->now());
    S3Fields headers = request.headers;
    headers.emplace_back("host", host);
    headers.emplace_back("x-amz-content-sha256", hash);
    headers.emplace_back("x-amz-date", time);
    if (!options_.credentials.session_token.empty())
      headers.emplace_back("x-amz-security-token", options_.credentials.session_token);
    for (const auto& [name, value] : headers) text.headers.emplace_back(name, folded_value(value));
    std::sort(text.headers.begin(), text.headers.end());
    const CredentialScope scope{time.substr(0, 8), options_.region, "s3"};
    const std::string signed_text = signature(signing_key(options_.credentials.secret_key, scope),
                                              string_to_sign(time, scope, canonical_request(text)));
    headers.emplace_back("authorization", fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}",
                                                      kSigV4Algorithm, options_.credentials.access_key,
                                                      scope.text(), signed_header_names(text), signed_text));
    HeaderList list;
    bool typed = false;
    for (const auto& [name, value] : headers) {
      typed = typed || name == "content-type";
      list.add(name, value);
    }
    if (!typed) list.leave_out("content-type");
    list.leave_out("accept");

    std::string url = scheme_ + "://" + host + text.path;
    if (!text.query.empty()) url += "?" + text.query;
    const ByteSourcePtr nothing = bytes_source(std::string_view());
    transfer.body = request.body != nullptr ? request.body : nothing.get();
    transfer.memory_bytes = options_.memory_bytes;
    transfer.folder = options_.spool_folder;
    char error[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);  // keys may hold ".."
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, scheme_.c_str());
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_timeout_s));
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!options_.authorities.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options_.authorities.c_str());
    if (is_loopback(host_)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &receive_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &receive_some);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    if (request.method == "HEAD") {
      curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request.method == "GET") {
      curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    } else if (request.method == "PUT" || request.method == "POST") {
      curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
      curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.body->size()));
      curl_easy_setopt(curl, CURLOPT_READFUNCTION, &send_some);
      curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
      curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &seek_body);
      curl_easy_setopt(curl, CURLOPT_SEEKDATA, &transfer);
    } else {
      curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    const CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) words = error[0] != '\0' ? error : curl_easy_strerror(code);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    return code;
  }

  RemoteStoreOptions options_;
  std::string scheme_, host_, endpoint_;
  mutable HandlePool pool_;
};

S3Client::S3Client(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
S3Client::~S3Client() = default;

Result<S3Answer> S3Client::send(const S3Request& request) const {
  return implementation_->send(request);
}

const std::string& S3Client::endpoint() const {
  return implementation_->endpoint();
}

Result<std::unique_ptr<S3Client>> S3Client::open(const RemoteStoreOptions& options) {
  start_curl();
  const std::string url = options.endpoint.empty()
                              ? fmt::format("https://s3.{}.amazonaws.com", options.region)
                              : options.endpoint;
  const std::size_t mark = url.find("://");
  const std::string scheme = url.substr(0, mark);
  if (mark == std::string::npos || (scheme != "https" && scheme != "http"))
    return fail(ErrorCode::kInvalidArgument, "endpoint '{}': must begin with https:// or http://", url);
  std::string host = url.substr(mark + 3);
  if (host.ends_with('/')) host.pop_back();
  // The port that the scheme implies is not part of the Host header.
  const std::string implied = scheme == "https" ? ":443" : ":80";
  if (host.ends_with(implied)) host.resize(host.size() - implied.size());
  const bool good = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-:[]_").find(c) != std::string_view::npos;
  });
  if (!good)
    return fail(ErrorCode::kInvalidArgument,
                "endpoint '{}': must be a scheme, a host and perhaps a port, without a path", url);
  if (options.region.empty() || options.region.find_first_of("/ \r\n") != std::string::npos)
    return fail(ErrorCode::kInvalidArgument, "region '{}': must be a name like us-east-1", options.region);
  if (options.credentials.access_key.empty() || options.credentials.secret_key.empty())
    return fail(ErrorCode::kInvalidArgument, "{}: an access key and its secret are needed", url);
  if (options.attempts < 1 || options.max_connections < 1)
    return fail(ErrorCode::kInvalidArgument, "{}: attempts and max_connections must be at least 1", url);
  return std::unique_ptr<S3Client>(
      new S3Client(std::make_unique<Implementation>(options, scheme, lower_case(host))));
}

}  // namespace terrapin::storage
