#include "identity/id_token.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "crypto/hash.h"
#include "identity/base64url.h"
#include "identity/text_member.h"

namespace terrapin::identity {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxTokenBytes = 64 << 10;
constexpr int kMinRsaBits = 2048, kMaxRsaBits = 8192;
constexpr std::size_t kP256Bytes = 32;

template <class T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* pointer) const { kFree(pointer); }
};
using KeyPointer = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BIGNUM, BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM, OSSL_PARAM_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX, EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG, ECDSA_SIG_free>>;

bool bytes_member(const json& object, const char* name, Bytes& bytes) {
  return decode_base64url(text_member(object, name), bytes) && !bytes.empty();
}

KeyPointer build_key(const char* kind, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return KeyPointer(key);
}

KeyPointer rsa_key(const json& jwk) {
  Bytes modulus, exponent;
  if (!bytes_member(jwk, "n", modulus) || !bytes_member(jwk, "e", exponent)) return nullptr;
  const Number n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const Number e(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
  if (!n || !e || BN_num_bits(n.get()) < kMinRsaBits || BN_num_bits(n.get()) > kMaxRsaBits ||
      BN_num_bits(e.get()) > 64 || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) == 1)
    return nullptr;
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return nullptr;
  return build_key("RSA", builder.get());
}

KeyPointer p256_key(const json& jwk) {
  Bytes x, y;
  if (text_member(jwk, "crv") != "P-256" || !bytes_member(jwk, "x", x) || !bytes_member(jwk, "y", y) ||
      x.size() != kP256Bytes || y.size() != kP256Bytes)
    return nullptr;
  Bytes point{4};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) !=
          1)
    return nullptr;
  KeyPointer key = build_key("EC", builder.get());
  if (!key) return nullptr;
  const KeyContext check(EVP_PKEY_CTX_new(key.get(), nullptr));
  return check && EVP_PKEY_public_check(check.get()) == 1 ? std::move(key) : nullptr;
}

// JWS writes r and s side by side, OpenSSL reads DER.
bool der_of_signature(const Bytes& raw, Bytes& der) {
  if (raw.size() != 2 * kP256Bytes) return false;
  const EcSignature signature(ECDSA_SIG_new());
  Number r(BN_bin2bn(raw.data(), kP256Bytes, nullptr)),
      s(BN_bin2bn(raw.data() + kP256Bytes, kP256Bytes, nullptr));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return false;
  (void)r.release();  // the signature's now
  (void)s.release();
  unsigned char* encoded = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &encoded);
  if (size <= 0) return false;
  der.assign(encoded, encoded + size);
  OPENSSL_free(encoded);
  return true;
}

struct Parts {
  json header, claims;
  std::string_view signed_text;
  Bytes signature;
};

Result<Parts> split_token(std::string_view token) {
  const auto refuse = [] {
    return fail(ErrorCode::kDenied, "the ID token is not of the form header.claims.signature");
  };
  if (token.size() > kMaxTokenBytes) return refuse();
  const std::size_t first = token.find('.'), second = token.rfind('.');
  if (first == std::string_view::npos || first == second) return refuse();
  Bytes header, claims;
  Parts parts;
  if (!decode_base64url(token.substr(0, first), header) ||
      !decode_base64url(token.substr(first + 1, second - first - 1), claims) ||
      !decode_base64url(token.substr(second + 1), parts.signature))
    return refuse();
  parts.header = json::parse(header.begin(), header.end(), nullptr, false);
  parts.claims = json::parse(claims.begin(), claims.end(), nullptr, false);
  if (!parts.header.is_object() || !parts.claims.is_object()) return refuse();
  parts.signed_text = token.substr(0, second);
  return parts;
}

// Seconds since 1970; nullopt if the claim is absent or no time.
std::optional<double> time_member(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e11) return std::nullopt;
  return seconds;
}

Status check_claims(const json& claims, const IdTokenExpectations& expected) {
  const auto refuse = [](const std::string& what) {
    return fail(ErrorCode::kDenied, "the ID token is refused: {}", what);
  };
  if (text_member(claims, "iss") != expected.issuer) return refuse("another issuer (iss) made it");
  const auto audience = claims.find("aud");
  bool for_us = false, for_others = false;
  const auto look = [&](const json& one) {
    const bool ours = one.is_string() && one.get<std::string>() == expected.client_id;
    for_us = for_us || ours;
    for_others = for_others || !ours;
  };
  if (audience != claims.end() && audience->is_array()) {
    for (const json& one : *audience) look(one);
  } else if (audience != claims.end()) {
    look(*audience);
  }
  if (!for_us) return refuse("it is for another client (aud)");
  if ((for_others || claims.contains("azp")) && text_member(claims, "azp") != expected.client_id)
    return refuse("it was given to another client (azp)");
  const double now = static_cast<double>(to_microseconds(expected.now)) / 1e6;
  const auto leeway = static_cast<double>(expected.leeway.count());
  const auto expires = time_member(claims, "exp"), issued = time_member(claims, "iat"),
             not_before = time_member(claims, "nbf");
  if (!expires || *expires + leeway <= now) return refuse("it has expired (exp)");
  if (!issued || *issued - leeway > now) return refuse("it was made in the future (iat)");
  if (claims.contains("nbf") && (!not_before || *not_before - leeway > now))
    return refuse("it is not valid yet (nbf)");
  if (expected.nonce.empty() || !crypto::equal_in_constant_time(text_member(claims, "nonce"), expected.nonce))
    return refuse("it answers another sign-in (nonce)");
  const std::string subject = text_member(claims, "sub");
  if (subject.empty() || subject.size() > 255) return refuse("its subject (sub) must have 1 to 255 bytes");
  return {};
}

}  // namespace

struct SigningKeys::Key {
  std::string id, algorithm;  // "RS256" or "ES256"
  KeyPointer key;
};

Result<SigningKeys> SigningKeys::parse(std::string_view jwks) {
  const json document = json::parse(jwks.begin(), jwks.end(), nullptr, false);
  const auto list = document.is_object() ? document.find("keys") : document.end();
  if (!document.is_object() || list == document.end() || !list->is_array())
    return fail(ErrorCode::kCorrupt, "the provider's keys are no JWK set: a member 'keys' must be a list");
  SigningKeys keys;
  for (const json& jwk : *list) {
    if (!jwk.is_object() || (jwk.contains("use") && text_member(jwk, "use") != "sig")) continue;
    auto key = std::make_shared<Key>();
    key->id = text_member(jwk, "kid");
    const std::string kind = text_member(jwk, "kty");
    key->algorithm = kind == "RSA" ? "RS256" : "ES256";
    if (jwk.contains("alg") && text_member(jwk, "alg") != key->algorithm) continue;
    if (kind == "RSA") key->key = rsa_key(jwk);
    if (kind == "EC") key->key = p256_key(jwk);
    if (key->key) keys.keys_.push_back(std::move(key));
  }
  return keys;
}

std::size_t SigningKeys::size() const {
  return keys_.size();
}

bool SigningKeys::has(std::string_view key_id) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const auto& key) { return key->id == key_id; });
}

Result<std::string> key_id_of(std::string_view token) {
  TERRAPIN_TRY(const Parts parts, split_token(token));
  return text_member(parts.header, "kid");
}

Result<std::string> verify_id_token(std::string_view token, const SigningKeys& keys,
                                    const IdTokenExpectations& expected) {
  TERRAPIN_TRY(const Parts parts, split_token(token));
  const std::string algorithm = text_member(parts.header, "alg");
  if (algorithm != "RS256" && algorithm != "ES256") {
    return fail(ErrorCode::kDenied, "the ID token is signed with '{}': allowed are RS256 and ES256",
                algorithm.substr(0, 20));
  }
  if (parts.header.contains("crit"))
    return fail(ErrorCode::kDenied, "the ID token demands extensions (crit) that are not served");
  // A key is used for its own algorithm alone, whatever the token says.
  const std::string key_id = text_member(parts.header, "kid");
  const SigningKeys::Key* chosen = nullptr;
  int candidates = 0;
  for (const auto& key : keys.keys_) {
    if (key->algorithm != algorithm || (!key_id.empty() && key->id != key_id)) continue;
    chosen = key.get();
    ++candidates;
  }
  if (candidates != 1) {
    return fail(ErrorCode::kDenied, "{} of the provider's keys fit the ID token: it must be one", candidates);
  }
  Bytes signature = parts.signature;
  if (algorithm == "ES256" && !der_of_signature(parts.signature, signature))
    return fail(ErrorCode::kDenied, "the ID token's signature must have 64 bytes");
  const DigestContext context(EVP_MD_CTX_new());
  const bool right =
      context &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, chosen->key.get()) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                       reinterpret_cast<const unsigned char*>(parts.signed_text.data()),
                       parts.signed_text.size()) == 1;
  if (!right) return fail(ErrorCode::kDenied, "the ID token's signature is wrong");
  TERRAPIN_TRY_STATUS(check_claims(parts.claims, expected));
  return parts.claims.dump();
}

}  // namespace terrapin::identity
