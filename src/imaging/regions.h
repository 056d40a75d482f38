// Connected parts of a mask, where they are deepest, and shapes painted into one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "imaging/image.h"

namespace terrapin::imaging {

struct Pixel {
  std::int64_t x = 0, y = 0;
  friend bool operator==(const Pixel&, const Pixel&) = default;
};

// One part: pixels of one label that hang together.
struct Region {
  std::uint8_t label = 0;
  Pixel first;  // in reading order
  Box box;      // tight
  std::int64_t area = 0;
};

// Pixels [begin, end) of row y.
struct Run {
  std::int64_t y = 0, begin = 0, end = 0;
  std::int64_t region = 0;  // index into LabeledRuns::regions
};

struct LabeledRuns {
  std::vector<Run> runs;        // reading order, no two of one label side by side
  std::vector<Region> regions;  // by first pixel, reading order
};

// Every part of the mask. Pixels of a label other than 0 hang together over corners too, pixels of label 0
// only over sides: so a line one pixel wide has an inside and an outside. Time and memory follow the number
// of runs.
LabeledRuns connected_regions(const Mask& mask);

// The part that `inside` belongs to: 1 there, 0 elsewhere, of the mask's size. `inside` lies in the mask.
Mask region_at(const Mask& mask, Pixel inside);

// Tight box of the pixels that carry `label`; width 0 if there is none.
Box box_of(const Mask& mask, std::uint8_t label);

// For each pixel whose value is not 0, three times its distance to the nearest pixel of value 0 or outside
// the raster, with steps of 3 (side) and 4 (corner); 0 elsewhere.
std::vector<std::int32_t> chamfer_depth(const Mask& mask);

// Fills the polygon of these corners (in order round it) with `label`, edges included, clipped.
void fill_polygon(Mask& mask, const std::vector<Pixel>& corners, std::uint8_t label);
// Pixels from `from` to `to`, both included, clipped, in a line `thickness` pixels wide (>= 1).
void draw_line(Mask& mask, Pixel from, Pixel to, std::int64_t thickness, std::uint8_t label);

}  // namespace terrapin::imaging
