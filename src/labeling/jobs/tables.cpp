#include "labeling/jobs/tables.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/json_text.h"
#include "base/text.h"
#include "labeling/jobs/job_codec.h"

namespace terrapin::labeling {
namespace {

constexpr storage::Migration kMigrations[] = {
    {1, R"(
CREATE TABLE labeling_jobs (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  workteam_arn TEXT NOT NULL,
  status TEXT NOT NULL,
  failure TEXT NOT NULL,
  spec TEXT NOT NULL,
  classes TEXT NOT NULL,
  template TEXT NOT NULL,
  created BIGINT NOT NULL,
  modified BIGINT NOT NULL,
  objects BIGINT NOT NULL,
  next_index BIGINT NOT NULL,
  open_objects BIGINT NOT NULL,
  labeled BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  passed BIGINT NOT NULL,
  shown_labeled BIGINT NOT NULL,
  shown_failed BIGINT NOT NULL,
  shown_unlabeled BIGINT NOT NULL,
  manifest_uri TEXT NOT NULL,
  iteration BIGINT NOT NULL,
  rework BIGINT NOT NULL,
  dirty BIGINT NOT NULL
);
CREATE INDEX labeling_jobs_by_team ON labeling_jobs (workteam_arn, status);
CREATE INDEX labeling_jobs_by_status ON labeling_jobs (status);
CREATE INDEX labeling_jobs_by_creation ON labeling_jobs (created);
CREATE TABLE labeling_objects (
  job_id TEXT NOT NULL,
  idx BIGINT NOT NULL,
  line TEXT NOT NULL,
  source_uri TEXT NOT NULL,
  state TEXT NOT NULL,
  wanted BIGINT NOT NULL,
  slots BIGINT NOT NULL,
  answers BIGINT NOT NULL,
  declines BIGINT NOT NULL,
  opened BIGINT NOT NULL,
  result TEXT NOT NULL,
  mask_uri TEXT NOT NULL,
  failure TEXT NOT NULL,
  confidence DOUBLE PRECISION NOT NULL,
  disagreement DOUBLE PRECISION NOT NULL,
  value_json TEXT NOT NULL,
  metadata_json TEXT NOT NULL,
  iteration BIGINT NOT NULL,
  task_input TEXT NOT NULL,
  PRIMARY KEY (job_id, idx)
);
CREATE INDEX labeling_objects_by_state ON labeling_objects (job_id, state, idx);
CREATE INDEX labeling_objects_with_slots ON labeling_objects (job_id, idx) WHERE state = 'open' AND slots > 0;
CREATE TABLE labeling_votes (
  job_id TEXT NOT NULL,
  idx BIGINT NOT NULL,
  votes TEXT NOT NULL,
  PRIMARY KEY (job_id, idx)
);
CREATE TABLE labeling_assignments (
  id TEXT PRIMARY KEY,
  job_id TEXT NOT NULL,
  idx BIGINT NOT NULL,
  worker_id TEXT NOT NULL,
  state TEXT NOT NULL,
  accepted BIGINT NOT NULL,
  deadline BIGINT NOT NULL,
  submitted BIGINT,
  reason TEXT NOT NULL,
  answer_uri TEXT NOT NULL,
  mask_uri TEXT NOT NULL,
  identity TEXT NOT NULL
);
CREATE INDEX labeling_assignments_of_object ON labeling_assignments (job_id, idx, worker_id);
CREATE INDEX labeling_assignments_of_worker ON labeling_assignments (worker_id, accepted);
CREATE INDEX labeling_assignments_leased ON labeling_assignments (deadline) WHERE state = 'leased';
CREATE TABLE labeling_drafts (
  job_id TEXT NOT NULL,
  idx BIGINT NOT NULL,
  worker_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  base_sequence BIGINT NOT NULL,
  next_sequence BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  snapshot TEXT NOT NULL,
  modified BIGINT NOT NULL,
  PRIMARY KEY (worker_id, job_id, idx)
);
CREATE TABLE labeling_draft_deltas (
  job_id TEXT NOT NULL,
  idx BIGINT NOT NULL,
  worker_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (worker_id, job_id, idx, sequence)
)
)"},
    // What grows with every answer is looked up, not read through.
    {2, R"(
CREATE INDEX labeling_assignments_held ON labeling_assignments (worker_id, accepted) WHERE state = 'leased';
CREATE INDEX labeling_assignments_answers ON labeling_assignments (job_id, state, submitted, accepted);
CREATE INDEX labeling_assignments_by_worker ON labeling_assignments (job_id, worker_id, state, accepted, submitted);
CREATE INDEX labeling_objects_by_dispute ON labeling_objects (job_id, disagreement DESC, idx, state)
)"},
    {3, R"(
ALTER TABLE labeling_assignments ADD COLUMN unsettled BIGINT NOT NULL DEFAULT 0;
CREATE INDEX labeling_assignments_unsettled ON labeling_assignments (job_id, idx) WHERE unsettled = 1
)"},
    // Files that nothing names any more and that are still to be removed.
    {4, "CREATE TABLE labeling_removals (uri TEXT PRIMARY KEY)"},
};

struct StateName {
  ObjectState state;
  const char* name;
};
constexpr std::array<StateName, 6> kObjectStates{{{ObjectState::kWaiting, "waiting"},
                                                  {ObjectState::kOpen, "open"},
                                                  {ObjectState::kReady, "ready"},
                                                  {ObjectState::kLabeled, "labeled"},
                                                  {ObjectState::kFailed, "failed"},
                                                  {ObjectState::kPassed, "passed"}}};
struct AssignmentName {
  AssignmentState state;
  const char* name;
};
constexpr std::array<AssignmentName, 6> kAssignmentStates{{{AssignmentState::kLeased, "leased"},
                                                           {AssignmentState::kSubmitted, "submitted"},
                                                           {AssignmentState::kReturned, "returned"},
                                                           {AssignmentState::kDeclined, "declined"},
                                                           {AssignmentState::kExpired, "expired"},
                                                           {AssignmentState::kWithdrawn, "withdrawn"}}};

Result<ObjectState> parse_object_state(const std::string& name) {
  for (const StateName& known : kObjectStates)
    if (name == known.name) return known.state;
  return fail(ErrorCode::kCorrupt, "'{}' is no state of an object", name);
}
Result<AssignmentState> parse_assignment_state(const std::string& name) {
  for (const AssignmentName& known : kAssignmentStates)
    if (name == known.name) return known.state;
  return fail(ErrorCode::kCorrupt, "'{}' is no state of an assignment", name);
}

constexpr const char* kHeadColumns =
    "id, spec, status, failure, created, modified, objects, next_index, open_objects, labeled, failed, "
    "passed, shown_labeled, shown_failed, shown_unlabeled, manifest_uri, iteration, rework, dirty";
constexpr int kHeadColumnCount = 19;

using I = std::int64_t;
using S = std::string;

// Fills the head from the first columns of `row`.
Status read_head(JobHead& job, const storage::TextRow& row) {
  std::tuple<S, S, S, S, I, I, I, I, I, I, I, I, I, I, I, S, I, I, I> c;
  TERRAPIN_TRY_STATUS(
      storage::detail::fill(c, row, "labeling_jobs", std::make_index_sequence<kHeadColumnCount>{}));
  job.id = std::get<0>(c);
  TERRAPIN_TRY(job.spec, job_spec_from_json(std::get<1>(c)));
  TERRAPIN_TRY(job.status, parse_job_status(std::get<2>(c)));
  job.failure = std::get<3>(c);
  job.created = from_microseconds(std::get<4>(c));
  job.modified = from_microseconds(std::get<5>(c));
  job.objects = std::get<6>(c);
  job.next_index = std::get<7>(c);
  job.open = std::get<8>(c);
  job.labeled = std::get<9>(c);
  job.failed = std::get<10>(c);
  job.passed = std::get<11>(c);
  job.shown = {std::get<12>(c), std::get<12>(c), 0, std::get<13>(c), std::get<14>(c)};
  job.manifest_uri = std::get<15>(c);
  job.iteration = static_cast<int>(std::get<16>(c));
  job.rework = std::get<17>(c) != 0;
  job.dirty = std::get<18>(c) != 0;
  return {};
}

Result<std::vector<JobHead>> head_rows(storage::Transaction& state, const std::string& where,
                                       std::span<const storage::Value> values) {
  TERRAPIN_TRY(const auto rows,
               state.query(fmt::format("SELECT {} FROM labeling_jobs {}", kHeadColumns, where),
                           kHeadColumnCount, values));
  std::vector<JobHead> jobs(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    TERRAPIN_TRY_STATUS(read_head(jobs[i], rows[i]));
  }
  return jobs;
}

Result<std::vector<JobRow>> job_rows(storage::Transaction& state, const std::string& where,
                                     std::span<const storage::Value> values) {
  TERRAPIN_TRY(const auto rows, state.query(fmt::format("SELECT {}, classes, template FROM labeling_jobs {}",
                                                        kHeadColumns, where),
                                            kHeadColumnCount + 2, values));
  std::vector<JobRow> jobs(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    JobRow& job = jobs[i];
    TERRAPIN_TRY_STATUS(read_head(job, rows[i]));
    const std::string classes = rows[i][kHeadColumnCount].value_or("");
    if (!classes.empty()) {
      const auto json = nlohmann::json::parse(classes, nullptr, false);
      job.has_void = json.is_object();
      TERRAPIN_TRY(job.classes,
                   artifacts::class_list_from_json(job.has_void ? json.value("classes", json) : json));
    }
    job.template_html = rows[i][kHeadColumnCount + 1].value_or("");
  }
  return jobs;
}

// A list, or {"classes": list, "last_is_void": true}.
std::string classes_text(const JobRow& job) {
  nlohmann::json list = artifacts::to_json(job.classes);
  if (!job.has_void) return json_text(list);
  return json_text(nlohmann::json{{"classes", std::move(list)}, {"last_is_void", true}});
}

template <class Row>
std::optional<Row> first(std::vector<Row> rows) {
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

tl::unexpected<Error> no_such_job(const std::string& name) {
  return fail(ErrorCode::kNotFound, "Could not find labeling job '{}'", name);
}

constexpr const char* kObjectColumns =
    "idx, line, source_uri, state, wanted, slots, answers, declines, opened, result, mask_uri, failure, "
    "confidence, "
    "disagreement, value_json, metadata_json, iteration, task_input";

Result<std::vector<ObjectRow>> object_rows(storage::Transaction& state, const std::string& where,
                                           std::span<const storage::Value> values) {
  TERRAPIN_TRY(
      const auto rows,
      state.query(fmt::format("SELECT {} FROM labeling_objects {}", kObjectColumns, where), 18, values));
  std::vector<ObjectRow> objects;
  objects.reserve(rows.size());
  for (const storage::TextRow& row : rows) {
    std::tuple<I, S, S, S, I, I, I, I, I, S, S, S, double, double, S, S, I, S> c;
    TERRAPIN_TRY_STATUS(storage::detail::fill(c, row, "labeling_objects", std::make_index_sequence<18>{}));
    ObjectRow object;
    object.index = std::get<0>(c);
    object.line = std::move(std::get<1>(c));
    object.source_uri = std::move(std::get<2>(c));
    TERRAPIN_TRY(object.state, parse_object_state(std::get<3>(c)));
    object.wanted = static_cast<int>(std::get<4>(c));
    object.slots = static_cast<int>(std::get<5>(c));
    object.answers = static_cast<int>(std::get<6>(c));
    object.declines = static_cast<int>(std::get<7>(c));
    object.opened = from_microseconds(std::get<8>(c));
    object.result = std::move(std::get<9>(c));
    object.mask_uri = std::move(std::get<10>(c));
    object.failure = std::move(std::get<11>(c));
    object.confidence = std::get<12>(c);
    object.disagreement = std::get<13>(c);
    object.value_json = std::move(std::get<14>(c));
    object.metadata_json = std::move(std::get<15>(c));
    object.iteration = static_cast<int>(std::get<16>(c));
    object.task_input = std::move(std::get<17>(c));
    objects.push_back(std::move(object));
  }
  return objects;
}

Result<std::vector<AssignmentRow>> assignment_rows(storage::Transaction& state, const std::string& where,
                                                   std::span<const storage::Value> values) {
  TERRAPIN_TRY(
      const auto rows,
      state.query(
          "SELECT a.id, a.job_id, j.name, a.idx, a.worker_id, a.state, a.accepted, a.deadline, a.submitted, "
          "a.reason, a.answer_uri, a.mask_uri, a.identity, CASE WHEN a.state = 'submitted' AND o.state = "
          "'open' AND j.status = 'InProgress' THEN 1 ELSE 0 END FROM labeling_assignments a JOIN "
          "labeling_jobs "
          "j ON j.id = a.job_id JOIN labeling_objects o ON o.job_id = a.job_id AND o.idx = a.idx " +
              where,
          14, values));
  std::vector<AssignmentRow> assignments;
  for (const storage::TextRow& row : rows) {
    std::tuple<S, S, S, I, S, S, I, I, std::optional<I>, S, S, S, S, I> c;
    TERRAPIN_TRY_STATUS(
        storage::detail::fill(c, row, "labeling_assignments", std::make_index_sequence<14>{}));
    AssignmentRow assignment;
    assignment.id = std::get<0>(c);
    assignment.job_id = std::get<1>(c);
    assignment.job_name = std::get<2>(c);
    assignment.index = std::get<3>(c);
    assignment.worker_id = std::get<4>(c);
    TERRAPIN_TRY(assignment.state, parse_assignment_state(std::get<5>(c)));
    assignment.accepted = from_microseconds(std::get<6>(c));
    assignment.deadline = from_microseconds(std::get<7>(c));
    if (std::get<8>(c)) assignment.submitted = from_microseconds(*std::get<8>(c));
    assignment.reason = std::get<9>(c);
    assignment.answer_uri = std::get<10>(c);
    assignment.mask_uri = std::get<11>(c);
    assignment.identity_json = std::get<12>(c);
    assignment.correctable = std::get<13>(c) != 0;
    assignments.push_back(std::move(assignment));
  }
  return assignments;
}

}  // namespace

const char* object_state_name(ObjectState state) {
  for (const StateName& known : kObjectStates)
    if (known.state == state) return known.name;
  return "?";
}

const char* assignment_state_name(AssignmentState state) {
  for (const AssignmentName& known : kAssignmentStates)
    if (known.state == state) return known.name;
  return "?";
}

std::span<const storage::Migration> labeling_migrations() {
  return kMigrations;
}

artifacts::LabelCategories JobRow::categories() const {
  artifacts::LabelCategories result{classes, std::nullopt};
  if (has_void) {
    result.void_label = std::move(result.classes.classes.back());
    result.classes.classes.pop_back();
  }
  return result;
}

void JobRow::set_categories(artifacts::LabelCategories categories) {
  classes = std::move(categories.classes);
  has_void = categories.void_label.has_value();
  if (has_void) classes.classes.push_back(std::move(*categories.void_label));
}

int JobRow::file_index(int class_index) const {
  return has_void && class_index == classes.size() - 1 ? int{imaging::Mask::kIgnore} : class_index;
}

LabelCounters JobHead::counters() const {
  return {labeled + passed, labeled + passed, 0, failed, objects - labeled - passed - failed};
}

JobRecord JobHead::record() const {
  JobRecord record;
  record.id = id;
  record.spec = spec;
  record.status = status;
  record.failure_reason = failure;
  record.created = created;
  record.modified = modified;
  record.objects = objects;
  record.counters = shown;
  record.output_dataset_uri = manifest_uri;
  record.reference_code = id;
  return record;
}

Result<std::optional<JobHead>> find_job_head(storage::Transaction& state, const std::string& id) {
  const storage::Value values[] = {id};
  TERRAPIN_TRY(auto rows, head_rows(state, "WHERE id = ?", values));
  return first(std::move(rows));
}

Result<std::optional<JobRow>> find_job_by_id(storage::Transaction& state, const std::string& id) {
  const storage::Value values[] = {id};
  TERRAPIN_TRY(auto rows, job_rows(state, "WHERE id = ?", values));
  return first(std::move(rows));
}

Result<JobHead> require_job(storage::Transaction& state, const std::string& name) {
  const storage::Value values[] = {lower_case(name)};
  TERRAPIN_TRY(auto rows, head_rows(state, "WHERE name_key = ?", values));
  if (rows.empty()) return no_such_job(name);
  return std::move(rows.front());
}

Result<JobRow> require_whole_job(storage::Transaction& state, const std::string& name) {
  const storage::Value values[] = {lower_case(name)};
  TERRAPIN_TRY(auto rows, job_rows(state, "WHERE name_key = ?", values));
  if (rows.empty()) return no_such_job(name);
  return std::move(rows.front());
}

Result<std::vector<JobHead>> select_jobs(storage::Transaction& state, const std::string& where,
                                         std::span<const storage::Value> values) {
  return head_rows(state, where, values);
}

Status insert_job(storage::Transaction& state, const JobRow& job) {
  auto changed = state.run(
      "INSERT INTO labeling_jobs (id, name, name_key, workteam_arn, status, failure, spec, classes, "
      "template, "
      "created, modified, objects, next_index, open_objects, labeled, failed, passed, shown_labeled, "
      "shown_failed, shown_unlabeled, manifest_uri, iteration, rework, dirty) VALUES "
      "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', 1, 0, 0)",
      job.id, job.spec.name, lower_case(job.spec.name), job.spec.workteam_arn, job_status_name(job.status),
      job.failure, to_json_text(job.spec), classes_text(job), job.template_html, to_microseconds(job.created),
      to_microseconds(job.modified));
  if (!changed && changed.error().code == ErrorCode::kAlreadyExists)
    return fail(ErrorCode::kAlreadyExists, "a labeling job named '{}' exists", job.spec.name);
  if (!changed) return tl::unexpected<Error>(std::move(changed.error()));
  return {};
}

Status move_job(storage::Transaction& state, const std::string& id, JobStatus from, JobStatus to,
                const std::string& failure, Timestamp now) {
  if (!may_move(from, to))
    return fail(ErrorCode::kConflict, "a labeling job that is {} cannot become {}", job_status_name(from),
                job_status_name(to));
  TERRAPIN_TRY(const std::int64_t changed,
               state.run("UPDATE labeling_jobs SET status = ?, failure = ?, modified = ? WHERE id = ? AND "
                         "status = ?",
                         job_status_name(to), failure, to_microseconds(now), id, job_status_name(from)));
  if (changed != 1)
    return fail(ErrorCode::kConflict, "the labeling job is no longer {}", job_status_name(from));
  return {};
}

Result<std::optional<ObjectRow>> find_object(storage::Transaction& state, const std::string& job_id,
                                             std::int64_t index) {
  const storage::Value values[] = {job_id, index};
  TERRAPIN_TRY(auto rows, object_rows(state, "WHERE job_id = ? AND idx = ?", values));
  if (rows.empty()) return std::optional<ObjectRow>();
  return std::optional<ObjectRow>(std::move(rows.front()));
}

Result<std::vector<ObjectRow>> objects_in_state(storage::Transaction& state, const std::string& job_id,
                                                ObjectState wanted, std::int64_t from, int limit) {
  const storage::Value values[] = {job_id, std::string(object_state_name(wanted)), from,
                                   static_cast<std::int64_t>(limit)};
  return object_rows(state, "WHERE job_id = ? AND state = ? AND idx >= ? ORDER BY idx LIMIT ?", values);
}

Result<std::vector<ObjectRow>> objects_from(storage::Transaction& state, const std::string& job_id,
                                            std::int64_t from, int limit) {
  const storage::Value values[] = {job_id, from, static_cast<std::int64_t>(limit)};
  return object_rows(state, "WHERE job_id = ? AND idx >= ? ORDER BY idx LIMIT ?", values);
}

Result<std::vector<ObjectRow>> select_objects(storage::Transaction& state, const std::string& where,
                                              std::span<const storage::Value> values) {
  return object_rows(state, where, values);
}

Status save_object(storage::Transaction& state, const std::string& job_id, const ObjectRow& object) {
  TERRAPIN_TRY(
      const std::int64_t changed,
      state.run("UPDATE labeling_objects SET state = ?, wanted = ?, slots = ?, answers = ?, declines = ?, "
                "opened = ?, "
                "result = ?, mask_uri = ?, failure = ?, confidence = ?, disagreement = ?, value_json = ?, "
                "metadata_json = ?, iteration = ?, task_input = ? WHERE job_id = ? AND idx = ?",
                object_state_name(object.state), object.wanted, object.slots, object.answers, object.declines,
                to_microseconds(object.opened), object.result, object.mask_uri, object.failure,
                object.confidence, object.disagreement, object.value_json, object.metadata_json,
                object.iteration, object.task_input, job_id, object.index));
  if (changed != 1) return fail(ErrorCode::kInternal, "object {} of job {} is gone", object.index, job_id);
  return {};
}

Status insert_object(storage::Transaction& state, const std::string& job_id, const ObjectRow& object) {
  auto changed = state.run(
      "INSERT INTO labeling_objects (job_id, idx, line, source_uri, state, wanted, slots, answers, declines, "
      "opened, "
      "result, mask_uri, failure, confidence, disagreement, value_json, metadata_json, iteration, "
      "task_input) VALUES "
      "(?, ?, ?, ?, ?, ?, 0, 0, 0, 0, '', ?, ?, 0, 0, ?, ?, 0, '')",
      job_id, object.index, object.line, object.source_uri, object_state_name(object.state), object.wanted,
      object.mask_uri, object.failure, object.value_json, object.metadata_json);
  if (!changed) return tl::unexpected<Error>(std::move(changed.error()));
  return {};
}

Assignment AssignmentRow::assignment() const {
  return {id, job_name, index, state, accepted, deadline, submitted, correctable};
}

Result<std::optional<AssignmentRow>> find_assignment(storage::Transaction& state, const std::string& id) {
  const storage::Value values[] = {id};
  TERRAPIN_TRY(auto rows, assignment_rows(state, "WHERE a.id = ?", values));
  if (rows.empty()) return std::optional<AssignmentRow>();
  return std::optional<AssignmentRow>(std::move(rows.front()));
}

Result<std::vector<AssignmentRow>> assignments_of_object(storage::Transaction& state,
                                                         const std::string& job_id, std::int64_t index) {
  const storage::Value values[] = {job_id, index};
  return assignment_rows(state, "WHERE a.job_id = ? AND a.idx = ? ORDER BY a.accepted, a.id", values);
}

Result<std::vector<AssignmentRow>> select_assignments(storage::Transaction& state, const std::string& where,
                                                      std::span<const storage::Value> values) {
  return assignment_rows(state, where, values);
}

std::int64_t label_target(const JobHead& job) {
  std::int64_t target = job.objects - job.passed;
  if (job.spec.max_human_labeled_objects) target = std::min(target, *job.spec.max_human_labeled_objects);
  if (job.spec.max_percent_labeled) {
    const std::int64_t share = (job.objects * *job.spec.max_percent_labeled + 99) / 100;
    target = std::min(target, std::max<std::int64_t>(share - job.passed, 0));
  }
  return target;
}

Result<std::int64_t> openable(storage::Transaction& state, const JobHead& job) {
  const std::int64_t room = std::max<std::int64_t>(job.spec.max_concurrent - job.open, 0);
  if (room == 0 || (!job.spec.max_human_labeled_objects && !job.spec.max_percent_labeled)) return room;
  // Open and ready objects will still become labelled or failed.
  TERRAPIN_TRY(const auto ready, state.select_one<I>("SELECT COUNT(*) FROM labeling_objects WHERE job_id = ? "
                                                     "AND state = 'ready'",
                                                     job.id));
  const std::int64_t wanted = label_target(job) - job.labeled - job.open - std::get<0>(*ready);
  return std::clamp<std::int64_t>(wanted, 0, room);
}

Status open_object(storage::Transaction& state, JobHead& job, ObjectRow& object, Timestamp now) {
  object.state = ObjectState::kOpen;
  object.slots = std::max(object.wanted - object.answers, 1);
  object.declines = 0;
  object.opened = now;
  ++job.open;
  job.next_index = std::max(job.next_index, object.index + 1);
  return save_object(state, job.id, object);
}

Result<std::int64_t> open_objects(storage::Transaction& state, JobHead& job, Timestamp now) {
  if (job.status != JobStatus::kInProgress || job.next_index >= job.objects) return 0;
  TERRAPIN_TRY(const std::int64_t room, openable(state, job));
  std::int64_t opened = 0;
  while (opened < room && job.next_index < job.objects) {
    const int batch = static_cast<int>(std::min<std::int64_t>(room - opened, 500));
    TERRAPIN_TRY(auto objects, objects_in_state(state, job.id, ObjectState::kWaiting, job.next_index, batch));
    if (objects.empty()) {
      job.next_index = job.objects;
      break;
    }
    for (ObjectRow& object : objects) {
      TERRAPIN_TRY_STATUS(open_object(state, job, object, now));
    }
    opened += static_cast<std::int64_t>(objects.size());
  }
  return opened;
}

Status settle_object(storage::Transaction& state, JobHead& job, ObjectRow& object, Timestamp now) {
  if (object.state != ObjectState::kOpen) return save_object(state, job.id, object);
  TERRAPIN_TRY(
      const auto leased,
      state.select_one<I>(
          "SELECT COUNT(*) FROM labeling_assignments WHERE job_id = ? AND idx = ? AND state = 'leased'",
          job.id, object.index));
  const int leases = static_cast<int>(std::get<0>(*leased));
  const bool over = now >= object.opened + std::chrono::seconds(job.spec.task_availability_s);
  const bool declined = object.declines >= job.spec.workers_per_object;
  object.slots = over || declined ? 0 : std::max(object.wanted - object.answers - leases, 0);
  const bool complete = object.answers >= object.wanted || ((over || declined) && leases == 0);
  if (complete) {
    --job.open;
    if (object.answers > 0) {
      object.state = ObjectState::kReady;
    } else {
      object.state = ObjectState::kFailed;
      object.failure =
          declined ? fmt::format("{} workers declined this object", object.declines)
                   : fmt::format("no worker answered within {} seconds", job.spec.task_availability_s);
      ++job.failed;
      job.dirty = true;
    }
    object.slots = 0;
  }
  TERRAPIN_TRY_STATUS(save_object(state, job.id, object));
  if (complete && job.spec.pre_function.built_in()) {
    auto opened = open_objects(state, job, now);
    if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  }
  return {};
}

Result<std::int64_t> count_answers(storage::Transaction& state, const std::string& job_id,
                                   std::int64_t index) {
  TERRAPIN_TRY_STATUS(state.run(
      "UPDATE labeling_assignments SET unsettled = 0 WHERE job_id = ? AND idx = ? AND unsettled = 1", job_id,
      index));
  TERRAPIN_TRY(const auto count,
               state.select_one<I>("SELECT COUNT(*) FROM labeling_assignments WHERE job_id = ? AND idx = ? "
                                   "AND state = 'submitted'",
                                   job_id, index));
  return std::get<0>(*count);
}

Status settle_withdrawn(storage::Transaction& state, JobHead& job, ObjectRow& object, Timestamp now) {
  TERRAPIN_TRY(const std::int64_t answers, count_answers(state, job.id, object.index));
  object.answers = static_cast<int>(answers);
  TERRAPIN_TRY_STATUS(
      state.run("DELETE FROM labeling_votes WHERE job_id = ? AND idx = ?", job.id, object.index));
  job.dirty = true;
  if (object.state == ObjectState::kOpen) return settle_object(state, job, object, now);
  const bool complete = object.state == ObjectState::kReady && object.answers >= object.wanted;
  if (complete || object.state == ObjectState::kWaiting || object.state == ObjectState::kPassed)
    return save_object(state, job.id, object);
  if (object.state == ObjectState::kLabeled) --job.labeled;
  if (object.state == ObjectState::kFailed) --job.failed;
  object.value_json.clear();
  object.metadata_json.clear();
  object.failure.clear();
  if (job.status != JobStatus::kInProgress && object.answers > 0) {
    object.state = ObjectState::kReady;
  } else {
    object.take_mask_back();
    if (has_ended(job.status)) {
      object.state = ObjectState::kFailed;
      object.failure = "its answers were taken out";
      ++job.failed;
    } else {
      object.state = ObjectState::kWaiting;
      object.wanted = std::max(object.answers + 1, job.spec.workers_per_object);
      job.next_index = std::min(job.next_index, object.index);
    }
  }
  return save_object(state, job.id, object);
}

Status save_counts(storage::Transaction& state, const JobHead& job) {
  auto changed = state.run(
      "UPDATE labeling_jobs SET objects = ?, next_index = ?, open_objects = ?, labeled = ?, failed = ?, "
      "passed "
      "= ?, iteration = ?, rework = ?, dirty = ?, modified = ? WHERE id = ?",
      job.objects, job.next_index, job.open, job.labeled, job.failed, job.passed, job.iteration, job.rework,
      job.dirty, to_microseconds(job.modified), job.id);
  if (!changed) return tl::unexpected<Error>(std::move(changed.error()));
  return {};
}

}  // namespace terrapin::labeling
