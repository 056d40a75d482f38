#include "labeling/tasks/tasks.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "artifacts/json_fields.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/utf8.h"
#include "crypto/secrets.h"
#include "imaging/codecs.h"
#include "labeling/jobs/output.h"
#include "labeling/jobs/void_label.h"
#include "labeling/tasks/answer.h"
#include "labeling/tasks/template.h"

namespace terrapin::labeling {
namespace {

using storage::Transaction;
using storage::Value;
using I = std::int64_t;
using S = std::string;

tl::unexpected<Error> no_such_task(const std::string& id) {
  return fail(ErrorCode::kNotFound, "there is no task '{}'", id);
}

// The assignment, if it is this worker's and its job is still sent to one of their teams.
Result<AssignmentRow> own_assignment(Transaction& state, const Worker& worker, const std::string& id) {
  TERRAPIN_TRY(auto assignment, find_assignment(state, id));
  if (!assignment || assignment->worker_id != worker.id) return no_such_task(id);
  TERRAPIN_TRY(const auto team, (state.select_one<S>("SELECT workteam_arn FROM labeling_jobs WHERE id = ?",
                                                     assignment->job_id)));
  const std::vector<std::string>& teams = worker.workteam_arns;
  if (!team || std::find(teams.begin(), teams.end(), std::get<0>(*team)) == teams.end())
    return no_such_task(id);
  return std::move(*assignment);
}

Status require_lease(const AssignmentRow& assignment, Timestamp now) {
  if (assignment.state != AssignmentState::kLeased)
    return fail(ErrorCode::kConflict, "the task is {}", assignment_state_name(assignment.state));
  if (assignment.deadline <= now)
    return fail(ErrorCode::kConflict, "the time for the task ended at {}Z", iso_text(assignment.deadline));
  return {};
}

// Text that both databases hold: UTF-8 without zero bytes.
Status check_text(std::string_view text, const char* what) {
  if (text.find('\0') != std::string_view::npos)
    return fail(ErrorCode::kInvalidArgument, "{} holds a zero byte", what);
  if (!is_utf8(text)) return fail(ErrorCode::kInvalidArgument, "{} is not UTF-8", what);
  return {};
}

Status check_tab(const std::string& tab) {
  if (tab.empty() || tab.size() > 100)
    return fail(ErrorCode::kInvalidArgument, "the tab's id has {} characters; 1 to 100 are allowed",
                tab.size());
  return check_text(tab, "the tab's id");
}

struct DraftRow {
  std::string owner, snapshot;
  std::int64_t base = 0, next = 1, bytes = 0;
};

Result<std::optional<DraftRow>> find_draft(Transaction& state, const AssignmentRow& assignment,
                                           bool with_snapshot) {
  TERRAPIN_TRY(
      auto row,
      (state.select_one<S, I, I, I, S>(
          with_snapshot ? "SELECT owner, base_sequence, next_sequence, bytes, snapshot FROM labeling_drafts "
                          "WHERE worker_id = ? AND job_id = ? AND idx = ?"
                        : "SELECT owner, base_sequence, next_sequence, bytes, '' FROM labeling_drafts WHERE "
                          "worker_id = ? AND job_id = ? AND idx = ?",
          assignment.worker_id, assignment.job_id, assignment.index)));
  if (!row) return std::optional<DraftRow>();
  return std::optional<DraftRow>(DraftRow{std::get<0>(*row), std::get<4>(*row), std::get<1>(*row),
                                          std::get<2>(*row), std::get<3>(*row)});
}

Status delete_draft(Transaction& state, const AssignmentRow& assignment) {
  for (const char* table : {"labeling_draft_deltas", "labeling_drafts"}) {
    TERRAPIN_TRY_STATUS(
        state.run(fmt::format("DELETE FROM {} WHERE worker_id = ? AND job_id = ? AND idx = ?", table),
                  assignment.worker_id, assignment.job_id, assignment.index));
  }
  return {};
}

// The draft, owned by `tab`.
Result<DraftRow> owned_draft(Transaction& state, const AssignmentRow& assignment, const std::string& tab) {
  TERRAPIN_TRY(auto draft, find_draft(state, assignment, false));
  if (!draft) return fail(ErrorCode::kConflict, "the draft is not open; open it first");
  if (draft->owner != tab)
    return fail(ErrorCode::kConflict, "the draft is open in another tab, which has taken it over");
  return std::move(*draft);
}

Status check_draft_room(Transaction& state, const AssignmentRow& assignment, const TaskLimits& limits,
                        std::int64_t bytes_before, std::int64_t bytes_after) {
  if (bytes_after > limits.max_draft_bytes)
    return fail(ErrorCode::kTooLarge, "the draft would have {} bytes; {} are allowed: save a snapshot first",
                bytes_after, limits.max_draft_bytes);
  TERRAPIN_TRY(const auto all,
               state.select_one<std::optional<I>>(
                   "SELECT SUM(bytes) FROM labeling_drafts WHERE worker_id = ?", assignment.worker_id));
  const std::int64_t total = std::get<0>(*all).value_or(0) - bytes_before + bytes_after;
  if (total > limits.max_worker_draft_bytes)
    return fail(ErrorCode::kTooLarge,
                "your drafts would have {} bytes; {} are allowed: submit or discard some", total,
                limits.max_worker_draft_bytes);
  return {};
}

Status leave_object(Transaction& state, const std::string& job_id, std::int64_t index, Timestamp now,
                    bool declined) {
  TERRAPIN_TRY(auto job, find_job_head(state, job_id));
  TERRAPIN_TRY(auto object, find_object(state, job_id, index));
  if (!job || !object) return fail(ErrorCode::kInternal, "object {} of job {} is gone", index, job_id);
  if (declined) ++object->declines;
  TERRAPIN_TRY_STATUS(settle_object(state, *job, *object, now));
  return save_counts(state, *job);
}

using Leases = std::vector<std::tuple<S, S, I>>;  // id, job, object

Result<Leases> due_leases(Transaction& state, Timestamp now, int limit) {
  return state.select<S, S, I>(
      "SELECT id, job_id, idx FROM labeling_assignments WHERE state = 'leased' AND "
      "deadline <= ? ORDER BY deadline LIMIT ?",
      to_microseconds(now), limit);
}

Result<Leases> due_leases_of(Transaction& state, const std::string& worker_id, Timestamp now) {
  return state.select<S, S, I>(
      "SELECT id, job_id, idx FROM labeling_assignments WHERE worker_id = ? AND state = 'leased' AND "
      "deadline <= ?",
      worker_id, to_microseconds(now));
}

// Ends leases; adds their jobs to `jobs`.
Status end_leases(Transaction& state, const Leases& leases, AssignmentState to, const std::string& reason,
                  Timestamp now, std::set<std::string>& jobs) {
  for (const auto& [id, job_id, index] : leases) {
    TERRAPIN_TRY_STATUS(state.run("UPDATE labeling_assignments SET state = ?, reason = ? WHERE id = ?",
                                  assignment_state_name(to), reason, id));
    TERRAPIN_TRY_STATUS(leave_object(state, job_id, index, now, false));
    jobs.insert(job_id);
  }
  return {};
}

// Ends the leases that `find(state, now)` gives, wakes their jobs and tells how many they were.
template <class Find>
Result<std::int64_t> end_found_leases(Core& core, AssignmentState to, const std::string& reason, Find find) {
  std::int64_t count = 0;
  std::set<std::string> jobs;
  TERRAPIN_TRY_STATUS(core.state.write([&](Transaction& state) -> Status {
    jobs.clear();
    const Timestamp now = core.clock.now();
    TERRAPIN_TRY(const Leases leases, find(state, now));
    count = static_cast<std::int64_t>(leases.size());
    return end_leases(state, leases, to, reason, now, jobs);
  }));
  for (const std::string& job : jobs) core.wake(job);
  return count;
}

// Ends the worker's own leases that are over, so that they hear of no state that the next look at the clock
// changes.
Status expire_own(Core& core, const std::string& worker_id) {
  Leases due;
  TERRAPIN_TRY_STATUS(core.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(due, due_leases_of(state, worker_id, core.clock.now()));
    return {};
  }));
  if (due.empty()) return {};
  TERRAPIN_TRY_STATUS(end_found_leases(
      core, AssignmentState::kExpired, "",
      [&](Transaction& state, Timestamp now) { return due_leases_of(state, worker_id, now); }));
  return {};
}

}  // namespace

Result<std::vector<WorkerJob>> Tasks::jobs(const Worker& worker) {
  TERRAPIN_TRY_STATUS(expire_own(core_, worker.id));
  std::vector<WorkerJob> result;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    result.clear();
    for (const std::string& team : worker.workteam_arns) {
      const Value values[] = {team};
      TERRAPIN_TRY(const auto jobs,
                   select_jobs(state, "WHERE workteam_arn = ? AND status = 'InProgress'", values));
      for (const JobHead& job : jobs) {
        TERRAPIN_TRY(
            const auto available,
            state.select_one<I>(
                "SELECT COUNT(*) FROM labeling_objects o WHERE o.job_id = ? AND o.state = 'open' AND o.slots "
                "> "
                "0 AND NOT EXISTS (SELECT 1 FROM labeling_assignments a WHERE a.job_id = o.job_id AND a.idx "
                "= "
                "o.idx AND a.worker_id = ? AND a.state IN ('leased', 'submitted', 'declined', 'withdrawn'))",
                job.id, worker.id));
        result.push_back({job.spec.name, job.spec.title, job.spec.description, job.spec.workteam_arn,
                          job.spec.keywords, job.spec.task_time_limit_s, job.created, std::get<0>(*available),
                          job.spec.price});
      }
    }
    return {};
  }));
  std::stable_sort(result.begin(), result.end(),
                   [](const WorkerJob& a, const WorkerJob& b) { return a.created < b.created; });
  return result;
}

Result<std::optional<Assignment>> Tasks::accept_next(const Worker& worker, const std::string& job_name,
                                                     bool prefetch) {
  std::optional<Assignment> result;
  std::set<std::string> freed;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    result.reset();
    freed.clear();
    const Timestamp now = core_.clock.now();
    // Who goes on at the end of a lease gets that photo again: it does not wait for the next look at the
    // clock.
    TERRAPIN_TRY(const Leases due, due_leases_of(state, worker.id, now));
    TERRAPIN_TRY_STATUS(end_leases(state, due, AssignmentState::kExpired, "", now, freed));
    struct Candidate {
      std::string id, name;
      std::int64_t created, time_limit_s;
    };
    std::vector<Candidate> candidates;
    for (const std::string& team : worker.workteam_arns) {
      const Value values[] = {team};
      TERRAPIN_TRY(const auto jobs,
                   select_jobs(state, "WHERE workteam_arn = ? AND status = 'InProgress'", values));
      for (const JobHead& job : jobs)
        if (job_name.empty() || job.spec.name == job_name)
          candidates.push_back(
              {job.id, job.spec.name, to_microseconds(job.created), job.spec.task_time_limit_s});
    }
    if (!job_name.empty() && candidates.empty())
      return fail(ErrorCode::kNotFound, "there is no running job '{}' for your teams", job_name);
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.created < b.created; });

    const Value own[] = {worker.id, to_microseconds(now)};
    TERRAPIN_TRY(
        const auto leases,
        select_assignments(state,
                           "WHERE a.worker_id = ? AND a.state = 'leased' AND a.deadline > ? AND j.status = "
                           "'InProgress' ORDER BY a.accepted, a.id",
                           own));
    if (!prefetch) {
      for (const AssignmentRow& lease : leases)
        if (job_name.empty() || lease.job_name == job_name) {
          result = lease.assignment();
          return {};
        }
    }
    if (static_cast<int>(leases.size()) >= core_.options.tasks.max_leases_per_worker)
      return fail(ErrorCode::kConflict, "you hold {} tasks; at most {} at once: submit or return one",
                  leases.size(), core_.options.tasks.max_leases_per_worker);

    for (const Candidate& job : candidates) {
      TERRAPIN_TRY(const auto found,
                   state.select_one<I>("SELECT o.idx FROM labeling_objects o WHERE o.job_id = ? AND o.state "
                                       "= 'open' AND o.slots > 0 AND "
                                       "NOT EXISTS (SELECT 1 FROM labeling_assignments a WHERE a.job_id = "
                                       "o.job_id AND a.idx = o.idx AND "
                                       "a.worker_id = ? AND a.state IN ('leased', 'submitted', 'declined', "
                                       "'withdrawn')) ORDER BY o.idx "
                                       "LIMIT 1",
                                       job.id, worker.id));
      if (!found) continue;
      Assignment assignment;
      assignment.id = crypto::random_uuid();
      assignment.job_name = job.name;
      assignment.object_index = std::get<0>(*found);
      assignment.accepted = now;
      assignment.deadline = now + std::chrono::seconds(job.time_limit_s);
      const nlohmann::json identity{{"identityProviderType", worker.identity_provider},
                                    {"issuer", worker.issuer},
                                    {"sub", worker.subject}};
      TERRAPIN_TRY_STATUS(state.run(
          "INSERT INTO labeling_assignments (id, job_id, idx, worker_id, state, accepted, deadline, "
          "submitted, reason, "
          "answer_uri, mask_uri, identity) VALUES (?, ?, ?, ?, 'leased', ?, ?, NULL, '', '', '', ?)",
          assignment.id, job.id, assignment.object_index, worker.id, to_microseconds(now),
          to_microseconds(assignment.deadline), json_text(identity)));
      TERRAPIN_TRY_STATUS(
          state.run("UPDATE labeling_objects SET slots = slots - 1 WHERE job_id = ? AND idx = ?", job.id,
                    assignment.object_index));
      result = std::move(assignment);
      return {};
    }
    return {};
  }));
  for (const std::string& job : freed) core_.wake(job);
  return result;
}

Result<Assignment> Tasks::assignment(const Worker& worker, const std::string& assignment_id) {
  Assignment result;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const AssignmentRow row, own_assignment(state, worker, assignment_id));
    result = row.assignment();
    return {};
  }));
  return result;
}

Result<std::vector<Assignment>> Tasks::history(const Worker& worker, std::int64_t offset, int limit) {
  std::vector<Assignment> result;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    const Value values[] = {worker.id, static_cast<I>(std::clamp(limit, 0, 1000)), std::max<I>(offset, 0)};
    TERRAPIN_TRY(const auto rows,
                 select_assignments(
                     state, "WHERE a.worker_id = ? ORDER BY a.accepted DESC, a.id LIMIT ? OFFSET ?", values));
    result.clear();
    for (const AssignmentRow& row : rows) result.push_back(row.assignment());
    return {};
  }));
  return result;
}

Result<TaskContent> Tasks::content(const Worker& worker, const std::string& assignment_id) {
  std::optional<JobRow> job;
  std::optional<ObjectRow> object;
  TaskContent content;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const AssignmentRow row, own_assignment(state, worker, assignment_id));
    content.assignment = row.assignment();
    TERRAPIN_TRY(job, find_job_by_id(state, row.job_id));
    TERRAPIN_TRY(object, find_object(state, row.job_id, row.index));
    if (!job || !object) return no_such_task(assignment_id);
    TERRAPIN_TRY(const auto draft, find_draft(state, row, false));
    if (draft) {
      content.draft_owner = draft->owner;
      content.draft_next_sequence = draft->next;
    }
    return {};
  }));
  content.title = job->spec.title;
  content.description = job->spec.description;
  content.label_attribute = job->spec.label_attribute;
  content.template_html = job->template_html;
  nlohmann::json labels = nlohmann::json::array();
  for (int i = 1; i < job->classes.size(); ++i) {
    const artifacts::ClassEntry& entry = job->classes.classes[static_cast<std::size_t>(i)];
    content.labels.push_back(entry.name);
    content.colors.push_back(imaging::to_hex(entry.color));
    content.indices.push_back(job->file_index(i));
    content.voids.push_back(content.indices.back() != i);
    labels.push_back(entry.name);
  }
  if (!object->task_input.empty()) {
    content.task_input_json = object->task_input;
  } else {
    TERRAPIN_TRY(nlohmann::json line, artifacts::parse_json(object->line));
    nlohmann::json input{
        {"taskObject", object->source_uri}, {"labels", labels}, {"manifestLine", std::move(line)}};
    content.task_input_json = json_text(input);
  }
  std::set<std::string> uris{object->source_uri};
  collect_s3_uris_of_json(content.task_input_json, uris);
  collect_s3_uris(content.template_html, uris);
  for (const std::string& uri : uris) {
    const auto name = storage::parse_s3_uri(uri);
    if (!name || name->key.empty()) continue;
    TERRAPIN_TRY(const bool may, core_.may_read(job->spec.owner, name->bucket));
    if (!may) continue;
    content.readable_uris.push_back(uri);
  }
  return content;
}

Result<DraftState> Tasks::open_draft(const Worker& worker, const std::string& assignment_id,
                                     const std::string& tab) {
  TERRAPIN_TRY_STATUS(check_tab(tab));
  DraftState result;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    const Timestamp now = core_.clock.now();
    TERRAPIN_TRY(const AssignmentRow assignment, own_assignment(state, worker, assignment_id));
    TERRAPIN_TRY_STATUS(require_lease(assignment, now));
    TERRAPIN_TRY_STATUS(
        state.run("INSERT INTO labeling_drafts (job_id, idx, worker_id, owner, base_sequence, next_sequence, "
                  "bytes, snapshot, "
                  "modified) VALUES (?, ?, ?, ?, 0, 1, 0, '', ?) ON CONFLICT (worker_id, job_id, idx) DO "
                  "UPDATE SET owner = "
                  "excluded.owner",
                  assignment.job_id, assignment.index, worker.id, tab, to_microseconds(now)));
    TERRAPIN_TRY(const auto draft, find_draft(state, assignment, true));
    result = {};
    result.owner = tab;
    result.base_sequence = draft->base;
    result.snapshot = draft->snapshot;
    TERRAPIN_TRY(auto deltas,
                 (state.select<I, S>("SELECT sequence, data FROM labeling_draft_deltas WHERE worker_id = ? "
                                     "AND job_id = ? AND idx = ? ORDER BY sequence",
                                     worker.id, assignment.job_id, assignment.index)));
    for (auto& [sequence, data] : deltas) result.deltas.push_back({sequence, std::move(data)});
    return {};
  }));
  return result;
}

Result<std::int64_t> Tasks::save_draft(const Worker& worker, const std::string& assignment_id,
                                       const std::string& tab, const std::vector<DraftDelta>& deltas) {
  TERRAPIN_TRY_STATUS(check_tab(tab));
  if (deltas.empty()) return fail(ErrorCode::kInvalidArgument, "no deltas; at least one is expected");
  for (const DraftDelta& delta : deltas) {
    if (static_cast<I>(delta.data.size()) > core_.options.tasks.max_delta_bytes)
      return fail(ErrorCode::kTooLarge, "delta {} has {} bytes; {} are allowed", delta.sequence,
                  delta.data.size(), core_.options.tasks.max_delta_bytes);
    TERRAPIN_TRY_STATUS(check_text(delta.data, "the delta"));
  }
  for (std::size_t i = 1; i < deltas.size(); ++i)
    if (deltas[i].sequence != deltas[i - 1].sequence + 1)
      return fail(ErrorCode::kInvalidArgument, "delta {} follows delta {}; sequences have no gaps",
                  deltas[i].sequence, deltas[i - 1].sequence);
  std::int64_t next = 0;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    const Timestamp now = core_.clock.now();
    TERRAPIN_TRY(const AssignmentRow assignment, own_assignment(state, worker, assignment_id));
    TERRAPIN_TRY_STATUS(require_lease(assignment, now));
    TERRAPIN_TRY(DraftRow draft, owned_draft(state, assignment, tab));
    std::int64_t added = 0;
    for (const DraftDelta& delta : deltas) {
      if (delta.sequence < draft.next) {
        if (delta.sequence <= draft.base) continue;  // part of the snapshot since
        TERRAPIN_TRY(const auto stored,
                     state.select_one<S>("SELECT data FROM labeling_draft_deltas WHERE worker_id = ? "
                                         "AND job_id = ? AND idx = ? AND sequence = ?",
                                         worker.id, assignment.job_id, assignment.index, delta.sequence));
        if (!stored || std::get<0>(*stored) != delta.data)
          return fail(ErrorCode::kConflict, "delta {} was saved with other data; the next sequence is {}",
                      delta.sequence, draft.next);
        continue;
      }
      if (delta.sequence != draft.next)
        return fail(ErrorCode::kConflict, "delta {} leaves a gap; the next sequence is {}", delta.sequence,
                    draft.next);
      TERRAPIN_TRY_STATUS(state.run(
          "INSERT INTO labeling_draft_deltas (job_id, idx, worker_id, sequence, data) VALUES (?, ?, ?, ?, ?)",
          assignment.job_id, assignment.index, worker.id, delta.sequence, delta.data));
      added += static_cast<std::int64_t>(delta.data.size());
      ++draft.next;
    }
    next = draft.next;
    if (added == 0) return {};
    TERRAPIN_TRY_STATUS(
        check_draft_room(state, assignment, core_.options.tasks, draft.bytes, draft.bytes + added));
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_drafts SET next_sequence = ?, bytes = ?, modified = ? WHERE worker_id = ? "
                  "AND job_id = ? AND "
                  "idx = ?",
                  draft.next, draft.bytes + added, to_microseconds(now), worker.id, assignment.job_id,
                  assignment.index));
    return {};
  }));
  return next;
}

Status Tasks::save_snapshot(const Worker& worker, const std::string& assignment_id, const std::string& tab,
                            std::int64_t base_sequence, const std::string& snapshot) {
  TERRAPIN_TRY_STATUS(check_tab(tab));
  TERRAPIN_TRY_STATUS(check_text(snapshot, "the snapshot"));
  return core_.state.write([&](Transaction& state) -> Status {
    const Timestamp now = core_.clock.now();
    TERRAPIN_TRY(const AssignmentRow assignment, own_assignment(state, worker, assignment_id));
    TERRAPIN_TRY_STATUS(require_lease(assignment, now));
    TERRAPIN_TRY(const DraftRow draft, owned_draft(state, assignment, tab));
    if (base_sequence < draft.base || base_sequence >= draft.next)
      return fail(ErrorCode::kConflict, "a snapshot of sequence {} does not fit: deltas {} to {} are saved",
                  base_sequence, draft.base + 1, draft.next - 1);
    TERRAPIN_TRY_STATUS(state.run(
        "DELETE FROM labeling_draft_deltas WHERE worker_id = ? AND job_id = ? AND idx = ? AND sequence <= ?",
        worker.id, assignment.job_id, assignment.index, base_sequence));
    TERRAPIN_TRY(const auto left,
                 state.select_one<std::optional<I>>(
                     "SELECT SUM(LENGTH(data)) FROM labeling_draft_deltas WHERE worker_id = ? AND "
                     "job_id = ? AND idx = ?",
                     worker.id, assignment.job_id, assignment.index));
    const std::int64_t bytes = std::get<0>(*left).value_or(0) + static_cast<std::int64_t>(snapshot.size());
    TERRAPIN_TRY_STATUS(check_draft_room(state, assignment, core_.options.tasks, draft.bytes, bytes));
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_drafts SET base_sequence = ?, snapshot = ?, bytes = ?, modified = ? WHERE "
                  "worker_id = ? AND "
                  "job_id = ? AND idx = ?",
                  base_sequence, snapshot, bytes, to_microseconds(now), worker.id, assignment.job_id,
                  assignment.index));
    return {};
  });
}

Status Tasks::discard_draft(const Worker& worker, const std::string& assignment_id) {
  return core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const AssignmentRow assignment, own_assignment(state, worker, assignment_id));
    return delete_draft(state, assignment);
  });
}

Result<Assignment> Tasks::submit(const Worker& worker, const std::string& assignment_id,
                                 const std::string& answer_json) {
  if (static_cast<I>(answer_json.size()) > core_.options.tasks.max_answer_bytes)
    return fail(ErrorCode::kTooLarge, "the answer has {} bytes; {} are allowed", answer_json.size(),
                core_.options.tasks.max_answer_bytes);
  // May it be submitted at all: before the costly part, and again in the transaction that does it.
  const auto check = [&](const AssignmentRow& assignment, const JobHead& job) -> Status {
    if (job.status != JobStatus::kInProgress)
      return fail(ErrorCode::kConflict, "the job is {}", job_status_name(job.status));
    if (assignment.state == AssignmentState::kSubmitted) {
      if (assignment.correctable) return {};
      return fail(ErrorCode::kConflict,
                  "the answers of this object were consolidated; yours can no longer be changed");
    }
    return require_lease(assignment, core_.clock.now());
  };
  std::optional<JobRow> job;
  std::optional<ObjectRow> object;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const AssignmentRow assignment, own_assignment(state, worker, assignment_id));
    TERRAPIN_TRY(job, find_job_by_id(state, assignment.job_id));
    TERRAPIN_TRY(object, find_object(state, assignment.job_id, assignment.index));
    if (!job || !object) return no_such_task(assignment_id);
    return check(assignment, *job);
  }));

  TERRAPIN_TRY(const OutputLayout layout, OutputLayout::of(job->spec));
  const std::string file =
      fmt::format("{}_{}", assignment_id, crypto::random_text(8));  // a correction gets new files
  const storage::ObjectName answer_name = layout.answer(object->index, file, ".json");
  std::string mask_uri;
  const bool built_in = job->spec.post_function.built_in();
  if (built_in && task_kind(job->spec) == TaskKind::kVerification) {
    TERRAPIN_TRY_STATUS(read_choice_answer(answer_json, job->classes));
  } else if (built_in) {
    TERRAPIN_TRY(const imaging::Size photo, core_.photo_sizes.of(object->source_uri));
    if (photo.area() > core_.options.tasks.max_answer_pixels)
      return fail(ErrorCode::kTooLarge, "the photo has {} pixels; masks of at most {} are taken",
                  photo.area(), core_.options.tasks.max_answer_pixels);
    Bytes png;
    {
      const auto lease = core_.pixels.take(photo.area());
      TERRAPIN_TRY(MaskAnswer answer,
                   read_mask_answer(answer_json, job->classes, photo, core_.options.tasks.max_answer_pixels));
      to_file_indices(*job, answer.mask);
      TERRAPIN_TRY(png, imaging::encode_indexed_png(answer.mask, file_palette(*job)));
    }
    const storage::ObjectName mask_name = layout.answer(object->index, file, ".png");
    TERRAPIN_TRY_STATUS(core_.store.put(mask_name, *bytes_source(std::move(png)), "image/png"));
    mask_uri = storage::s3_uri(mask_name);
  } else {
    TERRAPIN_TRY(const nlohmann::json answer, artifacts::parse_json(answer_json));
    if (!answer.is_object()) return fail(ErrorCode::kInvalidArgument, "the answer is not a JSON object");
  }
  TERRAPIN_TRY_STATUS(core_.store.put(answer_name, *bytes_source(answer_json), "application/json"));

  Assignment result;
  std::vector<std::string> superseded;
  bool ready = false;
  auto written = core_.state.write([&](Transaction& state) -> Status {
    superseded.clear();
    const Timestamp now = core_.clock.now();
    TERRAPIN_TRY(const AssignmentRow assignment, own_assignment(state, worker, assignment_id));
    TERRAPIN_TRY(auto now_job, find_job_head(state, assignment.job_id));
    TERRAPIN_TRY(auto now_object, find_object(state, assignment.job_id, assignment.index));
    if (!now_job || !now_object) return no_such_task(assignment_id);
    TERRAPIN_TRY_STATUS(check(assignment, *now_job));
    const bool correction = assignment.state == AssignmentState::kSubmitted;
    if (correction) superseded = {assignment.answer_uri, assignment.mask_uri};
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_assignments SET state = 'submitted', submitted = ?, answer_uri = ?, "
                  "mask_uri = ? WHERE id = ?",
                  to_microseconds(now), storage::s3_uri(answer_name), mask_uri, assignment_id));
    TERRAPIN_TRY_STATUS(delete_draft(state, assignment));
    if (!correction) {
      ++now_object->answers;
      TERRAPIN_TRY_STATUS(settle_object(state, *now_job, *now_object, now));
      TERRAPIN_TRY_STATUS(save_counts(state, *now_job));
    }
    ready = now_object->state == ObjectState::kReady;
    TERRAPIN_TRY(const AssignmentRow after, own_assignment(state, worker, assignment_id));
    result = after.assignment();
    return {};
  });
  if (!written) {
    // The answer does not count: its files go. Not so where the outcome is unknown.
    if (written.error().code == ErrorCode::kConflict || written.error().code == ErrorCode::kNotFound) {
      (void)core_.store.remove(answer_name);
      if (!mask_uri.empty()) (void)core_.store.remove(layout.answer(object->index, file, ".png"));
    }
    return tl::unexpected<Error>(std::move(written.error()));
  }
  for (const std::string& uri : superseded)
    if (const auto name = storage::parse_s3_uri(uri); name) (void)core_.store.remove(*name);
  if (ready) core_.wake(job->id);
  return result;
}

Result<Assignment> Tasks::end_lease(const Worker& worker, const std::string& assignment_id,
                                    AssignmentState to, const std::string& reason) {
  Assignment result;
  std::string job_id;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    const Timestamp now = core_.clock.now();
    TERRAPIN_TRY(AssignmentRow assignment, own_assignment(state, worker, assignment_id));
    if (assignment.state != to) {  // said twice is said once
      TERRAPIN_TRY_STATUS(require_lease(assignment, now));
      TERRAPIN_TRY_STATUS(state.run("UPDATE labeling_assignments SET state = ?, reason = ? WHERE id = ?",
                                    assignment_state_name(to), reason, assignment_id));
      TERRAPIN_TRY_STATUS(
          leave_object(state, assignment.job_id, assignment.index, now, to == AssignmentState::kDeclined));
      if (to == AssignmentState::kDeclined) {
        TERRAPIN_TRY_STATUS(delete_draft(state, assignment));
      }
    }
    assignment.state = to;
    job_id = assignment.job_id;
    result = assignment.assignment();
    return {};
  }));
  core_.wake(job_id);
  return result;
}

Result<Assignment> Tasks::decline(const Worker& worker, const std::string& assignment_id,
                                  const std::string& reason) {
  if (reason.size() > 4000)
    return fail(ErrorCode::kInvalidArgument, "the reason has {} bytes; at most 4000 are allowed",
                reason.size());
  TERRAPIN_TRY_STATUS(check_text(reason, "the reason"));
  return end_lease(worker, assignment_id, AssignmentState::kDeclined, reason);
}

Result<Assignment> Tasks::give_back(const Worker& worker, const std::string& assignment_id) {
  return end_lease(worker, assignment_id, AssignmentState::kReturned, "");
}

Result<std::optional<std::string>> Tasks::previous(const Worker& worker, const std::string& job_name,
                                                   const std::string& before) {
  std::optional<std::string> id;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    id.reset();
    std::string where =
        "WHERE a.worker_id = ? AND j.name_key = ? AND a.state = 'submitted' AND a.answer_uri <> ''";
    std::vector<Value> values{worker.id, lower_case(job_name)};
    if (!before.empty()) {
      TERRAPIN_TRY(const AssignmentRow row, own_assignment(state, worker, before));
      where += " AND a.id <> ?";
      values.emplace_back(before);
      if (row.submitted) {
        where += " AND a.submitted <= ?";
        values.emplace_back(to_microseconds(*row.submitted));
      }
    }
    TERRAPIN_TRY(const auto rows,
                 select_assignments(state, where + " ORDER BY a.submitted DESC, a.id LIMIT 1", values));
    if (!rows.empty()) id = rows.front().id;
    return {};
  }));
  return id;
}

Result<std::string> Tasks::answer(const Worker& worker, const std::string& assignment_id) {
  for (std::string before;;) {
    std::string uri;
    TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(const AssignmentRow row, own_assignment(state, worker, assignment_id));
      if (row.state != AssignmentState::kSubmitted)
        return fail(ErrorCode::kNotFound, "the task is {}: it has no answer",
                    assignment_state_name(row.state));
      uri = row.answer_uri;
      return {};
    }));
    if (uri.empty() || uri == before)
      return fail(ErrorCode::kNotFound, "the answer was removed some time after its job's end");
    TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
    const auto object = core_.store.get(name);
    if (object) return read_all_text(*object->content, core_.options.tasks.max_answer_bytes);
    if (object.error().code != ErrorCode::kNotFound) return with_context(object.error(), "the answer");
    // Gone since: a correction removes the file of the answer before it, retention any.
    before = uri;
  }
}

Result<std::int64_t> expire_leases(Core& core, int limit) {
  return end_found_leases(core, AssignmentState::kExpired, "",
                          [&](Transaction& state, Timestamp now) { return due_leases(state, now, limit); });
}

Status give_back_leases(Core& core, const std::string& worker_id) {
  TERRAPIN_TRY_STATUS(end_found_leases(
      core, AssignmentState::kReturned, "the worker was removed",
      [&](Transaction& state, Timestamp) -> Result<Leases> {
        return state.select<S, S, I>(
            "SELECT id, job_id, idx FROM labeling_assignments WHERE worker_id = ? AND state = 'leased'",
            worker_id);
      }));
  return {};
}

}  // namespace terrapin::labeling
