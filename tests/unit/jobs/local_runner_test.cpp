// Jobs of this machine: the contract of runners, and what is this one's alone.
#include "jobs/local_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "base/files.h"
#include "unit/jobs/runner_contract.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::shell;
using testing::AllOf;
using testing::HasSubstr;

LocalRunnerOptions options(const fs::path& root) {
  return {root, {TERRAPIN_JOBS_PROGRAM, "keep"}, 4, {"0", "2"}};
}

class LocalJobs : public test::RunnerJobs {
 protected:
  Runner& runner() override { return runner_; }

  LocalRunner runner_{options(root_)};
};

TEST_F(LocalJobs, ALateKeeperFindsTheFolderSealed) {
  const Work work = shell("echo run >> ../runs");
  const std::string place = handle("a", work);
  fs::create_directories(folder("a").work());
  const Order order{"a", work.arguments, {}, milliseconds(0), 4096, ""};
  ASSERT_TRUE(write_file_atomically(folder("a").order(), order_text(order)));
  EXPECT_EQ(look("a").phase, Sight::Phase::kAbsent);
  ASSERT_TRUE(runner_.seal("a", place));
  EXPECT_EQ(look("a").phase, Sight::Phase::kEnded);
  EXPECT_EQ(keep_job(folder("a").path), 0);
  EXPECT_FALSE(fs::exists(folder("a").path / "runs"));
}

TEST_F(LocalJobs, AKeeperThatCannotBeStartedIsAFailure) {
  LocalRunner broken({folder_ / "jobs", {"/nowhere/keeper"}, 1, {}});
  const Work work = shell("exit 0");
  const auto place = broken.reserve("a", work);
  ASSERT_TRUE(place && *place);
  const Status status = broken.start("a", **place, work);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("/nowhere/keeper"), HasSubstr("No such file")));
  EXPECT_EQ(look("a").phase, Sight::Phase::kEnded);
}

// Rows that were restored from a backup, and a data folder that was copied, have the ids of jobs that still
// run.
TEST_F(LocalJobs, ACopyOfTheServiceLeavesTheJobsOfTheFirstAlone) {
  start("a", shell("sleep 1000"));
  ASSERT_TRUE(terrapin::test::wait_until([&] { return look("a").phase == Sight::Phase::kRunning; }));
  const auto alive = [&] { return is_alive(started("a").leader); };
  ASSERT_TRUE(alive());

  LocalRunner restored(options(folder_ / "restored"));
  fs::create_directories(folder_ / "restored");
  ASSERT_TRUE(restored.seal("a", ""));
  EXPECT_TRUE(alive());

  LocalRunner copied(options(folder_ / "copied"));
  fs::copy(root_, folder_ / "copied", fs::copy_options::recursive);
  const auto sight = copied.look("a", "");
  ASSERT_TRUE(sight) << sight.error().message;
  EXPECT_EQ(sight->phase, Sight::Phase::kEnded);
  EXPECT_TRUE(alive());
  EXPECT_EQ(look("a").phase, Sight::Phase::kRunning);

  // By another name of the same place it is the same job.
  fs::create_directory_symlink(root_, folder_ / "linked");
  EXPECT_EQ(processes_of_job({folder_ / "linked" / "a"}, "a").size(),
            processes_of_job(folder("a"), "a").size());
  EXPECT_GE(processes_of_job(folder("a"), "a").size(), 1U);
  EXPECT_TRUE(processes_of_job({folder_ / "copied" / "a"}, "a").empty());
}

TEST_F(LocalJobs, ARestartOfTheMachineEndsIt) {
  const JobFolder place = folder("a");
  fs::create_directories(place.work());
  std::ofstream(place.lock()).close();
  ASSERT_TRUE(write_file_atomically(
      place.started(),
      R"({"version": 1, "started_us": 5, "leader": {"pid": 1, "start_ticks": 7, "boot": "another"}})"));
  const Ending end = ending("a");
  EXPECT_EQ(failure_reason(end), "The machine was restarted while the job ran.");
  EXPECT_EQ(end.started, from_microseconds(5));
}

TEST_F(LocalJobs, PlacesAreLentAndGivenBack) {
  Work two = shell("exit 0");
  two.cores = 2;
  two.gpus = 1;
  EXPECT_THAT(handle("a", two), HasSubstr(R"("gpus":["0"])"));
  const std::string second = handle("b", two);
  EXPECT_THAT(second, HasSubstr(R"("gpus":["2"])"));
  Work one = shell("exit 0");
  EXPECT_FALSE(*runner_.reserve("c", one));  // all cores are lent
  runner_.release("a");
  EXPECT_TRUE(*runner_.reserve("c", one));
  // A later runner holds what is adopted.
  LocalRunner later(options(root_));
  ASSERT_TRUE(later.adopt("b", second));
  two.gpus = 2;
  EXPECT_FALSE(*later.reserve("d", two));
  two.gpus = 3;
  const auto never = later.reserve("d", two);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(never.error().message, AllOf(HasSubstr("3 GPUs"), HasSubstr("at most 4 cores and 2 GPUs")));
}

TEST(ProcessIds, ANumberGivenAgainIsAnotherProcess) {
  const auto self = process_id(::getpid());
  ASSERT_TRUE(self);
  EXPECT_TRUE(is_alive(*self));
  ProcessId earlier = *self;
  earlier.start_ticks -= 1;
  EXPECT_FALSE(is_alive(earlier));
  ProcessId before_the_boot = *self;
  before_the_boot.boot = "another";
  EXPECT_FALSE(is_alive(before_the_boot));
  // This process would not outlive a mistake here.
  const auto sent = [](const ProcessId& process, int signal) {
    const auto done = send_signal(process, signal);
    EXPECT_TRUE(done) << done.error().message;
    return done && *done;
  };
  EXPECT_FALSE(sent(earlier, SIGKILL));
  EXPECT_FALSE(sent(before_the_boot, SIGKILL));
  EXPECT_TRUE(sent(*self, 0));
}

}  // namespace

namespace test {
INSTANTIATE_TEST_SUITE_P(Local, RunnerContract,
                         testing::Values(RunnerBackend{"Local",
                                                       [](const fs::path& root) {
                                                         return std::make_unique<LocalRunner>(options(root));
                                                       }}),
                         [](const auto& tested) { return tested.param.name; });
}  // namespace test
}  // namespace terrapin::jobs
