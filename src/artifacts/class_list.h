// The classes of a dataset or model: index = position, name, colour. Index 0 is usually BACKGROUND.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imaging/palette.h"

namespace terrapin::artifacts {

struct ClassEntry {
  std::string name;
  imaging::Rgb color;
  friend bool operator==(const ClassEntry&, const ClassEntry&) = default;
};

struct ClassList {
  std::vector<ClassEntry> classes;
  int size() const { return static_cast<int>(classes.size()); }
  imaging::Palette palette() const;
  // The index of the class of this name; -1: there is none.
  int index_of(std::string_view name) const;
  // "BACKGROUND", "class 1", ... with the default palette.
  static ClassList with_default_names(int count);
  friend bool operator==(const ClassList&, const ClassList&) = default;
};

// [{"name": "BACKGROUND", "color": "#ffffff"}, ...]
nlohmann::json to_json(const ClassList& classes);
Result<ClassList> class_list_from_json(const nlohmann::json& json);

// kInvalidArgument naming the first index at which the names differ, both names and where they come from.
// Lists of different lengths are compared as far as both go; names of with_default_names agree with any
// other, because they stand for classes that nobody named.
Status require_same_names(const ClassList& a, std::string_view origin_a, const ClassList& b,
                          std::string_view origin_b);

}  // namespace terrapin::artifacts
