// A socket, with TLS on it or without. Inside this folder only.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace terrapin::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

inline auto into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable, error);
}

// Each direction ends by itself: Asio's stream, asked to say the end, reads on and drops what the other side
// still sends. One reader and one writer at a time, all on one thread.
class Channel {
 public:
  explicit Channel(tcp::socket socket)
      : socket_(std::move(socket)), flushed_(socket_.get_executor(), asio::steady_timer::time_point::max()) {}

  tcp::socket& socket() { return socket_; }
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }

  // Puts TLS on it as a server; `received`: what was read from the socket already. `context` must outlive it.
  asio::awaitable<void> accept_tls(asio::ssl::context& context, std::string_view received, error_code& error);
  // The same as a client of `host`, whose certificate is held to that name if the context verifies.
  asio::awaitable<void> connect_tls(asio::ssl::context& context, const std::string& host, error_code& error);

  // At least one byte, or an error: asio::error::eof once the other side has ended its sending.
  asio::awaitable<std::size_t> read_some(std::span<std::uint8_t> bytes, error_code& error);
  asio::awaitable<void> write(std::span<const std::uint8_t> bytes, error_code& error);
  // Tells the other side that nothing more will come. What it sends can be read on.
  asio::awaitable<void> end_sending(error_code& error);

 private:
  struct Free {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  bool put_on(asio::ssl::context& context, error_code& error);
  asio::awaitable<void> shake_hands(error_code& error);
  asio::awaitable<void> receive(error_code& error);
  asio::awaitable<void> flush(error_code& error);

  tcp::socket socket_;
  std::unique_ptr<SSL, Free> tls_;                 // null: none
  BIO *incoming_ = nullptr, *outgoing_ = nullptr;  // tls_ owns them
  bool flushing_ = false;
  asio::steady_timer flushed_;
};

}  // namespace terrapin::proxy
