#include "control/assist_learnings.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "base/json_text.h"
#include "control/batch_rows.h"
#include "control/job_logs.h"
#include "control/process/assist_learning_work.h"
#include "jobs/json_members.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using jobs::JobRecord;
using nlohmann::json;
using nlohmann::ordered_json;
using storage::Transaction;

// Words of the rows' status.
constexpr const char *kUnderWay = "InProgress", *kReplaced = "Replaced", *kKept = "Kept", *kFailed = "Failed";
constexpr std::int64_t kMaxOutcomeBytes = 64 << 10;
// Of a slow core: what is not learning, and a step.
constexpr std::chrono::minutes kMaxBesides{20};
constexpr std::chrono::seconds kMaxStep{6};

std::string spec_text(const std::string& labeling_job, const std::string& output_uri) {
  return json_text(ordered_json{{"version", 1}, {"labeling_job", labeling_job}, {"output_uri", output_uri}});
}

std::string state_text(std::int64_t tried, const std::string& told) {
  return json_text(ordered_json{{"version", 1}, {"tried", tried}, {"told", told}});
}

Result<AssistLearnings::Standing> standing_of(const Resource& row) {
  TERRAPIN_TRY(const json spec, jobs::parse_object(row.spec, "the row of an assistance learning"));
  TERRAPIN_TRY(const json state, jobs::parse_object(row.state, "the row of an assistance learning"));
  return AssistLearnings::Standing{jobs::text_of(spec, "labeling_job"), row.status == kUnderWay,
                                   jobs::integer_of(state, "tried", 0)};
}

jobs::Work work_of(const AssistLearningTask& task, const AssistLearningsOptions& options) {
  jobs::Work work = batch_work(options.program, kAssistLearningKind, options.data_dir, Slot{1, 0},
                               assist_learning_task_text(task));
  work.environment = options.environment;
  work.max_run = kMaxBesides + task.steps * kMaxStep;
  work.max_output_bytes = 4 << 20;
  return work;
}

}  // namespace

AssistLearnings::AssistLearnings(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
                                 jobs::Supervisor& supervisor, AssistLearningsOptions options)
    : resources_(resources),
      job_store_(job_store),
      runner_(runner),
      supervisor_(supervisor),
      options_(std::move(options)),
      log_source_(make_job_logs(resources_, runner_, kAssistLearningKind, "/terrapin/AssistLearning",
                                [](const Resource& row) {
                                  const auto spec = jobs::parse_object(row.spec, "the row");
                                  return spec ? jobs::text_of(*spec, "output_uri") : std::string();
                                })) {}

AssistLearnings::~AssistLearnings() = default;

fs::path AssistLearnings::folder(const std::string& id) const {
  return options_.data_dir / "assist-models" / id;
}

Result<AssistLearnings::Standing> AssistLearnings::standing(const std::string& id) {
  const auto row = resources_.find(kAssistLearningKind, id);
  if (!row && row.error().code == ErrorCode::kNotFound) return Standing{};
  if (!row) return tl::unexpected<Error>(row.error());
  return standing_of(*row);
}

Result<std::map<std::string, AssistLearnings::Standing>> AssistLearnings::all() {
  std::map<std::string, Standing> found;
  ResourceFilter filter;
  filter.kind = kAssistLearningKind;
  TERRAPIN_TRY(const std::vector<Resource> rows, resources_.all(filter));
  for (const Resource& row : rows) {
    TERRAPIN_TRY(found[row.name], standing_of(row));
  }
  return found;
}

Result<bool> AssistLearnings::begin(const std::string& id, AssistLearningTask task, const std::string& owner,
                                    const std::string& output_uri) {
  task.folder = fs::absolute(folder(id));
  const jobs::Work work = work_of(task, options_);
  const std::string told = fmt::format("tried with {} photos", task.photos.size());
  bool begun = false;
  std::string before;
  TERRAPIN_TRY_STATUS(resources_.database().write([&](Transaction& state) -> Status {
    begun = false;
    auto known = resources_.find(state, kAssistLearningKind, id);
    if (!known && known.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(known.error());
    if (known && known->status == kUnderWay) return {};
    Resource row;
    row.kind = kAssistLearningKind;
    row.name = id;
    row.owner = owner;
    row.status = kUnderWay;
    row.spec = spec_text(task.labeling_job, output_uri);
    row.state = state_text(task.labeled, told);
    TERRAPIN_TRY(row.job_id, job_store_.create(state, kAssistLearningKind, id, work));
    before.clear();
    if (known) {
      before = known->job_id;
      TERRAPIN_TRY_STATUS(resources_.remove(state, kAssistLearningKind, id));
    }
    TERRAPIN_TRY([[maybe_unused]] const Resource made, resources_.create(state, std::move(row)));
    begun = true;
    return {};
  }));
  if (!begun) return false;
  if (!before.empty()) remove_process(before);
  supervisor_.wake();
  return true;
}

Result<std::optional<LearnedModel>> AssistLearnings::learned(const std::string& id) const {
  return read_learned_model(folder(id));
}

// What cannot be removed is left: a few kilobytes of log.
void AssistLearnings::remove_process(const std::string& job_id) {
  const auto job = job_store_.find(job_id);
  if (!job) return;
  if (!job->handle.empty())
    if (const Status removed = runner_.remove(job_id, job->handle); !removed)
      spdlog::warn("assistance learning, job {}: {}", job_id, removed.error().message);
  if (const Status removed = job_store_.remove(job_id); !removed)
    spdlog::warn("assistance learning, job {}: {}", job_id, removed.error().message);
}

Status AssistLearnings::forget(const std::string& id) {
  std::string job_id;
  TERRAPIN_TRY_STATUS(resources_.database().write([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const Resource row, resources_.find(state, kAssistLearningKind, id));
    if (row.status == kUnderWay)
      return fail(ErrorCode::kConflict, "assistance is learning from labeling job {} now", id);
    job_id = row.job_id;
    // First: a model without a row is found by nobody who looks for rows.
    std::error_code problem;
    fs::remove_all(folder(id), problem);
    if (problem) return fail(ErrorCode::kIo, "{}: {}", folder(id).string(), problem.message());
    return resources_.remove(state, kAssistLearningKind, id);
  }));
  remove_process(job_id);
  return {};
}

Status AssistLearnings::settle_row(const Resource& row) {
  TERRAPIN_TRY(const JobRecord job, job_store_.find(row.job_id));
  if (!jobs::has_ended(job.state)) return {};
  TERRAPIN_TRY(const Standing standing, standing_of(row));
  std::string status = kFailed, told = job.failure.empty() ? "it was stopped" : job.failure;
  if (job.state == jobs::JobState::kCompleted) {
    const auto text = runner_.read_file(job.id, job.handle, kOutcomeFile, kMaxOutcomeBytes);
    if (!text && text.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(text.error());
    const auto outcome = text ? parse_assist_learning_outcome(*text) : tl::unexpected<Error>(text.error());
    told = outcome ? outcome_sentence(*outcome) : "it ended without an error and did not say what it did";
    if (outcome) status = outcome->replaced ? kReplaced : kKept;
  }
  if (!job.handle.empty()) {
    // A job that was killed could not do it; before the row says that all is done.
    if (const Status cleared = runner_.clear(job.id, job.handle, {kOutcomeFile}); !cleared)
      spdlog::warn("the files of the assistance learning {}: {}", row.name, cleared.error().message);
  }
  bool settled = false;
  TERRAPIN_TRY([[maybe_unused]] const Resource changed,
               resources_.change(kAssistLearningKind, row.name, [&](Transaction&, Resource& now) -> Status {
                 settled = now.job_id == row.job_id && now.status == kUnderWay;
                 if (!settled) return {};
                 now.status = status;
                 now.state = state_text(standing.tried, told);
                 return {};
               }));
  if (settled) spdlog::info("assistance of labeling job {}: {}", standing.labeling_job, told);
  return {};
}

Status AssistLearnings::settle(const std::string& job_id) {
  const auto row = resources_.find_by_job(job_id);
  if (!row && row.error().code == ErrorCode::kNotFound) return {};
  if (!row) return tl::unexpected<Error>(row.error());
  if (row->kind != kAssistLearningKind || row->status != kUnderWay) return {};
  return settle_row(*row);
}

Status AssistLearnings::settle_all() {
  ResourceFilter filter;
  filter.kind = kAssistLearningKind;
  filter.statuses = {kUnderWay};
  Status first;
  for (bool more = true; more; filter.offset += filter.limit) {
    // Those that are settled leave the list: a row that is passed over comes the next time.
    TERRAPIN_TRY(const ResourcePage page, resources_.list(filter));
    for (const Resource& row : page.resources) {
      const Status settled = settle_row(row);
      if (settled) continue;
      spdlog::error("assistance learning {}: {}", row.name, settled.error().message);
      if (first) first = settled;
    }
    more = page.more;
  }
  return first;
}

}  // namespace terrapin::control
