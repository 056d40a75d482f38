#include "proxy/authority.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>
#include <system_error>

#include "base/private_file.h"

namespace terrapin::proxy {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kLifetime{24 * 3652};
constexpr std::chrono::hours kRenewedBefore{24 * 31};
// Clocks of this machine's containers may differ a little.
constexpr std::chrono::minutes kBackdated{5};

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(BIGNUM* number) const { BN_free(number); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// Nothing that a user's value could bring about.
tl::unexpected<Error> openssl_failure(const char* what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return fail(ErrorCode::kInternal, "certificates: {}: {}", what, text.data());
}

Result<Owned<EVP_PKEY>> new_key() {
  Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failure("making a key");
  return key;
}

template <class Write>
Result<std::string> pem_text(Write write) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return openssl_failure("writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}
Result<std::string> pem_of(const X509& certificate) {
  return pem_text([&](BIO* bio) { return PEM_write_bio_X509(bio, &certificate); });
}
Result<std::string> pem_of(EVP_PKEY& key) {
  return pem_text(
      [&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, &key, nullptr, nullptr, 0, nullptr, nullptr); });
}

bool add_extension(X509& certificate, X509& issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

bool add_name(X509_NAME* subject, const std::string& text) {
  return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool set_serial(X509& certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive, always of one length
  const Owned<BIGNUM> number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

std::time_t seconds(Timestamp time) {
  return static_cast<std::time_t>(to_microseconds(time) / 1'000'000);
}

// Version, serial number, times and key: what both kinds have.
Result<Owned<X509>> blank(EVP_PKEY& key, Timestamp from, Timestamp until) {
  Owned<X509> certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 || !set_serial(*certificate) ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds(from)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds(until)) == nullptr ||
      X509_set_pubkey(certificate.get(), &key) != 1)
    return openssl_failure("making a certificate");
  return certificate;
}

Result<Owned<X509>> authority_certificate(EVP_PKEY& key, const AuthorityOptions& options, Timestamp now) {
  TERRAPIN_TRY(Owned<X509> made, blank(key, now - kBackdated, now + kLifetime));
  X509& own = *made;
  X509_NAME* const subject = X509_get_subject_name(&own);
  // Addresses are excluded by name: permitted names of one kind say nothing of the other kinds.
  const std::string constraints = "critical,permitted;DNS:" + options.domain +
                                  ",excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0";
  const bool filled = add_name(subject, options.name) && X509_set_issuer_name(&own, subject) == 1 &&
                      add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                      add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                      add_extension(own, own, NID_subject_key_identifier, "hash") &&
                      add_extension(own, own, NID_name_constraints, constraints) &&
                      X509_sign(&own, &key, EVP_sha256()) != 0;
  if (!filled) return openssl_failure("making the authority's certificate");
  return made;
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (std::size_t start = 0; start <= host.size();) {
    const std::size_t end = std::min(host.find('.', start), host.size());
    const std::string_view label = host.substr(start, end - start);
    const bool plain = !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
                       std::all_of(label.begin(), label.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                       });
    if (!plain) return false;
    start = end + 1;
  }
  return true;
}

// Never asks the terminal for a password.
int no_password(char*, int, int, void*) {
  return 0;
}

}  // namespace

class Authority::Implementation {
 public:
  static Result<std::unique_ptr<Implementation>> make(const AuthorityOptions& options, const Clock& clock) {
    auto own = std::make_unique<Implementation>(options, clock);
    TERRAPIN_TRY(own->key_, new_key());
    TERRAPIN_TRY(own->certificate_, authority_certificate(*own->key_, options, clock.now()));
    TERRAPIN_TRY_STATUS(own->finish());
    return own;
  }

  // nullptr: its time is nearly over, or it was made for another domain.
  static Result<std::unique_ptr<Implementation>> parse(const std::string& text,
                                                       const AuthorityOptions& options, const Clock& clock) {
    auto own = std::make_unique<Implementation>(options, clock);
    const auto read = [&](auto reader) {
      const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
      return reader(bio.get(), nullptr, &no_password, nullptr);
    };
    own->key_.reset(read(&PEM_read_bio_PrivateKey));
    own->certificate_.reset(read(&PEM_read_bio_X509));
    const bool whole = own->key_ && own->certificate_ &&
                       X509_check_private_key(own->certificate_.get(), own->key_.get()) == 1 &&
                       X509_verify(own->certificate_.get(), own->key_.get()) == 1;
    ERR_clear_error();
    if (!whole)
      return fail(ErrorCode::kCorrupt,
                  "holds no key with its certificate; move it away, and a new one is made");
    std::time_t renewed = seconds(clock.now() + kRenewedBefore);
    if (X509_cmp_time(X509_get0_notAfter(own->certificate_.get()), &renewed) <= 0)
      return std::unique_ptr<Implementation>();
    TERRAPIN_TRY_STATUS(own->finish());
    return own;
  }

  Result<std::string> whole_pem() const {
    TERRAPIN_TRY(const std::string key, pem_of(*key_));
    return key + pem_;
  }

  Result<Leaf> issue(const std::string& host) const {
    const bool below = host == options_.domain || host.ends_with("." + options_.domain);
    if (!is_host_name(host) || !below)
      return fail(ErrorCode::kInvalidArgument,
                  "'{}': the authority vouches for host names of {} alone, in lower case", host,
                  options_.domain);
    const Timestamp now = clock_.now();
    TERRAPIN_TRY(Owned<X509> made, blank(*leaf_key_, now - kBackdated, now + kLeafLifetime));
    X509& leaf = *made;
    // The name that counts is the alternative one; a common name has room for 64 letters only.
    const bool filled = add_name(X509_get_subject_name(&leaf), options_.name + " leaf") &&
                        X509_set_issuer_name(&leaf, X509_get_subject_name(certificate_.get())) == 1 &&
                        add_extension(leaf, *certificate_, NID_basic_constraints, "critical,CA:FALSE") &&
                        add_extension(leaf, *certificate_, NID_key_usage, "critical,digitalSignature") &&
                        add_extension(leaf, *certificate_, NID_ext_key_usage, "serverAuth") &&
                        add_extension(leaf, *certificate_, NID_subject_key_identifier, "hash") &&
                        add_extension(leaf, *certificate_, NID_authority_key_identifier, "keyid:always") &&
                        add_extension(leaf, *certificate_, NID_subject_alt_name, "DNS:" + host) &&
                        X509_sign(&leaf, key_.get(), EVP_sha256()) != 0;
    if (!filled) return openssl_failure("making a leaf");
    Leaf result;
    TERRAPIN_TRY(result.certificate, pem_of(leaf));
    result.key = leaf_key_pem_;
    return result;
  }

  Implementation(AuthorityOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

 private:
  friend class Authority;
  Status finish() {
    TERRAPIN_TRY(pem_, pem_of(*certificate_));
    TERRAPIN_TRY(leaf_key_, new_key());
    TERRAPIN_TRY(leaf_key_pem_, pem_of(*leaf_key_));
    return {};
  }

  // Constant once made.
  const AuthorityOptions options_;
  const Clock& clock_;
  Owned<EVP_PKEY> key_, leaf_key_;
  Owned<X509> certificate_;
  std::string pem_, leaf_key_pem_;
};

Authority::Authority(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
Authority::~Authority() = default;

Result<std::unique_ptr<Authority>> Authority::make(const AuthorityOptions& options, const Clock& clock) {
  TERRAPIN_TRY(auto own, Implementation::make(options, clock));
  return std::unique_ptr<Authority>(new Authority(std::move(own)));
}

Result<std::unique_ptr<Authority>> Authority::open(const fs::path& folder, const AuthorityOptions& options,
                                                   const Clock& clock) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", folder.string(), error.message());
  fs::permissions(folder, fs::perms::owner_all, error);
  PrivateFile file(folder / "authority.pem");
  std::unique_ptr<Implementation> own;
  const auto load = [&]() -> Status {
    TERRAPIN_TRY(const auto text, file.read());
    if (text == PrivateFile::missing()) return {};
    auto parsed = Implementation::parse(*text, options, clock);
    if (!parsed) return with_context(std::move(parsed.error()), file.path().string());
    own = std::move(*parsed);
    return {};
  };
  TERRAPIN_TRY_STATUS(load());
  if (!own) {
    // Under the file's lock: of two that start at once the second takes what the first has made.
    TERRAPIN_TRY_STATUS(file.change([&]() -> Result<std::string> {
      TERRAPIN_TRY_STATUS(load());
      if (!own) {
        TERRAPIN_TRY(own, Implementation::make(options, clock));
      }
      return own->whole_pem();
    }));
  }
  return std::unique_ptr<Authority>(new Authority(std::move(own)));
}

const std::string& Authority::certificate_pem() const {
  return implementation_->pem_;
}
Result<Leaf> Authority::issue(const std::string& host) const {
  return implementation_->issue(host);
}

}  // namespace terrapin::proxy
