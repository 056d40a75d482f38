#include "unit/identity/fake_provider.h"
#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

using identity::Role;
using test::Answered;
using test::Browser;
using test::json;
using test::kPassword;

class SignIn : public test::PortalTest {
 protected:
  Answered sign_in(const std::string& name, const std::string& password = kPassword,
                   const Browser& with = {}) {
    return post("/_/api/sign-in", {{"name", name}, {"password", password}}, with);
  }
  static Browser after(const Answered& answer) {
    return {"terrapin-session=" + answer.cookie("terrapin-session"), answer.body.value("csrf", "")};
  }
};

TEST_F(SignIn, GivesASessionThatSignOutEnds) {
  make("ann", {Role::kWorker}, {"turtles"});
  const Answered answer = sign_in("Ann");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.header("Set-Cookie"), "terrapin-session=" + answer.cookie("terrapin-session") +
                                             "; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
  EXPECT_EQ(answer.text.find(answer.cookie("terrapin-session")), std::string::npos);
  const Answered me = get("/_/api/me", after(answer));
  EXPECT_EQ(me.status, 200);
  EXPECT_EQ(me.body["account"]["name"], "ann");
  EXPECT_EQ(me.body["account"]["roles"], json{"worker"});
  EXPECT_EQ(me.body["account"]["groups"], json{"turtles"});
  EXPECT_EQ(me.body["csrf"], answer.body["csrf"]);

  EXPECT_EQ(post("/_/api/sign-out", json::object(), {after(answer).cookie, ""}).code(), "WrongCsrfToken");
  const Answered out = post("/_/api/sign-out", json::object(), after(answer));
  EXPECT_EQ(out.status, 200);
  EXPECT_NE(out.header("Set-Cookie").find("Max-Age=0"), std::string::npos);
  EXPECT_EQ(get("/_/api/me", after(answer)).status, 401);
}

TEST_F(SignIn, NeverTakesASessionThatTheBrowserBrought) {
  make("ann");
  const std::string planted(43, 'A');
  const Answered first = sign_in("ann", kPassword, {"terrapin-session=" + planted, ""});
  EXPECT_NE(first.cookie("terrapin-session"), planted);
  EXPECT_EQ(get("/_/api/me", {"terrapin-session=" + planted, ""}).status, 401);
  const Answered second = sign_in("ann", kPassword, after(first));
  EXPECT_NE(second.cookie("terrapin-session"), first.cookie("terrapin-session"));
  EXPECT_EQ(get("/_/api/me", after(first)).status, 401);
  EXPECT_EQ(get("/_/api/me", after(second)).status, 200);
  // Two cookies of the name: one of them was planted, so none counts.
  EXPECT_EQ(get("/_/api/me", {after(second).cookie + "; terrapin-session=" + planted, ""}).status, 401);
  EXPECT_EQ(get("/_/api/me", {"a=b; x" + after(second).cookie + "; " + after(second).cookie, ""}).status,
            200);
}

TEST_F(SignIn, CookiesAreBoundToTheHostOverTls) {
  const identity::Account ann = make("ann");
  secure = true;
  const Answered answer = sign_in("ann");
  const std::string cookie = answer.header("Set-Cookie");
  EXPECT_TRUE(cookie.starts_with("__Host-terrapin-session=")) << cookie;
  EXPECT_TRUE(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure")) << cookie;
  EXPECT_EQ(get("/_/api/me", {cookie.substr(0, cookie.find(';')), ""}).status, 200);
  EXPECT_EQ(get("/_/api/me", browser_of(ann)).status, 401);  // the plain name does not count here

  // Behind a proxy that ends TLS the public address tells.
  secure = false;
  portal::PortalOptions options = generous();
  options.public_url = "https://label.example.org/";
  open(options);
  EXPECT_TRUE(sign_in("ann").header("Set-Cookie").starts_with("__Host-"));
}

TEST_F(SignIn, WrongOnesAreToldAlikeAndSlowedDown) {
  make("ann");
  const Answered known = sign_in("ann", "wrong password"), unknown = sign_in("nobody", "wrong password");
  EXPECT_EQ(known.status, 401);
  EXPECT_EQ(known.code(), "WrongCredentials");
  EXPECT_EQ(known.text, unknown.text);
  for (int i = 1; i < 5; ++i) EXPECT_EQ(sign_in("ann", "wrong password").status, 401);
  const Answered waits = sign_in("ann");
  EXPECT_EQ(waits.status, 429);
  EXPECT_EQ(waits.header("Retry-After"), "1");
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(sign_in("ann").status, 200);
}

TEST_F(SignIn, InvitationsLeadIn) {
  const Browser admin = browser_of(make("boss", {Role::kAdmin}));
  const Answered made =
      post("/_/api/invitations",
           {{"name", "ann@example.org"}, {"roles", {"worker"}}, {"groups", {"turtles"}}, {"days", 2}}, admin);
  ASSERT_EQ(made.status, 201) << made.text;
  const std::string link = made.body["link"];
  ASSERT_TRUE(link.starts_with("http://label.example.org/_/join#")) << link;
  const std::string token = link.substr(link.find('#') + 1);
  EXPECT_EQ(made.body["invitation"].dump().find(token), std::string::npos);
  EXPECT_EQ(get("/_/api/invitations", admin).body["invitations"].size(), 1u);

  const Answered look = post("/_/api/invitation/look", {{"token", token}});
  EXPECT_EQ(look.body["name"], "ann@example.org");
  EXPECT_EQ(post("/_/api/invitation/accept", {{"token", token}, {"password", "short"}}).status, 400);
  const Answered accepted =
      post("/_/api/invitation/accept", {{"token", token}, {"display_name", "Ann"}, {"password", kPassword}});
  ASSERT_EQ(accepted.status, 201) << accepted.text;
  EXPECT_EQ(get("/_/api/me", after(accepted)).body["account"]["groups"], json{"turtles"});
  EXPECT_EQ(post("/_/api/invitation/accept", {{"token", token}, {"password", kPassword}}).status, 404);
  EXPECT_EQ(post("/_/api/invitation/look", {{"token", token}}).status, 404);
  EXPECT_TRUE(get("/_/api/invitations", admin).body["invitations"].empty());

  const Answered vendor = post("/_/api/vendors/acme/invitations", json::object(), admin);
  EXPECT_EQ(vendor.body["invitation"]["groups"], json{"vendor:acme"});
  EXPECT_EQ(post("/_/api/vendors/unknown/invitations", json::object(), admin).status, 404);
  const std::string id = vendor.body["invitation"]["id"];
  EXPECT_EQ(send(request("DELETE", "/_/api/invitations/" + id, {}, admin)).status, 200);
  EXPECT_EQ(send(request("DELETE", "/_/api/invitations/" + id, {}, admin)).status, 404);
}

TEST_F(SignIn, PasswordsAreResetAndChanged) {
  const Browser admin = browser_of(make("boss", {Role::kAdmin}));
  const identity::Account ann = make("ann");
  const Browser before = browser_of(ann);
  const Answered made = post("/_/api/accounts/" + ann.id + "/reset-link", json::object(), admin);
  const std::string link = made.body["link"];
  ASSERT_TRUE(link.starts_with("http://label.example.org/_/reset#")) << link;
  const json wanted{{"token", link.substr(link.find('#') + 1)}, {"password", "another password"}};
  const Answered reset = post("/_/api/password/reset", wanted);
  ASSERT_EQ(reset.status, 200) << reset.text;
  EXPECT_EQ(get("/_/api/me", before).status, 401);
  EXPECT_EQ(get("/_/api/me", after(reset)).status, 200);
  EXPECT_EQ(post("/_/api/password/reset", wanted).status, 404);

  const auto change = [&](const std::string& old, const Browser& browser) {
    return post("/_/api/password/change", {{"old_password", old}, {"new_password", "a third password"}},
                browser);
  };
  EXPECT_EQ(change("wrong password", after(reset)).code(), "WrongCredentials");
  const Answered changed = change("another password", after(reset));
  ASSERT_EQ(changed.status, 200) << changed.text;
  EXPECT_EQ(get("/_/api/me", after(reset)).status, 401);
  EXPECT_EQ(get("/_/api/me", after(changed)).status, 200);
  EXPECT_EQ(sign_in("ann", "a third password").status, 200);
}

TEST_F(SignIn, RemovalEndsItAtOnce) {
  const Browser admin = browser_of(make("boss", {Role::kAdmin}));
  const identity::Account ann = make("ann");
  const Browser hers = browser_of(ann);
  EXPECT_EQ(get("/_/api/jobs", hers).status, 200);
  EXPECT_EQ(post("/_/api/accounts/" + ann.id + "/remove", json::object(), admin).body["account"]["active"],
            false);
  EXPECT_EQ(get("/_/api/jobs", hers).status, 401);
  EXPECT_EQ(removed, std::vector<std::string>{ann.id});
  EXPECT_EQ(sign_in("ann").status, 401);
  EXPECT_EQ(get("/_/api/accounts?active=false", admin).body["accounts"].size(), 1u);
  EXPECT_EQ(get("/_/api/accounts?active=true&group=none", admin).body["accounts"].size(), 0u);
  EXPECT_EQ(get("/_/api/accounts?limit=0", admin).status, 400);
  EXPECT_EQ(get("/_/api/accounts?sort=x", admin).status, 400);
  EXPECT_EQ(post("/_/api/accounts/" + ann.id + "/restore", json::object(), admin).status, 200);
  const Answered changed =
      send(request("PUT", "/_/api/accounts/" + ann.id,
                   R"({"roles": ["requester", "worker"], "groups": ["divers"]})", admin));
  EXPECT_EQ(changed.body["account"]["roles"], (json{"requester", "worker"}));
  EXPECT_EQ(get("/_/api/accounts/" + ann.id, admin).body["account"]["groups"], json{"divers"});
  EXPECT_EQ(get("/_/api/accounts/none", admin).status, 404);
}

class OpenIdSignIn : public SignIn {
 protected:
  void SetUp() override {
    secure = true;
    open_id = identity::OpenIdConnect::make(provider.settings(), Bytes(32, 5), clock).value();
  }
  test::FakeProvider provider{clock};
};

TEST_F(OpenIdSignIn, GoesThereAndBack) {
  EXPECT_EQ(get("/_/api/sign-in").body, (json{{"password", true}, {"open_id", true}}));
  const Answered start = get("/_/api/open-id/start");
  ASSERT_EQ(start.status, 303) << start.text;
  const std::string cookie = start.header("Set-Cookie");
  EXPECT_TRUE(cookie.starts_with("__Host-terrapin-open-id=")) << cookie;
  EXPECT_NE(cookie.find("SameSite=Lax; Secure"), std::string::npos) << cookie;
  const auto back = provider.sign_in_at(start.header("Location"));
  const std::string target = "/oauth2/idpresponse?code=" + back.code + "&state=" + back.state;
  const Browser browser{cookie.substr(0, cookie.find(';')), ""};

  // Another browser cannot end what this one began, nor this one with another's state.
  EXPECT_EQ(get(target).status, 403);
  const Answered other = get("/_/api/open-id/start");
  EXPECT_EQ(
      get(target, {other.header("Set-Cookie").substr(0, other.header("Set-Cookie").find(';')), ""}).status,
      403);

  const Answered done = get(target, browser);
  ASSERT_EQ(done.status, 303) << done.text;
  EXPECT_EQ(done.header("Location"), "/_/");
  const std::string session = done.cookie("__Host-terrapin-session");
  ASSERT_FALSE(session.empty());
  EXPECT_NE(done.header("Set-Cookie").find("SameSite=Lax"), std::string::npos);
  const Answered me = get("/_/api/me", {"__Host-terrapin-session=" + session, ""});
  EXPECT_EQ(me.body["account"]["display_name"], "Ann");
  EXPECT_EQ(me.body["account"]["issuer"], provider.issuer());
  EXPECT_EQ(me.body["account"]["roles"], json{"worker"});
  EXPECT_EQ(get(target, browser).status, 403);  // once

  // What the engine is told for the worker response.
  (void)get("/_/api/jobs", {"__Host-terrapin-session=" + session, ""});
  EXPECT_EQ(tasks.last_worker.identity_provider, "Oidc");
  EXPECT_EQ(tasks.last_worker.issuer, provider.issuer());
  EXPECT_EQ(tasks.last_worker.subject, "worker-7");
  EXPECT_EQ(tasks.last_worker.workteam_arns, (std::vector<std::string>{"arn:turtles", "arn:divers"}));
}

TEST_F(OpenIdSignIn, LiesAndRefusalsEndNowhere) {
  const Answered start = get("/_/api/open-id/start");
  const Browser browser{start.header("Set-Cookie").substr(0, start.header("Set-Cookie").find(';')), ""};
  EXPECT_EQ(get("/oauth2/idpresponse?error=access_denied", browser).status, 403);
  provider.algorithm = "none";
  const auto back = provider.sign_in_at(start.header("Location"));
  const Answered refused = get("/oauth2/idpresponse?code=" + back.code + "&state=" + back.state, browser);
  EXPECT_EQ(refused.status, 403);
  EXPECT_TRUE(refused.header("Set-Cookie").empty());
  open_id.reset();
  EXPECT_EQ(get("/_/api/open-id/start").status, 404);
  EXPECT_EQ(get("/oauth2/idpresponse?code=x&state=y").status, 404);
  EXPECT_EQ(get("/_/api/sign-in").body["open_id"], false);
}

}  // namespace
}  // namespace terrapin::portal
