// What a training job's row says, for every way that its process may go.
#include "control/training_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/training_spec.h"

namespace terrapin::control {
namespace {

using jobs::JobChange;
using jobs::JobRecord;
using jobs::JobState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Timestamp at(int second) {
  return Timestamp(std::chrono::seconds(1'800'000'000 + second));
}

struct Life {
  JobRecord job;
  std::vector<JobChange> changes;
  std::vector<Phase> phases;

  explicit Life(const std::vector<std::pair<JobState, int>>& states) {
    for (const auto& [state, second] : states) changes.push_back({state, at(second)});
    job.state = changes.back().state;
    job.modified = changes.back().time;
  }
  Life& phase(const std::string& name, int second, std::map<std::string, std::string> facts = {}) {
    phases.push_back({name, at(second), std::move(facts)});
    return *this;
  }
  Life& ended(jobs::Ending ending, const std::string& failure) {
    job.ending = std::move(ending);
    job.failure = failure;
    return *this;
  }
  TrainingJobState state() const { return derive_training_state(job, changes, phases, {}); }
};

std::vector<std::string> steps(const TrainingJobState& state) {
  std::vector<std::string> names;
  for (const TrainingTransition& one : state.transitions) names.emplace_back(training_step_name(one.step));
  return names;
}

constexpr auto kPending = JobState::kPending;
constexpr auto kStarting = JobState::kStarting;
constexpr auto kRunning = JobState::kRunning;
constexpr auto kStopping = JobState::kStopping;

TEST(TrainingState, Completed) {
  const auto state = Life({{kPending, 0}, {kStarting, 2}, {kRunning, 3}, {JobState::kCompleted, 40}})
                         .phase("Downloading", 4)
                         .phase("Training", 5)
                         .phase("Uploading", 38)
                         .phase("Uploaded", 39, {{kModelFact, "s3://b/m"}})
                         .state();
  EXPECT_EQ(state.status, BatchStatus::kCompleted);
  EXPECT_THAT(steps(state),
              ElementsAre("Pending", "Starting", "Downloading", "Training", "Uploading", "Completed"));
  EXPECT_EQ(state.model_uri, "s3://b/m");
  EXPECT_EQ(state.seconds(), 37);
  for (std::size_t i = 1; i < state.transitions.size(); ++i)
    EXPECT_EQ(state.transitions[i - 1].end, state.transitions[i].start);
  EXPECT_EQ(state.transitions.back().end, at(40));
}

TEST(TrainingState, OnItsWay) {
  EXPECT_THAT(steps(Life({{kPending, 0}}).state()), ElementsAre("Pending"));
  const auto state = Life({{kPending, 0}, {kStarting, 2}, {kRunning, 3}}).phase("Downloading", 4).state();
  EXPECT_EQ(state.status, BatchStatus::kInProgress);
  EXPECT_FALSE(state.transitions.back().end);
  EXPECT_FALSE(state.ended);
  EXPECT_EQ(state.started, at(3));
  const auto stopping = Life({{kPending, 0}, {kStarting, 2}, {kRunning, 3}, {kStopping, 9}}).state();
  EXPECT_EQ(stopping.status, BatchStatus::kStopping);
  EXPECT_EQ(steps(stopping).back(), "Stopping");
}

TEST(TrainingState, TimesNeverGoBack) {
  // The job's machine is behind by a minute.
  const auto state = Life({{kPending, 60}, {kStarting, 62}, {kRunning, 63}, {JobState::kCompleted, 90}})
                         .phase("Downloading", 2)
                         .phase("Training", 5)
                         .phase("Uploaded", 20, {{kModelFact, "s3://b/m"}})
                         .state();
  EXPECT_THAT(steps(state), ElementsAre("Pending", "Starting", "Downloading", "Training", "Completed"));
  for (std::size_t i = 1; i < state.transitions.size(); ++i)
    EXPECT_LE(state.transitions[i - 1].start, state.transitions[i].start);
}

TEST(TrainingState, Stopped) {
  jobs::Ending ending;
  ending.exit_code = 0;
  ending.stop_asked = true;
  Life life({{kPending, 0}, {kStarting, 2}, {kRunning, 3}, {kStopping, 10}, {JobState::kStopped, 14}});
  life.phase("Training", 5).phase("Uploading", 12).phase("Uploaded", 13, {{kModelFact, "s3://b/m"}});
  const auto state = life.ended(ending, "").state();
  EXPECT_EQ(state.status, BatchStatus::kStopped);
  EXPECT_THAT(steps(state),
              ElementsAre("Pending", "Starting", "Training", "Stopping", "Uploading", "Stopped"));
  EXPECT_EQ(state.model_uri, "s3://b/m");
  EXPECT_EQ(state.failure_reason, "");
  // By nobody's wish.
  const auto late = life.ended(ending, "The job was stopped because it ran longer ...").state();
  EXPECT_EQ(steps(late).back(), "MaxRuntimeExceeded");
  EXPECT_EQ(late.status, BatchStatus::kStopped);
  // Before it began.
  const auto early = Life({{kPending, 0}, {JobState::kStopped, 4}}).state();
  EXPECT_THAT(steps(early), ElementsAre("Pending", "Stopped"));
  EXPECT_FALSE(early.started);
  EXPECT_EQ(early.seconds(), 0);
}

TEST(TrainingState, FailedForReasonsOfOthers) {
  const auto reason = [](const jobs::Ending& ending, const std::string& failure) {
    return Life({{kPending, 0}, {kStarting, 2}, {kRunning, 3}, {JobState::kFailed, 10}})
        .phase("Uploaded", 9, {{kModelFact, "s3://b/m"}})
        .ended(ending, failure)
        .state();
  };
  jobs::Ending said;
  said.exit_code = 1;
  EXPECT_EQ(reason(said, "ClientError: epochs is 0").failure_reason, "ClientError: epochs is 0");
  EXPECT_EQ(reason(said, "ClientError: epochs is 0").model_uri, "");
  EXPECT_EQ(reason(said, "The job exited with code 1.").failure_reason,
            "AlgorithmError: The job exited with code 1.");
  jobs::Ending memory;
  memory.signal = 9;
  memory.out_of_memory = true;
  EXPECT_THAT(reason(memory, jobs::failure_reason(memory)).failure_reason,
              StartsWith("ClientError: The system killed the job because memory ran out"));
  jobs::Ending killed;
  killed.signal = 11;
  killed.out_of_memory = true;  // of another program of the machine
  EXPECT_THAT(reason(killed, jobs::failure_reason(killed)).failure_reason,
              StartsWith("AlgorithmError: The job was ended by signal 11"));
  jobs::Ending lost;
  lost.problem = "Nothing is left.";
  EXPECT_EQ(reason(lost, "Nothing is left.").failure_reason, "InternalServerError: Nothing is left.");
  EXPECT_LE(reason(said, std::string(5000, 'x')).failure_reason.size(), 1024U);
}

TEST(TrainingState, WithoutAPlaceOrAModel) {
  Life life({{kPending, 0}, {JobState::kFailed, 1}});
  life.job.failure = "8 cores are too many";
  EXPECT_THAT(life.state().failure_reason, StartsWith("CapacityError: "));
  // Completed, it says, and no model: that is none.
  const auto state = Life({{kPending, 0}, {kStarting, 2}, {kRunning, 3}, {JobState::kCompleted, 9}}).state();
  EXPECT_EQ(state.status, BatchStatus::kFailed);
  EXPECT_THAT(state.failure_reason, HasSubstr("where its model lies"));
}

TEST(TrainingState, KeptAsText) {
  auto state = Life({{kPending, 0}, {kStarting, 2}, {kRunning, 3}, {JobState::kFailed, 10}})
                   .ended({}, "ClientError: \"x\"\n")
                   .state();
  state.metrics = {{"train:loss", 0.25, at(6), 3}};
  const auto again = parse_training_state(training_state_text(state));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(training_state_text(*again), training_state_text(state));
  EXPECT_EQ(again->failure_reason, state.failure_reason);
  EXPECT_EQ(again->metrics.front().epoch, 3);
  for (const char* text : {"", "{}", "[]", R"({"version":2})", R"({"version":1,"status":"Gone"})",
                           R"({"version":1,"status":"Failed"})",
                           R"({"version":1,"status":"Failed","transitions":[{"step":"Nowhere"}]})"})
    EXPECT_FALSE(parse_training_state(text)) << text;
}

TEST(TrainingSpec, KeptAsText) {
  TrainingJobSpec spec;
  spec.name = "turtles";
  spec.image = "x/semantic-segmentation:1";
  spec.role = "arn";
  spec.hyperparameters = {{"epochs", "\"3\""}};
  spec.environment = {{"OMP_NUM_THREADS", "1"}};
  DataChannel channel;
  channel.name = "train";
  channel.source = {DataSource::Kind::kAugmentedManifest, "s3://b/m", {"source-ref", "a-ref"}};
  channel.content_type = "application/x-recordio";
  channel.shuffle_seed = 7;
  spec.channels = {channel, {}};
  spec.channels[1].name = "validation";
  spec.output_uri = "s3://b/out//";
  spec.checkpoint_uri = "s3://b/c";
  spec.instance_type = "ml.p3.2xlarge";
  spec.allowed_buckets = {"b"};
  spec.notes = {"note"};
  spec.kept = R"({"a":1})";
  const auto again = parse_training_spec(training_spec_text(spec));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(training_spec_text(*again), training_spec_text(spec));
  EXPECT_EQ(again->channels[0].source.attributes, channel.source.attributes);
  EXPECT_EQ(again->channels[1].source.kind, DataSource::Kind::kPrefix);
  EXPECT_EQ(training_output_uri(spec, "model.tar.gz"), "s3://b/out/turtles/output/model.tar.gz");
  for (const char* text : {"", "[]", "{}", R"({"version":1})", R"({"version":1,"name":"a","channels":[1]})",
                           R"({"version":1,"name":"a","channels":[{"name":"b","kind":"tape"}]})"})
    EXPECT_FALSE(parse_training_spec(text)) << text;
}

TEST(TrainingMetrics, ReadFromTheLinesOfTheAlgorithm) {
  std::vector<MetricValue> found;
  const auto say = [&](int stream, const std::string& text) {
    scrape_metrics({at(1), stream, text, 0}, found);
  };
  say(1,
      "[epoch 3/30] train:loss=0.123400 train:throughput=45.600 validation:mIOU=0.910000 "
      "validation:pixel_accuracy=0.990000 validation:throughput=12.300");
  ASSERT_EQ(found.size(), 5U);
  EXPECT_EQ(found[2].name, "validation:mIOU");
  EXPECT_DOUBLE_EQ(found[2].value, 0.91);
  EXPECT_EQ(found[2].epoch, 3);
  say(1, "[epoch 4/30] train:loss=1e-3 train:throughput=1");
  EXPECT_EQ(found.size(), 7U);
  // What only looks like it, what is no number, what the keeper said.
  say(1, "train:losses=3 train:loss 4 train:loss= train:loss=x train:loss=nan");
  say(0, "train:loss=5");
  EXPECT_EQ(found.size(), 7U);
  say(2, "train:loss=x, then train:loss=0.5");
  const auto last = last_of_each(found);
  ASSERT_EQ(last.size(), 5U);
  EXPECT_DOUBLE_EQ(last[0].value, 0.5);
  EXPECT_EQ(last[0].epoch, 0);
  EXPECT_DOUBLE_EQ(last[2].value, 0.91);
}

}  // namespace
}  // namespace terrapin::control
