// Wiring only: commands are in src/cli, one file each.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "base/interrupt.h"
#include "base/waiting_threads.h"
#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace terrapin;
  let_waiting_threads_sleep(argv);
  CLI::App app{"Terrapin: label photos pixel by pixel, train a segmentation model, use it."};
  app.name("terrapin");
  app.set_version_flag("--version", TERRAPIN_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);

  cli::Invocation invocation;
#ifdef TERRAPIN_WITH_SERVING
  cli::add_label_command(app, invocation);
  cli::add_serve_command(app, invocation);
#endif
  cli::add_transform_command(app, invocation);
  cli::add_inspect_command(app, invocation);
  cli::add_train_command(app, invocation);
  cli::add_evaluate_command(app, invocation);
  cli::add_predict_command(app, invocation);
#ifdef TERRAPIN_WITH_SERVING
  cli::add_host_command(app, invocation);
  cli::add_export_command(app, invocation);
  cli::add_run_command(app, invocation);
  cli::add_keys_command(app, invocation);
  cli::add_people_command(app, invocation);
  cli::add_jobs_command(app, invocation);
  cli::add_functions_command(app, invocation);
  cli::add_backup_commands(app, invocation);
  cli::add_job_keeper_command(app, invocation);
  cli::add_job_work_command(app, invocation);
  cli::add_endpoint_instance_command(app, invocation);
#endif
  cli::add_autosegment_command(app, invocation);
  cli::add_train_assist_command(app, invocation);
  cli::add_evaluate_assist_command(app, invocation);
  cli::add_weights_command(app, invocation);
  cli::add_scenes_command(app, invocation);

  std::string command;
  try {
    app.parse(argc, argv);
    install_interrupt_handlers();
    command = " " + app.get_subcommands().front()->get_name();
    const Result<int> result = invocation.action();
    if (result) return *result;
    std::fprintf(stderr, "terrapin%s: error: %s\n", command.c_str(), result.error().message.c_str());
  } catch (const CLI::ParseError& error) {  // also of cli::require_usage
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "terrapin%s: internal error: %s\n", command.c_str(), error.what());
  }
  return 1;
}
