// The engine where something goes wrong, or two things happen at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include "unit/labeling/job_fixture.h"

namespace terrapin::labeling {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class EngineTest : public test::JobTest {
 protected:
  storage::ObjectName answer_file(const std::string& job, std::int64_t index) {
    const auto answers = jobs().answers(job, index);
    EXPECT_OK(answers);
    return storage::parse_s3_uri(answers->front().answer_uri).value();
  }
  void remove_answer(std::int64_t index) {
    storage::ObjectName mask = answer_file("job", index);
    ASSERT_OK(store_->remove(mask));
    mask.key.replace(mask.key.rfind('.'), std::string::npos, ".json");
    ASSERT_OK(store_->remove(mask));
  }
  ObjectRecord object(std::int64_t index) { return jobs().object("job", index).value(); }
};

// ---- answers whose files are gone ----

TEST_F(EngineTest, AnAnswerWhoseFileIsGoneFailsItsObjectAlone) {
  put_photos(3);
  create(spec());
  for (int i = 0; i < 3; ++i) submit("anna", accept("anna"), rectangle(i));
  remove_answer(1);
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(describe().counters.total_labeled, 2);
  EXPECT_EQ(describe().counters.failed_non_retryable, 1);
  EXPECT_EQ(object(1).state, ObjectState::kFailed);
  EXPECT_THAT(object(1).failure_reason, HasSubstr("intermediate/answers/1/"));
  EXPECT_EQ(mask_at(manifest()[2]["turtle-ref"]), rectangle(2));
}

TEST_F(EngineTest, AJobWithAMissingAnswerCanBeStopped) {
  put_photos(2);
  create(spec());
  submit("anna", accept("anna"), rectangle(1));
  remove_answer(0);
  ASSERT_OK(jobs().stop("job"));
  run();
  EXPECT_EQ(describe().status, JobStatus::kStopped);
}

TEST_F(EngineTest, TheLastPassKeepsAMaskThatItCannotMakeAgain) {
  put_photos(2);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  for (const char* id : {"anna", "bert"}) submit(id, accept(id), rectangle(1));
  run();
  ASSERT_EQ(object(0).state, ObjectState::kLabeled);
  remove_answer(0);
  for (const char* id : {"anna", "bert"}) submit(id, accept(id), rectangle(2));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(describe().counters.total_labeled, 2);
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), rectangle(1));
}

// ---- answers that are taken out ----

class Withdrawal : public EngineTest {
 protected:
  void label(const std::string& id, int count) {
    for (int i = 0; i < count; ++i) submit(id, accept(id), rectangle(id[0] == 'm' ? 9 : 1));
  }
  std::size_t count(ObjectState state) {
    return jobs().objects("job", {.state = state, .limit = 1000}).value().size();
  }
};

TEST_F(Withdrawal, ShowsNoMoreObjectsThanMayBeShownAtOnce) {
  put_photos(6);
  JobSpec wanted = spec();
  wanted.max_concurrent = 2;
  create(wanted);
  label("mallory", 4);
  run();
  ASSERT_EQ(count(ObjectState::kLabeled), 4U);
  ASSERT_OK(jobs().withdraw_worker("job", "mallory"));
  run();
  EXPECT_EQ(count(ObjectState::kOpen), 2U);
  EXPECT_EQ(count(ObjectState::kWaiting), 4U);
  for (int i = 0; i < 6; ++i) {
    label("bert", 1);
    EXPECT_LE(count(ObjectState::kOpen), 2U);
  }
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(describe().counters.total_labeled, 6);
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), rectangle(1));
}

TEST_F(Withdrawal, GoesOnAfterACrashAndReachesEveryBatch) {
  put_photos(230);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  label("mallory", 210);
  label("bert", 3);
  ASSERT_OK(jobs().withdraw_worker("job", "mallory"));
  reopen();
  run();
  EXPECT_EQ(count(ObjectState::kLabeled), 0U);
  EXPECT_EQ(count(ObjectState::kOpen), 230U);
  for (const std::int64_t index : {0, 2}) EXPECT_EQ(object(index).answers, 1);
  for (const std::int64_t index : {3, 209, 229}) EXPECT_EQ(object(index).answers, 0);
  label("anna", 1);
  run();
  EXPECT_EQ(object(0).state, ObjectState::kLabeled);
}

TEST_F(Withdrawal, AJobThatIsStoppedRightAfterKeepsWhatIsLeft) {
  put_photos(2);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  for (const char* id : {"mallory", "bert"}) label(id, 1);
  run();
  label("mallory", 1);
  ASSERT_OK(jobs().withdraw_worker("job", "mallory"));
  ASSERT_OK(jobs().stop("job"));
  run();
  EXPECT_EQ(describe().status, JobStatus::kStopped);
  EXPECT_EQ(describe().counters.total_labeled, 1);
  EXPECT_EQ(mask_at(manifest()[0]["turtle-ref"]), rectangle(1));
  EXPECT_EQ(object(1).state, ObjectState::kWaiting);
}

TEST_F(Withdrawal, AnObjectThatIsOpenedAgainMeanwhileCountsWhatIsLeft) {
  put_photos(2);
  JobSpec wanted = spec();
  wanted.workers_per_object = 2;
  create(wanted);
  for (const char* id : {"mallory", "bert"}) label(id, 1);
  run();
  ASSERT_OK(jobs().withdraw_worker("job", "mallory"));
  ASSERT_OK(jobs().reopen_object("job", 0, false));
  EXPECT_EQ(object(0).answers, 1);
  run();
  EXPECT_EQ(object(0).answers, 1);
  label("anna", 1);
  run();
  EXPECT_EQ(object(0).state, ObjectState::kLabeled);
}

// ---- manifests ----

TEST_F(EngineTest, AManifestThatCouldNotBeWrittenIsWrittenLater) {
  put_photos(3);
  create(spec());
  submit("anna", accept("anna"), rectangle(1));
  clock_.advance(1s);
  const auto scratch = folder_.path() / "scratch";
  std::filesystem::remove_all(scratch);
  std::ofstream(scratch) << "no folder";
  EXPECT_FALSE(service_->run_pending());
  EXPECT_EQ(describe().counters.total_labeled, 0);
  std::filesystem::remove(scratch);
  std::filesystem::create_directories(scratch);
  run();  // nothing new happened
  EXPECT_EQ(describe().counters.total_labeled, 1);
  EXPECT_THAT(text_of("s3://bucket/out/job/annotations/intermediate/1/output.manifest"),
              HasSubstr("turtle-ref"));
}

// ---- registered functions ----

// Answers both kinds of annotation functions; `during` runs inside each call, as what others do meanwhile.
class Registered final : public FunctionCaller {
 public:
  Result<bool> knows(const std::string&) override { return true; }
  Result<std::string> call(const std::string&, const std::string& request) override {
    const int call = ++calls;
    if (during) during(call);
    const auto json = nlohmann::json::parse(request);
    if (json.contains("dataObject")) return std::string(R"({"taskInput": {}})");
    const nlohmann::json content{{"turtle-ref", call}};
    return json_text(nlohmann::json::array({{{"datasetObjectId", std::to_string(consolidates)},
                                             {"consolidatedAnnotation", {{"content", content}}}}}));
  }
  std::function<void(int call)> during;
  std::atomic<int> calls = 0;
  std::int64_t consolidates = 0;  // which object the call after annotation speaks of
};

class EngineWithFunctions : public EngineTest {
 protected:
  void SetUp() override {
    collaborators_.functions = &functions_;
    EngineTest::SetUp();
  }
  JobSpec with_pre_function(const std::string& name = "job") {
    JobSpec wanted = spec(name);
    wanted.pre_function = {"arn:aws:lambda:us-east-1:111122223333:function:prepare", "prepare"};
    return wanted;
  }
  Registered functions_;
};

TEST_F(EngineWithFunctions, StoppingConditionsHoldBesideAFunctionBeforeAnnotation) {
  put_photos(10);
  JobSpec wanted = with_pre_function();
  wanted.max_human_labeled_objects = 3;
  wanted.max_concurrent = 2;
  create(wanted);
  // Both are answered before the engine looks: what is ready counts as labelled already.
  const Assignment first = accept("anna"), second = accept("bert");
  submit("anna", first, rectangle(1));
  submit("bert", second, rectangle(1));
  run();
  submit("anna", accept("anna"), rectangle(1));
  EXPECT_TRUE(nothing_for("bert"));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(describe().counters.total_labeled, 3);
  EXPECT_EQ(functions_.calls.load(), 3);
}

TEST_F(EngineWithFunctions, AResultOfOtherAnswersIsVoidEvenIfThereAreAsMany) {
  put_photos(1);
  JobSpec wanted = spec();
  wanted.post_function = {"arn:aws:lambda:us-east-1:111122223333:function:merge", "merge"};
  create(wanted);
  submit("mallory", accept("mallory"), rectangle(9));
  // While the function runs on what mallory gave, her answer goes and bert's comes.
  functions_.during = [this](int call) {
    if (call != 1) return;
    ASSERT_OK(database_->write([](storage::Transaction& state) -> Status {
      TERRAPIN_TRY_STATUS(state.run("UPDATE labeling_assignments SET state = 'withdrawn'"));
      TERRAPIN_TRY_STATUS(state.run(
          "INSERT INTO labeling_assignments (id, job_id, idx, worker_id, state, accepted, deadline, "
          "submitted, reason, answer_uri, mask_uri, identity) SELECT 'other', job_id, idx, 'bert', "
          "'submitted', accepted, deadline, submitted, '', answer_uri, mask_uri, identity FROM "
          "labeling_assignments"));
      return {};
    }));
  };
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(functions_.calls.load(), 2);
  EXPECT_EQ(manifest()[0]["turtle-ref"], 2);
}

TEST_F(EngineWithFunctions, AnswersAreConsolidatedWhileAFunctionStillOpensObjects) {
  put_photos(30);
  JobSpec wanted = with_pre_function();
  functions_.during = [this](int call) {
    if (call == 2) submit("anna", accept("anna"), rectangle(1));
    if (call == 12) {
      EXPECT_EQ(object(0).state, ObjectState::kLabeled);
    }
  };
  create(wanted);
  EXPECT_EQ(functions_.calls.load(), 30);
}

TEST_F(EngineWithFunctions, AnObjectWhoseAnswersWereTakenOutIsNotPreparedAgain) {
  put_photos(1);
  create(with_pre_function());
  submit("mallory", accept("mallory"), rectangle(9));
  ASSERT_OK(jobs().withdraw_worker("job", "mallory"));
  run();
  submit("anna", accept("anna"), rectangle(1));
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(functions_.calls.load(), 1);
}

// ---- threads ----

TEST_F(EngineWithFunctions, OneThatHangsHoldsUpNoOtherJob) {
  std::mutex mutex;
  std::condition_variable changed;
  int hanging = 0;
  bool over = false;
  functions_.during = [&](int) {
    std::unique_lock lock(mutex);
    ++hanging;
    changed.wait(lock, [&] { return over; });
  };
  put_photos(1);
  options_.threads = 1;
  reopen();
  service_->start();
  for (const char* name : {"hangs", "hangs-too"}) EXPECT_OK(jobs().create(with_pre_function(name)));
  until([&] {
    const std::lock_guard lock(mutex);
    return hanging == 2;
  });
  EXPECT_OK(jobs().create(spec("free")));
  until_status("free", JobStatus::kInProgress);
  submit("anna", accept("anna", "free"), rectangle(1));
  until_status("free", JobStatus::kCompleted);
  {
    const std::lock_guard lock(mutex);
    over = true;
    changed.notify_all();
  }
  service_->stop();
}

}  // namespace
}  // namespace terrapin::labeling
