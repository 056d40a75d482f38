// When assistance learns from a labeling job, what is judged better, and the model that is kept.
#include "control/assist_learning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(AssistLearning, IsDueAtTheFirstPhotosAndThenWithHalfAsManyMore) {
  EXPECT_FALSE(learning_is_due(39, 0, 40));
  EXPECT_TRUE(learning_is_due(40, 0, 40));
  EXPECT_FALSE(learning_is_due(40, 40, 40));
  EXPECT_FALSE(learning_is_due(59, 40, 40));
  EXPECT_TRUE(learning_is_due(60, 40, 40));
  EXPECT_FALSE(learning_is_due(61, 41, 40));  // 41 and 21 more
  EXPECT_TRUE(learning_is_due(62, 41, 40));
  // Masks were taken back: not before there are more than ever.
  EXPECT_FALSE(learning_is_due(50, 400, 40));
}

TEST(AssistLearning, AFifthIsHeldOut) {
  EXPECT_EQ(held_out_of(0), 0);
  EXPECT_EQ(held_out_of(1), 1);
  EXPECT_EQ(held_out_of(4), 1);
  EXPECT_EQ(held_out_of(40), 8);
  EXPECT_EQ(held_out_of(400), 80);
}

TEST(AssistLearning, BetterIsMoreOnEnoughObjectsAndNoLessAfterAClick) {
  const AssistScores before{20, 0.80, 0.85};
  EXPECT_TRUE(is_better(before, {20, 0.81, 0.85}));
  EXPECT_TRUE(is_better(before, {20, 0.8051, 0.86}));
  EXPECT_FALSE(is_better(before, {20, 0.8049, 0.99})) << "less than half a point";
  EXPECT_FALSE(is_better(before, {20, 0.79, 0.85}));
  EXPECT_FALSE(is_better(before, {20, 0.90, 0.849})) << "the click after the four does worse";
  EXPECT_FALSE(is_better({19, 0.80, 0.85}, {19, 0.90, 0.95})) << "too few to judge by";
  EXPECT_FALSE(is_better(before, {21, 0.90, 0.95})) << "not the same objects";
  EXPECT_FALSE(is_better(before, {}));
}

TEST(AssistLearning, TheTaskReadsBack) {
  AssistLearningTask task;
  task.labeling_job = "turtles";
  task.model = "/share/assist.safetensors";
  task.folder = "/data/assist-models/id";
  task.labeled = 61;
  task.steps = 7;
  task.rate = 0.003;
  task.photos = {{"s3://b/2.jpg", "s3://b/2.png"}, {"s3://b/1.jpg", "s3://b/1.png"}};
  const auto again = parse_assist_learning_task(assist_learning_task_text(task));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(assist_learning_task_text(*again), assist_learning_task_text(task));
  EXPECT_EQ(again->photos.at(0).mask_uri, "s3://b/2.png");
  EXPECT_EQ(again->labeled, 61);
  EXPECT_EQ(again->rate, 0.003);
  task.steps = 0;
  EXPECT_THAT(parse_assist_learning_task(assist_learning_task_text(task)).error().message,
              HasSubstr("steps, 0"));
  task.steps = 7;
  task.folder = "relative";
  EXPECT_FALSE(parse_assist_learning_task(assist_learning_task_text(task)));
  for (const char* text : {"", "[]", "{}", R"({"version":2})", R"({"version":1,"photos":[3]})"})
    EXPECT_FALSE(parse_assist_learning_task(text)) << text;
}

class LearnedModels : public testing::Test {
 protected:
  fs::path file(const std::string& name, const std::string& text) const {
    EXPECT_TRUE(write_file_atomically(folder_ / name, text));
    return folder_ / name;
  }
  static LearnedModel learned(double after) {
    LearnedModel made;
    made.base = "0123";
    made.made = from_microseconds(1'800'000'000'000'000);
    made.outcome = {true, 32, 8, {25, 0.80, 0.85}, {25, after, 0.90}};
    return made;
  }
  fs::path own() const { return folder_ / "models" / "id"; }

  const test::TemporaryFolder folder_;
};

TEST_F(LearnedModels, AreReadAsTheyWereStoredAndReplacedWhole) {
  EXPECT_FALSE(read_learned_model(own()).value()) << "nothing was learned yet";
  ASSERT_TRUE(store_learned_model(own(), file("one", "first model"), learned(0.875)));
  const auto first = read_learned_model(own()).value();
  ASSERT_TRUE(first);
  EXPECT_EQ(*read_text_file(first->model), "first model");
  EXPECT_EQ(first->base, "0123");
  EXPECT_EQ(to_microseconds(first->made), 1'800'000'000'000'000);
  EXPECT_EQ(first->outcome.learned_from, 32);
  EXPECT_EQ(first->outcome.held_out, 8);
  EXPECT_EQ(first->outcome.after.objects, 25);
  EXPECT_EQ(first->outcome.after.iou, 0.875);
  EXPECT_EQ(first->outcome.before.clicked_iou, 0.85);
  ASSERT_TRUE(store_learned_model(own(), file("two", "second model"), learned(0.9)));
  const auto second = read_learned_model(own()).value();
  ASSERT_TRUE(second);
  EXPECT_NE(second->model, first->model) << "a path names one content";
  EXPECT_EQ(*read_text_file(second->model), "second model");
  EXPECT_FALSE(fs::exists(first->model));
  EXPECT_EQ(list_files(own(), true)->size(), 2U);
}

TEST_F(LearnedModels, AKillBetweenModelAndItsNameLeavesTheEarlierOne) {
  ASSERT_TRUE(store_learned_model(own(), file("one", "first model"), learned(0.875)));
  // The model's file is there, what names it is not yet.
  file("models/id/assist-00000000deadbeef.safetensors", "half a replacement");
  EXPECT_EQ(*read_text_file(read_learned_model(own()).value()->model), "first model");
  // The next one that is better clears up.
  ASSERT_TRUE(store_learned_model(own(), file("two", "second model"), learned(0.9)));
  EXPECT_EQ(*read_text_file(read_learned_model(own()).value()->model), "second model");
  EXPECT_EQ(list_files(own(), true)->size(), 2U);
}

TEST_F(LearnedModels, OneThatCannotBeStoredChangesNothing) {
  ASSERT_TRUE(store_learned_model(own(), file("one", "first model"), learned(0.875)));
  EXPECT_FALSE(store_learned_model(own(), folder_ / "none", learned(0.9)));
  EXPECT_EQ(*read_text_file(read_learned_model(own()).value()->model), "first model");
}

TEST_F(LearnedModels, HostileFilesAreRefused) {
  for (const char* text : {"", "[]", R"({"version":2,"model":"assist-1.safetensors"})", R"({"version":1})",
                           R"({"version":1,"model":"../../../etc/passwd"})",
                           R"({"version":1,"model":"assist-/../../x.safetensors"})"}) {
    file("models/id/learned.json", text);
    const auto read = read_learned_model(own());
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, HasSubstr("learned.json"));
  }
}

TEST(AssistLearning, OutcomesAreToldInOneLine) {
  AssistLearningOutcome outcome{true, 48, 12, {30, 0.8, 0.85}, {30, 0.84, 0.86}};
  const auto again = parse_assist_learning_outcome(assist_learning_outcome_text(outcome));
  ASSERT_TRUE(again);
  EXPECT_EQ(outcome_sentence(*again), outcome_sentence(outcome));
  EXPECT_THAT(outcome_sentence(outcome), HasSubstr("learned from 48 photos: IoU 0.8000 -> 0.8400"));
  outcome.replaced = false;
  EXPECT_THAT(outcome_sentence(outcome), HasSubstr("kept the model"));
  EXPECT_THAT(outcome_sentence({false, 48, 12, {7, 0.8, 0.85}, {}}),
              HasSubstr("7 held-out objects are too few"));
}

}  // namespace
}  // namespace terrapin::control
