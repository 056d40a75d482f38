// What workers do.
#include "base/json_text.h"
#include "portal/fields.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

constexpr std::size_t kMaxTabBytes = 128, kMaxReasonBytes = 2000;

Status check_tab(const std::string& tab) {
  if (!tab.empty() && tab.size() <= kMaxTabBytes) return {};
  return fail(ErrorCode::kInvalidArgument, "'tab' has {} bytes: allowed are 1 to {}", tab.size(),
              kMaxTabBytes);
}

// The answer travels as it came: TaskService reads it.
Result<std::string> answer_text(const Call& call, std::int64_t limit) {
  if (call.request.body_bytes() == 0) return fail(ErrorCode::kInvalidArgument, "the body must be the answer");
  if (call.request.spooled) return read_all_text(*call.request.spooled, limit);
  return std::string(call.request.text());
}

}  // namespace

Result<labeling::Worker> Portal::Implementation::worker(const Call& call) const {
  const identity::Account& account = call.account();
  labeling::Worker worker;
  worker.id = account.id;
  TERRAPIN_TRY(worker.workteam_arns, context_.teams_of(account.groups));
  const bool local = account.issuer.empty();
  worker.identity_provider = local ? "Terrapin" : "Oidc";
  worker.issuer = local ? context_.options.local_issuer : account.issuer;
  worker.subject = local ? account.id : account.subject;
  return worker;
}

json Portal::Implementation::assignment_json(const labeling::Assignment& assignment) const {
  // Zero only at the end: a page that read it goes on to the next lease at once.
  const auto left = std::chrono::ceil<std::chrono::seconds>(assignment.deadline - context_.clock.now());
  const bool leased = assignment.state == labeling::AssignmentState::kLeased;
  return json{{"id", assignment.id},
              {"job_name", assignment.job_name},
              {"object_index", assignment.object_index},
              {"state", labeling::assignment_state_name(assignment.state)},
              {"accepted", time_text(assignment.accepted)},
              {"deadline", time_text(assignment.deadline)},
              {"remaining_seconds", leased ? std::max<std::int64_t>(0, left.count()) : 0},
              {"submitted", assignment.submitted ? json(time_text(*assignment.submitted)) : json()},
              {"correctable", assignment.correctable}};
}

Portal::Implementation::Handled Portal::Implementation::worker_jobs(Call& call) {
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const std::vector<labeling::WorkerJob> jobs, context_.tasks.jobs(who));
  json list = json::array();
  for (const labeling::WorkerJob& job : jobs) {
    json one{{"job_name", job.job_name},          {"title", job.title},
             {"description", job.description},    {"workteam_arn", job.workteam_arn},
             {"keywords", job.keywords},          {"task_time_limit_s", job.task_time_limit_s},
             {"created", time_text(job.created)}, {"available", job.available}};
    if (job.price) {
      one["price"] = json{{"dollars", job.price->dollars},
                          {"cents", job.price->cents},
                          {"tenth_fractions_of_a_cent", job.price->tenth_fractions_of_a_cent}};
    }
    list.push_back(std::move(one));
  }
  return json_answer(200, json{{"jobs", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::accept_next(Call& call) {
  Fields fields(call.body);
  const std::string job = fields.text_or("job", "");
  const bool prefetch = fields.flag_or("prefetch", false);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const auto lease, context_.tasks.accept_next(who, job, prefetch));
  if (!lease) return json_answer(200, json{{"assignment", nullptr}});
  return json_answer(201, json{{"assignment", assignment_json(*lease)}});
}

Portal::Implementation::Handled Portal::Implementation::history(Call& call) {
  QueryFields query(call.request);
  const std::int64_t offset = query.integer_or("offset", 0, 0, INT32_MAX);
  const std::int64_t limit = query.integer_or("limit", 50, 1, 200);
  TERRAPIN_TRY_STATUS(query.finish());
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const auto assignments, context_.tasks.history(who, offset, static_cast<int>(limit)));
  json list = json::array();
  for (const labeling::Assignment& one : assignments) list.push_back(assignment_json(one));
  return json_answer(200, json{{"assignments", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::previous(Call& call) {
  QueryFields query(call.request);
  const auto job = query.text("job"), before = query.text("before");
  TERRAPIN_TRY_STATUS(query.finish());
  if (!job) return fail(ErrorCode::kInvalidArgument, "the query needs 'job', a job's name");
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const auto id, context_.tasks.previous(who, *job, before.value_or("")));
  return json_answer(200, json{{"assignment_id", id ? json(*id) : json()}});
}

Portal::Implementation::Handled Portal::Implementation::assignment(Call& call) {
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::Assignment lease, context_.tasks.assignment(who, call.parameter("id")));
  return json_answer(200, json{{"assignment", assignment_json(lease)}});
}

Portal::Implementation::Handled Portal::Implementation::content(Call& call) {
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::TaskContent content, context_.tasks.content(who, call.parameter("id")));
  if (!json::accept(content.task_input_json))
    return fail(ErrorCode::kInternal, "the task input of assignment {} is no JSON", content.assignment.id);
  TERRAPIN_TRY(json images, image_urls(call, content));
  // The input goes in as it stands: it may be nested deeper than writing it again could bear.
  std::string document = json_text(
      json{{"assignment", assignment_json(content.assignment)},
           {"title", content.title},
           {"description", content.description},
           {"template", content.template_html},
           {"labels", content.labels},
           {"colors", content.colors},
           {"voids", content.voids},
           {"index", content.indices},
           {"label_attribute", content.label_attribute},
           {"images", std::move(images)},
           {"assistance", assistance_json()},
           {"draft", {{"owner", content.draft_owner}, {"next_sequence", content.draft_next_sequence}}}});
  document.pop_back();
  document.append(",\"task_input\":").append(content.task_input_json).append("}");
  return http::Response::json(200, document);
}

Portal::Implementation::Handled Portal::Implementation::heartbeat(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::Assignment lease, context_.tasks.assignment(who, call.parameter("id")));
  const json whole = assignment_json(lease);
  return json_answer(200, json{{"state", whole["state"]},
                               {"remaining_seconds", whole["remaining_seconds"]},
                               {"now", time_text(context_.clock.now())}});
}

Portal::Implementation::Handled Portal::Implementation::draft(Call& call) {
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::TaskContent content, context_.tasks.content(who, call.parameter("id")));
  return json_answer(200,
                     json{{"owner", content.draft_owner}, {"next_sequence", content.draft_next_sequence}});
}

Portal::Implementation::Handled Portal::Implementation::open_draft(Call& call) {
  Fields fields(call.body);
  const std::string tab = fields.text("tab");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(check_tab(tab));
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::DraftState draft, context_.tasks.open_draft(who, call.parameter("id"), tab));
  json deltas = json::array();
  for (const labeling::DraftDelta& delta : draft.deltas)
    deltas.push_back(json{{"sequence", delta.sequence}, {"data", delta.data}});
  const std::int64_t last = draft.deltas.empty() ? draft.base_sequence : draft.deltas.back().sequence;
  return json_answer(200, json{{"owner", draft.owner},
                               {"base_sequence", draft.base_sequence},
                               {"snapshot", draft.snapshot},
                               {"deltas", std::move(deltas)},
                               {"next_sequence", last + 1}});
}

Portal::Implementation::Handled Portal::Implementation::save_deltas(Call& call) {
  Fields fields(call.body);
  const std::string tab = fields.text("tab");
  std::vector<labeling::DraftDelta> deltas;
  const json* list = fields.list("deltas");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(check_tab(tab));
  for (const json& one : *list) {
    Fields members(one);
    labeling::DraftDelta delta;
    delta.sequence = members.integer("sequence", 1, INT64_MAX);
    delta.data = members.text("data");
    TERRAPIN_TRY_STATUS(members.finish());
    deltas.push_back(std::move(delta));
  }
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const std::int64_t next, context_.tasks.save_draft(who, call.parameter("id"), tab, deltas));
  return json_answer(200, json{{"next_sequence", next}});
}

Portal::Implementation::Handled Portal::Implementation::save_snapshot(Call& call) {
  Fields fields(call.body);
  const std::string tab = fields.text("tab"), snapshot = fields.text("snapshot");
  const std::int64_t base = fields.integer("base_sequence", 0, INT64_MAX);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(check_tab(tab));
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY_STATUS(context_.tasks.save_snapshot(who, call.parameter("id"), tab, base, snapshot));
  return json_answer(200, json{{"base_sequence", base}});
}

Portal::Implementation::Handled Portal::Implementation::discard_draft(Call& call) {
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY_STATUS(context_.tasks.discard_draft(who, call.parameter("id")));
  return json_answer(200, json::object());
}

Portal::Implementation::Handled Portal::Implementation::submit(Call& call) {
  TERRAPIN_TRY(const std::string text, answer_text(call, context_.options.limits.max_answer_bytes));
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::Assignment lease, context_.tasks.submit(who, call.parameter("id"), text));
  return json_answer(200, json{{"assignment", assignment_json(lease)}});
}

Portal::Implementation::Handled Portal::Implementation::answer(Call& call) {
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const std::string text, context_.tasks.answer(who, call.parameter("id")));
  return http::Response::json(200, text);
}

Portal::Implementation::Handled Portal::Implementation::correct(Call& call) {
  TERRAPIN_TRY(const std::string text, answer_text(call, context_.options.limits.max_answer_bytes));
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  const std::string id = call.parameter("id");
  TERRAPIN_TRY(const labeling::Assignment before, context_.tasks.assignment(who, id));
  if (!before.correctable) {
    return fail(ErrorCode::kConflict, "assignment '{}' is {} and cannot be corrected", id,
                before.state == labeling::AssignmentState::kSubmitted
                    ? "consolidated"
                    : labeling::assignment_state_name(before.state));
  }
  TERRAPIN_TRY(const labeling::Assignment after, context_.tasks.submit(who, id, text));
  return json_answer(200, json{{"assignment", assignment_json(after)}});
}

Portal::Implementation::Handled Portal::Implementation::give_back(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::Assignment lease, context_.tasks.give_back(who, call.parameter("id")));
  return json_answer(200, json{{"assignment", assignment_json(lease)}});
}

Portal::Implementation::Handled Portal::Implementation::decline(Call& call) {
  Fields fields(call.body);
  const std::string reason = fields.text("reason");
  TERRAPIN_TRY_STATUS(fields.finish());
  if (reason.empty() || reason.size() > kMaxReasonBytes) {
    return fail(ErrorCode::kInvalidArgument, "'reason' has {} bytes: allowed are 1 to {}", reason.size(),
                kMaxReasonBytes);
  }
  TERRAPIN_TRY(const labeling::Worker who, worker(call));
  TERRAPIN_TRY(const labeling::Assignment lease, context_.tasks.decline(who, call.parameter("id"), reason));
  return json_answer(200, json{{"assignment", assignment_json(lease)}});
}

}  // namespace terrapin::portal
