#include "proxy/proxy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/logging.h"
#include "proxy/channel.h"
#include "proxy/connect_request.h"
#include "proxy/leaf_contexts.h"

namespace terrapin::proxy {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr auto kRetryStep = std::chrono::milliseconds(100);
// Reading what a client still sends keeps a refusal from being destroyed by a reset.
constexpr int kLingerMilliseconds = 2000;
constexpr std::int64_t kLingerBytes = 1 << 20;

std::string answer_text(int status, const std::string& text) {
  const char* const reason = status == 400 ? "Bad Request" : status == 403 ? "Forbidden" : "Bad Gateway";
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: "
      "close\r\n\r\n{}\n",
      status, reason, text.size() + 1, text);
}

struct Core {
  Core(const Authority& authority, ProxyOptions chosen, const Clock& clock)
      : options(std::move(chosen)), leaves(authority, clock) {}

  const ProxyOptions options;
  // The socket thread's.
  asio::io_context context{1};
  LeafContexts leaves;
  bool stopping = false;
};

// One client: its request, then a tunnel. Everything belongs to the socket thread; the core outlives it.
class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  Tunnel(Core& core, tcp::socket socket)
      : core_(core),
        client_(std::move(socket)),
        service_(tcp::socket(core.context)),
        deadline_(core.context) {}

  // Until both sides have ended. Whoever runs this holds the Tunnel, and calls close() then.
  asio::awaitable<void> serve() {
    error_code error;
    client_.socket().set_option(tcp::no_delay(true), error);
    set_deadline(core_.options.head_timeout_ms);
    std::string head;
    co_await read_head(head, error);
    if (error) co_return;
    const std::size_t end = head.find("\r\n\r\n");
    ConnectAnswer answer{400, "",
                         fmt::format("the request's head is over {} bytes", core_.options.max_head_bytes)};
    if (end != std::string::npos) {
      answer = judge_connect(std::string_view(head).substr(0, end + 4), core_.options.allows,
                             core_.options.allowed_words);
    }
    if (answer.status != 200) {
      spdlog::info("proxy: {} {}", answer.status, answer.text);
      co_return co_await refuse(answer.status, answer.text);
    }
    const auto context = core_.leaves.of(answer.host);
    if (!context) co_return co_await refuse(502, answer.host + ": " + context.error().message);

    // The service first: a client that is told of success can no longer be told of a failure.
    Upstream upstream;
    std::string problem;
    co_await reach(upstream, problem);
    if (!problem.empty()) co_return co_await refuse(502, problem);
    set_deadline(core_.options.handshake_timeout_ms);
    const std::unique_ptr<asio::ssl::context> trust = upstream.tls ? trust_of(upstream) : nullptr;
    if (trust) co_await service_.connect_tls(*trust, upstream.host, error);
    if (error) {
      co_return co_await refuse(
          502, fmt::format("the service at {}:{}: TLS: {}", upstream.host, upstream.port, error.message()));
    }
    static constexpr std::string_view kGoOn = "HTTP/1.1 200 Connection established\r\n\r\n";
    co_await asio::async_write(client_.socket(), asio::buffer(kGoOn), into(error));
    if (error) co_return;
    set_deadline(core_.options.handshake_timeout_ms);
    co_await client_.accept_tls(**context, std::string_view(head).substr(end + 4), error);
    if (error) {
      spdlog::info("proxy: {}: TLS with the client: {}", answer.host, error.message());
      co_return;
    }
    clear_deadline();
    co_await carry_both();
  }

  void close() {
    deadline_.cancel();
    client_.close();
    service_.close();
  }

 private:
  // Once `time` is over, everything is closed.
  void set_deadline(int milliseconds) {
    deadline_.expires_after(std::chrono::milliseconds(milliseconds));
    deadline_.async_wait([self = weak_from_this()](const error_code& error) {
      const auto own = self.lock();
      if (own && !error) own->close();
    });
  }
  void clear_deadline() { deadline_.cancel(); }

  asio::awaitable<void> read_head(std::string& head, error_code& error) {
    const auto most = static_cast<std::size_t>(core_.options.max_head_bytes);
    while (head.find("\r\n\r\n") == std::string::npos && head.size() < most) {
      const std::size_t before = head.size();
      head.resize(std::min(most, before + 2048));
      const std::size_t got = co_await client_.socket().async_read_some(
          asio::buffer(head.data() + before, head.size() - before), into(error));
      head.resize(before + got);
      if (error) co_return;
    }
  }

  // By value: a coroutine's caller may be gone.
  asio::awaitable<void> refuse(int status, std::string text) {
    error_code error;
    set_deadline(core_.options.head_timeout_ms);
    const std::string answer = answer_text(status, text);
    co_await asio::async_write(client_.socket(), asio::buffer(answer), into(error));
    client_.socket().shutdown(tcp::socket::shutdown_send, error);
    set_deadline(kLingerMilliseconds);
    std::vector<char> rest(4096);
    for (std::int64_t left = kLingerBytes; !error && left > 0;)
      left -= static_cast<std::int64_t>(
          co_await client_.socket().async_read_some(asio::buffer(rest), into(error)));
  }

  // Connects service_. A service that is not there may be starting anew, perhaps somewhere else.
  asio::awaitable<void> reach(Upstream& upstream, std::string& problem) {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(core_.options.connect_timeout_ms);
    clear_deadline();
    asio::steady_timer limit(core_.context, end);
    limit.async_wait([this, self = shared_from_this()](const error_code& error) {
      if (!error) service_.close();
    });
    tcp::resolver resolver(core_.context);
    for (;;) {
      upstream = core_.options.upstream();
      error_code error;
      const auto addresses =
          co_await resolver.async_resolve(upstream.host, std::to_string(upstream.port), into(error));
      if (!error) co_await asio::async_connect(service_.socket(), addresses, into(error));
      if (!error) service_.socket().set_option(tcp::no_delay(true), error);
      // A connection may last as long as a training job: one whose other end is gone must not.
      if (!error) service_.socket().set_option(asio::socket_base::keep_alive(true), error);
      if (!error || core_.stopping) co_return;
      if (std::chrono::steady_clock::now() >= end) {
        problem = fmt::format("the service at {}:{} cannot be reached: {}", upstream.host, upstream.port,
                              error.message());
        co_return;
      }
      service_.close();
      asio::steady_timer pause(core_.context, kRetryStep);
      co_await pause.async_wait(into(error));
    }
  }

  static std::unique_ptr<asio::ssl::context> trust_of(const Upstream& upstream) {
    auto trust = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(trust->native_handle(), TLS1_2_VERSION);
    if (!upstream.verified) return trust;
    error_code error;
    trust->set_default_verify_paths(error);
    if (!upstream.trusted_pem.empty())
      trust->add_certificate_authority(asio::buffer(upstream.trusted_pem), error);
    ERR_clear_error();
    trust->set_verify_mode(asio::ssl::verify_peer, error);
    return trust;
  }

  // Two directions, one coroutine each; this one ends when both have.
  asio::awaitable<void> carry_both() {
    asio::steady_timer done(core_.context, asio::steady_timer::time_point::max());
    int running = 2;
    const auto ended = [&running, &done](const std::exception_ptr& failure) {
      if (failure) spdlog::error("proxy: a tunnel ended by an exception");
      if (--running == 0) done.cancel();
    };
    asio::co_spawn(core_.context, carry(client_, service_), ended);
    asio::co_spawn(core_.context, carry(service_, client_), ended);
    error_code error;
    while (running > 0) co_await done.async_wait(into(error));
  }

  asio::awaitable<void> carry(Channel& from, Channel& to) {
    std::vector<std::uint8_t> piece(kPieceBytes);
    error_code error;
    for (;;) {
      const std::size_t got = co_await from.read_some(piece, error);
      if (error) break;
      co_await to.write(std::span(piece).first(got), error);
      if (error) co_return close();
      if (half_closed_) set_deadline(core_.options.half_closed_timeout_ms);
    }
    if (error != asio::error::eof) co_return close();
    const bool both = std::exchange(half_closed_, true);
    set_deadline(core_.options.half_closed_timeout_ms);
    error_code failed;
    co_await to.end_sending(failed);
    if (both || failed) close();
  }

  Core& core_;
  Channel client_, service_;
  asio::steady_timer deadline_;
  bool half_closed_ = false;
};

}  // namespace

class Proxy::Implementation {
 public:
  Implementation(const Authority& authority, ProxyOptions options, const Clock& clock)
      : core_(authority, std::move(options), clock), acceptor_(core_.context), slot_freed_(core_.context) {}

  Status listen() {
    error_code error;
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), 0);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error)
      return fail(ErrorCode::kIo, "the proxy cannot listen on a free port of 127.0.0.1: {}", error.message());
    return {};
  }

  void run() {
    asio::co_spawn(core_.context, accept_loop(), asio::detached);
    thread_ = std::thread([this] { core_.context.run(); });
  }

  void stop() {
    const std::lock_guard lock(stop_mutex_);
    if (!thread_.joinable()) return;
    asio::post(core_.context, [this] {
      core_.stopping = true;
      error_code ignored;
      acceptor_.close(ignored);
      slot_freed_.cancel();
      for (const auto& tunnel : tunnels_) tunnel->close();
    });
    thread_.join();
  }

  int port() const { return port_; }

 private:
  asio::awaitable<void> accept_loop() {
    while (!core_.stopping) {
      error_code error;
      if (static_cast<int>(tunnels_.size()) >= core_.options.max_connections) {
        slot_freed_.expires_at(asio::steady_timer::time_point::max());
        co_await slot_freed_.async_wait(into(error));
        continue;
      }
      tcp::socket socket(core_.context);
      co_await acceptor_.async_accept(socket, into(error));
      if (core_.stopping) break;
      if (error) {  // most likely out of file descriptors: others may free some
        spdlog::warn("proxy: cannot accept a connection: {}", error.message());
        slot_freed_.expires_after(kRetryStep);
        co_await slot_freed_.async_wait(into(error));
        continue;
      }
      auto tunnel = std::make_shared<Tunnel>(core_, std::move(socket));
      tunnels_.insert(tunnel);
      asio::co_spawn(core_.context, tunnel->serve(), [this, tunnel](const std::exception_ptr& failure) {
        if (failure) spdlog::error("proxy: a connection ended by an exception");
        tunnel->close();
        tunnels_.erase(tunnel);
        slot_freed_.cancel();
      });
    }
  }

  Core core_;
  int port_ = 0;  // constant once listening
  // The socket thread's.
  tcp::acceptor acceptor_;
  asio::steady_timer slot_freed_;
  std::set<std::shared_ptr<Tunnel>> tunnels_;

  std::mutex stop_mutex_;  // orders callers of stop()
  std::thread thread_;     // guarded by stop_mutex_ once running
};

Proxy::Proxy(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Proxy::~Proxy() {
  stop();
}

Result<std::unique_ptr<Proxy>> Proxy::start(const Authority& authority, ProxyOptions options,
                                            const Clock& clock) {
  auto implementation = std::make_unique<Implementation>(authority, std::move(options), clock);
  TERRAPIN_TRY_STATUS(implementation->listen());
  implementation->run();
  return std::unique_ptr<Proxy>(new Proxy(std::move(implementation)));
}

int Proxy::port() const {
  return implementation_->port();
}
std::string Proxy::url() const {
  return fmt::format("http://127.0.0.1:{}", port());
}
void Proxy::stop() {
  implementation_->stop();
}

}  // namespace terrapin::proxy
