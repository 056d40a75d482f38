// A forward proxy for one machine's programs: answers CONNECT for the hosts of a list, ends TLS with leaves
// of a local authority, and carries the bytes inside, as they are, to one service. Everything else is
// refused.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "proxy/authority.h"

namespace terrapin::proxy {

// Where the service is.
struct Upstream {
  std::string host;  // a name or a literal address
  int port = 0;
  bool tls = false;
  bool verified = true;     // its certificate, by the system's authorities and for `host`
  std::string trusted_pem;  // "" or authorities to trust beside the system's
  bool operator==(const Upstream&) const = default;
};

struct ProxyOptions {
  // Of a host in lower case, without port: is it answered for. Called on the proxy's thread; quick.
  std::function<bool(const std::string& host)> allows;
  std::string allowed_words;  // ends "Allowed are ..." of a refusal
  // The service as it is now; asked for every connection, and again while it cannot be reached.
  std::function<Upstream()> upstream;
  int max_connections = 512;  // more wait in the system's backlog
  std::int64_t max_head_bytes = 8 << 10;
  int head_timeout_ms = 15'000;       // of the CONNECT request
  int connect_timeout_ms = 20'000;    // how long a service that cannot be reached is tried
  int handshake_timeout_ms = 15'000;  // of TLS, each side
  // Once one side has ended its sending: between two pieces of the other. Before, the service's own limits
  // are in force.
  int half_closed_timeout_ms = 60'000;
};

// Thread-safe.
class Proxy {
 public:
  // Listens on 127.0.0.1, on a free port, before it returns. kIo if it cannot. `authority` and `clock` must
  // outlive it.
  static Result<std::unique_ptr<Proxy>> start(const Authority& authority, ProxyOptions options,
                                              const Clock& clock = system_clock());
  ~Proxy();  // stop()
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  int port() const;
  std::string url() const;  // "http://127.0.0.1:<port>"
  // Closes what is open. Idempotent.
  void stop();

 private:
  class Implementation;
  explicit Proxy(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace terrapin::proxy
