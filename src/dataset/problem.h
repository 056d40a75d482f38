// What is wrong with one line or file of a dataset, as reports list it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace terrapin::dataset {

// Kinds are stable words of the report format (docs/formats/transform-report.md).
struct Problem {
  std::string kind;
  std::int64_t line = 0;  // of the manifest, 1-based; 0 where there is none
  std::string file;       // or URI
  std::string value;      // the offending value
  std::string message;    // what is wrong and what is allowed, without line and file
  bool left_out = true;   // false: the photo is used all the same
};

// "line 3: photos/a.jpg: mask is 10x10 but the photo is 20x20".
std::string describe(const Problem& problem);
nlohmann::json to_json(const Problem& problem);

// A readable list, grouped by kind, at most `per_kind` lines of each.
std::string list_problems(const std::vector<Problem>& problems, std::size_t per_kind = 10);

// The beginning of the text: at most `bytes` of it, and no part of a UTF-8 character.
std::string cut_text(const std::string& text, std::size_t bytes);

// JSON text whatever bytes the names hold: invalid UTF-8 is replaced.
std::string dump_json(const nlohmann::json& json);

}  // namespace terrapin::dataset
