// `terrapin train` as several processes of this machine that train together, and each of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "training/distributed/process_group.h"
#include "training/recipe.h"

namespace terrapin::cli {

struct LaunchPlan {
  int processes = 1;  // on this machine
  // Several machines, each with as many processes: their names, sorted; empty: this one alone.
  std::vector<std::string> hosts;
  std::string current_host, interface_name;

  int all_processes() const { return processes * (hosts.empty() ? 1 : static_cast<int>(hosts.size())); }
};

// How many processes this machine should start: `asked`, or with 0 one per GPU where the training may use
// GPUs and its batch has a crop for each. kInvalidArgument beside WORLD_SIZE, which says that a launcher did
// that.
Result<int> local_processes(int asked, const training::TrainingOptions& options);

// Runs this program's own command line in every process of the plan, with the variables of torch's launchers,
// and waits for all. A stop is passed on. Once one fails, all are ended, and the error is the one that began
// it: what a process said, or how it was killed. The exit code is that of this machine's first process.
Result<int> run_processes(const LaunchPlan& plan);

// This process among those that train together: group() is null alone.
class TrainProcess {
 public:
  // Meets the others.
  static Result<TrainProcess> join(const training::Place& place);
  const std::shared_ptr<training::ProcessGroup>& group() const { return group_; }
  // Rank 0 alone has an output folder and says something.
  bool leads() const { return !group_ || group_->rank() == 0; }

 private:
  std::shared_ptr<training::ProcessGroup> group_;
};

// Whether run_processes() started this process.
bool was_launched();
// Of a process that was launched: an error goes to who launched it, which says one for all, and the exit code
// is left. Otherwise the result itself.
Result<int> told_to_launcher(Result<int> result, const training::ProcessGroup* group);

}  // namespace terrapin::cli
