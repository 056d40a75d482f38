#include "dataset/problem.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_text.h"

namespace terrapin::dataset {

std::string describe(const Problem& problem) {
  std::string text;
  if (problem.line > 0) text += fmt::format("line {}: ", problem.line);
  if (!problem.file.empty()) text += problem.file + ": ";
  return text + problem.message;
}

nlohmann::json to_json(const Problem& problem) {
  return {{"kind", problem.kind},   {"line", problem.line},       {"file", problem.file},
          {"value", problem.value}, {"message", problem.message}, {"left_out", problem.left_out}};
}

std::string list_problems(const std::vector<Problem>& problems, std::size_t per_kind) {
  std::vector<std::string> kinds;
  for (const Problem& problem : problems) {
    if (std::find(kinds.begin(), kinds.end(), problem.kind) == kinds.end()) kinds.push_back(problem.kind);
  }
  std::string text;
  for (const std::string& kind : kinds) {
    std::size_t count = 0, left_out = 0;
    std::string lines;
    for (const Problem& problem : problems) {
      if (problem.kind != kind) continue;
      left_out += problem.left_out ? 1 : 0;
      if (++count <= per_kind) lines += "    " + describe(problem) + "\n";
    }
    text += fmt::format("  {} ({}{})\n{}", kind, count, left_out == 0 ? ", used all the same" : "", lines);
    if (count > per_kind) text += fmt::format("    ... and {} more\n", count - per_kind);
  }
  return text;
}

std::string cut_text(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t end = bytes;
  // A character has at most three bytes after its first; more are no UTF-8 and may be cut anywhere.
  while (end > 0 && bytes - end < 3 && (text[end] & 0xc0) == 0x80) --end;
  return text.substr(0, (text[end] & 0xc0) == 0x80 ? bytes : end);
}

std::string dump_json(const nlohmann::json& json) {
  return json_text(json, 1) + "\n";
}

}  // namespace terrapin::dataset
