// A function call that the server's end breaks off says nothing about the object.
#include "unit/labeling/job_fixture.h"

namespace terrapin::labeling {
namespace {

class BrokenOff final : public FunctionCaller {
 public:
  Result<bool> knows(const std::string&) override { return true; }
  Result<std::string> call(const std::string&, const std::string&) override {
    ++calls;
    if (ending) return fail(ErrorCode::kCancelled, "shutting down");
    return std::string(answer);
  }
  bool ending = true;
  int calls = 0;
  std::string answer;
};

class FunctionsShutdown : public test::JobTest {
 protected:
  void SetUp() override {
    collaborators_.functions = &functions_;
    test::JobTest::SetUp();
    put("template.html", "<crowd-form></crowd-form>");
  }
  BrokenOff functions_;
};

TEST_F(FunctionsShutdown, BeforeAnnotationTheObjectWaitsForTheNextStart) {
  put_photos(3);
  JobSpec wanted = spec();
  wanted.template_uri = "s3://bucket/template.html";
  wanted.pre_function = {"arn:aws:lambda:us-east-1:111122223333:function:prepare", "prepare"};
  ASSERT_OK(jobs().create(wanted));
  const auto ended = service_->run_pending();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(functions_.calls, 1);
  EXPECT_EQ(describe().counters.failed_non_retryable, 0);
  functions_.ending = false;
  functions_.answer = R"({"taskInput": {"taskObject": "s3://bucket/photos/0.png"}})";
  reopen();
  ASSERT_OK(service_->run_pending());
  EXPECT_EQ(describe().counters.failed_non_retryable, 0);
  EXPECT_EQ(functions_.calls, 4);
}

TEST_F(FunctionsShutdown, AfterAnnotationTheAnswersWaitForTheNextStart) {
  put_photos(1);
  JobSpec wanted = spec();
  wanted.post_function = {"arn:aws:lambda:us-east-1:111122223333:function:merge", "merge"};
  create(wanted);
  submit("ada", accept("ada"), rectangle(1));
  clock_.advance(std::chrono::seconds(1));
  const auto ended = service_->run_pending();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(describe().counters.failed_non_retryable, 0);
  functions_.ending = false;
  functions_.answer =
      R"([{"datasetObjectId": "0", "consolidatedAnnotation": {"content": {"turtle-ref": {"turtles": 1}}}}])";
  reopen();
  run();
  EXPECT_EQ(describe().status, JobStatus::kCompleted);
  EXPECT_EQ(describe().counters.total_labeled, 1);
}

}  // namespace
}  // namespace terrapin::labeling
