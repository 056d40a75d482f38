// Rows of work that ends by itself and has a process of its own (a training, a transform): the row follows
// the process. One of these for a kind of row.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/batch_status.h"
#include "control/process/phases.h"
#include "control/resources.h"
#include "control/slots.h"
#include "jobs/job_store.h"
#include "jobs/runner.h"
#include "jobs/supervisor.h"

namespace terrapin::control {

// `PROGRAM job-work KIND` in the batch lane, with what `slot` gives and `task` in its work folder.
jobs::Work batch_work(const std::string& program, const std::string& kind,
                      const std::filesystem::path& data_dir, const Slot& slot, const std::string& task);

struct BatchKind {
  std::string row;             // Resource::kind
  std::string noun;            // "training job", in messages
  std::set<std::string> kept;  // of the work folder, once it has ended
};

// What a row is to say.
struct BatchFacts {
  BatchStatus status = BatchStatus::kInProgress;
  std::string state;
};

// Thread-safe as far as `derive` is. Everything given outlives it.
class BatchRows {
 public:
  // The same answer for the same rows and files, whoever asks and however often.
  using Derive = std::function<Result<BatchFacts>(const jobs::JobRecord& job,
                                                  const std::vector<jobs::JobChange>& changes,
                                                  const std::vector<Phase>& phases)>;
  BatchRows(Resources& resources, jobs::JobStore& job_store, jobs::Runner& runner,
            jobs::Supervisor& supervisor, BatchKind kind, Derive derive);

  // Asks for the end of its process. kNotFound; kConflict naming the status of one that has ended; saying it
  // twice is saying it once.
  Result<Resource> stop(const std::string& name);
  // Brings the row of the process up to date; nothing for a process of another kind of row.
  Status settle(const std::string& job_id);
  // All that have not ended. What cannot be settled is logged and holds up no other.
  Status settle_all();

 private:
  Result<Resource> settle_row(const Resource& row);

  Resources& resources_;
  jobs::JobStore& job_store_;
  jobs::Runner& runner_;
  jobs::Supervisor& supervisor_;
  const BatchKind kind_;
  const Derive derive_;
  std::mutex settling_;
};

}  // namespace terrapin::control
