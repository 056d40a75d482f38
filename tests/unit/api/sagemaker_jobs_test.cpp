#include <set>

#include "unit/api/sagemaker_fixture.h"

namespace terrapin::api::test {
namespace {

constexpr const char* kName = "Example-semantic-segmentation-labeling-job";
constexpr const char* kArn =
    "arn:aws:sagemaker:us-east-1:111122223333:labeling-job/example-semantic-segmentation-labeling-job";

struct SageMakerJobs : SageMakerTest {
  json request_ = job_request(make_team());

  json with(const char* pointer, const json& value) const {
    json request = request_;
    request[json::json_pointer(pointer)] = value;
    return request;
  }
  json without(const char* pointer, const char* member) const {
    json request = request_;
    request[json::json_pointer(pointer)].erase(member);
    return request;
  }
  void refused_job(const json& request, const std::string& part) {
    refused("CreateLabelingJob", request, "ValidationException", part);
    EXPECT_TRUE(jobs_.jobs.empty());
  }
};

TEST_F(SageMakerJobs, TheSeedsRequestBecomesAJob) {
  EXPECT_EQ(ok("CreateLabelingJob", request_), (json{{"LabelingJobArn", kArn}}));
  ASSERT_EQ(jobs_.jobs.size(), 1U);
  const labeling::JobSpec& spec = jobs_.jobs[0].spec;
  EXPECT_EQ(spec.name, kName);
  EXPECT_EQ(spec.label_attribute, "label-ref");
  EXPECT_EQ(spec.input_uri, "s3://bucket/path/manifest-with-input-data.json");
  EXPECT_EQ(spec.output_uri, "s3://bucket/path/file-to-store-output-data");
  EXPECT_EQ(spec.kms_key_id, "string");
  EXPECT_EQ(spec.role_arn, "arn:aws:iam::111122223333:role/labeling");
  EXPECT_EQ(spec.categories_uri, "s3://bucket/path/label-categories.json");
  EXPECT_EQ(spec.template_uri, "s3://bucket/path/worker-task-template.html");
  EXPECT_EQ(spec.content_classifiers,
            (std::vector<std::string>{"FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"}));
  EXPECT_EQ(spec.max_human_labeled_objects, 123);
  EXPECT_EQ(spec.max_percent_labeled, 12);
  EXPECT_EQ(spec.workteam_arn, "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/painters");
  EXPECT_EQ(spec.pre_function.name, "PRE-SemanticSegmentation");
  EXPECT_EQ(spec.post_function.name, "ACS-SemanticSegmentation");
  EXPECT_EQ(spec.post_function.arn,
            "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation");
  EXPECT_FALSE(spec.majority_vote);
  EXPECT_EQ(spec.keywords, std::vector<std::string>{"Semantic Segmentation"});
  EXPECT_EQ(spec.title, "Semantic segmentation task");
  EXPECT_EQ(spec.workers_per_object, 3);
  EXPECT_EQ(spec.task_time_limit_s, 123);
  EXPECT_EQ(spec.task_availability_s, 1234);
  EXPECT_EQ(spec.max_concurrent, 12);
  EXPECT_FALSE(spec.price.has_value());
  EXPECT_EQ(spec.owner, "alice");
  EXPECT_EQ(spec.tags, (std::vector<std::pair<std::string, std::string>>{{"string", "text"}}));
}

TEST_F(SageMakerJobs, DescribeTellsWhatWasAsked) {
  ok("CreateLabelingJob", request_);
  json expected = request_;
  expected["LabelingJobArn"] = kArn;
  expected["CreationTime"] = 1644514864.801793;
  expected["LastModifiedTime"] = 1644514864.801793;
  expected["JobReferenceCode"] = "code-0";
  expected["LabelingJobStatus"] = "Initializing";
  expected["LabelCounters"] = {{"TotalLabeled", 0},
                               {"HumanLabeled", 0},
                               {"MachineLabeled", 0},
                               {"FailedNonRetryableError", 0},
                               {"Unlabeled", 0}};
  EXPECT_EQ(ok("DescribeLabelingJob", {{"LabelingJobName", kName}}), expected);

  labeling::JobRecord& job = jobs_.jobs[0];
  job.status = labeling::JobStatus::kFailed;
  job.failure_reason = "no manifest";
  job.output_dataset_uri = "s3://bucket/out/output.manifest";
  job.counters = {7, 6, 1, 2, 3};
  expected["LabelingJobStatus"] = "Failed";
  expected["FailureReason"] = "no manifest";
  expected["LabelingJobOutput"] = {{"OutputDatasetS3Uri", "s3://bucket/out/output.manifest"}};
  expected["LabelCounters"] = {{"TotalLabeled", 7},
                               {"HumanLabeled", 6},
                               {"MachineLabeled", 1},
                               {"FailedNonRetryableError", 2},
                               {"Unlabeled", 3}};
  EXPECT_EQ(ok("DescribeLabelingJob", {{"LabelingJobName", kName}}), expected);
}

TEST_F(SageMakerJobs, OptionalMembersThatWereNotGivenAreNotTold) {
  for (const char* member : {"StoppingConditions", "Tags"}) request_.erase(member);
  request_["OutputConfig"].erase("KmsKeyId");
  request_["InputConfig"].erase("DataAttributes");
  request_["HumanTaskConfig"].erase("TaskKeywords");
  ok("CreateLabelingJob", request_);
  const json told = ok("DescribeLabelingJob", {{"LabelingJobName", kName}});
  for (const char* absent : {"StoppingConditions", "Tags", "FailureReason", "LabelingJobOutput"}) {
    EXPECT_FALSE(told.contains(absent)) << absent;
  }
  EXPECT_FALSE(told["OutputConfig"].contains("KmsKeyId"));
  EXPECT_FALSE(told["InputConfig"].contains("DataAttributes"));
  EXPECT_FALSE(told["HumanTaskConfig"].contains("TaskKeywords"));
}

TEST_F(SageMakerJobs, LiteralPlaceholdersOfTheSeedAreRefused) {
  refused_job(with("/HumanTaskConfig/NumberOfHumanWorkersPerDataObject", 123),
              "1 validation error detected: Value '123' at "
              "'humanTaskConfig.numberOfHumanWorkersPerDataObject' failed "
              "to satisfy constraint: Member must have value less than or equal to 9");
  refused_job(with("/StoppingConditions/MaxPercentageOfInputDatasetLabeled", 123),
              "Member must have value less than or equal to 100");
  refused_job(with("/LabelAttributeName", "label"), "write 'label-ref'");
  refused_job(with("/RoleArn", "arn:aws:iam::*:role/*"),
              "Member must satisfy regular expression pattern: arn:aws");
  refused_job(with("/HumanTaskConfig/WorkteamArn", "arn:aws:sagemaker:region:*:workteam/private-crowd/*"),
              "Member must satisfy regular expression pattern: arn:aws");
  refused_job(with("/HumanTaskConfig/WorkteamArn",
                   "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/*"),
              "1 validation error detected: Value "
              "'arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/*' at "
              "'humanTaskConfig.workteamArn' failed to satisfy constraint: Member must name one work team");
}

TEST_F(SageMakerJobs, LabelAttributeNames) {
  refused_job(with("/LabelAttributeName", "source"), "'source' is reserved");
  refused_job(with("/LabelAttributeName", "source-ref"), "'source-ref' is reserved");
  refused_job(with("/LabelAttributeName", "x-metadata"), "must not end in '-metadata'");
  refused_job(with("/LabelAttributeName", std::string(125, 'x')), "must end in '-ref'");
}

TEST_F(SageMakerJobs, TeamsMustBeOursAndThere) {
  const char* pointer = "/HumanTaskConfig/WorkteamArn";
  const std::string elsewhere =
      "failed to satisfy constraint: Member must name a work team of region us-east-1 and "
      "account 111122223333";
  refused_job(with(pointer, "arn:aws:sagemaker:eu-west-1:111122223333:workteam/private-crowd/painters"),
              elsewhere);
  refused_job(with(pointer, "arn:aws:sagemaker:us-east-1:999999999999:workteam/private-crowd/painters"),
              elsewhere);
  refused_job(with(pointer, "arn:aws:sagemaker:us-east-1:394669845002:workteam/private-crowd/painters"),
              elsewhere);
  refused_job(
      with(pointer, "arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/nobody"),
      "Could not find workteam \"arn:aws:sagemaker:us-east-1:111122223333:workteam/private-crowd/nobody\"");
  ASSERT_TRUE(workforces_->add_vendor({"acme", "", "", "", ""}).has_value());
  ok("CreateLabelingJob",
     with(pointer, "arn:aws:sagemaker:us-east-1:111122223333:workteam/vendor-crowd/acme"));
}

// Without its price or classifier the job fails, as in AWS; that is JobService's.
TEST_F(SageMakerJobs, PublicCrowd) {
  request_["HumanTaskConfig"]["WorkteamArn"] =
      "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default";
  request_["HumanTaskConfig"]["PublicWorkforceTaskPrice"]["AmountInUsd"] = {
      {"Dollars", 0}, {"Cents", 84}, {"TenthFractionsOfACent", 3}};
  ok("CreateLabelingJob", request_);
  ASSERT_TRUE(jobs_.jobs[0].spec.price.has_value());
  EXPECT_EQ(jobs_.jobs[0].spec.price->cents, 84);
  EXPECT_EQ(jobs_.jobs[0].spec.price->tenth_fractions_of_a_cent, 3);
  EXPECT_EQ(
      ok("DescribeLabelingJob", {{"LabelingJobName", kName}})["HumanTaskConfig"]["PublicWorkforceTaskPrice"],
      request_["HumanTaskConfig"]["PublicWorkforceTaskPrice"]);
  request_["LabelingJobName"] = "second";
  request_["HumanTaskConfig"].erase("PublicWorkforceTaskPrice");
  ok("CreateLabelingJob", request_);
}

TEST_F(SageMakerJobs, APriceIsForThePublicCrowdOnly) {
  refused_job(with("/HumanTaskConfig/PublicWorkforceTaskPrice", {{"AmountInUsd", {{"Cents", 5}}}}),
              "for the public crowd only");
}

TEST_F(SageMakerJobs, FunctionsFitTogether) {
  const char* pre = "/HumanTaskConfig/PreHumanTaskLambdaArn";
  const char* post = "/HumanTaskConfig/AnnotationConsolidationConfig/AnnotationConsolidationLambdaArn";
  const std::string start = "arn:aws:lambda:eu-central-1:203001061592:function:";
  refused_job(
      with(post, start + "ACS-VerificationSemanticSegmentation"),
      "with PRE-SemanticSegmentation goes ACS-SemanticSegmentation or ACS-SemanticSegmentation-Majority");
  refused_job(with(pre, start + "PRE-AdjustmentSemanticSegmentation"),
              "with PRE-AdjustmentSemanticSegmentation goes ACS-AdjustmentSemanticSegmentation.");
  refused_job(with(pre, start + "ACS-SemanticSegmentation"), "Member must name a pre-annotation function");
  refused_job(with(post, start + "PRE-SemanticSegmentation"), "Member must name a consolidation function");
  refused_job(with(post, start), "Member must name a function");

  ok("CreateLabelingJob", with(post, start + "ACS-SemanticSegmentation-Majority"));
  EXPECT_TRUE(jobs_.jobs.back().spec.majority_vote);

  json own = with(pre, start + "my-pre:prod");
  own[json::json_pointer(post)] = start + "my-post";
  own["LabelingJobName"] = "own";
  own["LabelAttributeName"] = "label";
  own.erase("LabelCategoryConfigS3Uri");
  ok("CreateLabelingJob", own);
  EXPECT_EQ(jobs_.jobs.back().spec.pre_function.name, "my-pre");
  EXPECT_EQ(jobs_.jobs.back().spec.pre_function.arn, start + "my-pre:prod");
  EXPECT_EQ(jobs_.jobs.back().spec.post_function.name, "my-post");

  json verification = with(pre, start + "PRE-VerificationSemanticSegmentation");
  verification[json::json_pointer(post)] = start + "ACS-VerificationSemanticSegmentation";
  verification["LabelingJobName"] = "verification";
  verification["LabelAttributeName"] = "verdict";
  ok("CreateLabelingJob", verification);
}

TEST_F(SageMakerJobs, MembersThatAreNotServedAreNamedWithWhatToUse) {
  const std::string topic = "arn:aws:sns:us-east-1:111122223333:topic";
  refused_job(with("/InputConfig/DataSource/SnsDataSource", {{"SnsTopicArn", topic}}),
              "SnsDataSource is not served");
  refused_job(with("/InputConfig/DataSource", json::object()), "DataSource needs S3DataSource");
  refused_job(with("/OutputConfig/SnsTopicArn", topic), "SnsTopicArn is not served");
  refused_job(with("/LabelingJobAlgorithmsConfig",
                   {{"LabelingJobAlgorithmSpecificationArn", "arn:aws:sagemaker:us-east-1:027400017018:x"}}),
              "LabelingJobAlgorithmsConfig is not served");
  refused_job(with("/HumanTaskConfig/UiConfig",
                   {{"HumanTaskUiArn", "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/x"}}),
              "Use UiTemplateS3Uri");
  refused_job(with("/HumanTaskConfig/UiConfig", json::object()), "UiConfig needs UiTemplateS3Uri");
  refused_job(without("/HumanTaskConfig", "PreHumanTaskLambdaArn"), "needs PreHumanTaskLambdaArn");
  refused_job(without("/HumanTaskConfig", "AnnotationConsolidationConfig"),
              "needs AnnotationConsolidationConfig");
  refused_job(without("", "LabelCategoryConfigS3Uri"), "LabelCategoryConfigS3Uri is needed");
  refused_job(
      with("/OutputConfig/S3OutputPath", "https://s3.amazonaws.com/bucket/x"),
      "OutputConfig.S3OutputPath: 'https://s3.amazonaws.com/bucket/x' is not served; write s3://bucket/key");
}

TEST_F(SageMakerJobs, TagsAreChecked) {
  const json tag{{"Key", "a"}, {"Value", "1"}};
  refused_job(with("/Tags", {tag, tag}), "\"a\" is given twice");
  refused_job(with("/Tags", {{{"Key", "AWS:a"}, {"Value", "1"}}}), "begins with \"aws:\"");
  refused_job(with("/Tags", json(std::vector<json>(51, tag))),
              "Member must have length less than or equal to 50");
}

TEST_F(SageMakerJobs, WhatLabelingRefusesIsTold) {
  ok("CreateLabelingJob", request_);
  refused("CreateLabelingJob", request_, "ResourceInUse", kArn);
  const Answer taken = call("CreateLabelingJob", request_);
  EXPECT_TRUE(taken.body.contains("Message"));  // as the model's shape spells it
  for (const ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kNotFound, ErrorCode::kUnsupported,
                               ErrorCode::kTooLarge, ErrorCode::kDenied, ErrorCode::kCorrupt}) {
    jobs_.refuses_creation = Error{code, "254 labels; at most 253 are allowed"};
    refused("CreateLabelingJob", request_, "ValidationException", "254 labels; at most 253 are allowed");
  }
  jobs_.refuses_creation = Error{ErrorCode::kIo, "/secret/path: broken"};
  const Answer broken = call("CreateLabelingJob", request_);
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.code(), "InternalFailure");
  EXPECT_EQ(broken.message().find("secret"), std::string::npos);
}

TEST_F(SageMakerJobs, StopAndItsRefusals) {
  ok("CreateLabelingJob", request_);
  const Answer stopped = call("StopLabelingJob", {{"LabelingJobName", kName}});
  EXPECT_EQ(stopped.status, 200);
  EXPECT_TRUE(stopped.body.is_null());
  EXPECT_EQ(jobs_.jobs[0].status, labeling::JobStatus::kStopping);
  jobs_.jobs[0].status = labeling::JobStatus::kCompleted;
  refused("StopLabelingJob", {{"LabelingJobName", kName}}, "ValidationException",
          "The request was rejected because the labeling job is in status Completed.");
  for (const char* operation : {"StopLabelingJob", "DescribeLabelingJob"}) {
    refused(operation, {{"LabelingJobName", "Nobody"}}, "ResourceNotFound",
            "Could not find labeling job \"arn:aws:sagemaker:us-east-1:111122223333:labeling-job/nobody\".");
    EXPECT_TRUE(call(operation, {{"LabelingJobName", "Nobody"}}).body.contains("Message"));
    refused(operation, {{"LabelingJobName", "*"}}, "ValidationException", "regular expression pattern");
    refused(operation, json::object(), "ValidationException", "Value null at 'labelingJobName'");
  }
}

// ---- lists ----

struct SageMakerJobLists : SageMakerJobs {
  void make_jobs(int count, const std::string& start = "job-") {
    for (int i = 0; i < count; ++i) {
      request_["LabelingJobName"] = fmt::format("{}{:03}", start, i);
      ok("CreateLabelingJob", request_);
      clock_.advance(std::chrono::seconds(1));
    }
  }
  std::vector<std::string> names_of(const json& answer) {
    std::vector<std::string> names;
    for (const json& one : answer.at("LabelingJobSummaryList")) names.push_back(one.at("LabelingJobName"));
    return names;
  }
  std::vector<std::string> all_pages(const std::string& operation, json input,
                                     const std::function<void(int)>& between = {}) {
    std::vector<std::string> names;
    for (int page = 1;; ++page) {
      const json answer = ok(operation, input);
      for (std::string& name : names_of(answer)) names.push_back(std::move(name));
      if (!answer.contains("NextToken") || page > 100) return names;
      EXPECT_EQ(answer["LabelingJobSummaryList"].size(), input.value("MaxResults", 100U));
      input["NextToken"] = answer["NextToken"];
      if (between) between(page);
    }
  }
};

TEST_F(SageMakerJobLists, PagesOver250Jobs) {
  make_jobs(250);
  for (const char* operation : {"ListLabelingJobs", "ListLabelingJobsForWorkteam"}) {
    json input = json::object();
    if (std::string(operation) != "ListLabelingJobs") input["WorkteamArn"] = jobs_.jobs[0].spec.workteam_arn;
    for (const int size : {0, 7, 100}) {
      if (size > 0) input["MaxResults"] = size;
      const auto names = all_pages(operation, input);
      ASSERT_EQ(names.size(), 250U);
      EXPECT_EQ(names.front(), "job-000");
      EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
      EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 250U);
    }
  }
}

TEST_F(SageMakerJobLists, NewJobsDoNotPushThePagesOn) {
  make_jobs(20);
  const auto names = all_pages("ListLabelingJobs", {{"SortOrder", "Descending"}, {"MaxResults", 5}},
                               [&](int page) { make_jobs(1, "new-" + std::to_string(page) + "-"); });
  ASSERT_EQ(names.size(), 20U);
  EXPECT_EQ(names.front(), "job-019");
  EXPECT_EQ(names.back(), "job-000");
}

TEST_F(SageMakerJobLists, TokensServeTheirRequestOnly) {
  make_jobs(4);
  const json first = ok("ListLabelingJobs", {{"MaxResults", 2}, {"NameContains", "job"}});
  const std::string token = first.at("NextToken");
  EXPECT_EQ(
      names_of(ok("ListLabelingJobs", {{"MaxResults", 1}, {"NameContains", "job"}, {"NextToken", token}})),
      std::vector<std::string>{"job-002"});
  refused("ListLabelingJobs", {{"NameContains", "jo"}, {"NextToken", token}}, "ValidationException",
          "NextToken is of another request");
  refused("ListWorkteams", {{"NameContains", "job"}, {"NextToken", token}}, "ValidationException",
          "NextToken is of another request");
  for (const char* broken : {"", "x", "MSBh", "MSBhIC0xIC0=", "MSAgMSAxIDEgMQ=="}) {
    refused("ListLabelingJobs", {{"NextToken", broken}}, "ValidationException", "NextToken");
  }
}

TEST_F(SageMakerJobLists, SummariesFiltersAndOrder) {
  make_jobs(6);
  jobs_.jobs[1].status = labeling::JobStatus::kCompleted;
  jobs_.jobs[1].output_dataset_uri = "s3://bucket/out/output.manifest";
  jobs_.jobs[4].status = labeling::JobStatus::kInProgress;
  jobs_.jobs[4].modified += std::chrono::hours(1);
  const json completed = ok("ListLabelingJobs", {{"StatusEquals", "Completed"}});
  ASSERT_EQ(completed["LabelingJobSummaryList"].size(), 1U);
  const json summary = completed["LabelingJobSummaryList"][0];
  EXPECT_EQ(summary["LabelingJobName"], "job-001");
  EXPECT_EQ(summary["LabelingJobArn"], "arn:aws:sagemaker:us-east-1:111122223333:labeling-job/job-001");
  EXPECT_EQ(summary["CreationTime"], 1644514865.801793);
  EXPECT_EQ(summary["LabelingJobOutput"]["OutputDatasetS3Uri"], "s3://bucket/out/output.manifest");
  EXPECT_EQ(summary["WorkteamArn"], request_["HumanTaskConfig"]["WorkteamArn"]);
  EXPECT_EQ(summary["InputConfig"], request_["InputConfig"]);

  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of(ok("ListLabelingJobs", {{"NameContains", "-003"}})), Names{"job-003"});
  EXPECT_EQ(names_of(ok("ListLabelingJobs",
                        {{"CreationTimeAfter", 1644514866.9}, {"CreationTimeBefore", 1644514868}})),
            Names{"job-003"});
  EXPECT_EQ(names_of(ok("ListLabelingJobs", {{"LastModifiedTimeAfter", 1644516000}})), Names{"job-004"});
  EXPECT_EQ(names_of(ok("ListLabelingJobs", {{"LastModifiedTimeBefore", 1644514865}})), Names{"job-000"});
  EXPECT_EQ(
      names_of(ok("ListLabelingJobs", {{"SortBy", "Name"}, {"SortOrder", "Descending"}, {"MaxResults", 2}})),
      (Names{"job-005", "job-004"}));
  EXPECT_EQ(names_of(ok("ListLabelingJobs",
                        {{"SortBy", "Status"}, {"SortOrder", "Descending"}, {"MaxResults", 1}})),
            Names{"job-001"});
  refused("ListLabelingJobs", {{"MaxResults", 101}}, "ValidationException", "less than or equal to 100");
  refused("ListLabelingJobs", {{"SortBy", "Size"}}, "ValidationException", "[Name, CreationTime, Status]");
  refused("ListLabelingJobs", {{"CreationTimeAfter", 1e300}}, "ValidationException", "seconds since 1970");
}

TEST_F(SageMakerJobLists, JobsOfATeam) {
  make_jobs(2);
  request_["HumanTaskConfig"]["WorkteamArn"] = make_team("others");
  make_jobs(1, "other-");
  labeling::JobRecord& job = jobs_.jobs[1];
  job.objects = 10;
  job.counters.human_labeled = 4;
  job.counters.unlabeled = 6;
  const std::string arn = jobs_.jobs[0].spec.workteam_arn;
  const json answer = ok("ListLabelingJobsForWorkteam", {{"WorkteamArn", arn}, {"SortOrder", "Descending"}});
  ASSERT_EQ(answer["LabelingJobSummaryList"].size(), 2U);
  EXPECT_EQ(answer["LabelingJobSummaryList"][0],
            (json{{"LabelingJobName", "job-001"},
                  {"JobReferenceCode", "code-1"},
                  {"WorkRequesterAccountId", "111122223333"},
                  {"CreationTime", 1644514865.801793},
                  {"LabelCounters", {{"HumanLabeled", 4}, {"PendingHuman", 6}, {"Total", 10}}},
                  {"NumberOfHumanWorkersPerDataObject", 3}}));
  EXPECT_EQ(names_of(ok("ListLabelingJobsForWorkteam",
                        {{"WorkteamArn", arn}, {"JobReferenceCodeContains", "de-0"}})),
            std::vector<std::string>{"job-000"});
  refused("ListLabelingJobsForWorkteam", {{"WorkteamArn", arn + "x"}}, "ResourceNotFound",
          "Could not find workteam");
  refused("ListLabelingJobsForWorkteam", json::object(), "ValidationException",
          "Value null at 'workteamArn'");
}

// ---- tags ----

TEST_F(SageMakerJobs, TagsOfAJob) {
  ok("CreateLabelingJob", request_);
  const json by_arn{{"ResourceArn", kArn}};
  EXPECT_EQ(ok("ListTags", by_arn)["Tags"], (json{{{"Key", "string"}, {"Value", "text"}}}));
  json add = by_arn;
  add["Tags"] = {{{"Key", "a"}, {"Value", "1"}}, {{"Key", "string"}, {"Value", "changed"}}};
  const json all{{{"Key", "a"}, {"Value", "1"}}, {{"Key", "string"}, {"Value", "changed"}}};
  EXPECT_EQ(ok("AddTags", add)["Tags"], all);
  EXPECT_EQ(ok("ListTags", by_arn)["Tags"], all);
  EXPECT_EQ(ok("DescribeLabelingJob", {{"LabelingJobName", kName}})["Tags"], all);
  json drop = by_arn;
  drop["TagKeys"] = {"a", "string", "unknown"};
  EXPECT_EQ(ok("DeleteTags", drop), json::object());
  EXPECT_EQ(ok("ListTags", by_arn)["Tags"], json::array());
  EXPECT_FALSE(ok("DescribeLabelingJob", {{"LabelingJobName", kName}}).contains("Tags"));

  // A new job of a name that was used before begins with its own.
  jobs_.jobs.clear();
  ok("CreateLabelingJob", request_);
  EXPECT_EQ(ok("ListTags", by_arn)["Tags"], (json{{{"Key", "string"}, {"Value", "text"}}}));
}

TEST_F(SageMakerJobs, TagOperationsAreChecked) {
  ok("CreateLabelingJob", request_);
  json add{{"ResourceArn", kArn}, {"Tags", {{{"Key", "aws:x"}, {"Value", "1"}}}}};
  refused("AddTags", add, "ValidationException", "begins with \"aws:\"");
  json many = json::array();
  for (int i = 0; i < 50; ++i) many.push_back({{"Key", "k" + std::to_string(i)}, {"Value", ""}});
  add["Tags"] = many;
  refused("AddTags", add, "ValidationException", "would have 51 tags; at most 50");
  for (const char* operation : {"AddTags", "ListTags", "DeleteTags"}) {
    for (const std::string& arn :
         {std::string(kArn) + "x", std::string("arn:aws:sagemaker:us-east-1:111122223333:model/m"),
          std::string("arn:aws:sagemaker:eu-west-1:111122223333:workforce/default"),
          std::string("arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default")}) {
      json input{{"ResourceArn", arn}};
      if (std::string(operation) == "AddTags") input["Tags"] = json::array();
      if (std::string(operation) == "DeleteTags") input["TagKeys"] = {"a"};
      refused(operation, input, "ValidationException", "Could not find resource \"" + arn + "\".");
    }
    refused(operation, json::object(), "ValidationException", "Value null at 'resourceArn'");
  }
  refused("ListTags", {{"ResourceArn", kArn}, {"MaxResults", 5}}, "ValidationException",
          "greater than or equal to 50");
}

// ---- who may ----

TEST_F(SageMakerJobs, ScopesOfKeys) {
  caller_.scope = identity::Scope::kRequester;
  ok("CreateLabelingJob", request_);
  ok("ListLabelingJobs", json::object());
  ok("DescribeWorkforce", {{"WorkforceName", "default"}});
  ok("AddTags", {{"ResourceArn", kArn}, {"Tags", json::array()}});
  for (const char* operation : {"CreateWorkforce", "UpdateWorkforce", "DeleteWorkforce", "CreateWorkteam",
                                "UpdateWorkteam", "DeleteWorkteam"}) {
    refused(operation, json::object(), "AccessDeniedException",
            fmt::format(
                "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sagemaker:{} on "
                "resource: arn:aws:sagemaker:us-east-1:111122223333:work",
                operation));
  }
  refused("AddTags",
          {{"ResourceArn", "arn:aws:sagemaker:us-east-1:111122223333:workforce/default"},
           {"Tags", json::array()}},
          "AccessDeniedException", "not authorized to perform: sagemaker:AddTags");
  caller_.scope = identity::Scope::kInvoke;
  for (const std::string_view operation : SageMakerService::operations()) {
    refused(std::string(operation), json::object(), "AccessDeniedException",
            "is not authorized to perform: sagemaker:" + std::string(operation) + " on resource: ");
  }
}

TEST_F(SageMakerJobs, AKeyReachesNoOtherBucketsThroughAJob) {
  caller_.buckets = {"bucket"};
  caller_.scope = identity::Scope::kRequester;
  for (const char* pointer :
       {"/InputConfig/DataSource/S3DataSource/ManifestS3Uri", "/OutputConfig/S3OutputPath",
        "/LabelCategoryConfigS3Uri", "/HumanTaskConfig/UiConfig/UiTemplateS3Uri"}) {
    refused("CreateLabelingJob", with(pointer, "s3://other/key"), "AccessDeniedException",
            "not authorized to perform: sagemaker:CreateLabelingJob on resource: arn:aws:s3:::other");
    refused("CreateLabelingJob", with(pointer, "s3://bucket2/key"), "AccessDeniedException",
            "arn:aws:s3:::bucket2");
  }
  ok("CreateLabelingJob", request_);
}

// ---- the wire ----

TEST_F(SageMakerJobs, AnswersAreJson11) {
  const Answer answer = call("ListLabelingJobs", json::object());
  EXPECT_EQ(answer.headers.find("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(answer.headers.find("x-amzn-RequestId"), "request-1");
  const Answer failed = call("DescribeLabelingJob", json::object());
  EXPECT_EQ(failed.headers.find("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(failed.headers.find("x-amzn-RequestId"), "request-1");
}

TEST_F(SageMakerJobs, OtherOperationsAreNamed) {
  for (const char* operation : {"RenderUiTemplate", "CreateNotebookInstance", "Nonsense", ""}) {
    refused(operation, json::object(), "UnknownOperationException",
            fmt::format("The operation \"{}\" is not", operation));
  }
  http::Request request;
  request.method = "POST";
  request.path = "/";
  request.headers = {{"X-Amz-Target", "Logs_20140328.ListLabelingJobs"}};
  EXPECT_EQ(service_->handle({request, nullptr, "sagemaker", "r", caller_, {}}).status, 400);
  request.headers = {};
  EXPECT_EQ(service_->handle({request, nullptr, "sagemaker", "r", caller_, {}}).status, 400);
  request.headers = {{"X-Amz-Target", "SageMaker.ListLabelingJobs"}};
  EXPECT_EQ(service_->handle({request, nullptr, "sagemaker", "r", caller_, {}}).status, 200);
  request.method = "GET";
  EXPECT_EQ(service_->handle({request, nullptr, "sagemaker", "r", caller_, {}}).status, 400);
  request.method = "POST";
  EXPECT_EQ(service_->handle({request, nullptr, "sagemaker", "r", std::nullopt, {}}).status, 403);
}

TEST_F(SageMakerJobs, EveryServedOperationIsTheModels) {
  const auto operations = SageMakerService::operations();
  EXPECT_EQ(operations.size(), 47U);
  EXPECT_TRUE(std::is_sorted(operations.begin(), operations.end()));
  for (const std::string_view operation : operations) {
    EXPECT_TRUE(ServiceModel::sagemaker().has_operation(operation)) << operation;
    // Each goes through the model.
    refused(std::string(operation), {{"Nonsense", 1}}, "ValidationException", "Unknown member \"Nonsense\"");
  }
}

TEST_F(SageMakerJobs, BrokenBodies) {
  caller_given_ = caller_;
  EXPECT_EQ(call_text("ListLabelingJobs", "{").code(), "SerializationException");
  EXPECT_EQ(call_text("ListLabelingJobs", std::string(2 << 20, ' ')).code(), "SerializationException");
  EXPECT_EQ(call_text("ListLabelingJobs", "").status, 200);
}

}  // namespace
}  // namespace terrapin::api::test
