// The server over real sockets, byte by byte.
#include "http/server.h"

#include <gtest/gtest.h>

#include <barrier>
#include <future>
#include <latch>
#include <mutex>
#include <random>
#include <thread>

#include "unit/base/temporary_folder.h"
#include "unit/http/client.h"

namespace terrapin::http {
namespace {

using testing::Answer;
using testing::ask;
using testing::get;
using testing::post;
using testing::RawClient;

Result<Response> echo(const Request& request) {
  return Response::bytes(200, "application/octet-stream", request.body);
}

Router plain_router() {
  Router router;
  router.add("POST", "/echo", &echo);
  router.add("GET", "/hello",
             [](const Request&) -> Result<Response> { return Response::text(200, "text/plain", "hello"); });
  router.add(
      "GET", "/quick",
      [](const Request&) -> Result<Response> { return Response::text(200, "text/plain", "quick"); },
      RunsOn::kQuick);
  router.add("GET", "/items/{id}", [](const Request& request) -> Result<Response> {
    const auto extra = request.query_value("extra");
    return Response::text(200, "text/plain",
                          request.parameters.at("id") + "|" + std::string(extra.value_or("none")));
  });
  router.add("GET", "/throws",
             [](const Request&) -> Result<Response> { throw std::runtime_error("secret path"); });
  router.add("GET", "/throws-odd", [](const Request&) -> Result<Response> { throw 7; });
  router.add("GET", "/internal",
             [](const Request&) -> Result<Response> { return fail(ErrorCode::kIo, "secret disk"); });
  router.add("GET", "/missing-thing",
             [](const Request&) -> Result<Response> { return fail(ErrorCode::kNotFound, "no thing 'x'"); });
  router.add("GET", "/forger", [](const Request&) -> Result<Response> {
    Response response = Response::text(200, "text/plain", "ok");
    response.headers.add("X-Name", "a\r\nX-Forged: yes");
    return response;
  });
  return router;
}

std::unique_ptr<Server> start(ServerOptions options = {}, Router router = plain_router()) {
  auto server = Server::start(std::move(router), std::move(options));
  if (!server) throw std::runtime_error(server.error().message);
  return std::move(*server);
}

TEST(Server, AnswersAndReportsItsPort) {
  const auto server = start();
  EXPECT_GT(server->port(), 0);
  EXPECT_EQ(server->url(), "http://127.0.0.1:" + std::to_string(server->port()));
  const Answer answer = ask(server->port(), get("/hello"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.header("content-type"), "text/plain");
  EXPECT_EQ(answer.header("date").size(), 29U);
}

TEST(Server, NamesAPortItCannotHave) {
  const auto first = start();
  ServerOptions options;
  options.port = first->port();
  const auto second = Server::start(plain_router(), options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_NE(second.error().message.find(std::to_string(first->port())), std::string::npos);
  options.address = "localhost.example";
  EXPECT_EQ(Server::start(plain_router(), options).error().code, ErrorCode::kInvalidArgument);
  options.address = "127.0.0.1";
  options.port = 70000;
  EXPECT_EQ(Server::start(plain_router(), options).error().code, ErrorCode::kInvalidArgument);
}

TEST(Server, DecodesPathParametersAndQuery) {
  const auto server = start();
  EXPECT_EQ(ask(server->port(), get("/items/a%2Fb%20c?extra=1+2")).body, "a/b c|1 2");
  EXPECT_EQ(ask(server->port(), get("http://any/items/x")).body, "x|none");
}

TEST(Server, StatusesOfWrongRequests) {
  const auto server = start();
  const int port = server->port();
  EXPECT_EQ(ask(port, get("/nowhere")).status, 404);
  const Answer wrong_method = ask(port, "DELETE /hello HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.header("allow"), "GET, HEAD");
  EXPECT_EQ(ask(port, get("/items/%zz")).status, 400);
  EXPECT_EQ(ask(port, get("/items/%00")).status, 400);
  EXPECT_EQ(ask(port, get("*")).status, 400);
  EXPECT_EQ(ask(port, "GET /hello HTTP/1.1\r\n\r\n").status, 400);                        // no Host
  EXPECT_EQ(ask(port, "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400);  // two
  EXPECT_EQ(ask(port, "GET /hello HTTP/3.7\r\nHost: a\r\n\r\n").status, 505);
  EXPECT_EQ(ask(port, "rubbish\r\n\r\n").status, 400);
  EXPECT_EQ(ask(port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n").status, 400);
  EXPECT_EQ(
      ask(port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")
          .status,
      400);
  EXPECT_EQ(ask(port, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n").status, 501);
  EXPECT_EQ(ask(port, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx").status,
            417);
  EXPECT_EQ(ask(port, get("/hello")).status, 200);
}

TEST(Server, HandlersFailuresBecomeAnswersWithoutInternals) {
  const auto server = start();
  for (const char* path : {"/throws", "/throws-odd", "/internal"}) {
    const Answer answer = ask(server->port(), get(path));
    EXPECT_EQ(answer.status, 500) << path;
    EXPECT_EQ(answer.body, R"({"message":"internal error"})") << path;
  }
  const Answer missing = ask(server->port(), get("/missing-thing"));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, R"({"message":"no thing 'x'"})");
}

TEST(Server, ErrorBodiesCanBeReplaced) {
  ServerOptions options;
  options.error_response = [](int status, const std::string& message) {
    return Response::text(status, "text/plain", "E:" + message);
  };
  const auto server = start(options);
  EXPECT_EQ(ask(server->port(), get("/missing-thing")).body, "E:no thing 'x'");
  EXPECT_EQ(ask(server->port(), get("/x")).body, "E:there is nothing at /x");
}

TEST(Server, FieldValuesCannotForgeFields) {
  const auto server = start();
  const Answer answer = ask(server->port(), get("/forger"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.count("x-forged"), 0U);
}

TEST(Server, HeadSendsLengthWithoutBody) {
  const auto server = start();
  RawClient client(server->port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\n" + get("/hello"));
  const auto head = client.receive(true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->header("content-length"), "5");
  EXPECT_EQ(client.receive()->body, "hello");
}

TEST(Server, KeepsConnectionsAndServesPipelinedRequestsInOrder) {
  const auto server = start();
  RawClient client(server->port());
  std::string all;
  for (int i = 0; i < 20; ++i)
    all += i % 2 ? get("/items/" + std::to_string(i)) : post("/echo", std::to_string(i));
  client.send(all);
  for (int i = 0; i < 20; ++i) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, i % 2 ? std::to_string(i) + "|none" : std::to_string(i));
  }
  client.send("GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.receive()->header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(Server, Http10ClosesUnlessAsked) {
  const auto server = start();
  RawClient client(server->port());
  client.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.receive()->body, "hello");
  EXPECT_TRUE(client.at_end());
}

TEST(Server, ReadsBodiesOfEveryFraming) {
  const auto server = start();
  std::string large(3'000'000, '\0');
  std::minstd_rand random(1);
  for (char& c : large) c = static_cast<char>(random());
  RawClient client(server->port());
  client.send(post("/echo", large));
  EXPECT_EQ(client.receive()->body, large);
  client.send(
      "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\nTrailer: v\r\n\r\n");
  EXPECT_EQ(client.receive()->body, "abcdefgh");
  client.send(post("/echo", ""));
  EXPECT_EQ(client.receive()->status, 200);
  for (const char c : post("/echo", "slow")) client.send(std::string(1, c));
  EXPECT_EQ(client.receive()->body, "slow");
}

TEST(Server, BodyLimitHoldsForLengthsAndChunks) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  const auto server = start(options);
  EXPECT_EQ(ask(server->port(), post("/echo", std::string(1000, 'x'))).status, 200);
  EXPECT_EQ(ask(server->port(), post("/echo", std::string(1001, 'x'))).status, 413);
  EXPECT_EQ(ask(server->port(), post("/echo", std::string(2'000'000, 'x'))).status, 413);
  std::string chunked = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 11; ++i) chunked += "64\r\n" + std::string(100, 'x') + "\r\n";
  const Answer answer = ask(server->port(), chunked + "0\r\n\r\n");
  EXPECT_EQ(answer.status, 413);
  EXPECT_NE(answer.body.find("1000"), std::string::npos);
}

TEST(Server, AllBodiesTogetherAreBounded) {
  ServerOptions options;
  options.max_buffered_bytes = 10'000;
  const auto server = start(options);
  const Answer answer = ask(server->port(), post("/echo", std::string(100'000, 'x')));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("retry-after"), "1");
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(ask(server->port(), post("/echo", std::string(9000, 'x'))).status, 200);
}

TEST(Server, HeaderLimit) {
  ServerOptions options;
  options.max_header_bytes = 2048;
  const auto server = start(options);
  EXPECT_EQ(ask(server->port(), get("/items/" + std::string(1500, 'a'))).status, 200);
  EXPECT_EQ(ask(server->port(), get("/items/" + std::string(3000, 'a'))).status, 431);
}

TEST(Server, ContinueIsSentOnlyForRequestsThatWillBeRead) {
  ServerOptions options;
  options.max_body_bytes = 100;
  const auto server = start(options);
  const auto head = [](const char* path, int length) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                       path, length);
  };
  RawClient good(server->port());
  good.send(head("/echo", 5));
  EXPECT_EQ(good.receive()->status, 100);
  good.send("12345");
  EXPECT_EQ(good.receive()->body, "12345");
  // Some clients ask for nothing, too, and count on being told.
  good.send(head("/echo", 0));
  EXPECT_EQ(good.receive()->status, 100);
  EXPECT_EQ(good.receive()->status, 200);

  RawClient nowhere(server->port());
  nowhere.send(head("/nowhere", 5));
  EXPECT_EQ(nowhere.receive()->status, 404);
  RawClient over(server->port());
  over.send(head("/echo", 101));
  EXPECT_EQ(over.receive()->status, 413);
}

TEST(Server, SlowClientsAreCutOff) {
  ServerOptions options;
  options.header_timeout_ms = 60;
  options.body_timeout_ms = 60;
  options.idle_timeout_ms = 60;
  const auto server = start(options);
  RawClient half_header(server->port());
  half_header.send("GET /hello HTTP/1.1\r\nHo");
  EXPECT_EQ(half_header.receive().value_or(Answer{}).status, 408);
  EXPECT_TRUE(half_header.at_end());
  RawClient half_body(server->port());
  half_body.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n123");
  EXPECT_EQ(half_body.receive().value_or(Answer{}).status, 408);
  RawClient silent(server->port());
  EXPECT_TRUE(silent.at_end());
  RawClient idle(server->port());
  idle.send(get("/hello"));
  EXPECT_EQ(idle.receive()->status, 200);
  EXPECT_TRUE(idle.at_end());
}

TEST(Server, ReaderThatNeverReadsIsDropped) {
  ServerOptions options;
  options.write_timeout_ms = 60;
  std::promise<AccessEntry> written;
  options.on_access = [&](const AccessEntry& entry) { written.set_value(entry); };
  Router router;
  router.add("GET", "/huge",
             [](const Request&) -> Result<Response> { return Response::bytes(200, "x/y", Bytes(64 << 20)); });
  const auto server = start(options, std::move(router));
  RawClient client(server->port());
  client.send(get("/huge"));
  EXPECT_EQ(written.get_future().get().status, 200);  // comes back although nothing was read
  EXPECT_FALSE(client.receive());
}

TEST(Server, SlowHandlersDelayNeitherQuickOnesNorAccepting) {
  std::latch release(1);
  std::latch both_run(2);
  Router router = plain_router();
  router.add("GET", "/slow", [&](const Request&) -> Result<Response> {
    both_run.count_down();
    release.wait();
    return Response::text(200, "text/plain", "slow");
  });
  ServerOptions options;
  options.handler_threads = 2;
  options.max_pending_requests = 3;
  options.retry_after_s = 7;
  const auto server = start(options, std::move(router));
  RawClient first(server->port()), second(server->port()), third(server->port());
  first.send(get("/slow"));
  second.send(get("/slow"));
  both_run.wait();
  EXPECT_EQ(ask(server->port(), get("/quick")).body, "quick");  // though the pool is full
  third.send(get("/hello"));                                    // waits for a thread
  // The third may not have been counted yet when the next arrives: requests over the limit are refused,
  // others wait.
  RawClient fourth(server->port()), fifth(server->port());
  fourth.send(get("/hello"));
  fifth.send(get("/hello"));
  RawClient* const waiting[] = {&third, &fourth, &fifth};
  int refused = 0;
  while (refused < 2) {
    refused = 0;
    for (RawClient* client : waiting) refused += client->readable(1) ? 1 : 0;
  }
  release.count_down();
  int ok = 0;
  for (RawClient* client : waiting) {
    const Answer answer = client->receive().value();
    if (answer.status == 200) ++ok;
    if (answer.status == 503) {
      EXPECT_EQ(answer.header("retry-after"), "7");
    }
  }
  EXPECT_EQ(ok, 1);
  EXPECT_EQ(first.receive()->body, "slow");
  EXPECT_EQ(second.receive()->body, "slow");
}

TEST(Server, HandlerSeesThatTheClientLeft) {
  std::latch running(1);
  std::promise<bool> seen;
  Router router;
  router.add("GET", "/wait", [&](const Request& request) -> Result<Response> {
    running.count_down();
    while (!request.abandoned()) std::this_thread::yield();
    seen.set_value(true);
    return Response::text(200, "text/plain", "unread");
  });
  const auto server = start({}, std::move(router));
  RawClient client(server->port());
  client.send(get("/wait"));
  running.wait();
  client.close();
  EXPECT_TRUE(seen.get_future().get());
}

TEST(Server, ConnectionsOverTheLimitWaitTheirTurn) {
  ServerOptions options;
  options.max_connections = 2;
  const auto server = start(options);
  RawClient first(server->port()), second(server->port()), third(server->port());
  for (RawClient* client : {&first, &second}) {
    client->send(get("/hello"));
    EXPECT_EQ(client->receive()->status, 200);
  }
  third.send(get("/hello"));
  EXPECT_FALSE(third.readable(20));
  first.close();
  EXPECT_EQ(third.receive()->status, 200);
}

TEST(Server, ShutdownFinishesRequestsInFlight) {
  std::latch running(1), release(1);
  Router router = plain_router();
  router.add("GET", "/slow", [&](const Request&) -> Result<Response> {
    running.count_down();
    release.wait();
    return Response::text(200, "text/plain", "finished");
  });
  auto server = start({}, std::move(router));
  const int port = server->port();
  RawClient busy(port), idle(port);
  idle.send(get("/hello"));
  EXPECT_EQ(idle.receive()->status, 200);
  busy.send(get("/slow"));
  running.wait();
  std::thread stopper([&] { server->stop(); });
  EXPECT_TRUE(idle.at_end());  // closed at once, so stopping has begun
  EXPECT_FALSE(RawClient(port).connected());
  release.count_down();
  const auto answer = busy.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "finished");
  EXPECT_EQ(answer->header("connection"), "close");
  busy.close();
  stopper.join();
  server->stop();  // again: nothing to do
}

TEST(Server, ShutdownTimeCutsRequestsThatDoNotEnd) {
  std::latch running(1), release(1);
  Router router;
  router.add("GET", "/stuck", [&](const Request&) -> Result<Response> {
    running.count_down();
    release.wait();
    return Response::text(200, "text/plain", "late");
  });
  ServerOptions options;
  options.shutdown_timeout_ms = 30;
  auto server = start(options, std::move(router));
  RawClient client(server->port());
  client.send(get("/stuck"));
  running.wait();
  std::thread stopper([&] { server->stop(); });
  EXPECT_FALSE(client.receive());  // closed unanswered
  release.count_down();
  stopper.join();
}

TEST(Server, AccessLogTellsEveryAnswer) {
  std::mutex mutex;
  std::vector<AccessEntry> entries;
  ServerOptions options;
  options.on_access = [&](const AccessEntry& entry) {
    const std::lock_guard lock(mutex);
    entries.push_back(entry);
  };
  auto server = start(options);
  ask(server->port(), get("/hello?x=1"));
  ask(server->port(), get("/nowhere"));
  ask(server->port(), "rubbish\r\n\r\n");
  server->stop();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].method, "GET");
  EXPECT_EQ(entries[0].target, "/hello?x=1");
  EXPECT_EQ(entries[0].status, 200);
  EXPECT_EQ(entries[0].body_bytes, 5);
  EXPECT_GE(entries[0].milliseconds, 0);
  EXPECT_EQ(entries[0].remote_address, "127.0.0.1");
  EXPECT_EQ(entries[1].status, 404);
  EXPECT_EQ(entries[2].status, 400);
}

// Random and mutated bytes: the server must outlive them all and still answer.
TEST(Server, SurvivesGarbage) {
  ServerOptions options;
  options.header_timeout_ms = 1000;
  options.max_body_bytes = 10'000;
  const test::TemporaryFolder folder;
  options.spool_above_bytes = 5;  // one of the seeds goes through a file, one does not
  options.spool_folder = folder.path();
  const auto server = start(options);
  std::mt19937 random(20);
  const std::string seeds[] = {
      get("/items/a%20b?x=1"), post("/echo", "0123456789", "Expect: 100-continue\r\n"),
      "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"};
  for (int round = 0; round < 600; ++round) {
    std::string bytes = seeds[round % 3];
    if (round % 5 == 0) {
      bytes.assign(1 + random() % 300, '\0');
      for (char& c : bytes) c = static_cast<char>(random());
    } else {
      for (int k = 0; k < 1 + round % 4; ++k) {
        const std::size_t at = random() % bytes.size();
        switch (random() % 3) {
          case 0:
            bytes[at] = static_cast<char>(random());
            break;
          case 1:
            bytes.erase(at, 1 + random() % 4);
            break;
          default:
            bytes.insert(at, std::string(1 + random() % 4, static_cast<char>(random())));
            break;
        }
        if (bytes.empty()) bytes = "x";
      }
    }
    RawClient client(server->port());
    ASSERT_TRUE(client.connected());
    client.send(bytes);
    client.finish_sending();
    while (const auto answer = client.receive()) {
      EXPECT_GE(answer->status, 100);
      EXPECT_LT(answer->status, 600);
      EXPECT_NE(answer->status, 500);
    }
  }
  EXPECT_EQ(ask(server->port(), get("/hello")).body, "hello");
}

}  // namespace
}  // namespace terrapin::http
