// An annotator made of code, for training and for measurements: where it clicks for an object whose true mask
// is known.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "imaging/regions.h"

namespace terrapin::metrics {

// Top-most, left-most, bottom-most and right-most pixel of label 1, each the middle one where several share
// the outermost row or column; nullopt without a pixel of label 1.
std::optional<std::array<imaging::Pixel, 4>> extreme_points(const imaging::Mask& object);

struct ClickHabit {
  // A click is not quite at the extreme: anywhere on the outline within this many rows (columns) of it.
  double slack_px = 0;
  // And off by up to this in x and in y, evenly.
  double jitter_px = 0;
};
// The same four as a person might click them, inside the raster.
std::optional<std::array<imaging::Pixel, 4>> clicked_extremes(const imaging::Mask& object,
                                                              const ClickHabit& habit, Random& random);

struct CorrectiveClick {
  imaging::Pixel at;
  bool positive = true;         // the answer lacks object there; otherwise it has too much
  std::int64_t error_area = 0;  // of the part that is wrong
};
// The next click on `answer` (1 = object): the deepest pixel of the largest part that is wrong; with `random`
// any pixel there at least half as deep. `truth`: 1 = object, 255 = nobody knows (never wrong). nullopt if no
// wrong part has `min_area` pixels.
std::optional<CorrectiveClick> next_click(const imaging::Mask& truth, const imaging::Mask& answer,
                                          std::int64_t min_area = 1, Random* random = nullptr);

struct Overlap {
  std::int64_t both = 0, either = 0;
  // 1 where both are empty.
  double iou() const { return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either); }
};
// Pixels of label 1 in the masks, where `truth` is not 255. Sizes agree.
Overlap overlap_of(const imaging::Mask& truth, const imaging::Mask& answer);

}  // namespace terrapin::metrics
