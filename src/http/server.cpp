// The listening side: options, the port, accepting and shutting down. Connections serve themselves.
#include "http/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/logging.h"
#include "http/connection.h"
#include "http/spool.h"
#include "http/tls.h"

namespace terrapin::http {

class Server::Implementation {
 public:
  Implementation(Router router, ServerOptions options)
      : core_(std::move(router), std::move(options)),
        acceptor_(core_.context),
        slot_freed_(core_.context),
        shutdown_deadline_(core_.context) {}

  // Everything that can be wrong with the options, and the port.
  Status prepare() {
    if (core_.options.tls_certificate.empty() != core_.options.tls_key.empty()) {
      return fail(ErrorCode::kInvalidArgument, "TLS needs a certificate and a key: the {} is missing",
                  core_.options.tls_key.empty() ? "key" : "certificate");
    }
    if (!core_.options.tls_certificate.empty()) {
      TERRAPIN_TRY(tls_, read_tls_files(core_.options.tls_certificate, core_.options.tls_key));
    }
    if (core_.options.spool_above_bytes >= 0) {
      if (core_.options.spool_folder.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    "spool_above_bytes needs spool_folder, the folder to write to");
      }
      std::error_code error;
      std::filesystem::create_directories(core_.options.spool_folder, error);
      SpoolFile probe(core_.options.spool_folder);
      TERRAPIN_TRY_STATUS(probe.write(std::array<std::uint8_t, 1>{}));
      std::int64_t most = core_.options.max_spooled_bytes;
      if (most < 0) {
        const auto space = std::filesystem::space(core_.options.spool_folder, error);
        if (error) {
          return fail(ErrorCode::kIo, "{}: cannot tell the free space: {}",
                      core_.options.spool_folder.string(), error.message());
        }
        most = static_cast<std::int64_t>(std::min<std::uintmax_t>(space.available / 2, INT64_MAX));
      }
      core_.spool_budget = std::make_shared<SpoolBudget>(most);
      core_.max_body_bytes =
          std::min(core_.options.max_body_bytes, std::max(most, core_.options.spool_above_bytes));
    }
    return listen();
  }

  void run() {
    asio::co_spawn(core_.context, accept_loop(), asio::detached);
    thread_ = std::thread([this] { core_.context.run(); });
  }

  void stop() {
    const std::lock_guard lock(stop_mutex_);
    if (!thread_.joinable()) return;
    asio::post(core_.context, [this] { begin_shutdown(); });
    thread_.join();
  }

  Status reload_certificates() {
    if (core_.options.tls_certificate.empty()) {
      return fail(ErrorCode::kUnsupported, "the server runs without TLS: there is no certificate to reload");
    }
    TERRAPIN_TRY(auto fresh, read_tls_files(core_.options.tls_certificate, core_.options.tls_key));
    const std::lock_guard lock(tls_mutex_);
    tls_ = std::move(fresh);
    return {};
  }

  int port() const { return local_.port(); }

  std::int64_t spooled_bytes() const { return core_.spool_budget ? core_.spool_budget->taken() : 0; }

  std::string url() const {
    const std::string host = local_.address().to_string();
    const char* const scheme = core_.options.tls_certificate.empty() ? "http" : "https";
    return local_.address().is_v6() ? fmt::format("{}://[{}]:{}", scheme, host, local_.port())
                                    : fmt::format("{}://{}:{}", scheme, host, local_.port());
  }

 private:
  Status listen() {
    error_code error;
    const auto address = asio::ip::make_address(core_.options.address, error);
    if (error) {
      return fail(ErrorCode::kInvalidArgument, "listen address '{}' is not an IPv4 or IPv6 address",
                  core_.options.address);
    }
    if (core_.options.port < 0 || core_.options.port > 65535) {
      return fail(ErrorCode::kInvalidArgument,
                  "port {} is out of range: allowed are 0 (any free port) to 65535", core_.options.port);
    }
    const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(core_.options.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) local_ = acceptor_.local_endpoint(error);
    if (error) {
      return fail(ErrorCode::kIo, "cannot listen on {} port {}: {}", core_.options.address,
                  core_.options.port, error.message());
    }
    return {};
  }

  std::shared_ptr<asio::ssl::context> tls() const {
    const std::lock_guard lock(tls_mutex_);
    return tls_;
  }

  // ---- accepting and closing (socket thread) ----

  asio::awaitable<void> accept_loop() {
    while (!core_.stopping) {
      error_code error;
      if (static_cast<int>(connections_.size()) >= core_.options.max_connections) {
        slot_freed_.expires_at(Clock::time_point::max());
        co_await slot_freed_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      tcp::socket socket(core_.context);
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (core_.stopping) break;
      if (error) {  // most likely out of file descriptors: others may free some
        spdlog::warn("cannot accept a connection: {}", error.message());
        slot_freed_.expires_after(std::chrono::milliseconds(100));
        co_await slot_freed_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      auto connection = std::make_shared<Connection>(core_, std::move(socket), tls());
      connections_.insert(connection);
      asio::co_spawn(core_.context, connection->serve(),
                     [this, connection](const std::exception_ptr& failure) {
                       if (failure) log_failure("connection", failure);
                       connection->finish();
                       connections_.erase(connection);
                       slot_freed_.cancel();
                       if (core_.stopping && connections_.empty()) shutdown_deadline_.cancel();
                     });
    }
  }

  void begin_shutdown() {
    core_.stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    slot_freed_.cancel();
    for (const auto& connection : connections_) {
      connection->end_if_idle();
    }
    if (connections_.empty()) return;
    shutdown_deadline_.expires_after(std::chrono::milliseconds(core_.options.shutdown_timeout_ms));
    shutdown_deadline_.async_wait([this](const error_code& error) {
      if (error) return;
      spdlog::warn("{} connections are closed unanswered: the shutdown time is over", connections_.size());
      for (const auto& connection : connections_) {
        connection->close();
      }
    });
  }

  ServerCore core_;
  // Constant after construction.
  tcp::endpoint local_;
  // The socket thread's.
  tcp::acceptor acceptor_;
  asio::steady_timer slot_freed_, shutdown_deadline_;
  std::set<std::shared_ptr<Connection>> connections_;

  mutable std::mutex tls_mutex_;
  std::shared_ptr<asio::ssl::context> tls_;  // for new connections; null: no TLS; guarded by tls_mutex_
  std::mutex stop_mutex_;                    // orders callers of stop()
  std::thread thread_;                       // guarded by stop_mutex_ once running
};

Server::Server(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::start(Router router, ServerOptions options) {
  auto implementation = std::make_unique<Implementation>(std::move(router), std::move(options));
  TERRAPIN_TRY_STATUS(implementation->prepare());
  implementation->run();
  return std::unique_ptr<Server>(new Server(std::move(implementation)));
}

int Server::port() const {
  return implementation_->port();
}
std::int64_t Server::spooled_bytes() const {
  return implementation_->spooled_bytes();
}
std::string Server::url() const {
  return implementation_->url();
}
Status Server::reload_certificates() {
  return implementation_->reload_certificates();
}
void Server::stop() {
  implementation_->stop();
}

}  // namespace terrapin::http
