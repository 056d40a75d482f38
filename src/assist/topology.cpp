#include "assist/topology.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace terrapin::assist {
namespace {

using imaging::Mask;
using imaging::Pixel;

std::vector<Pixel> within(const std::vector<Pixel>& points, imaging::Size size) {
  std::vector<Pixel> result;
  for (const Pixel& p : points) {
    if (p.x >= 0 && p.y >= 0 && p.x < size.width && p.y < size.height) result.push_back(p);
  }
  return result;
}

void paint(Mask& mask, const imaging::Run& run, std::uint8_t label) {
  std::fill(mask.row(run.y) + run.begin, mask.row(run.y) + run.end, label);
}

std::int64_t region_of(const imaging::LabeledRuns& parts, Pixel point) {
  const auto found = std::upper_bound(
      parts.runs.begin(), parts.runs.end(), point,
      [](const Pixel& p, const imaging::Run& run) { return p.y != run.y ? p.y < run.y : p.x < run.begin; });
  return std::prev(found)->region;
}

// Of the parts: those that stay by themselves, for their size.
std::vector<bool> large_parts(const imaging::LabeledRuns& parts, double part_share) {
  std::int64_t largest = 0;
  for (const imaging::Region& region : parts.regions) {
    if (region.label == 1) largest = std::max(largest, region.area);
  }
  std::vector<bool> large(parts.regions.size(), false);
  for (std::size_t i = 0; i < parts.regions.size(); ++i) {
    const imaging::Region& region = parts.regions[i];
    large[i] = region.label == 1 && (region.area == largest || static_cast<double>(region.area) >=
                                                                   part_share * static_cast<double>(largest));
  }
  return large;
}

// The pixel of these parts that is nearest to `from`; nullopt if they have none.
std::optional<Pixel> nearest(const imaging::LabeledRuns& parts, const std::vector<bool>& among, Pixel from) {
  std::optional<Pixel> best;
  std::int64_t record = 0;
  for (const imaging::Run& run : parts.runs) {
    if (!among[static_cast<std::size_t>(run.region)]) continue;
    const Pixel candidate{std::clamp(from.x, run.begin, run.end - 1), run.y};
    const std::int64_t dx = candidate.x - from.x, dy = candidate.y - from.y;
    const std::int64_t distance = dx * dx + dy * dy;
    if (!best || distance < record) best = candidate, record = distance;
  }
  return best;
}

void join_points(Mask& mask, const std::vector<Pixel>& inside, const TopologyOptions& options) {
  if (std::all_of(inside.begin(), inside.end(), [&](const Pixel& p) { return mask.at(p.x, p.y) == 1; }))
    return;
  const imaging::LabeledRuns parts = imaging::connected_regions(mask);
  const std::vector<bool> large = large_parts(parts, options.part_share);
  for (const Pixel& point : inside) {
    if (mask.at(point.x, point.y) == 1) continue;
    const std::optional<Pixel> target = nearest(parts, large, point);
    imaging::draw_line(mask, point, target.value_or(point), options.thickness, 1);
  }
}

void drop_specks(Mask& mask, const std::vector<Pixel>& inside, double part_share) {
  const imaging::LabeledRuns parts = imaging::connected_regions(mask);
  std::vector<bool> stays = large_parts(parts, part_share);
  for (const Pixel& point : inside) stays[static_cast<std::size_t>(region_of(parts, point))] = true;
  for (const imaging::Run& run : parts.runs) {
    const auto region = static_cast<std::size_t>(run.region);
    if (parts.regions[region].label == 1 && !stays[region]) paint(mask, run, 0);
  }
}

void fill_holes(Mask& mask, const std::vector<Pixel>& outside, double hole_share) {
  const imaging::LabeledRuns parts = imaging::connected_regions(mask);
  std::int64_t area = 0;
  for (const imaging::Region& region : parts.regions) area += region.label == 1 ? region.area : 0;
  std::vector<bool> filled(parts.regions.size(), false);
  for (std::size_t i = 0; i < parts.regions.size(); ++i) {
    const imaging::Region& region = parts.regions[i];
    const imaging::Box& box = region.box;
    const bool enclosed =
        box.x > 0 && box.y > 0 && box.x + box.width < mask.width() && box.y + box.height < mask.height();
    filled[i] = region.label == 0 && enclosed &&
                static_cast<double>(region.area) <= hole_share * static_cast<double>(area);
  }
  for (const Pixel& point : outside) filled[static_cast<std::size_t>(region_of(parts, point))] = false;
  for (const imaging::Run& run : parts.runs) {
    if (filled[static_cast<std::size_t>(run.region)]) paint(mask, run, 1);
  }
}

}  // namespace

void tidy(Mask& mask, const std::vector<Pixel>& inside_points, const std::vector<Pixel>& outside_points,
          const TopologyOptions& options) {
  if (mask.size().area() < 1) return;
  const std::vector<Pixel> inside = within(inside_points, mask.size()),
                           outside = within(outside_points, mask.size());
  join_points(mask, inside, options);
  drop_specks(mask, inside, options.part_share);
  fill_holes(mask, outside, options.hole_share);
  for (const Pixel& point : outside) {
    if (mask.at(point.x, point.y) == 1) imaging::draw_line(mask, point, point, 2 * options.thickness + 1, 0);
  }
  for (const Pixel& point : inside) {
    const bool contradicted = std::find(outside.begin(), outside.end(), point) != outside.end();
    if (!contradicted) mask.set(point.x, point.y, 1);
  }
}

}  // namespace terrapin::assist
