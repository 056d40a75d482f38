#include "metrics/boundary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace terrapin::metrics {
namespace {

struct Point {
  std::int32_t x, y;
};

// Boundary pixels of every class, by class: pixels with a 4-neighbour of another class. Neighbours outside
// the raster or ignored make no boundary.
std::vector<std::vector<Point>> boundaries(const imaging::Mask& labels, int classes) {
  std::vector<std::vector<Point>> points(static_cast<std::size_t>(classes));
  const std::int64_t width = labels.width(), height = labels.height();
  const auto differs = [](std::uint8_t label, std::uint8_t neighbour) {
    return neighbour != label && neighbour != imaging::Mask::kIgnore;
  };
  for (std::int64_t y = 0; y < height; ++y) {
    const std::uint8_t* row = labels.row(y);
    const std::uint8_t* above = y > 0 ? row - width : row;
    const std::uint8_t* below = y + 1 < height ? row + width : row;
    for (std::int64_t x = 0; x < width; ++x) {
      const std::uint8_t label = row[x];
      if (label >= classes || label == imaging::Mask::kIgnore) continue;
      if ((x > 0 && differs(label, row[x - 1])) || (x + 1 < width && differs(label, row[x + 1])) ||
          differs(label, above[x]) || differs(label, below[x])) {
        points[label].push_back({static_cast<std::int32_t>(x), static_cast<std::int32_t>(y)});
      }
    }
  }
  return points;
}

struct Frame {
  std::int32_t x0, y0, width, height;
};

Frame frame_of(const std::vector<Point>& a, const std::vector<Point>& b) {
  std::int32_t x0 = std::numeric_limits<std::int32_t>::max(), y0 = x0, x1 = 0, y1 = 0;
  for (const auto* points : {&a, &b}) {
    for (const Point& p : *points) {
      x0 = std::min(x0, p.x), y0 = std::min(y0, p.y), x1 = std::max(x1, p.x), y1 = std::max(y1, p.y);
    }
  }
  return {x0, y0, x1 - x0 + 1, y1 - y0 + 1};
}

// How many of `queries` have a point of `targets` within `radius`, exactly and in time linear in the frame: a
// pixel whose nearest target in its own column is g rows away covers the pixels of its row up to
// sqrt(radius^2 - g^2) columns to either side.
std::int64_t count_near(const std::vector<Point>& queries, const std::vector<Point>& targets,
                        const Frame& frame, double radius) {
  if (queries.empty() || targets.empty()) return 0;
  const auto width = static_cast<std::size_t>(frame.width), height = static_cast<std::size_t>(frame.height);
  const auto limit = static_cast<std::int32_t>(std::floor(radius));
  std::vector<std::int32_t> rows_away(width * height, limit + 1);
  for (const Point& p : targets) {
    rows_away[static_cast<std::size_t>(p.y - frame.y0) * width + static_cast<std::size_t>(p.x - frame.x0)] =
        0;
  }
  for (std::size_t i = width; i < rows_away.size(); ++i) {
    rows_away[i] = std::min(rows_away[i], rows_away[i - width] + 1);
  }
  for (std::size_t i = rows_away.size() - width; i-- > 0;) {
    rows_away[i] = std::min(rows_away[i], rows_away[i + width] + 1);
  }
  std::vector<std::int32_t> reach(static_cast<std::size_t>(limit) + 2, -1);  // -1: covers nothing
  for (std::int32_t g = 0; g <= limit; ++g) {
    reach[static_cast<std::size_t>(g)] =
        static_cast<std::int32_t>(std::floor(std::sqrt(radius * radius - static_cast<double>(g) * g)));
  }
  std::vector<std::uint8_t> covered(width * height, 0);
  for (std::size_t y = 0; y < height; ++y) {
    const std::int32_t* away = rows_away.data() + y * width;
    std::uint8_t* row = covered.data() + y * width;
    std::int32_t left_reach = -1;
    for (std::int32_t x = 0; x < frame.width; ++x) {
      const std::int32_t r = reach[static_cast<std::size_t>(std::min(away[x], limit + 1))];
      if (r >= 0) left_reach = std::max(left_reach, x + r);
      row[x] = left_reach >= x ? 1 : 0;
    }
    std::int32_t right_reach = frame.width;
    for (std::int32_t x = frame.width - 1; x >= 0; --x) {
      const std::int32_t r = reach[static_cast<std::size_t>(std::min(away[x], limit + 1))];
      if (r >= 0) right_reach = std::min(right_reach, x - r);
      if (right_reach <= x) row[x] = 1;
    }
  }
  std::int64_t near = 0;
  for (const Point& p : queries) {
    near +=
        covered[static_cast<std::size_t>(p.y - frame.y0) * width + static_cast<std::size_t>(p.x - frame.x0)];
  }
  return near;
}

}  // namespace

BoundaryScore::BoundaryScore(int class_count, double tolerance_fraction)
    : classes_(class_count), tolerance_fraction_(tolerance_fraction) {
  if (class_count < 1 || class_count > 256) {
    throw std::invalid_argument(
        fmt::format("boundary score of {} classes: 1 to 256 are allowed", class_count));
  }
  if (!(tolerance_fraction >= 0 && tolerance_fraction <= 1)) {
    throw std::invalid_argument(
        fmt::format("boundary tolerance {} of the diagonal: 0 to 1 is allowed", tolerance_fraction));
  }
  sums_.assign(static_cast<std::size_t>(class_count), 0.0);
  images_.assign(static_cast<std::size_t>(class_count), 0);
}

void BoundaryScore::add(const imaging::Mask& truth, const imaging::Mask& prediction) {
  if (truth.size() != prediction.size()) {
    throw std::invalid_argument(fmt::format("truth is {} x {} pixels, prediction {} x {}: they must agree",
                                            truth.width(), truth.height(), prediction.width(),
                                            prediction.height()));
  }
  imaging::Mask answered = prediction;
  for (std::size_t i = 0; i < answered.bytes().size(); ++i) {
    if (truth.bytes()[i] == imaging::Mask::kIgnore) answered.bytes()[i] = imaging::Mask::kIgnore;
  }
  const double diagonal = std::hypot(static_cast<double>(truth.width()), static_cast<double>(truth.height()));
  const double radius = std::max(1.0, tolerance_fraction_ * diagonal);
  const auto wanted = boundaries(truth, classes_), found = boundaries(answered, classes_);
  for (std::size_t c = 0; c < sums_.size(); ++c) {
    if (wanted[c].empty() && found[c].empty()) continue;
    ++images_[c];
    if (wanted[c].empty() || found[c].empty()) continue;  // F1 is 0
    const Frame frame = frame_of(wanted[c], found[c]);
    const double precision = static_cast<double>(count_near(found[c], wanted[c], frame, radius)) /
                             static_cast<double>(found[c].size());
    const double recall = static_cast<double>(count_near(wanted[c], found[c], frame, radius)) /
                          static_cast<double>(wanted[c].size());
    if (precision + recall > 0) sums_[c] += 2 * precision * recall / (precision + recall);
  }
}

std::optional<double> BoundaryScore::f1(int class_index) const {
  if (class_index < 0 || class_index >= classes_) {
    throw std::invalid_argument(fmt::format("class {}: there are {} classes", class_index, classes_));
  }
  const auto c = static_cast<std::size_t>(class_index);
  if (images_[c] == 0) return std::nullopt;
  return sums_[c] / static_cast<double>(images_[c]);
}

double BoundaryScore::mean_f1() const {
  double sum = 0;
  int present = 0;
  for (int c = 0; c < classes_; ++c) {
    if (const auto value = f1(c)) sum += *value, ++present;
  }
  return present == 0 ? 0.0 : sum / present;
}

}  // namespace terrapin::metrics
