#include "control/control_plane.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/parallel.h"
#include "crypto/secrets.h"

namespace terrapin::control {
namespace {

// Endpoints are not held to the cores that training may use: an idle one costs memory alone.
constexpr int kEndpointShare = 64;
// For a request that comes before the first look at endpoints is over.
constexpr auto kFirstLook = std::chrono::seconds(10);

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  for (const std::uint8_t byte : crypto::random_bytes(8)) seed = seed << 8 | byte;
  return seed;
}

EndpointKeeperOptions keeper_options(const ControlOptions& options, std::function<void()> job_changed) {
  EndpointKeeperOptions keeper;
  keeper.program = options.program;
  keeper.data_dir = options.data_dir;
  keeper.lane = kEndpointLane;
  keeper.job_changed = std::move(job_changed);
  return keeper;
}

jobs::LocalRunnerOptions runner_options(const ControlOptions& options, const char* folder, int share) {
  jobs::LocalRunnerOptions local;
  local.root = options.data_dir / folder;
  local.keeper = {options.program, "job-keeper"};
  local.cores = options.slots.whole.cores * share;
  local.gpus = jobs::local_gpus();
  return local;
}

std::unique_ptr<jobs::Runner> make_batch_runner(const ControlOptions& options) {
  if (options.slurm) return std::make_unique<jobs::SlurmRunner>(*options.slurm);
  return std::make_unique<jobs::LocalRunner>(runner_options(options, "jobs", 1));
}

}  // namespace

Result<std::unique_ptr<ControlPlane>> ControlPlane::open(storage::Database& state,
                                                         storage::ObjectStore& objects, const Clock& clock,
                                                         ControlOptions options) {
  Slot& whole = options.slots.whole;
  if (whole.cores == 0) whole.cores = available_cores();
  whole.gpus = static_cast<int>(jobs::local_gpus().size());
  if (options.slurm) {
    options.slurm->root = options.data_dir / "jobs";
    options.slurm->keeper = {options.program, "job-keeper", "--stay"};
    TERRAPIN_TRY_STATUS(options.slurm->check());
  }
  TERRAPIN_TRY(Resources resources, Resources::open(state, clock));
  TERRAPIN_TRY(jobs::JobStore job_store, jobs::JobStore::open(state, clock));
  TERRAPIN_TRY(AsyncQueue async_queue, AsyncQueue::open(state));
  return std::unique_ptr<ControlPlane>(new ControlPlane(objects, clock, std::move(options),
                                                        std::move(resources), std::move(job_store),
                                                        std::move(async_queue)));
}

ControlPlane::ControlPlane(storage::ObjectStore& objects, const Clock& clock, ControlOptions options,
                           Resources resources, jobs::JobStore job_store, AsyncQueue async_queue)
    : objects_(objects),
      clock_(clock),
      options_(std::move(options)),
      resources_(std::move(resources)),
      job_store_(std::move(job_store)),
      batch_runner_(make_batch_runner(options_)),
      endpoint_runner_(runner_options(options_, "endpoints", kEndpointShare)),
      batch_supervisor_(job_store_, *batch_runner_, clock,
                        {.lane = kBatchLane, .changed = [this](const std::string& id) { job_changed(id); }}),
      endpoint_supervisor_(job_store_, endpoint_runner_, clock,
                           // The endpoint whose server does not fit must not keep others without theirs.
                           {.lane = kEndpointLane,
                            .in_order = false,
                            .changed = [this](const std::string&) { endpoint_keeper_.wake(); }}),
      training_jobs_(resources_, job_store_, *batch_runner_, batch_supervisor_,
                     {options_.program, options_.data_dir, options_.slots, options_.job_environment}),
      routes_(random_seed()),
      capture_(objects),
      endpoint_keeper_(resources_, job_store_, endpoint_runner_, routes_, options_.slots, clock,
                       keeper_options(options_, [this] { endpoint_supervisor_.wake(); })),
      models_(resources_, objects),
      endpoint_configs_(resources_, models_, options_.slots),
      endpoints_(resources_, endpoint_configs_, models_, options_.slots, [this] { endpoint_keeper_.wake(); }),
      invocations_(
          routes_, capture_, clock, [this] { return endpoint_keeper_.wait_until_ready(kFirstLook); },
          [this] { endpoint_keeper_.wake(); }),
      async_invocations_(resources_, std::move(async_queue), objects, routes_, clock,
                         [this](const Invocation& invocation) { return invocations_.invoke(invocation); }),
      endpoint_logs_(make_endpoint_logs(resources_, endpoints_, endpoint_runner_)),
      transform_jobs_(resources_, job_store_, *batch_runner_, batch_supervisor_,
                      {options_.program, options_.data_dir, options_.slots}),
      tuning_jobs_(resources_, tuned_trainings(training_jobs_), options_.slots),
      assist_learnings_(resources_, job_store_, *batch_runner_, batch_supervisor_,
                        {options_.program, options_.data_dir, options_.job_environment}),
      settles_("rows of jobs", options_.settle_interval, [this] { settle_all(); }) {}

ControlPlane::~ControlPlane() {
  stop();
}

void ControlPlane::start() {
  settles_.start();
  batch_supervisor_.start();
  endpoint_supervisor_.start();
  endpoint_keeper_.start();
  capture_.start();
  async_invocations_.start();
}

void ControlPlane::stop() {
  async_invocations_.stop();
  endpoint_keeper_.stop();
  batch_supervisor_.stop();
  endpoint_supervisor_.stop();
  capture_.stop();
  settles_.stop();
}

// What is missed here (the database is away for a moment) settle_all() finds.
void ControlPlane::job_changed(const std::string& job_id) {
  if (const Status settled = training_jobs_.settle(job_id); !settled)
    spdlog::error("job {}: {}", job_id, settled.error().message);
  if (const Status settled = transform_jobs_.settle(job_id); !settled)
    spdlog::error("job {}: {}", job_id, settled.error().message);
  if (const Status settled = assist_learnings_.settle(job_id); !settled)
    spdlog::error("job {}: {}", job_id, settled.error().message);
}

void ControlPlane::settle_all() {
  if (const Status settled = training_jobs_.settle_all(); !settled)
    spdlog::debug("training jobs: {}", settled.error().message);  // each was told there
  if (const Status settled = transform_jobs_.settle_all(); !settled)
    spdlog::debug("transform jobs: {}", settled.error().message);
  if (const Status settled = assist_learnings_.settle_all(); !settled)
    spdlog::debug("assistance learning: {}", settled.error().message);
  if (const Status looked = tuning_jobs_.look(); !looked)
    spdlog::debug("tuning jobs: {}", looked.error().message);
}

}  // namespace terrapin::control
