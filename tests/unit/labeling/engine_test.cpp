// The engine where something goes wrong, or two things happen at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

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

}  // namespace
}  // namespace terrapin::labeling
