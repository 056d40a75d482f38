#include "control/transform_jobs.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "control/control_plane.h"
#include "control/job_logs.h"
#include "control/process/training_work.h"
#include "control/process/transform_work.h"

namespace terrapin::control {
namespace {

using jobs::JobRecord;
using storage::Transaction;

jobs::Work work_of(const TransformSpec& spec, const Slot& slot, const TransformJobsOptions& options) {
  jobs::Work work;
  work.lane = kBatchLane;
  work.arguments = {options.program, "job-work", kTransformKind, "--data-dir", options.data_dir.string()};
  // Of the objects' place, and how threads wait for each other.
  work.inherited = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                    "TERRAPIN_S3_CREDENTIALS_FILE", "OMP_WAIT_POLICY"};
  work.cores = slot.cores;
  work.gpus = slot.gpus;
  work.failure_file = kFailureFile;
  work.files = {{kTaskFile, transform_spec_text(spec)}};
  return work;
}

}  // namespace

TransformJobs::TransformJobs(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
                             jobs::Supervisor& supervisor, TransformJobsOptions options)
    : resources_(resources),
      job_store_(job_store),
      runner_(runner),
      supervisor_(supervisor),
      options_(std::move(options)),
      log_source_(make_job_logs(resources_, runner_, kTransformJobKind, "/aws/sagemaker/TransformJobs",
                                [](const Resource& row) {
                                  const auto spec = parse_transform_spec(row.spec);
                                  return spec ? spec->output_uri : std::string();
                                })) {}

TransformJobs::~TransformJobs() = default;

Result<TransformJob> TransformJobs::read(Resource row) {
  TransformJob job;
  TERRAPIN_TRY(job.spec, parse_transform_spec(row.spec));
  TERRAPIN_TRY(job.state, parse_transform_state(row.state));
  job.resource = std::move(row);
  return job;
}

Result<TransformJob> TransformJobs::create(const TransformSpec& spec, const std::string& owner,
                                           const std::map<std::string, std::string>& tags) {
  TERRAPIN_TRY_STATUS(check_transform_spec(spec));
  TERRAPIN_TRY(const Slot slot, options_.slots.of(spec.instance_type));
  const jobs::Work work = work_of(spec, slot, options_);
  Resource made;
  TERRAPIN_TRY_STATUS(resources_.database().write([&](Transaction& state) -> Status {
    Resource row;
    row.kind = kTransformJobKind;
    row.name = spec.name;
    row.owner = owner;
    row.tags = tags;
    row.spec = transform_spec_text(spec);
    row.state = transform_state_text({});
    row.status = transform_status_name(TransformStatus::kInProgress);
    TERRAPIN_TRY(row.job_id, job_store_.create(state, kTransformKind, spec.name, work));
    TERRAPIN_TRY(made, resources_.create(state, std::move(row)));
    return {};
  }));
  supervisor_.wake();
  return read(std::move(made));
}

Result<TransformJob> TransformJobs::describe(const std::string& name) {
  TERRAPIN_TRY(Resource row, resources_.find(kTransformJobKind, name));
  return read(std::move(row));
}

Result<TransformJob> TransformJobs::stop(const std::string& name) {
  TERRAPIN_TRY(const Resource row, resources_.find(kTransformJobKind, name));
  TERRAPIN_TRY(const TransformStatus status, parse_transform_status(row.status));
  if (has_ended(status))
    return fail(ErrorCode::kConflict, "the transform job '{}' is {}; it has ended", row.name, row.status);
  const auto stopped = job_store_.stop(row.job_id);
  // It ended just now: what became of it is told below.
  if (!stopped && stopped.error().code != ErrorCode::kConflict) return tl::unexpected<Error>(stopped.error());
  supervisor_.wake();
  TERRAPIN_TRY(Resource settled, settle_row(row));
  return read(std::move(settled));
}

Result<Resource> TransformJobs::settle_row(const Resource& row) {
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
  if (jobs::has_ended(job.state) && !job.handle.empty()) {
    // A job that was killed could not do it; before the row says that all is done.
    if (const Status cleared = runner_.clear(job.id, job.handle, {kPhasesFile}); !cleared)
      spdlog::warn("the files of transform job {}: {}", row.name, cleared.error().message);
  }
  const TransformState state = derive_transform_state(job, changes, phases);
  return resources_.change(kTransformJobKind, row.name, [&](Transaction&, Resource& now) -> Status {
    // Another job of the name, or one that was settled meanwhile.
    TERRAPIN_TRY(const TransformStatus status, parse_transform_status(now.status));
    if (now.job_id != row.job_id || has_ended(status)) return {};
    now.status = transform_status_name(state.status);
    now.state = transform_state_text(state);
    return {};
  });
}

Status TransformJobs::settle(const std::string& job_id) {
  const auto row = resources_.find_by_job(job_id);
  if (!row && row.error().code == ErrorCode::kNotFound) return {};
  if (!row) return tl::unexpected<Error>(row.error());
  if (row->kind != kTransformJobKind) return {};
  return settle_row(*row).map([](const Resource&) {});
}

Status TransformJobs::settle_all() {
  ResourceFilter filter;
  filter.kind = kTransformJobKind;
  filter.statuses = {transform_status_name(TransformStatus::kInProgress),
                     transform_status_name(TransformStatus::kStopping)};
  Status first;
  for (bool more = true; more; filter.offset += filter.limit) {
    // Those that are settled leave the list: a row that is passed over comes the next time.
    TERRAPIN_TRY(const ResourcePage page, resources_.list(filter));
    for (const Resource& row : page.resources) {
      const auto settled = settle_row(row);
      if (settled) continue;
      spdlog::error("transform job {}: {}", row.name, settled.error().message);
      if (first) first = tl::unexpected<Error>(settled.error());
    }
    more = page.more;
  }
  return first;
}

}  // namespace terrapin::control
