// The server behind TLS.
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <random>
#include <thread>

#include "http/server.h"
#include "unit/base/temporary_folder.h"
#include "unit/http/certificate.h"

namespace terrapin::http {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using testing::Answer;
using testing::CertificateFiles;
using testing::get;
using testing::make_certificate;
using testing::post;
using testing::RawClient;
using testing::TlsClient;

Router router() {
  Router routes;
  routes.add("POST", "/echo", [](const Request& request) -> Result<Response> {
    Response response = Response::from(200, "application/octet-stream", request.body_source());
    response.headers.set("X-Secure", request.secure ? "yes" : "no");
    response.headers.set("X-Where", request.spooled ? "file" : "memory");
    return response;
  });
  routes.add("GET", "/hello",
             [](const Request&) -> Result<Response> { return Response::text(200, "text/plain", "hello"); });
  return routes;
}

ServerOptions options_with(const CertificateFiles& files) {
  ServerOptions options;
  options.tls_certificate = files.certificate;
  options.tls_key = files.key;
  return options;
}

std::unique_ptr<Server> start_tls(ServerOptions options, Router routes = router()) {
  auto server = Server::start(std::move(routes), std::move(options));
  if (!server) throw std::runtime_error(server.error().message);
  return std::move(*server);
}

Error start_error(const fs::path& certificate, const fs::path& key) {
  const auto server = Server::start(router(), options_with({certificate, key}));
  return server ? Error{ErrorCode::kInternal, "it started"} : server.error();
}

TEST(Tls, CarriesRequestsAndAnswersOfAnySize) {
  const TemporaryFolder folder;
  ServerOptions options = options_with(make_certificate(folder.path(), "a", "turtle.test"));
  options.spool_above_bytes = 500'000;
  options.spool_folder = folder / "bodies";
  const auto server = start_tls(options);
  EXPECT_EQ(server->url(), "https://127.0.0.1:" + std::to_string(server->port()));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server->port(), version);
    ASSERT_TRUE(client.secure());
    EXPECT_EQ(client.version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_EQ(client.peer(), "turtle.test");
    std::mt19937 random(1);
    for (const std::size_t size : {0, 1, 70'000, 400'000, 3'000'000}) {
      std::string body(size, '\0');
      for (char& c : body) c = static_cast<char>(random());
      // The server answers only after the whole body: both ways in turn, from one thread.
      ASSERT_TRUE(client.send(post("/echo", body)));
      const auto answer = client.receive();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 200);
      EXPECT_EQ(answer->header("x-secure"), "yes");
      EXPECT_EQ(answer->header("x-where"), size > 500'000 ? "file" : "memory");
      EXPECT_TRUE(answer->body == body);
    }
  }
}

TEST(Tls, OldVersionsAreRefused) {
  const TemporaryFolder folder;
  const auto server = start_tls(options_with(make_certificate(folder.path(), "a", "turtle.test")));
  EXPECT_FALSE(TlsClient(server->port(), TLS1_1_VERSION).secure());
  EXPECT_TRUE(TlsClient(server->port()).secure());
}

TEST(Tls, EndsWithAGoodbye) {
  const TemporaryFolder folder;
  const auto server = start_tls(options_with(make_certificate(folder.path(), "a", "turtle.test")));
  TlsClient client(server->port());
  client.send("GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.receive()->body, "hello");
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(client.closed_properly());
}

TEST(Tls, PlainTextGetsAHintAndGarbageNothing) {
  const TemporaryFolder folder;
  ServerOptions options = options_with(make_certificate(folder.path(), "a", "turtle.test"));
  options.header_timeout_ms = 60;
  const auto server = start_tls(options);
  const Answer hint = testing::ask(server->port(), get("/hello"));
  EXPECT_EQ(hint.status, 400);
  EXPECT_NE(hint.body.find("https://"), std::string::npos);
  EXPECT_EQ(hint.header("connection"), "close");
  RawClient silent(server->port());
  RawClient half(server->port());
  half.send("\x16\x03\x01\x02");
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    RawClient client(server->port());
    std::string bytes(1 + random() % 400, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (round % 2 == 0) bytes.replace(0, std::min<std::size_t>(3, bytes.size()), "\x16\x03\x01", 3);
    client.send(bytes);
    client.finish_sending();
    while (!client.at_end() && client.receive()) {
    }
  }
  EXPECT_TRUE(silent.at_end());
  while (!half.at_end() && half.receive()) {
  }
  options.header_timeout_ms = 15'000;
  EXPECT_TRUE(TlsClient(server->port()).secure());
}

TEST(Tls, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  const CertificateFiles good = make_certificate(folder.path(), "good", "a");
  const CertificateFiles other = make_certificate(folder.path(), "other", "b");
  const CertificateFiles locked = make_certificate(folder.path(), "locked", "c", "password");
  ASSERT_TRUE(write_file_atomically(folder / "rubbish", std::string_view("not PEM")));
  ASSERT_TRUE(fs::create_directory(folder / "directory"));
  const auto expect = [](const Error& error, ErrorCode code, const std::string& name) {
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_NE(error.message.find(name), std::string::npos) << error.message;
  };
  expect(start_error(folder / "absent.crt", good.key), ErrorCode::kNotFound, "absent.crt");
  expect(start_error(good.certificate, folder / "absent.key"), ErrorCode::kNotFound, "absent.key");
  expect(start_error(folder / "directory", good.key), ErrorCode::kIo, "directory");
  expect(start_error(folder / "rubbish", good.key), ErrorCode::kCorrupt, "rubbish");
  expect(start_error(good.certificate, folder / "rubbish"), ErrorCode::kCorrupt, "rubbish");
  expect(start_error(locked.certificate, locked.key), ErrorCode::kCorrupt, "locked.key");
  expect(start_error(good.certificate, other.key), ErrorCode::kInvalidArgument, "other.key");
  expect(start_error(good.certificate, {}), ErrorCode::kInvalidArgument, "key");
  expect(start_error({}, good.key), ErrorCode::kInvalidArgument, "certificate");
}

TEST(Tls, ReloadChangesNewConnectionsOnly) {
  const TemporaryFolder folder;
  const CertificateFiles files = make_certificate(folder.path(), "a", "first.test");
  const auto server = start_tls(options_with(files));
  TlsClient early(server->port());
  EXPECT_EQ(early.peer(), "first.test");

  make_certificate(folder.path(), "a", "second.test");
  EXPECT_EQ(TlsClient(server->port()).peer(), "first.test");  // nobody has asked yet
  ASSERT_TRUE(server->reload_certificates());
  EXPECT_EQ(TlsClient(server->port()).peer(), "second.test");
  early.send(get("/hello"));
  EXPECT_EQ(early.receive()->body, "hello");

  ASSERT_TRUE(write_file_atomically(files.key, std::string_view("half a f")));
  const Status broken = server->reload_certificates();
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("a.key"), std::string::npos);
  EXPECT_EQ(TlsClient(server->port()).peer(), "second.test");

  EXPECT_EQ(start_tls({})->reload_certificates().error().code, ErrorCode::kUnsupported);
}

TEST(Tls, HandlerSeesThatTheClientLeft) {
  const TemporaryFolder folder;
  std::latch running(1);
  std::promise<bool> seen;
  Router routes;
  routes.add("GET", "/wait", [&](const Request& request) -> Result<Response> {
    running.count_down();
    while (!request.abandoned()) std::this_thread::yield();
    seen.set_value(true);
    return Response::text(200, "text/plain", "unread");
  });
  const auto server =
      start_tls(options_with(make_certificate(folder.path(), "a", "turtle.test")), std::move(routes));
  TlsClient client(server->port());
  client.send(get("/wait"));
  running.wait();
  client.say_goodbye();
  client.close();
  EXPECT_TRUE(seen.get_future().get());
}

TEST(Tls, StoppingEndsIdleAndHalfOpenConnections) {
  const TemporaryFolder folder;
  const auto server = start_tls(options_with(make_certificate(folder.path(), "a", "turtle.test")));
  TlsClient idle(server->port());
  idle.send(get("/hello"));
  EXPECT_EQ(idle.receive()->body, "hello");
  RawClient half(server->port());
  half.send("\x16\x03\x01");
  server->stop();
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(half.at_end());
}

}  // namespace
}  // namespace terrapin::http
