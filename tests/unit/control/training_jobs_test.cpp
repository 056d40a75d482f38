// Rows of training jobs beside processes that only pretend, on both databases.
#include "control/training_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "contract/database_backends.h"
#include "control/process/training_work.h"

namespace terrapin::control {
namespace {

using storage::DatabaseContract;
using testing::ElementsAre;
using testing::HasSubstr;
using SightPhase = jobs::Sight::Phase;

// One job at a time; what it said and wrote is put there by the test.
class FakeTrainingRunner final : public jobs::Runner {
 public:
  Result<std::optional<std::string>> reserve(const std::string& id, const jobs::Work&) override {
    if (!held.empty()) return std::optional<std::string>();
    held = id;
    return std::optional<std::string>("place");
  }
  Status start(const std::string& id, const std::string&, const jobs::Work& work) override {
    sights[id] = start_sight;
    works[id] = work;
    return {};
  }
  Result<jobs::Sight> adopt(const std::string& id, const std::string& handle) override {
    return look(id, handle);
  }
  Result<jobs::Sight> look(const std::string& id, const std::string&) override { return sights[id]; }
  Status stop(const std::string& id, const std::string&) override {
    stopped.push_back(id);
    return {};
  }
  Status seal(const std::string&, const std::string&) override { return {}; }
  void release(const std::string& id) override {
    if (held == id) held.clear();
  }
  Status remove(const std::string&, const std::string&) override { return {}; }
  Status clear(const std::string& id, const std::string&, const std::set<std::string>& kept) override {
    // What the row is derived from stays; data and models go.
    EXPECT_TRUE(kept.contains(kPhasesFile));
    for (const char* gone : {"input", "model", "checkpoints", "output"}) EXPECT_FALSE(kept.contains(gone));
    cleared.push_back(id);
    return {};
  }
  Result<std::string> read_file(const std::string& id, const std::string&, const std::string& name,
                                std::int64_t) override {
    if (blind) return fail(ErrorCode::kIo, "no sight");
    if (name != kPhasesFile || !phases.contains(id)) return fail(ErrorCode::kNotFound, "no file");
    return phases[id];
  }
  Result<jobs::OutputPage> output(const std::string& id, std::int64_t offset, std::int64_t) override {
    jobs::OutputPage page;
    page.next_offset = offset;
    for (std::size_t i = static_cast<std::size_t>(offset); i < lines[id].size(); ++i) {
      ++page.next_offset;
      page.lines.push_back({Timestamp(std::chrono::seconds(i)), 1, lines[id][i], page.next_offset});
    }
    return page;
  }

  std::string held;
  bool blind = false;
  jobs::Sight start_sight{SightPhase::kRunning, {}, ""};
  std::map<std::string, jobs::Sight> sights;
  std::map<std::string, jobs::Work> works;
  std::map<std::string, std::string> phases;
  std::map<std::string, std::vector<std::string>> lines;
  std::vector<std::string> stopped, cleared;
};

class TrainingJobRows : public DatabaseContract {
 protected:
  void SetUp() override {
    DatabaseContract::SetUp();
    if (IsSkipped()) return;
    rows_.emplace(std::move(*Resources::open(*database_, clock_)));
    store_.emplace(std::move(*jobs::JobStore::open(*database_, clock_)));
    supervisor_.emplace(*store_, runner_, clock_, jobs::SupervisorOptions{});
    TrainingJobsOptions options;
    options.program = "/usr/bin/terrapin";
    options.data_dir = "/data";
    options.slots.whole = {2, 1};
    options.environment = {{"TERRAPIN_WEIGHTS", "/weights"}};
    jobs_.emplace(*rows_, *store_, runner_, *supervisor_, options);
  }
  TrainingJob make(const std::string& name, int instances = 1) {
    TrainingJobSpec spec;
    spec.name = name;
    spec.instance_count = instances;
    spec.output_uri = "s3://turtles/out";
    spec.instance_type = "ml.p3.2xlarge";
    spec.max_run_s = 3600;
    const auto made = jobs_->create(spec, "ann", {{"k", "v"}});
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : TrainingJob{};
  }
  TrainingJob now(const std::string& name) {
    const auto job = jobs_->describe(name);
    EXPECT_TRUE(job) << job.error().message;
    return job ? *job : TrainingJob{};
  }
  void end(const std::string& id, jobs::Ending ending) {
    ending.started = clock_.now();
    clock_.advance(std::chrono::milliseconds(1500));
    ending.ended = clock_.now();
    runner_.sights[id] = {SightPhase::kEnded, std::move(ending)};
  }
  static jobs::Ending exited(int code, const std::string& said = "") {
    jobs::Ending ending;
    ending.exit_code = code;
    ending.said = said;
    return ending;
  }

  ManualClock clock_{Timestamp(std::chrono::seconds(1'800'000'000))};
  FakeTrainingRunner runner_;
  std::optional<Resources> rows_;
  std::optional<jobs::JobStore> store_;
  std::optional<jobs::Supervisor> supervisor_;
  std::optional<TrainingJobs> jobs_;
};

TEST_P(TrainingJobRows, AreMadeWithTheirProcess) {
  const TrainingJob job = make("Turtles");
  EXPECT_EQ(job.resource.status, "InProgress");
  EXPECT_EQ(job.resource.owner, "ann");
  const auto process = store_->find(job.resource.job_id);
  ASSERT_TRUE(process);
  EXPECT_THAT(process->work.arguments,
              ElementsAre("/usr/bin/terrapin", "job-work", "training", "--data-dir", "/data"));
  EXPECT_EQ(process->work.cores, 2);
  EXPECT_EQ(process->work.gpus, 1);
  EXPECT_EQ(process->work.max_run, std::chrono::seconds(3600));
  EXPECT_EQ(process->work.environment.at("TERRAPIN_WEIGHTS"), "/weights");
  EXPECT_EQ(parse_training_spec(process->work.files.at(kTaskFile)).value().name, "Turtles");
  TrainingJobSpec again;
  again.name = "tURTLES";
  const auto taken = jobs_->create(again, "ann", {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kAlreadyExists);
  // The process of the refused one is gone with its row.
  EXPECT_EQ(store_->queue("batch", 10).value().size(), 1U);
}

TEST_P(TrainingJobRows, OfSeveralInstancesAreOneProcessThatStartsThem) {
  const TrainingJob job = make("turtles", 3);
  EXPECT_EQ(job.spec.instance_count, 3);
  const auto process = store_->find(job.resource.job_id);
  ASSERT_TRUE(process);
  EXPECT_THAT(process->work.arguments, ElementsAre("/usr/bin/terrapin", "job-work", "training", "--data-dir",
                                                   "/data", "--processes", "3"));
  EXPECT_EQ(process->work.cores, 3);  // the machine has 2, and each needs one
  EXPECT_EQ(process->work.gpus, 3);
}

TEST_P(TrainingJobRows, SayWhatTheyWaitFor) {
  runner_.start_sight = {SightPhase::kWaiting, {}, "It waits in a queue: Resources."};
  const std::string id = make("turtles").resource.job_id;
  ASSERT_TRUE(supervisor_->look());
  ASSERT_TRUE(jobs_->settle(id));
  EXPECT_EQ(now("turtles").state.transitions.back().step, TrainingStep::kStarting);
  EXPECT_EQ(now("turtles").state.transitions.back().message,
            "Preparing the instances for training. It waits in a queue: Resources.");
  runner_.sights[id] = {SightPhase::kRunning, {}, ""};
  ASSERT_TRUE(supervisor_->look());
  ASSERT_TRUE(jobs_->settle(id));
  EXPECT_EQ(now("turtles").state.transitions.back().message, "Preparing the instances for training");
}

TEST_P(TrainingJobRows, FollowTheirProcess) {
  const std::string id = make("turtles").resource.job_id;
  ASSERT_TRUE(supervisor_->look());
  runner_.phases[id] = "{\"version\":1,\"phase\":\"Training\",\"time_us\":1800000000000000,\"facts\":{}}\n";
  runner_.lines[id] = {"hello", "[epoch 1/2] train:loss=0.5"};
  ASSERT_TRUE(jobs_->settle(id));
  EXPECT_EQ(now("turtles").state.transitions.back().step, TrainingStep::kTraining);
  EXPECT_DOUBLE_EQ(now("turtles").state.metrics.at(0).value, 0.5);
  runner_.lines[id].push_back("[epoch 2/2] train:loss=0.25");
  EXPECT_EQ(jobs_->metrics("turtles").value().size(), 2U);
  runner_.phases[id] +=
      "{\"version\":1,\"phase\":\"Uploaded\",\"time_us\":1800000000000000,\"facts\":{\"model\":\"s3://b/"
      "m\"}}\n";
  end(id, exited(0));
  ASSERT_TRUE(supervisor_->look());
  // The server was killed here: nobody was told of the end, the next look finds it.
  ASSERT_TRUE(jobs_->settle_all());
  const TrainingJob job = now("turtles");
  EXPECT_EQ(job.resource.status, "Completed");
  EXPECT_EQ(job.state.model_uri, "s3://b/m");
  EXPECT_EQ(job.state.seconds(), 2);
  EXPECT_DOUBLE_EQ(job.state.metrics.at(0).value, 0.25);
  EXPECT_THAT(runner_.cleared, ElementsAre(id));
  EXPECT_EQ(jobs_->logs("turtles", 0, 100).value().lines.size(), 3U);
  // Settled is settled.
  ASSERT_TRUE(jobs_->settle(id));
  EXPECT_EQ(now("turtles").resource.modified, job.resource.modified);
}

TEST_P(TrainingJobRows, HoldUpNoOther) {
  const std::string first = make("first").resource.job_id;
  ASSERT_TRUE(supervisor_->look());
  runner_.blind = true;
  EXPECT_FALSE(jobs_->settle_all());
  EXPECT_EQ(now("first").resource.status, "InProgress");
  runner_.blind = false;
  end(first, exited(1, "ClientError: no"));
  const std::string second = make("second").resource.job_id;
  ASSERT_TRUE(supervisor_->look());
  ASSERT_TRUE(jobs_->settle_all());
  EXPECT_EQ(now("first").state.failure_reason, "ClientError: no");
  EXPECT_EQ(now("second").resource.status, "InProgress");
  ASSERT_TRUE(jobs_->settle("of something else"));
  ResourceFilter running;
  running.statuses = {"InProgress"};
  EXPECT_EQ(jobs_->list(running).value().jobs.size(), 1U);
}

TEST_P(TrainingJobRows, AreStopped) {
  const std::string first = make("first").resource.job_id;
  ASSERT_TRUE(supervisor_->look());
  make("waits");
  EXPECT_EQ(jobs_->stop("waits").value().resource.status, "Stopped");
  EXPECT_EQ(jobs_->stop("first").value().resource.status, "Stopping");
  EXPECT_EQ(jobs_->stop("first").value().resource.status, "Stopping");
  ASSERT_TRUE(supervisor_->look());
  EXPECT_THAT(runner_.stopped, ElementsAre(first));
  jobs::Ending ending = exited(143);
  ending.stop_asked = true;
  end(first, ending);
  ASSERT_TRUE(supervisor_->look());
  ASSERT_TRUE(jobs_->settle(first));
  EXPECT_EQ(now("first").resource.status, "Stopped");
  EXPECT_EQ(now("first").state.model_uri, "");
  const auto again = jobs_->stop("first");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_THAT(again.error().message, HasSubstr("Stopped"));
  EXPECT_EQ(jobs_->stop("nobody").error().code, ErrorCode::kNotFound);
}

TEST_P(TrainingJobRows, HaveLogsOnceTheyBegan) {
  const std::string group = "/aws/sagemaker/TrainingJobs";
  LogSource& logs = jobs_->log_source();
  EXPECT_TRUE(logs.groups("").value().empty());
  const std::string id = make("b-job").resource.job_id, other = make("a-job").resource.job_id;
  ASSERT_EQ(logs.groups("/aws/").value().size(), 1U);
  EXPECT_TRUE(logs.groups("/gcp/").value().empty());
  EXPECT_TRUE(logs.streams(group, "", "", 10).value().empty());
  runner_.lines[id] = {"one", "two"};
  runner_.lines[other] = {"three"};
  const auto streams = logs.streams(group, "", "", 10).value();
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(streams[0].name, "a-job/algo-1-1800000000");
  EXPECT_EQ(streams[0].bucket, "turtles");
  EXPECT_EQ(logs.streams(group, "", streams[0].name, 10).value().size(), 1U);
  EXPECT_EQ(logs.streams(group, "b-job/", "", 10).value().size(), 1U);
  EXPECT_TRUE(logs.streams(group, "c-job/", "", 10).value().empty());
  EXPECT_EQ(logs.read(group, streams[1].name, 1, 100).value().lines.at(0).text, "two");
  EXPECT_EQ(logs.stream(group, "a-job/algo-1-1").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(logs.read(group, "a-job/algo-1-1", 0, 100).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(logs.streams("other", "", "", 10).error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Databases, TrainingJobRows, testing::Values("sqlite", "postgresql"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace terrapin::control
