// The process of a try, with commands that only pretend: what is fetched, what is held out, which model
// stays.
#include "control/process/assist_learning_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "base/interrupt.h"
#include "control/assist_learning.h"
#include "control/process/training_work.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AssistLearningWorkTest : public testing::Test {
 protected:
  void SetUp() override {
    clear_interrupt();
    fs::create_directories(work_.folder = folder_ / "work");
    store_ = std::move(*storage::open_folder_store(folder_ / "objects", clock_));
    ASSERT_TRUE(store_->create_bucket("photos"));
    task_.labeling_job = "turtles";
    task_.model = folder_ / "shipped.safetensors";
    task_.folder = folder_ / "models" / "id";
    task_.steps = 3;
    ASSERT_TRUE(write_file_atomically(task_.model, "shipped"));
    // The newest first, as the task has them.
    for (int i = 9; i >= 0; --i) {
      const std::string name = "s3://photos/" + std::to_string(i);
      ASSERT_TRUE(
          store_->put({"photos", std::to_string(i) + ".jpg"}, *bytes_source("photo " + std::to_string(i))));
      ASSERT_TRUE(
          store_->put({"photos", std::to_string(i) + ".png"}, *bytes_source("mask " + std::to_string(i))));
      task_.photos.push_back({name + ".jpg", name + ".png"});
    }
    work_.run = [this](const std::vector<std::string>& arguments) { return pretend(arguments); };
  }
  void TearDown() override { clear_interrupt(); }

  static std::string after(const std::vector<std::string>& arguments, const std::string& option) {
    const auto found = std::find(arguments.begin(), arguments.end(), option);
    return found == arguments.end() || found + 1 == arguments.end() ? "" : found[1];
  }
  // Scores go by what stands in the model's file.
  Result<std::string> pretend(const std::vector<std::string>& arguments) {
    calls_.push_back(arguments.front());
    const fs::path data = after(arguments, "--data");
    splits_ = *read_text_file(data / "splits.tsv");
    const auto files = list_files(data / "images", false).value();
    for (const fs::path& file : files)
      seen_[file.stem().string()] =
          *read_text_file(file) + ", " + *read_text_file(data / "masks" / (file.stem().string() + ".png"));
    if (fails_at_ == static_cast<int>(calls_.size())) {
      if (interrupts_) ::raise(SIGTERM);
      return fail(interrupts_ ? ErrorCode::kCancelled : ErrorCode::kInternal, "the command failed");
    }
    if (arguments.front() == "train-assist") {
      began_with_ = *read_text_file(after(arguments, "--weights"));
      steps_ = after(arguments, "--steps") + " at " + after(arguments, "--rate");
      EXPECT_TRUE(
          write_file_atomically(fs::path(after(arguments, "--output")) / "assist.safetensors", tuned_));
      return std::string("trained\n");
    }
    const auto [objects, iou, clicked] = scores_.at(*read_text_file(after(arguments, "--model")));
    measured_with_.push_back(after(arguments, "--jitter") + " " + after(arguments, "--clicks"));
    const nlohmann::json set{
        {"objects", objects}, {"iou_jitter3", iou}, {"iou_jitter3_after_click", clicked}};
    return nlohmann::json{{"sets", {set}}}.dump();
  }
  int run() {
    EXPECT_TRUE(write_file_atomically(work_.folder / kTaskFile, assist_learning_task_text(task_)));
    return run_assist_learning_work(*store_, clock_, work_);
  }
  // The model that serves the job's questions.
  std::string serves() const {
    const auto learned = read_learned_model(task_.folder).value();
    return learned ? *read_text_file(learned->model) : *read_text_file(task_.model);
  }
  AssistLearningOutcome outcome() const {
    return parse_assist_learning_outcome(*read_text_file(work_.folder / kOutcomeFile)).value();
  }
  std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(work_.folder)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  const test::TemporaryFolder folder_;
  ManualClock clock_{from_microseconds(1'700'000'000'000'000)};
  std::unique_ptr<storage::ObjectStore> store_;
  AssistLearningTask task_;
  AssistLearningWork work_;
  std::string tuned_ = "tuned";
  std::map<std::string, AssistScores> scores_{{"shipped", {25, 0.8, 0.85}}, {"tuned", {25, 0.9, 0.92}}};
  int fails_at_ = 0;  // the call that does, from 1
  bool interrupts_ = false;
  std::vector<std::string> calls_, measured_with_;
  std::map<std::string, std::string> seen_;
  std::string splits_, began_with_, steps_;
};

TEST_F(AssistLearningWorkTest, ABetterModelIsTheJobsOwnThen) {
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(calls_, ElementsAre("evaluate-assist", "train-assist", "evaluate-assist"));
  EXPECT_THAT(measured_with_, ElementsAre("3 1", "3 1"));
  EXPECT_EQ(began_with_, "shipped");
  EXPECT_EQ(steps_, "3 at 0.0002");
  EXPECT_EQ(serves(), "tuned");
  EXPECT_TRUE(outcome().replaced);
  EXPECT_EQ(outcome().learned_from, 8);
  EXPECT_EQ(outcome().held_out, 2);
  EXPECT_EQ(read_learned_model(task_.folder).value()->made, clock_.now());
  EXPECT_THAT(left(), ElementsAre(kOutcomeFile, kTaskFile)) << "photos and masks are gone";

  // The next try begins with it, and is measured against it.
  scores_["tuned again"] = {25, 0.95, 0.95};
  tuned_ = "tuned again";
  ASSERT_EQ(run(), 0);
  EXPECT_EQ(began_with_, "tuned");
  EXPECT_EQ(outcome().before.iou, 0.9);
  EXPECT_EQ(serves(), "tuned again");
}

TEST_F(AssistLearningWorkTest, TheNewestAreHeldOutAndEveryPhotoHasItsMask) {
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(splits_, HasSubstr("split\tname\nlater\t0000\nlater\t0001\ntrain\t0002\n"));
  EXPECT_EQ(seen_.size(), 10U);
  EXPECT_EQ(seen_["0000"], "photo 9, mask 9");
  EXPECT_EQ(seen_["0001"], "photo 8, mask 8");
  EXPECT_EQ(seen_["0009"], "photo 0, mask 0");
}

TEST_F(AssistLearningWorkTest, AWorseModelIsRefused) {
  for (const AssistScores scores :
       {AssistScores{25, 0.7, 0.75}, AssistScores{25, 0.804, 0.86}, AssistScores{25, 0.9, 0.84}}) {
    scores_["tuned"] = scores;
    ASSERT_EQ(run(), 0);
    EXPECT_FALSE(outcome().replaced);
    EXPECT_EQ(outcome().after.iou, scores.iou);
    EXPECT_EQ(serves(), "shipped");
    EXPECT_FALSE(fs::exists(task_.folder));
  }
}

TEST_F(AssistLearningWorkTest, TooFewHeldOutObjectsAreNotJudged) {
  scores_["shipped"].objects = 19;
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(calls_, ElementsAre("evaluate-assist")) << "nothing is tuned in vain";
  EXPECT_FALSE(outcome().replaced);
  EXPECT_EQ(serves(), "shipped");
}

TEST_F(AssistLearningWorkTest, WhateverFailsTheModelThatServesStays) {
  ASSERT_EQ(run(), 0);
  ASSERT_EQ(serves(), "tuned");
  scores_["tuned again"] = {25, 0.99, 0.99};
  tuned_ = "tuned again";
  for (const int at : {1, 2, 3}) {
    calls_.clear();
    fails_at_ = at;
    EXPECT_EQ(run(), 1) << at;
    EXPECT_EQ(*read_text_file(work_.folder / kFailureFile), "the command failed");
    EXPECT_EQ(serves(), "tuned") << at;
    EXPECT_FALSE(fs::exists(work_.folder / "data"));
  }
}

TEST_F(AssistLearningWorkTest, ToldToStopItLeavesTheModelThatServes) {
  install_interrupt_handlers();
  for (const int at : {1, 2, 3}) {
    calls_.clear();
    clear_interrupt();
    fails_at_ = at;
    interrupts_ = true;
    EXPECT_EQ(run(), 128 + SIGTERM) << at;
    EXPECT_EQ(calls_.size(), static_cast<std::size_t>(at));
    EXPECT_EQ(serves(), "shipped");
    EXPECT_FALSE(fs::exists(task_.folder));
    EXPECT_FALSE(fs::exists(work_.folder / kOutcomeFile));
  }
}

TEST_F(AssistLearningWorkTest, WhatIsGoneIsLeftOut) {
  ASSERT_TRUE(store_->remove({"photos", "9.png"}));  // a mask that was taken back meanwhile
  ASSERT_TRUE(store_->remove({"photos", "7.jpg"}));
  ASSERT_EQ(run(), 0);
  EXPECT_EQ(seen_.size(), 8U);
  EXPECT_EQ(seen_["0000"], "photo 8, mask 8");
  EXPECT_EQ(seen_["0001"], "photo 6, mask 6");
  EXPECT_EQ(outcome().held_out, 1);
  EXPECT_EQ(outcome().learned_from, 7);
}

TEST_F(AssistLearningWorkTest, PhotosAreBoundedAndTheNewestCount) {
  work_.max_photo_bytes = 4 * static_cast<std::int64_t>(std::string("photo 9mask 9").size());
  ASSERT_EQ(run(), 0);
  EXPECT_EQ(seen_.size(), 4U);
  EXPECT_EQ(seen_["0003"], "photo 6, mask 6");
}

TEST_F(AssistLearningWorkTest, WithoutPhotosItFails) {
  task_.photos.resize(1);
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(*read_text_file(work_.folder / kFailureFile),
              HasSubstr("1 photos with masks could be fetched"));
  EXPECT_THAT(calls_, IsEmpty());
}

}  // namespace
}  // namespace terrapin::control
