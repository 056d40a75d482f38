// One file per command. A command adds itself to the CLI and, when chosen, leaves an action that main runs.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace terrapin::cli {

// The chosen command's work. An Error becomes "terrapin <command>: error: <message>" on standard error and
// exit code 1; a success returns the exit code.
using Action = std::function<Result<int>()>;

struct Invocation {
  Action action;
  bool json = false;   // --json: results as one JSON document on standard output, nothing else there
  bool quiet = false;  // --quiet: no progress bars
};

// What CLI11 cannot check by itself, as what CLI11 throws: main prints the message and exits with 2, because
// the command line was wrong. Allowed in callbacks and in actions.
inline void require_usage(const Status& status) {
  if (!status) throw CLI::ValidationError(status.error().message);
}
template <class T>
T require_usage(Result<T> result) {
  if (!result) throw CLI::ValidationError(result.error().message);
  return std::move(*result);
}

// Options that mean the same for every command.
inline constexpr std::int64_t kMaxLongSide = 65'536;
inline CLI::Option* add_long_side_option(CLI::App& command, std::int64_t& long_side) {
  return command
      .add_option(
          "--long-side", long_side,
          "Pixels of the long side that the network sees; 0 = the photo's own size (default: the model's)")
      ->check(CLI::Range(std::int64_t{0}, kMaxLongSide));
}
inline CLI::Option* add_backend_option(CLI::App& command, std::string& backend) {
  return command.add_option("--backend", backend, "auto, onednn, torch or cuda")
      ->check(CLI::IsMember(std::vector<std::string>{"auto", "onednn", "torch", "cuda"}))
      ->capture_default_str();
}

void add_transform_command(CLI::App& app, Invocation& invocation);
void add_inspect_command(CLI::App& app, Invocation& invocation);
void add_scenes_command(CLI::App& app, Invocation& invocation);  // makes a small photo-like labelled set
void add_train_command(CLI::App& app, Invocation& invocation);
void add_autosegment_command(CLI::App& app, Invocation& invocation);
void add_evaluate_assist_command(CLI::App& app, Invocation& invocation);
void add_train_assist_command(CLI::App& app, Invocation& invocation);
void add_weights_command(CLI::App& app, Invocation& invocation);
void add_evaluate_command(CLI::App& app, Invocation& invocation);
void add_predict_command(CLI::App& app, Invocation& invocation);
void add_host_command(CLI::App& app, Invocation& invocation);
void add_export_command(CLI::App& app, Invocation& invocation);
// The labeling service, src/cli/service.
void add_label_command(CLI::App& app, Invocation& invocation);
void add_serve_command(CLI::App& app, Invocation& invocation);
void add_run_command(CLI::App& app, Invocation& invocation);
void add_keys_command(CLI::App& app, Invocation& invocation);
void add_people_command(CLI::App& app, Invocation& invocation);  // and vendors
void add_jobs_command(CLI::App& app, Invocation& invocation);
void add_functions_command(CLI::App& app, Invocation& invocation);          // and webhooks
void add_backup_commands(CLI::App& app, Invocation& invocation);            // and restore
void add_job_keeper_command(CLI::App& app, Invocation& invocation);         // hidden
void add_job_work_command(CLI::App& app, Invocation& invocation);           // hidden
void add_endpoint_instance_command(CLI::App& app, Invocation& invocation);  // hidden

}  // namespace terrapin::cli
