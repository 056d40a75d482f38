// Rows and states over both databases, with a runner that only pretends.
#include "jobs/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <map>

#include "contract/database_backends.h"
#include "jobs/job_store.h"
#include "unit/jobs/wait_until.h"

namespace terrapin::jobs {
namespace {

using storage::DatabaseContract;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Phase = Sight::Phase;

Ending exited(int code) {
  Ending ending;
  ending.exit_code = code;
  return ending;
}

class FakeRunner final : public Runner {
 public:
  Result<std::optional<std::string>> reserve(const std::string& id, const Work& work) override {
    if (work.cores > places) return fail(ErrorCode::kInvalidArgument, "{} cores are too many", work.cores);
    int taken = work.cores;
    for (const auto& [other, cores] : held) taken += cores;
    if (taken > places) return std::optional<std::string>();
    held[id] = work.cores;
    return std::optional<std::string>("place of " + id);
  }
  Status start(const std::string& id, const std::string&, const Work&) override {
    if (!start_failure.empty()) return fail(ErrorCode::kIo, "{}", start_failure);
    started.push_back(id);
    sights[id] = start_sight;
    return {};
  }
  Result<Sight> adopt(const std::string& id, const std::string& handle) override {
    held[id] = 1;
    adopted.push_back(id);
    return look(id, handle);
  }
  Result<Sight> look(const std::string& id, const std::string&) override {
    if (blind.contains(id)) return fail(ErrorCode::kIo, "no sight");
    return sights[id];
  }
  Status stop(const std::string& id, const std::string&) override {
    stopped.insert(id);
    return {};
  }
  Status seal(const std::string& id, const std::string&) override {
    sealed.push_back(id);
    return {};
  }
  void release(const std::string& id) override { held.erase(id); }
  Status remove(const std::string&, const std::string&) override { return {}; }
  Status clear(const std::string&, const std::string&, const std::set<std::string>&) override { return {}; }
  Result<std::string> read_file(const std::string&, const std::string&, const std::string&,
                                std::int64_t) override {
    return fail(ErrorCode::kNotFound, "no file");
  }
  Result<OutputPage> output(const std::string&, std::int64_t, std::int64_t) override { return OutputPage{}; }

  int places = 2;
  std::map<std::string, int> held;
  std::map<std::string, Sight> sights;
  std::set<std::string> stopped, blind;
  std::vector<std::string> started, adopted, sealed;
  std::string start_failure;
  Sight start_sight{Phase::kRunning};
};

class SupervisedJobs : public DatabaseContract {
 protected:
  void SetUp() override {
    DatabaseContract::SetUp();
    if (IsSkipped()) return;
    store_.emplace(std::move(*JobStore::open(*database_, clock_)));
    supervisor_ = std::make_unique<Supervisor>(*store_, runner_, clock_);
  }
  std::string queue(int cores = 1, std::chrono::seconds max_run = {}) {
    Work work;
    work.arguments = {"/bin/true"};
    work.cores = cores;
    work.max_run = max_run;
    const auto job = store_->create("training", R"({"a":1})", work);
    EXPECT_TRUE(job) << job.error().message;
    return job ? job->id : "";
  }
  JobRecord job(const std::string& id) {
    const auto found = store_->find(id);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : JobRecord{};
  }
  std::string state(const std::string& id) { return job_state_name(job(id).state); }
  std::vector<std::string> changes(const std::string& id) {
    std::vector<std::string> names;
    const auto all = store_->changes(id);
    EXPECT_TRUE(all);
    for (std::size_t i = 0; i < all->size(); ++i) {
      names.push_back(job_state_name((*all)[i].state));
      EXPECT_GE((*all)[i].time, (*all)[i > 0 ? i - 1 : 0].time);
    }
    return names;
  }
  void look() {
    const Status status = supervisor_->look();
    EXPECT_TRUE(status) << status.error().message;
  }
  void end(const std::string& id, Ending ending) {
    ending.started = ending.ended = clock_.now();
    runner_.sights[id] = {Phase::kEnded, ending};
  }
  void restart() { supervisor_ = std::make_unique<Supervisor>(*store_, runner_, clock_); }

  ManualClock clock_{from_microseconds(1'700'000'000'000'000)};
  FakeRunner runner_;
  std::optional<JobStore> store_;
  std::unique_ptr<Supervisor> supervisor_;
};

TEST_P(SupervisedJobs, TheWholeLifeWithItsTimes) {
  const Timestamp begin = clock_.now();
  const std::string id = queue();
  EXPECT_EQ(job(id).kind, "training");
  EXPECT_EQ(job(id).spec, R"({"a":1})");
  clock_.advance(std::chrono::seconds(1));
  look();
  EXPECT_EQ(state(id), "Running");
  EXPECT_EQ(job(id).handle, "place of " + id);
  clock_.advance(std::chrono::seconds(1));
  end(id, exited(0));
  look();
  EXPECT_EQ(state(id), "Completed");
  EXPECT_EQ(job(id).failure, "");
  ASSERT_TRUE(job(id).ending);
  EXPECT_EQ(job(id).ending->exit_code, 0);
  EXPECT_THAT(changes(id), ElementsAre("Pending", "Starting", "Running", "Completed"));
  const auto times = *store_->changes(id);
  EXPECT_EQ(times[0].time, begin);
  EXPECT_EQ(times[1].time, begin + std::chrono::seconds(1));
  EXPECT_EQ(times[3].time, begin + std::chrono::seconds(2));
  EXPECT_THAT(runner_.held, IsEmpty());
}

TEST_P(SupervisedJobs, TheyBeginInTheOrderOfTheQueue) {
  const std::string a = queue(2), b = queue(2), c = queue(1), d = queue(1);
  look();
  EXPECT_THAT(runner_.started, ElementsAre(a));  // c and d would fit no better: b is before them
  end(a, exited(1));
  look();
  EXPECT_EQ(state(a), "Failed");
  EXPECT_EQ(job(a).failure, "The job exited with code 1.");
  EXPECT_THAT(runner_.started, ElementsAre(a, b));
  end(b, exited(0));
  look();
  EXPECT_THAT(runner_.started, ElementsAre(a, b, c, d));
}

TEST_P(SupervisedJobs, AQueueBehindTheRunnerIsNoRun) {
  runner_.start_sight = {Phase::kWaiting, {}, "Resources"};
  const std::string id = queue(1, std::chrono::seconds(10)), stopped = queue();
  look();
  EXPECT_EQ(state(id), "Starting");
  EXPECT_EQ(supervisor_->waiting(id), "Resources");
  // Its longest run does not begin there.
  clock_.advance(std::chrono::seconds(11));
  runner_.sights[id].waiting = "Priority";
  look();
  EXPECT_EQ(state(id), "Starting");
  EXPECT_EQ(supervisor_->waiting(id), "Priority");
  EXPECT_THAT(runner_.started, ElementsAre(id, stopped));
  ASSERT_TRUE(store_->stop(stopped));
  look();
  EXPECT_EQ(runner_.stopped, std::set<std::string>{stopped});
  Ending cancelled;
  cancelled.problem = "The job was cancelled.";
  end(stopped, cancelled);
  runner_.sights[id] = {Phase::kRunning};
  look();
  EXPECT_EQ(state(stopped), "Stopped");
  EXPECT_EQ(state(id), "Running");
  EXPECT_EQ(supervisor_->waiting(id), "");
  clock_.advance(std::chrono::seconds(9));
  look();
  EXPECT_EQ(state(id), "Running");
  clock_.advance(std::chrono::seconds(1));
  look();
  EXPECT_EQ(state(id), "Stopping");
}

TEST_P(SupervisedJobs, WhatCannotBeStartedNowIsStartedLater) {
  runner_.start_sight = {Phase::kAbsent};
  const std::string id = queue();
  look();
  EXPECT_EQ(state(id), "Starting");
  runner_.start_sight = {Phase::kRunning};
  look();
  EXPECT_EQ(state(id), "Running");
  EXPECT_THAT(runner_.started, ElementsAre(id, id));
}

TEST_P(SupervisedJobs, ItsLongestRunWasKeptToWhileNoServerWasThere) {
  const std::string late = queue(1, std::chrono::seconds(10)), early = queue(1, std::chrono::seconds(10));
  look();
  Ending ending = exited(0);
  ending.stop_asked = true;
  ending.started = clock_.now();
  ending.ended = clock_.now() + std::chrono::seconds(11);
  runner_.sights[late] = {Phase::kEnded, ending};
  ending.ended = clock_.now() + std::chrono::seconds(9);
  ending.problem = "Slurm stopped it.";
  runner_.sights[early] = {Phase::kEnded, ending};
  clock_.advance(std::chrono::seconds(11));
  restart();
  look();
  EXPECT_EQ(state(late), "Stopped");
  EXPECT_THAT(job(late).failure, HasSubstr("longer than the 10 seconds"));
  EXPECT_THAT(changes(late), ElementsAre("Pending", "Starting", "Running", "Stopping", "Stopped"));
  EXPECT_EQ(state(early), "Failed");
  EXPECT_EQ(job(early).failure, "Slurm stopped it.");
}

TEST_P(SupervisedJobs, LanesDoNotWaitForEachOther) {
  FakeRunner other_runner;
  SupervisorOptions options;
  options.lane = "endpoints";
  Supervisor other(*store_, other_runner, clock_, options);
  const std::string waits_for_a = (queue(2), queue(2));
  Work work;
  work.lane = "endpoints";
  work.arguments = {"/bin/true"};
  const auto endpoint = store_->create("endpoint", "{}", work);
  ASSERT_TRUE(endpoint);
  look();
  EXPECT_EQ(state(endpoint->id), "Pending");
  EXPECT_EQ(runner_.started.size(), 1u);
  ASSERT_TRUE(other.look());
  EXPECT_EQ(state(endpoint->id), "Running");
  EXPECT_EQ(state(waits_for_a), "Pending");
  EXPECT_THAT(other_runner.started, ElementsAre(endpoint->id));
  // Nobody takes up what is another lane's.
  restart();
  look();
  EXPECT_EQ(runner_.adopted.size(), 1u);
}

TEST_P(SupervisedJobs, WithoutAnOrderOneThatDoesNotFitHoldsUpNobody) {
  FakeRunner runner;  // of two cores, as the other
  SupervisorOptions options;
  options.lane = "endpoints";
  options.in_order = false;
  Supervisor supervisor(*store_, runner, clock_, options);
  Work work;
  work.lane = "endpoints";
  work.arguments = {"/bin/true"};
  std::vector<std::string> ids;
  for (const int cores : {1, 2, 1}) {
    work.cores = cores;
    ids.push_back(store_->create("endpoint", "{}", work)->id);
  }
  ASSERT_TRUE(supervisor.look());
  EXPECT_EQ(state(ids[0]), "Running");
  EXPECT_EQ(state(ids[1]), "Pending");
  EXPECT_EQ(state(ids[2]), "Running");
}

TEST_P(SupervisedJobs, WhatNeverFitsFailsAndHoldsUpNobody) {
  const std::string big = queue(3), small = queue(1);
  look();
  EXPECT_EQ(state(big), "Failed");
  EXPECT_EQ(job(big).failure, "3 cores are too many");
  EXPECT_EQ(state(small), "Running");
}

TEST_P(SupervisedJobs, StopInEveryState) {
  const std::string a = queue(2), b = queue(2);
  look();
  ASSERT_TRUE(store_->stop(b));
  EXPECT_THAT(changes(b), ElementsAre("Pending", "Stopped"));
  ASSERT_TRUE(store_->stop(a));
  ASSERT_TRUE(store_->stop(a));  // said twice
  EXPECT_EQ(state(a), "Stopping");
  look();
  EXPECT_TRUE(runner_.stopped.contains(a));
  Ending ending = exited(143);
  ending.stop_asked = true;
  end(a, ending);
  look();
  EXPECT_THAT(changes(a), ElementsAre("Pending", "Starting", "Running", "Stopping", "Stopped"));
  EXPECT_EQ(job(a).failure, "");
  const auto again = store_->stop(a);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_THAT(again.error().message, HasSubstr("Stopped"));
}

TEST_P(SupervisedJobs, OneThatEndsBeforeTheSignalComesIsTrulyCompleted) {
  const std::string id = queue();
  look();
  ASSERT_TRUE(store_->stop(id));
  end(id, exited(0));
  look();
  EXPECT_EQ(state(id), "Completed");
}

TEST_P(SupervisedJobs, AShutdownOfTheMachineIsNoSuccess) {
  const std::string id = queue();
  look();
  Ending ending = exited(0);
  ending.stop_asked = true;
  end(id, ending);
  look();
  EXPECT_EQ(state(id), "Failed");
  EXPECT_THAT(job(id).failure, HasSubstr("shutdown"));
}

TEST_P(SupervisedJobs, TooLongARunIsStoppedAndSaysSo) {
  const std::string id = queue(1, std::chrono::seconds(60));
  look();
  clock_.advance(std::chrono::seconds(59));
  look();
  EXPECT_EQ(state(id), "Running");
  clock_.advance(std::chrono::seconds(1));
  look();
  EXPECT_EQ(state(id), "Stopping");
  EXPECT_TRUE(runner_.stopped.contains(id));
  Ending ending = exited(0);
  ending.stop_asked = true;
  end(id, ending);
  look();
  EXPECT_EQ(state(id), "Stopped");
  EXPECT_THAT(job(id).failure, HasSubstr("60 seconds"));
}

TEST_P(SupervisedJobs, AfterARestartEveryJobIsTakenUp) {
  const std::string running = queue(), ended = queue(), waiting = queue();
  look();
  end(ended, exited(0));
  restart();
  runner_.held.clear();
  look();
  EXPECT_THAT(runner_.adopted, ElementsAre(running, ended));
  EXPECT_EQ(state(running), "Running");
  EXPECT_EQ(state(ended), "Completed");
  EXPECT_EQ(state(waiting), "Running");  // in the place of the one that ended
  EXPECT_EQ(runner_.started.size(), 3u);
}

TEST_P(SupervisedJobs, AServerKilledBetweenRowAndProcessBeginsItOnce) {
  const std::string id = queue();
  ASSERT_TRUE(store_->place(id, "place of " + id));
  look();
  EXPECT_EQ(state(id), "Running");
  EXPECT_THAT(runner_.started, ElementsAre(id));
}

TEST_P(SupervisedJobs, AServerKilledBetweenProcessAndRowFindsIt) {
  const std::string runs = queue(), ended = queue();
  for (const std::string& id : {runs, ended}) ASSERT_TRUE(store_->place(id, "place of " + id));
  runner_.sights[runs] = {Phase::kRunning, {}};
  end(ended, exited(0));
  look();
  EXPECT_EQ(state(runs), "Running");
  EXPECT_THAT(changes(ended), ElementsAre("Pending", "Starting", "Running", "Completed"));
  EXPECT_THAT(runner_.started, IsEmpty());
}

TEST_P(SupervisedJobs, StoppedBeforeItBeganItNeverBegins) {
  const std::string id = queue();
  ASSERT_TRUE(store_->place(id, "place of " + id));
  ASSERT_TRUE(store_->stop(id));
  look();
  EXPECT_EQ(state(id), "Stopped");
  EXPECT_THAT(runner_.sealed, ElementsAre(id));
  EXPECT_THAT(runner_.started, IsEmpty());
}

TEST_P(SupervisedJobs, OneWhoseFolderIsGoneFails) {
  const std::string id = queue();
  look();
  runner_.sights.clear();
  look();
  EXPECT_EQ(state(id), "Failed");
  EXPECT_THAT(job(id).failure, HasSubstr("Nothing is left"));
}

TEST_P(SupervisedJobs, OneThatCannotBeStartedFails) {
  const std::string id = queue();
  runner_.start_failure = "no keeper";
  look();
  EXPECT_EQ(state(id), "Failed");
  EXPECT_EQ(job(id).failure, "The job could not be started: no keeper");
  EXPECT_THAT(runner_.held, IsEmpty());
}

TEST_P(SupervisedJobs, OneThatCannotBeSeenHoldsUpNoOther) {
  const std::string lost = queue(), other = queue();
  look();
  runner_.blind.insert(lost);
  end(other, exited(0));
  EXPECT_FALSE(supervisor_->look());
  EXPECT_EQ(state(lost), "Running");
  EXPECT_EQ(state(other), "Completed");
  // A new supervisor gives no place away before it knows which are taken.
  restart();
  const std::string next = queue();
  EXPECT_FALSE(supervisor_->look());
  EXPECT_EQ(state(next), "Pending");
  runner_.blind.clear();
  look();
  EXPECT_EQ(state(next), "Running");
}

TEST_P(SupervisedJobs, IllegalMovesNameBothStates) {
  const std::string id = queue();
  const Status skip = store_->move(id, JobState::kPending, JobState::kRunning);
  ASSERT_FALSE(skip);
  EXPECT_EQ(skip.error().code, ErrorCode::kConflict);
  EXPECT_EQ(skip.error().message, "a job that is Pending cannot become Running");
  const Status late = store_->move(id, JobState::kRunning, JobState::kFailed);
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, HasSubstr("no longer Running"));
  EXPECT_THAT(changes(id), ElementsAre("Pending"));
  EXPECT_EQ(store_->find("nobody").error().code, ErrorCode::kNotFound);
}

TEST_P(SupervisedJobs, OnlyEndedOnesAreForgotten) {
  const std::string id = queue();
  EXPECT_EQ(store_->remove(id).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(store_->stop(id));
  ASSERT_TRUE(store_->remove(id));
  EXPECT_EQ(store_->find(id).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(*store_->changes(id), IsEmpty());
}

TEST_P(SupervisedJobs, TheThreadLooksWhenItIsWoken) {
  Supervisor with_thread(*store_, runner_, clock_, {.look_interval = std::chrono::hours(1)});
  with_thread.start();
  const std::string id = queue();
  with_thread.wake();
  EXPECT_TRUE(test::wait_until([&] { return state(id) == "Running"; }));
  with_thread.stop();
  EXPECT_THAT(runner_.started, ElementsAre(id));
}

INSTANTIATE_TEST_SUITE_P(Databases, SupervisedJobs, testing::Values("sqlite", "postgresql"),
                         [](const auto& database) { return database.param; });

}  // namespace
}  // namespace terrapin::jobs
