// What the program shows and hears: log lines, the progress bar, signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "base/interrupt.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/result.h"

namespace terrapin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Logging, WritesOneLineAnEventOfItsLevelAndAbove) {
  ::testing::internal::CaptureStderr();
  configure_logging("warn");
  spdlog::info("quiet");
  spdlog::warn("value {}", 7);
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text,
              ::testing::ContainsRegex(
                  "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z warn value 7\n$"));
  EXPECT_THAT(text, Not(HasSubstr("quiet")));
}

TEST(Logging, UnknownLevelIsSaid) {
  ::testing::internal::CaptureStderr();
  configure_logging("loud");
  spdlog::info("heard");
  spdlog::debug("not heard");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("log level 'loud' is unknown"));
  EXPECT_THAT(text, HasSubstr("info heard"));
  EXPECT_THAT(text, Not(HasSubstr("not heard")));
}

TEST(Progress, IsSilentWithoutATerminal) {
  ::testing::internal::CaptureStderr();
  {
    ProgressBar bar("work", 10);
    for (int i = 0; i <= 10; ++i) bar.update(i, "detail");
    bar.finish();
    ProgressBar open_ended("more", 0);
    open_ended.update(5);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, DrawsOnATerminal) {
  int master = -1, slave = -1;
  struct winsize size {
    24, 100, 0, 0
  };
  if (!std::filesystem::exists("/dev/pts/ptmx"))
    GTEST_SKIP() << "no pseudo-terminals: /dev/pts is not mounted";
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
  const int kept = ::dup(STDERR_FILENO);
  ASSERT_GE(::dup2(slave, STDERR_FILENO), 0);
  {
    ProgressBar bar("reading", 4);
    bar.update(1, "first");
    bar.update(2, "too soon to draw");
    bar.update(4, "last");
    bar.finish();
    ProgressBar silent("silent", 4, false);
    silent.update(1);
    silent.finish();
  }
  ::dup2(kept, STDERR_FILENO);
  ::close(kept);
  ::close(slave);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(master, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(master);
  EXPECT_THAT(text, HasSubstr("reading [######..................] 1/4"));
  EXPECT_THAT(text, HasSubstr("ETA"));
  EXPECT_THAT(text, HasSubstr("[########################] 4/4"));
  EXPECT_THAT(text, HasSubstr("last\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("silent")));
}

TEST(Interrupt, SignalsBecomeAFlag) {
  install_interrupt_handlers();
  install_interrupt_handlers();
  clear_interrupt();
  EXPECT_FALSE(interrupted());
  EXPECT_EQ(interrupt_signal(), 0);
  ::raise(SIGTERM);
  EXPECT_TRUE(interrupted());
  EXPECT_EQ(interrupt_signal(), SIGTERM);
  clear_interrupt();
  ::raise(SIGINT);
  EXPECT_EQ(interrupt_signal(), SIGINT);
  clear_interrupt();
  EXPECT_FALSE(interrupted());
}

TEST(InterruptDeathTest, SecondSigintEndsTheProcess) {
  EXPECT_EXIT(
      {
        install_interrupt_handlers();
        clear_interrupt();
        ::raise(SIGINT);
        ::raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
}

Result<int> half_of(int value) {
  if (value % 2 != 0) return fail(ErrorCode::kInvalidArgument, "{} is odd", value);
  return value / 2;
}

Result<int> quarter_of(int value) {
  TERRAPIN_TRY(const int half, half_of(value));
  TERRAPIN_TRY(const int quarter, half_of(half));
  return quarter;
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(*quarter_of(12), 3);
  EXPECT_EQ(quarter_of(6).error().message, "3 is odd");
  EXPECT_EQ(quarter_of(5).error().message, "5 is odd");
  EXPECT_EQ(with_context(Error{ErrorCode::kIo, "b"}, "a").value().message, "a: b");
}

}  // namespace
}  // namespace terrapin
