// What requesters look at while a job runs.
#include "labeling/jobs/jobs.h"

namespace terrapin::labeling {
namespace {

using storage::Transaction;
using I = std::int64_t;

constexpr I kHour = I{3600} * 1'000'000;

Result<JobRow> load(Core& core, const std::string& name) {
  JobRow job;
  TERRAPIN_TRY_STATUS(core.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(job, require_whole_job(state, name));
    return {};
  }));
  return job;
}

// Of all answers; one index holds all that is asked of them.
constexpr const char* kAnswers = "FROM labeling_assignments WHERE job_id = ? AND state = 'submitted'";

// Answers by equal spans of time from the first to the last, each point at the end of its span.
Status read_series(Transaction& state, const std::string& job_id, I first, I last, JobProgress& progress) {
  const I span = (last - first) / kMaxProgressPoints + 1;
  TERRAPIN_TRY(const auto rows, (state.select<I, I>(fmt::format("SELECT (submitted - {0}) / {1} AS span, "
                                                                "COUNT(*) {2} GROUP BY (submitted - {0}) / "
                                                                "{1} ORDER BY span",
                                                                first, span, kAnswers),
                                                    job_id)));
  I answers = 0;
  for (const auto& [number, count] : rows) {
    answers += count;
    const I end = std::min(last, first + (number + 1) * span);
    progress.series.push_back({from_microseconds(end), answers});
  }
  return {};
}

}  // namespace

Result<artifacts::LabelCategories> Jobs::categories(const std::string& name) {
  TERRAPIN_TRY(const JobRow job, load(core_, name));
  return job.categories();
}

Result<std::string> Jobs::template_html(const std::string& name) {
  TERRAPIN_TRY(JobRow job, load(core_, name));
  return std::move(job.template_html);
}

Result<ObjectRecord> Jobs::object(const std::string& name, std::int64_t index) {
  ObjectRecord record;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const JobHead job, require_job(state, name));
    TERRAPIN_TRY(const auto object, find_object(state, job.id, index));
    if (!object) return fail(ErrorCode::kNotFound, "labeling job '{}' has no object {}", name, index);
    record = {object->index,    object->source_uri, object->state,      object->answers,     object->declines,
              object->mask_uri, object->failure,    object->confidence, object->disagreement};
    return {};
  }));
  return record;
}

Result<FinishedMasks> Jobs::finished_masks(const std::string& name, int most) {
  FinishedMasks masks;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    masks.newest.clear();
    TERRAPIN_TRY(const JobHead job, require_job(state, name));
    TERRAPIN_TRY(const auto count,
                 state.select_one<I>("SELECT COUNT(*) FROM labeling_objects WHERE job_id = ? AND state = "
                                     "'labeled' AND mask_uri <> ''",
                                     job.id));
    masks.count = std::get<0>(*count);
    if (most <= 0) return {};
    TERRAPIN_TRY(
        const auto rows,
        (state.select<I, std::string, std::string, I>(
            "SELECT o.idx, o.source_uri, o.mask_uri, MAX(a.submitted) AS answered FROM labeling_objects o "
            "JOIN "
            "labeling_assignments a ON a.job_id = o.job_id AND a.idx = o.idx AND a.state = 'submitted' WHERE "
            "o.job_id = ? AND o.state = 'labeled' AND o.mask_uri <> '' GROUP BY o.idx, o.source_uri, "
            "o.mask_uri ORDER BY answered DESC, o.idx DESC LIMIT ?",
            job.id, most)));
    for (const auto& [index, source, mask, answered] : rows)
      masks.newest.push_back({index, source, mask, from_microseconds(answered)});
    return {};
  }));
  return masks;
}

Result<JobProgress> Jobs::progress(const std::string& name) {
  std::shared_ptr<const Progress> now;
  I recently = 0;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const JobHead job, require_job(state, name));
    TERRAPIN_TRY(const auto all,
                 (state.select_one<I, std::optional<I>, std::optional<I>, std::optional<I>>(
                     fmt::format("SELECT COUNT(*), MIN(submitted), MAX(submitted), CAST(SUM(submitted - "
                                 "accepted) AS BIGINT) {}",
                                 kAnswers),
                     job.id)));
    const auto [answers, oldest, newest, spent] = *all;
    TERRAPIN_TRY(const auto recent,
                 state.select_one<I>(fmt::format("SELECT COUNT(*) {} AND submitted > ?", kAnswers), job.id,
                                     to_microseconds(core_.clock.now()) - kHour));
    recently = std::get<0>(*recent);
    {
      const std::lock_guard lock(mutex_);
      const auto known = progress_.find(job.id);
      now = known != progress_.end() ? known->second : nullptr;
    }
    if (now && now->answers == answers && now->newest == newest.value_or(0) &&
        now->spent == spent.value_or(0))
      return {};
    Progress made{answers, newest.value_or(0), spent.value_or(0), {}};
    made.progress.answers = answers;
    if (answers > 0) {
      TERRAPIN_TRY(const auto middle,
                   state.select_one<I>(fmt::format("SELECT submitted - accepted AS spent {} "
                                                   "ORDER BY spent LIMIT 1 OFFSET ?",
                                                   kAnswers),
                                       job.id, (answers - 1) / 2));
      if (middle) made.progress.median_seconds = static_cast<double>(std::get<0>(*middle)) / 1e6;
      TERRAPIN_TRY_STATUS(read_series(state, job.id, *oldest, *newest, made.progress));
    }
    now = std::make_shared<const Progress>(std::move(made));
    const std::lock_guard lock(mutex_);
    if (progress_.size() >= kMaxRemembered) progress_.clear();
    progress_[job.id] = now;
    return {};
  }));
  JobProgress progress = now->progress;
  progress.answers_last_hour = recently;
  return progress;
}

}  // namespace terrapin::labeling
