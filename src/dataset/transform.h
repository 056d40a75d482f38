// Labelled photos -> training channels: train/, validation/, optional test/, their _annotation folders,
// label_map/, classes.json, splits.tsv, report.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "dataset/source.h"
#include "dataset/split.h"
#include "dataset/transform_report.h"

namespace terrapin::dataset {

struct TransformOptions {
  std::filesystem::path input, output;
  InputOptions reading;
  SplitOptions split;
  // True: draw a new split although the input brings one.
  bool new_split = false;
  // Regular expression (ECMAScript) searched in the photo's URI: its first capture group, or the whole match,
  // names the group of photos that stay together. Empty: every photo alone, or the groups that splits.tsv
  // names.
  std::string group_by;
  // A splits.tsv to keep; empty: none. Excludes fractions and a seed other than the default ones, and
  // new_split unless group_by is given: the kept split is then held against the groups.
  std::filesystem::path split_file;
  bool link = false;            // link files that are taken as they are
  bool convert_to_jpeg = true;  // false: photos keep their type
  bool strict = false;          // any problem: nothing is written
  bool overwrite = false;       // replace an earlier output of transform
  int threads = 0;              // 0: all cores. The output does not depend on it
  bool show_progress = false;
};

// Reads the input (a manifest twice, its files once), writes everything beside the destination and renames it
// at the end. Inputs are never changed. Files with the same bytes stay in one split. Memory does not grow
// with the pictures, only by a short record a line. Problems of single entries are in the report and do not
// fail the call; with `strict` the report comes back with `written` false. Errors: kInvalidArgument (options,
// an input that holds no usable pair, a split that would be empty), kNotFound, kAlreadyExists, kIo,
// kCancelled; the destination is untouched then.
Result<TransformReport> transform(const TransformOptions& options);

}  // namespace terrapin::dataset
