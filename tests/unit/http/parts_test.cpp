// Targets, media types, routes and fields, without a socket.
#include <gtest/gtest.h>

#include <array>

#include "http/media_type.h"
#include "http/message.h"
#include "http/router.h"
#include "http/target.h"

namespace terrapin::http {
namespace {

TEST(Target, SplitsPathAndQuery) {
  const auto target = parse_target("/a%20b/c?x=1&y=a+b%2B&empty&x=2&&=v");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/a%20b/c");
  const Query expected{{"x", "1"}, {"y", "a b+"}, {"empty", ""}, {"x", "2"}, {"", "v"}};
  EXPECT_EQ(target->query, expected);
}

TEST(Target, TakesAbsoluteFormAndRefusesTheRest) {
  EXPECT_EQ(parse_target("http://host:80/a?b=c")->path, "/a");
  EXPECT_EQ(parse_target("http://host")->path, "/");
  EXPECT_EQ(parse_target("http://host?x=1")->query.size(), 1U);
  for (const char* text : {"", "*", "host:443", "a/b", "/a#b", "/a?b=%"})
    EXPECT_FALSE(parse_target(text)) << text;
}

TEST(MediaType, Essence) {
  EXPECT_EQ(media_type_essence(" Image/PNG ; charset=x").value(), "image/png");
  for (const char* text : {"", "image", "image/", "/png", "im age/png", "a/b/c"}) {
    EXPECT_FALSE(media_type_essence(text)) << text;
  }
}

TEST(Negotiation, FollowsQualitySpecificityAndOrder) {
  constexpr std::array<std::string_view, 3> kOffers{"image/png", "application/json",
                                                    "application/x-protobuf"};
  const auto chosen = [&](std::string_view accept) -> std::string {
    const auto index = negotiate(accept, kOffers);
    return index ? std::string(kOffers[*index]) : "none";
  };
  EXPECT_EQ(chosen(""), "image/png");
  EXPECT_EQ(chosen("*/*"), "image/png");
  EXPECT_EQ(chosen("application/*"), "application/json");
  EXPECT_EQ(chosen("APPLICATION/JSON"), "application/json");
  EXPECT_EQ(chosen("image/png;q=0.2, application/json;q=0.9"), "application/json");
  EXPECT_EQ(chosen("*/*;q=0.5, image/png;q=0"), "application/json");
  EXPECT_EQ(chosen("application/*;q=0.9, application/json;q=0.1, image/*;q=0.5"), "application/x-protobuf");
  EXPECT_EQ(chosen("text/html"), "none");
  EXPECT_EQ(chosen("image/png;q=0"), "none");
  EXPECT_EQ(chosen("image/png;q=2, application/json"), "application/json");
  EXPECT_EQ(chosen("rubbish, application/x-protobuf;v=\"a,b;q=0\";q=0.3"), "application/x-protobuf");
}

Handler named(int status) {
  return [status](const Request&) -> Result<Response> { return Response::text(status, "text/plain", ""); };
}

int status_at(const Router& router, std::string_view method, std::string_view path) {
  const auto match = router.find(method, path).value();
  return match.route ? match.route->handler({}).value().status : 0;
}

TEST(Router, MoreSpecificRoutesWin) {
  Router router;
  router.add("GET", "/{bucket}/{key+}", named(1));
  router.add("GET", "/{bucket}", named(2));
  router.add("GET", "/ping", named(3));
  router.add("GET", "/models/{id}/state", named(4));
  router.add("GET", "/", named(5));
  EXPECT_EQ(status_at(router, "GET", "/ping"), 3);
  EXPECT_EQ(status_at(router, "GET", "/pong"), 2);
  EXPECT_EQ(status_at(router, "GET", "/models/7/state"), 4);
  EXPECT_EQ(status_at(router, "GET", "/models/7/other"), 1);
  EXPECT_EQ(status_at(router, "GET", "/"), 5);
  EXPECT_EQ(status_at(router, "HEAD", "/ping"), 3);
}

TEST(Router, DecodesParametersPartByPart) {
  Router router;
  router.add("PUT", "/{bucket}/{key+}", named(1));
  const auto match = router.find("PUT", "/b%2Fc/x%20y/z").value();
  ASSERT_TRUE(match.route);
  EXPECT_EQ(match.parameters.at("bucket"), "b/c");
  EXPECT_EQ(match.parameters.at("key"), "x y/z");
  EXPECT_FALSE(router.find("PUT", "/b/%00"));
  EXPECT_FALSE(router.find("PUT", "/b/%x"));
}

TEST(Router, NamesAllowedMethods) {
  Router router;
  router.add("GET", "/a", named(1));
  router.add("POST", "/a", named(2));
  EXPECT_EQ(router.find("DELETE", "/a")->allowed, (std::vector<std::string>{"GET", "HEAD", "POST"}));
  EXPECT_TRUE(router.find("DELETE", "/b")->allowed.empty());
}

TEST(Router, FallbackTakesWhatNoRouteMatches) {
  Router router;
  router.add("GET", "/a/{x}", named(1));
  router.set_fallback(named(9));
  EXPECT_EQ(status_at(router, "GET", "/a/b"), 1);
  EXPECT_EQ(status_at(router, "HEAD", "/a/b"), 1);
  EXPECT_EQ(status_at(router, "PUT", "/a/b"), 9);
  EXPECT_EQ(status_at(router, "GET", "/b"), 9);
  EXPECT_EQ(status_at(router, "GET", "/a/%zz"), 9);
  EXPECT_EQ(status_at(router, "GET", "/a/%00"), 9);
  EXPECT_TRUE(router.find("PUT", "/a/b")->parameters.empty());
  EXPECT_TRUE(router.find("PUT", "/a/b")->allowed.empty());
  EXPECT_THROW(router.set_fallback(nullptr), std::invalid_argument);
}

TEST(Router, FallbackTakesWhatItClaims) {
  Router router;
  router.add("GET", "/a/{x}", named(1));
  router.set_fallback(named(9), [](const Request& head) { return head.headers.find("claimed").has_value(); });
  Request head;
  head.method = "GET";
  head.path = "/a/b";
  EXPECT_EQ(router.find(head)->route->handler(head)->status, 1);
  head.headers.add("Claimed", "");
  EXPECT_EQ(router.find(head)->route->handler(head)->status, 9);
  EXPECT_TRUE(router.find(head)->parameters.empty());
  head.path = "/a/%zz";
  EXPECT_EQ(router.find(head)->route->handler(head)->status, 9);
}

TEST(Router, RefusesMeaninglessPatterns) {
  Router router;
  EXPECT_THROW(router.add("GET", "a", named(1)), std::invalid_argument);
  EXPECT_THROW(router.add("GET", "/{x+}/y", named(1)), std::invalid_argument);
  EXPECT_THROW(router.add("GET", "/a", nullptr), std::invalid_argument);
}

TEST(Headers, CompareNamesWithoutCase) {
  Headers headers{{"Accept", "a/b"}, {"X", "1"}, {"ACCEPT", "c/d"}};
  EXPECT_EQ(headers.find("accept"), "a/b");
  EXPECT_EQ(headers.joined("Accept"), "a/b, c/d");
  EXPECT_FALSE(headers.find("Acc"));
  headers.set("accept", "e/f");
  EXPECT_EQ(headers.joined("Accept"), "e/f");
  EXPECT_EQ(headers.fields().size(), 2U);
}

}  // namespace
}  // namespace terrapin::http
