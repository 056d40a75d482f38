#include "training/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "imaging/resize.h"
#include "small_dataset.h"
#include "training/samples.h"

namespace terrapin::training {
namespace {

AugmentOptions plain() {
  AugmentOptions options;
  options.color_probability = options.blur_probability = options.noise_probability = 0;
  options.foreground_probability = 0;
  return options;
}

Normalization identity() {
  Normalization normalization{};
  normalization.scale = {1, 1, 1};
  normalization.offset = {0, 0, 0};
  normalization.mean_color = {127, 128, 129};
  return normalization;
}

// The naive twin: resize the whole, read it pixel by pixel, from the right where mirrored.
TEST(Augment, PhotoAndMaskAreTheCutOfTheFlippedWhole) {
  for (std::uint64_t trial = 0; trial < 150; ++trial) {
    Random random(trial);
    const imaging::Size size{8 + random.below(60), 8 + random.below(60)};
    const artifacts::LabeledPhoto sample = square_photo(trial, size);
    const std::int64_t base = 20 + random.below(60), side = 9 + random.below(50);
    const AugmentPlan plan = plan_augmentation(plain(), base, side, size, {}, random);
    std::vector<float> pixels(static_cast<std::size_t>(side * side * 3));
    std::vector<std::uint8_t> labels(static_cast<std::size_t>(side * side));
    augment_photo(sample.photo, plan, identity(), pixels.data());
    augment_mask(sample.mask, plan, labels.data());

    const imaging::Image whole = imaging::resize(sample.photo, plan.scaled);
    const imaging::Mask whole_mask = imaging::resize_nearest(sample.mask, plan.scaled);
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const std::int64_t sx = plan.crop.x + x, sy = plan.crop.y + y;
        const bool inside = sx >= 0 && sy >= 0 && sx < plan.scaled.width && sy < plan.scaled.height;
        const std::int64_t source_x = plan.mirror ? plan.scaled.width - 1 - sx : sx;
        const imaging::Rgb expected = inside ? whole.at(source_x, sy) : imaging::Rgb{127, 128, 129};
        const float* got = pixels.data() + (y * side + x) * 3;
        ASSERT_EQ(got[0], expected.red) << trial;
        ASSERT_EQ(got[1], expected.green) << trial;
        ASSERT_EQ(got[2], expected.blue) << trial;
        ASSERT_EQ(labels[static_cast<std::size_t>(y * side + x)], inside ? whole_mask.at(source_x, sy) : 255)
            << trial;
      }
    }
  }
}

TEST(AugmentPlan, ScaleAspectAndCropStayInTheirRanges) {
  bool mirrored = false, straight = false;
  for (std::uint64_t trial = 0; trial < 2000; ++trial) {
    Random random(trial);
    const imaging::Size photo{1 + random.below(900), 1 + random.below(900)};
    const std::int64_t side = 64 + random.below(300);
    const AugmentPlan plan = plan_augmentation(plain(), 520, side, photo, {}, random);
    const std::int64_t long_side = std::max(plan.scaled.width, plan.scaled.height);
    EXPECT_GE(long_side, 260);
    EXPECT_LE(long_side, 1040);
    EXPECT_EQ(photo.width >= photo.height,
              plan.scaled.width >= plan.scaled.height || photo.width == photo.height);
    const double factor =
        static_cast<double>(long_side) / static_cast<double>(std::max(photo.width, photo.height));
    EXPECT_NEAR(static_cast<double>(plan.scaled.width),
                std::max(1.0, factor * static_cast<double>(photo.width)), 0.5 + 1e-9);
    EXPECT_NEAR(static_cast<double>(plan.scaled.height),
                std::max(1.0, factor * static_cast<double>(photo.height)), 0.5 + 1e-9);
    EXPECT_EQ(plan.crop.width, side);
    EXPECT_EQ(plan.crop.height, side);
    for (const auto& [offset, length] :
         {std::pair{plan.crop.x, plan.scaled.width}, std::pair{plan.crop.y, plan.scaled.height}}) {
      EXPECT_GE(offset, std::min<std::int64_t>(0, length - side));
      EXPECT_LE(offset, std::max<std::int64_t>(0, length - side));
    }
    (plan.mirror ? mirrored : straight) = true;
    EXPECT_FALSE(plan.color.active);
  }
  EXPECT_TRUE(mirrored && straight);
}

TEST(AugmentPlan, ForegroundCropsShowTheirClassEvenly) {
  imaging::Mask mask({400, 300});
  for (std::int64_t x = 20; x < 24; ++x) mask.set(x, 200, 1);
  for (std::int64_t y = 10; y < 290; ++y) {
    for (std::int64_t x = 300; x < 390; ++x) mask.set(x, y, 7);
  }
  const MaskSummary summary = summarize_mask(mask, 3);
  ASSERT_EQ(summary.foreground.size(), 2u);
  EXPECT_EQ(summary.foreground[0].points.size(), 4u);
  EXPECT_EQ(summary.foreground[1].points.size(), static_cast<std::size_t>(kPointsPerClass));
  AugmentOptions options = plain();
  options.foreground_probability = 1;
  int small = 0, large = 0, neither = 0;
  constexpr int kTrials = 1000;
  for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
    Random random(trial);
    const AugmentPlan plan = plan_augmentation(options, 400, 96, mask.size(), summary.foreground, random);
    std::vector<std::uint8_t> labels(96 * 96);
    augment_mask(mask, plan, labels.data());
    const bool has_small = std::ranges::count(labels, 1) > 0, has_large = std::ranges::count(labels, 7) > 0;
    if (has_small && !has_large) ++small;
    if (has_large && !has_small) ++large;
    if (!has_small && !has_large) ++neither;
  }
  // Half the crops each; a one-pixel-high line may vanish when the photo is reduced.
  EXPECT_NEAR(large, kTrials / 2, 60);
  EXPECT_GT(small, kTrials / 3);
  EXPECT_LT(neither, kTrials / 5);
}

TEST(MaskSummary, CountsEveryPixelAndItsPointsLieOnTheirClass) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    imaging::Mask mask({1 + random.below(70), 1 + random.below(70)});
    std::array<std::int64_t, 256> counts{};
    for (std::uint8_t& label : mask.bytes()) {
      label = random.uniform() < 0.1 ? 255 : static_cast<std::uint8_t>(random.below(4));
      ++counts[label];
    }
    const MaskSummary summary = summarize_mask(mask, seed);
    EXPECT_EQ(summary.pixels, counts);
    for (const ClassPoints& entry : summary.foreground) {
      EXPECT_EQ(static_cast<std::int64_t>(entry.points.size()),
                std::min<std::int64_t>(kPointsPerClass, counts[entry.label]));
      std::set<std::pair<std::int64_t, std::int64_t>> distinct;
      for (const RelativePoint& point : entry.points) {
        const std::int64_t x = point.x * mask.width() >> 16, y = point.y * mask.height() >> 16;
        EXPECT_EQ(mask.at(x, y), entry.label);
        distinct.emplace(x, y);
      }
      EXPECT_EQ(distinct.size(), entry.points.size());
    }
  }
}

TEST(Augment, ColourPlanByHand) {
  imaging::Image photo({8, 8}, {100, 150, 50});
  AugmentPlan plan;
  plan.scaled = {8, 8};
  plan.crop = {0, 0, 8, 8};
  plan.color.active = true;
  plan.color.gain = {1.1, 0.9, 1.0};
  plan.color.contrast = 1.2;
  plan.color.saturation = 0.5;
  std::vector<float> pixels(8 * 8 * 3);
  augment_photo(photo, plan, identity(), pixels.data());
  const double pivot = (0.299 * 100 + 0.587 * 150 + 0.114 * 50) * (1 - 1.2);
  const double red = 100 * 1.1 * 1.2 + pivot, green = 150 * 0.9 * 1.2 + pivot, blue = 50 * 1.2 + pivot;
  const double grey = 0.299 * red + 0.587 * green + 0.114 * blue;
  EXPECT_NEAR(pixels[0], grey + 0.5 * (red - grey), 1e-3);
  EXPECT_NEAR(pixels[1], grey + 0.5 * (green - grey), 1e-3);
  EXPECT_NEAR(pixels[2], grey + 0.5 * (blue - grey), 1e-3);
}

TEST(Augment, BlurKeepsFlatAreasAndWidensADot) {
  imaging::Image photo({9, 9}, {16, 16, 16});
  photo.set(4, 4, {176, 176, 176});
  AugmentPlan plan;
  plan.scaled = {9, 9};
  plan.crop = {0, 0, 9, 9};
  plan.blur = true;
  std::vector<float> pixels(9 * 9 * 3);
  augment_photo(photo, plan, identity(), pixels.data());
  const auto at = [&](int x, int y) { return pixels[static_cast<std::size_t>((y * 9 + x) * 3)]; };
  EXPECT_EQ(at(4, 4), 16 + 160 / 4);
  EXPECT_EQ(at(3, 4), 16 + 160 / 8);
  EXPECT_EQ(at(4, 5), 16 + 160 / 8);
  EXPECT_EQ(at(5, 5), 16 + 160 / 16);
  EXPECT_EQ(at(0, 0), 16);
  EXPECT_EQ(at(8, 8), 16);
}

}  // namespace
}  // namespace terrapin::training
