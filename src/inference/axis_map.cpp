#include "inference/axis_map.h"

#include <algorithm>
#include <numeric>

namespace terrapin::inference {
namespace {

// Sparse rows -> AxisMap: `rows[i]` holds (source, weight) pairs, in any order, repeats allowed.
AxisMap packed(std::int64_t source, const std::vector<std::vector<std::pair<std::int64_t, double>>>& rows) {
  AxisMap map;
  map.source = source;
  map.size = static_cast<std::int64_t>(rows.size());
  std::int64_t taps = 1;
  for (const auto& row : rows) {
    const auto [low, high] = std::minmax_element(row.begin(), row.end());
    taps = std::max(taps, high->first - low->first + 1);
  }
  map.taps = static_cast<int>(taps);
  map.weights.assign(rows.size() * static_cast<std::size_t>(taps), 0.0F);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t low = std::min(std::min_element(rows[i].begin(), rows[i].end())->first, source - taps);
    map.first.push_back(static_cast<std::int32_t>(low));
    for (const auto& [at, weight] : rows[i]) {
      map.weights[i * static_cast<std::size_t>(taps) + static_cast<std::size_t>(at - low)] +=
          static_cast<float>(weight);
    }
  }
  return map;
}

using Row = std::vector<std::pair<std::int64_t, double>>;

Row between(double at, std::int64_t source) {
  at = std::clamp(at, 0.0, static_cast<double>(source - 1));
  const auto low = static_cast<std::int64_t>(at);
  const double share = at - static_cast<double>(low);
  if (share == 0.0) return {{low, 1.0}};
  return {{low, 1.0 - share}, {low + 1, share}};
}

}  // namespace

AxisMap half_pixel_axis(std::int64_t source, std::int64_t target) {
  std::vector<Row> rows;
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  for (std::int64_t i = 0; i < target; ++i)
    rows.push_back(between((static_cast<double>(i) + 0.5) * scale - 0.5, source));
  return packed(source, rows);
}

AxisMap stride_axis(std::int64_t source, int stride, std::int64_t target) {
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < target; ++i) rows.push_back(between(static_cast<double>(i) / stride, source));
  return packed(source, rows);
}

AxisMap compose(const AxisMap& first, const AxisMap& second) {
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < second.size; ++i) {
    Row row;
    for (int k = 0; k < second.taps; ++k) {
      const double outer = second.weights[static_cast<std::size_t>(i * second.taps + k)];
      if (outer == 0.0) continue;
      const std::int64_t middle = second.first[static_cast<std::size_t>(i)] + k;
      for (int j = 0; j < first.taps; ++j) {
        const double inner = first.weights[static_cast<std::size_t>(middle * first.taps + j)];
        if (inner != 0.0) row.emplace_back(first.first[static_cast<std::size_t>(middle)] + j, outer * inner);
      }
    }
    rows.push_back(std::move(row));
  }
  return packed(first.source, rows);
}

AxisMap mirrored(const AxisMap& map) {
  AxisMap result = map;
  std::reverse(result.first.begin(), result.first.end());
  for (std::int64_t i = 0; i < map.size; ++i) {
    std::copy_n(map.weights.begin() + i * map.taps, map.taps,
                result.weights.begin() + (map.size - 1 - i) * map.taps);
  }
  return result;
}

AxisMaps maps_to_photo(const networks::Graph& graph, const Tail& tail, const std::vector<Shape>& shapes,
                       std::int64_t photo_height, std::int64_t photo_width) {
  const auto axis = [&](bool vertical, std::int64_t photo) {
    const auto side = [&](int op) {
      const Shape& shape = shapes[static_cast<std::size_t>(op)];
      return vertical ? shape.h : shape.w;
    };
    AxisMap map = stride_axis(side(tail.trunk), 1, side(tail.trunk));
    for (const int op : tail.resizes) {
      const networks::Op& resize = graph.ops[static_cast<std::size_t>(op)];
      map = compose(map, resize.kind == networks::OpKind::kUpsampleStride
                             ? stride_axis(map.size, resize.stride, side(op))
                             : half_pixel_axis(map.size, side(op)));
    }
    return photo == map.size ? map : compose(map, half_pixel_axis(map.size, photo));
  };
  return {axis(true, photo_height), axis(false, photo_width)};
}

}  // namespace terrapin::inference
