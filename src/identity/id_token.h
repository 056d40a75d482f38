// ID tokens of OpenID Connect (OpenID Connect Core 1.0, 3.1.3.7; RFC 7515, 7517, 7518): RS256 and ES256
// alone.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace terrapin::identity {

// A provider's public signing keys. Immutable; copies share them.
class SigningKeys {
 public:
  // A JWK set. Keys of other kinds, for other uses, of RSA under 2048 bits or on curves other than P-256 are
  // left out. kCorrupt if it is no JWK set.
  static Result<SigningKeys> parse(std::string_view jwks);
  std::size_t size() const;
  bool has(std::string_view key_id) const;

 private:
  struct Key;
  friend Result<std::string> verify_id_token(std::string_view, const SigningKeys&,
                                             const struct IdTokenExpectations&);
  std::vector<std::shared_ptr<const Key>> keys_;
};

// The "kid" of a token's header, "" without one; kInvalidArgument if it is no token.
Result<std::string> key_id_of(std::string_view token);

struct IdTokenExpectations {
  std::string issuer, client_id, nonce;
  Timestamp now;
  std::chrono::seconds leeway{60};  // between the provider's clock and ours
};

// The claims as JSON text, after signature, iss, aud, azp, exp, nbf, iat, nonce and sub were checked. kDenied
// says what is wrong.
Result<std::string> verify_id_token(std::string_view token, const SigningKeys& keys,
                                    const IdTokenExpectations& expected);

}  // namespace terrapin::identity
