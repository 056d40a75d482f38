// What requesters ask of their jobs beyond AWS's operations.
#include <charconv>
#include <map>

#include "portal/fields.h"
#include "portal/implementation.h"
#include "portal/new_job.h"

namespace terrapin::portal {
namespace {

using labeling::JobFilter;
using labeling::JobRecord;
using labeling::JobSpec;

json spec_json(const JobSpec& spec) {
  json document{{"name", spec.name},
                {"label_attribute", spec.label_attribute},
                {"input_uri", spec.input_uri},
                {"output_uri", spec.output_uri},
                {"categories_uri", spec.categories_uri},
                {"template_uri", spec.template_uri},
                {"workteam_arn", spec.workteam_arn},
                {"pre_function_arn", spec.pre_function.arn},
                {"post_function_arn", spec.post_function.arn},
                {"keywords", spec.keywords},
                {"title", spec.title},
                {"description", spec.description},
                {"workers_per_object", spec.workers_per_object},
                {"task_time_limit_s", spec.task_time_limit_s},
                {"task_availability_s", spec.task_availability_s},
                {"max_concurrent", spec.max_concurrent},
                {"owner", spec.owner},
                {"continues", spec.continues},
                {"skip_labeled", spec.skip_labeled},
                {"majority_vote", spec.majority_vote}};
  if (spec.max_human_labeled_objects) document["max_human_labeled_objects"] = *spec.max_human_labeled_objects;
  if (spec.max_percent_labeled) document["max_percent_labeled"] = *spec.max_percent_labeled;
  return document;
}

Result<JobFilter::SortBy> parse_sort(const std::string& text) {
  if (text == "name") return JobFilter::SortBy::kName;
  if (text == "created") return JobFilter::SortBy::kCreationTime;
  if (text == "status") return JobFilter::SortBy::kStatus;
  return fail(ErrorCode::kInvalidArgument, "'sort' is '{}': allowed are name, created, status", text);
}

Result<labeling::ObjectState> parse_object_state(const std::string& text) {
  using enum labeling::ObjectState;
  for (const auto state : {kWaiting, kOpen, kReady, kLabeled, kFailed, kPassed})
    if (text == labeling::object_state_name(state)) return state;
  return fail(ErrorCode::kInvalidArgument,
              "'state' is '{}': allowed are waiting, open, ready, labeled, failed, passed", text);
}

}  // namespace

json job_json(const JobRecord& record) {
  const labeling::LabelCounters& counters = record.counters;
  return json{{"id", record.id},
              {"name", record.spec.name},
              {"status", labeling::job_status_name(record.status)},
              {"failure_reason", record.failure_reason},
              {"created", time_text(record.created)},
              {"modified", time_text(record.modified)},
              {"objects", record.objects},
              {"counters",
               {{"total_labeled", counters.total_labeled},
                {"human_labeled", counters.human_labeled},
                {"machine_labeled", counters.machine_labeled},
                {"failed_non_retryable", counters.failed_non_retryable},
                {"unlabeled", counters.unlabeled}}},
              {"output_dataset_uri", record.output_dataset_uri},
              {"reference_code", record.reference_code},
              {"spec", spec_json(record.spec)}};
}

http::Response job_answer(int status, const JobRecord& record) {
  return json_answer(status, json{{"job", job_json(record)}});
}

Result<std::int64_t> object_index(const Call& call) {
  const std::string text = call.parameter("index");
  std::int64_t index = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size() || index < 0)
    return fail(ErrorCode::kNotFound, "'{}' is no object's index", text);
  return index;
}

Status Portal::Implementation::require_job(const Row& row, const Call& call) const {
  if (!row.pattern.starts_with("/_/api/requester/jobs/{name}")) return {};
  TERRAPIN_TRY(const JobRecord record, context_.jobs.describe(call.parameter("name")));
  TERRAPIN_TRY(const storage::ObjectName output, storage::parse_s3_uri(record.spec.output_uri));
  return require_bucket(call, output.bucket);
}

Portal::Implementation::Handled Portal::Implementation::jobs(Call& call) {
  QueryFields query(call.request);
  JobFilter filter;
  filter.name_contains = query.text("name_contains").value_or("");
  filter.workteam_arn = query.text("workteam_arn").value_or("");
  const auto status = query.text("status"), sort = query.text("sort");
  filter.descending = query.flag_or("descending", true);
  filter.offset = query.integer_or("offset", 0, 0, INT32_MAX);
  filter.limit = static_cast<int>(query.integer_or("limit", 100, 1, 100));
  TERRAPIN_TRY_STATUS(query.finish());
  if (status) {
    TERRAPIN_TRY(filter.status, labeling::parse_job_status(*status));
  }
  if (sort) {
    TERRAPIN_TRY(filter.sort_by, parse_sort(*sort));
  }
  TERRAPIN_TRY(const labeling::JobPage found, context_.jobs.list(filter));
  json list = json::array();
  std::map<std::string, bool> may_use;  // by bucket
  const std::string principal = identity::principal_of(call.account());
  for (const JobRecord& record : found.jobs) {
    TERRAPIN_TRY(const storage::ObjectName output, storage::parse_s3_uri(record.spec.output_uri));
    const auto [may, fresh] = may_use.emplace(output.bucket, false);
    if (fresh) {
      TERRAPIN_TRY(may->second, context_.may_read(principal, output.bucket));
    }
    if (may->second) list.push_back(job_json(record));
  }
  return json_answer(200, json{{"jobs", std::move(list)}, {"more", found.more}});
}

Portal::Implementation::Handled Portal::Implementation::job(Call& call) {
  TERRAPIN_TRY(const JobRecord record, context_.jobs.describe(call.parameter("name")));
  return job_answer(200, record);
}

Portal::Implementation::Handled Portal::Implementation::stop_job(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const JobRecord record, context_.jobs.stop(call.parameter("name")));
  return job_answer(200, record);
}

Portal::Implementation::Handled Portal::Implementation::clone_job(Call& call) {
  Fields fields(call.body);
  const std::string new_name = fields.text("new_name");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const JobRecord record,
               context_.jobs.clone(call.parameter("name"), new_name, identity::principal_of(call.account())));
  return job_answer(201, record);
}

Portal::Implementation::Handled Portal::Implementation::continue_job(Call& call) {
  Fields fields(call.body);
  const std::string new_name = fields.text("new_name");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const JobRecord record, context_.jobs.continue_job(call.parameter("name"), new_name,
                                                                  identity::principal_of(call.account())));
  return job_answer(201, record);
}

// The job as it was asked for, with what the body says in its place; it is the asker's.
Portal::Implementation::Handled Portal::Implementation::chain_job(Call& call) {
  TERRAPIN_TRY(const JobRecord before, context_.jobs.describe(call.parameter("name")));
  JobSpec spec = before.spec;
  Fields fields(call.body);
  spec.name = fields.text("new_name");
  spec.label_attribute = fields.text_or("label_attribute", spec.label_attribute);
  spec.output_uri = fields.text_or("output_uri", spec.output_uri);
  spec.categories_uri = fields.text_or("categories_uri", spec.categories_uri);
  const bool own_template = fields.has("template_uri");
  spec.template_uri = fields.text_or("template_uri", spec.template_uri);
  spec.workteam_arn = fields.text_or("workteam_arn", spec.workteam_arn);
  spec.pre_function =
      labeling::FunctionReference::of_arn(fields.text_or("pre_function_arn", spec.pre_function.arn));
  spec.post_function =
      labeling::FunctionReference::of_arn(fields.text_or("post_function_arn", spec.post_function.arn));
  // Who judges masks needs another page than who paints them.
  const auto judges = [](const JobSpec& one) {
    return labeling::task_kind(one) == labeling::TaskKind::kVerification;
  };
  if (!own_template && judges(spec) != judges(before.spec)) spec.template_uri.clear();
  spec.keywords = fields.texts_or("keywords", spec.keywords);
  spec.title = fields.text_or("title", spec.title);
  spec.description = fields.text_or("description", spec.description);
  read_pace(fields, spec);
  spec.skip_labeled = fields.flag_or("skip_labeled", spec.skip_labeled);
  spec.majority_vote = fields.flag_or("majority_vote", spec.majority_vote);
  TERRAPIN_TRY_STATUS(fields.finish());
  spec.owner = identity::principal_of(call.account());
  TERRAPIN_TRY_STATUS(require_team(spec.workteam_arn));
  TERRAPIN_TRY(const JobRecord record, context_.jobs.chain(before.spec.name, std::move(spec)));
  return job_answer(201, record);
}

Portal::Implementation::Handled Portal::Implementation::objects(Call& call) {
  QueryFields query(call.request);
  labeling::ObjectFilter filter;
  const auto state = query.text("state");
  filter.min_disagreement = query.number_or("min_disagreement", filter.min_disagreement);
  filter.most_disputed_first = query.flag_or("most_disputed_first", false);
  filter.offset = query.integer_or("offset", 0, 0, INT64_MAX);
  filter.limit = static_cast<int>(query.integer_or("limit", 100, 1, 1000));
  TERRAPIN_TRY_STATUS(query.finish());
  if (state) {
    TERRAPIN_TRY(filter.state, parse_object_state(*state));
  }
  TERRAPIN_TRY(const auto found, context_.jobs.objects(call.parameter("name"), filter));
  json list = json::array();
  for (const labeling::ObjectRecord& object : found) {
    list.push_back(json{{"index", object.index},
                        {"source_uri", object.source_uri},
                        {"state", labeling::object_state_name(object.state)},
                        {"answers", object.answers},
                        {"declines", object.declines},
                        {"mask_uri", object.mask_uri},
                        {"failure_reason", object.failure_reason},
                        {"confidence", object.confidence},
                        {"disagreement", object.disagreement}});
  }
  return json_answer(200, json{{"objects", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::object_answers(Call& call) {
  TERRAPIN_TRY(const std::int64_t index, object_index(call));
  TERRAPIN_TRY(const auto found, context_.jobs.answers(call.parameter("name"), index));
  json list = json::array();
  for (const labeling::AnswerRecord& one : found) {
    list.push_back(json{{"assignment_id", one.assignment_id},
                        {"worker_id", one.worker_id},
                        {"answer_uri", one.answer_uri},
                        {"accepted", time_text(one.accepted)},
                        {"submitted", time_text(one.submitted)},
                        {"withdrawn", one.withdrawn}});
  }
  return json_answer(200, json{{"answers", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::reopen_object(Call& call) {
  Fields fields(call.body);
  const bool discard = fields.flag_or("discard_answers", false);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const std::int64_t index, object_index(call));
  TERRAPIN_TRY_STATUS(context_.jobs.reopen_object(call.parameter("name"), index, discard));
  return json_answer(200, json::object());
}

Portal::Implementation::Handled Portal::Implementation::job_workers(Call& call) {
  TERRAPIN_TRY(const auto found, context_.jobs.workers(call.parameter("name")));
  json list = json::array();
  for (const labeling::WorkerStatistics& one : found) {
    list.push_back(json{{"worker_id", one.worker_id},
                        {"submitted", one.submitted},
                        {"declined", one.declined},
                        {"returned", one.returned},
                        {"expired", one.expired},
                        {"seconds_spent", one.seconds_spent},
                        {"reliability", one.reliability ? json(*one.reliability) : json()}});
  }
  return json_answer(200, json{{"workers", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::withdraw_worker(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(context_.jobs.withdraw_worker(call.parameter("name"), call.parameter("worker")));
  return json_answer(200, json::object());
}

}  // namespace terrapin::portal
