#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>

#include "base/files.h"

namespace terrapin::http {
namespace {

namespace ssl = boost::asio::ssl;
constexpr std::int64_t kLargestPem = 1 << 20;

Result<Bytes> read_pem(const std::filesystem::path& path, const char* what) {
  auto bytes = read_file(path, kLargestPem);
  if (!bytes) return with_context(std::move(bytes.error()), what);
  return bytes;
}

// "http/1.1" where the client offers protocols at all; others may go on without.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, kOurs, sizeof kOurs - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::shared_ptr<ssl::context>> read_tls_files(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key) {
  TERRAPIN_TRY(const Bytes chain_pem, read_pem(certificate, "TLS certificate"));
  TERRAPIN_TRY(const Bytes key_pem, read_pem(key, "TLS key"));

  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20");  // of TLS 1.2; those of 1.3 are all good
  SSL_CTX_set_options(native,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle connection holds no buffers
  SSL_CTX_set_alpn_select_cb(native, &choose_protocol, nullptr);

  boost::system::error_code error;
  // Without it OpenSSL would ask for a password on the terminal.
  context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); },
                                 error);
  // The key first: OpenSSL then compares it with the certificate once, below, and not while it parses.
  context->use_private_key(boost::asio::buffer(key_pem), ssl::context::pem, error);
  if (error) {
    return fail(ErrorCode::kCorrupt, "TLS key: {}: not a PEM private key without a password: {}",
                key.string(), error.message());
  }
  context->use_certificate_chain(boost::asio::buffer(chain_pem), error);
  if (error) {
    return fail(ErrorCode::kCorrupt, "TLS certificate: {}: not a PEM certificate chain: {}",
                certificate.string(), error.message());
  }
  const bool belongs = SSL_CTX_check_private_key(native) == 1;
  ERR_clear_error();
  if (!belongs) {
    return fail(ErrorCode::kInvalidArgument,
                "TLS key: {}: does not belong to the certificate in {}: give the key it was made with",
                key.string(), certificate.string());
  }
  return context;
}

}  // namespace terrapin::http
