// One HTTP exchange as plain values. Nothing here knows the library that reads and writes the wire.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/files.h"
#include "base/result.h"

namespace terrapin::http {

// Field names compare without case (RFC 9110, 5.1); order and repetition are kept.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string_view name, std::string value);  // replaces every field of that name
  // The first field of that name; nullopt if absent.
  std::optional<std::string_view> find(std::string_view name) const;
  // All fields of that name, joined by ", " as RFC 9110 5.3 allows for list fields; nullopt if absent.
  std::optional<std::string> joined(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Query parameters in order of appearance; names may repeat.
using Query = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;                             // as sent, e.g. "GET"
  std::string target;                             // as sent, e.g. "/a%20b?x=1"
  std::string path;                               // the percent-encoded path, always starting with '/'
  Query query;                                    // percent-decoded
  std::map<std::string, std::string> parameters;  // percent-decoded {name} parts of the matched route
  Headers headers;
  Bytes body;
  // Set instead of `body` when the server put a large body into a temporary file
  // (ServerOptions::spool_above_bytes).
  ByteSourcePtr spooled;
  std::string remote_address;
  bool secure = false;  // came over TLS
  // Becomes true when the client closes the connection before its answer is ready: work for it may be
  // dropped.
  std::shared_ptr<const std::atomic<bool>> client_gone;

  std::string_view text() const { return {reinterpret_cast<const char*>(body.data()), body.size()}; }
  std::optional<std::string_view> query_value(std::string_view name) const;
  ByteSourcePtr body_source() const;  // the body, wherever it is; copies `body` if that is where
  std::int64_t body_bytes() const {
    return spooled ? spooled->size() : static_cast<std::int64_t>(body.size());
  }
  bool abandoned() const { return client_gone && client_gone->load(std::memory_order_relaxed); }
};

// Content-Length, Date, Connection and Transfer-Encoding are the server's; a handler sets the rest, sent as
// it is spelled. A Content-Length that a handler sets counts only in answer to HEAD. 204 and 304 are sent
// without body.
struct Response {
  int status = 200;
  Headers headers;
  Bytes body;
  ByteSourcePtr source;  // sent instead of `body` if set, read piece by piece

  static Response bytes(int status, std::string content_type, Bytes body);
  static Response text(int status, std::string content_type, std::string_view body);
  static Response json(int status, std::string_view document) {
    return text(status, "application/json", document);
  }
  static Response from(int status, std::string content_type, ByteSourcePtr source);
  // {"message": "..."}, the form of every error the server itself answers; bytes that are not UTF-8 become
  // U+FFFD.
  static Response error(int status, const std::string& message);
};

// What the head of a request allows of its body.
struct Admission {
  std::int64_t max_body_bytes = 0;
  // The answer to a body over that, before its first byte is read where its length was announced;
  // std::nullopt: 413.
  std::optional<Response> refusal;
  // The answer where the disk has no room for the body; std::nullopt: 507.
  std::optional<Response> no_space = std::nullopt;
};

// Runs on a thread of the server's pool and may block. An Error is answered with status_of(code) and its
// message, except those of our own making (500), which are logged and answered without detail.
using Handler = std::function<Result<Response>(const Request&)>;

// The one rule from failures to statuses: kInvalidArgument and kCorrupt 400, kNotFound 404, kDenied
// 403, kAlreadyExists and kConflict 409, kTooLarge 413, kUnsupported 501, kCancelled 503, kNoSpace 507, kIo
// and kInternal 500.
int status_of(ErrorCode code);
// "Not Found" for 404; "Unknown" for a status without a name.
std::string_view reason_phrase(int status);

}  // namespace terrapin::http
