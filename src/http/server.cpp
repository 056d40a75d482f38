#include "http/server.h"

#include <fmt/chrono.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <limits>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "base/logging.h"
#include "base/parallel.h"
#include "http/response_head.h"
#include "http/spool.h"
#include "http/target.h"
#include "http/tls.h"

namespace terrapin::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

// What a client may still send after an answer that closes its connection; reading it keeps the answer from
// being destroyed by a reset.
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr std::int64_t kLingerBytes = 16 << 20;
constexpr std::size_t kPieceBytes = 256 << 10;  // written to or read from a file at one time
constexpr std::size_t kReadBytes = 64 << 10;  // of a body, from the socket at one time; starts its time anew
constexpr std::size_t kJoinedBytes = 64 << 10;  // a smaller body is sent together with its head
constexpr std::int64_t kSkippedBytes = 1
                                       << 20;  // of a refused request's body, before the connection is closed
constexpr std::size_t kIdleBufferBytes = 16 << 10;  // what a connection may hold between requests

// A body as bytes; its memory grows with what has arrived, not with what was announced.
struct ArrivingBody {
  using value_type = Bytes;
  class reader {
   public:
    template <bool kIsRequest, class Fields>
    reader(wire::header<kIsRequest, Fields>&, Bytes& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t size = 0;
      for (const asio::const_buffer buffer : beast::buffers_range_ref(buffers)) {
        const auto* bytes = static_cast<const std::uint8_t*>(buffer.data());
        body_.insert(body_.end(), bytes, bytes + buffer.size());
        size += buffer.size();
      }
      return size;
    }
    void finish(error_code& error) { error = {}; }

   private:
    Bytes& body_;
  };
};
using RequestParser = wire::request_parser<ArrivingBody>;

// A socket, with TLS on top or without; a stream in the sense of Asio.
class Channel {
 public:
  using Tls = asio::ssl::stream<tcp::socket&>;
  using executor_type = tcp::socket::executor_type;

  Channel(tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
      : socket_(std::move(socket)), context_(std::move(context)) {
    if (context_) tls_.emplace(socket_, *context_);
  }

  executor_type get_executor() { return socket_.get_executor(); }
  tcp::socket& socket() { return socket_; }
  bool secure() const { return tls_.has_value(); }
  Tls& tls() { return *tls_; }
  void go_on_without_tls() { tls_.reset(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto&& handler, const Buffers& into) {
          if (tls_) {
            tls_->async_read_some(into, std::forward<decltype(handler)>(handler));
          } else {
            socket_.async_read_some(into, std::forward<decltype(handler)>(handler));
          }
        },
        token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto&& handler, const Buffers& from) {
          if (tls_) {
            tls_->async_write_some(from, std::forward<decltype(handler)>(handler));
          } else {
            socket_.async_write_some(from, std::forward<decltype(handler)>(handler));
          }
        },
        token, buffers);
  }

 private:
  tcp::socket socket_;
  std::shared_ptr<asio::ssl::context> context_;  // what it was when the connection came; null: no TLS
  std::optional<Tls> tls_;
};

// All members belong to the socket thread.
struct Connection {
  Connection(tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
      : channel(std::move(socket), std::move(context)), deadline(channel.get_executor()) {}
  Channel channel;
  asio::steady_timer deadline;
  Clock::time_point deadline_at = Clock::time_point::max();
  bool deadline_armed = false;        // the timer runs and will look at deadline_at, at the latest then
  std::uint64_t deadline_number = 0;  // tells a timer that fired from the one that was set after it
  bool timed_out = false;
  beast::flat_buffer buffer;
  std::string remote_address;
  bool idle = true;  // no byte of a next request has been seen
  std::int64_t held_bytes = 0;
  Clock::time_point request_start;
};

// Work on another thread that a connection waits for. The other thread writes the results and posts
// `finish` to the socket thread.
struct Errand {
  explicit Errand(asio::io_context& context) : finished(context, Clock::time_point::max()) {}
  void finish() {
    done = true;
    finished.cancel();
  }
  asio::steady_timer finished;
  bool done = false;
};

struct HandlerErrand : Errand {
  explicit HandlerErrand(asio::io_context& context) : Errand(context), look_again(context) {}
  asio::steady_timer look_again;
  Response response;
  std::shared_ptr<std::atomic<bool>> client_gone = std::make_shared<std::atomic<bool>>(false);
};

struct PieceErrand : Errand {
  using Errand::Errand;
  Bytes bytes;  // read, or to be written
  Status status;
};

// What one request became: a request to handle, an answer to give at once, or (neither) a connection to drop.
struct Incoming {
  std::shared_ptr<Request> request;
  std::optional<Response> refusal;
  Router::Match match;
  std::string method, target;
  bool keep_alive = false;
  bool head = false;
  bool http_1_0 = false;
};

// A body on its way into a file.
struct Spooling {
  std::shared_ptr<SpoolFile> file;       // null: the body stays in memory
  std::shared_ptr<PieceErrand> writing;  // the piece before; its buffer is used again
};

std::string http_date(std::time_t time) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(time));
}

bool is_protocol_error(const error_code& error) {
  return error.category() == wire::make_error_code(wire::error::bad_method).category();
}

// The client spoke HTTP where TLS was expected.
bool is_plain_http(const error_code& error) {
  return error.category() == asio::error::get_ssl_category() &&
         ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
}

Status read_from(const ByteSource& source, std::int64_t offset, Bytes& bytes) {
  try {
    return source.read(offset, bytes);
  } catch (...) {
    return fail(ErrorCode::kInternal, "an answer's source threw an exception");
  }
}

// From the moment a Response leaves its handler, `body` holds the first piece of its source, and a source
// that fits into one piece is gone.
Status read_first_piece(Response& response) {
  const std::int64_t size = response.source->size();
  response.body.resize(static_cast<std::size_t>(std::min<std::int64_t>(size, kPieceBytes)));
  TERRAPIN_TRY_STATUS(read_from(*response.source, 0, response.body));
  if (size <= static_cast<std::int64_t>(kPieceBytes)) response.source.reset();
  return {};
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

  // Everything that can be wrong with the options, and the port.
  Status prepare() {
    if (options_.tls_certificate.empty() != options_.tls_key.empty()) {
      return fail(ErrorCode::kInvalidArgument, "TLS needs a certificate and a key: the {} is missing",
                  options_.tls_key.empty() ? "key" : "certificate");
    }
    if (!options_.tls_certificate.empty()) {
      TERRAPIN_TRY(tls_, read_tls_files(options_.tls_certificate, options_.tls_key));
    }
    if (options_.spool_above_bytes >= 0) {
      if (options_.spool_folder.empty()) {
        return fail(ErrorCode::kInvalidArgument,
                    "spool_above_bytes needs spool_folder, the folder to write to");
      }
      std::error_code error;
      std::filesystem::create_directories(options_.spool_folder, error);
      SpoolFile probe(options_.spool_folder);
      TERRAPIN_TRY_STATUS(probe.write(std::array<std::uint8_t, 1>{}));
    }
    return listen();
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

  Status reload_certificates() {
    if (options_.tls_certificate.empty()) {
      return fail(ErrorCode::kUnsupported, "the server runs without TLS: there is no certificate to reload");
    }
    TERRAPIN_TRY(auto fresh, read_tls_files(options_.tls_certificate, options_.tls_key));
    const std::lock_guard lock(tls_mutex_);
    tls_ = std::move(fresh);
    return {};
  }

  int port() const { return local_.port(); }

  std::string url() const {
    const std::string host = local_.address().to_string();
    const char* const scheme = options_.tls_certificate.empty() ? "http" : "https";
    return local_.address().is_v6() ? fmt::format("{}://[{}]:{}", scheme, host, local_.port())
                                    : fmt::format("{}://{}:{}", scheme, host, local_.port());
  }

 private:
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

  std::shared_ptr<asio::ssl::context> tls() const {
    const std::lock_guard lock(tls_mutex_);
    return tls_;
  }

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
      auto connection = std::make_shared<Connection>(std::move(socket), tls());
      connections_.insert(connection);
      asio::co_spawn(context_, serve(connection), [this, connection](const std::exception_ptr& failure) {
        if (failure) log_failure("connection", failure);
        release(*connection);
        clear_deadline(*connection);
        connection->deadline.cancel();
        error_code ignored;
        connection->channel.socket().close(ignored);
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
      if (connection->idle) set_deadline(connection, Clock::duration::zero());
    }
    if (connections_.empty()) return;
    shutdown_deadline_.expires_after(std::chrono::milliseconds(options_.shutdown_timeout_ms));
    shutdown_deadline_.async_wait([this](const error_code& error) {
      if (error) return;
      spdlog::warn("{} connections are closed unanswered: the shutdown time is over", connections_.size());
      for (const auto& connection : connections_) {
        error_code closing;
        connection->channel.socket().close(closing);
      }
    });
  }

  // From now on, once `time` is over, whatever waits on the socket is cancelled and `timed_out` is set.
  // Beast's own stream would close the socket instead, and then nobody could be told why. The timer is left
  // alone where it fires early enough: it then looks again, and a quick request costs no timer at all.
  static void set_deadline(const std::shared_ptr<Connection>& connection, Clock::duration time) {
    connection->timed_out = false;
    connection->deadline_at = Clock::now() + time;
    if (!connection->deadline_armed || connection->deadline_at < connection->deadline.expiry()) {
      arm(connection, connection->deadline_at);
    }
  }
  static void clear_deadline(Connection& connection) {
    connection.deadline_at = Clock::time_point::max();
    connection.timed_out = false;
  }
  static void arm(const std::shared_ptr<Connection>& connection, Clock::time_point when) {
    const std::uint64_t number = ++connection->deadline_number;
    connection->deadline_armed = true;
    connection->deadline.expires_at(when);
    connection->deadline.async_wait([connection, number](const error_code& error) {
      if (number != connection->deadline_number) return;
      connection->deadline_armed = false;
      if (error || connection->deadline_at == Clock::time_point::max()) return;
      const Clock::time_point now = Clock::now();
      if (now < connection->deadline_at) return arm(connection, connection->deadline_at);
      connection->timed_out = true;
      error_code ignored;
      connection->channel.socket().cancel(ignored);
      // A composed operation between two of its steps has nothing to cancel: ask again.
      arm(connection, now + std::chrono::milliseconds(10));
    });
  }

  // Counts what the connection holds in memory of a request's body.
  void hold(Connection& connection, std::size_t bytes) {
    buffered_bytes_ += static_cast<std::int64_t>(bytes) - connection.held_bytes;
    connection.held_bytes = static_cast<std::int64_t>(bytes);
  }
  void release(Connection& connection) { hold(connection, 0); }

  // ---- work on other threads (started and awaited on the socket thread) ----

  // `work` runs on a thread of `pool`; then the errand is done.
  template <class Kind, class Work>
  void send_out(ThreadPool& pool, const std::shared_ptr<Kind>& errand, Work work) {
    pool.submit([this, errand, work = std::move(work)]() mutable {
      work(*errand);
      asio::post(context_, [errand] { errand->finish(); });
    });
  }

  static asio::awaitable<void> wait_for(std::shared_ptr<Errand> errand) {
    error_code ignored;
    while (!errand->done) {
      co_await errand->finished.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }

  // The threads that read and write files for connections, apart from the handlers, which may all be busy.
  ThreadPool& piece_pool() {
    if (!piece_pool_) piece_pool_.emplace(std::clamp(options_.handler_threads, 2, 16));
    return *piece_pool_;
  }

  // Lets go of a file off the socket thread: the system may take long to give a large one's space back.
  template <class File>
  void let_go(File file) {
    if (file) piece_pool().submit([file = std::move(file)] {});
  }

  // ---- one connection (socket thread) ----

  asio::awaitable<void> serve(std::shared_ptr<Connection> connection) {
    Connection& c = *connection;
    error_code error;
    c.channel.socket().set_option(tcp::no_delay(true), error);
    const tcp::endpoint remote = c.channel.socket().remote_endpoint(error);
    if (error) co_return;
    c.remote_address = remote.address().to_string();

    bool open = true;
    if (c.channel.secure()) co_await shake_hands(connection, open);
    while (open && !stopping_) {
      c.idle = true;
      if (c.buffer.size() == 0) {
        if (c.buffer.capacity() > kIdleBufferBytes) c.buffer.shrink_to_fit();
        set_deadline(connection, std::chrono::milliseconds(options_.idle_timeout_ms));
        const std::size_t received = co_await c.channel.async_read_some(
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
        co_await dispatch(connection, incoming, response);
      }
      release(c);
      const bool keep = incoming.keep_alive && !stopping_;
      open = false;
      co_await write_response(connection, incoming, response, keep, open);
    }
  }

  // `open`: whether requests can be read now.
  asio::awaitable<void> shake_hands(std::shared_ptr<Connection> connection, bool& open) {
    Connection& c = *connection;
    error_code error;
    set_deadline(connection, std::chrono::milliseconds(options_.header_timeout_ms));
    co_await c.channel.tls().async_handshake(asio::ssl::stream_base::server,
                                             asio::redirect_error(asio::use_awaitable, error));
    open = !error;
    if (!is_plain_http(error)) co_return;
    c.channel.go_on_without_tls();
    c.request_start = Clock::now();
    Response hint = error_response(400, "this port speaks TLS: the address starts with https://");
    const Incoming unread;
    co_await write_response(connection, unread, hint, false, open);
  }

  asio::awaitable<void> read_request(std::shared_ptr<Connection> connection, Incoming& incoming) {
    Connection& c = *connection;
    RequestParser parser;
    parser.header_limit(static_cast<std::uint32_t>(
        std::min<std::int64_t>(options_.max_header_bytes, std::numeric_limits<std::uint32_t>::max())));
    parser.body_limit(static_cast<std::uint64_t>(options_.max_body_bytes));
    error_code error;
    // Control characters in a chunk's extensions are how one request is hidden in another.
    auto on_chunk = [](std::uint64_t, beast::string_view extensions, error_code& bad) {
      if (std::any_of(extensions.begin(), extensions.end(), [](char c) {
            return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
          }))
        bad = wire::error::bad_chunk_extension;
    };
    parser.on_chunk_header(on_chunk);

    set_deadline(connection, std::chrono::milliseconds(options_.header_timeout_ms));
    co_await wire::async_read_header(c.channel, c.buffer, parser,
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
    request->secure = c.channel.secure();
    for (const auto& field : parser.get()) {
      request->headers.add(std::string(field.name_string()), std::string(field.value()));
    }
    route(parser, *request, incoming);

    const bool expects_continue = beast::iequals(parser.get()[wire::field::expect], "100-continue");
    const auto announced = static_cast<std::int64_t>(parser.content_length().value_or(0));
    if (incoming.refusal && (expects_continue || !incoming.keep_alive || announced > kSkippedBytes)) {
      incoming.keep_alive = false;  // the body was neither asked for nor read
      co_return;
    }
    set_deadline(connection, std::chrono::milliseconds(options_.body_timeout_ms));
    if (expects_continue && !parser.is_done() && !incoming.http_1_0) {
      co_await send(connection, as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), error);
      if (error) co_return;
      set_deadline(connection, std::chrono::milliseconds(options_.body_timeout_ms));
    }
    if (!parser.is_done()) {
      Spooling spooling;
      const bool spool = options_.spool_above_bytes >= 0 && announced > options_.spool_above_bytes;
      if (spool && !incoming.refusal) spooling.file = std::make_shared<SpoolFile>(options_.spool_folder);
      bool complete = false;
      co_await read_body(connection, parser, incoming, spooling, complete);
      if (spooling.writing) co_await wait_for(spooling.writing);
      if (complete && spooling.file) request->spooled = spooling.file->finish();
      let_go(std::move(spooling.file));
      if (!complete) co_return;
    }
    if (incoming.refusal) co_return;  // the body is read and dropped: the connection can go on
    request->body = std::move(parser.get().body());
    incoming.request = std::move(request);
  }

  // `complete` only if the whole body was read; else the refusal says why or, without one, the connection is
  // to be dropped.
  asio::awaitable<void> read_body(std::shared_ptr<Connection> connection, RequestParser& parser,
                                  Incoming& incoming, Spooling& spooling, bool& complete) {
    Connection& c = *connection;
    Bytes& body = parser.get().body();
    std::int64_t skipped = 0;
    std::size_t since_deadline = 0;
    if (parser.chunked() || parser.content_length().value_or(0) > kIdleBufferBytes)
      c.buffer.reserve(kReadBytes);
    while (!parser.is_done()) {
      const std::size_t before = body.size();
      error_code error;
      co_await wire::async_read_some(c.channel, c.buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        incoming.refusal.reset();
        refuse_broken(c, error, incoming);
        co_return;
      }
      since_deadline += body.size() - before;
      if (since_deadline >= kReadBytes) {
        set_deadline(connection, std::chrono::milliseconds(options_.body_timeout_ms));
        since_deadline = 0;
      }
      if (incoming.refusal) {
        skipped += static_cast<std::int64_t>(body.size());
        body.clear();
        if (skipped > kSkippedBytes && !parser.is_done()) {
          incoming.keep_alive = false;
          co_return;
        }
        continue;
      }
      if (!spooling.file && options_.spool_above_bytes >= 0 &&
          static_cast<std::int64_t>(body.size()) > options_.spool_above_bytes) {
        spooling.file = std::make_shared<SpoolFile>(options_.spool_folder);
      }
      if (spooling.file) {
        if (body.size() < kPieceBytes && !parser.is_done()) continue;
        co_await spool_piece(connection, body, spooling, incoming);
        if (incoming.refusal) co_return;
        continue;
      }
      hold(c, body.size());
      if (buffered_bytes_ > options_.max_buffered_bytes && !body.empty()) {
        incoming.keep_alive = false;
        incoming.refusal = busy("too many request bodies are in flight");
        co_return;
      }
    }
    if (spooling.file) {
      co_await last_piece_written(connection, spooling, incoming);
      if (incoming.refusal) co_return;
    }
    complete = true;
  }

  // Sends `piece` on its way to the file once the one before has arrived there, and leaves an empty buffer.
  asio::awaitable<void> spool_piece(std::shared_ptr<Connection> connection, Bytes& piece, Spooling& spooling,
                                    Incoming& incoming) {
    Bytes next;
    if (spooling.writing) {
      co_await last_piece_written(connection, spooling, incoming);
      if (incoming.refusal) co_return;
      next = std::move(spooling.writing->bytes);
    }
    next.clear();
    next.reserve(kPieceBytes + kReadBytes);
    spooling.writing = std::make_shared<PieceErrand>(context_);
    spooling.writing->bytes = std::exchange(piece, std::move(next));
    release(*connection);
    send_out(piece_pool(), spooling.writing,
             [file = spooling.file](PieceErrand& errand) { errand.status = file->write(errand.bytes); });
  }

  asio::awaitable<void> last_piece_written(std::shared_ptr<Connection> connection, const Spooling& spooling,
                                           Incoming& incoming) {
    if (!spooling.writing->done) {
      clear_deadline(*connection);  // now it is us who are slow
      co_await wait_for(spooling.writing);
      set_deadline(connection, std::chrono::milliseconds(options_.body_timeout_ms));
    }
    const Status& status = spooling.writing->status;
    if (status) co_return;
    spdlog::error("{} {}: {}", incoming.method, incoming.target, status.error().message);
    incoming.keep_alive = false;
    incoming.refusal = status.error().code == ErrorCode::kNoSpace
                           ? error_response(507, "there is no space left for the request's body")
                           : error_response(500, "internal error");
  }

  static void describe(const RequestParser& parser, Incoming& incoming) {
    const auto& message = parser.get();
    incoming.method = std::string(message.method_string());
    incoming.target = std::string(message.target());
    incoming.head = incoming.method == "HEAD";
    incoming.keep_alive = message.keep_alive();
    incoming.http_1_0 = message.version() < 11;
  }

  // Finds the handler, or sets the refusal.
  void route(const RequestParser& parser, Request& request, Incoming& incoming) const {
    const auto& message = parser.get();
    const auto refuse = [&](int status, const std::string& text, bool keep_alive) {
      incoming.refusal = error_response(status, text);
      incoming.keep_alive = incoming.keep_alive && keep_alive;
    };
    if (!incoming.http_1_0 && message.count(wire::field::host) != 1) {
      return refuse(400, "an HTTP/1.1 request needs one Host field", false);
    }
    if (incoming.http_1_0 && message.count(wire::field::transfer_encoding) > 0) {
      return refuse(400, "an HTTP/1.0 request has no Transfer-Encoding", false);
    }
    if (message.count(wire::field::transfer_encoding) > 0 &&
        (!parser.chunked() || message.count(wire::field::transfer_encoding) > 1 ||
         !beast::iequals(message[wire::field::transfer_encoding], "chunked"))) {
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

  asio::awaitable<void> dispatch(std::shared_ptr<Connection> connection, Incoming& incoming,
                                 Response& response) {
    Connection& c = *connection;
    const Route& route = *incoming.match.route;
    if (route.runs_on == RunsOn::kQuick) {
      response = run_handler(route, *incoming.request);
      let_go(std::move(incoming.request->spooled));
      co_return;
    }
    if (pending_ >= options_.max_pending_requests) {
      let_go(std::move(incoming.request->spooled));
      response = busy("too many requests are waiting");
      co_return;
    }
    auto errand = std::make_shared<HandlerErrand>(context_);
    incoming.request->client_gone = errand->client_gone;
    ++pending_;
    // The request goes along: its last owner, who closes its file, is the other thread.
    send_out(pool_, errand,
             [this, &route, request = std::move(incoming.request)](HandlerErrand& own) mutable {
               own.response = run_handler(route, *request);
               request.reset();
             });
    clear_deadline(c);
    watch_client(connection, errand);
    co_await wait_for(errand);
    --pending_;
    errand->look_again.cancel();
    error_code ignored;
    c.channel.socket().cancel(ignored);  // the watch
    response = std::move(errand->response);
  }

  // Tells the handler when the client hangs up.
  static void watch_client(const std::shared_ptr<Connection>& connection,
                           const std::shared_ptr<HandlerErrand>& errand) {
    connection->channel.socket().async_wait(tcp::socket::wait_read,
                                            [connection, errand](const error_code& error) {
                                              if (!error && !errand->done) look_at_client(connection, errand);
                                            });
  }
  static void look_at_client(const std::shared_ptr<Connection>& connection,
                             const std::shared_ptr<HandlerErrand>& errand) {
    pollfd state{connection->channel.socket().native_handle(), POLLRDHUP, 0};
    if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
      errand->client_gone->store(true, std::memory_order_relaxed);
      return;
    }
    // Bytes of a next request, or of TLS, hide what comes after them: the socket stays readable.
    errand->look_again.expires_after(std::chrono::milliseconds(100));
    errand->look_again.async_wait([connection, errand](const error_code& error) {
      if (!error && !errand->done) look_at_client(connection, errand);
    });
  }

  // The one place where exceptions of handlers end.
  Response run_handler(const Route& route, const Request& request) const {
    try {
      Result<Response> result = route.handler(request);
      if (result) {
        const bool to_head = request.method == "HEAD";
        const Status status =
            result->source && has_body(*result, to_head) ? read_first_piece(*result) : Status();
        if (status) return std::move(*result);
        result = tl::unexpected<Error>(status.error());
      }
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

  static std::span<const std::uint8_t> as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }

  // All of `bytes`; every piece of them has the whole write time.
  asio::awaitable<void> send(std::shared_ptr<Connection> connection, std::span<const std::uint8_t> bytes,
                             error_code& error) {
    while (!bytes.empty()) {
      const std::size_t piece = std::min(bytes.size(), kPieceBytes);
      set_deadline(connection, std::chrono::milliseconds(options_.write_timeout_ms));
      for (std::size_t sent = 0; sent < piece;) {
        const std::size_t count =
            co_await connection->channel.async_write_some(asio::buffer(bytes.data() + sent, piece - sent),
                                                          asio::redirect_error(asio::use_awaitable, error));
        if (!error && connection->timed_out) error = asio::error::timed_out;
        if (error) co_return;
        sent += count;
      }
      bytes = bytes.subspan(piece);
    }
  }

  std::shared_ptr<PieceErrand> read_ahead(const ByteSourcePtr& source, std::int64_t offset, Bytes buffer) {
    const std::int64_t left = source->size() - offset;
    if (left <= 0) return nullptr;
    buffer.resize(static_cast<std::size_t>(std::min<std::int64_t>(left, kPieceBytes)));
    auto errand = std::make_shared<PieceErrand>(context_);
    errand->bytes = std::move(buffer);
    send_out(piece_pool(), errand,
             [source, offset](PieceErrand& own) { own.status = read_from(*source, offset, own.bytes); });
    return errand;
  }

  // The body from `offset` on, reading one piece while the one before is sent.
  asio::awaitable<void> send_source(std::shared_ptr<Connection> connection, const Incoming& incoming,
                                    Response& response, error_code& error) {
    const ByteSourcePtr source = std::move(response.source);
    auto offset = static_cast<std::int64_t>(response.body.size());
    auto ahead = read_ahead(source, offset, {});
    co_await send(connection, response.body, error);
    Bytes piece = std::move(response.body);
    while (ahead) {
      if (!ahead->done) {
        clear_deadline(*connection);
        co_await wait_for(ahead);
      }
      if (error) break;
      if (!ahead->status) {
        spdlog::error("{} {}: the answer is cut off: {}", incoming.method, incoming.target,
                      ahead->status.error().message);
        error = asio::error::broken_pipe;
        break;
      }
      std::swap(piece, ahead->bytes);
      offset += static_cast<std::int64_t>(piece.size());
      ahead = read_ahead(source, offset, std::move(ahead->bytes));
      co_await send(connection, piece, error);
    }
    let_go(source);
  }

  asio::awaitable<void> write_response(std::shared_ptr<Connection> connection, const Incoming& incoming,
                                       Response& response, bool keep, bool& open) {
    Connection& c = *connection;
    const bool sends_body = has_body(response, incoming.head);
    const std::int64_t size = sends_body ? body_bytes(response) : 0;
    std::string head = response_head(response, {incoming.head, keep, incoming.http_1_0}, date());
    error_code error;
    if (sends_body && response.source) {
      co_await send(connection, as_bytes(head), error);
      if (!error) co_await send_source(connection, incoming, response, error);
    } else if (sends_body && response.body.size() > kJoinedBytes) {
      co_await send(connection, as_bytes(head), error);
      if (!error) co_await send(connection, response.body, error);
    } else {
      if (sends_body) head.append(response.body.begin(), response.body.end());
      co_await send(connection, as_bytes(head), error);
    }
    let_go(std::move(response.source));
    if (options_.on_access) {
      const std::chrono::duration<double, std::milli> elapsed = Clock::now() - c.request_start;
      options_.on_access(
          {c.remote_address, incoming.method, incoming.target, response.status, size, elapsed.count()});
    }
    open = keep && !error;
    if (!open && !error) co_await hang_up(connection);
  }

  // Closes so that the answer before arrives.
  static asio::awaitable<void> hang_up(std::shared_ptr<Connection> connection) {
    Connection& c = *connection;
    error_code error;
    set_deadline(connection, kLingerTime);
    if (c.channel.secure()) {
      co_await c.channel.tls().async_shutdown(asio::redirect_error(asio::use_awaitable, error));
    }
    c.channel.socket().shutdown(tcp::socket::shutdown_send, error);
    std::int64_t left = kLingerBytes;
    while (!error && left > 0 && !c.timed_out) {
      c.buffer.clear();
      left -= static_cast<std::int64_t>(co_await c.channel.socket().async_read_some(
          c.buffer.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, error)));
    }
  }

  // "Sun, 06 Nov 1994 08:49:37 GMT", now.
  const std::string& date() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    if (now != date_time_) {
      date_ = http_date(now);
      date_time_ = now;
    }
    return date_;
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
  std::time_t date_time_ = 0;  // of date_
  std::string date_;

  mutable std::mutex tls_mutex_;
  std::shared_ptr<asio::ssl::context> tls_;  // for new connections; null: no TLS; guarded by tls_mutex_
  std::mutex stop_mutex_;                    // orders callers of stop()
  std::thread thread_;                       // guarded by stop_mutex_ once running
  // Synchronise themselves; destroyed first: their tasks use what is above. The second is made by the socket
  // thread when it is first needed.
  ThreadPool pool_;
  std::optional<ThreadPool> piece_pool_;
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
