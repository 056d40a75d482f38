// Sign-in through a provider: OpenID Connect's authorization code flow with PKCE, state and nonce.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "identity/accounts.h"
#include "identity/https_client.h"
#include "identity/id_token.h"

namespace terrapin::identity {

struct OpenIdSettings {
  std::string issuer;  // exactly as the provider writes it: "https://login.example.org"
  std::string client_id, client_secret;
  std::string redirect_uri;  // of this server: "https://label.example.org/oauth2/idpresponse"
  std::string scope = "openid";
  // Those left empty are read from <issuer>/.well-known/openid-configuration; userinfo_endpoint may stay
  // empty.
  std::string authorization_endpoint, token_endpoint, userinfo_endpoint, jwks_uri;
  std::map<std::string, std::string> request_parameters;  // added to the authorization request
  bool secret_in_body = false;                            // client_secret_post; else client_secret_basic
  std::filesystem::path ca_file;                          // a private CA's certificate; "": the system's
  std::chrono::seconds sign_in_time = std::chrono::minutes(10);
};

struct OpenIdStart {
  std::string url;     // where the browser goes
  std::string cookie;  // what the same browser must bring back; secret, and bound to `url`
};

// Thread-safe. Nothing is stored for a sign-in that was begun: state, nonce and verifier follow from the
// browser's cookie and the server's key.
class OpenIdConnect {
 public:
  // `server_key`: identity::load_server_key. kInvalidArgument names the setting.
  static Result<std::unique_ptr<OpenIdConnect>> make(OpenIdSettings settings, const Bytes& server_key,
                                                     const Clock& clock);
  const OpenIdSettings& settings() const { return settings_; }

  // kIo if the provider cannot be asked for its addresses.
  Result<OpenIdStart> start();
  // `cookie`, `state`, `code` and `issuer` (RFC 9207; "" if absent) as the browser brought them; each pair of
  // cookie and state is good once. kDenied for whatever is not the answer to start(); kIo if the provider
  // cannot be asked. Groups, subject and name are the claims sagemaker:groups (a list, or names separated by
  // commas), sagemaker:sub (else sub), sagemaker:name (else name, e-mail); a sagemaker:client_id must be
  // ours. Claims that the ID token lacks are asked at the userinfo endpoint.
  Result<OpenIdIdentity> finish(const std::string& cookie, const std::string& state, const std::string& code,
                                const std::string& issuer);

 private:
  struct Endpoints {
    std::string authorization, token, userinfo, keys;
  };
  OpenIdConnect(OpenIdSettings settings, Bytes key, const Clock& clock);
  Result<Endpoints> endpoints();
  Result<Endpoints> discover(Endpoints known);
  Result<SigningKeys> keys_for(const std::string& key_id, const std::string& url);
  std::string proof(const char* purpose, const std::string& cookie, std::int64_t expires) const;
  Status use_state(const std::string& cookie, const std::string& state);
  Result<std::string> fetch_json(const HttpsRequest& request);

  const OpenIdSettings settings_;
  const Bytes key_;
  const Clock& clock_;
  HttpsPolicy policy_;
  std::mutex mutex_;
  std::optional<Endpoints> endpoints_;  // guarded by mutex_, as are:
  Timestamp endpoints_until_;
  std::optional<Error> discovery_error_;  // told again until then, so that nobody waits for a dead provider
  std::optional<SigningKeys> keys_;
  Timestamp keys_fetched_;
  std::set<std::pair<std::int64_t, std::string>> used_cookies_;  // by expiry
};

}  // namespace terrapin::identity
