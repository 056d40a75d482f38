// What requesters see of a running job, and what outlives its workers, its answers and its process.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "artifacts/label_categories.h"
#include "labeling/core.h"
#include "labeling/functions/functions.h"
#include "labeling/jobs/retention.h"
#include "labeling/notices/notices.h"
#include "labeling/tasks/answer.h"
#include "labeling/tasks/template.h"
#include "unit/labeling/job_fixture.h"
#include "unit/storage/fake_objects.h"

namespace terrapin::labeling {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class Review : public test::JobTest {};

TEST_F(Review, ProgressCountsAnswers) {
  put_photos(5);
  create(spec());
  EXPECT_EQ(jobs().progress("job")->answers, 0);
  EXPECT_FALSE(jobs().progress("job")->median_seconds);
  EXPECT_TRUE(jobs().progress("job")->series.empty());
  for (const int spent : {10, 30, 20}) {
    const Assignment task = accept("anna");
    clock_.advance(seconds(spent));
    submit("anna", task, rectangle(1));
    clock_.advance(seconds(1000));
  }
  clock_.advance(seconds(1200));  // the first is older than an hour now
  const JobProgress progress = jobs().progress("job").value();
  EXPECT_EQ(progress.answers, 3);
  EXPECT_EQ(progress.answers_last_hour, 2);
  EXPECT_DOUBLE_EQ(progress.median_seconds.value(), 20);
  ASSERT_EQ(progress.series.size(), 3U);
  EXPECT_EQ(progress.series.front().answers, 1);
  EXPECT_EQ(progress.series.back().answers, 3);
  EXPECT_EQ(progress.series.back().time, clock_.now() - seconds(2200));
  EXPECT_EQ(jobs().progress("none").error().code, ErrorCode::kNotFound);
}

TEST_F(Review, FinishedMasksAreInTheOrderOfTheirAnswers) {
  put_photos(4);
  create(spec());
  EXPECT_EQ(jobs().finished_masks("job", 10)->count, 0);
  const Assignment first = accept("anna"), second = accept("berta"), third = accept("carla");
  Timestamp last;
  for (const auto& [who, task] : {std::pair("carla", third), {"anna", first}, {"berta", second}}) {
    last = clock_.now();
    submit(who, task, rectangle(1));
    clock_.advance(seconds(10));
  }
  run();
  const FinishedMasks masks = jobs().finished_masks("job", 2).value();
  EXPECT_EQ(masks.count, 3);
  ASSERT_EQ(masks.newest.size(), 2U);
  EXPECT_EQ(masks.newest[0].index, second.object_index);
  EXPECT_EQ(masks.newest[0].source_uri, jobs().object("job", second.object_index)->source_uri);
  EXPECT_EQ(masks.newest[0].mask_uri, jobs().object("job", second.object_index)->mask_uri);
  EXPECT_EQ(masks.newest[0].answered, last);
  EXPECT_EQ(masks.newest[1].index, first.object_index);
  EXPECT_TRUE(jobs().finished_masks("job", 0)->newest.empty());
  // What was taken back is none.
  ASSERT_TRUE(jobs().reopen_object("job", second.object_index, true));
  EXPECT_EQ(jobs().finished_masks("job", 10)->count, 2);
  EXPECT_EQ(jobs().finished_masks("job", 10)->newest.front().index, first.object_index);
  EXPECT_EQ(jobs().finished_masks("none", 1).error().code, ErrorCode::kNotFound);
}

TEST_F(Review, TheSeriesIsShortHoweverManyAnswers) {
  put_photos(130);
  create(spec());
  for (int i = 0; i < 130; ++i) {
    submit("anna", accept("anna"), rectangle(1));
    clock_.advance(seconds(7));
  }
  const auto series = jobs().progress("job")->series;
  EXPECT_GT(series.size(), 60U);
  EXPECT_LE(series.size(), static_cast<std::size_t>(kMaxProgressPoints));
  EXPECT_EQ(series.back().answers, 130);
  EXPECT_TRUE(std::is_sorted(series.begin(), series.end(),
                             [](const auto& a, const auto& b) { return a.time < b.time; }));
}

TEST_F(Review, OneObjectAndTheTemplate) {
  put_photos(2);
  create(spec());
  EXPECT_EQ(jobs().object("job", 1)->source_uri, "s3://bucket/photos/1.png");
  EXPECT_EQ(jobs().object("job", 2).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(jobs().template_html("job").value(), default_template(TaskKind::kSegmentation));
}

TEST_F(Review, ThePreviousAnswerIsTheNewestOfTheWorkersOwn) {
  put_photos(4);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  const auto previous = [&](const std::string& who, const std::string& before) {
    return tasks().previous(worker(who), "JOB", before).value();
  };
  const Assignment first = accept("anna");
  EXPECT_FALSE(previous("anna", first.id));
  submit("anna", first, rectangle(1));
  clock_.advance(seconds(1));
  const Assignment second = accept("anna");
  EXPECT_EQ(previous("anna", second.id), first.id);
  submit("anna", second, rectangle(1));
  clock_.advance(seconds(1));
  EXPECT_EQ(previous("anna", ""), second.id);
  EXPECT_EQ(previous("anna", second.id), first.id);  // while it is corrected
  EXPECT_FALSE(previous("anna", first.id));
  EXPECT_FALSE(previous("bob", ""));
  EXPECT_EQ(tasks().previous(worker("bob"), "job", second.id).error().code, ErrorCode::kNotFound);
}

TEST_F(Review, WhoAsksForACloneOwnsIt) {
  collaborators_.may_read = [](const std::string& owner, const std::string&) { return owner != "stranger"; };
  open();
  put_photos(1);
  create(spec());
  EXPECT_EQ(jobs().clone("job", "kept", "")->spec.owner, "tester");
  EXPECT_EQ(jobs().clone("job", "mine", "someone")->spec.owner, "someone");
  // And needs the right to read what it names.
  EXPECT_EQ(jobs().clone("job", "stolen", "stranger").error().code, ErrorCode::kDenied);
}

TEST_F(Review, AnswersWhoseRetentionIsOverAreGoneNotBroken) {
  put_photos(1);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  const Assignment task = accept("anna");
  submit("anna", task, rectangle(1));
  submit("bob", accept("bob"), rectangle(1));
  run();
  const std::string mask = manifest()[0]["turtle-ref"];
  const std::string mine = jobs().answers("job", 0)->front().answer_uri;
  LabelingOptions kept = options_;
  kept.retain_answers_days = 3;
  Core core{*database_, *store_, clock_, kept, {}};
  clock_.advance(std::chrono::hours(71));
  Retention retention(core);
  ASSERT_OK(retention.apply([] { return false; }));
  EXPECT_OK(store_->head(storage::parse_s3_uri(mine).value()));
  EXPECT_OK(tasks().answer(worker("anna"), task.id));

  // The state forgets the answers before their files go: nobody comes between, and a process that ends
  // between leaves them to the next.
  clock_.advance(std::chrono::hours(2));
  int asked = 0;
  ASSERT_OK(retention.apply([&] { return ++asked > 1; }));
  EXPECT_OK(store_->head(storage::parse_s3_uri(mine).value()));
  EXPECT_EQ(tasks().answer(worker("anna"), task.id).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(tasks().previous(worker("anna"), "job", "").value());
  // Masks could not be made again: nothing is taken out, and the mask stays.
  EXPECT_EQ(jobs().withdraw_worker("job", "anna").error().code, ErrorCode::kConflict);
  ASSERT_OK(Retention(core).apply([] { return false; }));
  EXPECT_EQ(store_->head(storage::parse_s3_uri(mine).value()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(jobs().withdraw_worker("job", "anna").error().code, ErrorCode::kConflict);
  run();
  EXPECT_EQ(manifest()[0]["turtle-ref"], mask);
  EXPECT_EQ(describe().counters.failed_non_retryable, 0);
}

TEST_F(Review, FilesThatCannotBeRemovedKeepNoOthersBack) {
  terrapin::test::FakeObjects objects;
  objects.stuck_buckets = {"aaa"};
  for (const char* uri : {"s3://aaa/1", "s3://aaa/2", "s3://aaa/3", "s3://bucket/old"})
    objects.add(uri, "x", "");
  ASSERT_OK(database_->write([&](storage::Transaction& state) -> Status {
    for (const std::string& uri : objects.uris()) {
      TERRAPIN_TRY_STATUS(state.run("INSERT INTO labeling_removals (uri) VALUES (?)", uri));
    }
    return {};
  }));
  const auto left = [&] {
    std::int64_t count = 0;
    EXPECT_OK(database_->read([&](storage::Transaction& state) -> Status {
      TERRAPIN_TRY(const auto rows, state.select<std::int64_t>("SELECT COUNT(*) FROM labeling_removals"));
      count = std::get<0>(rows.front());
      return {};
    }));
    return count;
  };
  Core core{*database_, objects, clock_, options_, {}};
  Retention retention(core);
  // Time for two files a call: asked before the first and before each further one.
  const auto two_files = [&] {
    int asked = 0;
    return retention.apply([&asked] { return ++asked > 2; });
  };
  const auto message = [](const Status& status) { return status ? std::string() : status.error().message; };
  EXPECT_THAT(message(two_files()), HasSubstr("s3://aaa/1"));
  EXPECT_TRUE(objects.has("s3://bucket/old"));
  EXPECT_THAT(message(two_files()), HasSubstr("s3://aaa/3"));
  EXPECT_FALSE(objects.has("s3://bucket/old"));
  EXPECT_EQ(left(), 3);
  EXPECT_EQ(message(two_files()), "") << "all have had their turn";
  EXPECT_THAT(message(two_files()), HasSubstr("s3://aaa/1")) << "and have it again";
  EXPECT_EQ(left(), 3);
}

TEST(ChoiceAnswer, ACommentIsNoBook) {
  const auto categories = artifacts::parse_label_categories(
      R"({"document-version":"2018-11-28","labels":[{"label":"good"},{"label":"bad"}]})");
  ASSERT_TRUE(categories);
  const auto commented = [](int characters) {
    std::string text;
    for (int i = 0; i < characters; ++i) text += "é";
    return R"({"c":{"label":"bad","workerComment":")" + text + R"("}})";
  };
  const auto longest = read_choice_answer(commented(2000), categories->classes);
  ASSERT_TRUE(longest) << longest.error().message;
  EXPECT_EQ(longest->label, "bad");
  EXPECT_EQ(longest->feedback.size(), 4000U);
  const auto refused = read_choice_answer(commented(2001), categories->classes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "the comment has 2001 characters: allowed are at most 2000");
}

TEST(DefaultTemplate, InstructionsAreTextForLiquid) {
  const std::string html =
      default_template(TaskKind::kSegmentation, {"{{ a }} & \"b\" <c>", "{% raw %}", "<p>{{ x }}</p>"});
  EXPECT_THAT(html, HasSubstr("header=\"&#123;&#123; a }} &amp; &quot;b&quot; &lt;c&gt;\""));
  EXPECT_THAT(html, HasSubstr("<short-instructions>&#123;% raw %}</short-instructions>"));
  EXPECT_THAT(html, HasSubstr("<p>&#123;{ x }}</p>"));
  EXPECT_THAT(default_template(TaskKind::kSegmentation), HasSubstr("Choose a label"));
}

TEST(DefaultTemplate, AVerificationAsksForAChoiceAboutTheMask) {
  const std::string html = default_template(TaskKind::kVerification, {"Is it tight?", "", ""});
  EXPECT_THAT(html, HasSubstr("<crowd-image-classifier"));
  EXPECT_THAT(html, HasSubstr("header=\"Is it tight?\""));
  EXPECT_THAT(html, HasSubstr("categories=\"{{ task.input.labels | to_json | escape }}\""));
  EXPECT_THAT(html,
              HasSubstr("overlay='{\"semanticSegmentation\": {\"src\": \"{{ mask | grant_read_access }}\""));
  EXPECT_THAT(html, HasSubstr("<worker-comment"));
  EXPECT_THAT(html, Not(HasSubstr("crowd-semantic-segmentation")));
  EXPECT_THAT(default_template(TaskKind::kAdjustment), HasSubstr("initial-value='{\"src\": \"{{ mask"));
}

TEST(Kind, OfATaskIsThatOfItsBuiltInFunctions) {
  JobSpec spec;
  EXPECT_EQ(task_kind(spec), TaskKind::kSegmentation);
  spec.pre_function = FunctionReference::of_arn("arn:aws:lambda:us-east-1:123456789012:function:mine");
  spec.post_function = FunctionReference::of_arn(
      "arn:aws:lambda:us-east-1:432418664414:function:ACS-VerificationSemanticSegmentation");
  EXPECT_EQ(task_kind(spec), TaskKind::kVerification);
  spec.pre_function = FunctionReference::of_arn(
      "arn:aws:lambda:us-east-1:432418664414:function:PRE-AdjustmentSemanticSegmentation");
  EXPECT_EQ(task_kind(spec), TaskKind::kAdjustment);
}

// ---- a registry that cannot be read says nothing about an object ----

class UnreadableRegistry : public test::JobTest {
 protected:
  void SetUp() override {
    functions_ = Functions::open(folder_.path(), clock_).value();
    collaborators_.functions = functions_.get();
    test::JobTest::SetUp();
    RegisteredFunction echo;
    echo.name = "mine";
    echo.command = {
        "/bin/sh", "-c",
        R"(cat >/dev/null; echo '[{"datasetObjectId": "0", "consolidatedAnnotation": {"content": {"turtle-ref": 7}}}]')"};
    ASSERT_OK(functions_->add(echo));
    put_photos(1);
    wanted_ = spec();
    wanted_.post_function = {"arn:aws:lambda:us-east-1:1:function:mine", "mine"};
  }
  std::filesystem::path registry() const { return folder_.path() / "functions.json"; }
  void damage() {
    kept_ = read_text_file(registry(), 1 << 20).value();
    ASSERT_TRUE(write_file_atomically(registry(), std::string_view("{")));
    ::chmod(registry().c_str(), 0600);
  }
  void repair() {
    ASSERT_TRUE(write_file_atomically(registry(), std::string_view(kept_)));
    ::chmod(registry().c_str(), 0600);
  }
  std::unique_ptr<Functions> functions_;
  JobSpec wanted_;
  std::string kept_;
};

TEST_F(UnreadableRegistry, TheObjectWaitsUntilItCanBeRead) {
  create(wanted_);
  submit("anna", accept("anna"), rectangle(1));
  damage();
  clock_.advance(seconds(1));
  const Status ran = service_->run_pending();
  ASSERT_FALSE(ran);  // told, and tried again
  EXPECT_THAT(ran.error().message, HasSubstr("functions.json"));
  EXPECT_EQ(jobs().object("job", 0)->state, ObjectState::kReady);
  EXPECT_EQ(describe().counters.failed_non_retryable, 0);
  repair();
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(manifest()[0]["turtle-ref"], 7);
}

TEST_F(UnreadableRegistry, SoItDoesBeforeAnnotation) {
  wanted_.pre_function = wanted_.post_function;
  ASSERT_OK(jobs().create(wanted_));
  damage();
  EXPECT_FALSE(service_->run_pending());
  EXPECT_EQ(jobs().object("job", 0)->state, ObjectState::kWaiting);
  // Nor is a new job refused as if the function were unknown.
  wanted_.name = "other";
  EXPECT_EQ(jobs().create(wanted_).error().code, ErrorCode::kInternal);
}

// ---- a notice is stored with the change it tells of ----

class NoticesOfJobs : public test::JobTest {
 protected:
  void SetUp() override {
    test::JobTest::SetUp();
    notices_ = Notices::open(*database_, folder_.path(), clock_).value();
    Webhook webhook;
    webhook.url = "http://127.0.0.1:9/";
    webhook.allow_private = true;
    webhook.events = notice_events();
    ASSERT_OK(Webhooks::open(folder_.path(), clock_).value()->add(webhook));
    collaborators_.notices = notices_.get();
    open();
  }
  std::vector<std::string> waiting() {
    std::vector<std::string> events;
    EXPECT_OK(database_->read([&](storage::Transaction& state) -> Status {
      TERRAPIN_TRY(const auto rows,
                   state.select<std::string>("SELECT event FROM notice_outbox ORDER BY created, event"));
      for (const auto& [event] : rows) events.push_back(event);
      return {};
    }));
    return events;
  }
  std::unique_ptr<Notices> notices_;
};

TEST_F(NoticesOfJobs, FollowAJobsLife) {
  put_photos(1);
  create(spec());
  EXPECT_THAT(waiting(), ::testing::ElementsAre("job.in-progress", "tasks.available"));
  submit("anna", accept("anna"), rectangle(1));
  run();
  EXPECT_THAT(waiting(), ::testing::ElementsAre("job.in-progress", "tasks.available", "job.completed"));
  put("input.manifest", "no manifest");
  create(spec("broken"));
  EXPECT_EQ(waiting().size(), 4U);
}

// Whatever refuses the notice refuses the change, and the other way round: no moment lies between them.
TEST_F(NoticesOfJobs, AreStoredInOneTransactionWithTheChange) {
  put_photos(1);
  create(spec());
  submit("anna", accept("anna"), rectangle(1));
  const auto statement = [&](const char* sql) {
    ASSERT_OK(database_->write([&](storage::Transaction& state) -> Status {
      TERRAPIN_TRY_STATUS(state.run(sql));
      return {};
    }));
  };
  statement("ALTER TABLE notice_outbox RENAME TO notice_outbox_away");
  clock_.advance(seconds(1));
  EXPECT_FALSE(service_->run_pending());
  EXPECT_EQ(describe().status, JobStatus::kInProgress);
  statement("ALTER TABLE notice_outbox_away RENAME TO notice_outbox");
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(waiting().back(), "job.completed");
}

}  // namespace
}  // namespace terrapin::labeling
