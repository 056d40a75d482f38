// An OpenID Connect provider on a free port of this machine, that a test can make lie.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/clock.h"
#include "http/server.h"
#include "identity/openid_connect.h"

struct evp_pkey_st;

namespace terrapin::test {

class FakeProvider {
 public:
  explicit FakeProvider(const Clock& clock);
  ~FakeProvider();

  std::string issuer() const { return server_->url(); }
  identity::OpenIdSettings settings() const;

  // What the browser does at the provider: reads the address it was sent to and comes back with a code.
  struct Return {
    std::string state, code;
  };
  Return sign_in_at(const std::string& url);

  // Signed by `algorithm`: "RS256", "ES256", "none", "HS256" (keyed with the public key's PEM), "RS256-other"
  // (a key that the provider does not publish).
  std::string token(const nlohmann::json& claims, const std::string& algorithm) const;
  nlohmann::json keys() const;
  nlohmann::json claims_for(const std::string& nonce) const;

  // What the next token holds.
  std::string algorithm = "RS256";
  std::function<void(nlohmann::json&)> change_claims = [](nlohmann::json&) {};
  // What discovery says beside the usual.
  nlohmann::json discovery_changes = nlohmann::json::object();
  nlohmann::json userinfo = nlohmann::json::object();
  bool redirect_token_endpoint = false;
  std::string huge_answer;  // sent instead of the keys if not empty
  int key_requests = 0, discovery_requests = 0;

 private:
  using Key = std::shared_ptr<evp_pkey_st>;
  Result<http::Response> answer_token(const http::Request& request);
  struct Begun {
    std::string nonce, challenge;
  };
  const Clock& clock_;
  Key rsa_, other_rsa_, ec_;
  std::map<std::string, Begun> begun_;  // by code
  std::unique_ptr<http::Server> server_;
};

}  // namespace terrapin::test
