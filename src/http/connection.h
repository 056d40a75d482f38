// One client's connection: its requests are read, handled and answered one after another. Inside this folder
// only. connection_read.cpp holds the way of a request in.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/channel.h"
#include "http/server_core.h"

namespace terrapin::http {

constexpr std::size_t kReadBytes = 64 << 10;  // of a body, from the socket at one time; starts its time anew
constexpr std::size_t kIdleBufferBytes = 16 << 10;  // what a connection may hold between requests

inline std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Everything belongs to the socket thread. The core outlives it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `tls` null: none.
  Connection(ServerCore& core, tcp::socket socket, std::shared_ptr<asio::ssl::context> tls);

  // Until the client is gone or to be gone. Whoever runs this holds the Connection, and calls finish() then.
  asio::awaitable<void> serve();
  void finish();
  // Between two requests: ends it soon. Otherwise nothing.
  void end_if_idle();
  // Whatever it is doing.
  void close();

 private:
  // What one request became: a request to handle, an answer to give at once, or (neither) a connection to
  // drop.
  struct Incoming {
    std::shared_ptr<Request> request;
    std::optional<Response> refusal;
    Router::Match match;
    std::string method, target;
    bool keep_alive = false;
    bool head = false;
    bool http_1_0 = false;
  };

  struct Reading;  // the body on its way

  void set_deadline(Clock::duration time);
  void clear_deadline();
  void arm(Clock::time_point when);
  void hold(std::size_t bytes);
  void release() { hold(0); }

  asio::awaitable<void> shake_hands(bool& open);

  // connection_read.cpp
  asio::awaitable<void> read_request(Incoming& incoming);
  asio::awaitable<void> admit(Reading& reading, std::shared_ptr<Request> head, Incoming& incoming);
  void refuse_large(const Reading& reading, Incoming& incoming) const;
  void make_room(Reading& reading, std::int64_t bytes, Incoming& incoming) const;
  asio::awaitable<void> read_body(Reading& reading, Incoming& incoming, bool& complete);
  asio::awaitable<void> spool_piece(Bytes& piece, Reading& reading, Incoming& incoming);
  asio::awaitable<void> last_piece_written(const Reading& reading, Incoming& incoming);
  void route(const Reading& reading, Request& request, Incoming& incoming) const;
  void refuse_broken(const Reading& reading, const error_code& error, Incoming& incoming) const;

  asio::awaitable<void> dispatch(Incoming& incoming, Response& response);
  void watch_client(const std::shared_ptr<HandlerErrand>& errand);
  void look_at_client(const std::shared_ptr<HandlerErrand>& errand);

  asio::awaitable<void> send(std::span<const std::uint8_t> bytes, error_code& error);
  std::shared_ptr<PieceErrand> read_ahead(const ByteSourcePtr& source, std::int64_t offset, Bytes buffer);
  asio::awaitable<void> send_source(const Incoming& incoming, Response& response, error_code& error);
  asio::awaitable<void> write_response(const Incoming& incoming, Response& response, bool keep, bool& open);
  asio::awaitable<void> hang_up();

  ServerCore& core_;
  Channel channel_;
  asio::steady_timer deadline_;
  Clock::time_point deadline_at_ = Clock::time_point::max();
  bool deadline_armed_ = false;        // the timer runs and will look at deadline_at_, at the latest then
  std::uint64_t deadline_number_ = 0;  // tells a timer that fired from the one that was set after it
  bool timed_out_ = false;
  boost::beast::flat_buffer buffer_;
  std::string remote_address_;
  bool idle_ = true;  // no byte of a next request has been seen
  std::int64_t held_bytes_ = 0;
  Clock::time_point request_start_;
};

}  // namespace terrapin::http
