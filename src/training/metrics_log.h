// What a training says while it runs: one stable line an epoch for logs and scrapers, and metrics.jsonl.
// Format page: docs/formats/metrics.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "base/result.h"
#include "training/recipe.h"

namespace terrapin::training {

// "[epoch 3/30] train:loss=0.1234 train:throughput=45.6 validation:mIOU=0.9100
// validation:pixel_accuracy=0.9900 validation:throughput=12.3": AWS's metric names, in this order, no
// newline. An epoch without validation has the train: part only. Numbers are plain decimals.
std::string format_metric_line(const EpochReport& report);

// One line of metrics.jsonl, without its newline: scores per class named, the confusion matrix as counts.
nlohmann::ordered_json metrics_json(const EpochReport& report, const artifacts::ClassList& classes);

// metrics.jsonl of one training. Not thread-safe.
class MetricsLog {
 public:
  MetricsLog(std::filesystem::path path, artifacts::ClassList classes);
  // Starts the file with the epochs a resumed training already has (none: an empty file); atomic.
  Status start(const std::vector<EpochReport>& history);
  // Appends one line and syncs it to disk.
  Status append(const EpochReport& report);

 private:
  std::filesystem::path path_;
  artifacts::ClassList classes_;
};

}  // namespace terrapin::training
