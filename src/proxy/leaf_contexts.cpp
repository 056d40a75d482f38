#include "proxy/leaf_contexts.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>

namespace terrapin::proxy {
namespace {

namespace ssl = boost::asio::ssl;

// "http/1.1" where the client offers protocols at all: the service behind speaks no other.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, kOurs, sizeof kOurs - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<ssl::context>> context_of(const Leaf& leaf) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(native, &choose_protocol, nullptr);
  boost::system::error_code error;
  context->use_private_key(boost::asio::buffer(leaf.key), ssl::context::pem, error);
  if (!error) context->use_certificate_chain(boost::asio::buffer(leaf.certificate), error);
  if (error) return fail(ErrorCode::kInternal, "a leaf of the authority cannot be used: {}", error.message());
  return context;
}

}  // namespace

Result<std::shared_ptr<ssl::context>> LeafContexts::of(const std::string& host) {
  const Timestamp now = clock_.now();
  const auto found = entries_.find(host);
  if (found != entries_.end()) {
    order_.splice(order_.begin(), order_, found->second.place);
    if (now < found->second.renewed) return found->second.context;
  }
  TERRAPIN_TRY(const Leaf leaf, authority_.issue(host));
  TERRAPIN_TRY(auto context, context_of(leaf));
  if (found != entries_.end()) {
    found->second.context = context;
    found->second.renewed = now + kLeafLifetime / 2;
    return context;
  }
  order_.push_front(host);
  entries_[host] = {context, now + kLeafLifetime / 2, order_.begin()};
  if (entries_.size() > most_) {
    entries_.erase(order_.back());
    order_.pop_back();
  }
  return context;
}

}  // namespace terrapin::proxy
