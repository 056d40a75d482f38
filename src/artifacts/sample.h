// Labelled pixels: one photo and its mask. Transform, inspect, train and evaluate all read masks through
// `read_labels`; what it refuses, none of them accepts. Format page: docs/formats/pixels.md.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "artifacts/class_list.h"
#include "artifacts/label_map.h"
#include "artifacts/manifest.h"
#include "base/result.h"
#include "imaging/codecs.h"

namespace terrapin::artifacts {

// What is wrong with the pixels of a mask.
enum class FaultKind { kUnknownColor, kUnknownLabel, kAmbiguousColor, kPaletteConflict, kSizeMismatch };
// The word that reports use: "unknown-color", ...
const char* fault_name(FaultKind kind);

struct SampleFault {
  FaultKind kind = FaultKind::kUnknownLabel;
  std::string value;    // the offending one: "#2ca02d", "7", "12x16"
  std::string message;  // what is wrong and what is allowed, without the file
};

// What the pixels of a mask file mean.
struct LabelRules {
  // Colours -> indices. Masks of colours are refused without one; indices, and the palette that draws them,
  // are held against it. Empty: indices are taken as they are.
  std::span<const ColorMapEntry> color_map = {};
  bool palette_decides = false;                    // a palette's colours, not its indices, name the class
  std::optional<imaging::Rgb> ignored_color = {};  // read as 255, unless it is the colour of a class
  const LabelMap* label_map = nullptr;             // applied last; null: identity
  const ClassList* classes = nullptr;              // of what comes out; null: anything may
};

// The class indices of a mask file (255 = ignore), or the first fault: unknown colours and labels, two
// classes that share one colour where colours name classes, a palette that paints an index in another class's
// colour.
tl::expected<imaging::Mask, SampleFault> read_labels(imaging::MaskFile file, const LabelRules& rules);

// The fault of a mask that has not the photo's size in stored pixels.
std::optional<SampleFault> compare_sizes(imaging::Size photo, imaging::Size mask);

struct Sample {
  std::string name;  // unique in its index: file stem, or stem plus a suffix
  std::filesystem::path photo, mask;
  std::vector<ColorMapEntry> color_map;  // see LabelRules
};

// Photo and mask of a sample, decoded and checked. Errors name the file and the pixel value.
struct LabeledPhoto {
  imaging::Image photo;
  imaging::Mask mask;
};
Result<LabeledPhoto> read_sample(const Sample& sample, const LabelMap& label_map);
Result<imaging::Mask> read_sample_mask(const Sample& sample, const LabelMap& label_map);

}  // namespace terrapin::artifacts
