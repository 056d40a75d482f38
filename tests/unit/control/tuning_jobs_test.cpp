#include "control/tuning_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "contract/database_backends.h"

namespace terrapin::control {
namespace {

using storage::DatabaseContract;
using testing::HasSubstr;
using testing::StartsWith;
using RangeKind = tuning::ParameterRange::Kind;

// Training jobs that do what the test says.
class FakeTrainings final : public TunedTrainings {
 public:
  explicit FakeTrainings(const Clock& clock) : clock_(clock) {}

  Result<TrainingJob> create(const TrainingJobSpec& spec, const std::string& owner,
                             const std::string& parent) override {
    if (refuse_with) return tl::unexpected<Error>(*refuse_with);
    if (jobs.contains(spec.name)) return fail(ErrorCode::kAlreadyExists, "there is one already");
    TrainingJob job;
    job.spec = spec;
    job.resource.name = spec.name;
    job.resource.owner = owner;
    job.resource.parent = parent;
    job.state.started = clock_.now();
    jobs[spec.name] = job;
    made.push_back(spec.name);
    if (lose_answer) return fail(ErrorCode::kIo, "killed");
    return job;
  }
  Result<TrainingJob> describe(const std::string& name) override {
    const auto found = jobs.find(name);
    if (found == jobs.end()) return fail(ErrorCode::kNotFound, "there is none");
    return found->second;
  }
  Status stop(const std::string& name) override {
    TrainingJob& job = jobs.at(name);
    if (has_ended(job.state.status)) return fail(ErrorCode::kConflict, "it has ended");
    stopped.insert(name);
    job.state.status = BatchStatus::kStopping;
    return {};
  }
  Result<std::vector<MetricValue>> metrics(const std::string& name) override {
    std::vector<MetricValue> values;
    for (const double value : curves[name]) {
      values.push_back({"train:loss", 9, clock_.now(), 0});
      values.push_back({"validation:mIOU", value, clock_.now(), 0});
    }
    return values;
  }

  void end(const std::string& name, BatchStatus status, std::optional<double> objective,
           const std::string& reason = "") {
    TrainingJobState& state = jobs.at(name).state;
    state.status = status;
    state.ended = clock_.now();
    state.failure_reason = reason;
    if (objective) state.metrics = {{"validation:mIOU", *objective, clock_.now(), 3}};
  }
  std::vector<std::string> running() const {
    std::vector<std::string> names;
    for (const std::string& name : made)
      if (!has_ended(jobs.at(name).state.status)) names.push_back(name);
    return names;
  }

  std::map<std::string, TrainingJob> jobs;
  std::map<std::string, std::vector<double>> curves;
  std::vector<std::string> made;
  std::set<std::string> stopped;
  std::optional<Error> refuse_with;
  bool lose_answer = false;

 private:
  const Clock& clock_;
};

class Tuning : public DatabaseContract {
 protected:
  void SetUp() override {
    DatabaseContract::SetUp();
    if (IsSkipped()) return;
    rows_.emplace(std::move(*Resources::open(*database_, clock_)));
    restart();
  }
  // The server was killed: only rows and trainings are left.
  void restart() {
    auto trainings = std::make_unique<FakeTrainings>(clock_);
    if (trainings_ != nullptr) {
      trainings->jobs = trainings_->jobs;
      trainings->made = trainings_->made;
      trainings->curves = trainings_->curves;
      trainings->stopped = trainings_->stopped;
    }
    trainings_ = trainings.get();
    tuning_.emplace(*rows_, std::move(trainings), Slots{{4, 0}, {{"ml.c5.xlarge", {4, 0}}}});
  }
  static TuningSpec spec(int trainings, int parallel, const std::string& name = "tune") {
    TuningSpec spec;
    spec.name = name;
    spec.strategy = tuning::Strategy::kRandom;
    spec.objective = "validation:mIOU";
    spec.ranges = {{"learning_rate", RangeKind::kContinuous, 0.001, 0.1, tuning::Scaling::kAuto, {}}};
    spec.max_trainings = trainings;
    spec.max_parallel = parallel;
    spec.seed = 7;
    spec.training.name = name;
    spec.training.instance_type = "ml.c5.xlarge";
    spec.training.hyperparameters = {{"epochs", "3"}};
    return spec;
  }
  void create(const TuningSpec& spec) {
    const auto made = tuning_->create(spec, "alice", {});
    ASSERT_TRUE(made) << made.error().message;
  }
  TuningJob job(const std::string& name = "tune") {
    auto found = tuning_->describe(name);
    EXPECT_TRUE(found);
    return *found;
  }
  void look() {
    clock_.advance(std::chrono::seconds(1));
    const Status looked = tuning_->look();
    EXPECT_TRUE(looked) << looked.error().message;
  }
  std::string error(const TuningSpec& spec) {
    const auto made = tuning_->create(spec, "alice", {});
    EXPECT_FALSE(made);
    return made ? "" : made.error().message;
  }

  ManualClock clock_{from_microseconds(1'700'000'000'000'000)};
  std::optional<Resources> rows_;
  FakeTrainings* trainings_ = nullptr;  // of tuning_
  std::optional<TuningJobs> tuning_;
};

TEST_P(Tuning, MakesSoManyTrainingsSoManyAtATime) {
  create(spec(5, 2));
  double objective = 0.1;
  for (int round = 0; round < 5; ++round) {
    look();
    ASSERT_LE(trainings_->running().size(), 2u);
    ASSERT_FALSE(trainings_->running().empty());
    trainings_->end(trainings_->running().front(), BatchStatus::kCompleted, objective += 0.1);
  }
  look();
  ASSERT_EQ(trainings_->made.size(), 5u);
  const TuningJob ended = job();
  EXPECT_EQ(ended.status, BatchStatus::kCompleted);
  EXPECT_TRUE(ended.state.ended);
  ASSERT_NE(best_trial(ended.state.trials), nullptr);
  EXPECT_NEAR(*best_trial(ended.state.trials)->objective, 0.6, 1e-12);
  const TrainingJob& first = trainings_->jobs.at(trainings_->made.front());
  EXPECT_EQ(first.resource.parent, "tune");
  EXPECT_EQ(first.resource.owner, "alice");
  EXPECT_EQ(first.spec.hyperparameters.at("epochs"), "3");
  EXPECT_GE(std::stod(first.spec.hyperparameters.at("learning_rate")), 0.001);
  EXPECT_THAT(first.spec.name, StartsWith("tune-001-"));
  const std::size_t made = trainings_->made.size();
  look();
  EXPECT_EQ(trainings_->made.size(), made) << "it has ended";
}

TEST_P(Tuning, AKillBetweenRowAndTrainingLosesAndDoublesNothing) {
  create(spec(2, 2));
  trainings_->refuse_with = Error{ErrorCode::kIo, "killed before it was made"};
  EXPECT_FALSE(tuning_->look());
  restart();
  trainings_->lose_answer = true;  // made, and nobody noted it
  EXPECT_FALSE(tuning_->look());
  EXPECT_EQ(trainings_->made.size(), 1u);
  restart();
  look();
  look();
  EXPECT_EQ(trainings_->made.size(), 2u);
  EXPECT_EQ(job().state.trials.size(), 2u);
  for (const TuningTrial& trial : job().state.trials) EXPECT_TRUE(trainings_->jobs.contains(trial.training));
}

TEST_P(Tuning, AStopAfterSuchAKillLeavesNoTrainingBehind) {
  create(spec(2, 1));
  trainings_->lose_answer = true;
  EXPECT_FALSE(tuning_->look());
  restart();
  ASSERT_TRUE(tuning_->stop("tune"));
  look();
  EXPECT_EQ(trainings_->stopped.size(), 1u);
  trainings_->end(trainings_->made.front(), BatchStatus::kStopped, {});
  look();
  EXPECT_EQ(job().status, BatchStatus::kStopped);
}

TEST_P(Tuning, ProposalsDoNotDependOnKills) {
  create(spec(4, 1, "one"));
  create(spec(4, 1, "two"));
  for (int round = 0; round < 5; ++round) {
    look();
    for (const std::string& name : trainings_->running()) trainings_->end(name, BatchStatus::kCompleted, 0.5);
    restart();
  }
  const auto one = job("one").state.trials, two = job("two").state.trials;
  ASSERT_EQ(one.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(one[i].values, two[i].values) << "the same seed";
    EXPECT_NE(one[i].training, two[i].training);
  }
}

TEST_P(Tuning, FailedTrainingsDoNotEndIt) {
  create(spec(3, 1));
  look();
  trainings_->end(trainings_->made.back(), BatchStatus::kFailed, {}, "AlgorithmError: diverged");
  look();
  trainings_->end(trainings_->made.back(), BatchStatus::kCompleted, 0.4);
  look();
  trainings_->end(trainings_->made.back(), BatchStatus::kFailed, {}, "AlgorithmError: diverged");
  look();
  EXPECT_EQ(job().status, BatchStatus::kCompleted);
  EXPECT_EQ(job().state.failure_reason, "");
}

TEST_P(Tuning, FailsIfNothingComesOfFiveTrainings) {
  create(spec(20, 1));
  for (int round = 0; round < 6; ++round) {
    look();
    for (const std::string& name : trainings_->running())
      trainings_->end(name, BatchStatus::kFailed, {}, "ClientError: no data");
  }
  look();
  EXPECT_EQ(trainings_->made.size(), 5u);
  EXPECT_EQ(job().status, BatchStatus::kFailed);
  EXPECT_THAT(job().state.failure_reason, StartsWith("No training job succeeded after 5 attempts."));
}

// One is always under way when another one ends; it is stopped then.
TEST_P(Tuning, FailsIfNothingComesOfFiveTrainingsOfWhichTwoRunAtATime) {
  create(spec(20, 2));
  for (int ended = 0; ended < 5; ++ended) {
    look();
    ASSERT_EQ(trainings_->running().size(), 2u);
    trainings_->end(trainings_->running().front(), BatchStatus::kFailed, {}, "ClientError: no data");
  }
  look();
  EXPECT_EQ(trainings_->made.size(), 6u);
  for (const std::string& name : trainings_->running()) trainings_->end(name, BatchStatus::kStopped, {});
  look();
  EXPECT_EQ(trainings_->made.size(), 6u);
  EXPECT_EQ(job().status, BatchStatus::kFailed);
  EXPECT_THAT(job().state.failure_reason, StartsWith("No training job succeeded after 5 attempts."));
}

TEST_P(Tuning, FailsIfAllOfAFewFailed) {
  create(spec(2, 2));
  look();
  for (const std::string& name : trainings_->running())
    trainings_->end(name, BatchStatus::kFailed, {}, "ClientError: no data");
  look();
  EXPECT_EQ(job().status, BatchStatus::kFailed);
  EXPECT_THAT(job().state.failure_reason, StartsWith("All training jobs failed."));
}

TEST_P(Tuning, RetriesWhatFailedThroughNoFaultOfItsOwn) {
  TuningSpec wanted = spec(1, 1);
  wanted.retries = 2;
  create(wanted);
  look();
  const auto values = job().state.trials.front().values;
  for (int attempt = 1; attempt <= 2; ++attempt) {
    trainings_->end(trainings_->made.back(), BatchStatus::kFailed, {}, "InternalServerError: disk");
    look();
    look();
    ASSERT_EQ(trainings_->made.size(), static_cast<std::size_t>(attempt) + 1);
    EXPECT_EQ(job().state.trials.front().values, values);
  }
  trainings_->end(trainings_->made.back(), BatchStatus::kFailed, {}, "InternalServerError: disk");
  look();
  look();
  EXPECT_EQ(trainings_->made.size(), 3u);
  EXPECT_EQ(job().status, BatchStatus::kFailed);
}

TEST_P(Tuning, StopEndsWhatRunsAndMakesNoMore) {
  create(spec(10, 2));
  look();
  ASSERT_TRUE(tuning_->stop("tune"));
  ASSERT_TRUE(tuning_->stop("tune"));
  look();
  EXPECT_EQ(trainings_->stopped.size(), 2u);
  EXPECT_EQ(job().status, BatchStatus::kStopping);
  for (const std::string& name : trainings_->running()) trainings_->end(name, BatchStatus::kStopped, 0.3);
  look();
  EXPECT_EQ(job().status, BatchStatus::kStopped);
  EXPECT_EQ(trainings_->made.size(), 2u);
  EXPECT_NEAR(*best_trial(job().state.trials)->objective, 0.3, 1e-12) << "what was stopped has its objective";
  const auto again = tuning_->stop("tune");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_THAT(again.error().message, HasSubstr("Stopped"));
}

TEST_P(Tuning, StopBeforeTheFirstLook) {
  create(spec(10, 2));
  ASSERT_TRUE(tuning_->stop("tune"));
  look();
  EXPECT_EQ(job().status, BatchStatus::kStopped);
  EXPECT_TRUE(trainings_->made.empty());
}

TEST_P(Tuning, EndsAtTheTarget) {
  TuningSpec wanted = spec(10, 2);
  wanted.target = 0.8;
  create(wanted);
  look();
  trainings_->end(trainings_->made.front(), BatchStatus::kCompleted, 0.8);
  look();
  EXPECT_EQ(trainings_->stopped.size(), 1u) << "the other one is stopped";
  EXPECT_EQ(job().status, BatchStatus::kInProgress);
  trainings_->end(trainings_->made.back(), BatchStatus::kStopped, {});
  look();
  EXPECT_EQ(job().status, BatchStatus::kCompleted);
  EXPECT_THAT(job().state.closing, HasSubstr("target was 0.8"));
}

TEST_P(Tuning, EndsWhenNothingGetsBetter) {
  TuningSpec wanted = spec(10, 1);
  wanted.not_improving = 3;
  create(wanted);
  for (const double objective : {0.2, 0.6, 0.5, 0.6, 0.4, 0.9}) {
    look();
    if (trainings_->running().empty()) break;
    trainings_->end(trainings_->running().front(), BatchStatus::kCompleted, objective);
  }
  look();
  EXPECT_EQ(trainings_->made.size(), 5u);
  EXPECT_EQ(job().status, BatchStatus::kCompleted);
}

TEST_P(Tuning, EndsWhenItsTimeIsOver) {
  TuningSpec wanted = spec(10, 1);
  wanted.max_run_s = 120;
  create(wanted);
  look();
  clock_.advance(std::chrono::seconds(118));
  EXPECT_TRUE(trainings_->stopped.empty());
  look();
  EXPECT_EQ(trainings_->stopped.size(), 1u);
  trainings_->end(trainings_->made.back(), BatchStatus::kStopped, 0.2);
  look();
  EXPECT_EQ(job().status, BatchStatus::kCompleted);
}

TEST_P(Tuning, StopsPoorTrainingsEarly) {
  TuningSpec wanted = spec(5, 1);
  wanted.early_stopping = true;
  create(wanted);
  for (int i = 0; i < 3; ++i) {
    look();
    trainings_->curves[trainings_->made.back()] = {0.5, 0.6, 0.7};
    trainings_->end(trainings_->made.back(), BatchStatus::kCompleted, 0.7);
  }
  look();
  ASSERT_EQ(trainings_->made.size(), 4u);
  const std::string poor = trainings_->made.back();
  trainings_->curves[poor] = {0.1};
  look();
  EXPECT_TRUE(trainings_->stopped.empty()) << "one epoch decides nothing";
  trainings_->curves[poor] = {0.1, 0.2};
  look();
  EXPECT_EQ(trainings_->stopped, std::set<std::string>{poor});
  trainings_->end(poor, BatchStatus::kStopped, 0.2);
  look();
  trainings_->curves[trainings_->made.back()] = {0.6, 0.8};
  look();
  EXPECT_EQ(trainings_->stopped.size(), 1u) << "a good one goes on";
  EXPECT_TRUE(job().state.trials[3].stopped_early);
}

TEST_P(Tuning, AGridEndsWithItsLastCombination) {
  TuningSpec wanted = spec(4, 4);
  wanted.strategy = tuning::Strategy::kGrid;
  wanted.ranges = {{"optimizer", RangeKind::kCategorical, 0, 0, tuning::Scaling::kAuto, {"sgd", "adam"}},
                   {"mini_batch_size", RangeKind::kCategorical, 0, 0, tuning::Scaling::kAuto, {"4", "8"}}};
  create(wanted);
  look();
  std::set<std::string> seen;
  for (const auto& [name, training] : trainings_->jobs)
    seen.insert(training.spec.hyperparameters.at("optimizer") +
                training.spec.hyperparameters.at("mini_batch_size"));
  EXPECT_EQ(seen, (std::set<std::string>{"sgd4", "sgd8", "adam4", "adam8"}));
}

TEST_P(Tuning, AFiniteSpaceMayEndItEarlier) {
  TuningSpec wanted = spec(10, 10);
  wanted.ranges = {{"optimizer", RangeKind::kCategorical, 0, 0, tuning::Scaling::kAuto, {"sgd", "adam"}}};
  create(wanted);
  look();
  for (const std::string& name : trainings_->running()) trainings_->end(name, BatchStatus::kCompleted, 0.3);
  look();
  EXPECT_EQ(trainings_->made.size(), 2u);
  EXPECT_EQ(job().status, BatchStatus::kCompleted);
}

TEST_P(Tuning, WhatAParentTriedIsNotTriedAgain) {
  TuningSpec first = spec(2, 2, "first");
  first.ranges = {
      {"optimizer", RangeKind::kCategorical, 0, 0, tuning::Scaling::kAuto, {"sgd", "adam", "nag"}}};
  create(first);
  TuningSpec second = first;
  second.name = "second";
  second.parents = {"first"};
  EXPECT_THAT(error(second), HasSubstr("is in status InProgress"));
  look();
  for (const std::string& name : trainings_->running()) trainings_->end(name, BatchStatus::kCompleted, 0.3);
  look();
  create(second);
  look();
  ASSERT_EQ(trainings_->made.size(), 3u);
  std::set<std::string> optimizers;
  for (const auto& [name, training] : trainings_->jobs)
    optimizers.insert(training.spec.hyperparameters.at("optimizer"));
  EXPECT_EQ(optimizers.size(), 3u);
  second.name = "third";
  second.parents = {"nobody"};
  EXPECT_THAT(error(second), HasSubstr("'nobody' does not exist"));
  second.parents = {"first"};
  second.objective = "validation:pixel_accuracy";
  EXPECT_THAT(error(second), HasSubstr("cannot be compared"));
}

TEST_P(Tuning, WrongRequestsAreNamed) {
  const auto with = [](auto change) {
    TuningSpec wanted = spec(4, 2);
    change(wanted);
    return wanted;
  };
  using Spec = TuningSpec&;
  EXPECT_THAT(error(with([](Spec s) { s.objective = "validation:loss"; })), HasSubstr("[validation:loss]"));
  EXPECT_THAT(error(with([](Spec s) { s.ranges[0].name = "gamma1"; })), HasSubstr("[gamma1] is not tunable"));
  EXPECT_THAT(error(with([](Spec s) { s.ranges[0].high = 2; })), HasSubstr("goes from 0.001 to 2"));
  EXPECT_THAT(error(with([](Spec s) { s.ranges[0].low = 0; })), HasSubstr("above 0"));
  EXPECT_THAT(error(with([](Spec s) { s.training.hyperparameters["learning_rate"] = "0.1"; })),
              HasSubstr("both static and tuned"));
  EXPECT_THAT(error(with([](Spec s) { s.training.instance_type = "ml.m5.large"; })),
              HasSubstr("'ml.m5.large'"));
  EXPECT_THAT(error(with([](Spec s) { s.max_parallel = 5; })), HasSubstr("more than the 4 in all"));
  EXPECT_THAT(error(with([](Spec s) { s.max_trainings = 751; })), HasSubstr("1 to 750"));
  EXPECT_THAT(error(with([](Spec s) { s.strategy = tuning::Strategy::kGrid; })),
              HasSubstr("categorical parameters only; learning_rate is continuous"));
  EXPECT_THAT(error(with([](Spec s) {
                s.ranges = {{"optimizer", RangeKind::kCategorical, 0, 0, tuning::Scaling::kAuto, {"sdg"}}};
              })),
              HasSubstr("optimizer=sdg"));
  EXPECT_THAT(error(with([](Spec s) {
                s.ranges = {{"mini_batch_size", RangeKind::kContinuous, 1, 8, tuning::Scaling::kAuto, {}}};
              })),
              HasSubstr("integer range"));
  create(spec(4, 2));
  EXPECT_EQ(tuning_->create(spec(4, 2), "alice", {}).error().code, ErrorCode::kAlreadyExists);
}

TEST_P(Tuning, TextsComeBackAsTheyWere) {
  TuningSpec wanted = spec(4, 2);
  wanted.target = 0.5;
  wanted.parents = {"a", "b"};
  wanted.seed = 4'000'000'000;
  wanted.ranges.push_back(
      {"optimizer", RangeKind::kCategorical, 0, 0, tuning::Scaling::kAuto, {"sgd", "adam"}});
  wanted.ranges.push_back({"mini_batch_size", RangeKind::kWhole, 1, 8, tuning::Scaling::kLinear, {}});
  wanted.kept = R"({"a":1})";
  const std::string text = tuning_spec_text(wanted);
  const auto back = parse_tuning_spec(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(tuning_spec_text(*back), text);
  TuningState state;
  TuningTrial trial;
  trial.training = "tune-001";
  trial.values = {{"learning_rate", "0.1"}};
  trial.objective = 0.25;
  trial.ended = clock_.now();
  trial.stopped_early = true;
  state.trials = {trial, trial};
  state.closing = "why";
  const std::string state_text = tuning_state_text(state);
  const auto state_back = parse_tuning_state(state_text);
  ASSERT_TRUE(state_back);
  EXPECT_EQ(tuning_state_text(*state_back), state_text);
  for (const char* hostile : {"", "[]", "{}", R"({"version":2})", R"({"version":1,"trials":[{}]})"})
    EXPECT_FALSE(parse_tuning_state(hostile)) << hostile;
  for (const char* hostile : {"", "[]", "{}", R"({"version":1,"strategy":"Grid","ranges":[3]})",
                              R"({"version":1,"strategy":"Grid","ranges":[{"kind":"integer","low":"x"}]})"})
    EXPECT_FALSE(parse_tuning_spec(hostile)) << hostile;
}

TEST(TuningStates, MoveAsTheTableSays) {
  using enum BatchStatus;
  EXPECT_TRUE(may_move(kInProgress, kStopping));
  EXPECT_TRUE(may_move(kInProgress, kCompleted));
  EXPECT_TRUE(may_move(kInProgress, kFailed));
  EXPECT_TRUE(may_move(kStopping, kStopped));
  EXPECT_FALSE(may_move(kInProgress, kStopped));
  EXPECT_FALSE(may_move(kStopping, kCompleted));
  for (const BatchStatus ended : {kCompleted, kFailed, kStopped})
    for (const BatchStatus to : {kInProgress, kStopping, kCompleted, kFailed, kStopped})
      EXPECT_FALSE(may_move(ended, to));
}

INSTANTIATE_TEST_SUITE_P(Databases, Tuning, testing::Values("sqlite", "postgresql"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace terrapin::control
