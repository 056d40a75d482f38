#include "http/connection.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <poll.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/logging.h"
#include "http/response_head.h"

namespace terrapin::http {
namespace {

// What a client may still send after an answer that closes its connection; reading it keeps the answer from
// being destroyed by a reset.
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr std::int64_t kLingerBytes = 16 << 20;
constexpr std::size_t kJoinedBytes = 64 << 10;  // a smaller body is sent together with its head

// The client spoke HTTP where TLS was expected.
bool is_plain_http(const error_code& error) {
  return error.category() == asio::error::get_ssl_category() &&
         ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
}

}  // namespace

Connection::Connection(ServerCore& core, tcp::socket socket, std::shared_ptr<asio::ssl::context> tls)
    : core_(core), channel_(std::move(socket), std::move(tls)), deadline_(channel_.get_executor()) {}

void Connection::finish() {
  release();
  clear_deadline();
  deadline_.cancel();
  close();
}

void Connection::end_if_idle() {
  if (idle_) set_deadline(Clock::duration::zero());
}

void Connection::close() {
  error_code ignored;
  channel_.socket().close(ignored);
}

// From now on, once `time` is over, whatever waits on the socket is cancelled and `timed_out_` is set.
// Beast's own stream would close the socket instead, and then nobody could be told why. The timer is left
// alone where it fires early enough: it then looks again, and a quick request costs no timer at all.
void Connection::set_deadline(Clock::duration time) {
  timed_out_ = false;
  deadline_at_ = Clock::now() + time;
  if (!deadline_armed_ || deadline_at_ < deadline_.expiry()) {
    arm(deadline_at_);
  }
}
void Connection::clear_deadline() {
  deadline_at_ = Clock::time_point::max();
  timed_out_ = false;
}
void Connection::arm(Clock::time_point when) {
  const std::uint64_t number = ++deadline_number_;
  deadline_armed_ = true;
  deadline_.expires_at(when);
  deadline_.async_wait([this, self = shared_from_this(), number](const error_code& error) {
    if (number != deadline_number_) return;
    deadline_armed_ = false;
    if (error || deadline_at_ == Clock::time_point::max()) return;
    const Clock::time_point now = Clock::now();
    if (now < deadline_at_) return arm(deadline_at_);
    timed_out_ = true;
    error_code ignored;
    channel_.socket().cancel(ignored);
    // A composed operation between two of its steps has nothing to cancel: ask again.
    arm(now + std::chrono::milliseconds(10));
  });
}

// Counts what the connection holds in memory of a request's body.
void Connection::hold(std::size_t bytes) {
  core_.buffered_bytes += static_cast<std::int64_t>(bytes) - held_bytes_;
  held_bytes_ = static_cast<std::int64_t>(bytes);
}

asio::awaitable<void> Connection::serve() {
  error_code error;
  channel_.socket().set_option(tcp::no_delay(true), error);
  const tcp::endpoint remote = channel_.socket().remote_endpoint(error);
  if (error) co_return;
  remote_address_ = remote.address().to_string();

  bool open = true;
  if (channel_.secure()) co_await shake_hands(open);
  while (open && !core_.stopping) {
    idle_ = true;
    if (buffer_.size() == 0) {
      if (buffer_.capacity() > kIdleBufferBytes) buffer_.shrink_to_fit();
      set_deadline(std::chrono::milliseconds(core_.options.idle_timeout_ms));
      const std::size_t received = co_await channel_.async_read_some(
          buffer_.prepare(4096), asio::redirect_error(asio::use_awaitable, error));
      if (error || received == 0) co_return;
      buffer_.commit(received);
    }
    idle_ = false;
    request_start_ = Clock::now();

    Incoming incoming;
    co_await read_request(incoming);
    if (!incoming.request && !incoming.refusal) co_return;
    Response response;
    if (incoming.refusal) {
      response = std::move(*incoming.refusal);
    } else {
      co_await dispatch(incoming, response);
    }
    release();
    const bool keep = incoming.keep_alive && !core_.stopping;
    open = false;
    co_await write_response(incoming, response, keep, open);
  }
}

// `open`: whether requests can be read now.
asio::awaitable<void> Connection::shake_hands(bool& open) {
  error_code error;
  set_deadline(std::chrono::milliseconds(core_.options.header_timeout_ms));
  co_await channel_.tls().async_handshake(asio::ssl::stream_base::server,
                                          asio::redirect_error(asio::use_awaitable, error));
  open = !error;
  if (!is_plain_http(error)) co_return;
  channel_.go_on_without_tls();
  request_start_ = Clock::now();
  Response hint = core_.error_response(400, "this port speaks TLS: the address starts with https://");
  const Incoming unread;
  co_await write_response(unread, hint, false, open);
}

// ---- handlers ----

asio::awaitable<void> Connection::dispatch(Incoming& incoming, Response& response) {
  const Route& route = *incoming.match.route;
  if (route.runs_on == RunsOn::kQuick) {
    response = core_.run_handler(route, *incoming.request);
    core_.let_go(std::move(incoming.request->spooled));
    co_return;
  }
  if (core_.pending >= core_.options.max_pending_requests) {
    core_.let_go(std::move(incoming.request->spooled));
    response = core_.busy("too many requests are waiting");
    co_return;
  }
  auto errand = std::make_shared<HandlerErrand>(core_.context);
  incoming.request->client_gone = errand->client_gone;
  ++core_.pending;
  // The request goes along: its last owner, who closes its file, is the other thread.
  core_.send_out(core_.handlers, errand,
                 [&core = core_, &route, request = std::move(incoming.request)](HandlerErrand& own) mutable {
                   own.response = core.run_handler(route, *request);
                   request.reset();
                 });
  clear_deadline();
  watch_client(errand);
  co_await wait_for(errand);
  --core_.pending;
  errand->look_again.cancel();
  error_code ignored;
  channel_.socket().cancel(ignored);  // the watch
  response = std::move(errand->response);
}

// Tells the handler when the client hangs up.
void Connection::watch_client(const std::shared_ptr<HandlerErrand>& errand) {
  channel_.socket().async_wait(tcp::socket::wait_read,
                               [this, self = shared_from_this(), errand](const error_code& error) {
                                 if (!error && !errand->done) look_at_client(errand);
                               });
}
void Connection::look_at_client(const std::shared_ptr<HandlerErrand>& errand) {
  pollfd state{channel_.socket().native_handle(), POLLRDHUP, 0};
  if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
    errand->client_gone->store(true, std::memory_order_relaxed);
    return;
  }
  // Bytes of a next request, or of TLS, hide what comes after them: the socket stays readable.
  errand->look_again.expires_after(std::chrono::milliseconds(100));
  errand->look_again.async_wait([this, self = shared_from_this(), errand](const error_code& error) {
    if (!error && !errand->done) look_at_client(errand);
  });
}

// ---- answers ----

// All of `bytes`; every piece of them has the whole write time.
asio::awaitable<void> Connection::send(std::span<const std::uint8_t> bytes, error_code& error) {
  while (!bytes.empty()) {
    const std::size_t piece = std::min(bytes.size(), kPieceBytes);
    set_deadline(std::chrono::milliseconds(core_.options.write_timeout_ms));
    for (std::size_t sent = 0; sent < piece;) {
      const std::size_t count = co_await channel_.async_write_some(
          asio::buffer(bytes.data() + sent, piece - sent), asio::redirect_error(asio::use_awaitable, error));
      if (!error && timed_out_) error = asio::error::timed_out;
      if (error) co_return;
      sent += count;
    }
    bytes = bytes.subspan(piece);
  }
}

std::shared_ptr<PieceErrand> Connection::read_ahead(const ByteSourcePtr& source, std::int64_t offset,
                                                    Bytes buffer) {
  const std::int64_t left = source->size() - offset;
  if (left <= 0) return nullptr;
  buffer.resize(static_cast<std::size_t>(std::min<std::int64_t>(left, kPieceBytes)));
  auto errand = std::make_shared<PieceErrand>(core_.context);
  errand->bytes = std::move(buffer);
  core_.send_out(core_.piece_pool(), errand,
                 [source, offset](PieceErrand& own) { own.status = read_from(*source, offset, own.bytes); });
  return errand;
}

// The body from `offset` on, reading one piece while the one before is sent.
asio::awaitable<void> Connection::send_source(const Incoming& incoming, Response& response,
                                              error_code& error) {
  const ByteSourcePtr source = std::move(response.source);
  auto offset = static_cast<std::int64_t>(response.body.size());
  auto ahead = read_ahead(source, offset, {});
  co_await send(response.body, error);
  Bytes piece = std::move(response.body);
  while (ahead) {
    if (!ahead->done) {
      clear_deadline();
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
    co_await send(piece, error);
  }
  core_.let_go(source);
}

asio::awaitable<void> Connection::write_response(const Incoming& incoming, Response& response, bool keep,
                                                 bool& open) {
  const bool sends_body = has_body(response, incoming.head);
  const std::int64_t size = sends_body ? body_bytes(response) : 0;
  std::string head = response_head(response, {incoming.head, keep, incoming.http_1_0}, core_.date());
  error_code error;
  if (sends_body && response.source) {
    co_await send(as_bytes(head), error);
    if (!error) co_await send_source(incoming, response, error);
  } else if (sends_body && response.body.size() > kJoinedBytes) {
    co_await send(as_bytes(head), error);
    if (!error) co_await send(response.body, error);
  } else {
    if (sends_body) head.append(response.body.begin(), response.body.end());
    co_await send(as_bytes(head), error);
  }
  core_.let_go(std::move(response.source));
  if (core_.options.on_access) {
    const std::chrono::duration<double, std::milli> elapsed = Clock::now() - request_start_;
    core_.options.on_access(
        {remote_address_, incoming.method, incoming.target, response.status, size, elapsed.count()});
  }
  open = keep && !error;
  if (!open && !error) co_await hang_up();
}

// Closes so that the answer before arrives.
asio::awaitable<void> Connection::hang_up() {
  error_code error;
  set_deadline(kLingerTime);
  if (channel_.secure()) {
    co_await channel_.tls().async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  }
  channel_.socket().shutdown(tcp::socket::shutdown_send, error);
  std::int64_t left = kLingerBytes;
  while (!error && left > 0 && !timed_out_) {
    buffer_.clear();
    left -= static_cast<std::int64_t>(co_await channel_.socket().async_read_some(
        buffer_.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, error)));
  }
}

}  // namespace terrapin::http
