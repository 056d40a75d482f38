#include "proxy/channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <vector>

namespace terrapin::proxy {
namespace {

constexpr std::size_t kReadBytes = 32 << 10;

error_code tls_failure() {
  const unsigned long number = ERR_get_error();
  ERR_clear_error();
  if (number == 0) return asio::error::connection_aborted;
  return {static_cast<int>(number), asio::error::get_ssl_category()};
}

}  // namespace

bool Channel::put_on(asio::ssl::context& context, error_code& error) {
  ERR_clear_error();
  tls_.reset(SSL_new(context.native_handle()));
  incoming_ = BIO_new(BIO_s_mem());
  outgoing_ = BIO_new(BIO_s_mem());
  if (!tls_ || incoming_ == nullptr || outgoing_ == nullptr) {
    BIO_free(incoming_);
    BIO_free(outgoing_);
    error = asio::error::no_memory;
    return false;
  }
  SSL_set_bio(tls_.get(), incoming_, outgoing_);
  return true;
}

asio::awaitable<void> Channel::accept_tls(asio::ssl::context& context, std::string_view received,
                                          error_code& error) {
  if (!put_on(context, error)) co_return;
  if (!received.empty()) BIO_write(incoming_, received.data(), static_cast<int>(received.size()));
  SSL_set_accept_state(tls_.get());
  co_await shake_hands(error);
}

asio::awaitable<void> Channel::connect_tls(asio::ssl::context& context, const std::string& host,
                                           error_code& error) {
  if (!put_on(context, error)) co_return;
  SSL* const tls = tls_.get();
  SSL_set_connect_state(tls);
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  SSL_set_alpn_protos(tls, kProtocols, sizeof kProtocols - 1);
  error_code no_address;
  asio::ip::make_address(host, no_address);
  // A literal address has no place in the handshake (RFC 6066), and is another kind of name in certificates.
  const bool named =
      no_address ? SSL_set_tlsext_host_name(tls, host.c_str()) == 1 && SSL_set1_host(tls, host.c_str()) == 1
                 : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str()) == 1;
  if (!named) {
    error = tls_failure();
    co_return;
  }
  co_await shake_hands(error);
}

asio::awaitable<void> Channel::shake_hands(error_code& error) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    const int state = SSL_get_error(tls_.get(), result);
    const error_code failure = result == 1 || state == SSL_ERROR_WANT_READ ? error_code() : tls_failure();
    co_await flush(error);  // also the alert that says why
    if (failure) error = failure;
    if (error || result == 1) co_return;
    co_await receive(error);
    if (error) co_return;
  }
}

// What the socket gives, for TLS.
asio::awaitable<void> Channel::receive(error_code& error) {
  std::array<std::uint8_t, kReadBytes> block;
  const std::size_t got = co_await socket_.async_read_some(asio::buffer(block), into(error));
  if (!error) BIO_write(incoming_, block.data(), static_cast<int>(got));
}

// What TLS has to say, to the socket. The reader has something now and then too: one of both writes at a
// time.
asio::awaitable<void> Channel::flush(error_code& error) {
  while (flushing_) {
    error_code woken;
    co_await flushed_.async_wait(into(woken));
  }
  flushing_ = true;
  std::vector<std::uint8_t> bytes;
  while (!error) {
    bytes.resize(BIO_ctrl_pending(outgoing_));
    if (bytes.empty()) break;
    BIO_read(outgoing_, bytes.data(), static_cast<int>(bytes.size()));
    co_await asio::async_write(socket_, asio::buffer(bytes), into(error));
  }
  flushing_ = false;
  flushed_.cancel();
}

asio::awaitable<std::size_t> Channel::read_some(std::span<std::uint8_t> bytes, error_code& error) {
  if (!tls_)
    co_return co_await socket_.async_read_some(asio::buffer(bytes.data(), bytes.size()), into(error));
  for (;;) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(tls_.get(), bytes.data(), bytes.size(), &got);
    if (result == 1) co_return got;
    const int state = SSL_get_error(tls_.get(), result);
    if (state == SSL_ERROR_ZERO_RETURN) {
      error = asio::error::eof;
      co_return 0;
    }
    if (state != SSL_ERROR_WANT_READ) {
      error = tls_failure();
      co_return 0;
    }
    if (BIO_ctrl_pending(outgoing_) > 0) co_await flush(error);
    if (!error) co_await receive(error);  // its eof is an end too, if an unfriendly one
    if (error) co_return 0;
  }
}

asio::awaitable<void> Channel::write(std::span<const std::uint8_t> bytes, error_code& error) {
  if (!tls_) {
    co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), into(error));
    co_return;
  }
  ERR_clear_error();
  std::size_t put = 0;  // all of it: there is no limit to what a memory BIO takes
  if (SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &put) != 1) {
    error = tls_failure();
    co_return;
  }
  co_await flush(error);
}

asio::awaitable<void> Channel::end_sending(error_code& error) {
  if (tls_) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
    ERR_clear_error();
    co_await flush(error);
  }
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace terrapin::proxy
