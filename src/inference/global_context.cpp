#include "inference/global_context.h"

#include <algorithm>

#include "inference/axis_map.h"

namespace terrapin::inference {

using networks::Op;
using networks::OpKind;

std::vector<ContextPoint> find_global_context(const networks::Graph& graph) {
  std::vector<ContextPoint> points;
  const std::vector<bool> needed = needed_operations(graph, {graph.output});
  for (int pool = 0; pool < static_cast<int>(graph.ops.size()); ++pool) {
    if (!graph.ops[static_cast<std::size_t>(pool)].global_context || !needed[static_cast<std::size_t>(pool)])
      continue;
    // Follow the only consumer through 1 x 1 convolutions to the operation that spreads the bins.
    ContextPoint point{pool, pool, pool, false};
    for (int at = pool;;) {
      int consumer = -1, consumers = 0;
      for (int op = at + 1; op < static_cast<int>(graph.ops.size()); ++op) {
        const std::vector<int>& inputs = graph.ops[static_cast<std::size_t>(op)].inputs;
        if (std::find(inputs.begin(), inputs.end(), at) != inputs.end()) consumer = op, ++consumers;
      }
      if (consumers != 1) break;
      const Op& next = graph.ops[static_cast<std::size_t>(consumer)];
      if (next.kind == OpKind::kResizeLike && next.inputs[0] == at) {
        point = {pool, at, consumer, true};
        break;
      }
      if (next.kind != OpKind::kConv || next.kernel != 1 || next.stride != 1) break;
      at = consumer;
    }
    points.push_back(point);
  }
  return points;
}

ContextSum::ContextSum(const Shape& features, int bins)
    : shape_(features), bins_(bins), sums_(static_cast<std::size_t>(features.c * bins * bins), 0.0) {}

void ContextSum::add(const Tensor& features, const TileSpan& row, const TileSpan& column) {
  for (std::int64_t by = 0; by < bins_; ++by) {
    const std::int64_t top = std::max(first(by, shape_.h) - row.first_cell, std::int64_t{0});
    const std::int64_t bottom = std::min(last(by, shape_.h) - row.first_cell, row.cells);
    for (std::int64_t bx = 0; bx < bins_; ++bx) {
      const std::int64_t left = std::max(first(bx, shape_.w) - column.first_cell, std::int64_t{0});
      const std::int64_t right = std::min(last(bx, shape_.w) - column.first_cell, column.cells);
      for (std::int64_t c = 0; c < shape_.c; ++c) {
        double& sum = sums_[static_cast<std::size_t>((c * bins_ + by) * bins_ + bx)];
        for (std::int64_t y = top; y < bottom; ++y) {
          const float* values = features.plane(0, c) + y * features.shape.w;
          double along = 0;
          for (std::int64_t x = left; x < right; ++x)
            along += column.weights[static_cast<std::size_t>(x)] * values[x];
          sum += along * row.weights[static_cast<std::size_t>(y)];
        }
      }
    }
  }
}

Tensor ContextSum::mean() const {
  Tensor result(Shape{1, shape_.c, bins_, bins_});
  for (std::int64_t c = 0; c < shape_.c; ++c) {
    for (std::int64_t by = 0; by < bins_; ++by) {
      for (std::int64_t bx = 0; bx < bins_; ++bx) {
        const std::int64_t cells =
            (last(by, shape_.h) - first(by, shape_.h)) * (last(bx, shape_.w) - first(bx, shape_.w));
        const double sum = sums_[static_cast<std::size_t>((c * bins_ + by) * bins_ + bx)];
        result.plane(0, c)[by * bins_ + bx] = static_cast<float>(sum / static_cast<double>(cells));
      }
    }
  }
  return result;
}

Tensor context_for_tile(const Tensor& source, const ContextPoint& point, const Shape& whole,
                        const Shape& tile, std::int64_t row, std::int64_t column) {
  Tensor value(tile);
  if (!point.spread) {
    std::copy_n(source.values.get(), tile.count(), value.values.get());
    return value;
  }
  const AxisMap rows = half_pixel_axis(source.shape.h, whole.h),
                columns = half_pixel_axis(source.shape.w, whole.w);
  for (std::int64_t c = 0; c < tile.c; ++c) {
    const float* bins = source.plane(0, c);
    float* out = value.plane(0, c);
    for (std::int64_t y = 0; y < tile.h; ++y) {
      const std::int64_t wy = std::min(row + y, whole.h - 1);
      for (std::int64_t x = 0; x < tile.w; ++x) {
        const std::int64_t wx = std::min(column + x, whole.w - 1);
        float sum = 0;
        for (int j = 0; j < rows.taps; ++j) {
          for (int k = 0; k < columns.taps; ++k) {
            sum += rows.weights[static_cast<std::size_t>(wy * rows.taps + j)] *
                   columns.weights[static_cast<std::size_t>(wx * columns.taps + k)] *
                   bins[(rows.first[static_cast<std::size_t>(wy)] + j) * source.shape.w +
                        columns.first[static_cast<std::size_t>(wx)] + k];
          }
        }
        out[y * tile.w + x] = sum;
      }
    }
  }
  return value;
}

}  // namespace terrapin::inference
