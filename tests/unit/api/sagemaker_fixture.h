// SageMakerService over work teams in a SQLite file and labeling jobs that only stand in a list.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/sagemaker/model_validation.h"
#include "api/sagemaker/sagemaker_service.h"
#include "base/json_text.h"
#include "base/text.h"
#include "control/control_plane.h"
#include "storage/database.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::api::test {

class FakeJobs final : public labeling::JobService {
 public:
  explicit FakeJobs(const Clock& clock) : clock_(clock) {}

  std::vector<labeling::JobRecord> jobs;
  std::optional<Error> refuses_creation;
  bool team_busy = false;

  Result<labeling::JobRecord> create(const labeling::JobSpec& spec) override {
    if (refuses_creation) return tl::unexpected<Error>(*refuses_creation);
    if (find(spec.name) != nullptr) return fail(ErrorCode::kAlreadyExists, "taken: {}", spec.name);
    labeling::JobRecord job;
    job.id = "id-" + std::to_string(jobs.size());
    job.spec = spec;
    job.created = job.modified = clock_.now();
    job.reference_code = "code-" + std::to_string(jobs.size());
    jobs.push_back(job);
    return job;
  }
  Result<labeling::JobRecord> describe(const std::string& name) override {
    const labeling::JobRecord* job = find(name);
    if (job == nullptr) return fail(ErrorCode::kNotFound, "no job {}", name);
    return *job;
  }
  Result<labeling::JobPage> list(const labeling::JobFilter& filter) override {
    std::vector<labeling::JobRecord> found;
    for (const labeling::JobRecord& job : jobs) {
      if (job.spec.name.find(filter.name_contains) == std::string::npos) continue;
      if (job.reference_code.find(filter.reference_code_contains) == std::string::npos) continue;
      if (!filter.workteam_arn.empty() && job.spec.workteam_arn != filter.workteam_arn) continue;
      if (filter.status && job.status != *filter.status) continue;
      if (filter.created_after && job.created <= *filter.created_after) continue;
      if (filter.created_before && job.created >= *filter.created_before) continue;
      if (filter.modified_after && job.modified <= *filter.modified_after) continue;
      if (filter.modified_before && job.modified >= *filter.modified_before) continue;
      found.push_back(job);
    }
    using SortBy = labeling::JobFilter::SortBy;
    std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
      if (filter.sort_by == SortBy::kName) return a.spec.name < b.spec.name;
      if (filter.sort_by == SortBy::kStatus) return a.status < b.status;
      return a.created < b.created;
    });
    if (filter.descending) std::reverse(found.begin(), found.end());
    labeling::JobPage page;
    for (std::size_t i = static_cast<std::size_t>(filter.offset); i < found.size(); ++i) {
      if (page.jobs.size() == static_cast<std::size_t>(filter.limit)) {
        page.more = true;
        break;
      }
      page.jobs.push_back(found[i]);
    }
    return page;
  }
  Result<labeling::JobRecord> stop(const std::string& name) override {
    labeling::JobRecord* job = find(name);
    if (job == nullptr) return fail(ErrorCode::kNotFound, "no job {}", name);
    if (labeling::has_ended(job->status)) return fail(ErrorCode::kConflict, "job {} has ended", name);
    job->status = labeling::JobStatus::kStopping;
    return *job;
  }
  Result<bool> team_in_use(const std::string&) override { return team_busy; }

  // SageMaker has no operation for these.
  Result<labeling::JobRecord> clone(const std::string&, const std::string&, const std::string&) override {
    return not_asked();
  }
  Result<labeling::JobRecord> continue_job(const std::string&, const std::string&,
                                           const std::string&) override {
    return not_asked();
  }
  Result<labeling::JobRecord> chain(const std::string&, labeling::JobSpec) override { return not_asked(); }
  Result<std::vector<labeling::ObjectRecord>> objects(const std::string&,
                                                      const labeling::ObjectFilter&) override {
    return not_asked();
  }
  Result<std::vector<labeling::AnswerRecord>> answers(const std::string&, std::int64_t) override {
    return not_asked();
  }
  Result<artifacts::LabelCategories> categories(const std::string&) override { return not_asked(); }
  Result<std::string> template_html(const std::string&) override { return not_asked(); }
  Result<labeling::ObjectRecord> object(const std::string&, std::int64_t) override { return not_asked(); }
  Result<labeling::JobProgress> progress(const std::string&) override { return not_asked(); }
  Result<labeling::FinishedMasks> finished_masks(const std::string&, int) override { return not_asked(); }
  Status reopen_object(const std::string&, std::int64_t, bool) override { return not_asked(); }
  Status withdraw_worker(const std::string&, const std::string&) override { return not_asked(); }
  Result<std::vector<labeling::WorkerStatistics>> workers(const std::string&) override { return not_asked(); }

 private:
  static tl::unexpected<Error> not_asked() { return fail(ErrorCode::kInternal, "not to be asked"); }
  labeling::JobRecord* find(const std::string& name) {
    for (labeling::JobRecord& job : jobs) {
      if (same_ignoring_case(job.spec.name, name)) return &job;
    }
    return nullptr;
  }
  const Clock& clock_;
};

// One answer of the service.
struct Answer {
  int status = 0;
  nlohmann::json body;  // null: none
  http::Headers headers;
  std::string code() const { return body.is_object() ? body.value("__type", std::string()) : std::string(); }
  std::string message() const {
    if (!body.is_object()) return {};
    return body.value("message", body.value("Message", std::string()));
  }
};

class SageMakerTest : public ::testing::Test {
 protected:
  using json = nlohmann::json;

  SageMakerTest() : clock_(from_microseconds(1'644'514'864'801'793)), jobs_(clock_) {
    database_ = storage::Database::open("sqlite:" + (folder_ / "state.db").string()).value();
    workforces_ = labeling::Workforces::open(*database_, {}, clock_).value();
    objects_ = storage::open_folder_store(folder_ / "objects", clock_).value();
    // Never started: nothing runs.
    control_ =
        control::ControlPlane::open(*database_, *objects_, clock_,
                                    {.program = "/bin/true", .data_dir = folder_ / "data", .slots = {}})
            .value();
    service_ =
        std::make_unique<SageMakerService>(jobs_, *workforces_, *control_, Place{}, "labels.example.org");
    caller_.id = "TPIA0000000000000000";
    caller_.owner = "alice";
  }

  Answer call_text(const std::string& operation, std::string_view text) {
    http::Request request;
    request.method = "POST";
    request.path = request.target = "/";
    request.headers = {{"X-Amz-Target", "SageMaker." + operation},
                       {"Content-Type", "application/x-amz-json-1.1"}};
    const Exchange exchange{request, bytes_source(text), "sagemaker", "request-1", caller_given_, {}};
    const http::Response response = service_->handle(exchange);
    Answer answer;
    answer.status = response.status;
    answer.headers = response.headers;
    const std::string body(response.body.begin(), response.body.end());
    if (!body.empty()) answer.body = json::parse(body);
    return answer;
  }
  Answer call(const std::string& operation, const json& input) {
    caller_given_ = caller_;
    Answer answer = call_text(operation, json_text(input));
    // Whatever succeeds has exactly the members of the model's output shape.
    if (answer.status == 200) {
      EXPECT_EQ(ServiceModel::sagemaker().faults_of_answer(operation, answer.body),
                std::vector<std::string>())
          << operation << " " << answer.body;
    }
    return answer;
  }
  json ok(const std::string& operation, const json& input) {
    const Answer answer = call(operation, input);
    EXPECT_EQ(answer.status, 200) << operation << " " << answer.body;
    return answer.body;
  }
  // Expects a refusal of that code whose message holds `part`.
  void refused(const std::string& operation, const json& input, const std::string& code,
               const std::string& part) {
    const Answer answer = call(operation, input);
    EXPECT_EQ(answer.status, 400) << operation;
    EXPECT_EQ(answer.code(), code) << operation << " " << answer.body;
    EXPECT_NE(answer.message().find(part), std::string::npos) << answer.message() << "\nlacks: " << part;
  }

  std::string make_team(const std::string& name = "painters", const std::string& group = "painters") {
    return ok("CreateWorkteam",
              {{"WorkteamName", name},
               {"Description", "people who paint"},
               {"MemberDefinitions",
                {{{"CognitoMemberDefinition",
                   {{"UserPool", "us-east-1_terrapin"}, {"UserGroup", group}, {"ClientId", "terrapin"}}}}}}})
        .at("WorkteamArn");
  }

  // The request of AWS's page on semantic segmentation jobs, every member, its placeholders replaced.
  static json job_request(const std::string& workteam_arn) {
    return json::parse(R"({
      "LabelingJobName": "Example-semantic-segmentation-labeling-job",
      "LabelAttributeName": "label-ref",
      "InputConfig": {
        "DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://bucket/path/manifest-with-input-data.json"}},
        "DataAttributes": {"ContentClassifiers":
          ["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"]}},
      "OutputConfig": {"S3OutputPath": "s3://bucket/path/file-to-store-output-data", "KmsKeyId": "string"},
      "RoleArn": "arn:aws:iam::111122223333:role/labeling",
      "LabelCategoryConfigS3Uri": "s3://bucket/path/label-categories.json",
      "StoppingConditions": {"MaxHumanLabeledObjectCount": 123, "MaxPercentageOfInputDatasetLabeled": 12},
      "HumanTaskConfig": {
        "WorkteamArn": "",
        "UiConfig": {"UiTemplateS3Uri": "s3://bucket/path/worker-task-template.html"},
        "PreHumanTaskLambdaArn": "arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation",
        "TaskKeywords": ["Semantic Segmentation"],
        "TaskTitle": "Semantic segmentation task",
        "TaskDescription": "For each category provided, segment out each relevant object using the color associated with that category",
        "NumberOfHumanWorkersPerDataObject": 3,
        "TaskTimeLimitInSeconds": 123,
        "TaskAvailabilityLifetimeInSeconds": 1234,
        "MaxConcurrentTaskCount": 12,
        "AnnotationConsolidationConfig": {
          "AnnotationConsolidationLambdaArn":
            "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation"}},
      "Tags": [{"Key": "string", "Value": "text"}]})")
        .patch(json::array(
            {{{"op", "replace"}, {"path", "/HumanTaskConfig/WorkteamArn"}, {"value", workteam_arn}}}));
  }

  terrapin::test::TemporaryFolder folder_;
  ManualClock clock_;
  FakeJobs jobs_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<labeling::Workforces> workforces_;
  std::unique_ptr<storage::ObjectStore> objects_;
  std::unique_ptr<control::ControlPlane> control_;
  std::unique_ptr<SageMakerService> service_;
  identity::AccessKey caller_;
  std::optional<identity::AccessKey> caller_given_;
};

}  // namespace terrapin::api::test
