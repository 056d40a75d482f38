// The label category file of a labeling job. Format page: docs/formats/label-categories.md.
#pragma once

#include <string>
#include <string_view>

#include "artifacts/class_list.h"
#include "base/result.h"

namespace terrapin::artifacts {

inline constexpr int kMaxLabels = 253;  // and BACKGROUND; 255 is "ignore"
inline constexpr int kMaxLabelCharacters = 256;

// {"document-version": "2018-11-28", "labels": [{"label": "Turtle"}, ...]}, also without a version, and with
// labels written as plain strings. A label may carry "hex-color" (ours). Index 0 of the result is BACKGROUND,
// #ffffff; the labels follow in the order of the file. kInvalidArgument names the label and what is
// allowed: 1..253 labels of 1..256 characters, none twice, none "BACKGROUND"; colours unique and not #ffffff.
Result<ClassList> parse_label_categories(std::string_view text);
std::string format_label_categories(const ClassList& classes);

}  // namespace terrapin::artifacts
