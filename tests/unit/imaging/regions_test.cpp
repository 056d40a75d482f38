#include "imaging/regions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace terrapin::imaging {
namespace {

Mask random_mask(Random& random, Size size, int labels) {
  Mask mask(size);
  for (std::uint8_t& label : mask.bytes()) label = static_cast<std::uint8_t>(random.below(labels));
  return mask;
}

// Numbers of parts by flooding from each pixel not yet seen.
std::vector<int> flooded(const Mask& mask) {
  std::vector<int> number(mask.bytes().size(), -1);
  int next = 0;
  const auto index = [&](std::int64_t x, std::int64_t y) {
    return static_cast<std::size_t>(y * mask.width() + x);
  };
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    for (std::int64_t x = 0; x < mask.width(); ++x) {
      if (number[index(x, y)] >= 0) continue;
      const std::uint8_t label = mask.at(x, y);
      std::vector<Pixel> open{{x, y}};
      number[index(x, y)] = next;
      while (!open.empty()) {
        const Pixel at = open.back();
        open.pop_back();
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx) {
            if (label == 0 && dx != 0 && dy != 0) continue;
            const Pixel to{at.x + dx, at.y + dy};
            if (to.x < 0 || to.y < 0 || to.x >= mask.width() || to.y >= mask.height()) continue;
            if (mask.at(to.x, to.y) != label || number[index(to.x, to.y)] >= 0) continue;
            number[index(to.x, to.y)] = next;
            open.push_back(to);
          }
        }
      }
      ++next;
    }
  }
  return number;
}

TEST(Regions, AgreeWithFloodingOnManySmallMasks) {
  Random random(3);
  for (int round = 0; round < 400; ++round) {
    const Size size{1 + random.below(19), 1 + random.below(13)};
    const Mask mask = random_mask(random, size, 2 + static_cast<int>(random.below(2)));
    const std::vector<int> naive = flooded(mask);
    const LabeledRuns parts = connected_regions(mask);
    ASSERT_EQ(static_cast<int>(parts.regions.size()), *std::max_element(naive.begin(), naive.end()) + 1);
    std::vector<std::int64_t> areas(parts.regions.size(), 0);
    std::int64_t covered = 0;
    for (const imaging::Run& run : parts.runs) {
      for (std::int64_t x = run.begin; x < run.end; ++x, ++covered) {
        ASSERT_EQ(naive[static_cast<std::size_t>(run.y * size.width + x)], run.region);
        ASSERT_EQ(mask.at(x, run.y), parts.regions[static_cast<std::size_t>(run.region)].label);
        const Box& box = parts.regions[static_cast<std::size_t>(run.region)].box;
        ASSERT_TRUE(x >= box.x && x < box.x + box.width && run.y >= box.y && run.y < box.y + box.height);
        ++areas[static_cast<std::size_t>(run.region)];
      }
    }
    ASSERT_EQ(covered, size.area());
    for (std::size_t i = 0; i < areas.size(); ++i) ASSERT_EQ(areas[i], parts.regions[i].area);
  }
}

TEST(Regions, ALineOfOnePixelHasAnInsideAndAnOutside) {
  Mask mask({5, 5});
  for (const Pixel p : {Pixel{2, 0}, {1, 1}, {3, 1}, {0, 2}, {4, 2}, {1, 3}, {3, 3}, {2, 4}})
    mask.set(p.x, p.y, 1);
  int rings = 0, grounds = 0;
  for (const Region& region : connected_regions(mask).regions) (region.label == 1 ? rings : grounds) += 1;
  EXPECT_EQ(rings, 1);
  EXPECT_EQ(grounds, 5);  // four corners and the inside
}

TEST(Regions, RegionAtIsTheFloodedPart) {
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    const Mask mask = random_mask(random, {9, 7}, 3);
    const std::vector<int> naive = flooded(mask);
    const Pixel at{random.below(9), random.below(7)};
    const Mask part = region_at(mask, at);
    for (std::size_t i = 0; i < naive.size(); ++i) {
      ASSERT_EQ(part.bytes()[i] == 1, naive[i] == naive[static_cast<std::size_t>(at.y * 9 + at.x)]);
    }
  }
}

TEST(Regions, BoxOfIsTight) {
  Mask mask({7, 6});
  EXPECT_EQ(box_of(mask, 1).width, 0);
  mask.set(2, 1, 1), mask.set(5, 4, 1);
  EXPECT_EQ(box_of(mask, 1), (Box{2, 1, 4, 4}));
  EXPECT_EQ(box_of(mask, 0), (Box{0, 0, 7, 6}));
}

TEST(Regions, DepthIsTheShortestWayOut) {
  Random random(11);
  for (int round = 0; round < 60; ++round) {
    const Size size{1 + random.below(12), 1 + random.below(12)};
    Mask mask(size, 1);
    for (std::uint8_t& label : mask.bytes()) label = random.uniform() < 0.8 ? 1 : 0;
    const std::vector<std::int32_t> depth = chamfer_depth(mask);
    // Relaxed until nothing moves; outside is 0.
    std::vector<std::int32_t> naive(depth.size(), 1 << 20);
    const auto value = [&](std::int64_t x, std::int64_t y) {
      const bool in = x >= 0 && y >= 0 && x < size.width && y < size.height;
      return in ? naive[static_cast<std::size_t>(y * size.width + x)] : 0;
    };
    for (bool moved = true; moved;) {
      moved = false;
      for (std::int64_t y = 0; y < size.height; ++y) {
        for (std::int64_t x = 0; x < size.width; ++x) {
          std::int32_t best = mask.at(x, y) == 0 ? 0 : 1 << 20;
          for (int dy = -1; dy <= 1 && best > 0; ++dy) {
            for (int dx = -1; dx <= 1; ++dx) {
              if (dx != 0 || dy != 0)
                best = std::min(best, value(x + dx, y + dy) + (dx != 0 && dy != 0 ? 4 : 3));
            }
          }
          std::int32_t& here = naive[static_cast<std::size_t>(y * size.width + x)];
          moved = moved || best != here;
          here = best;
        }
      }
    }
    ASSERT_EQ(depth, naive);
  }
}

TEST(Regions, APolygonHoldsItsCornersAndItsMiddle) {
  Mask mask({20, 20});
  const std::vector<Pixel> corners{{10, 2}, {2, 10}, {10, 17}, {17, 9}};
  fill_polygon(mask, corners, 1);
  for (const Pixel& corner : corners) EXPECT_EQ(mask.at(corner.x, corner.y), 1);
  EXPECT_EQ(mask.at(10, 10), 1);
  EXPECT_EQ(mask.at(3, 3), 0);
  EXPECT_EQ(connected_regions(mask).regions.size(), 2U);  // it and the ground
  Mask dot({3, 3});
  fill_polygon(dot, {{1, 1}, {1, 1}, {1, 1}, {1, 1}}, 1);
  EXPECT_EQ(std::count(dot.bytes().begin(), dot.bytes().end(), 1), 1);
}

TEST(Regions, ALineIsClippedAndJoinsItsEnds) {
  Mask mask({8, 8});
  draw_line(mask, {-3, -3}, {20, 20}, 1, 1);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(mask.at(i, i), 1);
}

}  // namespace
}  // namespace terrapin::imaging
