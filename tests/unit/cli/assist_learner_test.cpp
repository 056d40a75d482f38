// Which labeling jobs are learned from, from which of their photos, and what is forgotten.
#include "cli/service/assist_learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "control/process/training_work.h"
#include "storage/database.h"
#include "unit/base/temporary_folder.h"
#include "unit/control/idle_runner.h"
#include "unit/portal/fakes.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;
using control::AssistLearningTask;
using labeling::JobStatus;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Labeling jobs by name; each has the same masks.
class LearnedJobs final : public test::FakeJobs {
 public:
  std::map<std::string, labeling::JobRecord> jobs;
  std::vector<labeling::FinishedMask> masks;
  std::string broken;  // describing this one fails

  Result<labeling::JobPage> list(const labeling::JobFilter& filter) override {
    labeling::JobPage page;
    for (const auto& [name, job] : jobs)
      if (!filter.status || job.status == *filter.status) page.jobs.push_back(job);
    return page;
  }
  Result<labeling::JobRecord> describe(const std::string& name) override {
    if (name == broken) return fail(ErrorCode::kIo, "the disk");
    if (!jobs.contains(name)) return fail(ErrorCode::kNotFound, "there is no job {}", name);
    return jobs[name];
  }
  Result<labeling::FinishedMasks> finished_masks(const std::string&, int most) override {
    labeling::FinishedMasks found{static_cast<std::int64_t>(masks.size()), masks};
    found.newest.resize(std::min(masks.size(), static_cast<std::size_t>(most)));
    return found;
  }
};

class Learner : public ::testing::Test {
 protected:
  Learner() {
    assistance_.model = "/share/assist.safetensors";
    for (int i = 0; i < 3; ++i) mask("s3://photos/" + std::to_string(i) + ".jpg");
  }
  void mask(const std::string& photo, const std::string& mask = "s3://out/mask.png") {
    jobs_.masks.push_back({static_cast<std::int64_t>(jobs_.masks.size()), photo, mask, clock_.now()});
  }
  labeling::JobRecord& job(const std::string& name, JobStatus status = JobStatus::kInProgress) {
    labeling::JobRecord& made = jobs_.jobs[name];
    made.id = "id-" + name;
    made.spec.name = name;
    made.spec.owner = "ann";
    made.spec.output_uri = "s3://out/" + name;
    made.status = status;
    made.modified = clock_.now();
    return made;
  }
  Status look(bool wanted = true, int retain_days = 0) {
    AssistLearnerOptions options;
    options.wanted = wanted;
    options.first_photos = 3;
    options.retain_days = retain_days;
    AssistLearner learner(
        assistance_, jobs_, learnings_, clock_,
        [](const std::string& owner, const std::string& bucket) -> Result<bool> {
          return owner == "ann" && bucket != "secrets";
        },
        options);
    return learner.look();
  }
  // What was queued, by labeling job.
  std::map<std::string, AssistLearningTask> tasks() {
    std::map<std::string, AssistLearningTask> all;
    const auto queue = store_.queue("batch", 100);
    EXPECT_TRUE(queue) << queue.error().message;
    for (const jobs::JobRecord& queued : *queue) {
      const auto task = control::parse_assist_learning_task(queued.work.files.at(control::kTaskFile));
      EXPECT_TRUE(task) << task.error().message;
      if (task) all[task->labeling_job] = *task;
    }
    return all;
  }
  void stop(const std::string& name) {
    const std::string process = rows_.find(control::kAssistLearningKind, "id-" + name).value().job_id;
    ASSERT_TRUE(store_.stop(process));
    ASSERT_TRUE(learnings_.settle_all());
  }

  const test::TemporaryFolder folder_;
  ManualClock clock_{Timestamp(std::chrono::seconds(1'800'000'000))};
  std::unique_ptr<storage::Database> database_ =
      storage::Database::open("sqlite:" + (folder_.path() / "state.db").string()).value();
  control::Resources rows_ = control::Resources::open(*database_, clock_).value();
  jobs::JobStore store_ = jobs::JobStore::open(*database_, clock_).value();
  test::IdleRunner runner_;
  jobs::Supervisor supervisor_{store_, runner_, clock_, {}};
  control::AssistLearnings learnings_{
      rows_, store_, runner_, supervisor_, {"/usr/bin/terrapin", folder_.path(), {}}};
  Assistance assistance_;
  LearnedJobs jobs_;
};

TEST_F(Learner, LearnsFromJobsThatWantIt) {
  job("plain");
  job("off").spec.tags.emplace_back(labeling::kAssistLearningTag, "off");
  job("ended", JobStatus::kCompleted);
  job("verified").spec.pre_function = {"", "PRE-VerificationSemanticSegmentation"};
  ASSERT_TRUE(look());
  const auto begun = tasks();
  ASSERT_EQ(begun.size(), 1U);
  const AssistLearningTask& task = begun.at("plain");
  EXPECT_EQ(task.model, "/share/assist.safetensors");
  EXPECT_EQ(task.labeled, 3);
  EXPECT_EQ(task.photos.size(), 3U);
}

TEST_F(Learner, OffByDefaultATagAsksForIt) {
  job("plain");
  job("on").spec.tags.emplace_back(labeling::kAssistLearningTag, "on");
  ASSERT_TRUE(look(false));
  EXPECT_THAT(tasks(), ElementsAre(::testing::Key("on")));
}

TEST_F(Learner, WithoutANetworkNothingIsLearned) {
  job("plain");
  assistance_.model.clear();
  ASSERT_TRUE(look());
  EXPECT_THAT(tasks(), IsEmpty());
}

TEST_F(Learner, TooFewPhotosWait) {
  jobs_.masks.pop_back();
  job("plain");
  ASSERT_TRUE(look());
  EXPECT_THAT(tasks(), IsEmpty());
}

TEST_F(Learner, APhotoIsTakenOnceAndWhatTheOwnerMayNotReadNever) {
  mask("s3://photos/1.jpg", "s3://out/other.png");
  mask("s3://secrets/1.jpg");
  mask("s3://photos/9.jpg", "s3://secrets/mask.png");
  mask("not an address");
  job("plain");
  ASSERT_TRUE(look());
  std::vector<std::string> photos;
  const auto begun = tasks();
  for (const control::LearningPhoto& photo : begun.at("plain").photos) photos.push_back(photo.photo_uri);
  EXPECT_THAT(photos, ElementsAre("s3://photos/0.jpg", "s3://photos/1.jpg", "s3://photos/2.jpg"));
}

TEST_F(Learner, ModelsGoWithTheAnswersAndOneThatStaysHoldsUpNone) {
  for (const char* name : {"a", "b", "c", "d"}) {
    job(name);
    ASSERT_TRUE(look());
    stop(name);
    fs::create_directories(folder_.path() / "assist-models" / ("id-" + std::string(name)));
  }
  const auto kept = [&] {
    std::string names;
    const auto all = learnings_.all();
    for (const auto& [id, standing] : *all) names += id + " ";
    return names;
  };
  for (const char* name : {"a", "b", "d"}) jobs_.jobs[name].status = JobStatus::kCompleted;  // "c" goes on
  assistance_.model.clear();                                                                 // nothing new
  clock_.advance(std::chrono::hours(24 * 3 - 1));
  ASSERT_TRUE(look(true, 3));
  EXPECT_EQ(kept(), "id-a id-b id-c id-d ");
  clock_.advance(std::chrono::hours(2));
  ASSERT_TRUE(look(true, 0));
  EXPECT_EQ(kept(), "id-a id-b id-c id-d ") << "no retention is set";
  jobs_.broken = "a";
  const Status looked = look(true, 3);
  ASSERT_FALSE(looked);
  EXPECT_THAT(looked.error().message, HasSubstr("the disk"));
  EXPECT_EQ(kept(), "id-a id-c ");
  EXPECT_FALSE(fs::exists(folder_.path() / "assist-models" / "id-b"));
  EXPECT_TRUE(fs::exists(folder_.path() / "assist-models" / "id-c"));
  jobs_.broken.clear();
  ASSERT_TRUE(look(true, 3));
  EXPECT_EQ(kept(), "id-c ");
}

}  // namespace
}  // namespace terrapin::cli
