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
    TERRAPIN_TRY(job, require_job(state, name));
    return {};
  }));
  return job;
}

// Answers by equal spans of time from the first to the last, each point at the end of its span.
Status read_series(Transaction& state, const std::string& job_id, JobProgress& progress) {
  TERRAPIN_TRY(const auto ends, (state.select_one<std::optional<I>, std::optional<I>>(
                                    "SELECT MIN(submitted), MAX(submitted) FROM labeling_assignments WHERE "
                                    "job_id = ? AND state = 'submitted'",
                                    job_id)));
  const auto first = std::get<0>(*ends), last = std::get<1>(*ends);
  if (!first || !last) return {};
  const I span = (*last - *first) / kMaxProgressPoints + 1;
  TERRAPIN_TRY(const auto rows,
               (state.select<I, I>(fmt::format("SELECT (submitted - {0}) / {1} AS span, COUNT(*) FROM "
                                               "labeling_assignments WHERE job_id = ? AND state = "
                                               "'submitted' GROUP BY (submitted - {0}) / {1} ORDER BY span",
                                               *first, span),
                                   job_id)));
  I answers = 0;
  for (const auto& [number, count] : rows) {
    answers += count;
    const I end = std::min(*last, *first + (number + 1) * span);
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
    TERRAPIN_TRY(const JobRow job, require_job(state, name));
    TERRAPIN_TRY(const auto object, find_object(state, job.id, index));
    if (!object) return fail(ErrorCode::kNotFound, "labeling job '{}' has no object {}", name, index);
    record = {object->index,    object->source_uri, object->state,      object->answers,     object->declines,
              object->mask_uri, object->failure,    object->confidence, object->disagreement};
    return {};
  }));
  return record;
}

Result<JobProgress> Jobs::progress(const std::string& name) {
  JobProgress progress;
  TERRAPIN_TRY_STATUS(core_.state.read([&](Transaction& state) -> Status {
    progress = {};
    TERRAPIN_TRY(const JobRow job, require_job(state, name));
    constexpr const char* kAnswers = "FROM labeling_assignments WHERE job_id = ? AND state = 'submitted'";
    TERRAPIN_TRY(const auto all, state.select_one<I>(fmt::format("SELECT COUNT(*) {}", kAnswers), job.id));
    progress.answers = std::get<0>(*all);
    if (progress.answers == 0) return {};
    TERRAPIN_TRY(const auto recent,
                 state.select_one<I>(fmt::format("SELECT COUNT(*) {} AND submitted > ?", kAnswers), job.id,
                                     to_microseconds(core_.clock.now()) - kHour));
    progress.answers_last_hour = std::get<0>(*recent);
    TERRAPIN_TRY(
        const auto middle,
        state.select_one<I>(fmt::format("SELECT submitted - accepted AS spent {} ORDER BY spent LIMIT "
                                        "1 OFFSET ?",
                                        kAnswers),
                            job.id, (progress.answers - 1) / 2));
    if (middle) progress.median_seconds = static_cast<double>(std::get<0>(*middle)) / 1e6;
    return read_series(state, job.id, progress);
  }));
  return progress;
}

}  // namespace terrapin::labeling
