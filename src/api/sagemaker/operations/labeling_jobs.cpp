#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/job_codec.h"
#include "api/sagemaker/operations/operations.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

std::string job_named(const OperationContext& context, const std::string& name) {
  return fmt::format("labeling job \"{}\"", job_arn(context.place, name));
}

labeling::Tags tags_at_creation(const labeling::JobRecord& job) {
  return {job.spec.tags.begin(), job.spec.tags.end()};
}

// A key that may use some buckets only must not reach others through a job.
AwsResult<void> check_buckets(const OperationContext& context, const labeling::JobSpec& spec) {
  for (const std::string* uri :
       {&spec.input_uri, &spec.output_uri, &spec.categories_uri, &spec.template_uri}) {
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, *uri));
  }
  return {};
}

// The members that both lists share.
labeling::JobFilter job_filter(const json& input, const PageRequest& page) {
  labeling::JobFilter filter;
  filter.created_after = time_member(input, "CreationTimeAfter");
  filter.created_before = time_member(input, "CreationTimeBefore");
  filter.descending = text_member(input, "SortOrder") == "Descending";
  filter.offset = page.offset;
  filter.limit = page.limit;
  if (page.as_of && (!filter.created_before || *page.as_of < *filter.created_before)) {
    filter.created_before = page.as_of;
  }
  return filter;
}

// Newest first, jobs made between two pages would push the others on: pages after the first leave out what is
// newer than its first job.
std::string token_after(const OperationContext& context, const json& input, const PageRequest& page,
                        const labeling::JobFilter& filter, const std::vector<labeling::JobRecord>& jobs) {
  std::optional<Timestamp> as_of = page.as_of;
  if (!as_of && filter.descending && filter.sort_by == labeling::JobFilter::SortBy::kCreationTime) {
    as_of = jobs.front().created + std::chrono::microseconds(1);
  }
  return next_token(context, input, page.offset + static_cast<std::int64_t>(jobs.size()), as_of);
}

}  // namespace

AwsResult<json> create_labeling_job(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(labeling::JobSpec spec, job_spec(input, context.place));
  spec.owner = context.caller.owner;
  TERRAPIN_AWS_TRY_STATUS(check_buckets(context, spec));
  TERRAPIN_AWS_TRY(const auto team, told(context, context.workforces.find_team(spec.workteam_arn)));
  if (!team) return invalid("Could not find workteam \"{}\".", spec.workteam_arn);
  const std::string arn = job_arn(context.place, spec.name);
  const auto created = context.jobs.create(spec);
  if (!created && created.error().code == ErrorCode::kAlreadyExists) {
    return refuse(
        "ResourceInUse",
        "Labeling job names must be unique within an AWS account and region, and a labeling job with "
        "this name already exists ({}).",
        arn);
  }
  // What is broken in the files that the request names is the caller's to mend.
  if (!created && created.error().code == ErrorCode::kCorrupt) return invalid("{}", created.error().message);
  TERRAPIN_AWS_TRY_STATUS(told(context, created));
  // Tags of a former job of this name.
  TERRAPIN_AWS_TRY(const auto former, told(context, context.workforces.tags(arn)));
  if (former) {
    TERRAPIN_AWS_TRY_STATUS(told(context, context.workforces.forget_tags(arn)));
  }
  return json{{"LabelingJobArn", arn}};
}

AwsResult<json> describe_labeling_job(const OperationContext& context, const json& input) {
  const std::string name = input.at("LabelingJobName");
  TERRAPIN_AWS_TRY(const labeling::JobRecord job,
                   told(context, context.jobs.describe(name), "ResourceNotFound", job_named(context, name)));
  TERRAPIN_AWS_TRY_STATUS(check_bucket(context, job.spec.output_uri));
  TERRAPIN_AWS_TRY(const auto tags,
                   told(context, context.workforces.tags(job_arn(context.place, job.spec.name))));
  return job_description(job, context.place, tags.value_or(tags_at_creation(job)));
}

AwsResult<json> list_labeling_jobs(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  labeling::JobFilter filter = job_filter(input, page);
  filter.name_contains = text_member(input, "NameContains");
  if (input.contains("StatusEquals")) filter.status = status_of_text(text_member(input, "StatusEquals"));
  filter.modified_after = time_member(input, "LastModifiedTimeAfter");
  filter.modified_before = time_member(input, "LastModifiedTimeBefore");
  const std::string sort_by = text_member(input, "SortBy");
  using SortBy = labeling::JobFilter::SortBy;
  filter.sort_by = sort_by == "Name"     ? SortBy::kName
                   : sort_by == "Status" ? SortBy::kStatus
                                         : SortBy::kCreationTime;
  TERRAPIN_AWS_TRY(const labeling::JobPage found, told(context, context.jobs.list(filter)));
  json list = json::array();
  for (const labeling::JobRecord& job : found.jobs) list.push_back(job_summary(job, context.place));
  json answer{{"LabelingJobSummaryList", std::move(list)}};
  if (found.more && !found.jobs.empty()) {
    answer["NextToken"] = token_after(context, input, page, filter, found.jobs);
  }
  return answer;
}

AwsResult<json> list_labeling_jobs_for_workteam(const OperationContext& context, const json& input) {
  const std::string arn = input.at("WorkteamArn");
  TERRAPIN_AWS_TRY(const auto team, told(context, context.workforces.find_team(arn)));
  if (!team) return refuse("ResourceNotFound", "Could not find workteam \"{}\".", arn);
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  labeling::JobFilter filter = job_filter(input, page);
  filter.workteam_arn = arn;
  filter.reference_code_contains = text_member(input, "JobReferenceCodeContains");
  TERRAPIN_AWS_TRY(const labeling::JobPage found, told(context, context.jobs.list(filter)));
  json list = json::array();
  for (const labeling::JobRecord& job : found.jobs) list.push_back(job_summary_for_team(job, context.place));
  json answer{{"LabelingJobSummaryList", std::move(list)}};
  if (found.more && !found.jobs.empty()) {
    answer["NextToken"] = token_after(context, input, page, filter, found.jobs);
  }
  return answer;
}

AwsResult<json> stop_labeling_job(const OperationContext& context, const json& input) {
  const std::string name = input.at("LabelingJobName");
  if (!context.caller.buckets.empty()) {
    TERRAPIN_AWS_TRY(const labeling::JobRecord job, told(context, context.jobs.describe(name),
                                                         "ResourceNotFound", job_named(context, name)));
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, job.spec.output_uri));
  }
  const auto stopped = context.jobs.stop(name);
  if (!stopped && stopped.error().code == ErrorCode::kConflict) {
    const auto job = context.jobs.describe(name);
    if (job) {
      return invalid("The request was rejected because the labeling job is in status {}.",
                     status_text(job->status));
    }
  }
  TERRAPIN_AWS_TRY_STATUS(told(context, stopped, "ResourceNotFound", job_named(context, name)));
  return json();
}

}  // namespace terrapin::api
