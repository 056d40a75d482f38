// Who may send how much: what is decided before a body is read, and what all bodies in files may take.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "http/server.h"
#include "http/spool.h"
#include "unit/base/temporary_folder.h"
#include "unit/http/client.h"

namespace terrapin::http {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using testing::Answer;
using testing::ask;
using testing::get;
using testing::post;
using testing::RawClient;

constexpr std::int64_t kSmall = 1000;  // admit_above_bytes

std::string head_of(const std::string& target, std::int64_t length, const std::string& fields = {}) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n{}\r\n", target, length, fields);
}

std::string chunked(const std::string& target, std::size_t size) {
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n", target,
      size, std::string(size, 'x'));
}

// Waits for `condition` by asking the server for something else, which lets it get on.
template <class Condition>
void until(const Server& server, Condition condition) {
  while (!condition()) ASSERT_EQ(ask(server.port(), get("/hello")).status, 200);
}

class AdmissionTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    Router router;
    router.add("POST", "/size", [this](const Request& request) -> Result<Response> {
      ++handled;
      return Response::text(200, "text/plain", std::to_string(request.body_bytes()));
    });
    router.add("POST", "/keep", [this](const Request& request) -> Result<Response> {
      kept.set_value(request.body_bytes());
      release.get_future().wait();
      return Response::text(200, "text/plain", "kept");
    });
    router.add("POST", "/throw",
               [](const Request&) -> Result<Response> { throw std::runtime_error("on purpose"); });
    router.add(
        "POST", "/quick", [](const Request&) -> Result<Response> { return Response::json(200, "{}"); },
        RunsOn::kQuick);
    router.add("GET", "/hello",
               [](const Request&) -> Result<Response> { return Response::text(200, "text/plain", "hello"); });
    options.admit_above_bytes = kSmall;
    auto started = Server::start(std::move(router), std::move(options));
    if (!started) throw std::runtime_error(started.error().message);
    server = std::move(*started);
  }
  // Everybody may send `kSmall`, those with the right word 100,000 bytes.
  static Admission by_word(const Request& head) {
    if (head.headers.find("X-Word") == "sesame") return {100'000, std::nullopt};
    Response response = Response::error(401, "say the word");
    response.headers.set("X-From", "admit");
    return {kSmall, std::move(response)};
  }
  // A spool with room for a million bytes, from 10,000 on.
  static ServerOptions million(const fs::path& folder) {
    ServerOptions options;
    options.spool_above_bytes = 10'000;
    options.spool_folder = folder;
    options.max_spooled_bytes = 1'000'000;
    options.retry_after_s = 7;
    return options;
  }
  void expect_busy(const std::string& request) const {
    RawClient client(server->port());
    client.send(request);
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 503);
    EXPECT_EQ(answer->header("retry-after"), "7");
    EXPECT_EQ(answer->header("connection"), "close");
  }

  std::atomic<int> handled{0};
  std::promise<std::int64_t> kept;
  std::promise<void> release;
  std::unique_ptr<Server> server;
};

TEST_F(AdmissionTest, ALargeBodyIsRefusedByItsHead) {
  ServerOptions options;
  options.admit = by_word;
  start(options);
  RawClient client(server->port());
  client.send(head_of("/size", 50'000));  // and not one byte more
  const auto answer = client.receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(answer->header("x-from"), "admit");
  EXPECT_EQ(answer->header("connection"), "close");
  client.finish_sending();
  EXPECT_TRUE(client.at_end());
  EXPECT_EQ(handled, 0);
}

TEST_F(AdmissionTest, ARefusedBodyIsNotAskedFor) {
  ServerOptions options;
  options.admit = by_word;
  start(options);
  EXPECT_EQ(ask(server->port(), head_of("/size", 50'000, "Expect: 100-continue\r\n")).status, 401);
  EXPECT_EQ(
      ask(server->port(), head_of("/size", 50'000, "Expect: 100-continue\r\nX-Word: sesame\r\n")).status,
      100);
}

TEST_F(AdmissionTest, WhoIsAdmittedSendsUpToTheLimit) {
  ServerOptions options;
  options.admit = by_word;
  start(options);
  const std::string word = "X-Word: sesame\r\n";
  EXPECT_EQ(ask(server->port(), post("/size", std::string(100'000, 'x'), word)).body, "100000");
  const Answer over = ask(server->port(), head_of("/size", 100'001, word));
  EXPECT_EQ(over.status, 413);
  EXPECT_NE(over.body.find("100000"), std::string::npos) << over.body;
  EXPECT_EQ(ask(server->port(), post("/size", std::string(kSmall, 'x'))).body, "1000");
}

TEST_F(AdmissionTest, BodiesWithoutALengthAreCutAtTheLimit) {
  ServerOptions options;
  options.admit = by_word;
  start(options);
  EXPECT_EQ(ask(server->port(), chunked("/size", 1000)).body, "1000");
  const Answer refused = ask(server->port(), chunked("/size", 1001));
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.header("x-from"), "admit");
  // Each chunk within the limit, all of them not.
  std::string pieces = "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) pieces += "64\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(ask(server->port(), pieces).status, 401);
}

TEST_F(AdmissionTest, SeesTheHeadAndIsAskedOnlyForLargeBodies) {
  ServerOptions options;
  std::mutex mutex;
  std::vector<std::string> asked;
  options.admit = [&](const Request& head) -> Admission {
    const std::lock_guard lock(mutex);
    asked.push_back(fmt::format("{} {} {} {} {}", head.method, head.path, head.query_value("a").value_or("-"),
                                head.remote_address, head.body_bytes()));
    return {1 << 20, std::nullopt};
  };
  start(options);
  EXPECT_EQ(ask(server->port(), get("/hello")).status, 200);
  EXPECT_EQ(ask(server->port(), post("/size", std::string(kSmall, 'x'))).status, 200);
  EXPECT_EQ(ask(server->port(), post("/nowhere", std::string(kSmall + 1, 'x'))).status, 404);
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(ask(server->port(), post("/size?a=1", std::string(kSmall + 1, 'x'))).status, 200);
  EXPECT_EQ(asked, std::vector<std::string>{"POST /size 1 127.0.0.1 0"});
}

TEST_F(AdmissionTest, AnExceptionRefuses) {
  ServerOptions options;
  options.admit = [](const Request&) -> Admission { throw std::runtime_error("on purpose"); };
  start(options);
  EXPECT_EQ(ask(server->port(), head_of("/size", 50'000)).status, 500);
  EXPECT_EQ(ask(server->port(), chunked("/size", 10)).status, 500);
  EXPECT_EQ(handled, 0);
}

TEST_F(AdmissionTest, TheSpoolHasOneLimitForAll) {
  const TemporaryFolder folder;
  start(million(folder.path()));
  RawClient slow(server->port());
  slow.send(head_of("/size", 600'000) + std::string(300'000, 'x'));
  until(*server, [&] { return server->spooled_bytes() == 600'000; });
  expect_busy(head_of("/size", 400'001));
  expect_busy(head_of("/size", 400'001, "Expect: 100-continue\r\n"));
  EXPECT_EQ(server->spooled_bytes(), 600'000);
  EXPECT_EQ(ask(server->port(), post("/size", std::string(400'000, 'x'))).body, "400000");
  slow.send(std::string(300'000, 'x'));
  EXPECT_EQ(slow.receive()->body, "600000");
  until(*server, [&] { return server->spooled_bytes() == 0; });
  EXPECT_EQ(ask(server->port(), post("/size", std::string(1'000'000, 'x'))).body, "1000000");
}

TEST_F(AdmissionTest, OneBodyLargerThanTheSpoolIsTooLarge) {
  const TemporaryFolder folder;
  start(million(folder.path()));
  EXPECT_EQ(ask(server->port(), head_of("/size", 1'000'001)).status, 413);
  EXPECT_EQ(ask(server->port(), chunked("/size", 1'000'001)).status, 413);
  until(*server, [&] { return server->spooled_bytes() == 0; });
}

TEST_F(AdmissionTest, BodiesWithoutALengthTakeWhatHasArrived) {
  const TemporaryFolder folder;
  start(million(folder.path()));
  RawClient slow(server->port());
  slow.send(head_of("/size", 700'000));
  until(*server, [&] { return server->spooled_bytes() == 700'000; });
  EXPECT_EQ(ask(server->port(), chunked("/size", 300'000)).body, "300000");
  expect_busy(chunked("/size", 600'000));
  slow.close();
  until(*server, [&] { return server->spooled_bytes() == 0; });
  EXPECT_EQ(ask(server->port(), chunked("/size", 600'000)).body, "600000");
}

TEST_F(AdmissionTest, ABodyCountsUntilItsHandlerIsDone) {
  const TemporaryFolder folder;
  start(million(folder.path()));
  RawClient client(server->port());
  client.send(post("/keep", std::string(900'000, 'x')));
  EXPECT_EQ(kept.get_future().get(), 900'000);
  EXPECT_EQ(server->spooled_bytes(), 900'000);
  expect_busy(head_of("/size", 200'000));
  release.set_value();
  EXPECT_EQ(client.receive()->body, "kept");
  until(*server, [&] { return server->spooled_bytes() == 0; });
}

TEST_F(AdmissionTest, EveryWayOutGivesTheSpaceBack) {
  const TemporaryFolder folder;
  ServerOptions options = million(folder.path());
  options.body_timeout_ms = 100;
  options.admit = [](const Request& head) -> Admission {
    return {head.path == "/limited" ? 20'000 : 1'000'000, std::nullopt};
  };
  start(options);
  const std::string body(500'000, 'x');
  EXPECT_EQ(ask(server->port(), post("/throw", body)).status, 500);
  EXPECT_EQ(ask(server->port(), post("/quick", body)).status, 200);
  EXPECT_EQ(ask(server->port(), post("/nowhere", body)).status, 404);
  EXPECT_EQ(ask(server->port(), post("/size", body.substr(0, 400'000)) + "rubbish\r\n\r\n").status, 200);
  EXPECT_EQ(ask(server->port(), head_of("/size", 500'000) + body.substr(0, 100'000)).status, 408);
  RawClient broken(server->port());
  broken.send("POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n61a80\r\n" +
              body.substr(0, 400'000) + "\r\nno size\r\n");
  EXPECT_EQ(broken.receive()->status, 400);
  {
    RawClient continued(server->port());
    continued.send(head_of("/size", 500'000, "Expect: 100-continue\r\n"));
    EXPECT_EQ(continued.receive()->status, 100);
  }
  until(*server, [&] { return server->spooled_bytes() == 0; });
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST_F(AdmissionTest, ManyClientsAtOnceNeverTakeMoreThanThereIs) {
  const TemporaryFolder folder;
  start(million(folder.path()));
  std::atomic<int> served{0}, busy{0}, other{0};
  std::vector<std::thread> clients;
  std::atomic<std::int64_t> most{0};
  for (int each = 0; each < 8; ++each) {
    clients.emplace_back([&, each] {
      for (int round = 0; round < 12; ++round) {
        const std::size_t size = 150'000 + 40'000 * static_cast<std::size_t>(each);
        RawClient client(server->port());
        const std::string request =
            round % 3 == 2 ? chunked("/size", size) : post("/size", std::string(size, 'x'));
        if (round % 4 == 3) {  // leaves in the middle
          client.send(std::string_view(request).substr(0, request.size() / 2));
          continue;
        }
        client.send(request);
        const Answer answer = client.receive().value_or(Answer{});
        const std::int64_t now = server->spooled_bytes();
        std::int64_t seen = most;
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        if (answer.status == 200 && answer.body == std::to_string(size)) {
          ++served;
        } else if (answer.status == 503) {
          ++busy;
        } else {
          ++other;
        }
      }
    });
  }
  for (std::thread& each : clients) each.join();
  EXPECT_LE(most, 1'000'000);
  EXPECT_GT(served, 0);
  EXPECT_EQ(served + busy + other, 8 * 9);
  EXPECT_EQ(other, 0);
  // A client that left may not have been looked at yet: it takes its share once more, and gives it back.
  const std::string all = post("/size", std::string(1'000'000, 'x'));
  until(*server, [&] { return ask(server->port(), all).status == 200; });
}

TEST(SpoolBudget, SharesGrowAndGoBackExactly) {
  auto budget = std::make_shared<SpoolBudget>(100);
  {
    SpoolShare first(budget), second(budget);
    EXPECT_TRUE(first.grow_to(60));
    EXPECT_FALSE(second.grow_to(41));
    EXPECT_TRUE(second.grow_to(40));
    EXPECT_TRUE(first.grow_to(10));  // never smaller
    EXPECT_EQ(budget->taken(), 100);
    EXPECT_FALSE(first.grow_to(61));
    const SpoolShare moved(std::move(second));
    EXPECT_EQ(budget->taken(), 100);
  }
  EXPECT_EQ(budget->taken(), 0);
  SpoolShare unlimited;
  EXPECT_TRUE(unlimited.grow_to(INT64_MAX));
}

}  // namespace
}  // namespace terrapin::http
