// Who may call what: every route, every role.
#include <array>
#include <tuple>

#include "unit/portal/portal_fixture.h"

namespace terrapin::portal {
namespace {

using identity::Role;
using test::Answered;
using test::Browser;
using test::json;

class PortalAccess : public test::PortalTest {};

std::string filled(std::string_view pattern) {
  std::string path(pattern);
  for (const auto& [name, value] :
       {std::pair("{id}", "none"), std::pair("{name}", "job-1"), std::pair("{index}", "0"),
        std::pair("{worker}", "w"), std::pair("{rest+}", "jobs/one"), std::pair("{bucket}", "photos"),
        std::pair("{key+}", "a/b"), std::pair("{assignment}", "a"), std::pair("{account}", "person"),
        std::pair("{vendor}", "acme"), std::pair("{token}", "x.y"), std::pair("{epoch}", "1"),
        std::pair("{photo}", "0")}) {
    const std::size_t at = path.find(name);
    if (at != std::string::npos) path.replace(at, std::string_view(name).size(), value);
  }
  EXPECT_EQ(path.find('{'), std::string::npos) << pattern;
  return path;
}

bool changes_something(std::string_view method) {
  return method != "GET";
}

// An upload's body is no JSON, nor is a photo.
bool takes_bytes(const RouteInfo& route) {
  return (route.method == "PUT" && route.pattern == "/_/api/requester/objects/{bucket}/{key+}") ||
         route.pattern == "/_/api/console/endpoints/{name}/photo";
}

TEST_F(PortalAccess, EveryRouteForEveryRole) {
  const std::array<std::vector<Role>, 5> roles{std::vector<Role>{Role::kAdmin},
                                               {Role::kRequester},
                                               {Role::kWorker},
                                               {Role::kRequester, Role::kWorker},
                                               {Role::kAdmin, Role::kWorker}};
  std::vector<identity::Account> people;
  for (std::size_t i = 0; i < roles.size(); ++i)
    people.push_back(make("person" + std::to_string(i), roles[i]));
  int refused = 0, allowed = 0;
  for (const RouteInfo& route : Portal::routes()) {
    const std::string where = fmt::format("{} {}", route.method, route.pattern);
    const auto ask = [&](const Browser& browser) {
      return send(request(std::string(route.method), filled(route.pattern),
                          changes_something(route.method) ? "{}" : "", browser));
    };
    const Answered nobody = ask({});
    if (route.access == Access::kAnonymous) {
      EXPECT_NE(nobody.code(), "NotSignedIn") << where;
    } else {
      EXPECT_EQ(nobody.status, 401) << where;
      EXPECT_EQ(nobody.code(), "NotSignedIn") << where;
    }
    const Answered forged = ask({"terrapin-session=" + std::string(43, 'A'), std::string(43, 'A')});
    EXPECT_EQ(forged.status, nobody.status) << where;
    for (const identity::Account& person : people) {
      const bool worker = person.has(Role::kWorker), admin = person.has(Role::kAdmin);
      const bool may = route.access == Access::kAnonymous || route.access == Access::kSignedIn ||
                       (route.access == Access::kWorker && worker) ||
                       (route.access == Access::kRequester && (admin || person.has(Role::kRequester))) ||
                       (route.access == Access::kAdmin && admin);
      const Answered answer = ask(browser_of(person));
      const bool by_role = answer.status == 403 && answer.body["message"] == "your roles do not allow this";
      EXPECT_EQ(by_role, !may) << where << " for " << person.name << ": " << answer.status << " "
                               << answer.text;
      EXPECT_NE(answer.status, 401) << where;
      EXPECT_LT(answer.status, 500) << where << answer.text;
      ++(may ? allowed : refused);
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(allowed, 50);
}

TEST_F(PortalAccess, NothingChangesWithoutTheCsrfToken) {
  const identity::Account everything = make("all", {Role::kAdmin, Role::kRequester, Role::kWorker});
  for (const RouteInfo& route : Portal::routes()) {
    if (!changes_something(route.method)) continue;
    const std::string where = fmt::format("{} {}", route.method, route.pattern);
    const Browser good = browser_of(everything);
    const auto ask = [&](const Browser& browser, const char* field = nullptr, const char* value = nullptr) {
      http::Request asked = request(std::string(route.method), filled(route.pattern), "{}", browser);
      if (field != nullptr) asked.headers.add(field, value);
      return send(asked);
    };
    if (route.access != Access::kAnonymous) {
      for (const std::string& wrong :
           {std::string(), std::string(43, 'A'), good.csrf + "A", good.csrf.substr(1)})
        EXPECT_EQ(ask({good.cookie, wrong}).code(), "WrongCsrfToken") << where;
      // The token of another session is none.
      EXPECT_EQ(ask({good.cookie, browser_of(everything).csrf}).code(), "WrongCsrfToken") << where;
    }
    for (const char* origin : {"https://evil.example.org", "null", "http://label.example.org.evil.org",
                               "https://label.example.org", "http://label.example.org:81", ""})
      EXPECT_EQ(ask(good, "Origin", origin).code(), "CrossSite") << where << origin;
    for (const char* site : {"cross-site", "same-site", "none"})
      EXPECT_EQ(ask(good, "Sec-Fetch-Site", site).code(), "CrossSite") << where;
    EXPECT_NE(ask(good, "Origin", "http://label.example.org").code(), "CrossSite") << where;
  }
}

TEST_F(PortalAccess, OnlyJsonIsRead) {
  const identity::Account everything = make("all", {Role::kAdmin, Role::kRequester, Role::kWorker});
  for (const RouteInfo& route : Portal::routes()) {
    if (!changes_something(route.method) || takes_bytes(route)) continue;
    const std::string where = fmt::format("{} {}", route.method, route.pattern);
    for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""}) {
      http::Request asked =
          request(std::string(route.method), filled(route.pattern), "{}", browser_of(everything));
      asked.headers.set("Content-Type", type);
      EXPECT_EQ(send(asked).status, 415) << where << type;
    }
    for (const char* body :
         {"", "{", "[]", "null", "1", "\"x\"", R"({"token": 1, "name": {}, "tab": [], "job": 3})",
          R"({"unknown": 1})", R"({"deltas": {"a": 1}, "tab": "t"})",
          R"({"deltas": [1, "x", null, []], "tab": "t"})", R"({"name": "a\u0000b"})",
          R"({"new_name": -1, "keywords": "x", "days": 1e99})", "{\"name\": \"\xff\"}",
          R"({"roles": ["king"], "groups": [[]], "days": 0})"}) {
      const Answered answer =
          send(request(std::string(route.method), filled(route.pattern), body, browser_of(everything)));
      EXPECT_LT(answer.status, 500) << where << body << answer.text;
      if (answer.status >= 400) {
        EXPECT_FALSE(answer.code().empty()) << where << body;
        EXPECT_FALSE(answer.body.value("message", "").empty()) << where << body;
      }
    }
  }
}

TEST_F(PortalAccess, BodiesAreLimitedRouteByRoute) {
  const identity::Account everything = make("all", {Role::kAdmin, Role::kRequester, Role::kWorker});
  portal::PortalOptions options = generous();
  options.limits.max_delta_bytes = 1000;
  options.limits.max_draft_bytes = 2000;
  options.limits.max_answer_bytes = 3000;
  open(options);
  const auto status = [&](const std::string& method, const std::string& path, std::size_t bytes) {
    const std::string body = "{" + std::string(bytes - 2, ' ') + "}";
    return send(request(method, path, body, browser_of(everything))).status;
  };
  EXPECT_EQ(status("POST", "/_/api/sign-in", (64 << 10) + 1), 413);
  EXPECT_EQ(status("POST", "/_/api/sign-in", 64 << 10), 400);
  EXPECT_EQ(status("POST", "/_/api/assignments/a/draft/deltas", 2000 + (64 << 10) + 1), 413);
  EXPECT_EQ(status("PUT", "/_/api/assignments/a/draft/snapshot", 4000 + (64 << 10) + 1), 413);
  EXPECT_EQ(status("POST", "/_/api/assignments/a/submit", 3001), 413);
  EXPECT_EQ(status("POST", "/_/api/assignments/a/submit", 3000), 404);
  EXPECT_EQ(status("POST", "/_/api/assignments/a/assist", (128 << 10) + 1), 413);
  EXPECT_EQ(status("POST", "/_/api/assignments/a/assist", 128 << 10), 400);
  EXPECT_EQ(status("POST", "/_/api/assignments/a/assist/open", (64 << 10) + 1), 413);
  EXPECT_EQ(status("GET", "/_/api/me", 2), 413);
}

TEST_F(PortalAccess, ThePrefixIsTakenWhole) {
  for (const char* path : {"/_", "/_/nothing", "/_/api", "/_/api/", "/_/api/jobs/", "/_//api/jobs", "/_/../x",
                           "/_/api/assignments/a/b/c", "/%5F/api/nothing", "/_/a%2Fb"}) {
    const Answered answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.code(), "NotFound") << path;
  }
  const Answered wrong = send(request("DELETE", "/_/api/sign-in"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "GET, HEAD, POST");
  EXPECT_EQ(send(request("OPTIONS", "/_/api/sign-in")).status, 405);  // no other origin is let in
  EXPECT_EQ(get("/%5F/api/me").status, 401);
  EXPECT_EQ(send(request("HEAD", "/_/api/me")).status, 401);
  for (const Answered& answer : {get("/_/nothing"), wrong}) {
    EXPECT_EQ(answer.header("Cache-Control"), "no-store");
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.header("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'");
  }
}

TEST_F(PortalAccess, WorkersComeFromAllowedAddressesOnly) {
  const identity::Account worker = make("ann", {Role::kWorker}),
                          both = make("bob", {Role::kWorker, Role::kAdmin});
  remote_address = refused_address;
  EXPECT_EQ(get("/_/api/jobs", browser_of(worker)).code(), "AddressNotAllowed");
  EXPECT_EQ(get("/_/api/images/x.y", browser_of(worker)).code(), "AddressNotAllowed");
  EXPECT_EQ(post("/_/api/sign-in", {{"name", "ann"}, {"password", test::kPassword}}).code(),
            "AddressNotAllowed");
  EXPECT_EQ(post("/_/api/sign-in", {{"name", "bob"}, {"password", test::kPassword}}).status, 200);
  const std::string token = accounts->invite({})->token;
  const json accept{{"token", token}, {"name", "new"}, {"password", test::kPassword}};
  EXPECT_EQ(post("/_/api/invitation/accept", accept).code(), "AddressNotAllowed");
  EXPECT_TRUE(accounts->look_at_invitation(token));
  EXPECT_EQ(get("/_/api/accounts", browser_of(both)).status, 200);
  EXPECT_EQ(get("/_/api/jobs", browser_of(both)).code(), "AddressNotAllowed");
  remote_address = "198.51.100.7";
  EXPECT_EQ(get("/_/api/jobs", browser_of(worker)).status, 200);
}

TEST_F(PortalAccess, RatesAreLimitedByAccountAndByAddress) {
  const identity::Account ann = make("ann"), bob = make("bob");
  portal::PortalOptions options;
  options.account_rate = {1, 5, 100};
  options.address_rate = {1, 3, 100};
  open(options);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get("/_/api/me", browser_of(ann)).status, 200);
  const Answered over = get("/_/api/me", browser_of(ann));  // another session is the same account
  EXPECT_EQ(over.status, 429);
  EXPECT_EQ(over.code(), "TooManyRequests");
  EXPECT_EQ(over.header("Retry-After"), "1");
  EXPECT_EQ(get("/_/api/me", browser_of(bob)).status, 200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(get("/_/api/sign-in").status, 200);
  EXPECT_EQ(get("/_/api/sign-in").status, 429);
  EXPECT_EQ(get("/_/api/me").status, 429);
  EXPECT_EQ(get("/_/api/me", browser_of(bob)).status, 200);  // the address's limit is not theirs
  remote_address = "198.51.100.8";
  EXPECT_EQ(get("/_/api/sign-in").status, 200);
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(get("/_/api/me", browser_of(ann)).status, 200);
}

TEST_F(PortalAccess, BodiesAreAdmittedByRouteAndSession) {
  const Browser worker = browser_of(make("worker", {Role::kWorker}));
  const Browser forged{"terrapin-session=" + std::string(43, 'A'), std::string(43, 'A')};
  const labeling::TaskLimits limits;
  const std::int64_t small = 64 << 10;
  const auto admit = [&](const std::string& method, const std::string& path, const Browser& browser) {
    return portal->admit(request(method, path, {}, browser));
  };
  const std::string task = "/_/api/assignments/x";
  for (const auto& [method, path, most] :
       {std::tuple("POST", task + "/submit", limits.max_answer_bytes),
        std::tuple("PUT", task + "/answer", limits.max_answer_bytes),
        std::tuple("POST", task + "/assist", std::int64_t{128} << 10),
        std::tuple("PUT", task + "/draft/snapshot", 2 * limits.max_draft_bytes + small),
        std::tuple("POST", task + "/draft/deltas", 2 * limits.max_delta_bytes + small)}) {
    const http::Admission signed_in = admit(method, path, worker);
    EXPECT_EQ(signed_in.max_body_bytes, most) << path;
    EXPECT_EQ(signed_in.refusal->status, 413) << path;
    for (const Browser& nobody : {Browser{}, forged}) {
      const http::Admission anonymous = admit(method, path, nobody);
      EXPECT_EQ(anonymous.max_body_bytes, small) << path;
      EXPECT_EQ(anonymous.refusal->status, 401) << path;
      EXPECT_TRUE(anonymous.refusal->headers.find("Cache-Control")) << path;
    }
  }
  EXPECT_EQ(admit("POST", "/_/api/sign-in", {}).max_body_bytes, small);
  EXPECT_EQ(admit("POST", "/_/api/sign-in", {}).refusal->status, 413);
  EXPECT_EQ(admit("GET", "/_/api/me", worker).max_body_bytes, 0);
  EXPECT_EQ(admit("POST", "/_/api/nowhere", worker).max_body_bytes, small);
  EXPECT_EQ(admit("PATCH", task + "/submit", worker).max_body_bytes, small);

  // No route takes more from nobody than those who need no session.
  for (const RouteInfo& route : Portal::routes())
    EXPECT_LE(admit(std::string(route.method), filled(route.pattern), {}).max_body_bytes, small);
  for (const char* path : {"/_", "/_/", "/_/api/me", "/%5F/api/me", "/oauth2/idpresponse"})
    EXPECT_TRUE(Portal::takes(path)) << path;
  for (const char* path : {"/", "/_x", "/bucket/_/api", "/%"}) EXPECT_FALSE(Portal::takes(path)) << path;
}

}  // namespace
}  // namespace terrapin::portal
