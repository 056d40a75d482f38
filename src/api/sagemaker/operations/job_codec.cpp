#include "api/sagemaker/operations/job_codec.h"

#include <nlohmann/json.hpp>

#include "api/sagemaker/model_validation.h"
#include "api/sagemaker/operations/answers.h"
#include "labeling/jobs/job_rules.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

Status check_s3(const std::string& uri, const char* member) {
  // The model lets https:// through.
  const std::size_t end = uri.find('/', 5);
  if (uri.rfind("s3://", 0) == 0 && uri.size() > 5 && end != 5) return {};
  return fail(ErrorCode::kInvalidArgument, "{}: '{}' is not served; write s3://bucket/key", member, uri);
}

AwsResult<void> check_served(const json& input) {
  const json& data = input.at("InputConfig").at("DataSource");
  if (data.contains("SnsDataSource")) {
    return invalid(
        "InputConfig.DataSource.SnsDataSource is not served: there are no streaming labeling jobs. Use "
        "S3DataSource with a manifest, and a further job for objects that come later.");
  }
  if (!data.contains("S3DataSource")) {
    return invalid("InputConfig.DataSource needs S3DataSource with ManifestS3Uri.");
  }
  if (input.at("OutputConfig").contains("SnsTopicArn")) {
    return invalid(
        "OutputConfig.SnsTopicArn is not served: there is no notification service here. Leave it out and "
        "poll DescribeLabelingJob, or let the server call a webhook when jobs are ready.");
  }
  if (input.contains("LabelingJobAlgorithmsConfig")) {
    return invalid(
        "LabelingJobAlgorithmsConfig is not served: people label every object. Leave it out; to limit "
        "their work use StoppingConditions.");
  }
  const json& task = input.at("HumanTaskConfig");
  const json& page = task.at("UiConfig");
  if (page.contains("HumanTaskUiArn")) {
    return invalid(
        "HumanTaskConfig.UiConfig.HumanTaskUiArn is not served: there are no ready-made task pages of "
        "AWS here. Use UiTemplateS3Uri with a template of your own.");
  }
  if (!page.contains("UiTemplateS3Uri")) {
    return invalid("HumanTaskConfig.UiConfig needs UiTemplateS3Uri, the template of the task's page.");
  }
  if (!task.contains("PreHumanTaskLambdaArn")) {
    return invalid(
        "HumanTaskConfig needs PreHumanTaskLambdaArn; for semantic segmentation "
        "arn:aws:lambda:us-east-1:432418664414:function:PRE-SemanticSegmentation.");
  }
  if (!task.contains("AnnotationConsolidationConfig")) {
    return invalid(
        "HumanTaskConfig needs AnnotationConsolidationConfig; for semantic segmentation with "
        "AnnotationConsolidationLambdaArn "
        "arn:aws:lambda:us-east-1:432418664414:function:ACS-SemanticSegmentation.");
  }
  return {};
}

AwsResult<void> check_label_attribute(const std::string& name, const labeling::BuiltInFunction* post) {
  if (name == "source" || name == "source-ref") {
    return invalid(
        "LabelAttributeName '{}' is reserved for the input; choose another, for example 'label-ref'.", name);
  }
  if (name.ends_with("-metadata")) {
    return invalid(
        "LabelAttributeName '{}' must not end in '-metadata': that key holds the label's metadata.", name);
  }
  if (post != nullptr && post->kind != labeling::TaskKind::kVerification && !name.ends_with("-ref")) {
    if (name.size() + 4 > 127) {
      return invalid("LabelAttributeName '{}' must end in '-ref' for semantic segmentation.", name);
    }
    return invalid("LabelAttributeName '{}' must end in '-ref' for semantic segmentation; write '{}-ref'.",
                   name, name);
  }
  return {};
}

AwsResult<void> check_functions(const labeling::FunctionReference& pre,
                                const labeling::FunctionReference& post) {
  const std::pair<const labeling::FunctionReference*, bool> both[] = {{&pre, true}, {&post, false}};
  for (const auto& [function, before] : both) {
    const char* path = before
                           ? "humanTaskConfig.preHumanTaskLambdaArn"
                           : "humanTaskConfig.annotationConsolidationConfig.annotationConsolidationLambdaArn";
    if (function->name.empty()) {
      return tl::unexpected<AwsError>(constraint_error(function->arn, path, "name a function"));
    }
    const labeling::BuiltInFunction* kind = function->find_built_in();
    if (kind != nullptr && kind->before != before) {
      return tl::unexpected<AwsError>(constraint_error(
          function->arn, path, before ? "name a pre-annotation function" : "name a consolidation function"));
    }
  }
  const labeling::BuiltInFunction* first = pre.find_built_in();
  const labeling::BuiltInFunction* second = post.find_built_in();
  if (first == nullptr || second == nullptr || first->kind == second->kind) return {};
  std::string fitting;
  for (const labeling::BuiltInFunction& one : labeling::built_in_functions()) {
    if (!one.before && one.kind == first->kind)
      fitting += (fitting.empty() ? "" : " or ") + std::string(one.name);
  }
  return invalid(
      "PreHumanTaskLambdaArn {} and AnnotationConsolidationLambdaArn {} do not fit together; with {} goes "
      "{}.",
      pre.name, post.name, pre.name, fitting);
}

// Region and account must be ours; an account that is a placeholder has failed the model's pattern already.
AwsResult<void> check_team_arn(const std::string& arn, const Place& place) {
  constexpr const char* kPath = "humanTaskConfig.workteamArn";
  const std::string ours = fmt::format("arn:aws:sagemaker:{}:{}:workteam/", place.region, place.account_id);
  const std::string crowd = fmt::format("arn:aws:sagemaker:{}:{}:workteam/public-crowd/", place.region,
                                        labeling::kPublicCrowdAccount);
  if (arn.rfind(ours, 0) != 0 && arn.rfind(crowd, 0) != 0) {
    return tl::unexpected<AwsError>(constraint_error(
        arn, kPath,
        fmt::format("name a work team of region {} and account {}", place.region, place.account_id)));
  }
  if (arn.find('*') != std::string::npos) {
    return tl::unexpected<AwsError>(
        constraint_error(arn, kPath, "name one work team, without the placeholder '*'"));
  }
  return {};
}

json input_config(const labeling::JobSpec& spec) {
  json config{{"DataSource", {{"S3DataSource", {{"ManifestS3Uri", spec.input_uri}}}}}};
  if (!spec.content_classifiers.empty()) {
    config["DataAttributes"]["ContentClassifiers"] = spec.content_classifiers;
  }
  return config;
}

json counters(const labeling::LabelCounters& labels) {
  return {{"TotalLabeled", labels.total_labeled},
          {"HumanLabeled", labels.human_labeled},
          {"MachineLabeled", labels.machine_labeled},
          {"FailedNonRetryableError", labels.failed_non_retryable},
          {"Unlabeled", labels.unlabeled}};
}

// Members that DescribeLabelingJob and the summary share.
json common_members(const labeling::JobRecord& job, const Place& place) {
  json result{{"LabelingJobName", job.spec.name},
              {"LabelingJobArn", job_arn(place, job.spec.name)},
              {"CreationTime", epoch_seconds(job.created)},
              {"LastModifiedTime", epoch_seconds(job.modified)},
              {"LabelingJobStatus", status_text(job.status)},
              {"LabelCounters", counters(job.counters)},
              {"InputConfig", input_config(job.spec)}};
  if (!job.failure_reason.empty()) result["FailureReason"] = job.failure_reason.substr(0, 1024);
  if (!job.output_dataset_uri.empty()) {
    result["LabelingJobOutput"] = {{"OutputDatasetS3Uri", job.output_dataset_uri}};
  }
  return result;
}

json human_task_config(const labeling::JobSpec& spec) {
  json task{
      {"WorkteamArn", spec.workteam_arn},
      {"UiConfig", {{"UiTemplateS3Uri", spec.template_uri}}},
      {"PreHumanTaskLambdaArn", spec.pre_function.arn},
      {"TaskTitle", spec.title},
      {"TaskDescription", spec.description},
      {"NumberOfHumanWorkersPerDataObject", spec.workers_per_object},
      {"TaskTimeLimitInSeconds", spec.task_time_limit_s},
      {"TaskAvailabilityLifetimeInSeconds", spec.task_availability_s},
      {"MaxConcurrentTaskCount", spec.max_concurrent},
      {"AnnotationConsolidationConfig", {{"AnnotationConsolidationLambdaArn", spec.post_function.arn}}}};
  if (!spec.keywords.empty()) task["TaskKeywords"] = spec.keywords;
  if (spec.price) {
    task["PublicWorkforceTaskPrice"]["AmountInUsd"] = {
        {"Dollars", spec.price->dollars},
        {"Cents", spec.price->cents},
        {"TenthFractionsOfACent", spec.price->tenth_fractions_of_a_cent}};
  }
  return task;
}

constexpr std::pair<labeling::JobStatus, const char*> kStatuses[] = {
    {labeling::JobStatus::kInitializing, "Initializing"}, {labeling::JobStatus::kInProgress, "InProgress"},
    {labeling::JobStatus::kCompleted, "Completed"},       {labeling::JobStatus::kFailed, "Failed"},
    {labeling::JobStatus::kStopping, "Stopping"},         {labeling::JobStatus::kStopped, "Stopped"},
};

}  // namespace

const char* status_text(labeling::JobStatus status) {
  for (const auto& [value, name] : kStatuses) {
    if (value == status) return name;
  }
  return "Failed";
}

labeling::JobStatus status_of_text(std::string_view text) {
  for (const auto& [value, name] : kStatuses) {
    if (text == name) return value;
  }
  return labeling::JobStatus::kFailed;
}

AwsResult<labeling::JobSpec> job_spec(const json& input, const Place& place) {
  TERRAPIN_AWS_TRY_STATUS(check_served(input));
  const json& task = input.at("HumanTaskConfig");
  labeling::JobSpec spec;
  spec.name = input.at("LabelingJobName");
  spec.label_attribute = input.at("LabelAttributeName");
  spec.input_uri = input.at("InputConfig").at("DataSource").at("S3DataSource").at("ManifestS3Uri");
  const json attributes = input.at("InputConfig").value("DataAttributes", json::object());
  spec.content_classifiers = attributes.value("ContentClassifiers", std::vector<std::string>());
  spec.output_uri = input.at("OutputConfig").at("S3OutputPath");
  spec.kms_key_id = text_member(input.at("OutputConfig"), "KmsKeyId");
  spec.role_arn = input.at("RoleArn");
  spec.categories_uri = text_member(input, "LabelCategoryConfigS3Uri");
  spec.template_uri = task.at("UiConfig").at("UiTemplateS3Uri");
  const json stopping = input.value("StoppingConditions", json::object());
  if (stopping.contains("MaxHumanLabeledObjectCount")) {
    spec.max_human_labeled_objects = stopping["MaxHumanLabeledObjectCount"].get<std::int64_t>();
  }
  if (stopping.contains("MaxPercentageOfInputDatasetLabeled")) {
    spec.max_percent_labeled = stopping["MaxPercentageOfInputDatasetLabeled"].get<int>();
  }
  spec.workteam_arn = task.at("WorkteamArn");
  spec.pre_function = labeling::FunctionReference::of_arn(task.at("PreHumanTaskLambdaArn"));
  spec.post_function = labeling::FunctionReference::of_arn(
      task.at("AnnotationConsolidationConfig").at("AnnotationConsolidationLambdaArn"));
  spec.keywords = task.value("TaskKeywords", std::vector<std::string>());
  spec.title = task.at("TaskTitle");
  spec.description = task.at("TaskDescription");
  spec.workers_per_object = task.at("NumberOfHumanWorkersPerDataObject");
  spec.task_time_limit_s = task.at("TaskTimeLimitInSeconds");
  spec.task_availability_s = task.value("TaskAvailabilityLifetimeInSeconds", spec.task_availability_s);
  spec.max_concurrent = task.value("MaxConcurrentTaskCount", spec.max_concurrent);
  const json price = task.value("PublicWorkforceTaskPrice", json::object());
  if (price.contains("AmountInUsd")) {
    const json& amount = price["AmountInUsd"];
    spec.price = labeling::Price{amount.value("Dollars", 0), amount.value("Cents", 0),
                                 amount.value("TenthFractionsOfACent", 0)};
  }
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  spec.tags.assign(tags.begin(), tags.end());

  TERRAPIN_AWS_TRY_STATUS(check_functions(spec.pre_function, spec.post_function));
  const labeling::BuiltInFunction* post = spec.post_function.find_built_in();
  TERRAPIN_AWS_TRY_STATUS(check_label_attribute(spec.label_attribute, post));
  TERRAPIN_AWS_TRY_STATUS(check_team_arn(spec.workteam_arn, place));
  if (post != nullptr && spec.categories_uri.empty()) {
    return invalid("LabelCategoryConfigS3Uri is needed: the file that names the labels.");
  }
  const std::pair<const char*, const std::string*> addresses[] = {
      {"InputConfig.DataSource.S3DataSource.ManifestS3Uri", &spec.input_uri},
      {"OutputConfig.S3OutputPath", &spec.output_uri},
      {"LabelCategoryConfigS3Uri", &spec.categories_uri},
      {"HumanTaskConfig.UiConfig.UiTemplateS3Uri", &spec.template_uri}};
  for (const auto& [member, uri] : addresses) {
    if (uri->empty()) continue;
    if (const Status status = check_s3(*uri, member); !status) return invalid("{}", status.error().message);
  }
  if (spec.price && spec.workteam_arn.find(":workteam/public-crowd/") == std::string::npos) {
    return invalid(
        "HumanTaskConfig.PublicWorkforceTaskPrice is for the public crowd only; leave it out for the work "
        "team {}.",
        spec.workteam_arn);
  }
  return labeling::completed(std::move(spec));
}

json job_description(const labeling::JobRecord& job, const Place& place, const labeling::Tags& tags) {
  const labeling::JobSpec& spec = job.spec;
  json result = common_members(job, place);
  result["JobReferenceCode"] = job.reference_code;
  result["LabelAttributeName"] = spec.label_attribute;
  result["OutputConfig"]["S3OutputPath"] = spec.output_uri;
  if (!spec.kms_key_id.empty()) result["OutputConfig"]["KmsKeyId"] = spec.kms_key_id;
  result["RoleArn"] = spec.role_arn;
  if (!spec.categories_uri.empty()) result["LabelCategoryConfigS3Uri"] = spec.categories_uri;
  if (spec.max_human_labeled_objects) {
    result["StoppingConditions"]["MaxHumanLabeledObjectCount"] = *spec.max_human_labeled_objects;
  }
  if (spec.max_percent_labeled) {
    result["StoppingConditions"]["MaxPercentageOfInputDatasetLabeled"] = *spec.max_percent_labeled;
  }
  result["HumanTaskConfig"] = human_task_config(spec);
  if (!tags.empty()) result["Tags"] = tag_list(tags);
  return result;
}

json job_summary(const labeling::JobRecord& job, const Place& place) {
  json result = common_members(job, place);
  result["WorkteamArn"] = job.spec.workteam_arn;
  result["PreHumanTaskLambdaArn"] = job.spec.pre_function.arn;
  result["AnnotationConsolidationLambdaArn"] = job.spec.post_function.arn;
  return result;
}

json job_summary_for_team(const labeling::JobRecord& job, const Place& place) {
  return {{"LabelingJobName", job.spec.name},
          {"JobReferenceCode", job.reference_code},
          {"WorkRequesterAccountId", place.account_id},
          {"CreationTime", epoch_seconds(job.created)},
          {"LabelCounters",
           {{"HumanLabeled", job.counters.human_labeled},
            {"PendingHuman", labeling::has_ended(job.status) ? 0 : job.counters.unlabeled},
            {"Total", job.objects}}},
          {"NumberOfHumanWorkersPerDataObject", job.spec.workers_per_object}};
}

}  // namespace terrapin::api
