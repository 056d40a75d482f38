#include "cli/service/running_server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "flow/program.h"

namespace terrapin::cli {
namespace {

TEST(RunningServer, IsFoundWhileItRuns) {
  const flow::TemporaryFolder folder;
  EXPECT_FALSE(folder_use(folder.path())->taken);
  auto claim = ServerClaim::take(folder.path());
  ASSERT_TRUE(claim) << claim.error().message;
  auto use = folder_use(folder.path());
  EXPECT_TRUE(use->taken);
  EXPECT_FALSE(use->server);  // it does not answer yet
  ASSERT_TRUE(claim->announce("http://127.0.0.1:4711", "serve"));
  use = folder_use(folder.path());
  ASSERT_TRUE(use->server);
  EXPECT_EQ(use->server->url, "http://127.0.0.1:4711");
  EXPECT_EQ(use->server->command, "serve");
  EXPECT_EQ(use->server->process, ::getpid());

  const auto second = ServerClaim::take(folder.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_NE(second.error().message.find("http://127.0.0.1:4711"), std::string::npos);
  EXPECT_TRUE(folder_use(folder.path())->server) << "a refused one must not take the other's notice";

  claim->release();
  claim->release();
  EXPECT_FALSE(folder_use(folder.path())->taken);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "server.json"));
  EXPECT_TRUE(ServerClaim::take(folder.path()));
}

TEST(RunningServer, OfOneThatWasKilledNothingIsBelieved) {
  const flow::TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto claim = ServerClaim::take(folder.path());
    if (claim) (void)claim->announce("http://127.0.0.1:4711", "serve");
    [[maybe_unused]] const ssize_t put = ::write(ready[1], "r", 1);
    ::pause();
    ::_exit(0);
  }
  char one = 0;
  ASSERT_EQ(::read(ready[0], &one, 1), 1);
  EXPECT_TRUE(folder_use(folder.path())->server);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "server.json"));
  const auto use = folder_use(folder.path());
  EXPECT_FALSE(use->taken);
  EXPECT_FALSE(use->server);
  auto next = ServerClaim::take(folder.path());
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_FALSE(folder_use(folder.path())->server) << "the old notice is not the new server's";
}

TEST(RunningServer, ANoticeThatIsNoneIsNone) {
  const flow::TemporaryFolder folder;
  auto claim = ServerClaim::take(folder.path());
  ASSERT_TRUE(claim);
  for (const char* text : {"", "[]", "{}", R"({"version":2,"url":"u","command":"serve","process":1})",
                           R"({"version":1,"url":7,"command":"serve","process":1})",
                           R"({"version":1,"url":"u","command":"serve","process":"1"})"}) {
    ASSERT_TRUE(write_file_atomically(folder.path() / "server.json", text));
    const auto use = folder_use(folder.path());
    EXPECT_TRUE(use->taken);
    EXPECT_FALSE(use->server) << text;
  }
}

TEST(RunningServer, LocksAreAskedAboutWithoutTakingThem) {
  const flow::TemporaryFolder folder;
  const auto path = folder.path() / "lock";
  EXPECT_FALSE(*is_locked(path));
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    const auto lock = try_lock(path);
    ASSERT_TRUE(lock && lock->is_open());
    EXPECT_TRUE(*is_locked(path));
    EXPECT_FALSE(try_lock(path)->is_open());
  }
  EXPECT_FALSE(*is_locked(path));
}

}  // namespace
}  // namespace terrapin::cli
