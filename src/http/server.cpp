#include "http/server.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "base/logging.h"
#include "base/parallel.h"
#include "http/target.h"

namespace terrapin::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using RequestParser = wire::request_parser<wire::vector_body<std::uint8_t>>;

// What a client may still send after an answer that closes its connection; reading it keeps the answer from
// being destroyed by a reset.
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr std::int64_t kLingerBytes = 16 << 20;

// All members belong to the socket thread.
struct Connection {
  explicit Connection(tcp::socket accepted) : socket(std::move(accepted)), deadline(socket.get_executor()) {}
  tcp::socket socket;
  asio::steady_timer deadline;
  std::uint64_t deadline_number = 0;  // tells a timer that fired from the one that was set after it
  bool timed_out = false;
  beast::flat_buffer buffer;
  std::string remote_address;
  bool idle = true;  // no byte of a next request has been seen
  std::int64_t held_bytes = 0;
  Clock::time_point request_start;
};

// What one request became: a request to handle, an answer to give at once, or (neither) a connection to drop.
struct Incoming {
  std::shared_ptr<Request> request;
  std::optional<Response> refusal;
  Router::Match match;
  std::string method, target;
  bool keep_alive = false;
  bool head = false;
};

// A pool thread's way back: it posts the answer to the socket thread, which wakes the waiting connection.
struct Pending {
  explicit Pending(asio::io_context& context) : woken(context, Clock::time_point::max()) {}
  asio::steady_timer woken;
  std::optional<Response> response;
  std::shared_ptr<std::atomic<bool>> client_gone = std::make_shared<std::atomic<bool>>(false);
};

std::string http_date() {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

// A field value that could end its line would let a handler's text forge fields.
std::string safe_field_value(std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return value;
}

bool is_protocol_error(const error_code& error) {
  return error.category() == wire::make_error_code(wire::error::bad_method).category();
}

}  // namespace

class Server::Implementation {
 public:
  Implementation(Router router, ServerOptions options)
      : router_(std::move(router)),
        options_(std::move(options)),
        acceptor_(context_),
        slot_freed_(context_),
        shutdown_deadline_(context_),
        pool_(std::max(1, options_.handler_threads)) {}

  Status listen() {
    error_code error;
    const auto address = asio::ip::make_address(options_.address, error);
    if (error) {
      return fail(ErrorCode::kInvalidArgument, "listen address '{}' is not an IPv4 or IPv6 address",
                  options_.address);
    }
    if (options_.port < 0 || options_.port > 65535) {
      return fail(ErrorCode::kInvalidArgument,
                  "port {} is out of range: allowed are 0 (any free port) to 65535", options_.port);
    }
    const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(options_.port));
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) local_ = acceptor_.local_endpoint(error);
    if (error) {
      return fail(ErrorCode::kIo, "cannot listen on {} port {}: {}", options_.address, options_.port,
                  error.message());
    }
    return {};
  }

  void run() {
    asio::co_spawn(context_, accept_loop(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }

  void stop() {
    const std::lock_guard lock(stop_mutex_);
    if (!thread_.joinable()) return;
    asio::post(context_, [this] { begin_shutdown(); });
    thread_.join();
  }

  int port() const { return local_.port(); }

  std::string url() const {
    const std::string host = local_.address().to_string();
    return local_.address().is_v6() ? fmt::format("http://[{}]:{}", host, local_.port())
                                    : fmt::format("http://{}:{}", host, local_.port());
  }

 private:
  // ---- accepting and closing (socket thread) ----

  asio::awaitable<void> accept_loop() {
    while (!stopping_) {
      error_code error;
      if (static_cast<int>(connections_.size()) >= options_.max_connections) {
        slot_freed_.expires_at(Clock::time_point::max());
        co_await slot_freed_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      tcp::socket socket(context_);
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (stopping_) break;
      if (error) {  // most likely out of file descriptors: others may free some
        spdlog::warn("cannot accept a connection: {}", error.message());
        slot_freed_.expires_after(std::chrono::milliseconds(100));
        co_await slot_freed_.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      auto connection = std::make_shared<Connection>(std::move(socket));
      connections_.insert(connection);
      asio::co_spawn(context_, serve(connection), [this, connection](const std::exception_ptr& failure) {
        if (failure) log_failure("connection", failure);
        release(*connection);
        clear_deadline(*connection);
        error_code ignored;
        connection->socket.close(ignored);
        connections_.erase(connection);
        slot_freed_.cancel();
        if (stopping_ && connections_.empty()) shutdown_deadline_.cancel();
      });
    }
  }

  void begin_shutdown() {
    stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    slot_freed_.cancel();
    for (const auto& connection : connections_) {
      if (connection->idle) connection->socket.cancel(ignored);
    }
    if (connections_.empty()) return;
    shutdown_deadline_.expires_after(std::chrono::milliseconds(options_.shutdown_timeout_ms));
    shutdown_deadline_.async_wait([this](const error_code& error) {
      if (error) return;
      spdlog::warn("{} connections are closed unanswered: the shutdown time is over", connections_.size());
      for (const auto& connection : connections_) {
        error_code closing;
        connection->socket.close(closing);
      }
    });
  }

  // From now on, once `time` is over, whatever waits on the socket is cancelled and `timed_out` is set.
  // Beast's own stream would close the socket instead, and then nobody could be told why.
  static void set_deadline(const std::shared_ptr<Connection>& connection, Clock::duration time) {
    connection->timed_out = false;
    arm(connection, ++connection->deadline_number, time);
  }
  static void clear_deadline(Connection& connection) {
    ++connection.deadline_number;
    connection.deadline.cancel();
  }
  static void arm(const std::shared_ptr<Connection>& connection, std::uint64_t number, Clock::duration time) {
    connection->deadline.expires_after(time);
    connection->deadline.async_wait([connection, number](const error_code& error) {
      if (error || number != connection->deadline_number) return;
      connection->timed_out = true;
      error_code ignored;
      connection->socket.cancel(ignored);
      // A composed operation between two of its steps has nothing to cancel: ask again.
      arm(connection, number, std::chrono::milliseconds(10));
    });
  }

  void release(Connection& connection) {
    buffered_bytes_ -= connection.held_bytes;
    connection.held_bytes = 0;
  }

  // ---- one connection (socket thread) ----

  asio::awaitable<void> serve(std::shared_ptr<Connection> connection) {
    Connection& c = *connection;
    error_code error;
    c.socket.set_option(tcp::no_delay(true), error);
    const tcp::endpoint remote = c.socket.remote_endpoint(error);
    if (error) co_return;
    c.remote_address = remote.address().to_string();

    bool open = true;
    while (open && !stopping_) {
      c.idle = true;
      if (c.buffer.size() == 0) {
        set_deadline(connection, std::chrono::milliseconds(options_.idle_timeout_ms));
        const std::size_t received = co_await c.socket.async_read_some(
            c.buffer.prepare(4096), asio::redirect_error(asio::use_awaitable, error));
        if (error || received == 0) co_return;
        c.buffer.commit(received);
      }
      c.idle = false;
      c.request_start = Clock::now();

      Incoming incoming;
      co_await read_request(connection, incoming);
      if (!incoming.request && !incoming.refusal) co_return;
      Response response;
      if (incoming.refusal) {
        response = std::move(*incoming.refusal);
      } else {
        co_await dispatch(c, incoming, response);
      }
      release(c);
      const bool keep = incoming.keep_alive && !stopping_;
      open = false;
      co_await write_response(connection, incoming, response, keep, open);
    }
  }

  asio::awaitable<void> read_request(std::shared_ptr<Connection> connection, Incoming& incoming) {
    Connection& c = *connection;
    RequestParser parser;
    parser.header_limit(static_cast<std::uint32_t>(options_.max_header_bytes));
    parser.body_limit(static_cast<std::uint64_t>(options_.max_body_bytes));
    error_code error;

    set_deadline(connection, std::chrono::milliseconds(options_.header_timeout_ms));
    co_await wire::async_read_header(c.socket, c.buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
    if (parser.is_header_done() || error == wire::error::body_limit) describe(parser, incoming);
    if (error) {
      refuse_broken(c, error, incoming);
      co_return;
    }
    // Copied now: fields that follow a chunked body must not change what the request said before it.
    auto request = std::make_shared<Request>();
    request->method = incoming.method;
    request->target = incoming.target;
    request->remote_address = c.remote_address;
    for (const auto& field : parser.get()) {
      request->headers.add(std::string(field.name_string()), std::string(field.value()));
    }
    route(parser, *request, incoming);

    const bool expects_continue = beast::iequals(parser.get()[wire::field::expect], "100-continue");
    if (incoming.refusal && (expects_continue || !incoming.keep_alive)) {
      incoming.keep_alive = false;  // the body was neither asked for nor read
      co_return;
    }
    set_deadline(connection, std::chrono::milliseconds(options_.body_timeout_ms));
    if (expects_continue && !parser.is_done() && parser.get().version() >= 11) {
      wire::response<wire::empty_body> proceed(wire::status::continue_, 11);
      co_await wire::async_write(c.socket, proceed, asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        incoming.refusal.reset();
        co_return;
      }
    }
    while (!parser.is_done()) {
      co_await wire::async_read_some(c.socket, c.buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        incoming.refusal.reset();
        refuse_broken(c, error, incoming);
        co_return;
      }
      const auto size = static_cast<std::int64_t>(parser.get().body().size());
      buffered_bytes_ += size - c.held_bytes;
      c.held_bytes = size;
      if (buffered_bytes_ > options_.max_buffered_bytes && size > 0) {
        incoming.keep_alive = false;
        incoming.refusal = busy("too many request bodies are in flight");
        co_return;
      }
    }
    if (incoming.refusal) co_return;  // the body is read and dropped: the connection can go on
    request->body = std::move(parser.get().body());
    incoming.request = std::move(request);
  }

  static void describe(const RequestParser& parser, Incoming& incoming) {
    const auto& message = parser.get();
    incoming.method = std::string(message.method_string());
    incoming.target = std::string(message.target());
    incoming.head = incoming.method == "HEAD";
    incoming.keep_alive = message.keep_alive();
  }

  // Finds the handler, or sets the refusal.
  void route(const RequestParser& parser, Request& request, Incoming& incoming) const {
    const auto& message = parser.get();
    const auto refuse = [&](int status, const std::string& text, bool keep_alive) {
      incoming.refusal = error_response(status, text);
      incoming.keep_alive = incoming.keep_alive && keep_alive;
    };
    if (message.version() >= 11 && message.count(wire::field::host) != 1) {
      return refuse(400, "an HTTP/1.1 request needs one Host field", false);
    }
    if (message.count(wire::field::transfer_encoding) > 0 && !parser.chunked()) {
      return refuse(501, "the only Transfer-Encoding served is 'chunked'", false);
    }
    if (message.count(wire::field::expect) > 0 &&
        !beast::iequals(message[wire::field::expect], "100-continue")) {
      return refuse(417, "the only expectation served is '100-continue'", false);
    }
    auto target = parse_target(incoming.target);
    if (!target) return refuse(400, target.error().message, true);
    request.path = std::move(target->path);
    request.query = std::move(target->query);
    auto match = router_.find(request.method, request.path);
    if (!match) return refuse(400, match.error().message, true);
    if (!match->route && match->allowed.empty()) {
      return refuse(404, fmt::format("there is nothing at {}", request.path), true);
    }
    if (!match->route) {
      const std::string allowed = fmt::format("{}", fmt::join(match->allowed, ", "));
      refuse(405,
             fmt::format("{} is not allowed at {}: allowed are {}", request.method, request.path, allowed),
             true);
      incoming.refusal->headers.set("Allow", allowed);
      return;
    }
    request.parameters = std::move(match->parameters);
    incoming.match = std::move(*match);
  }

  // A request that could not be read to its end: an answer where one makes sense, else the connection is
  // dropped.
  void refuse_broken(const Connection& c, const error_code& error, Incoming& incoming) const {
    incoming.keep_alive = false;
    if (c.timed_out) {
      incoming.refusal = error_response(408, "the request took too long to arrive");
    } else if (error == wire::error::body_limit) {
      incoming.refusal =
          error_response(413, fmt::format("the body is over the limit of {} bytes", options_.max_body_bytes));
    } else if (error == wire::error::header_limit || error == wire::error::buffer_overflow) {
      incoming.refusal =
          error_response(431, fmt::format("request line and header fields are over the limit of {} bytes",
                                          options_.max_header_bytes));
    } else if (error == wire::error::bad_version) {
      incoming.refusal = error_response(505, "only HTTP/1.0 and HTTP/1.1 are served");
    } else if (is_protocol_error(error) && error != wire::error::end_of_stream &&
               error != wire::error::partial_message) {
      incoming.refusal = error_response(400, fmt::format("this is not HTTP/1.1: {}", error.message()));
    }
  }

  // ---- handlers ----

  asio::awaitable<void> dispatch(Connection& c, Incoming& incoming, Response& response) {
    const Route& route = *incoming.match.route;
    if (route.runs_on == RunsOn::kQuick) {
      response = run_handler(route, *incoming.request);
      co_return;
    }
    if (pending_ >= options_.max_pending_requests) {
      response = busy("too many requests are waiting");
      co_return;
    }
    auto pending = std::make_shared<Pending>(context_);
    incoming.request->client_gone = pending->client_gone;
    ++pending_;
    pool_.submit([this, pending, &route, request = incoming.request] {
      auto answer = std::make_shared<Response>(run_handler(route, *request));
      asio::post(context_, [pending, answer] {
        pending->response = std::move(*answer);
        pending->woken.cancel();
      });
    });
    clear_deadline(c);
    watch_client(c, pending);
    error_code ignored;
    while (!pending->response) {
      co_await pending->woken.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    --pending_;
    c.socket.cancel(ignored);  // the watch
    response = std::move(*pending->response);
  }

  // Tells the handler when the client hangs up. Bytes of a next request end the watch: they are read later.
  static void watch_client(Connection& c, const std::shared_ptr<Pending>& pending) {
    if (c.buffer.size() > 0) return;
    tcp::socket& socket = c.socket;
    socket.async_wait(tcp::socket::wait_read, [&socket, pending](const error_code& error) {
      if (error || pending->response) return;
      std::uint8_t byte = 0;
      error_code peek;
      socket.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, peek);
      if (peek && peek != asio::error::would_block)
        pending->client_gone->store(true, std::memory_order_relaxed);
    });
  }

  // The one place where exceptions of handlers end.
  Response run_handler(const Route& route, const Request& request) const {
    try {
      Result<Response> result = route.handler(request);
      if (result) return std::move(*result);
      const int status = status_of(result.error().code);
      if (status != 500) return error_response(status, result.error().message);
      spdlog::error("{} {}: {}", request.method, request.path, result.error().message);
    } catch (...) {
      log_failure(fmt::format("{} {}", request.method, request.path), std::current_exception());
    }
    return error_response(500, "internal error");
  }

  static void log_failure(const std::string& where, const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      spdlog::error("{}: exception: {}", where, error.what());
    } catch (...) {
      spdlog::error("{}: exception of unknown type", where);
    }
  }

  Response error_response(int status, const std::string& message) const {
    return options_.error_response ? options_.error_response(status, message)
                                   : Response::error(status, message);
  }

  Response busy(const std::string& message) const {
    Response response = error_response(503, message);
    response.headers.set("Retry-After", std::to_string(options_.retry_after_s));
    return response;
  }

  // ---- answers (socket thread) ----

  asio::awaitable<void> write_response(std::shared_ptr<Connection> connection, const Incoming& incoming,
                                       const Response& response, bool keep, bool& open) {
    Connection& c = *connection;
    const bool bodyless = response.status == 204 || response.status == 304;
    wire::response<wire::span_body<const std::uint8_t>> message;
    message.version(11);
    message.result(static_cast<unsigned>(response.status));
    message.reason(std::string(reason_phrase(response.status)));
    for (const auto& [name, value] : response.headers.fields()) message.insert(name, safe_field_value(value));
    message.set(wire::field::date, http_date());
    message.body() = {response.body.data(), bodyless ? 0 : response.body.size()};
    if (!bodyless) message.content_length(response.body.size());
    message.keep_alive(keep);

    error_code error;
    set_deadline(connection, std::chrono::milliseconds(options_.write_timeout_ms));
    wire::response_serializer<wire::span_body<const std::uint8_t>> serializer(message);
    if (incoming.head) {
      co_await wire::async_write_header(c.socket, serializer,
                                        asio::redirect_error(asio::use_awaitable, error));
    } else {
      co_await wire::async_write(c.socket, serializer, asio::redirect_error(asio::use_awaitable, error));
    }
    if (options_.on_access) {
      const std::chrono::duration<double, std::milli> elapsed = Clock::now() - c.request_start;
      const bool sent_body = !incoming.head && !bodyless;
      options_.on_access({c.remote_address, incoming.method, incoming.target, response.status,
                          sent_body ? static_cast<std::int64_t>(response.body.size()) : 0, elapsed.count()});
    }
    open = keep && !error;
    if (open || error) co_return;

    c.socket.shutdown(tcp::socket::shutdown_send, error);
    set_deadline(connection, kLingerTime);
    std::int64_t left = kLingerBytes;
    while (!error && left > 0) {
      c.buffer.clear();
      left -= static_cast<std::int64_t>(co_await c.socket.async_read_some(
          c.buffer.prepare(65536), asio::redirect_error(asio::use_awaitable, error)));
    }
  }

  // Constant after construction.
  const Router router_;
  const ServerOptions options_;
  tcp::endpoint local_;
  // The socket thread's.
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer slot_freed_, shutdown_deadline_;
  std::set<std::shared_ptr<Connection>> connections_;
  std::int64_t buffered_bytes_ = 0;
  int pending_ = 0;
  bool stopping_ = false;

  std::mutex stop_mutex_;  // orders callers of stop()
  std::thread thread_;     // guarded by stop_mutex_ once running
  ThreadPool pool_;        // synchronises itself; destroyed first: its tasks use what is above
};

Server::Server(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::start(Router router, ServerOptions options) {
  auto implementation = std::make_unique<Implementation>(std::move(router), std::move(options));
  TERRAPIN_TRY_STATUS(implementation->listen());
  implementation->run();
  return std::unique_ptr<Server>(new Server(std::move(implementation)));
}

int Server::port() const {
  return implementation_->port();
}
std::string Server::url() const {
  return implementation_->url();
}
void Server::stop() {
  implementation_->stop();
}

}  // namespace terrapin::http
