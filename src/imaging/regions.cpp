#include "imaging/regions.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace terrapin::imaging {
namespace {

// Union-find over runs; the root is the earliest.
class Sets {
 public:
  void add() { parent_.push_back(static_cast<std::int64_t>(parent_.size())); }
  std::int64_t root(std::int64_t i) {
    while (parent_[static_cast<std::size_t>(i)] != i) {
      auto& up = parent_[static_cast<std::size_t>(i)];
      up = parent_[static_cast<std::size_t>(up)];
      i = up;
    }
    return i;
  }
  void join(std::int64_t a, std::int64_t b) {
    a = root(a), b = root(b);
    if (a == b) return;
    parent_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
  }

 private:
  std::vector<std::int64_t> parent_;
};

// The end of the run of equal bytes that begins at `x`; eight at a time where runs are long.
std::int64_t run_end(const std::uint8_t* row, std::int64_t x, std::int64_t width) {
  const std::uint8_t label = row[x];
  std::uint64_t pattern = 0;
  std::memset(&pattern, label, sizeof pattern);
  for (; x + 8 <= width; x += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, row + x, sizeof eight);
    if (eight != pattern) break;
  }
  while (x < width && row[x] == label) ++x;
  return x;
}

}  // namespace

LabeledRuns connected_regions(const Mask& mask) {
  LabeledRuns result;
  std::vector<std::uint8_t> labels;  // by run
  Sets sets;
  std::size_t above_begin = 0, above_end = 0;
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    const std::uint8_t* row = mask.row(y);
    const std::size_t row_begin = result.runs.size();
    std::size_t above = above_begin;
    for (std::int64_t x = 0; x < mask.width();) {
      const std::int64_t end = run_end(row, x, mask.width());
      const auto index = static_cast<std::int64_t>(result.runs.size());
      result.runs.push_back({y, x, end, 0});
      labels.push_back(row[x]);
      sets.add();
      const std::int64_t reach = row[x] != 0 ? 1 : 0;
      while (above < above_end && result.runs[above].end + reach <= x) ++above;
      for (std::size_t a = above; a < above_end && result.runs[a].begin < end + reach; ++a) {
        if (labels[a] == row[x]) sets.join(static_cast<std::int64_t>(a), index);
      }
      x = end;
    }
    above_begin = row_begin, above_end = result.runs.size();
  }
  std::vector<std::int64_t> number(result.runs.size(), -1);
  for (std::size_t i = 0; i < result.runs.size(); ++i) {
    Run& run = result.runs[i];
    std::int64_t& region = number[static_cast<std::size_t>(sets.root(static_cast<std::int64_t>(i)))];
    if (region < 0) {
      region = static_cast<std::int64_t>(result.regions.size());
      result.regions.push_back({labels[i], {run.begin, run.y}, {run.begin, run.y, 0, 0}, 0});
    }
    run.region = region;
    Region& whole = result.regions[static_cast<std::size_t>(region)];
    whole.area += run.end - run.begin;
    const std::int64_t left = std::min(whole.box.x, run.begin);
    const std::int64_t right = std::max(whole.box.x + whole.box.width, run.end);
    whole.box = {left, whole.box.y, right - left, run.y + 1 - whole.box.y};
  }
  return result;
}

Mask region_at(const Mask& mask, Pixel inside) {
  const LabeledRuns parts = connected_regions(mask);
  Mask result(mask.size());
  std::int64_t wanted = -1;
  for (const Run& run : parts.runs) {
    if (run.y == inside.y && run.begin <= inside.x && inside.x < run.end) wanted = run.region;
  }
  for (const Run& run : parts.runs) {
    if (run.region != wanted) continue;
    std::memset(result.row(run.y) + run.begin, 1, static_cast<std::size_t>(run.end - run.begin));
  }
  return result;
}

Box box_of(const Mask& mask, std::uint8_t label) {
  std::int64_t left = mask.width(), right = 0, top = mask.height(), bottom = 0;
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    const std::uint8_t* row = mask.row(y);
    const auto* hit =
        static_cast<const std::uint8_t*>(std::memchr(row, label, static_cast<std::size_t>(mask.width())));
    if (hit == nullptr) continue;
    std::int64_t last = mask.width() - 1;
    while (row[last] != label) --last;
    left = std::min<std::int64_t>(left, hit - row), right = std::max(right, last + 1);
    top = std::min(top, y), bottom = y + 1;
  }
  if (right == 0) return {};
  return {left, top, right - left, bottom - top};
}

std::vector<std::int32_t> chamfer_depth(const Mask& mask) {
  const std::int64_t width = mask.width(), height = mask.height();
  // A frame of zeros one pixel wide stands for the outside.
  const std::int64_t stride = width + 2;
  constexpr std::int32_t kFar = std::numeric_limits<std::int32_t>::max() / 2;
  std::vector<std::int32_t> depth(static_cast<std::size_t>(stride * (height + 2)), 0);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      if (mask.at(x, y) != 0) depth[static_cast<std::size_t>((y + 1) * stride + x + 1)] = kFar;
    }
  }
  for (std::int64_t y = 1; y <= height; ++y) {
    std::int32_t* row = depth.data() + y * stride;
    const std::int32_t* above = row - stride;
    for (std::int64_t x = 1; x <= width; ++x) {
      if (row[x] == 0) continue;
      row[x] = std::min({row[x], row[x - 1] + 3, above[x] + 3, above[x - 1] + 4, above[x + 1] + 4});
    }
  }
  for (std::int64_t y = height; y >= 1; --y) {
    std::int32_t* row = depth.data() + y * stride;
    const std::int32_t* below = row + stride;
    for (std::int64_t x = width; x >= 1; --x) {
      if (row[x] == 0) continue;
      row[x] = std::min({row[x], row[x + 1] + 3, below[x] + 3, below[x + 1] + 4, below[x - 1] + 4});
    }
  }
  std::vector<std::int32_t> result(static_cast<std::size_t>(width * height));
  for (std::int64_t y = 0; y < height; ++y) {
    std::copy_n(depth.data() + (y + 1) * stride + 1, width, result.data() + y * width);
  }
  return result;
}

void draw_line(Mask& mask, Pixel from, Pixel to, std::int64_t thickness, std::uint8_t label) {
  const std::int64_t dx = to.x - from.x, dy = to.y - from.y;
  const std::int64_t steps = std::max({std::abs(dx), std::abs(dy), std::int64_t{1}});
  const std::int64_t before = (thickness - 1) / 2, after = thickness / 2;
  for (std::int64_t i = 0; i <= steps; ++i) {
    const std::int64_t x = from.x + std::llround(static_cast<double>(dx * i) / static_cast<double>(steps));
    const std::int64_t y = from.y + std::llround(static_cast<double>(dy * i) / static_cast<double>(steps));
    for (std::int64_t row = std::max<std::int64_t>(0, y - before);
         row <= std::min(mask.height() - 1, y + after); ++row) {
      for (std::int64_t column = std::max<std::int64_t>(0, x - before);
           column <= std::min(mask.width() - 1, x + after); ++column) {
        mask.set(column, row, label);
      }
    }
  }
}

void fill_polygon(Mask& mask, const std::vector<Pixel>& corners, std::uint8_t label) {
  if (corners.empty()) return;
  std::vector<double> crossings;
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    crossings.clear();
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const Pixel &a = corners[i], &b = corners[(i + 1) % corners.size()];
      if ((a.y <= y) == (b.y <= y)) continue;
      crossings.push_back(static_cast<double>(a.x) + static_cast<double>(b.x - a.x) *
                                                         static_cast<double>(y - a.y) /
                                                         static_cast<double>(b.y - a.y));
    }
    std::sort(crossings.begin(), crossings.end());
    for (std::size_t i = 0; i + 1 < crossings.size(); i += 2) {
      const auto begin =
          std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(crossings[i])), 0, mask.width());
      const auto end = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(crossings[i + 1])) + 1,
                                                0, mask.width());
      for (std::int64_t x = begin; x < end; ++x) mask.set(x, y, label);
    }
  }
  for (std::size_t i = 0; i < corners.size(); ++i) {
    draw_line(mask, corners[i], corners[(i + 1) % corners.size()], 1, label);
  }
}

}  // namespace terrapin::imaging
