// Pools over the whole photo, for networks that see only a tile of it.
#pragma once

#include <vector>

#include "inference/tensor.h"
#include "inference/tiling.h"
#include "networks/graph.h"

namespace terrapin::inference {

// Where a global pool's answer enters the network. The pool, and what is computed from its few bins, give
// `source` (N x C x p x p); `op` spreads that over the features (a resize) or is `source` itself.
struct ContextPoint {
  int pool = 0, source = 0, op = 0;
  bool spread = false;
};
std::vector<ContextPoint> find_global_context(const networks::Graph& graph);

// Means over the bins of a pool (as torch's adaptive_avg_pool2d defines them) of features that arrive tile by
// tile.
class ContextSum {
 public:
  // `features`: the shape that the pool's input has for the whole photo, N = 1.
  ContextSum(const Shape& features, int bins);
  // Adds a tile's features, each counted by its row's and column's weight; the weights of all tiles sum to 1
  // at a place.
  void add(const Tensor& features, const TileSpan& row, const TileSpan& column);
  Tensor mean() const;  // 1 x C x bins x bins

 private:
  std::int64_t first(std::int64_t bin, std::int64_t side) const { return bin * side / bins_; }
  std::int64_t last(std::int64_t bin, std::int64_t side) const {
    return ((bin + 1) * side + bins_ - 1) / bins_;
  }
  const Shape shape_;
  const std::int64_t bins_;
  std::vector<double> sums_;
};

// The value of `point.op` for a tile: the part of the whole's spread bins that begins at cell (row, column).
Tensor context_for_tile(const Tensor& source, const ContextPoint& point, const Shape& whole,
                        const Shape& tile, std::int64_t row, std::int64_t column);

}  // namespace terrapin::inference
