// A small HTTP/1.1 server. One thread serves all sockets; handlers run on a pool, so a slow one delays
// neither accepting nor other connections; temporary files are written and Response::source is read on a
// third group of threads. A connection holds at most two pieces of 256 KiB of either. The only place where
// exceptions of handlers are caught.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/message.h"
#include "http/router.h"

namespace terrapin::http {

struct AccessEntry {
  std::string remote_address, method,
      target;  // method and target empty if the request line could not be read
  int status = 0;
  std::int64_t body_bytes = 0;  // of the answer
  double milliseconds = 0;      // from the first byte of the request to the last byte of the answer
};

struct ServerOptions {
  std::string address = "127.0.0.1";  // a literal IPv4 or IPv6 address
  int port = 0;                       // 0: a free one; ask port()
  int handler_threads = 4;
  // Requests handed to the pool and not finished. Above: 503 with Retry-After.
  int max_pending_requests = 256;
  int retry_after_s = 1;
  // Above this many open connections accepting waits; the rest stay in the system's backlog.
  int max_connections = 1024;
  std::int64_t max_body_bytes = std::int64_t{64} << 20;  // one request's body; above: 413
  // Asked with the head alone (Request::body is empty, parameters are those of the route) before a body over
  // admit_above_bytes, or one whose length is not announced, is read or asked for (Expect: 100-continue). A
  // body over what it allows gets its refusal, and the connection closes. Runs on the pool and may block; an
  // exception is answered 500. Empty: max_body_bytes for everybody.
  std::function<Admission(const Request& head)> admit;
  std::int64_t admit_above_bytes = 64 << 10;
  // A larger body goes piece by piece to an unnamed temporary file in spool_folder (Request::spooled) and
  // does not count as buffered; -1: never. kNoSpace there is answered 507. The folder is created if it is
  // missing.
  std::int64_t spool_above_bytes = -1;
  std::filesystem::path spool_folder;
  // All bodies in files together, whether on their way or being handled. A body takes its announced length,
  // one without an announced length what has arrived; one that does not fit is answered 503 with Retry-After,
  // before it is read where its length was announced. No single body may be larger (413). -1: half of what is
  // free in spool_folder at the start.
  std::int64_t max_spooled_bytes = -1;
  // Both set: TLS 1.2 and 1.3 with this PEM chain and key; reload_certificates() reads them again.
  std::filesystem::path tls_certificate, tls_key;
  std::int64_t max_buffered_bytes = std::int64_t{1}
                                    << 30;   // all bodies being received or handled; above: 503
  std::int64_t max_header_bytes = 32 << 10;  // request line and fields; above: 431
  int header_timeout_ms = 15'000;  // from the first byte of a request to the end of its fields; then 408
  // For every 64 KiB of a body that arrive, or a shorter rest; then 408. A large body may take its time.
  int body_timeout_ms = 120'000;
  int write_timeout_ms = 120'000;    // for every 256 KiB of an answer; then the connection is dropped
  int idle_timeout_ms = 75'000;      // between requests of a connection
  int shutdown_timeout_ms = 20'000;  // how long stop() lets requests in flight go on
  // Called for every answer from the socket thread; must be quick. May be empty.
  std::function<void(const AccessEntry&)> on_access;
  // Body of every answer that is an error: statuses the server chooses itself and Errors from handlers.
  // Called from any thread. Empty: {"message": "..."} as application/json.
  std::function<Response(int status, const std::string& message)> error_response;
};

// Thread-safe.
class Server {
 public:
  // Listens before it returns. kInvalidArgument: bad address, only one of certificate and key, a key of
  // another certificate, a spool limit without a folder; kCorrupt, kNotFound: a TLS file; kIo: the port or
  // the spool folder cannot be had. The message names the port or the file.
  static Result<std::unique_ptr<Server>> start(Router router, ServerOptions options);
  ~Server();  // stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  // What counts for max_spooled_bytes now.
  std::int64_t spooled_bytes() const;
  // For connections from now on; the old files' content stays in use if the new cannot be read (errors as in
  // start). kUnsupported without TLS.
  Status reload_certificates();
  // "http://127.0.0.1:8080", with TLS "https://127.0.0.1:8080"
  std::string url() const;
  // Stops accepting, closes idle connections, lets requests in flight finish and be answered (with
  // Connection: close), at most shutdown_timeout_ms; then closes what is left. Waits for handlers that still
  // run. Idempotent.
  void stop();

 private:
  class Implementation;
  explicit Server(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace terrapin::http
