// Whole-object rules on a finished mask: what was clicked is in it (or not), no specks, no unwanted holes.
#pragma once

#include <vector>

#include "imaging/image.h"
#include "imaging/regions.h"

namespace terrapin::assist {

struct TopologyOptions {
  // A part stays if it is the largest, holds a clicked point, or has this share of the largest one's area.
  double part_share = 0.05;
  // A hole is filled if it has at most this share of the object's area and no negative point.
  double hole_share = 0.004;
  std::int64_t thickness = 1;  // pixels of the lines that join a clicked point to the rest
};

// `inside` and `outside` points may lie anywhere; those not in the mask are ignored. Afterwards every inside
// point belongs to the object and no outside point does (where both are one pixel, it is outside).
void tidy(imaging::Mask& mask, const std::vector<imaging::Pixel>& inside,
          const std::vector<imaging::Pixel>& outside, const TopologyOptions& options);

}  // namespace terrapin::assist
