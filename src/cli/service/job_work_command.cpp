// terrapin job-work KIND: the process of a job of the control plane, started by its keeper in the job's work
// folder. Nobody types it.
#include <filesystem>

#include "cli/command.h"
#include "cli/service/installation.h"
#include "control/assist_learning.h"
#include "control/process/assist_learning_work.h"
#include "control/process/training_work.h"
#include "control/process/transform_work.h"
#include "training/hyperparameters.h"

namespace terrapin::cli {
namespace {

struct JobWorkOptions {
  InstallationOptions installation;
  std::string kind;
  int processes = 0;
};

Result<std::string> own_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(ErrorCode::kIo, "/proc/self/exe: {}", error.message());
  return path.string();
}

Result<int> run(const JobWorkOptions& options) {
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, false));
  TERRAPIN_TRY(const auto objects, open_objects(installation, system_clock()));
  TERRAPIN_TRY(const std::string program, own_program());
  if (options.kind == control::kTransformKind) {
    control::TransformWork work;
    work.program = program;
    return control::run_transform_work(*objects, system_clock(), work);
  }
  if (options.kind == control::kAssistLearningKind) {
    control::AssistLearningWork work;
    work.program = program;
    return control::run_assist_learning_work(*objects, system_clock(), work);
  }
  control::TrainingWork work;
  work.program = program;
  work.processes = options.processes;
  work.check_hyperparameters = [&](const std::map<std::string, std::string>& values) -> Status {
    TERRAPIN_TRY(const auto parsed,
                 training::parse_hyperparameters(values, training::HyperparameterMode::kContainer));
    if (parsed.options.batch_size >= options.processes) return {};
    return fail(ErrorCode::kInvalidArgument,
                "mini_batch_size is {} and the instances of the job are {} processes that train together: "
                "each needs one crop of a batch at least; allowed is {} or more",
                parsed.options.batch_size, options.processes, options.processes);
  };
  return control::run_training_work(*objects, system_clock(), work);
}

}  // namespace

void add_job_work_command(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<JobWorkOptions>();
  CLI::App* command = app.add_subcommand("job-work", "Does the work of a job of the server's")->group("");
  add_installation_options(*command, options->installation, false);
  command->add_option("kind", options->kind, "What the job is")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{control::kTrainingKind, control::kTransformKind,
                                                     control::kAssistLearningKind}));
  command->add_option("--processes", options->processes, "That train together")->check(CLI::Range(1, 1024));
  command->callback([=, &invocation] { invocation.action = [=] { return run(*options); }; });
}

}  // namespace terrapin::cli
