// Rows of tries beside processes that only pretend, on both databases.
#include "control/assist_learnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/files.h"
#include "contract/database_backends.h"
#include "control/process/assist_learning_work.h"
#include "control/process/training_work.h"
#include "unit/base/temporary_folder.h"
#include "unit/control/idle_runner.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using storage::DatabaseContract;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AssistLearningRows : public DatabaseContract {
 protected:
  void SetUp() override {
    DatabaseContract::SetUp();
    if (IsSkipped()) return;
    rows_.emplace(std::move(*Resources::open(*database_, clock_)));
    store_.emplace(std::move(*jobs::JobStore::open(*database_, clock_)));
    supervisor_.emplace(*store_, runner_, clock_, jobs::SupervisorOptions{});
    AssistLearningsOptions options;
    options.program = "/usr/bin/terrapin";
    options.data_dir = folder_.path();
    options.environment = {{"TERRAPIN_SHARE", "/share"}};
    learnings_.emplace(*rows_, *store_, runner_, *supervisor_, options);
  }
  bool begin(const std::string& id, std::int64_t labeled = 40) {
    AssistLearningTask task;
    task.labeling_job = "turtles-" + id;
    task.model = "/share/assist.safetensors";
    task.labeled = labeled;
    task.photos = {{"s3://b/1.jpg", "s3://b/1.png"}};
    const auto begun = learnings_->begin(id, task, "ann", "s3://b/out");
    EXPECT_TRUE(begun) << begun.error().message;
    return begun && *begun;
  }
  std::string process_of(const std::string& id) {
    return rows_->find(kAssistLearningKind, id).value().job_id;
  }
  // The process of the job ends so.
  void end(const std::string& id, int code, const std::string& outcome = "") {
    const std::string process = process_of(id);
    ASSERT_TRUE(store_->place(process, "place"));
    jobs::Ending ending;
    ending.started = ending.ended = clock_.now();
    ending.exit_code = code;
    if (!outcome.empty()) runner_.outcomes[process] = outcome;
    ASSERT_TRUE(store_->end(process, ending));
  }
  std::string status(const std::string& id) { return rows_->find(kAssistLearningKind, id).value().status; }

  const test::TemporaryFolder folder_;
  ManualClock clock_{Timestamp(std::chrono::seconds(1'800'000'000))};
  test::IdleRunner runner_;
  std::optional<Resources> rows_;
  std::optional<jobs::JobStore> store_;
  std::optional<jobs::Supervisor> supervisor_;
  std::optional<AssistLearnings> learnings_;
};

TEST_P(AssistLearningRows, ATryIsASmallJobAndOneAtATimeForALabelingJob) {
  EXPECT_EQ(learnings_->standing("one").value().tried, 0);
  EXPECT_TRUE(begin("one"));
  EXPECT_FALSE(begin("one"));
  EXPECT_TRUE(begin("two")) << "another labeling job";
  EXPECT_TRUE(learnings_->standing("one").value().under_way);
  EXPECT_EQ(learnings_->standing("one").value().tried, 40);
  const auto queue = store_->queue("batch", 10).value();
  ASSERT_EQ(queue.size(), 2U);
  const jobs::Work& work = queue.front().work;
  EXPECT_THAT(work.arguments, ElementsAre("/usr/bin/terrapin", "job-work", "assist-learning", "--data-dir",
                                          folder_.path().string()));
  EXPECT_EQ(work.cores, 1);
  EXPECT_EQ(work.gpus, 0);
  EXPECT_EQ(work.max_run, std::chrono::minutes(20) + std::chrono::seconds(6) * 200);
  EXPECT_EQ(work.environment.at("TERRAPIN_SHARE"), "/share");
  const auto task = parse_assist_learning_task(work.files.at(kTaskFile)).value();
  EXPECT_EQ(task.folder, folder_ / "assist-models" / "one");
  EXPECT_EQ(task.labeling_job, "turtles-one");
}

TEST_P(AssistLearningRows, FollowTheirProcessAndTheNextTryTakesItsPlace) {
  ASSERT_TRUE(begin("one"));
  const std::string first = process_of("one");
  ASSERT_TRUE(learnings_->settle_all());
  EXPECT_EQ(status("one"), "InProgress");
  end("one", 0, assist_learning_outcome_text({true, 32, 8, {25, 0.8, 0.8}, {25, 0.9, 0.9}}));
  // The server was killed here: nobody was told of the end, the next look finds it.
  ASSERT_TRUE(learnings_->settle_all());
  EXPECT_EQ(status("one"), "Replaced");
  EXPECT_THAT(runner_.cleared, ElementsAre(first));
  EXPECT_FALSE(learnings_->standing("one").value().under_way);

  ASSERT_TRUE(begin("one", 60));
  EXPECT_THAT(runner_.removed, ElementsAre(first));
  EXPECT_EQ(store_->find(first).error().code, ErrorCode::kNotFound);
  end("one", 0, assist_learning_outcome_text({false, 48, 12, {25, 0.9, 0.9}, {25, 0.8, 0.8}}));
  ASSERT_TRUE(learnings_->settle(process_of("one")));
  EXPECT_EQ(status("one"), "Kept");
  EXPECT_EQ(learnings_->standing("one").value().tried, 60) << "also one that changed nothing was a try";
}

TEST_P(AssistLearningRows, WhateverFailsIsATry) {
  ASSERT_TRUE(begin("one"));
  end("one", 1);
  ASSERT_TRUE(learnings_->settle(process_of("one")));
  EXPECT_EQ(status("one"), "Failed");
  EXPECT_EQ(learnings_->standing("one").value().tried, 40);
  ASSERT_TRUE(begin("one"));
  end("one", 0);
  ASSERT_TRUE(learnings_->settle_all());
  EXPECT_EQ(status("one"), "Failed");
  EXPECT_THAT(rows_->find(kAssistLearningKind, "one").value().state, HasSubstr("did not say what it did"));
  ASSERT_TRUE(begin("one"));
  ASSERT_TRUE(store_->stop(process_of("one")));
  ASSERT_TRUE(learnings_->settle_all());
  EXPECT_EQ(status("one"), "Failed");
  EXPECT_TRUE(learnings_->settle("no process of ours"));
}

TEST_P(AssistLearningRows, NoLabelingJobSeesTheModelOfAnother) {
  const fs::path model = folder_ / "tuned.safetensors";
  ASSERT_TRUE(write_file_atomically(model, "tuned"));
  ASSERT_TRUE(begin("one"));
  ASSERT_TRUE(begin("two"));
  ASSERT_TRUE(store_learned_model(folder_ / "assist-models" / "one", model, {}));
  EXPECT_TRUE(learnings_->learned("one").value());
  EXPECT_FALSE(learnings_->learned("two").value());
  EXPECT_EQ(learnings_->all().value().size(), 2U);
}

TEST_P(AssistLearningRows, AreForgottenWithTheirModel) {
  const fs::path model = folder_ / "tuned.safetensors";
  ASSERT_TRUE(write_file_atomically(model, "tuned"));
  ASSERT_TRUE(begin("one"));
  const std::string process = process_of("one");
  EXPECT_EQ(learnings_->forget("one").error().code, ErrorCode::kConflict);
  end("one", 0, assist_learning_outcome_text({}));
  ASSERT_TRUE(learnings_->settle_all());
  ASSERT_TRUE(store_learned_model(folder_ / "assist-models" / "one", model, {}));
  ASSERT_TRUE(learnings_->forget("one"));
  EXPECT_FALSE(learnings_->learned("one").value());
  EXPECT_FALSE(fs::exists(folder_ / "assist-models" / "one"));
  EXPECT_EQ(learnings_->standing("one").value().tried, 0);
  EXPECT_THAT(runner_.removed, ElementsAre(process));
  EXPECT_EQ(learnings_->forget("one").error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Databases, AssistLearningRows, testing::Values("sqlite", "postgresql"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace terrapin::control
