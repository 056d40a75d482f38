#include "inference/tiling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace terrapin::inference {
namespace {

// Share of the later tile at cell `i` of `shared` cells.
float ramp(std::int64_t i, std::int64_t shared) {
  const double guard = static_cast<double>(shared) / 3.0;
  const double at = (static_cast<double>(i) + 0.5 - guard) / (static_cast<double>(shared) - 2.0 * guard);
  return static_cast<float>(0.5 - 0.5 * std::cos(std::numbers::pi * std::clamp(at, 0.0, 1.0)));
}

std::int64_t round_down(std::int64_t value, std::int64_t multiple) {
  return value / multiple * multiple;
}

}  // namespace

std::vector<TileSpan> cut_axis(const TileAxisOptions& options) {
  const std::int64_t align = options.alignment;
  // Half a tile at most: a cell then lies in two tiles, never three.
  const std::int64_t wanted = (options.overlap + align - 1) / align * align;
  const std::int64_t overlap = std::min(wanted, round_down(options.tile / 2, align));
  const std::int64_t step = std::max(align, round_down(options.tile - overlap, align));

  std::vector<TileSpan> spans;
  for (std::int64_t origin = 0;; origin += step) {
    TileSpan span;
    span.origin = origin;
    const bool last = origin + options.tile >= options.total;
    span.size = last ? options.total - origin : options.tile;
    span.first_cell = origin / options.cell_stride;
    span.cells = last ? options.total_cells - span.first_cell
                      : (span.size + options.cell_stride - 1) / options.cell_stride;
    spans.push_back(std::move(span));
    if (last) break;
  }
  for (TileSpan& span : spans) span.weights.assign(static_cast<std::size_t>(span.cells), 1.0F);
  for (std::size_t k = 1; k < spans.size(); ++k) {
    TileSpan &before = spans[k - 1], &after = spans[k];
    const std::int64_t shared = before.first_cell + before.cells - after.first_cell;
    for (std::int64_t i = 0; i < std::min(shared, after.cells); ++i) {
      const float share = ramp(i, shared);
      after.weights[static_cast<std::size_t>(i)] = share;
      before.weights[static_cast<std::size_t>(before.cells - shared + i)] = 1.0F - share;
    }
  }
  return spans;
}

imaging::Size tile_size(imaging::Size total, std::int64_t max_pixels, std::int64_t alignment,
                        std::int64_t size_offset) {
  const auto fitted = [&](std::int64_t side) {
    return std::max(alignment * 4, round_down(side - size_offset, alignment)) + size_offset;
  };
  const auto side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(max_pixels)));
  if (total.height <= side) return {fitted(max_pixels / total.height), total.height};
  if (total.width <= side) return {total.width, fitted(max_pixels / total.width)};
  return {fitted(side), fitted(side)};
}

}  // namespace terrapin::inference
