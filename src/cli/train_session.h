// One training as people see it: progress bar, metric lines, log, metrics.jsonl and report around
// training::train.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "training/recipe.h"

namespace terrapin::cli {

struct SessionSettings {
  std::filesystem::path metrics_path, report_path;         // metrics.jsonl, report.html
  std::filesystem::path log_path;                          // training.log, appended to; empty: none
  std::filesystem::path overlays_folder;                   // training/overlays.h; empty: none
  std::string title;                                       // of the report
  std::vector<std::pair<std::string, std::string>> facts;  // for the report: data, initial weights, ...
  std::vector<std::string> notes;                          // said first
  bool show_progress = true;
  bool print_metric_lines = true;  // on standard output
};

struct SessionResult {
  training::TrainingOutcome outcome;  // its package carries metrics.jsonl and report.html as extras
};

// Trains, then draws the report. Pictures that cannot be drawn are a warning, not a failure. Errors as
// training::train. Of several processes the first does this, the others call training::train.
Result<SessionResult> run_session(const training::TrainingOptions& options,
                                  const training::TrainingData& data, const SessionSettings& settings,
                                  std::shared_ptr<training::ProcessGroup> processes = nullptr);

}  // namespace terrapin::cli
