#include "identity/openid_connect.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "unit/identity/fake_provider.h"

namespace terrapin::identity {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class OpenId : public ::testing::Test {
 protected:
  void make() { client = OpenIdConnect::make(settings, Bytes(32, 9), clock).value(); }
  // The whole way, as one browser goes it.
  Result<OpenIdIdentity> sign_in() {
    TERRAPIN_TRY(const OpenIdStart start, client->start());
    const auto back = provider.sign_in_at(start.url);
    return client->finish(start.cookie, back.state, back.code, "");
  }
  std::string refusal() {
    const auto result = sign_in();
    return result ? "accepted" : result.error().message;
  }

  ManualClock clock{Timestamp(std::chrono::sys_days(std::chrono::year(2026) / 1 / 31))};
  test::FakeProvider provider{clock};
  OpenIdSettings settings = provider.settings();
  std::unique_ptr<OpenIdConnect> client = OpenIdConnect::make(settings, Bytes(32, 9), clock).value();
};

TEST_F(OpenId, SignsInWithTheSageMakerClaims) {
  const auto who = sign_in();
  ASSERT_TRUE(who) << who.error().message;
  EXPECT_EQ(who->issuer, provider.issuer());
  EXPECT_EQ(who->subject, "worker-7");
  EXPECT_EQ(who->name, "Ann");
  EXPECT_EQ(who->groups, (std::vector<std::string>{"turtles", "divers"}));
  provider.algorithm = "ES256";
  EXPECT_TRUE(sign_in());
  // Discovery and keys are kept.
  EXPECT_EQ(provider.discovery_requests, 1);
  EXPECT_EQ(provider.key_requests, 1);
}

TEST_F(OpenId, ReadsGroupsAsTextAndFallsBackToPlainClaims) {
  provider.change_claims = [](json& claims) {
    for (const char* name : {"sagemaker:sub", "sagemaker:name", "sagemaker:client_id"}) claims.erase(name);
    claims["sagemaker:groups"] = "turtles, deep divers ,,x";
    claims["email"] = "ann@example.org";
  };
  const auto who = sign_in().value();
  EXPECT_EQ(who.subject, "subject-1");
  EXPECT_EQ(who.name, "ann@example.org");
  EXPECT_EQ(who.groups, (std::vector<std::string>{"turtles", "deep divers", "x"}));
}

TEST_F(OpenId, AsksUserinfoForWhatTheTokenLacks) {
  provider.change_claims = [](json& claims) { claims.erase("sagemaker:groups"); };
  provider.userinfo = {{"sub", "subject-1"}, {"sagemaker:groups", {"turtles"}}, {"sagemaker:sub", "mallory"}};
  const auto who = sign_in().value();
  EXPECT_EQ(who.groups, std::vector<std::string>{"turtles"});
  EXPECT_EQ(who.subject, "worker-7");  // what is signed wins
  provider.userinfo["sub"] = "somebody-else";
  EXPECT_NE(refusal().find("another subject"), std::string::npos);
}

TEST_F(OpenId, RefusesTokensThatProveNothing) {
  const auto with = [&](const std::string& algorithm, std::function<void(json&)> change) {
    provider.algorithm = algorithm;
    provider.change_claims = std::move(change);
    return refusal();
  };
  const auto unchanged = [](json&) {};
  const std::int64_t now = to_microseconds(clock.now()) / 1'000'000;
  EXPECT_NE(with("none", unchanged).find("signed with 'none'"), std::string::npos);
  EXPECT_NE(with("HS256", unchanged).find("signed with 'HS256'"), std::string::npos);
  EXPECT_NE(with("RS256-other", unchanged).find("signature is wrong"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["nonce"] = "another"; }).find("(nonce)"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c.erase("nonce"); }).find("(nonce)"), std::string::npos);
  EXPECT_NE(with("RS256", [&](json& c) { c["exp"] = now - 60; }).find("(exp)"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c.erase("exp"); }).find("(exp)"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["exp"] = "tomorrow"; }).find("(exp)"), std::string::npos);
  EXPECT_NE(with("RS256", [&](json& c) { c["iat"] = now + 61; }).find("(iat)"), std::string::npos);
  EXPECT_NE(with("RS256", [&](json& c) { c["nbf"] = now + 61; }).find("(nbf)"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["aud"] = "another"; }).find("(aud)"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["aud"] = json::array(); }).find("(aud)"), std::string::npos);
  EXPECT_NE(with("RS256",
                 [](json& c) {
                   c["aud"] = {"terrapin client", "another"};
                 })
                .find("(azp)"),
            std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["azp"] = "another"; }).find("(azp)"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["iss"] = "https://evil.example.org"; }).find("(iss)"),
            std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["sub"] = ""; }).find("(sub)"), std::string::npos);
  EXPECT_NE(with("RS256", [](json& c) { c["sagemaker:client_id"] = "another"; }).find("sagemaker:client_id"),
            std::string::npos);
  EXPECT_EQ(with("RS256",
                 [](json& c) {
                   c["aud"] = {"terrapin client", "another"};
                   c["azp"] = "terrapin client";
                 }),
            "accepted");
}

TEST_F(OpenId, ChangedTokensAndMixedKeysAreRefused) {
  const SigningKeys keys = SigningKeys::parse(provider.keys().dump()).value();
  const IdTokenExpectations expected{provider.issuer(), "terrapin client", "n", clock.now()};
  for (const char* algorithm : {"RS256", "ES256"}) {
    const std::string token = provider.token(provider.claims_for("n"), algorithm);
    ASSERT_TRUE(verify_id_token(token, keys, expected));
    for (std::size_t i = 0; i < token.size(); i += 7) {
      std::string changed = token;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      EXPECT_FALSE(verify_id_token(changed, keys, expected)) << algorithm << " at " << i;
    }
    for (const std::size_t cut : {0, 1, 10, 100})
      EXPECT_FALSE(verify_id_token(token.substr(0, cut), keys, expected));
  }
  // A token that names the RSA key and ES256 finds no key, rather than a key of another kind.
  const std::string mixed = provider.token(provider.claims_for("n"), "ES256-rsa");
  EXPECT_FALSE(verify_id_token(mixed, keys, expected));
  // Small keys do not count.
  json weak = provider.keys();
  weak["keys"][0]["n"] = std::string(170, 'A') + "Q";
  weak["keys"][1]["y"] = weak["keys"][1]["x"];  // not on the curve
  EXPECT_EQ(SigningKeys::parse(weak.dump())->size(), 0u);
  EXPECT_EQ(SigningKeys::parse("[]").error().code, ErrorCode::kCorrupt);
}

TEST_F(OpenId, StateBelongsToOneBrowserAndOneTime) {
  const OpenIdStart mine = client->start().value(), theirs = client->start().value();
  const auto back = provider.sign_in_at(theirs.url);
  const auto code = [&](const std::string& cookie, const std::string& state) {
    const auto result = client->finish(cookie, state, back.code, "");
    return result ? ErrorCode::kInternal : result.error().code;
  };
  EXPECT_EQ(code(mine.cookie, back.state), ErrorCode::kDenied);  // another's answer in my browser
  EXPECT_EQ(code("", back.state), ErrorCode::kDenied);
  EXPECT_EQ(code(theirs.cookie, ""), ErrorCode::kDenied);
  EXPECT_EQ(code(theirs.cookie, "9999999999." + back.state.substr(back.state.find('.') + 1)),
            ErrorCode::kDenied);
  EXPECT_EQ(code(theirs.cookie, "0" + back.state), ErrorCode::kInternal);  // the same number: the one time
  EXPECT_EQ(code(theirs.cookie, back.state), ErrorCode::kDenied);          // used up

  const OpenIdStart late = client->start().value();
  const auto late_back = provider.sign_in_at(late.url);
  clock.advance(10min);
  EXPECT_EQ(client->finish(late.cookie, late_back.state, late_back.code, "").error().code,
            ErrorCode::kDenied);

  const OpenIdStart mixed = client->start().value();
  const auto mixed_back = provider.sign_in_at(mixed.url);
  EXPECT_EQ(client->finish(mixed.cookie, mixed_back.state, mixed_back.code, "https://evil.example.org")
                .error()
                .code,
            ErrorCode::kDenied);
}

TEST_F(OpenId, TheCodeIsBoundToTheVerifier) {
  const OpenIdStart mine = client->start().value(), theirs = client->start().value();
  const auto stolen = provider.sign_in_at(theirs.url);
  const auto back = provider.sign_in_at(mine.url);
  EXPECT_EQ(client->finish(mine.cookie, back.state, stolen.code, "").error().code, ErrorCode::kDenied);
}

TEST_F(OpenId, NewKeysAreFoundAndLargeAnswersAreNot) {
  ASSERT_TRUE(sign_in());
  clock.advance(1h);
  provider.huge_answer.assign(600 << 10, ' ');
  EXPECT_NE(refusal().find("more than"), std::string::npos);
  provider.huge_answer.clear();
  EXPECT_TRUE(sign_in());
}

TEST_F(OpenId, RedirectsAndForeignAddressesAreNotFollowed) {
  provider.redirect_token_endpoint = true;
  EXPECT_NE(refusal().find("answered 307"), std::string::npos);
  provider.redirect_token_endpoint = false;

  // A discovery document must not send us into the network around us.
  provider.discovery_changes = {{"token_endpoint", "https://localhost:1/token"}};
  make();
  auto result = sign_in();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDenied) << result.error().message;
  provider.discovery_changes = {{"token_endpoint", "file:///etc/passwd"}};
  make();
  EXPECT_EQ(client->start().error().code, ErrorCode::kCorrupt);
  provider.discovery_changes = {{"issuer", "https://evil.example.org"}};
  make();
  EXPECT_EQ(client->start().error().code, ErrorCode::kCorrupt);
}

TEST_F(OpenId, AProviderThatFailsIsNotAskedByEverybody) {
  provider.discovery_changes = {{"issuer", "https://evil.example.org"}};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client->start().error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(provider.discovery_requests, 1);
  provider.discovery_changes = json::object();
  clock.advance(10s);
  EXPECT_TRUE(sign_in());
}

TEST_F(OpenId, ExplicitAddressesNeedNoDiscovery) {
  settings.authorization_endpoint = provider.issuer() + "/authorize";
  settings.token_endpoint = provider.issuer() + "/token";
  settings.jwks_uri = provider.issuer() + "/keys";
  make();
  EXPECT_TRUE(sign_in());
  EXPECT_EQ(provider.discovery_requests, 0);
  settings.issuer.clear();
  EXPECT_EQ(OpenIdConnect::make(settings, Bytes(32, 9), clock).error().code, ErrorCode::kInvalidArgument);
}

TEST(HttpsClient, TellsPrivateAddresses) {
  const auto is_private = [](const char* text) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    if (::inet_pton(AF_INET, text, &v4.sin_addr) == 1)
      return is_private_address(reinterpret_cast<const sockaddr&>(v4));
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    EXPECT_EQ(::inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
    return is_private_address(reinterpret_cast<const sockaddr&>(v6));
  };
  for (const char* address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "127.0.0.1",
                              "127.255.255.255",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.0.1",
                              "198.18.0.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "fe80::1",
                              "fc00::1",
                              "fd12::1",
                              "ff02::1",
                              "::ffff:10.0.0.1",
                              "64:ff9b::a00:1",
                              "2002:a00:1::",
                              "2001:db8::1"})
    EXPECT_TRUE(is_private(address)) << address;
  for (const char* address : {"1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1",
                              "192.167.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"})
    EXPECT_FALSE(is_private(address)) << address;
}

TEST(HttpsClient, PlainHttpIsForConfiguredLoopbackAlone) {
  HttpsPolicy policy;
  for (const char* url : {"http://example.org/", "http://127.0.0.1:1/", "ftp://example.org/", "not a url", "",
                          "https://user@example.org/"})
    EXPECT_EQ(fetch_https({url, "", {}}, policy).error().code, ErrorCode::kInvalidArgument) << url;
  EXPECT_EQ(fetch_https({"https://127.0.0.1:1/", "", {}}, policy).error().code, ErrorCode::kDenied);
  policy.configured_hosts = {"127.0.0.1"};
  EXPECT_EQ(fetch_https({"https://127.0.0.1:1/", "", {}}, policy).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace terrapin::identity
