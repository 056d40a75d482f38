#include "base/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/files.h"
#include "unit/base/temporary_folder.h"

namespace terrapin {
namespace {

using testing::HasSubstr;

constexpr std::chrono::minutes kLong{1};

ChildEnding ending_of(const ChildPlan& plan) {
  auto child = ChildProcess::start(plan);
  EXPECT_TRUE(child) << child.error().message;
  const auto ending = child->wait(kLong);
  EXPECT_TRUE(ending && *ending);
  return **ending;
}

TEST(ChildProcess, ToldByItsExitCodeOrSignal) {
  EXPECT_EQ(ending_of({.arguments = {"/bin/sh", "-c", "exit 3"}}).exit_code, 3);
  EXPECT_EQ(ending_of({.arguments = {"/bin/sh", "-c", "kill -9 $$"}}).signal, SIGKILL);
}

TEST(ChildProcess, RunsInItsFolderWithItsEnvironmentAndNoDescriptorOfOurs) {
  const test::TemporaryFolder folder;
  const Descriptor secret(::open("/dev/zero", O_RDONLY));  // without O_CLOEXEC
  const std::string script =
      "pwd > said; echo $A >> said; cat >> said; ls /proc/self/fd | wc -l >> said; test -z \"$HOME\"";
  const ChildEnding ending = ending_of({.arguments = {"/bin/sh", "-c", script},
                                        .environment = {"A=b c", "PATH=/usr/bin:/bin"},
                                        .folder = folder.path().string()});
  EXPECT_EQ(ending.exit_code, 0);
  // Its input is empty; ls has three descriptors and the folder that it lists.
  EXPECT_EQ(read_text_file(folder / "said").value(),
            std::filesystem::canonical(folder.path()).string() + "\nb c\n4\n");
}

TEST(ChildProcess, GetsSignalsAndDefaultsForThem) {
  const auto before = ::signal(SIGTERM, SIG_IGN);
  auto child = ChildProcess::start({.arguments = {"/bin/sh", "-c", "read nothing < /dev/zero"}});
  ::signal(SIGTERM, before);
  ASSERT_TRUE(child);
  const auto running = child->wait(std::chrono::milliseconds(0));
  ASSERT_TRUE(running);
  EXPECT_FALSE(*running);
  child->signal(SIGTERM);
  const auto ending = child->wait(kLong);
  ASSERT_TRUE(ending && *ending);
  EXPECT_EQ((*ending)->signal, SIGTERM);
  EXPECT_FALSE(child->wait(kLong));  // its end was seen
}

TEST(ChildProcess, GoesWithItsOwner) {
  const test::TemporaryFolder folder;
  pid_t pid = 0;
  {
    auto child = ChildProcess::start({.arguments = {"/bin/sh", "-c", "echo $$ > pid; while :; do :; done"},
                                      .folder = folder.path().string()});
    ASSERT_TRUE(child);
    while (pid == 0) {
      const auto said = read_text_file(folder / "pid");
      if (said && said->ends_with('\n')) pid = std::stoi(*said);
    }
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(ChildProcess, ThatCannotBe) {
  const auto missing = ChildProcess::start({.arguments = {"/nowhere/program"}});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/program cannot be started: No such file"));
  EXPECT_FALSE(ChildProcess::start({.arguments = {"sh"}}));
  EXPECT_FALSE(ChildProcess::start({}));
}

}  // namespace
}  // namespace terrapin
