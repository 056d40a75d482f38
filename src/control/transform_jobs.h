// Batch transforms: a row and a process each.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "control/batch_rows.h"
#include "control/log_source.h"
#include "control/resources.h"
#include "control/slots.h"
#include "control/transform_spec.h"
#include "jobs/job_store.h"
#include "jobs/runner.h"
#include "jobs/supervisor.h"

namespace terrapin::control {

struct TransformJob {
  Resource resource;
  TransformSpec spec;
  TransformState state;
};

struct TransformJobsOptions {
  std::string program;             // absolute path of terrapin itself
  std::filesystem::path data_dir;  // of the installation
  Slots slots;
};

// Thread-safe. Everything given outlives it.
class TransformJobs {
 public:
  TransformJobs(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
                jobs::Supervisor& supervisor, TransformJobsOptions options);
  ~TransformJobs();

  // Queues it. kAlreadyExists; kInvalidArgument as check_transform_spec and for an instance type that is none
  // here.
  Result<TransformJob> create(const TransformSpec& spec, const std::string& owner,
                              const std::map<std::string, std::string>& tags);
  static Result<TransformJob> read(Resource row);          // kCorrupt
  Result<TransformJob> describe(const std::string& name);  // kNotFound
  // Asks for its end; what is stored stays. kConflict naming the status of one that has ended; saying it
  // twice is saying it once.
  Result<TransformJob> stop(const std::string& name);
  // The group /aws/sagemaker/TransformJobs.
  LogSource& log_source() { return *log_source_; }

  // As BatchRows.
  Status settle(const std::string& job_id) { return rows_.settle(job_id); }
  Status settle_all() { return rows_.settle_all(); }

 private:
  Resources& resources_;
  jobs::JobStore& job_store_;
  jobs::Supervisor& supervisor_;
  const TransformJobsOptions options_;
  BatchRows rows_;
  std::unique_ptr<LogSource> log_source_;
};

}  // namespace terrapin::control
