// A labelled manifest as two: what a network learns from, and what it is judged by.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin::artifacts {

struct ManifestSplit {
  std::string train, validation;  // lines as they were, each with its line end
  std::int64_t train_photos = 0, validation_photos = 0;
  std::int64_t left_out = 0;  // lines without a mask of the attribute
};

// The lines that carry a mask under `attribute` ("turtles-ref"), in their order; `validation_share` of them,
// at least one and not all, go to validation. Which ones follows from their photos' names alone: the same
// photos give the same split, whatever the order of the lines. kInvalidArgument with fewer than two such
// lines, and naming a line that is none of a manifest.
Result<ManifestSplit> split_manifest(std::string_view text, const std::string& attribute,
                                     double validation_share);

}  // namespace terrapin::artifacts
