#include "labeling/labeling_service.h"

#include "labeling/core.h"
#include "labeling/jobs/engine.h"
#include "labeling/jobs/jobs.h"
#include "labeling/tasks/tasks.h"

namespace terrapin::labeling {

class LabelingService::Implementation {
 public:
  Implementation(storage::Database& state, storage::ObjectStore& store, const Clock& clock,
                 LabelingOptions options, Collaborators collaborators)
      : core{state, store, clock, std::move(options), std::move(collaborators)} {
    core.wake = [this](const std::string& job_id) { engine.wake(job_id); };
  }
  Core core;
  Engine engine{core};
  Jobs jobs{core};
  Tasks tasks{core};
};

LabelingService::LabelingService(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
LabelingService::~LabelingService() {
  stop();
}

Result<std::unique_ptr<LabelingService>> LabelingService::open(storage::Database& state,
                                                               storage::ObjectStore& store,
                                                               const Clock& clock, LabelingOptions options,
                                                               Collaborators collaborators) {
  TERRAPIN_TRY_STATUS(state.migrate("labeling", labeling_migrations()));
  return std::unique_ptr<LabelingService>(new LabelingService(
      std::make_unique<Implementation>(state, store, clock, std::move(options), std::move(collaborators))));
}

JobService& LabelingService::jobs() {
  return implementation_->jobs;
}
TaskService& LabelingService::tasks() {
  return implementation_->tasks;
}
void LabelingService::start() {
  implementation_->engine.start();
}
void LabelingService::stop() {
  implementation_->engine.stop();
}
Status LabelingService::run_pending() {
  return implementation_->engine.run_pending();
}
Status LabelingService::give_back_leases(const std::string& worker_id) {
  return labeling::give_back_leases(implementation_->core, worker_id);
}

}  // namespace terrapin::labeling
