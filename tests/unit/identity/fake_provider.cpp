#include "unit/identity/fake_provider.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdexcept>

#include "crypto/hash.h"
#include "crypto/secrets.h"
#include "http/target.h"
#include "identity/base64url.h"

namespace terrapin::test {
namespace {

using nlohmann::json;

std::string encode(std::string_view text) {
  return identity::encode_base64url({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string number(EVP_PKEY* key, const char* name, int width) {
  BIGNUM* value = nullptr;
  EVP_PKEY_get_bn_param(key, name, &value);
  Bytes bytes(static_cast<std::size_t>(width > 0 ? width : BN_num_bytes(value)));
  BN_bn2binpad(value, bytes.data(), static_cast<int>(bytes.size()));
  BN_free(value);
  return identity::encode_base64url(bytes);
}

Bytes sign(EVP_PKEY* key, std::string_view text) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key);
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  EVP_DigestSign(context, nullptr, &size, bytes, text.size());
  Bytes signature(size);
  if (EVP_DigestSign(context, signature.data(), &size, bytes, text.size()) != 1)
    throw std::runtime_error("signing failed");
  signature.resize(size);
  EVP_MD_CTX_free(context);
  return signature;
}

Bytes raw_signature(const Bytes& der) {
  const unsigned char* begin = der.data();
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(der.size()));
  Bytes raw(64);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw.data(), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw.data() + 32, 32);
  ECDSA_SIG_free(signature);
  return raw;
}

std::string public_pem(EVP_PKEY* key) {
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(memory, key);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(memory);
  return pem;
}

std::string query_value(const http::Query& query, std::string_view name) {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return {};
}

}  // namespace

FakeProvider::FakeProvider(const Clock& clock)
    : clock_(clock),
      rsa_(EVP_RSA_gen(2048), EVP_PKEY_free),
      other_rsa_(EVP_RSA_gen(2048), EVP_PKEY_free),
      ec_(EVP_EC_gen("P-256"), EVP_PKEY_free) {
  http::Router router;
  router.add("GET", "/.well-known/openid-configuration",
             [this](const http::Request&) -> Result<http::Response> {
               ++discovery_requests;
               json document{{"issuer", issuer()},
                             {"authorization_endpoint", issuer() + "/authorize"},
                             {"token_endpoint", issuer() + "/token"},
                             {"userinfo_endpoint", issuer() + "/userinfo"},
                             {"jwks_uri", issuer() + "/keys"}};
               document.update(discovery_changes);
               return http::Response::json(200, document.dump());
             });
  router.add("GET", "/keys", [this](const http::Request&) -> Result<http::Response> {
    ++key_requests;
    return http::Response::json(200, huge_answer.empty() ? keys().dump() : huge_answer);
  });
  router.add("GET", "/userinfo", [this](const http::Request& request) -> Result<http::Response> {
    if (request.headers.find("Authorization") != "Bearer access-1") return http::Response::error(401, "no");
    return http::Response::json(200, userinfo.dump());
  });
  router.add("POST", "/token", [this](const http::Request& request) { return answer_token(request); });
  server_ = http::Server::start(std::move(router), {}).value();
}

FakeProvider::~FakeProvider() = default;

identity::OpenIdSettings FakeProvider::settings() const {
  identity::OpenIdSettings settings;
  settings.issuer = issuer();
  settings.client_id = "terrapin client";
  settings.client_secret = "se:cret";
  settings.redirect_uri = "https://label.example.org/oauth2/idpresponse";
  return settings;
}

FakeProvider::Return FakeProvider::sign_in_at(const std::string& url) {
  if (!url.starts_with(issuer() + "/authorize?"))
    throw std::runtime_error("not the provider's address: " + url);
  const http::Query query = http::parse_query(url.substr(url.find('?') + 1)).value();
  if (query_value(query, "response_type") != "code" ||
      query_value(query, "code_challenge_method") != "S256" ||
      query_value(query, "client_id") != "terrapin client" ||
      query_value(query, "redirect_uri") != "https://label.example.org/oauth2/idpresponse")
    throw std::runtime_error("not a request for a code: " + url);
  const std::string code = crypto::random_text(20);
  begun_[code] = {query_value(query, "nonce"), query_value(query, "code_challenge")};
  return {query_value(query, "state"), code};
}

Result<http::Response> FakeProvider::answer_token(const http::Request& request) {
  if (redirect_token_endpoint) {
    http::Response response;
    response.status = 307;
    response.headers.set("Location", issuer() + "/elsewhere");
    return response;
  }
  const http::Query form = http::parse_query(request.text()).value();
  // "terrapin%20client:se%3Acret"
  if (request.headers.find("Authorization") != "Basic dGVycmFwaW4lMjBjbGllbnQ6c2UlM0FjcmV0")
    return http::Response::error(401, "invalid_client");
  const auto found = begun_.find(query_value(form, "code"));
  const std::string verifier = query_value(form, "code_verifier");
  if (found == begun_.end() || query_value(form, "grant_type") != "authorization_code" ||
      identity::encode_base64url(crypto::hash(crypto::HashKind::kSha256, std::string_view(verifier))) !=
          found->second.challenge)
    return http::Response::error(400, "invalid_grant");
  json claims = claims_for(found->second.nonce);
  begun_.erase(found);
  change_claims(claims);
  return http::Response::json(
      200, json{{"access_token", "access-1"}, {"id_token", token(claims, algorithm)}}.dump());
}

json FakeProvider::claims_for(const std::string& nonce) const {
  const std::int64_t now = to_microseconds(clock_.now()) / 1'000'000;
  return json{{"iss", issuer()},
              {"aud", "terrapin client"},
              {"sub", "subject-1"},
              {"nonce", nonce},
              {"iat", now},
              {"exp", now + 300},
              {"sagemaker:groups", {"turtles", "divers"}},
              {"sagemaker:sub", "worker-7"},
              {"sagemaker:client_id", "terrapin client"},
              {"sagemaker:name", "Ann"}};
}

json FakeProvider::keys() const {
  return json{{"keys",
               {json{{"kty", "RSA"},
                     {"kid", "rsa"},
                     {"use", "sig"},
                     {"alg", "RS256"},
                     {"n", number(rsa_.get(), OSSL_PKEY_PARAM_RSA_N, 0)},
                     {"e", number(rsa_.get(), OSSL_PKEY_PARAM_RSA_E, 0)}},
                json{{"kty", "EC"},
                     {"kid", "ec"},
                     {"crv", "P-256"},
                     {"x", number(ec_.get(), OSSL_PKEY_PARAM_EC_PUB_X, 32)},
                     {"y", number(ec_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, 32)}}}}};
}

std::string FakeProvider::token(const json& claims, const std::string& how) const {
  json header{{"typ", "JWT"}, {"alg", how.substr(0, how.find('-'))}, {"kid", how == "ES256" ? "ec" : "rsa"}};
  const std::string text = encode(header.dump()) + "." + encode(claims.dump());
  if (how == "none") return text + ".";
  Bytes signature;
  if (how == "HS256") {
    const std::string pem = public_pem(rsa_.get());
    signature = crypto::hmac_sha256({reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()}, text);
  } else if (how == "ES256") {
    signature = raw_signature(sign(ec_.get(), text));
  } else {
    signature = sign(how == "RS256-other" ? other_rsa_.get() : rsa_.get(), text);
  }
  return text + "." + identity::encode_base64url(signature);
}

}  // namespace terrapin::test
