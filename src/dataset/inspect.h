// A look at a dataset before training: the checks of transform, and what is in it.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "base/result.h"
#include "dataset/problem.h"
#include "dataset/source.h"
#include "dataset/statistics.h"

namespace terrapin::dataset {

struct InspectOptions {
  std::filesystem::path input;  // anything open_input reads
  InputOptions reading;
  std::filesystem::path sheet;  // a PNG of overlays to write; empty: none
  int threads = 0;              // 0: all cores
  bool show_progress = false;
};

struct InspectReport {
  std::filesystem::path input;
  std::string input_kind, attribute;
  std::int64_t entries = 0, usable = 0;
  artifacts::ClassList classes;
  std::map<std::string, SetStatistics> splits;  // "train", ...; "all" where the input has no split
  std::vector<Problem> problems, notes;
};

// Reads every photo and mask once and changes nothing. Two files of the same bytes are a problem; in two
// splits they are a leak ("duplicate-across-splits"). Errors as open_input, kCancelled, kIo for the sheet.
Result<InspectReport> inspect(const InspectOptions& options);

// {"format": "terrapin-inspect-report", "version": 1, ...}
nlohmann::json to_json(const InspectReport& report);
std::string summary(const InspectReport& report);

}  // namespace terrapin::dataset
