// What runs besides labeling: training jobs, models, endpoints. One for a state database; the door for api,
// portal and cli.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/repeating_thread.h"
#include "base/result.h"
#include "control/async_invocations.h"
#include "control/endpoint_capture.h"
#include "control/endpoint_configs.h"
#include "control/endpoint_keeper.h"
#include "control/endpoint_logs.h"
#include "control/endpoint_routes.h"
#include "control/endpoints.h"
#include "control/invocations.h"
#include "control/log_source.h"
#include "control/models.h"
#include "control/resources.h"
#include "control/slots.h"
#include "control/training_jobs.h"
#include "control/transform_jobs.h"
#include "control/tuning_jobs.h"
#include "jobs/job_store.h"
#include "jobs/local_runner.h"
#include "jobs/slurm_runner.h"
#include "jobs/supervisor.h"
#include "storage/database.h"
#include "storage/object_store.h"

namespace terrapin::control {

inline constexpr const char* kBatchLane = "batch";         // what ends by itself: training, transforms
inline constexpr const char* kEndpointLane = "endpoints";  // model servers

struct ControlOptions {
  std::string program;             // the absolute path of terrapin itself: jobs are commands of it
  std::filesystem::path data_dir;  // jobs/ and endpoints/ lie in it; its settings name objects and state
  Slots slots;                     // `whole` without cores: this machine's
  // Training and transform jobs run on a cluster; `root` and `keeper` are set here. Without: on this machine.
  std::optional<jobs::SlurmRunnerOptions> slurm = {};
  // Of every job, such as TERRAPIN_WEIGHTS: where the server's own folders lie.
  std::map<std::string, std::string> job_environment = {};
  // How often everything that has not ended is looked at again.
  std::chrono::milliseconds settle_interval = std::chrono::seconds(1);
};

// Thread-safe once started. Everything given outlives it.
class ControlPlane {
 public:
  static Result<std::unique_ptr<ControlPlane>> open(storage::Database& state, storage::ObjectStore& objects,
                                                    const Clock& clock, ControlOptions options);
  ~ControlPlane();  // stop()
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  // Takes up what an earlier server left, and goes on by itself.
  void start();
  // Ends the threads; processes go on and are taken up by the next server.
  void stop();

  Resources& resources() { return resources_; }
  jobs::JobStore& job_store() { return job_store_; }
  storage::ObjectStore& objects() { return objects_; }
  TrainingJobs& training_jobs() { return training_jobs_; }
  Models& models() { return models_; }
  EndpointConfigs& endpoint_configs() { return endpoint_configs_; }
  Endpoints& endpoints() { return endpoints_; }
  Invocations& invocations() { return invocations_; }
  AsyncInvocations& async_invocations() { return async_invocations_; }
  // What of this machine jobs get.
  const Slots& slots() const { return options_.slots; }
  // What serves now, and how busy it is.
  const RouteTable& routes() const { return routes_; }
  TransformJobs& transform_jobs() { return transform_jobs_; }
  TuningJobs& tuning_jobs() { return tuning_jobs_; }
  // Every source of logs, one for a kind of work.
  std::vector<LogSource*> log_sources() {
    return {&training_jobs_.log_source(), endpoint_logs_.get(), &transform_jobs_.log_source()};
  }

 private:
  ControlPlane(storage::ObjectStore& objects, const Clock& clock, ControlOptions options, Resources resources,
               jobs::JobStore job_store, AsyncQueue async_queue);
  void job_changed(const std::string& job_id);
  void settle_all();

  storage::ObjectStore& objects_;
  const Clock& clock_;
  const ControlOptions options_;
  Resources resources_;
  jobs::JobStore job_store_;
  std::unique_ptr<jobs::Runner> batch_runner_;
  jobs::LocalRunner endpoint_runner_;
  jobs::Supervisor batch_supervisor_, endpoint_supervisor_;
  TrainingJobs training_jobs_;
  RouteTable routes_;
  EndpointCapture capture_;
  EndpointKeeper endpoint_keeper_;
  Models models_;
  EndpointConfigs endpoint_configs_;
  Endpoints endpoints_;
  Invocations invocations_;
  AsyncInvocations async_invocations_;
  std::unique_ptr<LogSource> endpoint_logs_;
  TransformJobs transform_jobs_;
  TuningJobs tuning_jobs_;

  // A job's end and its row are two writes: a server that is killed between them comes by here.
  RepeatingThread settles_;
};

}  // namespace terrapin::control
