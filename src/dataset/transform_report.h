// What transform did, as report.json and as text. Format page: docs/formats/transform-report.md.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "dataset/problem.h"

namespace terrapin::dataset {

struct TransformReport {
  static constexpr const char* kFormat = "terrapin-transform-report";
  static constexpr int kVersion = 1;
  struct Renamed {
    std::string source, name;
  };

  std::filesystem::path input, output;
  std::string input_kind, attribute;
  nlohmann::json options = nlohmann::json::object();
  std::int64_t entries = 0, usable = 0;
  std::array<std::int64_t, 3> counts{};    // by Split
  std::int64_t converted = 0, linked = 0;  // photos made JPEG; files linked instead of copied
  artifacts::ClassList classes;
  std::vector<std::int64_t> class_pixels;  // by class, all splits
  std::int64_t ignored_pixels = 0;
  std::vector<Problem> problems;  // in the order of the input
  std::vector<Problem> notes;     // worth knowing, not wrong: EXIF orientation
  std::vector<Renamed> renamed;
  bool written = false;  // false: --strict met problems, nothing is at the destination
  double seconds = 0;    // not part of the JSON: the same input gives the same report
};

nlohmann::json to_json(const TransformReport& report);
std::string summary(const TransformReport& report);

}  // namespace terrapin::dataset
