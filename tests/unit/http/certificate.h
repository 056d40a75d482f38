// Self-signed certificates and a client that speaks TLS.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/files.h"
#include "unit/http/client.h"

namespace terrapin::testing {

struct CertificateFiles {
  std::filesystem::path certificate, key;
};

inline std::string pem_text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// A fresh pair of keys for `name`, valid for an hour, as <stem>.crt and <stem>.key in `folder`.
inline CertificateFiles make_certificate(const std::filesystem::path& folder, const std::string& stem,
                                         const std::string& name, const char* password = nullptr) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  if (X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0) throw std::runtime_error("X509_sign");

  BIO* const certificate_pem = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_pem, certificate.get());
  BIO* const key_pem = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key_pem, key.get(), password != nullptr ? EVP_aes_256_cbc() : nullptr, nullptr, 0,
                           nullptr, const_cast<char*>(password));
  CertificateFiles files{folder / (stem + ".crt"), folder / (stem + ".key")};
  if (!write_file_atomically(files.certificate, pem_text(certificate_pem)) ||
      !write_file_atomically(files.key, pem_text(key_pem))) {
    throw std::runtime_error("cannot write the certificate");
  }
  return files;
}

// Talks to 127.0.0.1 and believes whatever certificate it is shown.
class TlsClient final : public RawClient {
 public:
  explicit TlsClient(int port, int highest_version = TLS1_3_VERSION)
      : RawClient(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), tls_(nullptr, &SSL_free) {
    ::signal(SIGPIPE, SIG_IGN);                     // OpenSSL writes to sockets without MSG_NOSIGNAL
    SSL_CTX_set_security_level(context_.get(), 0);  // old versions too
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), highest_version);
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), socket());
    secure_ = SSL_connect(tls_.get()) == 1;
  }
  bool secure() const { return secure_; }
  std::string version() const { return SSL_get_version(tls_.get()); }
  // The common name in the server's certificate.
  std::string peer() const {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(tls_.get()),
                                                                  &X509_free);
    char name[256] = "";
    if (certificate) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
    }
    return name;
  }
  // Whether the server has said that nothing more will come.
  bool closed_properly() const { return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  // Says the same, and leaves the socket open.
  void say_goodbye() { SSL_shutdown(tls_.get()); }

 private:
  ssize_t write_some(const char* bytes, std::size_t size) override {
    return SSL_write(tls_.get(), bytes, static_cast<int>(std::min<std::size_t>(size, 1 << 20)));
  }
  ssize_t read_some(char* bytes, std::size_t size) override {
    return SSL_read(tls_.get(), bytes, static_cast<int>(size));
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
  bool secure_ = false;
};

}  // namespace terrapin::testing
