// Regions that nobody marked, found by their colour: stretches of road, wall, lawn or sky, which photos with
// marked objects have plenty of and their marks leave out. Free of torch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "imaging/image.h"
#include "training/assist/samples.h"

namespace terrapin::training {

struct ColorRegions {
  std::vector<std::int32_t> region;  // of each pixel in reading order, 0 to area.size() - 1
  std::vector<std::int64_t> area;    // pixels of each region
};
// Graph-based segmentation (Felzenszwalb and Huttenlocher, 2004) over the four neighbours: two regions become
// one while the difference of colour (Euclidean, 0 to 441) between them is at most what each has inside plus
// `scale` / its area. Regions below `min_area` pixels join the most alike neighbour.
ColorRegions color_regions(const imaging::Image& photo, double scale, std::int64_t min_area);

// Photos as `photos` draws them, at most 320 pixels a side, and of each one region that takes 2 % to 60 % of
// it. Weight `weight`.
std::shared_ptr<const ObjectSource> found_regions(std::vector<std::shared_ptr<const ObjectSource>> photos,
                                                  double weight);

}  // namespace terrapin::training
