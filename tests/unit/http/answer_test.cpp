// Answers read piece by piece, their heads, and what no route matches.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <random>
#include <thread>

#include "http/response_head.h"
#include "http/server.h"
#include "unit/base/temporary_folder.h"
#include "unit/http/client.h"

namespace terrapin::http {
namespace {

using test::TemporaryFolder;
using testing::Answer;
using testing::ask;
using testing::get;
using testing::post;
using testing::RawClient;

std::unique_ptr<Server> start(Router router, ServerOptions options = {}) {
  auto server = Server::start(std::move(router), std::move(options));
  if (!server) throw std::runtime_error(server.error().message);
  return std::move(*server);
}

Bytes random_bytes(std::size_t size) {
  std::mt19937 random(3);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// A source that has no bytes beyond `readable`, whatever it says, and remembers how far it was read.
class BrokenSource final : public ByteSource {
 public:
  BrokenSource(std::int64_t size, std::int64_t readable) : size_(size), readable_(readable) {}
  std::int64_t size() const override { return size_; }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    const std::int64_t end = offset + static_cast<std::int64_t>(out.size());
    if (end > readable_) return fail(ErrorCode::kIo, "secret disk");
    std::fill(out.begin(), out.end(), static_cast<std::uint8_t>('x'));
    read_to_ = std::max<std::int64_t>(read_to_, end);
    return {};
  }
  std::int64_t read_to() const { return read_to_; }

 private:
  std::int64_t size_, readable_;
  mutable std::atomic<std::int64_t> read_to_{0};
};

Router serving(ByteSourcePtr source) {
  Router router;
  router.add("GET", "/data", [source](const Request&) -> Result<Response> {
    return Response::from(200, "application/octet-stream", source);
  });
  return router;
}

TEST(Source, IsSentWholeWhateverItsSize) {
  const TemporaryFolder folder;
  const Bytes all = random_bytes(3'000'001);
  ASSERT_TRUE(write_file_atomically(folder / "data", all));
  const ByteSourcePtr file = file_source(folder / "data").value();
  Router router;
  router.add("GET", "/part/{offset}/{size}", [file](const Request& request) -> Result<Response> {
    return Response::from(206, "application/octet-stream",
                          slice_source(file, std::stoll(request.parameters.at("offset")),
                                       std::stoll(request.parameters.at("size"))));
  });
  const auto server = start(std::move(router));
  RawClient client(server->port());
  const int piece = 256 << 10;
  for (const int size : {0, 1, 1000, 65'537, piece - 1, piece, piece + 1, 2 * piece, 3'000'000}) {
    for (const int offset : {0, 1}) {
      client.send(get(fmt::format("/part/{}/{}", offset, size)));
      const auto answer = client.receive();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 206);
      EXPECT_EQ(answer->header("content-length"), std::to_string(size));
      EXPECT_TRUE(std::equal(answer->body.begin(), answer->body.end(), all.begin() + offset,
                             all.begin() + offset + size,
                             [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }));
    }
  }
}

TEST(Source, HeadTellsItsSizeAndReadsNothing) {
  const auto source = std::make_shared<BrokenSource>(std::int64_t{6} << 30, 0);
  const auto server = start(serving(source));
  RawClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.send("HEAD /data HTTP/1.1\r\nHost: t\r\n\r\n");
    const auto answer = client.receive(true);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->header("content-length"), "6442450944");
  }
}

TEST(Source, FailingAtOnceIsAnErrorAndLaterACutAnswer) {
  {
    const auto server = start(serving(std::make_shared<BrokenSource>(1'000'000, 0)));
    const Answer answer = ask(server->port(), get("/data"));
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.body, R"({"message":"internal error"})");
  }
  const auto server = start(serving(std::make_shared<BrokenSource>(2'000'000, 1'000'000)));
  EXPECT_EQ(ask(server->port(), get("/data")).status, 0);  // never whole
}

TEST(Source, IsReadNoFasterThanTheClientReads) {
  ServerOptions options;
  options.write_timeout_ms = 60;
  std::promise<void> given_up;
  options.on_access = [&](const AccessEntry&) { given_up.set_value(); };
  const auto source = std::make_shared<BrokenSource>(std::int64_t{4} << 30, std::int64_t{4} << 30);
  const auto server = start(serving(source), options);
  RawClient client(server->port());
  client.send(get("/data"));
  given_up.get_future().wait();
  EXPECT_GT(source->read_to(), 0);
  EXPECT_LT(source->read_to(), 64 << 20);  // what the system's buffers take
}

TEST(Source, OneStalledReaderDelaysNobody) {
  const auto server = start(serving(std::make_shared<BrokenSource>(64 << 20, 64 << 20)));
  std::vector<std::unique_ptr<RawClient>> stalled;
  for (int i = 0; i < 20; ++i) {
    stalled.push_back(std::make_unique<RawClient>(server->port()));
    stalled.back()->send(get("/data"));
  }
  EXPECT_EQ(ask(server->port(), get("/data")).body.size(), std::size_t{64} << 20);
}

TEST(Head, KeepsAHandlersFieldsAsTheyAreSpelled) {
  Response response = Response::text(200, "text/plain", "abc");
  response.headers.add("ETag", "\"9b2cf535f27731c974343645a3985328\"");
  response.headers.add("Last-Modified", "Wed, 12 Oct 2009 17:50:00 GMT");
  response.headers.add("x-amz-meta-Name", "a\r\nX-Forged: yes");
  response.headers.add("bad name", "v");
  response.headers.add("Connection", "upgrade");
  response.headers.add("transfer-encoding", "chunked");
  response.headers.add("Content-Length", "7");
  response.headers.add("Set-Cookie", "a");
  response.headers.add("Set-Cookie", "b");
  EXPECT_EQ(response_head(response, {}, "now"),
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: text/plain\r\n"
            "ETag: \"9b2cf535f27731c974343645a3985328\"\r\n"
            "Last-Modified: Wed, 12 Oct 2009 17:50:00 GMT\r\n"
            "x-amz-meta-Name: a  X-Forged: yes\r\n"
            "Set-Cookie: a\r\nSet-Cookie: b\r\n"
            "Date: now\r\n"
            "Content-Length: 3\r\n\r\n");
}

TEST(Head, FramesByStatusMethodAndVersion) {
  const auto head = [](const Response& response, const Framing& framing) {
    const std::string text = response_head(response, framing, "now");
    return text.substr(text.find("now\r\n") + 5);
  };
  const Response body = Response::text(200, "text/plain", "abc");
  EXPECT_EQ(head(body, {.keep_alive = false}), "Content-Length: 3\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(head(body, {.http_1_0 = true}), "Content-Length: 3\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(head(body, {.to_head = true}), "Content-Length: 3\r\n\r\n");
  EXPECT_FALSE(has_body(body, true));
  EXPECT_TRUE(has_body(body, false));
  for (const int status : {204, 304}) {
    Response empty = body;
    empty.status = status;
    EXPECT_EQ(head(empty, {}), "\r\n");
    EXPECT_FALSE(has_body(empty, false));
  }
  Response stated;
  stated.headers.set("Content-Length", "123456789012");
  EXPECT_EQ(head(stated, {.to_head = true}), "Content-Length: 123456789012\r\n\r\n");
  EXPECT_EQ(head(stated, {}), "Content-Length: 0\r\n\r\n");
  stated.headers.set("Content-Length", "12 a");
  EXPECT_EQ(head(stated, {.to_head = true}), "Content-Length: 0\r\n\r\n");
}

TEST(Head, AnswersWithoutBodyKeepTheConnectionInStep) {
  Router router;
  router.add("GET", "/none/{status}", [](const Request& request) -> Result<Response> {
    return Response::text(std::stoi(request.parameters.at("status")), "text/plain", "not sent");
  });
  router.add("HEAD", "/object", [](const Request&) -> Result<Response> {
    Response response;
    response.headers.set("Content-Length", "5368709120");
    response.headers.set("ETag", "\"x\"");
    return response;
  });
  const auto server = start(std::move(router));
  RawClient client(server->port());
  client.send(get("/none/204") + get("/none/304") + "HEAD /object HTTP/1.1\r\nHost: t\r\n\r\n" +
              get("/none/200"));
  EXPECT_EQ(client.receive()->status, 204);
  EXPECT_EQ(client.receive()->status, 304);
  const auto object = client.receive(true);
  ASSERT_TRUE(object);
  EXPECT_EQ(object->header("content-length"), "5368709120");
  EXPECT_EQ(object->header("etag"), "\"x\"");
  EXPECT_EQ(object->header("server"), "");
  EXPECT_EQ(client.receive()->body, "not sent");
}

TEST(Head, OldClientsAreToldThatTheConnectionStays) {
  Router router;
  router.add("GET", "/a", [](const Request&) -> Result<Response> { return Response::text(200, "a/b", "a"); });
  const auto server = start(std::move(router));
  RawClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->header("connection"), "keep-alive");
  }
  client.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.receive()->header("connection"), "close");
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(ask(server->port(), "GET /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status,
            400);
}

// Answers "<method> <target> <path>".
Router with_fallback() {
  Router router;
  router.add("GET", "/ping",
             [](const Request&) -> Result<Response> { return Response::text(200, "text/plain", "pong"); });
  router.set_fallback([](const Request& request) -> Result<Response> {
    Response response =
        Response::text(200, "text/plain", request.method + " " + request.target + " " + request.path);
    response.headers.set("X-Parameters", std::to_string(request.parameters.size()));
    return response;
  });
  return router;
}

TEST(Fallback, GetsWhatNoRouteMatchesByteForByte) {
  const auto server = start(with_fallback());
  EXPECT_EQ(ask(server->port(), get("/ping")).body, "pong");
  RawClient client(server->port());
  for (const std::string path :
       {"/",        "/a//b",  "//a",       "/a/./b",        "/a/../b", "/..",   "/../../etc/passwd",
        "/a%2Fb",   "/a%2fb", "/a%2E%2E/", "/a+b c%20d",    "/%zz",    "/%",    "/a%00b",
        "/a;b=1,2", "/ping/", "/PING",     "/\xc3\xa9\xff", "/~%7E",   "/a\\b", "/a:b@c!$&'()*"}) {
    if (path.find(' ') != std::string::npos) continue;  // ends the target
    client.send(get(path + "?x=%2F&y"));
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->body, "GET " + path + "?x=%2F&y " + path);
    EXPECT_EQ(answer->header("x-parameters"), "0");
  }
}

TEST(Fallback, GetsEveryMethod) {
  const auto server = start(with_fallback());
  RawClient client(server->port());
  for (const std::string method :
       {"PUT", "POST", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "M-SEARCH", "odd!"}) {
    client.send(method + " /ping HTTP/1.1\r\nHost: t\r\n\r\n");  // which only GET matches
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << method;
    EXPECT_EQ(answer->body, method + " /ping /ping");
  }
  client.send("HEAD /elsewhere HTTP/1.1\r\nHost: t\r\n\r\nHEAD /ping HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(client.receive(true)->header("content-length"),
            std::to_string(std::string("HEAD /elsewhere /elsewhere").size()));
  EXPECT_EQ(client.receive(true)->header("content-length"), "4");
}

TEST(Fallback, RequestsThatAreNotHttpStayRefused) {
  const auto server = start(with_fallback());
  const int port = server->port();
  EXPECT_EQ(ask(port, "GET /a HTTP/1.1\r\n\r\n").status, 400);  // no Host
  EXPECT_EQ(ask(port, get("/a?x=%zz")).status, 400);
  EXPECT_EQ(ask(port, get("*")).status, 400);
  EXPECT_EQ(
      ask(port,
          "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n")
          .status,
      400);
  EXPECT_EQ(
      ask(port, "GET /a HTTP/1.1\r\nHost: t\r\nX-Long: " + std::string(40'000, 'x') + "\r\n\r\n").status,
      431);
}

TEST(Handlers, ManyRunAtTheSameTime) {
  constexpr int kThreads = 40;
  std::latch all_here(kThreads);
  Router router;
  router.add("GET", "/meet", [&](const Request&) -> Result<Response> {
    all_here.arrive_and_wait();
    return Response::text(200, "text/plain", "met");
  });
  ServerOptions options;
  options.handler_threads = kThreads;
  const auto server = start(std::move(router), options);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kThreads; ++i) {
    clients.push_back(std::make_unique<RawClient>(server->port()));
    clients.back()->send(get("/meet"));
  }
  for (const auto& client : clients) EXPECT_EQ(client->receive()->body, "met");
}

}  // namespace
}  // namespace terrapin::http
