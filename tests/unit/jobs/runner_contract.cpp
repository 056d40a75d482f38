// Real processes under real keepers, wherever they run.
#include "unit/jobs/runner_contract.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>

#include <optional>

#include "base/files.h"

namespace terrapin::jobs::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using terrapin::test::wait_until;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

TEST_P(RunnerContract, ExitCodeAndBothStreamsWithTimes) {
  const Timestamp before = system_clock().now();
  const Ending end = run("a", shell("echo good; echo bad >&2; printf unfinished; exit 3"));
  EXPECT_EQ(end.exit_code, 3);
  EXPECT_FALSE(end.signal);
  EXPECT_FALSE(end.stop_asked);
  EXPECT_GE(end.started, before);
  EXPECT_GE(end.ended, end.started);
  EXPECT_GT(end.peak_memory_bytes, 0);
  EXPECT_EQ(failure_reason(end), "The job exited with code 3.");
  const auto page = runner().output("a", 0, 1 << 20);
  ASSERT_TRUE(page);
  std::vector<std::string> seen;
  for (const OutputLine& line : page->lines) {
    seen.push_back(std::to_string(line.stream) + line.text);
    EXPECT_GE(line.time, before);
  }
  EXPECT_THAT(seen, UnorderedElementsAre("1good", "2bad", "1unfinished"));
}

TEST_P(RunnerContract, EnvironmentIsWhatIsAllowed) {
  ::setenv("TERRAPIN_TEST_SECRET", "s3cret", 1);
  ::setenv("TERRAPIN_TEST_HANDED_ON", "yes", 1);
  Work work;
  work.arguments = {"/usr/bin/env"};
  work.environment = {{"ANSWER", "4 2"}};
  work.inherited = {"TERRAPIN_TEST_HANDED_ON", "TERRAPIN_TEST_NOT_SET"};
  work.cores = 3;
  work.gpus = 1;
  EXPECT_EQ(run("env", work).exit_code, 0);
  const std::string place = folder("env").work().string();
  EXPECT_THAT(lines("env"),
              UnorderedElementsAre("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                   "LANG=C.UTF-8", "HOME=" + place, "TMPDIR=" + place, "ANSWER=4 2",
                                   "TERRAPIN_TEST_HANDED_ON=yes", "OMP_NUM_THREADS=3",
                                   "CUDA_VISIBLE_DEVICES=0", "TERRAPIN_JOB=env"));
}

TEST_P(RunnerContract, RunsInItsFolderWithNothingOnStandardInput) {
  EXPECT_EQ(run("a", shell("cat; pwd; ls /proc/self/fd | wc -l")).exit_code, 0);
  // ls itself has its folder open beside the three.
  EXPECT_THAT(lines("a"), ElementsAre(folder("a").work().string(), "4"));
}

TEST_P(RunnerContract, ItsFilesLieThereBeforeItBegins) {
  Work work = shell("cat task.json && printf done > said.txt && ln -s /etc/passwd link && mkfifo pipe");
  work.files = {{"task.json", "{\"a\":1}\n"}};
  EXPECT_EQ(run("a", work).exit_code, 0);
  EXPECT_THAT(lines("a"), ElementsAre("{\"a\":1}"));
  EXPECT_EQ(runner().read_file("a", "", "said.txt", 100).value(), "done");
  const auto refusal = [&](const std::string& name, std::int64_t most) -> std::optional<ErrorCode> {
    const auto read = runner().read_file("a", "", name, most);
    return read ? std::nullopt : std::optional(read.error().code);
  };
  EXPECT_EQ(refusal("said.txt", 3), ErrorCode::kTooLarge);
  EXPECT_EQ(refusal("missing", 3), ErrorCode::kNotFound);
  EXPECT_EQ(refusal("pipe", 3), ErrorCode::kNotFound);
  EXPECT_EQ(refusal("../order.json", 1 << 20), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(refusal("link", 1 << 20));
}

TEST_P(RunnerContract, FilesBelowItsFolderAreReadAndNeverThroughLinks) {
  EXPECT_EQ(
      run("a", shell("mkdir -p out/data && printf here > out/data/x.txt && ln -s / root && ln -s out way "
                     "&& ln -s data/x.txt out/link"))
          .exit_code,
      0);
  EXPECT_EQ(runner().read_file("a", "", "out/data/x.txt", 100).value(), "here");
  const auto refusal = [&](const std::string& name) -> std::optional<ErrorCode> {
    const auto read = runner().read_file("a", "", name, 1 << 20);
    return read ? std::nullopt : std::optional(read.error().code);
  };
  for (const char* behind :
       {"root/etc/passwd", "way/data/x.txt", "out/link", "out/data/x.txt/y", "out/none/x.txt"})
    EXPECT_EQ(refusal(behind), ErrorCode::kNotFound) << behind;
  for (const char* none :
       {"", "/etc/passwd", "out/../said.txt", "out//data/x.txt", "out/data/", "./out/data/x.txt"})
    EXPECT_EQ(refusal(none), ErrorCode::kInvalidArgument) << none;
  EXPECT_EQ(refusal("out/data"), ErrorCode::kNotFound);
}

TEST_P(RunnerContract, StopIsSigterm) {
  start("a", shell("trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says("a", "ready"); }));
  EXPECT_EQ(look("a").phase, Sight::Phase::kRunning);
  ASSERT_TRUE(runner().stop("a", ""));
  const Ending end = ending("a");
  EXPECT_TRUE(end.stop_asked);
  EXPECT_FALSE(end.killed);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_TRUE(says("a", "saved"));
  EXPECT_TRUE(runner().stop("a", ""));  // said twice
}

TEST_P(RunnerContract, WhoIgnoresSigtermIsKilled) {
  Work work = shell("trap '' TERM; sleep 1000 & echo ready; while :; do sleep 0.01; done");
  work.stop_grace = milliseconds(200);
  start("a", work);
  ASSERT_TRUE(wait_until([&] { return says("a", "ready"); }));
  ASSERT_TRUE(runner().stop("a", ""));
  const Ending end = ending("a");
  EXPECT_TRUE(end.stop_asked);
  EXPECT_TRUE(end.killed);
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_THAT(failure_reason(end), HasSubstr("did not end in time"));
  EXPECT_TRUE(none_left("a"));
}

TEST_P(RunnerContract, AHaltedOneHearsTheStop) {
  start("a", shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says("a", "ready"); }));
  ASSERT_TRUE(send_signal(started("a").leader, SIGSTOP));
  ASSERT_TRUE(runner().stop("a", ""));
  EXPECT_EQ(ending("a").exit_code, 5);
}

TEST_P(RunnerContract, WhatItLeavesIsEndedWithIt) {
  const Ending end = run(
      "a",
      shell("sleep 1000 & setsid sleep 1000 & (setsid sh -c 'trap \"\" TERM HUP; sleep 1000' &) ; exit 0"));
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_TRUE(end.succeeded());
  EXPECT_TRUE(none_left("a"));
}

TEST_P(RunnerContract, MuchOutputIsBoundedAndKeepsItsBeginningAndEnd) {
  Work work =
      shell("i=0; while [ $i -lt 3000 ]; do echo \"line $i of many that are written\"; i=$((i+1)); done");
  work.max_output_bytes = 16384;
  EXPECT_EQ(run("a", work).exit_code, 0);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder("a").path))
    if (entry.path().filename().string().starts_with("output-")) bytes += entry.file_size();
  EXPECT_LE(bytes, 16384u);
  EXPECT_GE(bytes, 8192u);
  const auto all = lines("a");
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front(), "line 0 of many that are written");
  EXPECT_EQ(all.back(), "line 2999 of many that are written");
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const std::string& line) {
    return line.ends_with("bytes of output are not kept");
  }));
}

TEST_P(RunnerContract, AKillFromElsewhereIsNamed) {
  start("a", shell("echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says("a", "ready"); }));
  ASSERT_TRUE(send_signal(started("a").leader, SIGKILL));
  const Ending end = ending("a");
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_FALSE(end.killed);
  EXPECT_EQ(failure_reason(end), "The job was ended by signal 9 (SIGKILL: Killed).");
}

TEST_P(RunnerContract, AProgramThatIsMissing) {
  Work work;
  work.arguments = {"/nowhere/terrapin-test"};
  const Ending end = run("a", work);
  EXPECT_FALSE(end.succeeded());
  EXPECT_EQ(failure_reason(end), "/nowhere/terrapin-test cannot be started: No such file or directory.");
}

TEST_P(RunnerContract, TheJobsOwnWordsAreItsFailure) {
  Work work = shell("mkdir out; printf 'ClientError: no channel\\n' > out/failure; exit 1");
  work.failure_file = "out/failure";
  EXPECT_EQ(failure_reason(run("a", work)), "ClientError: no channel");
  // Only a file of its own, and never one that waits for a writer.
  work.arguments[2] = "mkdir out; ln -s /etc/passwd out/failure; exit 1";
  EXPECT_EQ(run("b", work).said, "");
  work.arguments[2] = "mkdir out; mkfifo out/failure; exit 1";
  EXPECT_EQ(run("c", work).said, "");
}

TEST_P(RunnerContract, AKilledKeeperTakesTheJobWithIt) {
  const std::string script =
      "trap '' TERM; setsid sleep 1000 & sleep 1000 & echo ready; while :; do sleep 0.01; done";
  int number = 0;
  for (const auto& victims : std::vector<std::vector<ProcessId Started::*>>{
           {&Started::keeper},
           {&Started::guard},
           {&Started::keeper, &Started::guard},
           {&Started::guard, &Started::leader},
           {&Started::keeper, &Started::guard, &Started::leader}}) {
    const std::string id = "job" + std::to_string(++number);
    start(id, shell(script));
    ASSERT_TRUE(wait_until([&] { return says(id, "ready"); }));
    const Started processes = started(id);
    for (const auto victim : victims) ASSERT_TRUE(send_signal(processes.*victim, SIGKILL));
    const Ending end = ending(id);
    EXPECT_THAT(failure_reason(end), HasSubstr("keeps the job was killed")) << id;
    EXPECT_TRUE(wait_until([&] {
      return none_left(id) && !is_alive(processes.keeper) && !is_alive(processes.guard);
    })) << id;
    runner().release(id);
  }
}

TEST_P(RunnerContract, BegunTwiceRunsOnce) {
  const Work work = shell("echo run >> ../runs; exit 0");
  start("a", work);
  start("a", work);
  ending("a");
  start("a", work);
  EXPECT_EQ(*read_text_file(folder("a").path / "runs"), "run\n");
}

TEST_P(RunnerContract, IdsThatAreNoFolderNamesAreRefused) {
  for (const char* const id : {"", "..", "a/b", "a b", "a\nb"}) {
    const auto place = runner().reserve(id, shell("exit 0"));
    ASSERT_FALSE(place) << id;
    EXPECT_EQ(place.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_P(RunnerContract, FilesGoWhenItHasEnded) {
  start("a", shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says("a", "ready"); }));
  const Status early = runner().remove("a", "");
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kConflict);
  ASSERT_TRUE(runner().stop("a", ""));
  ending("a");
  EXPECT_TRUE(runner().remove("a", ""));
  EXPECT_FALSE(fs::exists(folder("a").path));
}

TEST_P(RunnerContract, ItsWorkFolderIsClearedWhenItHasEnded) {
  start("a", shell("mkdir -p data/deep; echo x > data/deep/file; echo kept > kept; ln -s ../order.json link; "
                   "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says("a", "ready"); }));
  const Status early = runner().clear("a", "", {});
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kConflict);
  ASSERT_TRUE(runner().stop("a", ""));
  ending("a");
  EXPECT_TRUE(runner().clear("a", "", {"kept"}));
  EXPECT_EQ(runner().read_file("a", "", "kept", 100).value_or(""), "kept\n");
  const fs::path work = folder("a").work();
  EXPECT_EQ(std::distance(fs::directory_iterator(work), fs::directory_iterator()), 1);
  EXPECT_TRUE(says("a", "ready"));
  EXPECT_TRUE(fs::exists(folder("a").order()));
  EXPECT_EQ(look("a").phase, Sight::Phase::kEnded);
  EXPECT_TRUE(runner().clear("a", "", {}));
  EXPECT_TRUE(runner().clear("a", "", {}));  // said twice is said once
}

TEST_P(RunnerContract, WhatASecondRunnerFinds) {
  start("a", shell("trap 'exit 4' TERM; echo run >> ../runs; echo ready; while :; do sleep 0.01; done"));
  const std::unique_ptr<Runner> second = GetParam().make(root_);
  const auto adopted = second->adopt("a", handle("a", shell("exit 0")));
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_TRUE(adopted->phase == Sight::Phase::kRunning || adopted->phase == Sight::Phase::kWaiting);
  ASSERT_TRUE(second->start("a", handle("a", shell("exit 0")), shell("exit 0")));  // it has begun before
  ASSERT_TRUE(wait_until([&] { return says("a", "ready"); }));
  ASSERT_TRUE(second->stop("a", handle("a", shell("exit 0"))));
  EXPECT_EQ(ending("a").exit_code, 4);
  EXPECT_EQ(*read_text_file(folder("a").path / "runs"), "run\n");
}

TEST_P(RunnerContract, WhatIsAbsentIsNotFoundAndNeverBegins) {
  EXPECT_EQ(look("a").phase, Sight::Phase::kAbsent);
  EXPECT_TRUE(runner().stop("a", handle("a", shell("exit 0"))));
  EXPECT_TRUE(runner().seal("a", ""));
  EXPECT_TRUE(runner().output("a", 0, 100)->lines.empty());
  EXPECT_TRUE(runner().remove("a", ""));
}

TEST_P(RunnerContract, AnotherRunnersHandleIsRefused) {
  const auto sight = runner().look("a", R"({"version": 1, "runner": "oracle"})");
  ASSERT_FALSE(sight);
  EXPECT_EQ(sight.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(sight.error().message, HasSubstr("'oracle'"));
}

}  // namespace
}  // namespace terrapin::jobs::test
