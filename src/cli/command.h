// One file per command. A command adds itself to the CLI and, when chosen, leaves an action that main runs.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

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

void add_transform_command(CLI::App& app, Invocation& invocation);
void add_inspect_command(CLI::App& app, Invocation& invocation);
void add_scenes_command(CLI::App& app, Invocation& invocation);  // makes a small photo-like labelled set
void add_train_command(CLI::App& app, Invocation& invocation);
void add_weights_command(CLI::App& app, Invocation& invocation);
void add_evaluate_command(CLI::App& app, Invocation& invocation);
void add_predict_command(CLI::App& app, Invocation& invocation);
void add_host_command(CLI::App& app, Invocation& invocation);
void add_export_command(CLI::App& app, Invocation& invocation);

}  // namespace terrapin::cli
