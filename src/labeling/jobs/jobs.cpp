#include "labeling/jobs/jobs.h"

#include <algorithm>
#include <map>

#include "artifacts/label_categories.h"
#include "crypto/secrets.h"
#include "labeling/jobs/consolidator.h"
#include "labeling/jobs/job_rules.h"
#include "labeling/jobs/output.h"
#include "labeling/tasks/template.h"

namespace terrapin::labeling {
namespace {

using storage::Transaction;
using storage::Value;
using I = std::int64_t;
using S = std::string;

constexpr std::int64_t kMaxTemplateBytes = 2 << 20;
constexpr std::int64_t kMaxCategoriesBytes = 4 << 20;

Status check_function(Core& core, const FunctionReference& function, const char* what, const char* example) {
  if (function.built_in()) return {};
  TERRAPIN_TRY(const bool known, core.knows_function(function.name));
  if (known) return {};
  return fail(ErrorCode::kInvalidArgument,
              "{}: '{}' is neither a built-in function ({}) nor registered on this host with `terrapin "
              "functions add`",
              what, function.arn, example);
}

// A '%' or '_' in the text stands for itself.
std::string like_pattern(const std::string& text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

}  // namespace

Result<JobRecord> Jobs::create(const JobSpec& wanted) {
  TERRAPIN_TRY_STATUS(check_spec(wanted));
  JobRow job;
  job.id = crypto::random_uuid();
  job.spec = completed(wanted);
  const JobSpec& spec = job.spec;
  job.created = job.modified = core_.clock.now();

  for (const auto& [uri, what] :
       {std::pair(&spec.input_uri, "input manifest"), std::pair(&spec.output_uri, "output path"),
        std::pair(&spec.categories_uri, "label category file"),
        std::pair(&spec.template_uri, "task template")}) {
    if (uri->empty() && uri == &spec.template_uri) continue;
    TERRAPIN_TRY_STATUS(core_.check_readable(spec.owner, *uri, what));
  }
  TERRAPIN_TRY(const OutputLayout layout, OutputLayout::of(spec));
  auto bucket = core_.store.head_bucket(layout.bucket());
  if (!bucket && bucket.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kInvalidArgument, "output path: there is no bucket {}", layout.bucket());
  if (!bucket) return tl::unexpected<Error>(std::move(bucket.error()));

  TERRAPIN_TRY(const storage::ObjectName input, storage::parse_s3_uri(spec.input_uri));
  if (!spec.input_uri.ends_with('/')) {
    auto manifest = core_.store.head(input);
    if (!manifest && manifest.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kInvalidArgument, "input manifest: there is no object {}", spec.input_uri);
    if (!manifest) return tl::unexpected<Error>(std::move(manifest.error()));
  } else {
    auto found = core_.store.head_bucket(input.bucket);
    if (!found) return fail(ErrorCode::kInvalidArgument, "input: there is no bucket {}", input.bucket);
  }
  TERRAPIN_TRY(const std::string categories,
               core_.read_text(spec.categories_uri, "label category file", kMaxCategoriesBytes));
  auto classes = artifacts::parse_label_categories(categories);
  if (!classes) return with_context(std::move(classes.error()), "label category file " + spec.categories_uri);
  if (classes->void_label && task_kind(spec) == TaskKind::kVerification)
    return fail(ErrorCode::kInvalidArgument,
                "label category file {}: '{}' is void, which a verification's choices cannot be",
                spec.categories_uri, classes->void_label->name);
  job.set_categories(std::move(*classes));
  if (spec.template_uri.empty()) {
    job.template_html = default_template(task_kind(spec));
  } else {
    TERRAPIN_TRY(job.template_html, core_.read_text(spec.template_uri, "task template", kMaxTemplateBytes));
  }
  TERRAPIN_TRY_STATUS(
      check_function(core_, spec.pre_function, "pre-annotation function", "PRE-SemanticSegmentation"));
  TERRAPIN_TRY_STATUS(
      check_function(core_, spec.post_function, "post-annotation function", "ACS-SemanticSegmentation"));

  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) { return insert_job(state, job); }));
  core_.wake(job.id);
  return job.record();
}

Result<JobRecord> Jobs::describe(const std::string& name) {
  JobRecord record;
  const auto look = [&](Transaction& state) -> Status {
    TERRAPIN_TRY(const JobHead job, require_job(state, name));
    record = job.record();
    return {};
  };
  TERRAPIN_TRY_STATUS(core_.state.read(look));
  const std::shared_lock together(core_.manifest_lock(record.id));
  TERRAPIN_TRY_STATUS(core_.state.read(look));
  return record;
}

Result<JobPage> Jobs::list(const JobFilter& filter) {
  std::string where = "WHERE 1 = 1";
  std::vector<Value> values;
  const auto add = [&](const char* condition, Value value) {
    where += condition;
    values.push_back(std::move(value));
  };
  if (!filter.name_contains.empty()) add(" AND name LIKE ? ESCAPE '\\'", like_pattern(filter.name_contains));
  if (!filter.reference_code_contains.empty())
    add(" AND id LIKE ? ESCAPE '\\'", like_pattern(filter.reference_code_contains));
  if (!filter.workteam_arn.empty()) add(" AND workteam_arn = ?", filter.workteam_arn);
  if (filter.status) add(" AND status = ?", std::string(job_status_name(*filter.status)));
  if (filter.created_after) add(" AND created > ?", to_microseconds(*filter.created_after));
  if (filter.created_before) add(" AND created < ?", to_microseconds(*filter.created_before));
  if (filter.modified_after) add(" AND modified > ?", to_microseconds(*filter.modified_after));
  if (filter.modified_before) add(" AND modified < ?", to_microseconds(*filter.modified_before));
  const char* column = filter.sort_by == JobFilter::SortBy::kName     ? "name"
                       : filter.sort_by == JobFilter::SortBy::kStatus ? "status"
                                                                      : "created";
  const char* order = filter.descending ? "DESC" : "ASC";
  const int limit = std::clamp(filter.limit, 1, 1000);
  where += fmt::format(" ORDER BY {} {}, id {} LIMIT ? OFFSET ?", column, order, order);
  values.emplace_back(static_cast<I>(limit) + 1);
  values.emplace_back(std::max<I>(filter.offset, 0));
  JobPage page;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    page = {};
    TERRAPIN_TRY(const auto jobs, select_jobs(state, where, values));
    for (const JobHead& job : jobs) {
      if (static_cast<int>(page.jobs.size()) == limit) {
        page.more = true;
        break;
      }
      page.jobs.push_back(job.record());
    }
    return {};
  }));
  return page;
}

Result<JobRecord> Jobs::stop(const std::string& name) {
  JobRecord record;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(JobHead job, require_job(state, name));
    if (job.status != JobStatus::kStopping) {  // said twice is said once
      TERRAPIN_TRY_STATUS(
          move_job(state, job.id, job.status, JobStatus::kStopping, job.failure, core_.clock.now()));
    }
    job.status = JobStatus::kStopping;
    record = job.record();
    return {};
  }));
  core_.wake(record.id);
  return record;
}

Result<JobRecord> Jobs::clone(const std::string& name, const std::string& new_name,
                              const std::string& owner) {
  TERRAPIN_TRY(const JobRecord source, describe(name));
  JobSpec spec = source.spec;
  spec.name = new_name;
  if (!owner.empty()) spec.owner = owner;
  return create(spec);
}

Result<JobRecord> Jobs::chain(const std::string& name, JobSpec spec) {
  TERRAPIN_TRY(const JobRecord source, describe(name));
  if (source.output_dataset_uri.empty())
    return fail(ErrorCode::kConflict, "labeling job '{}' is {}: its output manifest is not there yet", name,
                job_status_name(source.status));
  spec.input_uri = source.output_dataset_uri;
  spec.continues = source.spec.name;
  return create(spec);
}

Result<JobRecord> Jobs::continue_job(const std::string& name, const std::string& new_name,
                                     const std::string& owner) {
  TERRAPIN_TRY(const JobRecord source, describe(name));
  if (!has_ended(source.status))
    return fail(ErrorCode::kConflict, "labeling job '{}' is {}; only one that has ended can be continued",
                name, job_status_name(source.status));
  JobSpec spec = source.spec;
  spec.name = new_name;
  spec.skip_labeled = true;
  if (!owner.empty()) spec.owner = owner;
  return chain(name, std::move(spec));
}

Result<std::vector<ObjectRecord>> Jobs::objects(const std::string& name, const ObjectFilter& filter) {
  std::vector<ObjectRecord> records;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    records.clear();
    TERRAPIN_TRY(const JobHead job, require_job(state, name));
    std::string where = "WHERE job_id = ?";
    std::vector<Value> values{job.id};
    if (filter.state) {
      where += " AND state = ?";
      values.emplace_back(std::string(object_state_name(*filter.state)));
    }
    if (filter.min_disagreement >= 0) {
      where += " AND state = 'labeled' AND disagreement >= ?";
      values.emplace_back(filter.min_disagreement);
    }
    where += filter.most_disputed_first ? " ORDER BY disagreement DESC, idx" : " ORDER BY idx";
    where += " LIMIT ? OFFSET ?";
    values.emplace_back(static_cast<I>(std::clamp(filter.limit, 1, 1000)));
    values.emplace_back(std::max<I>(filter.offset, 0));
    TERRAPIN_TRY(const auto objects, select_objects(state, where, values));
    for (const ObjectRow& object : objects)
      records.push_back({object.index, object.source_uri, object.state, object.answers, object.declines,
                         object.mask_uri, object.failure, object.confidence, object.disagreement});
    return {};
  }));
  return records;
}

Result<std::vector<AnswerRecord>> Jobs::answers(const std::string& name, std::int64_t index) {
  std::vector<AnswerRecord> records;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    records.clear();
    TERRAPIN_TRY(const JobHead job, require_job(state, name));
    TERRAPIN_TRY(const auto object, find_object(state, job.id, index));
    if (!object) return fail(ErrorCode::kNotFound, "labeling job '{}' has no object {}", name, index);
    TERRAPIN_TRY(const auto rows, assignments_of_object(state, job.id, index));
    for (const AssignmentRow& row : rows)
      if (row.submitted)
        records.push_back({row.id, row.worker_id, row.mask_uri.empty() ? row.answer_uri : row.mask_uri,
                           row.accepted, *row.submitted, row.state == AssignmentState::kWithdrawn});
    return {};
  }));
  return records;
}

Status Jobs::reopen_object(const std::string& name, std::int64_t index, bool discard_answers) {
  std::string job_id;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(JobHead job, require_job(state, name));
    job_id = job.id;
    if (job.status != JobStatus::kInProgress)
      return fail(ErrorCode::kConflict, "labeling job '{}' is {}; continue it to label an object again", name,
                  job_status_name(job.status));
    TERRAPIN_TRY(auto object, find_object(state, job.id, index));
    if (!object) return fail(ErrorCode::kNotFound, "labeling job '{}' has no object {}", name, index);
    if (object->state != ObjectState::kLabeled && object->state != ObjectState::kFailed)
      return fail(ErrorCode::kConflict, "object {} is {}; only a labeled or failed one can be opened again",
                  index, object_state_name(object->state));
    if (object->state == ObjectState::kLabeled) --job.labeled;
    if (object->state == ObjectState::kFailed) --job.failed;
    if (discard_answers) {
      TERRAPIN_TRY_STATUS(
          state.run("UPDATE labeling_assignments SET state = 'withdrawn' WHERE job_id = ? AND idx = ? AND "
                    "state = 'submitted'",
                    job.id, index));
    }
    TERRAPIN_TRY(const I answers, count_answers(state, job.id, index));
    object->answers = static_cast<int>(answers);
    object->wanted = std::max(job.spec.workers_per_object, object->answers + 1);
    // A worker who declined it may look again: it is shown for a reason.
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_assignments SET state = 'returned' WHERE job_id = ? AND idx = ? AND state "
                  "= 'declined'",
                  job.id, index));
    TERRAPIN_TRY_STATUS(state.run("DELETE FROM labeling_votes WHERE job_id = ? AND idx = ?", job.id, index));
    object->failure.clear();
    object->take_mask_back();
    job.dirty = true;
    job.modified = core_.clock.now();
    TERRAPIN_TRY_STATUS(open_object(state, job, *object, job.modified));
    return save_counts(state, job);
  }));
  core_.wake(job_id);
  return {};
}

Status Jobs::withdraw_worker(const std::string& name, const std::string& worker_id) {
  std::string job_id;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(JobHead job, require_job(state, name));
    job_id = job.id;
    if (job.status != JobStatus::kInProgress && !has_ended(job.status))
      return fail(ErrorCode::kConflict, "labeling job '{}' is {}; try again when it has ended", name,
                  job_status_name(job.status));
    // Masks could not be made again without the answers that stay.
    TERRAPIN_TRY(const auto removed,
                 state.select_one<I>("SELECT COUNT(*) FROM labeling_assignments WHERE job_id = ? AND "
                                     "worker_id = ? AND state = 'submitted' AND answer_uri = ''",
                                     job.id, worker_id));
    if (std::get<0>(*removed) > 0)
      return fail(ErrorCode::kConflict,
                  "the answers of labeling job '{}' were removed, as their retention says", name);
    // All answers at once; their objects follow in batches, in the engine (Engine::settle_withdrawn).
    TERRAPIN_TRY(
        const I taken,
        state.run("UPDATE labeling_assignments SET state = 'withdrawn', unsettled = 1 WHERE job_id = "
                  "? AND worker_id = ? AND state = 'submitted'",
                  job.id, worker_id));
    if (taken == 0)
      return fail(ErrorCode::kNotFound, "worker '{}' has no answer in labeling job '{}'", worker_id, name);
    job.modified = core_.clock.now();
    job.dirty = true;
    job.rework = has_ended(job.status);
    return save_counts(state, job);
  }));
  core_.wake(job_id);
  return {};
}

Result<std::shared_ptr<const Jobs::Estimate>> Jobs::estimate(const JobHead& job, I objects) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = estimates_.find(job.id);
    if (known != estimates_.end() && known->second->iteration == job.iteration &&
        objects >= known->second->objects && objects * 10 < known->second->objects * 11)
      return known->second;
  }
  TERRAPIN_TRY(const artifacts::LabelCategories categories, this->categories(job.spec.name));
  const int classes = categories.classes.size() + (categories.void_label ? 1 : 0);
  TERRAPIN_TRY(JobSkills skills, JobSkills::load(core_, job.id, std::max(classes, 1)));
  auto made = std::make_shared<const Estimate>(Estimate{objects, job.iteration, skills.skills(true)});
  const std::lock_guard lock(mutex_);
  if (estimates_.size() >= kMaxRemembered) estimates_.clear();
  estimates_[job.id] = made;
  return made;
}

Result<std::vector<WorkerStatistics>> Jobs::workers(const std::string& name) {
  std::map<std::string, WorkerStatistics> workers;
  JobHead job;
  I voted = 0;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    workers.clear();
    TERRAPIN_TRY(job, require_job(state, name));
    TERRAPIN_TRY(const auto votes,
                 state.select_one<I>("SELECT COUNT(*) FROM labeling_votes WHERE job_id = ?", job.id));
    voted = std::get<0>(*votes);
    TERRAPIN_TRY(
        const auto rows,
        (state.select<S, S, I, double>(
            "SELECT worker_id, state, COUNT(*), SUM(CASE WHEN submitted IS NULL THEN 0.0 ELSE (submitted - "
            "accepted) / 1000000.0 END) FROM labeling_assignments WHERE job_id = ? GROUP BY worker_id, state",
            job.id)));
    for (const auto& [id, kind, count, seconds] : rows) {
      WorkerStatistics& worker = workers[id];
      worker.worker_id = id;
      if (kind == "submitted") {
        worker.submitted = count;
        worker.seconds_spent = seconds;
      } else if (kind == "declined") {
        worker.declined = count;
      } else if (kind == "returned") {
        worker.returned = count;
      } else if (kind == "expired") {
        worker.expired = count;
      }
    }
    return {};
  }));
  TERRAPIN_TRY(const auto estimated, estimate(job, voted));
  for (const std::string& id : estimated->skills.workers())
    if (const auto worker = workers.find(id); worker != workers.end())
      worker->second.reliability = estimated->skills.reliability(id);
  std::vector<WorkerStatistics> list;
  for (auto& [id, worker] : workers) list.push_back(std::move(worker));
  return list;
}

Result<bool> Jobs::team_in_use(const std::string& workteam_arn) {
  bool used = false;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const auto row,
                 state.select_one<I>("SELECT COUNT(*) FROM labeling_jobs WHERE workteam_arn = ? AND status "
                                     "IN ('Initializing', 'InProgress', 'Stopping')",
                                     workteam_arn));
    used = std::get<0>(*row) > 0;
    return {};
  }));
  return used;
}

}  // namespace terrapin::labeling
