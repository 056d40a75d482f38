#include "control/transform_jobs.h"

#include <utility>

#include "control/job_logs.h"
#include "control/process/transform_work.h"

namespace terrapin::control {

using storage::Transaction;

TransformJobs::TransformJobs(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
                             jobs::Supervisor& supervisor, TransformJobsOptions options)
    : resources_(resources),
      job_store_(job_store),
      supervisor_(supervisor),
      options_(std::move(options)),
      rows_(resources, job_store, runner, supervisor, {kTransformJobKind, "transform job", {kPhasesFile}},
            [](const jobs::JobRecord& job, const std::vector<jobs::JobChange>& changes,
               const std::vector<Phase>& phases) -> Result<BatchFacts> {
              const TransformState state = derive_transform_state(job, changes, phases);
              return BatchFacts{state.status, transform_state_text(state)};
            }),
      log_source_(make_job_logs(resources_, runner, kTransformJobKind, "/aws/sagemaker/TransformJobs",
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
  const jobs::Work work =
      batch_work(options_.program, kTransformKind, options_.data_dir, slot, transform_spec_text(spec));
  Resource made;
  TERRAPIN_TRY_STATUS(resources_.database().write([&](Transaction& state) -> Status {
    Resource row;
    row.kind = kTransformJobKind;
    row.name = spec.name;
    row.owner = owner;
    row.tags = tags;
    row.spec = transform_spec_text(spec);
    row.state = transform_state_text({});
    row.status = batch_status_name(BatchStatus::kInProgress);
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
  TERRAPIN_TRY(Resource row, rows_.stop(name));
  return read(std::move(row));
}

}  // namespace terrapin::control
