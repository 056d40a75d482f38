#include "metrics/simulated_annotator.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace terrapin::metrics {

using imaging::Mask;
using imaging::Pixel;

namespace {

constexpr std::uint8_t kObject = 1;

// The outline seen from each side: for every row or column that holds object, its outermost pixel there.
struct Outline {
  std::vector<Pixel> top, left, bottom, right;
};

Outline outline_of(const Mask& object, const imaging::Box& box) {
  Outline outline;
  std::vector<std::int64_t> first(static_cast<std::size_t>(box.width), -1), last(first);
  for (std::int64_t y = box.y; y < box.y + box.height; ++y) {
    const std::uint8_t* row = object.row(y) + box.x;
    std::int64_t left = -1, right = -1;
    for (std::int64_t x = 0; x < box.width; ++x) {
      if (row[x] != kObject) continue;
      if (left < 0) left = x;
      right = x;
      const auto column = static_cast<std::size_t>(x);
      if (first[column] < 0) first[column] = y;
      last[column] = y;
    }
    if (left < 0) continue;
    outline.left.push_back({box.x + left, y});
    outline.right.push_back({box.x + right, y});
  }
  for (std::int64_t x = 0; x < box.width; ++x) {
    const auto column = static_cast<std::size_t>(x);
    if (first[column] < 0) continue;
    outline.top.push_back({box.x + x, first[column]});
    outline.bottom.push_back({box.x + x, last[column]});
  }
  return outline;
}

// Those of `side` at most `slack` from the outermost; `depth` tells how far one is.
template <class Depth>
std::vector<Pixel> outermost(const std::vector<Pixel>& side, double slack, const Depth& depth) {
  std::vector<Pixel> result;
  for (const Pixel& pixel : side) {
    if (static_cast<double>(depth(pixel)) <= slack) result.push_back(pixel);
  }
  return result;
}

std::array<std::vector<Pixel>, 4> candidates(const Mask& object, const imaging::Box& box, double slack) {
  const Outline outline = outline_of(object, box);
  return {outermost(outline.top, slack, [&](const Pixel& p) { return p.y - box.y; }),
          outermost(outline.left, slack, [&](const Pixel& p) { return p.x - box.x; }),
          outermost(outline.bottom, slack, [&](const Pixel& p) { return box.y + box.height - 1 - p.y; }),
          outermost(outline.right, slack, [&](const Pixel& p) { return box.x + box.width - 1 - p.x; })};
}

}  // namespace

std::optional<std::array<Pixel, 4>> extreme_points(const Mask& object) {
  const imaging::Box box = imaging::box_of(object, kObject);
  if (box.width == 0) return std::nullopt;
  const auto sides = candidates(object, box, 0);
  std::array<Pixel, 4> points;
  for (std::size_t i = 0; i < 4; ++i) points[i] = sides[i][sides[i].size() / 2];
  return points;
}

std::optional<std::array<Pixel, 4>> clicked_extremes(const Mask& object, const ClickHabit& habit,
                                                     Random& random) {
  const imaging::Box box = imaging::box_of(object, kObject);
  if (box.width == 0) return std::nullopt;
  const auto sides = candidates(object, box, habit.slack_px);
  std::array<Pixel, 4> points;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& side = sides[i];
    points[i] = habit.slack_px > 0
                    ? side[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(side.size())))]
                    : side[side.size() / 2];
    if (habit.jitter_px > 0) {
      points[i].x += std::llround(random.uniform(-habit.jitter_px, habit.jitter_px));
      points[i].y += std::llround(random.uniform(-habit.jitter_px, habit.jitter_px));
    }
    points[i].x = std::clamp<std::int64_t>(points[i].x, 0, object.width() - 1);
    points[i].y = std::clamp<std::int64_t>(points[i].y, 0, object.height() - 1);
  }
  return points;
}

std::optional<CorrectiveClick> next_click(const Mask& truth, const Mask& answer, std::int64_t min_area,
                                          Random* random) {
  constexpr std::uint8_t kLacking = 1, kExcess = 2;
  Mask errors(truth.size());
  for (std::size_t i = 0; i < truth.bytes().size(); ++i) {
    if (truth.bytes()[i] == Mask::kIgnore) continue;
    const bool wanted = truth.bytes()[i] == kObject, given = answer.bytes()[i] == kObject;
    if (wanted != given) errors.bytes()[i] = wanted ? kLacking : kExcess;
  }
  const imaging::LabeledRuns parts = imaging::connected_regions(errors);
  const imaging::Region* largest = nullptr;
  for (const imaging::Region& part : parts.regions) {
    if (part.label != 0 && (largest == nullptr || part.area > largest->area)) largest = &part;
  }
  if (largest == nullptr || largest->area < min_area) return std::nullopt;
  const imaging::Box& box = largest->box;
  Mask alone({box.width, box.height});
  const auto index = static_cast<std::int64_t>(largest - parts.regions.data());
  for (const imaging::Run& run : parts.runs) {
    if (run.region != index) continue;
    std::fill(alone.row(run.y - box.y) + (run.begin - box.x), alone.row(run.y - box.y) + (run.end - box.x),
              1);
  }
  const std::vector<std::int32_t> depth = imaging::chamfer_depth(alone);
  const auto deepest = std::max_element(depth.begin(), depth.end());
  std::size_t chosen = static_cast<std::size_t>(deepest - depth.begin());
  if (random != nullptr) {
    std::int64_t deep_enough = 0;
    for (const std::int32_t d : depth) deep_enough += 2 * d >= *deepest ? 1 : 0;
    std::int64_t wanted = random->below(deep_enough);
    for (std::size_t i = 0; i < depth.size(); ++i) {
      if (2 * depth[i] >= *deepest && wanted-- == 0) chosen = i;
    }
  }
  CorrectiveClick click;
  click.at = {box.x + static_cast<std::int64_t>(chosen) % box.width,
              box.y + static_cast<std::int64_t>(chosen) / box.width};
  click.positive = largest->label == kLacking;
  click.error_area = largest->area;
  return click;
}

Overlap overlap_of(const Mask& truth, const Mask& answer) {
  Overlap overlap;
  for (std::size_t i = 0; i < truth.bytes().size(); ++i) {
    if (truth.bytes()[i] == Mask::kIgnore) continue;
    const bool a = truth.bytes()[i] == kObject, b = answer.bytes()[i] == kObject;
    overlap.both += a && b ? 1 : 0;
    overlap.either += a || b ? 1 : 0;
  }
  return overlap;
}

}  // namespace terrapin::metrics
