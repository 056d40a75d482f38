// Jobs of a Slurm cluster: the odd answers, from programs that the test makes; and the contract of runners
// and what may happen in a cluster, with Debian's Slurm.
#include "jobs/slurm_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <fstream>
#include <random>

#include "base/files.h"
#include "jobs/short_command.h"
#include "unit/jobs/runner_contract.h"
#include "unit/jobs/slurm_cluster.h"

namespace terrapin::jobs {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using terrapin::test::shared_slurm;
using terrapin::test::SlurmCluster;
using terrapin::test::TemporaryFolder;
using terrapin::test::wait_until;
using test::shell;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

void make_program(const fs::path& path, const std::string& script) {
  write(path, "#!/bin/sh\n" + script);
  fs::permissions(path, fs::perms::owner_all);
}

// ---- Programs that answer soon ----

TEST(ShortCommands, AreAskedWithoutAShellAndWithinBounds) {
  const TemporaryFolder folder;
  make_program(folder / "ask", "cat; echo \"$1,$A\"; env | grep -c .; echo bad >&2; exit 3\n");
  const auto answer = ask({{folder / "ask", "$(id) ; *"}, {"A=1 2", "PATH=/usr/bin:/bin"}});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->exit_code, 3);
  EXPECT_THAT(answer->output, StartsWith("$(id) ; *,1 2\n"));
  EXPECT_EQ(answer->errors, "bad\n");
  make_program(folder / "die", "kill -9 $$\n");
  EXPECT_EQ(ask({{folder / "die"}, {}})->exit_code, 137);
  const auto none = ask({{folder / "none"}, {}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  make_program(folder / "much", "exec yes\n");
  const auto much = ask({{folder / "much"}, {"PATH=/usr/bin:/bin"}, seconds(30), 100'000});
  ASSERT_FALSE(much);
  EXPECT_EQ(much.error().code, ErrorCode::kTooLarge);
  // What it leaves in its group goes with it, and does not hold up the answer.
  make_program(folder / "hang", "sleep 1000 & echo $! > " + (folder / "child").string() + "; wait\n");
  const auto hung = ask({{folder / "hang"}, {"PATH=/usr/bin:/bin"}, milliseconds(300)});
  ASSERT_FALSE(hung);
  EXPECT_EQ(hung.error().code, ErrorCode::kCancelled);
  EXPECT_THAT(hung.error().message, HasSubstr("within 300 ms"));
  const pid_t child = std::stoi(*read_text_file(folder / "child"));
  EXPECT_TRUE(wait_until([&] { return !process_id(child); }));
}

// ---- What Slurm's programs print ----

TEST(SlurmAnswers, AreReadLineByLine) {
  const auto rows = SlurmRunner::parse_queue(
      "7|PENDING||UNLIMITED|terrapin-abc|Resources\n"
      "8|RUNNING|node[1-2]|1-00:00:00|terrapin-def|None\n"
      "9|CANCELLED by 1000|n|1:00|terrapin-abc|a|b|c\n");
  ASSERT_EQ(rows.size(), 3u);
  const auto waits = rows.find("abc"), runs = rows.find("def");
  EXPECT_EQ(waits->second.number, 7);
  EXPECT_EQ(waits->second.state, "PENDING");
  EXPECT_FALSE(waits->second.had_node);
  EXPECT_EQ(waits->second.reason, "Resources");
  EXPECT_TRUE(runs->second.had_node);
  EXPECT_EQ(runs->second.time_limit, "1-00:00:00");
  EXPECT_EQ(std::next(waits)->second.state, "CANCELLED");

  const auto ended = SlurmRunner::parse_accounting(
      "7|CANCELLED by 0|None assigned|terrapin-abc\n8|RUNNING|n|terrapin-abc\n9|NODE_FAIL|n|terrapin-def\n");
  ASSERT_EQ(ended.size(), 2u);  // what is called running there may be an end that nobody noted
  EXPECT_FALSE(ended.find("abc")->second.had_node);
  EXPECT_TRUE(ended.find("def")->second.had_node);

  EXPECT_EQ(SlurmRunner::parse_number("12\n"), 12);
  EXPECT_EQ(SlurmRunner::parse_number("12;cluster\n"), 12);
  for (const char* const odd :
       {"", "\n", "x", "0", "-3", "12x", "99999999999999999999", "Submitted batch job 12"})
    EXPECT_FALSE(SlurmRunner::parse_number(odd)) << odd;
}

TEST(SlurmAnswers, HostileOnesAreNothing) {
  for (const std::string& line : std::vector<std::string>{
           "", "|||||", "7", "7|PENDING", "x|PENDING||a|terrapin-abc|r", "7|pending||a|terrapin-abc|r",
           "7|||a|terrapin-abc|r", "7|PENDING||a|terrapin-|r", "7|PENDING||a|terrapin-../x|r",
           "7|PENDING||a|abc|r", "-7|PENDING||a|terrapin-abc|r", "7|PENDING||a|xterrapin-abc|r",
           "7_3|PENDING||a|terrapin-abc|r", "7|PEN\1DING||a|terrapin-abc|r",
           std::string("7|PENDING||a|terrapin-a\0c|r", 27)})
    EXPECT_TRUE(SlurmRunner::parse_queue(line).empty()) << line;
  // Whatever the bytes, nothing but a row comes of them.
  const std::string pieces[] = {"7",  "|", "\n", "terrapin-abc", "PENDING", "\xff\xfe", std::string(1, '\0'),
                                "%n", " "};
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned i = random() % 40; i > 0; --i) text += pieces[random() % std::size(pieces)];
    for (const auto& [id, row] : SlurmRunner::parse_queue(text)) EXPECT_EQ(id, "abc");
    for (const auto& [id, row] : SlurmRunner::parse_accounting(text)) EXPECT_EQ(id, "abc");
    (void)SlurmRunner::parse_number(text);
  }
}

// ---- What an installation may be set to ----

TEST(SlurmOptions, WhatIsWrongIsNamed) {
  const TemporaryFolder folder;
  for (const char* const name : {"sbatch", "squeue", "scancel"}) make_program(folder / name, "exit 0\n");
  SlurmRunnerOptions good;
  good.root = folder / "jobs";
  good.keeper = {"/usr/bin/terrapin", "job-keeper", "--stay"};
  good.programs = folder.path();
  good.partition = "gpu,big";
  good.sbatch_options = {"--qos=high", "--exclusive", "--constraint=a100&ib"};
  const Status status = good.check();
  EXPECT_TRUE(status) << status.error().message;
  const auto problem = [&](const std::function<void(SlurmRunnerOptions&)>& change) {
    SlurmRunnerOptions options = good;
    change(options);
    const Status checked = options.check();
    return checked ? std::string("nothing is wrong") : checked.error().message;
  };
  EXPECT_THAT(problem([](auto& options) { options.root = "jobs"; }),
              AllOf(HasSubstr("'jobs'"), HasSubstr("absolute")));
  EXPECT_THAT(problem([&](auto& options) { options.root = folder / "100%j"; }), HasSubstr("'%'"));
  EXPECT_THAT(problem([](auto& options) { options.root = "/proc/nowhere"; }), HasSubstr("/proc/nowhere"));
  EXPECT_THAT(problem([](auto& options) { options.keeper = {}; }),
              HasSubstr("absolute path of this program"));
  EXPECT_THAT(problem([](auto& options) { options.keeper = {"terrapin"}; }), HasSubstr("'terrapin'"));
  EXPECT_THAT(problem([](auto& options) { options.partition = "a b"; }), HasSubstr("'a b'"));
  EXPECT_THAT(problem([](auto& options) { options.account = "a;b"; }), HasSubstr("'a;b'"));
  EXPECT_THAT(problem([](auto& options) { options.memory_mib = -1; }), HasSubstr("-1 MiB"));
  EXPECT_THAT(problem([](auto& options) { options.max_jobs = 0; }), HasSubstr("at least 1"));
  for (const char* const odd : {"--wrap=rm", "--requeue", "--dependency=after:1", "qos=high", "-q", "--",
                                "--qos=a\nb", "--export=ALL", "--uid=0", "/tmp/script"})
    EXPECT_THAT(problem([&](auto& options) { options.sbatch_options = {odd}; }),
                AllOf(HasSubstr(odd), HasSubstr("wckey")));
  EXPECT_THAT(problem([](auto& options) { options.programs = "/nowhere"; }), HasSubstr("/nowhere/sbatch"));
  EXPECT_THAT(problem([](auto& options) { options.slurm_conf = "/nowhere.conf"; }),
              HasSubstr("/nowhere.conf"));
  ::setenv("TERRAPIN_TEST_OLD_PATH", ::getenv("PATH"), 1);
  ::setenv("PATH", "/nowhere", 1);
  EXPECT_THAT(problem([](auto& options) { options.programs = ""; }),
              AllOf(HasSubstr("no sbatch on the PATH"), HasSubstr("slurm-client")));
  ::setenv("PATH", ::getenv("TERRAPIN_TEST_OLD_PATH"), 1);
}

// ---- Odd answers ----

// Each program notes how it was called, says what the file beside it says, and exits with the code in
// another.
class FakeSlurm : public testing::Test {
 protected:
  FakeSlurm() {
    fs::create_directories(folder_ / "bin");
    for (const char* const name : {"sbatch", "squeue", "scancel", "sacct"}) {
      const std::string at = (folder_ / name).string();
      make_program(folder_ / "bin" / name,
                   "{ for word in \"$@\"; do printf '%s\\n' \"$word\"; done; echo; } >> " + at +
                       ".calls\ncat " + at + ".out 2>/dev/null\ncat " + at +
                       ".err >&2 2>/dev/null\nexit $(cat " + at + ".code)\n");
      answer(name, "");
    }
    answer("sacct", "", "Slurm accounting storage is disabled", 1);
    answer("sbatch", "17\n");
    make_runner();
  }
  void make_runner() {
    SlurmRunnerOptions options;
    options.root = root_;
    options.keeper = {TERRAPIN_JOBS_PROGRAM, "keep", "--stay"};
    options.programs = folder_ / "bin";
    options.look_interval = milliseconds(0);
    options.exit_file_wait = milliseconds(0);
    options.command_timeout = seconds(30);
    change(options);
    runner_ = std::make_unique<SlurmRunner>(options);
  }
  void answer(const std::string& name, const std::string& output, const std::string& errors = "",
              int code = 0) {
    write(folder_ / (name + ".out"), output);
    write(folder_ / (name + ".err"), errors);
    write(folder_ / (name + ".code"), std::to_string(code));
  }
  // One call a text, its words a line each.
  std::vector<std::string> calls(const std::string& name) {
    const auto text = read_text_file(folder_ / (name + ".calls"));
    std::vector<std::string> all;
    for (std::size_t begin = 0; text && begin < text->size();) {
      const std::size_t end = text->find("\n\n", begin);
      all.push_back(text->substr(begin, end + 1 - begin));
      begin = end + 2;
    }
    return all;
  }
  void queue_is(const std::string& state, const std::string& node = "", const std::string& reason = "None",
                const std::string& limit = "UNLIMITED") {
    answer("squeue", fmt::format("17|{}|{}|{}|terrapin-a|{}\n", state, node, limit, reason));
  }
  Status start(const Work& work = shell("exit 0")) {
    const auto place = runner_->reserve("a", work);
    EXPECT_TRUE(place && *place);
    handle_ = **place;
    return runner_->start("a", handle_, work);
  }
  Sight look() {
    const auto sight = runner_->look("a", handle_);
    EXPECT_TRUE(sight) << sight.error().message;
    return sight ? *sight : Sight{};
  }
  // As the keeper does on its node.
  void began() {
    ASSERT_TRUE(write_file_atomically(
        job_.started(), R"({"version": 1, "started_us": 5, "leader": {"pid": 1, "boot": "node"}})"));
  }
  void ended(int code, bool stop_asked = false) {
    Ending ending;
    ending.exit_code = code;
    ending.stop_asked = stop_asked;
    ASSERT_TRUE(write_file_atomically(job_.ending(), ending_text(ending)));
  }
  std::string failure() {
    const Sight sight = look();
    EXPECT_EQ(sight.phase, Sight::Phase::kEnded);
    return failure_reason(sight.ending);
  }

  TemporaryFolder folder_;
  const fs::path root_ = folder_ / "jobs";
  const JobFolder job_{root_ / "a"};
  std::string handle_;
  std::function<void(SlurmRunnerOptions&)> change = [](SlurmRunnerOptions&) {};
  std::unique_ptr<SlurmRunner> runner_;
};

TEST_F(FakeSlurm, WhatIsSubmitted) {
  change = [](SlurmRunnerOptions& options) {
    options.partition = "gpu";
    options.account = "lab";
    options.memory_mib = 2048;
    options.sbatch_options = {"--qos=a b;$(id)"};
  };
  make_runner();
  Work work = shell("echo \"$(id)\"; `id`");
  work.cores = 3;
  work.gpus = 2;
  work.stop_grace = seconds(120);
  work.max_run = seconds(3600);
  ASSERT_TRUE(start(work));
  ASSERT_EQ(calls("sbatch").size(), 1u);
  const std::string call = "\n" + calls("sbatch").front();
  const std::string place = job_.path.string();
  for (const std::string& word :
       {std::string("--qos=a b;$(id)"), std::string("--partition=gpu"), std::string("--account=lab"),
        std::string("--mem=2048M"), std::string("--parsable"), std::string("--job-name=terrapin-a"),
        std::string("--dependency=singleton"), std::string("--no-requeue"), std::string("--nodes=1"),
        std::string("--ntasks=1"), std::string("--cpus-per-task=3"), std::string("--gres=gpu:2"),
        // SIGTERM 150 s before the limit, but not before the longest run: 60 min + 2.5 min + Slurm's minute.
        std::string("--signal=B:TERM@150"), std::string("--time=64"), "--chdir=" + place,
        "--output=" + place + "/keeper.log"})
    EXPECT_THAT(call, HasSubstr("\n" + word + "\n"));
  // The last words are the script and what it runs: nothing that the work says is among them.
  EXPECT_TRUE(call.ends_with("\n" + place + "/batch.sh\n" + TERRAPIN_JOBS_PROGRAM + "\nkeep\n--stay\n" +
                             place + "\n"));
  EXPECT_THAT(call, Not(HasSubstr("echo")));
  EXPECT_EQ(*read_text_file(job_.path / "batch.sh"), "#!/bin/sh\nexec \"$@\"\n");
  // What Slurm lends is named on the node.
  const auto order = parse_order(*read_text_file(job_.order()));
  ASSERT_TRUE(order);
  EXPECT_THAT(order->taken, ElementsAre("CUDA_VISIBLE_DEVICES"));
  EXPECT_THAT(order->environment, Not(Contains(StartsWith("CUDA_VISIBLE_DEVICES"))));
}

TEST_F(FakeSlurm, ARefusalIsAFailureWithSlurmsWords) {
  answer("sbatch", "",
         "sbatch: error: invalid partition specified: nowhere\nsbatch: error: Batch job submission "
         "failed: Invalid partition name specified\n",
         1);
  const Status status = start();
  ASSERT_FALSE(status);
  EXPECT_EQ(
      status.error().message,
      "Slurm refused the job: invalid partition specified: nowhere; Batch job submission failed: Invalid "
      "partition name specified");
  EXPECT_EQ(look().phase, Sight::Phase::kEnded);
  ASSERT_TRUE(start());  // it never begins
  EXPECT_EQ(calls("sbatch").size(), 1u);
}

TEST_F(FakeSlurm, ASilentSlurmIsTriedAgainAndIsNoEnd) {
  for (const std::string& words :
       {std::string("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect "
                    "failure)"),
        std::string("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"),
        std::string(
            "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates "
            "accounting/QOS policy")}) {
    answer("sbatch", "", words, 1);
    const Status status = start();
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_EQ(look().phase,
              Sight::Phase::kAbsent);  // asked for by name, and not there: the time to try again
  }
  EXPECT_EQ(calls("sbatch").size(), 3u);
  EXPECT_THAT(calls("squeue"), Not(IsEmpty()));
  answer("squeue", "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)", 1);
  const Sight silent = look();
  EXPECT_EQ(silent.phase, Sight::Phase::kWaiting);
  EXPECT_THAT(silent.waiting, AllOf(HasSubstr("cannot be asked"), HasSubstr("connect failure")));
  ASSERT_TRUE(start());
  EXPECT_EQ(calls("sbatch").size(), 3u);  // not while nobody knows whether it is there
  answer("squeue", "");
  answer("sbatch", "17\n");
  ASSERT_TRUE(start());
  EXPECT_EQ(calls("sbatch").size(), 4u);
  queue_is("RUNNING", "n1");
  began();
  EXPECT_EQ(look().phase, Sight::Phase::kRunning);
  answer("squeue", "", "slurm_load_jobs error: Zero Bytes were transmitted or received", 1);
  EXPECT_EQ(look().phase, Sight::Phase::kRunning);
  ended(0);
  EXPECT_TRUE(look().ending.succeeded());
}

TEST_F(FakeSlurm, AnAnswerThatIsNoneIsLookedForByName) {
  for (const std::string& odd : {std::string(), std::string("no number"), std::string(100'000, '9')}) {
    answer("sbatch", odd);
    ASSERT_TRUE(start());
    EXPECT_EQ(look().phase, Sight::Phase::kAbsent);
  }
  queue_is("PENDING", "", "Priority");
  EXPECT_THAT(look().waiting, AllOf(HasSubstr("job 17"), HasSubstr("Priority")));
  answer("sbatch", "18\n");
  ASSERT_TRUE(start());
  EXPECT_EQ(calls("sbatch").size(), 3u);
}

TEST_F(FakeSlurm, AServerKilledBetweenSubmissionAndItsAnswerFindsTheJob) {
  ASSERT_TRUE(start());
  write(job_.path / "slurm.json", R"({"version": 1, "job": 0})");
  queue_is("PENDING", "", "Resources");
  make_runner();
  const auto sight = runner_->adopt("a", handle_);
  ASSERT_TRUE(sight);
  EXPECT_EQ(sight->phase, Sight::Phase::kWaiting);
  ASSERT_TRUE(start());
  EXPECT_EQ(calls("sbatch").size(), 1u);
  EXPECT_THAT(*read_text_file(job_.path / "slurm.json"), HasSubstr("17"));
  // One that ended meanwhile is known by the accounts where there are any.
  write(job_.path / "slurm.json", R"({"version": 1, "job": 0})");
  answer("squeue", "");
  answer("sacct", "17|CANCELLED by 0|None assigned|terrapin-a\n");
  make_runner();
  EXPECT_THAT(failure(), HasSubstr("cancelled in Slurm"));
  EXPECT_THAT(calls("sacct"), Contains(HasSubstr("--name=terrapin-a\n")));
}

TEST_F(FakeSlurm, WhySlurmEndedIt) {
  const std::pair<const char*, const char*> kWords[] = {
      {"PREEMPTED", "higher priority"}, {"TIMEOUT", "time limit"},      {"DEADLINE", "time limit"},
      {"OUT_OF_MEMORY", "more memory"}, {"NODE_FAIL", "node that ran"}, {"CANCELLED", "cancelled in Slurm"},
      {"FAILED", "was killed"},         {"COMPLETED", "was killed"},
  };
  for (const auto& [state, words] : kWords) {
    ASSERT_TRUE(start());
    began();
    queue_is("RUNNING", "n1");
    EXPECT_EQ(look().phase, Sight::Phase::kRunning);
    queue_is("COMPLETING", "n1");
    EXPECT_EQ(look().phase, Sight::Phase::kRunning);
    queue_is(state, "n1");
    EXPECT_THAT(failure(), AllOf(HasSubstr(words), HasSubstr("job 17"))) << state;
    EXPECT_EQ(look().ending.started, from_microseconds(5));
    ASSERT_TRUE(runner_->remove("a", handle_));
    runner_->release("a");
  }
}

TEST_F(FakeSlurm, OneThatNeverBeganSaysWhatTheNodeSaid) {
  ASSERT_TRUE(start());
  write(job_.keeper_log(), "slurmstepd: error: execve(): /opt/terrapin: No such file or directory\n");
  queue_is("FAILED", "n1");
  EXPECT_THAT(failure(), AllOf(HasSubstr("ended as FAILED before the job began"), HasSubstr("No such file")));
}

TEST_F(FakeSlurm, AnExitFileThatShowsLateIsWaitedFor) {
  change = [](SlurmRunnerOptions& options) { options.exit_file_wait = std::chrono::hours(1); };
  make_runner();
  ASSERT_TRUE(start());
  began();
  queue_is("COMPLETED", "n1");
  EXPECT_EQ(look().phase, Sight::Phase::kRunning);
  answer("squeue", "");
  EXPECT_EQ(look().phase, Sight::Phase::kRunning);
  ended(3);
  EXPECT_EQ(look().ending.exit_code, 3);
}

TEST_F(FakeSlurm, AnEndThatNobodyKnowsAnyMore) {
  ASSERT_TRUE(start());
  began();
  answer("squeue", "");
  EXPECT_THAT(failure(), AllOf(HasSubstr("no longer knows"), HasSubstr("17")));
  EXPECT_EQ(calls("sacct").size(), 1u);
}

TEST_F(FakeSlurm, AccountsThatDoNotAnswerAreNoEnd) {
  answer("sacct", "", "sacct: error: Problem talking to the database: Connection refused", 1);
  ASSERT_TRUE(start());
  began();
  answer("squeue", "");
  EXPECT_EQ(look().phase, Sight::Phase::kRunning);
  answer("sacct", "17|RUNNING|n1|terrapin-a\n17|TIMEOUT|n1|terrapin-a\n");
  EXPECT_THAT(failure(), HasSubstr("time limit"));
}

TEST_F(FakeSlurm, WhoElseToldItToStopIsTold) {
  const auto told = [&](const std::string& state, const std::string& limit) {
    EXPECT_TRUE(start());
    began();
    ended(0, true);
    queue_is("COMPLETING", "n1", "None", limit);
    const bool waits = look().phase == Sight::Phase::kRunning;  // not settled yet; here nothing waits for it
    EXPECT_FALSE(waits);
    queue_is(state, "n1", "None", limit);
    const std::string problem = look().ending.problem;
    EXPECT_TRUE(runner_->remove("a", handle_));
    runner_->release("a");
    return problem;
  };
  EXPECT_THAT(told("PREEMPTED", "UNLIMITED"), HasSubstr("higher priority"));
  EXPECT_THAT(told("CANCELLED", "UNLIMITED"), HasSubstr("cancelled in Slurm"));
  EXPECT_THAT(told("COMPLETED", "1:00:00"), HasSubstr("time limit of 1:00:00"));
  EXPECT_EQ(told("COMPLETED", "UNLIMITED"), "");
  ASSERT_TRUE(start());
  began();
  ASSERT_TRUE(runner_->stop("a", handle_));
  ended(0, true);
  queue_is("CANCELLED", "n1");
  EXPECT_EQ(look().ending.problem, "");  // this service did
}

TEST_F(FakeSlurm, AStopIsForTheQueueThenForTheKeeperThenForSlurm) {
  Work work = shell("exit 0");
  work.stop_grace = seconds(0);
  ASSERT_TRUE(start(work));
  queue_is("PENDING", "", "Priority");
  ASSERT_TRUE(runner_->stop("a", handle_));
  EXPECT_THAT(calls("scancel"), ElementsAre("--state=PENDING\n17\n", "--batch\n--signal=TERM\n17\n"));
  ASSERT_TRUE(runner_->stop("a", handle_));  // not again at once
  EXPECT_EQ(calls("scancel").size(), 2u);
  queue_is("CANCELLED");
  EXPECT_THAT(failure(), HasSubstr("cancelled"));
  ASSERT_TRUE(runner_->stop("a", handle_));
  EXPECT_EQ(calls("scancel").size(), 2u);
  ASSERT_TRUE(runner_->seal("b", handle_));
}

TEST_F(FakeSlurm, TwoOfOneNameAreBothStopped) {
  ASSERT_TRUE(start());
  answer("squeue", "17|PENDING||UNLIMITED|terrapin-a|Dependency\n16|RUNNING|n1|UNLIMITED|terrapin-a|None\n");
  ASSERT_TRUE(runner_->stop("a", handle_));
  EXPECT_THAT(calls("scancel"),
              AllOf(Contains("--batch\n--signal=TERM\n16\n"), Contains("--state=PENDING\n17\n")));
  // As long as one of them lives, the job does.
  began();
  answer("squeue", "17|CANCELLED||UNLIMITED|terrapin-a|None\n16|RUNNING|n1|UNLIMITED|terrapin-a|None\n");
  EXPECT_EQ(look().phase, Sight::Phase::kRunning);
}

TEST_F(FakeSlurm, PlacesAreGrantedUpToALimit) {
  change = [](SlurmRunnerOptions& options) { options.max_jobs = 2; };
  make_runner();
  const Work work = shell("exit 0");
  EXPECT_TRUE(*runner_->reserve("a", work));
  EXPECT_TRUE(*runner_->reserve("b", work));
  EXPECT_TRUE(*runner_->reserve("b", work));
  EXPECT_FALSE(*runner_->reserve("c", work));
  runner_->release("a");
  EXPECT_TRUE(*runner_->reserve("c", work));
}

TEST_F(FakeSlurm, FilesStayWhileItWaits) {
  ASSERT_TRUE(start());
  queue_is("PENDING", "", "Resources");
  const Status early = runner_->remove("a", handle_);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kConflict);
  EXPECT_THAT(early.error().message, HasSubstr("queue"));
}

// ---- Debian's Slurm ----

SlurmRunnerOptions options_of(const SlurmCluster& cluster, const fs::path& root) {
  SlurmRunnerOptions options;
  options.root = root;
  options.keeper = {TERRAPIN_JOBS_PROGRAM, "keep", "--stay"};
  options.slurm_conf = cluster.configuration();
  options.look_interval = milliseconds(100);
  options.exit_file_wait = seconds(1);
  return options;
}

class SlurmJobs : public test::RunnerJobs {
 protected:
  void SetUp() override {
    std::string why;
    cluster_ = shared_slurm(&why);
    if (cluster_ == nullptr) GTEST_SKIP() << why;
    again();
  }
  Runner& runner() override { return *runner_; }
  // As a server does that was started again.
  void again(const std::function<void(SlurmRunnerOptions&)>& change = [](SlurmRunnerOptions&) {}) {
    SlurmRunnerOptions options = options_of(*cluster_, root_);
    change(options);
    const Status good = options.check();
    ASSERT_TRUE(good) << good.error().message;
    runner_ = std::make_unique<SlurmRunner>(options);
  }
  // Ids are given once, so that Slurm's memory of earlier tests does not matter.
  static std::string new_id() {
    static int number = 0;
    return fmt::format("job{}x{}", ::getpid(), ++number);
  }
  std::string runs(const std::string& id) {
    const auto text = read_text_file(folder(id).path / "runs");
    return text ? *text : "it did not run: " + failure_reason(look(id).ending);
  }
  std::string number_of(const std::string& id) {
    std::string number =
        cluster_->run({"squeue", "--noheader", "--states=all", "--name=terrapin-" + id, "--format=%A"});
    while (!number.empty() && number.back() == '\n') number.pop_back();
    return number;
  }

  SlurmCluster* cluster_ = nullptr;
  std::unique_ptr<SlurmRunner> runner_;
};

const char* const kUntilToldToStop =
    "trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.01; done";

TEST_F(SlurmJobs, ManyAtOnce) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back(new_id());
    start(ids.back(), shell(fmt::format("echo run >> ../runs; exit {}", i)));
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ending(ids[i]).exit_code, i);
    EXPECT_EQ(runs(ids[i]), "run\n");
    EXPECT_TRUE(none_left(ids[i]));
  }
}

TEST_F(SlurmJobs, OneThatWaitsSaysWhyAndCanBeStopped) {
  const std::string first = new_id(), second = new_id();
  Work all = shell(kUntilToldToStop);
  all.cores = 32;
  start(first, all);
  ASSERT_TRUE(wait_until([&] { return says(first, "ready"); }));
  start(second, all);
  EXPECT_TRUE(wait_until([&] { return look(second).waiting.find("Resources") != std::string::npos; }))
      << look(second).waiting;
  const std::string place = handle(second, all);
  ASSERT_TRUE(runner().stop(second, place));
  const Ending end = ending(second);
  EXPECT_FALSE(end.exit_code);
  EXPECT_THAT(failure_reason(end), HasSubstr("cancelled"));
  EXPECT_FALSE(fs::exists(folder(second).started()));
  ASSERT_TRUE(runner().stop(first, place));
  EXPECT_EQ(ending(first).exit_code, 0);
  EXPECT_TRUE(says(first, "saved"));
}

TEST_F(SlurmJobs, AnOperatorsCancelIsToldAsThat) {
  const std::string polite = new_id(), stubborn = new_id();
  start(polite, shell(kUntilToldToStop));
  // Longer than KillWait of this cluster: Slurm kills all of it.
  start(stubborn, shell("trap '' TERM; setsid sleep 1000 & echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says(polite, "ready") && says(stubborn, "ready"); }));
  EXPECT_EQ(cluster_->run({"scancel", number_of(polite), number_of(stubborn)}), "");
  const Ending end = ending(polite);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_TRUE(end.stop_asked);
  EXPECT_THAT(end.problem, HasSubstr("cancelled in Slurm"));
  EXPECT_THAT(failure_reason(ending(stubborn)), HasSubstr("cancelled in Slurm"));
  EXPECT_TRUE(wait_until([&] { return none_left(stubborn); }));
}

TEST_F(SlurmJobs, SlurmctldRestartsInTheMiddle) {
  const std::string goes_on = new_id(), ends = new_id(), late = new_id();
  start(goes_on, shell(kUntilToldToStop));
  start(ends, shell("echo ready; while [ ! -e ../go ]; do sleep 0.01; done; exit 7"));
  ASSERT_TRUE(wait_until([&] { return says(goes_on, "ready") && says(ends, "ready"); }));
  cluster_->tell("stop slurmctld");
  // Nothing that runs is thought to have ended, and an end is seen without Slurm.
  EXPECT_EQ(look(goes_on).phase, Sight::Phase::kRunning);
  std::ofstream(folder(ends).path / "go").close();
  EXPECT_EQ(ending(ends).exit_code, 7);
  again([](SlurmRunnerOptions& options) { options.command_timeout = milliseconds(500); });
  const Work work = shell("echo run >> ../runs");
  const std::string place = handle(late, work);
  ids_.push_back(late);
  ASSERT_TRUE(runner().start(late, place, work));
  EXPECT_EQ(look(late).phase, Sight::Phase::kWaiting);
  EXPECT_THAT(look(late).waiting, HasSubstr("cannot be asked"));
  cluster_->tell("start slurmctld");
  again();
  // As the supervisor does.
  EXPECT_TRUE(wait_until([&] {
    const Sight sight = look(late);
    if (sight.phase == Sight::Phase::kAbsent) {
      EXPECT_TRUE(runner().start(late, place, work));
    }
    return sight.phase == Sight::Phase::kEnded;
  }));
  EXPECT_EQ(runs(late), "run\n");
  EXPECT_EQ(look(goes_on).phase, Sight::Phase::kRunning);
  ASSERT_TRUE(runner().stop(goes_on, place));
  EXPECT_EQ(ending(goes_on).exit_code, 0);
}

TEST_F(SlurmJobs, SubmittedTwiceRunsOnce) {
  const std::string id = new_id();
  const Work work = shell("echo run >> ../runs; echo ready; while [ ! -e ../go ]; do sleep 0.01; done");
  start(id, work);
  // The server that asked sbatch was killed before the answer, and Slurm took long to show the job.
  for (int i = 0; i < 2; ++i) {
    const std::string place = folder(id).path.string();
    EXPECT_THAT(cluster_->run({"sbatch", "--parsable", "--job-name=terrapin-" + id, "--dependency=singleton",
                               "--output=" + place + "/keeper.log", "--open-mode=append", place + "/batch.sh",
                               TERRAPIN_JOBS_PROGRAM, "keep", "--stay", place}),
                Not(HasSubstr("failed")));
  }
  ASSERT_TRUE(write_file_atomically(folder(id).path / "slurm.json", R"({"version": 1, "job": 0})"));
  again();
  ASSERT_TRUE(runner().start(id, handle(id, work), work));
  ASSERT_TRUE(wait_until([&] { return says(id, "ready"); }));
  EXPECT_TRUE(wait_until([&] { return look(id).phase == Sight::Phase::kRunning; }));
  std::ofstream(folder(id).path / "go").close();
  EXPECT_EQ(ending(id).exit_code, 0);
  // The others find the end of the first.
  EXPECT_TRUE(wait_until([&] {
    return cluster_->run({"squeue", "--noheader", "--name=terrapin-" + id, "--format=%A"}).empty();
  }));
  EXPECT_EQ(runs(id), "run\n");
  EXPECT_EQ(look(id).ending.exit_code, 0);
}

TEST_F(SlurmJobs, ARefusedOneFailsWithSlurmsWords) {
  again([](SlurmRunnerOptions& options) { options.partition = "nowhere"; });
  const std::string id = new_id();
  const Work work = shell("exit 0");
  const Status status = runner().start(id, handle(id, work), work);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("Slurm refused the job"), HasSubstr("nowhere")));
  EXPECT_EQ(look(id).phase, Sight::Phase::kEnded);
}

TEST_F(SlurmJobs, AMoreImportantJobTakesItsPlace) {
  const std::string id = new_id();
  Work all = shell(kUntilToldToStop);
  all.cores = 32;
  start(id, all);
  ASSERT_TRUE(wait_until([&] { return says(id, "ready"); }));
  EXPECT_THAT(cluster_->run({"sbatch", "--parsable", "--partition=urgent", "--cpus-per-task=32",
                             "--output=/dev/null", "--wrap=exit 0"}),
              Not(HasSubstr("failed")));
  const Ending end = ending(id);
  EXPECT_EQ(end.exit_code, 0);  // it had time to save
  EXPECT_THAT(end.problem, HasSubstr("higher priority"));
  EXPECT_TRUE(says(id, "saved"));
}

TEST_F(SlurmJobs, ANodeThatFails) {
  const std::string id = new_id();
  start(id, shell("trap '' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says(id, "ready"); }));
  EXPECT_EQ(cluster_->run({"scontrol", "update", "nodename=node", "state=down", "reason=test"}), "");
  EXPECT_THAT(failure_reason(ending(id)), HasSubstr("node that ran the job failed"));
  EXPECT_TRUE(wait_until([&] { return none_left(id); }));
  (void)cluster_->run({"scontrol", "update", "nodename=node", "state=resume"});  // or it came back by itself
  EXPECT_TRUE(wait_until([&] {
    return cluster_->run({"sinfo", "--noheader", "--format=%T"}).find("idle") != std::string::npos;
  }));
  EXPECT_EQ(run(new_id(), shell("exit 6")).exit_code, 6);
}

TEST_F(SlurmJobs, TheBatchProcessThatIsKilledTakesTheJobWithIt) {
  const std::string id = new_id();
  start(id, shell("trap '' TERM; setsid sleep 1000 & echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says(id, "ready"); }));
  EXPECT_EQ(cluster_->run({"scancel", "--batch", "--signal=KILL", number_of(id)}), "");
  EXPECT_THAT(failure_reason(ending(id)), HasSubstr("keeps the job was killed"));
  EXPECT_TRUE(wait_until([&] { return none_left(id); }));
}

TEST_F(SlurmJobs, ARequeuedOneIsNotRunAgain) {
  const std::string id = new_id();
  start(id, shell("echo run >> ../runs; trap '' TERM; echo ready; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return says(id, "ready"); }));
  // Ours may not be requeued, whoever asks.
  EXPECT_THAT(cluster_->run({"scontrol", "requeue", number_of(id)}), HasSubstr("failed"));
  ASSERT_TRUE(send_signal(started(id).leader, SIGKILL));
  EXPECT_EQ(ending(id).signal, SIGKILL);
  EXPECT_EQ(runs(id), "run\n");
}

}  // namespace

namespace test {
INSTANTIATE_TEST_SUITE_P(Slurm, RunnerContract,
                         testing::Values(RunnerBackend{"Slurm",
                                                       [](const fs::path& root) {
                                                         return std::make_unique<SlurmRunner>(
                                                             options_of(*shared_slurm(), root));
                                                       },
                                                       [] {
                                                         std::string why;
                                                         (void)shared_slurm(&why);
                                                         return why;
                                                       }}),
                         [](const auto& tested) { return tested.param.name; });
}  // namespace test
}  // namespace terrapin::jobs
