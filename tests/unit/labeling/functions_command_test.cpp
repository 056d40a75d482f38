// Commands as real child processes.
#include "labeling/functions/command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "unit/base/temporary_folder.h"

namespace terrapin::labeling {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class FunctionsCommand : public ::testing::Test {
 protected:
  FunctionsCommand() { fs::create_directory(folder_ / "scratch"); }

  std::string script(const std::string& name, const std::string& text) {
    const fs::path path = folder_ / name;
    std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(path, fs::perms::owner_all);
    return path.string();
  }
  Command command(std::vector<std::string> arguments) const {
    Command made;
    made.arguments = std::move(arguments);
    made.scratch_folder = folder_ / "scratch";
    made.timeout = hours(1);
    made.kill_grace = milliseconds(20);
    return made;
  }
  // A pipe with a name: its end tells that no process has it open for writing any more.
  class Fifo {
   public:
    explicit Fifo(fs::path path) : path_(std::move(path)) {
      if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
      descriptor_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      ::fcntl(descriptor_, F_SETFL, 0);
    }
    ~Fifo() { ::close(descriptor_); }
    std::string path() const { return path_.string(); }
    // Waits until every writer is gone.
    std::string all() const {
      std::string text;
      char buffer[4096];
      for (ssize_t got; (got = ::read(descriptor_, buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
      return text;
    }

   private:
    fs::path path_;
    int descriptor_;
  };
  bool scratch_is_empty() const { return fs::is_empty(folder_ / "scratch"); }

  terrapin::test::TemporaryFolder folder_;
  StopSignal stop_;
};

TEST_F(FunctionsCommand, PassesInputAndOutputOfAnySize) {
  std::string text(8 << 20, 'x');
  text += "end";
  const auto answer = run_command(command({"/bin/cat"}), text, stop_);
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_TRUE(*answer == text);
  EXPECT_TRUE(scratch_is_empty());
}

TEST_F(FunctionsCommand, InputThatIsNotReadHoldsNothingUp) {
  const auto answer = run_command(command({script("deaf", "echo '{}'")}), std::string(8 << 20, 'x'), stop_);
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_EQ(*answer, "{}\n");
}

TEST_F(FunctionsCommand, NoShellReadsTheArguments) {
  const std::string odd = "$(touch made) `touch made`; * \"quoted\" \n|>";
  const auto answer = run_command(command({"/usr/bin/printf", "%s|%s", odd, ""}), "", stop_);
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_EQ(*answer, odd + "|");
}

TEST_F(FunctionsCommand, TheEnvironmentIsMinimal) {
  ::setenv("TERRAPIN_TEST_SECRET", "hidden", 1);
  auto env = command({"/usr/bin/env"});
  env.environment = {{"TERRAPIN_FUNCTION", "mine"}, {"MODE", "a b=c"}};
  const auto answer = run_command(env, "", stop_);
  ::unsetenv("TERRAPIN_TEST_SECRET");
  ASSERT_TRUE(answer) << answer.error().error.message;
  std::set<std::string> names;
  std::istringstream lines(*answer);
  for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find('=')));
  EXPECT_EQ(names, (std::set<std::string>{"PATH", "LANG", "HOME", "TMPDIR", "TERRAPIN_FUNCTION", "MODE"}));
  EXPECT_THAT(*answer, HasSubstr("MODE=a b=c\n"));
}

TEST_F(FunctionsCommand, WorksInAFreshFolderThatIsRemoved) {
  const auto answer = run_command(
      command({script("litter", "mkdir -p a/b; echo x > a/b/file; pwd; test \"$PWD\" = \"$HOME\"")}), "",
      stop_);
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_THAT(*answer, StartsWith((folder_ / "scratch").string() + "/"));
  EXPECT_TRUE(scratch_is_empty());
}

TEST_F(FunctionsCommand, InheritsNoDescriptor) {
  const int leaked = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC on purpose
  const int high = ::fcntl(leaked, F_DUPFD, 200);
  const auto answer = run_command(command({"/bin/ls", "/proc/self/fd"}), "", stop_);
  ::close(leaked);
  ::close(high);
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_EQ(*answer, "0\n1\n2\n3\n");  // 3 is the folder that ls reads
}

TEST_F(FunctionsCommand, InheritsNoSignalSettings) {
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  sigset_t term, mask;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &mask);
  const auto answer =
      run_command(command({"/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"}), "", stop_);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  ::signal(SIGPIPE, before);
  ASSERT_TRUE(answer) << answer.error().error.message;
  // 32 and 33 are glibc's own.
  EXPECT_THAT(*answer,
              ::testing::MatchesRegex("SigBlk:\t0000000000000000\nSigIgn:\t0000000[01][08]0000000\n"));
}

TEST_F(FunctionsCommand, AnExitCodeIsFinalAndTellsTheEndOfStandardError) {
  const auto answer = run_command(
      command({script("fails",
                      "echo first-line >&2; for i in $(seq 20000); do echo line $i; done >&2; echo "
                      "the reason >&2; exit 3")}),
      "{}", stop_);
  ASSERT_FALSE(answer);
  const AttemptFailure& failure = answer.error();
  EXPECT_FALSE(failure.may_pass);
  EXPECT_THAT(failure.error.message, HasSubstr("exited with 3"));
  EXPECT_TRUE(failure.error.message.ends_with("line 20000\nthe reason"));
  EXPECT_THAT(failure.error.message, Not(HasSubstr("first-line")));
  EXPECT_LT(failure.error.message.size(), 4096 + folder_.path().string().size() + 100);
}

TEST_F(FunctionsCommand, ASignalAndAMissingProgramAreFinal) {
  const auto killed = run_command(command({script("dies", "kill -9 $$")}), "", stop_);
  ASSERT_FALSE(killed);
  EXPECT_FALSE(killed.error().may_pass);
  EXPECT_THAT(killed.error().error.message, HasSubstr("signal 9"));
  const auto missing = run_command(command({(folder_ / "missing").string()}), "", stop_);
  ASSERT_FALSE(missing);
  EXPECT_FALSE(missing.error().may_pass);
  EXPECT_THAT(missing.error().error.message, HasSubstr("cannot be started"));
  const auto relative = run_command(command({"cat"}), "", stop_);
  ASSERT_FALSE(relative);
  EXPECT_EQ(relative.error().error.code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(scratch_is_empty());
}

TEST_F(FunctionsCommand, TheTimeLimitEndsGrandchildrenToo) {
  const Fifo fifo(folder_ / "fifo");
  const std::string stubborn =
      script("stubborn", "trap '' TERM\nexec 8>" + fifo.path() +
                             "\n(trap '' TERM; echo grandchild >&8; while :; do sleep 1000; done) &\n"
                             "echo child >&8\nwhile :; do sleep 1000; done");
  std::string seen;
  // A busy machine may need longer than the first limits to get there.
  for (milliseconds limit(100); limit < hours(1); limit *= 2) {
    auto slow = command({stubborn});
    slow.timeout = limit;
    const auto answer = run_command(slow, "", stop_);
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().may_pass);
    EXPECT_THAT(answer.error().error.message, HasSubstr("did not end within"));
    seen = fifo.all();  // ends only when both are gone
    if (seen == "child\ngrandchild\n" || seen == "grandchild\nchild\n") break;
  }
  EXPECT_THAT(seen, HasSubstr("grandchild\n"));
  EXPECT_TRUE(scratch_is_empty());
}

TEST_F(FunctionsCommand, TheTimeLimitAsksBeforeItKills) {
  const Fifo fifo(folder_ / "fifo");
  const std::string polite = script("polite", "exec 8>" + fifo.path() +
                                                  "\ntrap 'echo asked >&8; exit 0' TERM\necho ready >&8\n"
                                                  "sleep 1000 &\nwait");
  std::string seen;
  for (milliseconds limit(100); limit < hours(1); limit *= 2) {
    auto slow = command({polite});
    slow.timeout = limit;
    slow.kill_grace = hours(1);
    const auto answer = run_command(slow, "", stop_);
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().may_pass);
    seen = fifo.all();
    if (seen == "ready\nasked\n") break;
  }
  EXPECT_EQ(seen, "ready\nasked\n");
}

TEST_F(FunctionsCommand, WhatIsLeftBehindIsKilledAndHoldsNothingUp) {
  const Fifo fifo(folder_ / "fifo");
  const auto answer = run_command(
      command({script("daemon", "exec 8>" + fifo.path() + "\n(trap '' TERM; sleep 1000) &\necho '{}'")}), "",
      stop_);
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_EQ(*answer, "{}\n");
  EXPECT_EQ(fifo.all(), "");
}

TEST_F(FunctionsCommand, OutputIsLimited) {
  auto endless = command({"/usr/bin/yes"});
  endless.max_output_bytes = 1 << 20;
  const auto answer = run_command(endless, "", stop_);
  ASSERT_FALSE(answer);
  EXPECT_FALSE(answer.error().may_pass);
  EXPECT_EQ(answer.error().error.code, ErrorCode::kTooLarge);
  EXPECT_THAT(answer.error().error.message, HasSubstr("1048576"));

  auto exact = command({"/usr/bin/head", "-c", "1048576", "/dev/zero"});
  exact.max_output_bytes = 1 << 20;
  const auto whole = run_command(exact, "", stop_);
  ASSERT_TRUE(whole) << whole.error().error.message;
  EXPECT_EQ(whole->size(), std::size_t{1} << 20);
}

TEST_F(FunctionsCommand, EndlessStandardErrorMeetsTheTimeLimit) {
  auto noisy = command({script("noisy", "yes noise >&2")});
  noisy.timeout = milliseconds(50);
  const auto answer = run_command(noisy, "", stop_);
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().may_pass);
}

TEST_F(FunctionsCommand, ShutdownEndsARunningCommand) {
  const Fifo fifo(folder_ / "fifo");
  std::thread stopper;
  {
    // The reader waits for the command's first word.
    const std::string path = folder_ / "started";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    stopper = std::thread([this, path] {
      std::ifstream started(path);
      std::string word;
      started >> word;
      stop_.set();
    });
    const auto answer = run_command(
        command(
            {script("long", "exec 8>" + fifo.path() + "\ntrap '' TERM\necho go > " + path + "\nsleep 1000")}),
        "", stop_);
    stopper.join();
    ASSERT_FALSE(answer);
    EXPECT_FALSE(answer.error().may_pass);
    EXPECT_EQ(answer.error().error.code, ErrorCode::kCancelled);
  }
  EXPECT_EQ(fifo.all(), "");
  const auto late = run_command(command({"/bin/cat"}), "", stop_);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().error.code, ErrorCode::kCancelled);
}

TEST_F(FunctionsCommand, ManyRunAtOnce) {
  const std::string echo = script("echo", "cat");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const std::string text = std::string(100'000, static_cast<char>('a' + t)) + std::to_string(i);
        const auto answer = run_command(command({echo}), text, stop_);
        EXPECT_TRUE(answer && *answer == text);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(scratch_is_empty());
}

}  // namespace
}  // namespace terrapin::labeling
