// Oracles: naive twins, written straight from the contract, for the fast resampling.
#include "imaging/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "unit/imaging/sample_pictures.h"

namespace terrapin::imaging {
namespace {

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

// One target pixel, in doubles, over every source pixel.
void naive_pixel(const Image& source, Size target, std::int64_t x, std::int64_t y, double out[3]) {
  const double sx = static_cast<double>(source.width()) / static_cast<double>(target.width);
  const double sy = static_cast<double>(source.height()) / static_cast<double>(target.height);
  const double cx = (static_cast<double>(x) + 0.5) * sx, cy = (static_cast<double>(y) + 0.5) * sy;
  double sum = 0;
  out[0] = out[1] = out[2] = 0;
  for (std::int64_t v = 0; v < source.height(); ++v) {
    const double wy = triangle((static_cast<double>(v) + 0.5 - cy) / std::max(1.0, sy));
    if (wy == 0) continue;
    for (std::int64_t u = 0; u < source.width(); ++u) {
      const double weight = wy * triangle((static_cast<double>(u) + 0.5 - cx) / std::max(1.0, sx));
      const Rgb pixel = source.at(u, v);
      out[0] += weight * pixel.red, out[1] += weight * pixel.green, out[2] += weight * pixel.blue;
      sum += weight;
    }
  }
  for (int c = 0; c < 3; ++c) out[c] /= sum;
}

TEST(Resize, AgreesWithTheNaiveTwin) {
  Random random(11);
  for (int round = 0; round < 120; ++round) {
    const Size from{1 + random.below(24), 1 + random.below(24)},
        to{1 + random.below(30), 1 + random.below(30)};
    const Image source = test::noise(from, static_cast<std::uint64_t>(round));
    const Image fast = resize(source, to);
    ASSERT_EQ(fast.size(), to);
    for (std::int64_t y = 0; y < to.height; ++y) {
      for (std::int64_t x = 0; x < to.width; ++x) {
        double exact[3];
        naive_pixel(source, to, x, y, exact);
        const Rgb got = fast.at(x, y);
        // Rounded to the nearest: off by a half at most, and a hair of float error.
        ASSERT_NEAR(got.red, exact[0], 0.501) << from.width << "x" << from.height << " at " << x << "," << y;
        ASSERT_NEAR(got.green, exact[1], 0.501);
        ASSERT_NEAR(got.blue, exact[2], 0.501);
      }
    }
  }
}

Image naive_crop(const Image& whole, const Box& region, Rgb outside, bool mirror) {
  Image out({region.width, region.height}, outside);
  for (std::int64_t y = 0; y < region.height; ++y) {
    for (std::int64_t x = 0; x < region.width; ++x) {
      std::int64_t u = region.x + x;
      const std::int64_t v = region.y + y;
      if (u < 0 || v < 0 || u >= whole.width() || v >= whole.height()) continue;
      if (mirror) u = whole.width() - 1 - u;
      out.set(x, y, whole.at(u, v));
    }
  }
  return out;
}

Box random_region(Random& random, Size target) {
  return {random.below(2 * target.width + 10) - target.width / 2 - 5,
          random.below(2 * target.height + 10) - target.height / 2 - 5, random.below(target.width + 12),
          random.below(target.height + 12)};
}

TEST(Resize, RegionIsTheCropOfTheWholeBitForBit) {
  Random random(12);
  for (int round = 0; round < 400; ++round) {
    const Size from{1 + random.below(90), 1 + random.below(90)},
        to{1 + random.below(120), 1 + random.below(120)};
    const Image source = test::noise(from, static_cast<std::uint64_t>(round));
    const Image whole = resize(source, round % 7 == 0 ? from : to);
    const Box region = random_region(random, whole.size());
    const bool mirror = random.below(2) == 1;
    const Rgb outside{1, 2, 3};
    ASSERT_EQ(resize_region(source, whole.size(), region, outside, mirror),
              naive_crop(whole, region, outside, mirror))
        << "round " << round;
  }
}

TEST(Resize, SameSizeIsACopyAndFlatStaysFlat) {
  const Image photo = test::noise({37, 21});
  EXPECT_EQ(resize(photo, photo.size()), photo);
  for (const std::uint8_t level : {0, 1, 127, 254, 255}) {
    const Image flat({33, 17}, {level, 7, 200});
    for (const Size to : {Size{1, 1}, Size{5, 40}, Size{100, 3}, Size{32, 18}}) {
      EXPECT_EQ(resize(flat, to), Image(to, {level, 7, 200})) << int{level};
    }
  }
}

TEST(Resize, WhiteStaysWhiteWhenThousandsOfPixelsMelt) {
  EXPECT_EQ(resize(Image({3000, 700}, {255, 255, 255}), {2, 3}), Image({2, 3}, {255, 255, 255}));
}

TEST(Resize, RefusesEmptyRasters) {
  EXPECT_THROW(resize(Image(), {2, 2}), std::invalid_argument);
  EXPECT_THROW(resize(Image({2, 2}), {0, 2}), std::invalid_argument);
  EXPECT_THROW(resize_nearest(Mask({2, 2}), {2, -1}), std::invalid_argument);
}

TEST(ResizeNearest, AgreesWithTheDefinition) {
  Random random(13);
  for (int round = 0; round < 300; ++round) {
    const Size from{1 + random.below(40), 1 + random.below(40)},
        to{1 + random.below(60), 1 + random.below(60)};
    Mask source(from);
    for (auto& label : source.bytes()) label = static_cast<std::uint8_t>(random.below(256));
    const Mask whole = resize_nearest(source, to);
    for (std::int64_t y = 0; y < to.height; ++y) {
      for (std::int64_t x = 0; x < to.width; ++x) {
        // In exact integers: the largest s with s * 2 * target <= (2 x + 1) * source.
        std::int64_t u = 0, v = 0;
        while ((u + 1) * 2 * to.width <= (2 * x + 1) * from.width) ++u;
        while ((v + 1) * 2 * to.height <= (2 * y + 1) * from.height) ++v;
        ASSERT_EQ(whole.at(x, y), source.at(u, v));
      }
    }
    const Box region = random_region(random, to);
    const bool mirror = random.below(2) == 1;
    const Mask part = resize_nearest_region(source, to, region, 255, mirror);
    for (std::int64_t y = 0; y < region.height; ++y) {
      for (std::int64_t x = 0; x < region.width; ++x) {
        const std::int64_t u = region.x + x, v = region.y + y;
        const bool inside = u >= 0 && v >= 0 && u < to.width && v < to.height;
        ASSERT_EQ(part.at(x, y), inside ? whole.at(mirror ? to.width - 1 - u : u, v) : 255);
      }
    }
  }
}

TEST(ResizeNearest, EnlargingByWholeFactorsRepeatsPixels) {
  Mask small({2, 2});
  small.bytes() = {1, 2, 3, 4};
  EXPECT_EQ(resize_nearest(small, {4, 4}).bytes(),
            (std::vector<std::uint8_t>{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
}

// Photo and mask must move together: a block enlarged by both lands in the same place.
TEST(Resize, ImageAndMaskStayAligned) {
  Image photo({40, 30});
  Mask mask({40, 30});
  for (std::int64_t y = 8; y < 20; ++y) {
    for (std::int64_t x = 12; x < 30; ++x) photo.set(x, y, {255, 255, 255}), mask.set(x, y, 1);
  }
  for (const Size to : {Size{97, 61}, Size{23, 71}, Size{20, 15}}) {
    const Box region{3, 2, to.width, to.height};
    const Image image = resize_region(photo, to, region, {}, true);
    const Mask labels = resize_nearest_region(mask, to, region, 0, true);
    std::int64_t differing = 0;
    for (std::int64_t y = 0; y < to.height; ++y) {
      for (std::int64_t x = 0; x < to.width; ++x) {
        differing += (image.at(x, y).red >= 128) != (labels.at(x, y) == 1);
      }
    }
    EXPECT_LE(differing, 2 * (to.width + to.height) / 20) << to.width << "x" << to.height;
  }
}

}  // namespace
}  // namespace terrapin::imaging
