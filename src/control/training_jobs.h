// Training jobs: a row and a process each.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/batch_rows.h"
#include "control/log_source.h"
#include "control/resources.h"
#include "control/slots.h"
#include "control/training_spec.h"
#include "control/training_state.h"
#include "jobs/job_store.h"
#include "jobs/runner.h"
#include "jobs/supervisor.h"

namespace terrapin::control {

struct TrainingJob {
  Resource resource;  // name, owner, tags, parent, times
  TrainingJobSpec spec;
  TrainingJobState state;
};

struct TrainingJobPage {
  std::vector<TrainingJob> jobs;
  bool more = false;
};

// Photos of a job's validation that there are pictures of, and the epochs that have them.
struct OverlayIndex {
  std::vector<std::string> photos;
  std::vector<int> epochs;
};
// kCorrupt: the training wrote something else.
Result<OverlayIndex> parse_overlay_index(const std::string& text);

struct TrainingJobsOptions {
  std::string program;             // absolute path of terrapin itself
  std::filesystem::path data_dir;  // of the installation
  Slots slots;
  // Of every job's process, such as where initial weights lie.
  std::map<std::string, std::string> environment;
};

// Thread-safe. Everything given outlives it.
class TrainingJobs {
 public:
  TrainingJobs(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
               jobs::Supervisor& supervisor, TrainingJobsOptions options);
  ~TrainingJobs();

  // Queues it. `parent`: the tuning job that wants it, "". kAlreadyExists, and kInvalidArgument for an
  // instance type that is none here.
  Result<TrainingJob> create(const TrainingJobSpec& spec, const std::string& owner,
                             const std::map<std::string, std::string>& tags, const std::string& parent = "");
  Result<TrainingJob> describe(const std::string& name);  // kNotFound
  // `filter.kind` is set here.
  Result<TrainingJobPage> list(ResourceFilter filter);
  // Asks for its end, with the model of the epochs that are done. kConflict naming the status of one that has
  // ended; saying it twice is saying it once.
  Result<TrainingJob> stop(const std::string& name);
  // Every value that it has said so far, oldest first.
  Result<std::vector<MetricValue>> metrics(const std::string& name);
  Result<jobs::OutputPage> logs(const std::string& name, std::int64_t offset, std::int64_t max_bytes);
  // nullopt while it has none, or if its files are gone.
  Result<std::optional<OverlayIndex>> overlays(const std::string& name);
  // A JPEG of that photo of the index; epoch 0: what was labelled. kNotFound.
  Result<std::string> overlay(const std::string& name, int epoch, std::int64_t photo);
  // The group /aws/sagemaker/TrainingJobs.
  LogSource& log_source() { return *log_source_; }

  // As BatchRows.
  Status settle(const std::string& job_id) { return rows_.settle(job_id); }
  Status settle_all() { return rows_.settle_all(); }

 private:
  struct Scraped {
    std::mutex mutex;
    std::int64_t offset = 0;          // guarded by mutex
    std::vector<MetricValue> values;  // guarded by mutex
  };
  Result<std::string> overlay_file(const std::string& name, const std::string& file);
  Result<std::vector<MetricValue>> scrape(const std::string& job_id);
  static Result<TrainingJob> read(Resource row);

  Resources& resources_;
  jobs::JobStore& job_store_;
  jobs::Runner& runner_;
  jobs::Supervisor& supervisor_;
  const TrainingJobsOptions options_;
  BatchRows rows_;
  std::unique_ptr<LogSource> log_source_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Scraped>> scraped_;  // guarded by mutex_; by job id
};

}  // namespace terrapin::control
