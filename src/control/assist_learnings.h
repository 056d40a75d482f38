// Tries of assistance to learn from labeling jobs: a row for each labeling job, a process for each try.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/assist_learning.h"
#include "control/log_source.h"
#include "control/resources.h"
#include "jobs/job_store.h"
#include "jobs/runner.h"
#include "jobs/supervisor.h"

namespace terrapin::control {

struct AssistLearningsOptions {
  std::string program;             // absolute path of terrapin itself
  std::filesystem::path data_dir;  // of the installation; models lie in its assist-models/
  // Of every process, such as where initial weights lie.
  std::map<std::string, std::string> environment;
};

// A labeling job is named by its id, which is never given again. Thread-safe. Everything given outlives it.
class AssistLearnings {
 public:
  AssistLearnings(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
                  jobs::Supervisor& supervisor, AssistLearningsOptions options);
  ~AssistLearnings();

  struct Standing {
    std::string labeling_job;  // its name
    bool under_way = false;
    std::int64_t tried = 0;  // photos that had a mask at the last try, whatever became of it; 0: never
  };
  Result<Standing> standing(const std::string& id);
  Result<std::map<std::string, Standing>> all();  // of every labeling job that was ever tried

  // Queues a try: one core, six seconds a step and 20 minutes at most. False: one is under way. `task.folder`
  // is set here; `output_uri`: of the labeling job, whose bucket says who may read the log.
  Result<bool> begin(const std::string& id, AssistLearningTask task, const std::string& owner,
                     const std::string& output_uri);
  // What its questions are answered with; nullopt: what ships.
  Result<std::optional<LearnedModel>> learned(const std::string& id) const;
  // Removes model, row and files. kConflict while a try is under way.
  Status forget(const std::string& id);

  // Brings the row of the job's process up to date; nothing for a process of another kind.
  Status settle(const std::string& job_id);
  // All whose process may have ended. What cannot be settled is logged and holds up no other.
  Status settle_all();
  // The group /terrapin/AssistLearning: of each labeling job the last try.
  LogSource& log_source() { return *log_source_; }

 private:
  Status settle_row(const Resource& row);
  std::filesystem::path folder(const std::string& id) const;
  void remove_process(const std::string& job_id);

  Resources& resources_;
  jobs::JobStore& job_store_;
  jobs::Runner& runner_;
  jobs::Supervisor& supervisor_;
  const AssistLearningsOptions options_;
  std::unique_ptr<LogSource> log_source_;
};

}  // namespace terrapin::control
