#include "labeling/jobs/engine.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "artifacts/json_fields.h"
#include "artifacts/label_categories.h"
#include "artifacts/manifest_write.h"
#include "base/parallel.h"
#include "labeling/jobs/job_input.h"
#include "labeling/jobs/pre_annotation.h"
#include "labeling/jobs/retention.h"
#include "labeling/jobs/scratch_file.h"
#include "labeling/tasks/tasks.h"

namespace terrapin::labeling {
namespace {

using storage::Transaction;
using storage::Value;
using I = std::int64_t;
using S = std::string;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr auto kNever = seconds(3600);
constexpr auto kLook = seconds(1);              // a job in progress is looked at this often
constexpr auto kLongestRetention = seconds(2);  // at a time
// Objects before a job does something else. A registered function may take long over each.
constexpr int kObjectsAtOnce = 20;
constexpr int kCallsAtOnce = 4;
constexpr int kCallThreads = 16;  // jobs that may wait for a registered function at once

bool calls_functions(const JobSpec& spec) {
  return !spec.pre_function.built_in() || !spec.post_function.built_in();
}

// Objects may be opened again and answers taken out at any moment: whether the job still has nothing to do.
Result<bool> is_over(Transaction& state, const JobHead& job) {
  if (job.dirty) return false;
  TERRAPIN_TRY(const auto left,
               state.select_one<I>("SELECT COUNT(*) FROM labeling_objects WHERE job_id = ? AND state IN "
                                   "('open', 'ready')",
                                   job.id));
  TERRAPIN_TRY(const auto unsettled,
               state.select_one<I>("SELECT COUNT(*) FROM labeling_assignments WHERE job_id = ? AND "
                                   "unsettled = 1",
                                   job.id));
  return std::get<0>(*left) == 0 && std::get<0>(*unsettled) == 0;
}

// In the order in which the object was accepted.
Result<std::vector<AssignmentRow>> submitted_answers(Transaction& state, const std::string& job_id,
                                                     std::int64_t index) {
  TERRAPIN_TRY(auto rows, assignments_of_object(state, job_id, index));
  std::erase_if(rows, [](const AssignmentRow& row) { return row.state != AssignmentState::kSubmitted; });
  return rows;
}

// A correction has files of its own.
bool same_answer(const AssignmentRow& a, const AssignmentRow& b) {
  return a.id == b.id && a.answer_uri == b.answer_uri && a.mask_uri == b.mask_uri;
}

Status without_value(Result<storage::ObjectInfo> result) {
  if (!result) return tl::unexpected<Error>(std::move(result.error()));
  return {};
}

}  // namespace

std::shared_ptr<Engine::Progress> Engine::progress_of(const std::string& job_id) {
  const std::lock_guard lock(progress_mutex_);
  auto& progress = progress_[job_id];
  if (!progress) progress = std::make_shared<Progress>();
  return progress;
}

Result<JobRow> Engine::whole(const std::string& job_id) {
  std::optional<JobRow> job;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(job, find_job_by_id(state, job_id));
    return {};
  }));
  if (!job) return fail(ErrorCode::kInternal, "job {} is gone", job_id);
  return std::move(*job);
}

// ---- from nothing to InProgress ----

Status Engine::initialize(const JobRow& given) {
  JobHead job = given;
  if (job.spec.workteam_arn.find("/public-crowd/") != std::string::npos) {
    const auto& classifiers = job.spec.content_classifiers;
    if (std::find(classifiers.begin(), classifiers.end(), "FreeOfPersonallyIdentifiableInformation") ==
        classifiers.end())
      return fail(
          ErrorCode::kInvalidArgument,
          "the public work team needs the content classifier FreeOfPersonallyIdentifiableInformation");
    if (!job.spec.price)
      return fail(ErrorCode::kInvalidArgument,
                  "the public work team needs a price for a task (PublicWorkforceTaskPrice)");
  }
  TERRAPIN_TRY(const OutputLayout layout, OutputLayout::of(job.spec));
  TERRAPIN_TRY_STATUS(read_input(core_, layout, job, [this] { return stopping(); }));
  TERRAPIN_TRY_STATUS(without_value(core_.store.put(layout.at("annotation-tool/template.liquid"),
                                                    *bytes_source(given.template_html), "text/html")));
  TERRAPIN_TRY_STATUS(without_value(core_.store.put(
      layout.at("annotation-tool/data.json"),
      *bytes_source(artifacts::format_label_categories(given.categories())), "application/json")));
  // From the start there is a manifest, and counters that speak of it.
  TERRAPIN_TRY_STATUS(write_manifest(job, layout, false));
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(auto now_job, find_job_head(state, job.id));
    if (!now_job) return fail(ErrorCode::kInternal, "job {} is gone", job.id);
    now_job->objects = job.objects;
    now_job->passed = job.passed;
    now_job->modified = core_.clock.now();
    if (now_job->status == JobStatus::kInitializing) {
      TERRAPIN_TRY_STATUS(
          move_job(state, job.id, JobStatus::kInitializing, JobStatus::kInProgress, "", now_job->modified));
      now_job->status = JobStatus::kInProgress;
      TERRAPIN_TRY_STATUS(post(state, "job.in-progress", *now_job));
      TERRAPIN_TRY_STATUS(post(state, "tasks.available", *now_job));
      if (job.spec.pre_function.built_in()) {
        TERRAPIN_TRY_STATUS(open_objects(state, *now_job, now_job->modified));
      }
    }
    return save_counts(state, *now_job);
  }));
  wake_notices();
  return {};
}

Status Engine::post(Transaction& state, const char* event, const JobHead& job) {
  if (core_.collaborators.notices == nullptr) return {};
  return core_.collaborators.notices->post(state, event, job.record());
}

void Engine::wake_notices() {
  if (core_.collaborators.notices != nullptr) core_.collaborators.notices->wake();
}

Status Engine::fail_job(const std::string& job_id, const std::string& reason) {
  std::optional<JobHead> job;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(job, find_job_head(state, job_id));
    if (!job || has_ended(job->status)) return {};
    TERRAPIN_TRY_STATUS(move_job(state, job_id, job->status, JobStatus::kFailed, reason, core_.clock.now()));
    job->status = JobStatus::kFailed;
    job->failure = reason;
    return post(state, "job.failed", *job);
  }));
  wake_notices();
  return {};
}

// ---- while it runs ----

Result<bool> Engine::open_by_function(const JobHead& job) {
  for (int calls = 0; calls < kCallsAtOnce; ++calls) {
    if (stopping()) return false;
    std::optional<JobHead> now_job;
    std::vector<ObjectRow> objects;
    std::int64_t room = 0;
    TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(now_job, find_job_head(state, job.id));
      if (!now_job) return {};
      TERRAPIN_TRY(room, openable(state, *now_job));
      TERRAPIN_TRY(objects, objects_in_state(state, job.id, ObjectState::kWaiting, 0, 1));
      return {};
    }));
    if (!now_job || now_job->status != JobStatus::kInProgress || objects.empty() || room == 0) return false;
    ObjectRow object = std::move(objects.front());
    // With a task input it was asked before, and the object shown to somebody.
    Prepared prepared{"", object.task_input, true};
    if (object.task_input.empty()) {
      TERRAPIN_TRY(prepared, prepare_object(core_, job, object));
    }
    TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
      TERRAPIN_TRY(auto row, find_job_head(state, job.id));
      TERRAPIN_TRY(auto current, find_object(state, job.id, object.index));
      if (!row || !current || current->state != ObjectState::kWaiting ||
          row->status != JobStatus::kInProgress)
        return {};
      row->modified = core_.clock.now();
      if (!prepared.failure.empty()) {
        current->state = ObjectState::kFailed;
        current->failure = prepared.failure;
        ++row->failed;
        row->dirty = true;
        TERRAPIN_TRY_STATUS(save_object(state, job.id, *current));
      } else if (!prepared.needed) {
        current->state = ObjectState::kPassed;
        ++row->passed;
        row->dirty = true;
        TERRAPIN_TRY_STATUS(save_object(state, job.id, *current));
      } else {
        current->task_input = prepared.task_input;
        // Others may have been opened again while the function ran.
        TERRAPIN_TRY(const std::int64_t left, openable(state, *row));
        TERRAPIN_TRY_STATUS(left > 0 ? open_object(state, *row, *current, row->modified)
                                     : save_object(state, job.id, *current));
      }
      return save_counts(state, *row);
    }));
  }
  return true;
}

Status Engine::settle_withdrawn(const JobHead& job) {
  bool more = false;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(
        const auto one,
        state.select_one<I>("SELECT idx FROM labeling_assignments WHERE job_id = ? AND unsettled = 1 "
                            "LIMIT 1",
                            job.id));
    more = one.has_value();
    return {};
  }));
  if (more) progress_of(job.id)->skills.reset();  // they are those of the answers that are left
  while (more && !stopping()) {
    TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
      more = false;
      TERRAPIN_TRY(const auto indices,
                   state.select<I>("SELECT DISTINCT idx FROM labeling_assignments WHERE job_id = ? AND "
                                   "unsettled = 1 ORDER BY idx LIMIT 100",
                                   job.id));
      if (indices.empty()) return {};
      TERRAPIN_TRY(auto row, find_job_head(state, job.id));
      if (!row) return {};
      row->modified = core_.clock.now();
      for (const auto& [index] : indices) {
        TERRAPIN_TRY(auto object, find_object(state, job.id, index));
        if (!object) return fail(ErrorCode::kInternal, "object {} of job {} is gone", index, job.id);
        TERRAPIN_TRY_STATUS(labeling::settle_withdrawn(state, *row, *object, row->modified));
      }
      if (job.spec.pre_function.built_in()) {
        TERRAPIN_TRY_STATUS(open_objects(state, *row, row->modified));
      }
      more = true;
      return save_counts(state, *row);
    }));
  }
  return {};
}

Status Engine::end_availability(const JobHead& job) {
  const Timestamp now = core_.clock.now();
  const I cutoff = to_microseconds(now - seconds(job.spec.task_availability_s));
  std::int64_t after = -1;
  for (;;) {
    bool more = false;
    TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
      more = false;
      const Value values[] = {job.id, after, cutoff};
      TERRAPIN_TRY(
          auto objects,
          select_objects(
              state, "WHERE job_id = ? AND state = 'open' AND idx > ? AND opened <= ? ORDER BY idx LIMIT 200",
              values));
      if (objects.empty()) return {};
      TERRAPIN_TRY(auto row, find_job_head(state, job.id));
      if (!row || row->status != JobStatus::kInProgress) return {};
      row->modified = now;
      for (ObjectRow& object : objects) {
        TERRAPIN_TRY_STATUS(settle_object(state, *row, object, now));
        after = object.index;
      }
      more = objects.size() == 200;
      return save_counts(state, *row);
    }));
    if (!more) return {};
  }
}

Status Engine::end_leases_of_stopped(const JobHead& job) {
  return core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(auto row, find_job_head(state, job.id));
    if (!row) return {};
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_assignments SET state = 'returned', reason = 'the job was stopped' WHERE "
                  "job_id = ? AND state = "
                  "'leased'",
                  job.id));
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_objects SET state = 'ready', slots = 0 WHERE job_id = ? AND state IN "
                  "('open', 'waiting') AND answers > 0",
                  job.id));
    TERRAPIN_TRY_STATUS(state.run(
        "UPDATE labeling_objects SET state = 'waiting', slots = 0 WHERE job_id = ? AND state = 'open'",
        job.id));
    row->open = 0;
    return save_counts(state, *row);
  });
}

Result<JobSkills*> Engine::skills_of(const JobRow& job) {
  const auto progress = progress_of(job.id);
  if (!progress->skills) {
    TERRAPIN_TRY(JobSkills skills, JobSkills::load(core_, job.id, job.classes.size()));
    progress->skills = std::make_unique<JobSkills>(std::move(skills));
  }
  return progress->skills.get();
}

Status Engine::consolidate_one(const JobRow& job, const ObjectRow& object, bool final_pass) {
  TERRAPIN_TRY(const OutputLayout layout, OutputLayout::of(job.spec));
  std::vector<AssignmentRow> answers;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(answers, submitted_answers(state, job.id, object.index));
    return {};
  }));
  ObjectResult result;
  if (answers.empty()) {
    result.object = object;
    result.object.state = ObjectState::kFailed;
    result.object.failure = "it has no answer";
    result.object.take_mask_back();
  } else {
    TERRAPIN_TRY(JobSkills * skills, skills_of(job));
    TERRAPIN_TRY(result, consolidate_object(core_, job, layout, object, answers, skills->skills(final_pass)));
  }
  // The final pass improves masks. Where it cannot, since an answer's file is gone, the one there stays.
  if (final_pass && result.object.state == ObjectState::kFailed) {
    spdlog::warn("labeling job {}: object {} keeps its mask: {}", job.spec.name, object.index,
                 result.object.failure);
    return {};
  }
  // The answers may be others meanwhile (reopened, withdrawn, given by somebody else): then this result is
  // void.
  bool kept = false;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    kept = false;
    TERRAPIN_TRY(auto row, find_job_head(state, job.id));
    TERRAPIN_TRY(auto current, find_object(state, job.id, object.index));
    if (!row || !current || current->state != object.state || current->answers != object.answers) return {};
    TERRAPIN_TRY(const auto still, submitted_answers(state, job.id, object.index));
    if (!std::ranges::equal(still, answers, same_answer)) return {};
    kept = true;
    TERRAPIN_TRY_STATUS(save_object(state, job.id, result.object));
    if (!result.votes_json.empty()) {
      TERRAPIN_TRY_STATUS(
          state.run("INSERT INTO labeling_votes (job_id, idx, votes) VALUES (?, ?, ?) ON CONFLICT (job_id, "
                    "idx) DO UPDATE SET votes = excluded.votes",
                    job.id, object.index, result.votes_json));
    }
    const bool was_labeled = object.state == ObjectState::kLabeled;
    const bool is_labeled = result.object.state == ObjectState::kLabeled;
    if (!was_labeled && is_labeled) ++row->labeled;
    if (!is_labeled) ++row->failed;
    if (was_labeled && !is_labeled) --row->labeled;
    row->dirty = true;
    row->modified = core_.clock.now();
    if (row->status == JobStatus::kInProgress && job.spec.pre_function.built_in() && !final_pass) {
      TERRAPIN_TRY_STATUS(
          open_objects(state, *row, row->modified));  // a failed object makes room under a stopping condition
    }
    return save_counts(state, *row);
  }));
  if (kept && !result.votes_json.empty() && !final_pass) {
    TERRAPIN_TRY(const VoteCounts votes, votes_from_json(result.votes_json));
    TERRAPIN_TRY(JobSkills * skills, skills_of(job));
    TERRAPIN_TRY_STATUS(skills->add(votes));
  }
  return {};
}

Result<int> Engine::consolidate_ready(const JobHead& job) {
  std::vector<ObjectRow> objects;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(objects,
                 objects_in_state(state, job.id, ObjectState::kReady, 0,
                                  job.spec.post_function.built_in() ? kObjectsAtOnce : kCallsAtOnce));
    return {};
  }));
  if (objects.empty()) return 0;
  TERRAPIN_TRY(const JobRow whole_job, whole(job.id));
  int done = 0;
  for (const ObjectRow& object : objects) {
    if (stopping()) break;
    TERRAPIN_TRY_STATUS(consolidate_one(whole_job, object, false));
    ++done;
  }
  return done;
}

Status Engine::write_manifest(const JobHead& job, const OutputLayout& layout, bool final_one) {
  const Timestamp began = core_.clock.now();
  const auto progress = progress_of(job.id);
  progress->manifest_stale = true;  // until it and its counters are stored: what follows may fail
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(state.run("UPDATE labeling_jobs SET dirty = 0 WHERE id = ?", job.id));
    return {};
  }));
  TERRAPIN_TRY(ScratchFile file, ScratchFile::create(core_.options.scratch_folder));
  std::int64_t labeled = 0, failed = 0, unlabeled = 0, next = 0;
  for (;;) {
    std::vector<ObjectRow> objects;
    TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(objects, objects_from(state, job.id, next, 1000));
      return {};
    }));
    if (objects.empty()) break;
    for (const ObjectRow& object : objects) {
      std::string line = object.line;
      if (object.state == ObjectState::kLabeled) {
        TERRAPIN_TRY(line, artifacts::with_label(object.line, job.spec.label_attribute, object.value_json,
                                                 object.metadata_json));
        ++labeled;
      } else if (object.state == ObjectState::kFailed) {
        TERRAPIN_TRY(line, artifacts::with_label(object.line, job.spec.label_attribute, "",
                                                 artifacts::failure_metadata_json(
                                                     object.failure, 0, iso_text(core_.clock.now(), 6),
                                                     "labeling-job/" + job.spec.name)));
        ++failed;
      } else if (object.state == ObjectState::kPassed) {
        ++labeled;
      } else {
        ++unlabeled;
      }
      TERRAPIN_TRY_STATUS(file.write(line + "\n"));
      next = object.index + 1;
    }
  }
  TERRAPIN_TRY(const ByteSourcePtr source, file.finish());
  const std::unique_lock both(core_.manifest_lock(job.id));
  TERRAPIN_TRY_STATUS(
      without_value(core_.store.put(layout.intermediate_manifest(), *source, "application/jsonlines")));
  if (final_one) {
    TERRAPIN_TRY_STATUS(without_value(core_.store.put(layout.manifest(), *source, "application/jsonlines")));
  }
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_jobs SET shown_labeled = ?, shown_failed = ?, shown_unlabeled = ?, "
                  "manifest_uri = ? WHERE id = ?",
                  labeled, failed, unlabeled,
                  final_one ? storage::s3_uri(layout.manifest()) : job.manifest_uri, job.id));
    return {};
  }));
  progress->manifest_stale = false;
  progress->manifest_written = core_.clock.now();
  progress->manifest_took = progress->manifest_written - began;
  return {};
}

// ---- the end ----

Status Engine::remove_superseded(const JobHead& job, const OutputLayout& layout) {
  // Masks and figures that no object names any more.
  std::set<std::string> results;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(
        const auto rows,
        state.select<S>("SELECT result FROM labeling_objects WHERE job_id = ? AND result <> ''", job.id));
    results.clear();
    for (const auto& [result] : rows) results.insert(result);
    return {};
  }));
  for (const std::string& folder : {layout.mask_folder(), layout.figures_folder()}) {
    std::vector<std::string> superseded;
    TERRAPIN_TRY_STATUS(storage::for_each_object(
        core_.store, layout.bucket(), folder, [&](const storage::ObjectInfo& object) -> Status {
          const std::string name = object.key.substr(folder.size());
          const std::size_t bar = name.find('_'), dot = name.rfind('.');
          if (bar == std::string::npos || dot == std::string::npos || dot < bar) return {};
          const auto index = artifacts::parse_count(name.substr(0, bar), job.objects - 1);
          if (index && !results.contains(name.substr(0, dot))) superseded.push_back(object.key);
          return {};
        }));
    for (const std::string& key : superseded) {
      TERRAPIN_TRY_STATUS(core_.store.remove({layout.bucket(), key}));
    }
  }
  // Answers that a crash or a refusal left without a row. One that is being submitted now has no row yet
  // either, but then its object is open again, and the end has to wait.
  const std::string folder = layout.at("intermediate/answers/").key;
  std::set<std::string> orphans;
  TERRAPIN_TRY_STATUS(storage::for_each_object(core_.store, layout.bucket(), folder,
                                               [&](const storage::ObjectInfo& object) -> Status {
                                                 orphans.insert(object.key);
                                                 return {};
                                               }));
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const auto row, find_job_head(state, job.id));
    TERRAPIN_TRY(const bool over, row ? is_over(state, *row) : Result<bool>(false));
    if (!over) {
      orphans.clear();
      return {};
    }
    TERRAPIN_TRY(const auto named,
                 (state.select<S, S>("SELECT answer_uri, mask_uri FROM labeling_assignments WHERE job_id = ? "
                                     "AND answer_uri <> ''",
                                     job.id)));
    for (const auto& [answer, mask] : named) {
      for (const std::string& uri : {answer, mask})
        if (const auto name = storage::parse_s3_uri(uri); name) orphans.erase(name->key);
    }
    return {};
  }));
  for (const std::string& key : orphans) {
    TERRAPIN_TRY_STATUS(core_.store.remove({layout.bucket(), key}));
  }
  return {};
}

Result<bool> Engine::finish(const JobHead& given) {
  JobHead job = given;
  TERRAPIN_TRY(const OutputLayout layout, OutputLayout::of(job.spec));
  const bool several = job.spec.post_function.built_in() && task_kind(job.spec) != TaskKind::kVerification &&
                       !job.spec.majority_vote;
  if (several) {
    // All objects that several workers answered, again, with the skills that all answers show.
    bool any = false;
    TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(const auto votes,
                   state.select_one<I>("SELECT COUNT(*) FROM labeling_votes WHERE job_id = ?", job.id));
      any = std::get<0>(*votes) > 0;
      return {};
    }));
    if (any) {
      progress_of(job.id)->skills.reset();  // from what is stored, whatever the order of submission was
      TERRAPIN_TRY(JobRow pass, whole(job.id));
      pass.iteration = job.iteration + 1;
      std::int64_t next = 0;
      for (;;) {
        std::vector<ObjectRow> objects;
        TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
          TERRAPIN_TRY(objects, objects_in_state(state, job.id, ObjectState::kLabeled, next, 100));
          return {};
        }));
        if (objects.empty()) break;
        for (const ObjectRow& object : objects) {
          if (stopping()) return fail(ErrorCode::kCancelled, "the server stops");
          next = object.index + 1;
          if (object.answers < 2 || object.iteration >= pass.iteration) continue;
          TERRAPIN_TRY_STATUS(consolidate_one(pass, object, true));
        }
      }
    }
  }
  TERRAPIN_TRY_STATUS(write_manifest(job, layout, true));
  TERRAPIN_TRY_STATUS(remove_superseded(job, layout));  // before the end is told: a crash here comes back
  bool over = false;
  TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(auto row, find_job_head(state, job.id));
    if (!row) return fail(ErrorCode::kInternal, "job {} is gone", job.id);
    TERRAPIN_TRY(over, is_over(state, *row));
    if (!over) {
      return state
          .run("UPDATE labeling_jobs SET dirty = 1, manifest_uri = ?, iteration = ? WHERE id = ?",
               given.manifest_uri, given.iteration + 1, job.id)
          .map([](std::int64_t) {});
    }
    if (row->status == JobStatus::kInProgress) {
      TERRAPIN_TRY_STATUS(move_job(state, job.id, row->status, JobStatus::kCompleted, "", core_.clock.now()));
      row->status = JobStatus::kCompleted;
    } else if (row->status == JobStatus::kStopping) {
      TERRAPIN_TRY_STATUS(move_job(state, job.id, row->status, JobStatus::kStopped, "", core_.clock.now()));
      row->status = JobStatus::kStopped;
    }
    row->rework = false;
    row->iteration = job.iteration + 1;
    row->modified = core_.clock.now();
    job = *row;
    TERRAPIN_TRY_STATUS(
        post(state, job.status == JobStatus::kStopped ? "job.stopped" : "job.completed", *row));
    return save_counts(state, *row);
  }));
  if (!over) return false;
  wake_notices();
  {
    const std::lock_guard lock(progress_mutex_);
    progress_.erase(job.id);
  }
  return true;
}

Result<Timestamp> Engine::work_on(const std::string& job_id, bool may_call) {
  const auto load = [&]() -> Result<std::optional<JobHead>> {
    std::optional<JobHead> job;
    TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(job, find_job_head(state, job_id));
      return {};
    }));
    return job;
  };
  TERRAPIN_TRY(auto job, load());
  if (!job || (has_ended(job->status) && !job->rework)) return core_.clock.now() + kNever;
  if (!may_call && calls_functions(job->spec)) {
    const std::lock_guard lock(mutex_);
    callers_.insert(job_id);
    return core_.clock.now();
  }

  if (job->objects == 0) {
    TERRAPIN_TRY(const JobRow whole_job, whole(job_id));
    Status done = initialize(whole_job);
    if (!done) {
      const ErrorCode code = done.error().code;
      if (code == ErrorCode::kCancelled || code == ErrorCode::kIo || code == ErrorCode::kNoSpace)
        return tl::unexpected<Error>(std::move(done.error()));
      TERRAPIN_TRY_STATUS(fail_job(job_id, done.error().message));
      return core_.clock.now() + kNever;
    }
    TERRAPIN_TRY(job, load());
  }
  if (job->status == JobStatus::kInProgress &&
      core_.clock.now() >= job->created + seconds(core_.options.max_job_s)) {
    TERRAPIN_TRY_STATUS(core_.state.write([&](Transaction& state) {
      return move_job(state, job_id, JobStatus::kInProgress, JobStatus::kStopping, "", core_.clock.now());
    }));
    TERRAPIN_TRY(job, load());
  }
  TERRAPIN_TRY_STATUS(settle_withdrawn(*job));
  bool more = false;  // objects to open by a function
  if (job->status == JobStatus::kInProgress) {
    TERRAPIN_TRY_STATUS(end_availability(*job));
    if (!job->spec.pre_function.built_in()) {
      TERRAPIN_TRY(more, open_by_function(*job));
    }
  }
  // The job may be stopped at any moment: it ends as Stopped only after a pass that began with its leases
  // ended.
  const bool leases_ended = job->status == JobStatus::kStopping;
  if (leases_ended) {
    TERRAPIN_TRY_STATUS(end_leases_of_stopped(*job));
  }
  if (job->rework) progress_of(job_id)->skills.reset();
  TERRAPIN_TRY(const int consolidated, consolidate_ready(*job));
  TERRAPIN_TRY(job, load());
  if (!job) return core_.clock.now() + kNever;

  struct Left {
    I waiting = 0, open = 0, ready = 0;
  } left;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const auto rows,
                 (state.select<S, I>("SELECT state, COUNT(*) FROM labeling_objects WHERE job_id = ? AND "
                                     "state IN ('waiting', 'open', 'ready') GROUP BY state",
                                     job_id)));
    left = {};
    for (const auto& [name, count] : rows) {
      if (name == "waiting") left.waiting = count;
      if (name == "open") left.open = count;
      if (name == "ready") left.ready = count;
    }
    return {};
  }));
  const bool enough = job->labeled >= label_target(*job);
  if (job->status == JobStatus::kStopping && !leases_ended) return core_.clock.now();
  const bool over =
      left.ready == 0 && (leases_ended || job->rework || (left.open == 0 && (left.waiting == 0 || enough)));
  if (over && !stopping()) {
    TERRAPIN_TRY(const bool ended, finish(*job));
    return ended ? core_.clock.now() + kNever : core_.clock.now();
  }
  const auto progress = progress_of(job_id);
  const auto interval = std::max<microseconds>(microseconds(core_.options.manifest_interval_ms * 1000LL),
                                               20 * progress->manifest_took);
  const Timestamp due = progress->manifest_written + interval;
  bool dirty = job->dirty || progress->manifest_stale;
  if (dirty && core_.clock.now() >= due) {
    TERRAPIN_TRY(const OutputLayout layout, OutputLayout::of(job->spec));
    TERRAPIN_TRY_STATUS(write_manifest(*job, layout, false));
    dirty = false;
  }
  if (consolidated > 0 || more) return core_.clock.now();
  return dirty ? std::min<Timestamp>(due, core_.clock.now() + kLook) : core_.clock.now() + kLook;
}

// ---- threads ----

Result<std::vector<std::string>> Engine::unfinished_jobs() {
  std::vector<std::string> ids;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const auto rows,
                 state.select<S>("SELECT id FROM labeling_jobs WHERE status IN ('Initializing', "
                                 "'InProgress', 'Stopping') OR rework = 1 ORDER BY created"));
    ids.clear();
    for (const auto& [id] : rows) ids.push_back(id);
    return {};
  }));
  return ids;
}

void Engine::wake(const std::string& job_id) {
  const std::lock_guard lock(mutex_);
  due_[job_id] = Timestamp{};
  changed_.notify_all();
}

void Engine::start() {
  stopping_ = false;
  // A manifest may be older than the state: a crash can come between.
  const Status marked = core_.state.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(
        state.run("UPDATE labeling_jobs SET dirty = 1 WHERE status IN ('InProgress', 'Stopping')"));
    return {};
  });
  if (!marked) spdlog::error("labeling jobs: {}", marked.error().message);
  const auto jobs = unfinished_jobs();
  if (!jobs) spdlog::error("labeling jobs: {}", jobs.error().message);
  if (jobs)
    for (const std::string& id : *jobs) wake(id);
  const int count = core_.options.threads > 0 ? core_.options.threads : available_cores();
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < count; ++i) threads_.emplace_back([this] { labor(false); });
  threads_.emplace_back([this] { tick(); });
}

void Engine::start_call_threads() {
  if (call_threads_running_ || stopping()) return;
  call_threads_running_ = true;
  for (int i = 0; i < kCallThreads; ++i) threads_.emplace_back([this] { labor(true); });
}

void Engine::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  call_threads_running_ = false;
}

void Engine::tick() {
  std::unique_lock lock(mutex_);
  Retention retention(core_);
  Timestamp retention_due{};
  while (!stopping()) {
    lock.unlock();
    const auto expired = expire_leases(core_, 500);
    if (!expired) spdlog::error("ending leases: {}", expired.error().message);
    // Jobs that a command beside this server made or changed.
    const auto jobs = unfinished_jobs();
    if (core_.clock.now() >= retention_due) {
      // A long removal goes on at the next look: leases end meanwhile.
      const auto pause = std::chrono::steady_clock::now() + kLongestRetention;
      bool paused = false;
      const Status done = retention.apply([&] {
        paused = paused || std::chrono::steady_clock::now() > pause;
        return paused || stopping();
      });
      // What failed is tried again when all others have had their turn.
      retention_due = core_.clock.now() + (paused ? seconds(0) : seconds(3600));
      if (!done) spdlog::error("retention: {}", done.error().message);
    }
    lock.lock();
    if (jobs)
      for (const std::string& id : *jobs)
        if (!busy_.contains(id) && due_.emplace(id, Timestamp{}).second) changed_.notify_all();
    if (expired && *expired == 500) continue;
    changed_.wait_for(lock, std::chrono::milliseconds(core_.options.look_interval_ms),
                      [&] { return stopping(); });
  }
}

void Engine::labor(bool calls) {
  std::unique_lock lock(mutex_);
  while (!stopping()) {
    const Timestamp now = core_.clock.now();
    auto next = due_.end();
    for (auto job = due_.begin(); job != due_.end(); ++job)
      if (!busy_.contains(job->first) && callers_.contains(job->first) == calls &&
          (next == due_.end() || job->second < next->second))
        next = job;
    if (next == due_.end() || next->second > now) {
      const auto wait = next == due_.end() ? microseconds(seconds(1))
                                           : std::min<microseconds>(next->second - now, seconds(1));
      changed_.wait_for(lock, wait);
      continue;
    }
    const std::string id = next->first;
    due_.erase(next);
    busy_.insert(id);
    lock.unlock();
    const auto again = work_on(id, calls);
    Timestamp when = core_.clock.now() + seconds(5);  // after a failure of the machine
    if (again) {
      when = *again;
    } else if (again.error().code != ErrorCode::kCancelled) {
      spdlog::error("labeling job {}: {}", id, again.error().message);
    }
    lock.lock();
    busy_.erase(id);
    // A wake that came meanwhile is due already and stays.
    if (when < core_.clock.now() + kNever / 2) {
      due_.emplace(id, when);
      if (callers_.contains(id)) start_call_threads();
    } else {
      callers_.erase(id);
    }
    changed_.notify_all();
  }
}

Status Engine::run_pending() {
  for (;;) {
    TERRAPIN_TRY(const std::int64_t expired, expire_leases(core_, 500));
    if (expired == 0) break;
  }
  TERRAPIN_TRY(const auto jobs, unfinished_jobs());
  for (const std::string& id : jobs) {
    for (;;) {
      TERRAPIN_TRY(const Timestamp again, work_on(id, true));
      if (again > core_.clock.now()) break;
    }
  }
  return {};
}

}  // namespace terrapin::labeling
