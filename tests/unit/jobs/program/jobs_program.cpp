// jobs_program keep [--stay] FOLDER: as `terrapin job-keeper`.
// jobs_program serve DATABASE ROOT CORES: runs the jobs of a database until it is killed.
// jobs_program serve-slurm DATABASE ROOT CONFIGURATION: the same on a Slurm cluster.
// jobs_program slurm FOLDER: a Slurm cluster.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "jobs/keeper.h"
#include "jobs/local_runner.h"
#include "jobs/slurm_runner.h"
#include "jobs/supervisor.h"
#include "slurm_warden.h"

int main(int argc, char** argv) {
  using namespace terrapin;
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "keep" && argc == 3) return jobs::keep_job(argv[2]);
  if (verb == "keep" && argc == 4 && argv[2] == std::string("--stay")) return jobs::keep_job_here(argv[3]);
  if (verb == "slurm" && argc == 3) return run_slurm_warden(argv[2]);
  if ((verb != "serve" && verb != "serve-slurm") || argc != 5) return 2;
  const auto database = storage::Database::open(argv[2]);
  if (!database) {
    std::fprintf(stderr, "%s\n", database.error().message.c_str());
    return 1;
  }
  auto store = jobs::JobStore::open(**database, system_clock());
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  std::unique_ptr<jobs::Runner> runner;
  if (verb == "serve") {
    jobs::LocalRunnerOptions options;
    options.root = argv[3];
    options.keeper = {argv[0], "keep"};
    options.cores = std::atoi(argv[4]);
    runner = std::make_unique<jobs::LocalRunner>(options);
  } else {
    jobs::SlurmRunnerOptions options;
    options.root = argv[3];
    options.keeper = {argv[0], "keep", "--stay"};
    options.slurm_conf = argv[4];
    options.look_interval = std::chrono::milliseconds(200);
    options.exit_file_wait = std::chrono::seconds(1);
    runner = std::make_unique<jobs::SlurmRunner>(options);
  }
  jobs::Supervisor supervisor(*store, *runner, system_clock(),
                              {.look_interval = std::chrono::milliseconds(10)});
  supervisor.start();
  for (;;) ::pause();
}
