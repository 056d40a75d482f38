// What workers may do, and what of it is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "labeling/tasks/answer.h"
#include "labeling/tasks/template.h"
#include "unit/labeling/job_fixture.h"

namespace terrapin::labeling::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TaskTest : public JobTest {
 protected:
  void SetUp() override {
    JobTest::SetUp();
    put_photos(2);
    JobSpec wanted = spec();
    wanted.workers_per_object = 2;
    wanted.task_time_limit_s = 600;
    create(wanted);
    task_ = accept("anna");
  }
  Result<std::int64_t> save(const std::string& tab, std::int64_t sequence, const std::string& data = "d") {
    return tasks().save_draft(worker("anna"), task_.id, tab, {{sequence, data}});
  }
  Assignment task_;
};

TEST_F(TaskTest, ListsTheJobsOfTheWorkersTeams) {
  const auto jobs_of_anna = tasks().jobs(worker("anna"));
  ASSERT_EQ(jobs_of_anna->size(), 1U);
  EXPECT_EQ(jobs_of_anna->front().available, 1);
  Worker outsider = worker("olga");
  outsider.workteam_arns = {"arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/other"};
  EXPECT_TRUE(tasks().jobs(outsider)->empty());
  EXPECT_TRUE(tasks().accept_next(outsider, "").value() == std::nullopt);
  EXPECT_EQ(tasks().accept_next(outsider, "job").error().code, ErrorCode::kNotFound);
}

TEST_F(TaskTest, ContentNamesPhotoLabelsAndColours) {
  const auto content = tasks().content(worker("anna"), task_.id);
  ASSERT_OK(content);
  const auto input = nlohmann::json::parse(content->task_input_json);
  EXPECT_EQ(input["taskObject"], "s3://bucket/photos/0.png");
  EXPECT_EQ(input["labels"], nlohmann::json({"Turtle", "Diver"}));
  EXPECT_THAT(content->labels, ElementsAre("Turtle", "Diver"));
  EXPECT_THAT(content->colors, ElementsAre(imaging::to_hex(palette_[1]), imaging::to_hex(palette_[2])));
  EXPECT_THAT(content->readable_uris, ElementsAre("s3://bucket/photos/0.png"));
  EXPECT_THAT(content->template_html, HasSubstr("crowd-semantic-segmentation"));
}

TEST_F(TaskTest, OnlyUrisOfTheTaskThatTheOwnerMayReadAreReadable) {
  collaborators_.may_read = [](const std::string&, const std::string& bucket) { return bucket == "bucket"; };
  reopen();
  put("template.html", R"(<img src="s3://bucket/help.png"><img src='s3://secret/other.png'><crowd-form>)");
  JobSpec wanted = spec("templated");
  wanted.template_uri = "s3://bucket/template.html";
  create(wanted);
  const auto content = tasks().content(worker("anna"), accept("anna", "templated").id);
  EXPECT_THAT(content->readable_uris, ElementsAre("s3://bucket/help.png", "s3://bucket/photos/0.png"));
  wanted.name = "denied";
  wanted.input_uri = "s3://secret/input.manifest";
  EXPECT_EQ(jobs().create(wanted).error().code, ErrorCode::kDenied);
}

TEST_F(TaskTest, AnotherWorkersTaskDoesNotExist) {
  const Worker bert = worker("bert");
  ASSERT_OK(tasks().open_draft(worker("anna"), task_.id, "tab"));
  EXPECT_EQ(tasks().content(bert, task_.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().assignment(bert, task_.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().open_draft(bert, task_.id, "tab").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().save_draft(bert, task_.id, "tab", {{1, "x"}}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().save_snapshot(bert, task_.id, "tab", 0, "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().discard_draft(bert, task_.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().submit(bert, task_.id, answer(rectangle(1))).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().decline(bert, task_.id, "").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().give_back(bert, task_.id).error().code, ErrorCode::kNotFound);
  submit("anna", task_, rectangle(1));
  EXPECT_EQ(tasks().answer(bert, task_.id).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(tasks().history(bert, 0, 10)->empty());
  EXPECT_EQ(tasks().history(worker("anna"), 0, 10)->size(), 1U);
}

TEST_F(TaskTest, DraftsAreKeptInOrderAndAcknowledgedAgain) {
  ASSERT_OK(tasks().open_draft(worker("anna"), task_.id, "tab"));
  EXPECT_EQ(save("tab", 1, "one").value(), 2);
  EXPECT_EQ(save("tab", 2, "two").value(), 3);
  EXPECT_EQ(save("tab", 2, "two").value(), 3) << "sent again after a lost answer";
  EXPECT_EQ(save("tab", 2, "other").error().code, ErrorCode::kConflict);
  EXPECT_THAT(save("tab", 5).error().message, HasSubstr("next sequence is 3"));
  EXPECT_EQ(tasks().save_draft(worker("anna"), task_.id, "tab", {{3, "a"}, {5, "b"}}).error().code,
            ErrorCode::kInvalidArgument);
  reopen();
  const auto draft = tasks().open_draft(worker("anna"), task_.id, "tab");
  ASSERT_EQ(draft->deltas.size(), 2U);
  EXPECT_EQ(draft->deltas[1].data, "two");
  ASSERT_OK(tasks().save_snapshot(worker("anna"), task_.id, "tab", 1, "snap"));
  EXPECT_EQ(save("tab", 1, "one").value(), 3) << "a delta inside the snapshot is known";
  EXPECT_EQ(tasks().save_snapshot(worker("anna"), task_.id, "tab", 9, "snap").error().code,
            ErrorCode::kConflict);
  const auto after = tasks().open_draft(worker("anna"), task_.id, "tab");
  EXPECT_EQ(after->snapshot, "snap");
  ASSERT_EQ(after->deltas.size(), 1U);
  EXPECT_EQ(after->deltas[0].sequence, 2);
}

TEST_F(TaskTest, TheNewestTabOwnsTheDraft) {
  ASSERT_OK(tasks().open_draft(worker("anna"), task_.id, "old"));
  ASSERT_OK(save("old", 1));
  const auto taken = tasks().open_draft(worker("anna"), task_.id, "new");
  EXPECT_EQ(taken->deltas.size(), 1U);
  EXPECT_EQ(save("old", 2).error().code, ErrorCode::kConflict);
  EXPECT_EQ(tasks().save_snapshot(worker("anna"), task_.id, "old", 1, "s").error().code,
            ErrorCode::kConflict);
  EXPECT_OK(save("new", 2));
  EXPECT_EQ(tasks().content(worker("anna"), task_.id)->draft_owner, "new");
}

TEST_F(TaskTest, ADraftReopensForTheSameWorkerAfterALostLease) {
  ASSERT_OK(tasks().open_draft(worker("anna"), task_.id, "tab"));
  ASSERT_OK(save("tab", 1, "stroke"));
  clock_.advance(601s);
  EXPECT_EQ(save("tab", 2).error().code, ErrorCode::kConflict);
  run();
  const Assignment again = accept("anna");
  EXPECT_NE(again.id, task_.id);
  EXPECT_EQ(again.object_index, task_.object_index);
  const auto draft = tasks().open_draft(worker("anna"), again.id, "tab");
  ASSERT_EQ(draft->deltas.size(), 1U);
  EXPECT_EQ(draft->deltas[0].data, "stroke");
  submit("anna", again, rectangle(1));
  EXPECT_EQ(tasks().content(worker("anna"), again.id)->draft_next_sequence, 1) << "gone with the answer";
}

TEST_F(TaskTest, DraftsHaveLimits) {
  options_.tasks.max_draft_bytes = 100;
  options_.tasks.max_worker_draft_bytes = 150;
  options_.tasks.max_delta_bytes = 60;
  reopen();
  ASSERT_OK(tasks().open_draft(worker("anna"), task_.id, "tab"));
  EXPECT_EQ(save("tab", 1, std::string(61, 'x')).error().code, ErrorCode::kTooLarge);
  EXPECT_OK(save("tab", 1, std::string(60, 'x')));
  EXPECT_EQ(save("tab", 2, std::string(60, 'x')).error().code, ErrorCode::kTooLarge);
  EXPECT_OK(save("tab", 2, std::string(40, 'x')));
  const auto second = tasks().accept_next(worker("anna"), "job", true);
  ASSERT_TRUE(second && *second);
  ASSERT_OK(tasks().open_draft(worker("anna"), (*second)->id, "tab"));
  EXPECT_EQ(
      tasks().save_draft(worker("anna"), (*second)->id, "tab", {{1, std::string(51, 'x')}}).error().code,
      ErrorCode::kTooLarge);
  EXPECT_EQ(save("tab", 3, std::string("a\0b", 3)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(save("tab", 3, "\xff").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(TaskTest, CorrectsUntilTheObjectIsConsolidated) {
  submit("anna", task_, rectangle(1));
  EXPECT_TRUE(tasks().assignment(worker("anna"), task_.id)->correctable);
  submit("anna", task_, rectangle(2));
  EXPECT_EQ(tasks().answer(worker("anna"), task_.id).value(), answer(rectangle(2)));
  EXPECT_EQ(jobs().answers("job", 0)->size(), 1U) << "counted once";
  submit("bert", accept("bert"), rectangle(2));
  EXPECT_EQ(tasks().submit(worker("anna"), task_.id, answer(rectangle(3))).error().code,
            ErrorCode::kConflict);
  run();
  EXPECT_EQ(mask_at(jobs().objects("job", {})->front().mask_uri), rectangle(2));
}

TEST_F(TaskTest, ReturnsAndPrefetches) {
  const auto ahead = tasks().accept_next(worker("anna"), "job", true);
  ASSERT_TRUE(ahead && *ahead);
  EXPECT_EQ((*ahead)->object_index, 1);
  ASSERT_OK(tasks().give_back(worker("anna"), (*ahead)->id));
  ASSERT_OK(tasks().give_back(worker("anna"), (*ahead)->id));
  EXPECT_EQ(tasks().decline(worker("anna"), (*ahead)->id, "x").error().code, ErrorCode::kConflict);
  EXPECT_EQ(tasks().accept_next(worker("anna"), "job", true).value()->object_index, 1);
}

TEST_F(TaskTest, RemovalOfAWorkerFreesTheirLeases) {
  ASSERT_OK(service_->give_back_leases("anna"));
  EXPECT_EQ(tasks().assignment(worker("anna"), task_.id)->state, AssignmentState::kReturned);
  EXPECT_EQ(accept("bert").object_index, 0);
  EXPECT_EQ(accept("carl").object_index, 0);
}

TEST_F(TaskTest, ManyWorkersAtOnceNeverShareASlot) {
  JobSpec wanted = spec("busy");
  wanted.workers_per_object = 3;
  std::string manifest;
  for (int i = 0; i < 40; ++i) manifest += "{\"source-ref\": \"s3://bucket/photos/0.png\"}\n";
  put("input.manifest", manifest);
  create(wanted);
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::map<std::int64_t, std::set<std::string>> seen;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      const std::string id = "w" + std::to_string(t);
      for (;;) {
        const auto task = tasks().accept_next(worker(id), "busy");
        ASSERT_OK(task);
        if (!*task) return;
        {
          const std::lock_guard lock(mutex);
          EXPECT_TRUE(seen[(*task)->object_index].insert(id).second) << "twice on one object";
        }
        EXPECT_OK(tasks().submit(worker(id), (*task)->id, answer(rectangle(t))));
      }
    });
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(seen.size(), 40U);
  for (const auto& [index, workers] : seen) EXPECT_EQ(workers.size(), 3U) << index;
  run();
  EXPECT_EQ(describe("busy").status, JobStatus::kCompleted);
  EXPECT_EQ(describe("busy").counters.total_labeled, 40);
}

class AnswerTest : public JobTest {
 protected:
  Result<MaskAnswer> read(const nlohmann::json& json) {
    return read_mask_answer(json_text(json), classes_, kSize, 1 << 20);
  }
  nlohmann::json good() { return nlohmann::json::parse(answer(rectangle(1, 2))); }
  nlohmann::json& element(nlohmann::json& json) { return json["crowd-semantic-segmentation"]; }
  artifacts::ClassList classes_{
      {{"BACKGROUND", {255, 255, 255}}, {"Turtle", {44, 160, 44}}, {"Diver", {31, 119, 180}}}};
};

TEST_F(AnswerTest, ReadsColoursOfTheWorkersOwnMapping) {
  EXPECT_EQ(read(good())->mask, rectangle(1, 2));
  // Other colours than the job's, and transparent background.
  palette_[1] = {1, 2, 3};
  palette_[2] = {200, 0, 0};
  EXPECT_EQ(read(good())->mask, rectangle(1, 2));
  EXPECT_TRUE(read(good())->initial_value_modified);
  auto unmodified = good();
  element(unmodified)["initialValueModified"] = false;
  EXPECT_FALSE(read(unmodified)->initial_value_modified);
}

TEST_F(AnswerTest, ReadsIndexedPngsByTheirPalette) {
  auto json = good();
  const Bytes png = imaging::encode_indexed_png(rectangle(3, 1), palette_).value();
  element(json)["labeledImage"]["pngImageData"] = base64(png);
  EXPECT_EQ(read(json)->mask, rectangle(3, 1));
}

TEST_F(AnswerTest, NamesWhatIsWrong) {
  auto json = good();
  element(json)["labelMappings"]["Whale"]["color"] = "#010203";
  EXPECT_THAT(read(json).error().message, HasSubstr("'Whale' is not a label"));
  json = good();
  element(json)["labelMappings"]["Diver"]["color"] = element(json)["labelMappings"]["Turtle"]["color"];
  EXPECT_THAT(read(json).error().message, HasSubstr("another label"));
  json = good();
  element(json)["labelMappings"]["Diver"]["color"] = "#ffffff";
  EXPECT_THAT(read(json).error().message, HasSubstr("background"));
  json = good();
  element(json)["labelMappings"].erase("Diver");
  EXPECT_THAT(read(json).error().message, HasSubstr("pixel (1, 2)"));
  json = good();
  element(json)["inputImageProperties"]["width"] = 17;
  EXPECT_THAT(read(json).error().message, HasSubstr("16 x 12"));
  json = good();
  element(json)["labeledImage"]["pngImageData"] = "?";
  EXPECT_THAT(read(json).error().message, HasSubstr("base64"));
  json = good();
  element(json)["labeledImage"]["pngImageData"] = base64(Bytes{1, 2, 3});
  EXPECT_THAT(read(json).error().message, HasSubstr("PNG"));
  json = good();
  element(json)["labeledImage"]["pngImageData"] =
      base64(imaging::encode_png(imaging::Image({15, 12})).value());
  EXPECT_THAT(read(json).error().message, HasSubstr("15 x 12"));
  json = good();
  element(json).erase("labeledImage");
  EXPECT_THAT(read(json).error().message, HasSubstr("labeledImage"));
  json = good();
  element(json).erase("labelMappings");
  EXPECT_THAT(read(json).error().message, HasSubstr("labelMappings"));
  EXPECT_FALSE(read_mask_answer("[1]", classes_, kSize, 1 << 20));
  EXPECT_FALSE(read_mask_answer(std::string(100'000, '['), classes_, kSize, 1 << 20));
}

TEST(Template, FindsPhotosInTextAndJson) {
  std::set<std::string> uris;
  collect_s3_uris("src=\"{{ 's3://b/k e.png' | x }}\" s3://b/two|grant s3://b/three<", uris);
  EXPECT_THAT(uris, ElementsAre("s3://b/k", "s3://b/three", "s3://b/two"));
  uris.clear();
  collect_s3_uris_of_json(R"({"a":["s3://b/with space.png", "x s3://b/no"],"b":{"c":"s3://b/2"}})", uris);
  EXPECT_THAT(uris, ElementsAre("s3://b/2", "s3://b/with space.png"));
}

}  // namespace
}  // namespace terrapin::labeling::test
