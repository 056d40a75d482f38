// What a job's specification must be, whoever made it.
#include "labeling/jobs/job_rules.h"

#include <gmock/gmock.h>

#include "unit/labeling/job_fixture.h"

namespace terrapin::labeling {
namespace {

using ::testing::HasSubstr;

class JobRules : public test::JobTest {
 protected:
  // The specification with this change is refused, and the message names the member.
  template <class Change>
  void refused(const char* member, Change change) {
    JobSpec wanted = spec();
    change(wanted);
    const Status checked = check_spec(wanted);
    ASSERT_FALSE(checked) << member;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(checked.error().message, HasSubstr(member));
  }
};

TEST_F(JobRules, NameWhatIsWrong) {
  EXPECT_TRUE(check_spec(spec()));
  for (const std::string bad : {"", "a/b", "old/annotations", "-a", "a-", "a b", "..", "\xc3\xa4"})
    refused("'name'", [&](JobSpec& spec) { spec.name = bad; });
  refused("'name'", [](JobSpec& spec) { spec.name = std::string(64, 'a'); });
  for (const std::string bad : {"", "turtle", "source-ref", "source", "x-ref-metadata", "a/b-ref"})
    refused("'label_attribute'", [&](JobSpec& spec) { spec.label_attribute = bad; });
  refused("'input_uri'", [](JobSpec& spec) { spec.input_uri = "photos/"; });
  refused("'output_uri'", [](JobSpec& spec) { spec.output_uri = ""; });
  refused("'categories_uri'", [](JobSpec& spec) { spec.categories_uri = "s3://bucket"; });
  refused("'template_uri'", [](JobSpec& spec) { spec.template_uri = "s3://bucket/"; });
  refused("'title'", [](JobSpec& spec) { spec.title.clear(); });
  refused("'title'", [](JobSpec& spec) { spec.title = "\xff"; });
  refused("'description'", [](JobSpec& spec) { spec.description = std::string(256, 'x'); });
  refused("'keywords'", [](JobSpec& spec) { spec.keywords.assign(6, "x"); });
  refused("'content_classifiers'", [](JobSpec& spec) { spec.content_classifiers = {"x"}; });
  refused("'workers_per_object'", [](JobSpec& spec) { spec.workers_per_object = 10; });
  refused("'task_time_limit_s'", [](JobSpec& spec) { spec.task_time_limit_s = 29; });
  refused("'task_availability_s'", [](JobSpec& spec) { spec.task_availability_s = 2'592'001; });
  refused("'max_concurrent'", [](JobSpec& spec) { spec.max_concurrent = 0; });
  refused("'max_human_labeled_objects'",
          [](JobSpec& spec) { spec.max_human_labeled_objects = (std::int64_t{1} << 53) + 1; });
  refused("'max_percent_labeled'", [](JobSpec& spec) { spec.max_percent_labeled = 101; });
  refused("'terrapin:assist-learning' is 'yes': allowed are on and off", [](JobSpec& spec) {
    spec.tags = {{"team", "yes"}, {kAssistLearningTag, "yes"}};
  });
  refused("'workteam_arn'", [](JobSpec& spec) { spec.workteam_arn = "divers"; });
  refused("'price'", [](JobSpec& spec) { spec.price = Price{1, 0, 0}; });
}

TEST_F(JobRules, LengthsAreInCharacters) {
  JobSpec wanted = spec();
  wanted.title.clear();
  for (int i = 0; i < 128; ++i) wanted.title += "\xf0\x9f\x90\xa2";
  EXPECT_TRUE(check_spec(wanted));
}

TEST_F(JobRules, FunctionsFitEachOther) {
  const auto arn = [](const std::string& name) {
    return FunctionReference::of_arn("arn:aws:lambda:us-east-1:432418664414:function:" + name);
  };
  refused("'pre_function_arn'", [&](JobSpec& spec) { spec.pre_function = arn("ACS-SemanticSegmentation"); });
  refused("'pre_function_arn'", [&](JobSpec& spec) { spec.pre_function = FunctionReference::of_arn("x"); });
  refused("'post_function_arn'",
          [&](JobSpec& spec) { spec.post_function = arn("ACS-VerificationSemanticSegmentation"); });
  refused("'post_function_arn'",
          [&](JobSpec& spec) { spec.pre_function = arn("PRE-AdjustmentSemanticSegmentation"); });
  JobSpec wanted = spec();
  wanted.pre_function = arn("my-own:7");
  EXPECT_EQ(wanted.pre_function.name, "my-own");
  EXPECT_TRUE(check_spec(wanted));
  wanted.post_function = arn("ACS-SemanticSegmentation-Majority");
  EXPECT_TRUE(check_spec(wanted));
  EXPECT_FALSE(wanted.majority_vote);
  EXPECT_TRUE(completed(wanted).majority_vote);
}

TEST_F(JobRules, HoldForJobsThatFollowAnother) {
  put_photos(1);
  create(spec());
  EXPECT_EQ(jobs().clone("job", "a/b", "tester").error().code, ErrorCode::kInvalidArgument);
  submit("anna", accept("anna"), rectangle(1));
  ASSERT_OK(service_->run_pending());
  EXPECT_EQ(jobs().continue_job("job", "", "tester").error().code, ErrorCode::kInvalidArgument);
  JobSpec chained = spec("next");
  chained.label_attribute = "source-ref";
  EXPECT_EQ(jobs().chain("job", chained).error().code, ErrorCode::kInvalidArgument);
  chained = spec("next");
  chained.post_function.name = "ACS-SemanticSegmentation-Majority";
  EXPECT_TRUE(jobs().chain("job", chained)->spec.majority_vote);
}

TEST_F(JobRules, WhoLeftTheTeamReachesNothingOfIt) {
  put_photos(2);
  create(spec());
  const Assignment task = accept("anna");
  Worker left = worker("anna");
  left.workteam_arns.clear();
  EXPECT_EQ(tasks().content(left, task.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().open_draft(left, task.id, "tab").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(tasks().submit(left, task.id, "{}").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(tasks().content(worker("anna"), task.id));  // and all of it when they are back
}

}  // namespace
}  // namespace terrapin::labeling
