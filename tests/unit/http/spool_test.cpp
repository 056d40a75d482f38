// Bodies that do not fit into memory.
#include "http/spool.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <random>

#include "http/server.h"
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

constexpr int kLimit = 100'000;

std::string random_text(std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// `body` as chunks of uneven sizes.
std::string chunked(const std::string& target, const std::string& body) {
  std::mt19937 random(7);
  std::string request = "POST " + target + " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t size = std::min<std::size_t>(body.size() - at, 1 + random() % 200'000);
    request += fmt::format("{:x}\r\n", size) + body.substr(at, size) + "\r\n";
    at += size;
  }
  return request + "0\r\nX-Trailer: v\r\n\r\n";
}

// /echo sends the body back and says in a field where it was.
Router echo_router() {
  Router router;
  router.add("POST", "/echo", [](const Request& request) -> Result<Response> {
    Response response = Response::from(200, "application/octet-stream", request.body_source());
    response.headers.set("X-Where", request.spooled ? "file" : "memory");
    response.headers.set("X-In-Memory", std::to_string(request.body.size()));
    return response;
  });
  router.add("GET", "/hello",
             [](const Request&) -> Result<Response> { return Response::text(200, "text/plain", "hello"); });
  return router;
}

std::unique_ptr<Server> start(ServerOptions options, const fs::path& folder) {
  options.spool_above_bytes = kLimit;
  options.spool_folder = folder;
  auto server = Server::start(echo_router(), std::move(options));
  if (!server) throw std::runtime_error(server.error().message);
  return std::move(*server);
}

TEST(SpoolFile, HoldsWhatWasWrittenAndHasNoName) {
  for (const auto creation : {SpoolFile::Creation::kTmpfile, SpoolFile::Creation::kNamed}) {
    const TemporaryFolder folder;
    const std::string text = random_text(1'000'000);
    const Bytes bytes(text.begin(), text.end());
    ByteSourcePtr source;
    {
      SpoolFile file(folder.path(), {}, creation);
      const std::span<const std::uint8_t> all(bytes);
      for (std::size_t at = 0; at < all.size(); at += 300'000) {
        ASSERT_TRUE(file.write(all.subspan(at, std::min<std::size_t>(300'000, all.size() - at))));
      }
      EXPECT_TRUE(fs::is_empty(folder.path()));
      source = file.finish();
    }
    EXPECT_EQ(read_all(*source, 1 << 20).value(), bytes);
    Bytes middle(1000);
    ASSERT_TRUE(source->read(599'500, middle));
    EXPECT_TRUE(std::equal(middle.begin(), middle.end(), bytes.begin() + 599'500));
    EXPECT_EQ(source->read(999'500, middle).error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(source->read(-1, middle).error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(SpoolFile, NamesAFolderItCannotUse) {
  const TemporaryFolder folder;
  SpoolFile file(folder / "missing");
  const Status status = file.write(Bytes(1));
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("missing"), std::string::npos);
}

TEST(Spooling, NeedsAFolderAtStart) {
  ServerOptions options;
  options.spool_above_bytes = 1;
  EXPECT_EQ(Server::start({}, options).error().code, ErrorCode::kInvalidArgument);
  options.spool_folder = "/dev/null/x";
  const auto server = Server::start({}, options);
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().message.find("/dev/null/x"), std::string::npos);
}

TEST(Spooling, LargeBodiesArriveWholeThroughAFile) {
  const TemporaryFolder folder;
  ServerOptions options;
  options.max_buffered_bytes = 2 * kLimit;  // what is in a file does not count
  const auto server = start(options, folder / "made/at start");
  const std::string body = random_text(3'000'001);
  RawClient client(server->port());
  for (const std::string& request : {post("/echo", body), chunked("/echo", body), post("/echo", body)}) {
    ASSERT_TRUE(client.send(request));
    const auto answer = client.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->header("x-where"), "file");
    EXPECT_EQ(answer->header("x-in-memory"), "0");
    EXPECT_TRUE(answer->body == body);
  }
  EXPECT_TRUE(fs::is_empty(folder / "made/at start"));
}

TEST(Spooling, BeginsAboveItsLimit) {
  const TemporaryFolder folder;
  const auto server = start({}, folder.path());
  for (const int size : {0, kLimit, kLimit + 1}) {
    const std::string body = random_text(static_cast<std::size_t>(size));
    for (const std::string& request : {post("/echo", body), chunked("/echo", body)}) {
      const Answer answer = ask(server->port(), request);
      EXPECT_EQ(answer.header("x-where"), size > kLimit ? "file" : "memory") << size;
      EXPECT_TRUE(answer.body == body) << size;
    }
  }
}

TEST(Spooling, RequestsInOneStreamKeepTheirBounds) {
  const TemporaryFolder folder;
  const auto server = start({}, folder.path());
  const std::string first = random_text(600'000), second = random_text(150'000);
  RawClient client(server->port());
  ASSERT_TRUE(client.send(post("/echo", first) + get("/hello") + chunked("/echo", second) + get("/hello")));
  EXPECT_TRUE(client.receive()->body == first);
  EXPECT_EQ(client.receive()->body, "hello");
  EXPECT_TRUE(client.receive()->body == second);
  EXPECT_EQ(client.receive()->body, "hello");
}

TEST(Spooling, BodyLimitHolds) {
  const TemporaryFolder folder;
  ServerOptions options;
  options.max_body_bytes = 1'000'000;
  const auto server = start(options, folder.path());
  EXPECT_EQ(ask(server->port(), post("/echo", std::string(1'000'000, 'x'))).status, 200);
  EXPECT_EQ(ask(server->port(), chunked("/echo", std::string(1'000'000, 'x'))).status, 200);
  EXPECT_EQ(ask(server->port(), post("/echo", std::string(1'000'001, 'x'))).status, 413);
  EXPECT_EQ(ask(server->port(), chunked("/echo", std::string(1'000'001, 'x'))).status, 413);
}

TEST(Spooling, FiveGibibytesCanBeAllowed) {
  const TemporaryFolder folder;
  ServerOptions options;
  options.max_body_bytes = std::int64_t{5} << 30;
  const auto server = start(options, folder.path());
  const auto status_for = [&](std::int64_t size) {
    return ask(server->port(),
               fmt::format(
                   "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                   size))
        .status;
  };
  EXPECT_EQ(status_for(options.max_body_bytes), 100);
  EXPECT_EQ(status_for(options.max_body_bytes + 1), 413);
}

TEST(Spooling, ContinueIsSentBeforeALargeBody) {
  const TemporaryFolder folder;
  const auto server = start({}, folder.path());
  const std::string body = random_text(500'000);
  const std::string request = post("/echo", body, "Expect: 100-continue\r\n");
  const std::size_t head = request.find("\r\n\r\n") + 4;
  RawClient client(server->port());
  client.send(request.substr(0, head));
  EXPECT_EQ(client.receive()->status, 100);
  client.send(request.substr(head));
  EXPECT_TRUE(client.receive()->body == body);
}

// No file of this process may grow beyond a size: what a full disk does to a file, without a disk to fill.
class LimitedFileSize {
 public:
  explicit LimitedFileSize(rlim_t bytes) : old_handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~LimitedFileSize() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST(Spooling, AFullDiskIsAnswered) {
  const TemporaryFolder folder;
  const auto server = start({}, folder.path());
  const std::string body = random_text(6'000'000);
  {
    const LimitedFileSize full(2'000'000);
    for (const std::string& request : {post("/echo", body), chunked("/echo", body)}) {
      RawClient client(server->port());
      client.send(request);
      const auto answer = client.receive();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 507);
      EXPECT_EQ(answer->header("connection"), "close");
      client.finish_sending();
      EXPECT_TRUE(client.at_end());
    }
  }
  EXPECT_TRUE(ask(server->port(), post("/echo", body)).body == body);
}

TEST(Spooling, ClientsThatLeaveInTheMiddleLeaveNothingBehind) {
  const TemporaryFolder folder;
  const auto server = start({}, folder.path());
  const std::string request = post("/echo", random_text(2'000'000));
  for (const std::size_t size : {std::size_t{1000}, std::size_t{200'000}, std::size_t{1'500'000}}) {
    RawClient client(server->port());
    client.send(std::string_view(request).substr(0, size));
  }
  EXPECT_EQ(ask(server->port(), get("/hello")).status, 200);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Spooling, TimeIsForProgressAndNotForTheWholeBody) {
  const TemporaryFolder folder;
  ServerOptions options;
  options.body_timeout_ms = 1000;
  const auto server = start(options, folder.path());
  const std::string body = random_text(28 * 65'536);
  const std::string request = post("/echo", body);
  RawClient slow(server->port());
  for (std::size_t at = 0; at < request.size(); at += 65'536) {
    ASSERT_TRUE(slow.send(std::string_view(request).substr(at, 65'536)));
    if (at + 65'536 < request.size()) {
      ASSERT_FALSE(slow.readable(50));  // 1.4 s in all
    }
  }
  EXPECT_TRUE(slow.receive()->body == body);

  options.body_timeout_ms = 60;
  const auto strict = start(options, folder.path());
  RawClient silent(strict->port());
  silent.send(std::string_view(request).substr(0, 500'000));
  EXPECT_EQ(silent.receive().value_or(Answer{}).status, 408);
  EXPECT_TRUE(silent.at_end());
}

TEST(Spooling, LargeBodiesOfRefusedRequestsAreNotRead) {
  const TemporaryFolder folder;
  const auto server = start({}, folder.path());
  const std::string body = random_text(3'000'000);
  for (const std::string& request : {post("/nowhere", body), chunked("/nowhere", body)}) {
    const Answer answer = ask(server->port(), request);
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.header("connection"), "close");
  }
  RawClient client(server->port());
  client.send(post("/nowhere", random_text(500'000)));
  EXPECT_EQ(client.receive()->status, 404);
  client.send(get("/hello"));  // a smaller one is skipped
  EXPECT_EQ(client.receive()->body, "hello");
}

}  // namespace
}  // namespace terrapin::http
