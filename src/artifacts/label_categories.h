// The label category file of a labeling job. Format page: docs/formats/label-categories.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "artifacts/class_list.h"
#include "base/result.h"

namespace terrapin::artifacts {

inline constexpr int kMaxLabels = 253;  // and BACKGROUND and a void label, which is 255
inline constexpr int kMaxLabelCharacters = 256;

struct LabelCategories {
  ClassList classes;  // BACKGROUND, then the labels in the order of the file, without the void one
  std::optional<ClassEntry> void_label;  // "nobody can tell": 255 in masks, which training ignores
  friend bool operator==(const LabelCategories&, const LabelCategories&) = default;
};

// {"document-version": "2018-11-28", "labels": [{"label": "Turtle"}, ...]}, also without a version, and with
// labels written as plain strings. A label may carry "hex-color", and one of them "void": true (ours). Index
// 0 of the classes is BACKGROUND, #ffffff. kInvalidArgument names the label and what is allowed: 1..253
// labels of 1..256 characters beside the void one, none twice, none "BACKGROUND"; colours unique and not
// #ffffff.
Result<LabelCategories> parse_label_categories(std::string_view text);
std::string format_label_categories(const LabelCategories& categories);

}  // namespace terrapin::artifacts
