#include "control/batch_rows.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "control/control_plane.h"
#include "control/process/child_environment.h"
#include "control/process/training_work.h"

namespace terrapin::control {

using jobs::JobRecord;
using storage::Transaction;

jobs::Work batch_work(const std::string& program, const std::string& kind,
                      const std::filesystem::path& data_dir, const Slot& slot, const std::string& task) {
  jobs::Work work;
  work.lane = kBatchLane;
  work.arguments = {program, "job-work", kind, "--data-dir", data_dir.string()};
  work.inherited = inherited_by_jobs();
  work.cores = slot.cores;
  work.gpus = slot.gpus;
  work.failure_file = kFailureFile;
  work.files = {{kTaskFile, task}};
  return work;
}

BatchRows::BatchRows(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
                     jobs::Supervisor& supervisor, BatchKind kind, Derive derive)
    : resources_(resources),
      job_store_(job_store),
      runner_(runner),
      supervisor_(supervisor),
      kind_(std::move(kind)),
      derive_(std::move(derive)) {}

Result<Resource> BatchRows::stop(const std::string& name) {
  TERRAPIN_TRY(const Resource row, resources_.find(kind_.row, name));
  TERRAPIN_TRY(const BatchStatus status, parse_batch_status(row.status));
  if (has_ended(status))
    return fail(ErrorCode::kConflict, "the {} '{}' is {}; it has ended", kind_.noun, row.name, row.status);
  const auto stopped = job_store_.stop(row.job_id);
  // It ended just now: what became of it is told below.
  if (!stopped && stopped.error().code != ErrorCode::kConflict) return tl::unexpected<Error>(stopped.error());
  supervisor_.wake();
  return settle_row(row);
}

Result<Resource> BatchRows::settle_row(const Resource& row) {
  // What is seen later is written later.
  const std::lock_guard lock(settling_);
  TERRAPIN_TRY(const JobRecord job, job_store_.find(row.job_id));
  TERRAPIN_TRY(const auto changes, job_store_.changes(row.job_id));
  std::vector<Phase> phases;
  if (!job.handle.empty()) {
    const auto text = runner_.read_file(job.id, job.handle, kPhasesFile, kMaxPhasesBytes);
    if (text) {
      phases = parse_phases(*text);
    } else if (text.error().code != ErrorCode::kNotFound) {
      return tl::unexpected<Error>(text.error());
    }
  }
  TERRAPIN_TRY(const BatchFacts facts, derive_(job, changes, phases));
  if (jobs::has_ended(job.state) && !job.handle.empty()) {
    // A job that was killed could not do it; before the row says that all is done.
    if (const Status cleared = runner_.clear(job.id, job.handle, kind_.kept); !cleared)
      spdlog::warn("the files of {} {}: {}", kind_.noun, row.name, cleared.error().message);
  }
  const std::string status_text = batch_status_name(facts.status);
  // Every look at a job that waits is no write.
  if (row.status == status_text && row.state == facts.state) return row;
  return resources_.change(kind_.row, row.name, [&](Transaction&, Resource& now) -> Status {
    // Another job of the name, or one that was settled meanwhile.
    TERRAPIN_TRY(const BatchStatus status, parse_batch_status(now.status));
    if (now.job_id != row.job_id || has_ended(status)) return {};
    now.status = status_text;
    now.state = facts.state;
    return {};
  });
}

Status BatchRows::settle(const std::string& job_id) {
  const auto row = resources_.find_by_job(job_id);
  if (!row && row.error().code == ErrorCode::kNotFound) return {};
  if (!row) return tl::unexpected<Error>(row.error());
  if (row->kind != kind_.row) return {};
  return settle_row(*row).map([](const Resource&) {});
}

Status BatchRows::settle_all() {
  ResourceFilter filter;
  filter.kind = kind_.row;
  filter.statuses = {batch_status_name(BatchStatus::kInProgress), batch_status_name(BatchStatus::kStopping)};
  Status first;
  for (bool more = true; more; filter.offset += filter.limit) {
    // Those that are settled leave the list: a row that is passed over comes the next time.
    TERRAPIN_TRY(const ResourcePage page, resources_.list(filter));
    for (const Resource& row : page.resources) {
      const auto settled = settle_row(row);
      if (settled) continue;
      spdlog::error("{} {}: {}", kind_.noun, row.name, settled.error().message);
      if (first) first = tl::unexpected<Error>(settled.error());
    }
    more = page.more;
  }
  return first;
}

}  // namespace terrapin::control
