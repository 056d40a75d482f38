// A client's socket. Inside this folder only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <memory>
#include <optional>
#include <utility>

namespace terrapin::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

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

}  // namespace terrapin::http
