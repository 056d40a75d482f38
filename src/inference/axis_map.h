// One axis of a linear resampling: every output position is a weighted sum of neighbouring source positions.
// Maps compose, so that "enlarge the logits, then bring them to the photo's size" is one step.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "inference/graph_shapes.h"

namespace terrapin::inference {

// output[i] = sum over k < taps of weights[i * taps + k] * source[first[i] + k]; first + taps never passes
// `source`.
struct AxisMap {
  std::int64_t source = 0, size = 0;
  int taps = 1;
  std::vector<std::int32_t> first;
  std::vector<float> weights;
};

AxisMap half_pixel_axis(std::int64_t source, std::int64_t target);
AxisMap stride_axis(std::int64_t source, int stride, std::int64_t target);
// second(first(x)); first.size == second.source.
AxisMap compose(const AxisMap& first, const AxisMap& second);
// The map whose output i is that of size - 1 - i.
AxisMap mirrored(const AxisMap& map);

struct AxisMaps {
  AxisMap rows, columns;
};
// From the trunk's logits to the photo: the graph's tail for an input whose operations have `shapes`, then
// half-pixel interpolation to the photo's size.
AxisMaps maps_to_photo(const networks::Graph& graph, const Tail& tail, const std::vector<Shape>& shapes,
                       std::int64_t photo_height, std::int64_t photo_width);

}  // namespace terrapin::inference
