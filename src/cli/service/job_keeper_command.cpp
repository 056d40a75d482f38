// terrapin job-keeper, which the server (or, with --stay, Slurm) starts beside each job and which nobody
// types.
#include "cli/command.h"
#include "jobs/keeper.h"

namespace terrapin::cli {

void add_job_keeper_command(CLI::App& app, Invocation& invocation) {
  const auto folder = std::make_shared<std::string>();
  const auto stay = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("job-keeper", "Keeps a job of the server's")->group("");
  command->add_option("folder", *folder, "The job's folder")->required();
  command->add_flag("--stay", *stay, "End with the job and with its exit code, as batch systems want it");
  command->callback([=, &invocation] {
    invocation.action = [=]() -> Result<int> {
      return *stay ? jobs::keep_job_here(*folder) : jobs::keep_job(*folder);
    };
  });
}

}  // namespace terrapin::cli
