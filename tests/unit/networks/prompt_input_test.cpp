#include "networks/prompt_input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace terrapin::networks {
namespace {

using imaging::Box;
using imaging::Pixel;
using imaging::Size;

FrameOptions options(std::int64_t side = 257) {
  FrameOptions result;
  result.side = side;
  return result;
}

TEST(PromptInput, TheFrameHoldsTheBoxWithItsMargin) {
  Random random(4);
  for (int round = 0; round < 500; ++round) {
    const Size photo{1 + random.below(5000), 1 + random.below(4000)};
    Box box{random.below(photo.width), random.below(photo.height), 1, 1};
    box.width = 1 + random.below(photo.width - box.x), box.height = 1 + random.below(photo.height - box.y);
    const CropFrame frame = make_frame(photo, box, options());
    const CropPoint first = frame.to_crop({box.x, box.y});
    const CropPoint last = frame.to_crop({box.x + box.width - 1, box.y + box.height - 1});
    ASSERT_GT(first.x, 0) << round;
    ASSERT_GT(first.y, 0);
    ASSERT_LT(last.x, 256);
    ASSERT_LT(last.y, 256);
    // Stretched, one side of the box takes 1 / (1 + 2 x margin) of the crop, unless the box is tiny.
    const double across = static_cast<double>(box.width) * static_cast<double>(frame.scaled.width) /
                          static_cast<double>(photo.width);
    const double down = static_cast<double>(box.height) * static_cast<double>(frame.scaled.height) /
                        static_cast<double>(photo.height);
    if (std::max(box.width, box.height) >= 24 && std::min(photo.width, photo.height) > 24) {
      ASSERT_NEAR(std::max(across, down), 257 / 1.36, 3) << round;
    }
  }
}

TEST(PromptInput, CropAndPhotoCoordinatesAreInverse) {
  Random random(8);
  for (int round = 0; round < 300; ++round) {
    const Size photo{1 + random.below(100'000'000), 1 + random.below(3)};  // one row of 100 megapixels too
    const Box box{random.below(photo.width), 0, 1, 1};
    const CropFrame frame = make_frame(photo, box, options());
    const CropPoint at = frame.to_crop({box.x, 0});
    ASSERT_NEAR(frame.to_photo_x(at.x), static_cast<double>(box.x), 1e-5);
    ASSERT_NEAR(frame.to_photo_y(at.y), 0, 1e-6);
    const Box covered = frame.covered();
    ASSERT_TRUE(covered.x <= box.x && box.x < covered.x + covered.width) << photo.width << " " << box.x;
    ASSERT_TRUE(covered.x >= 0 && covered.x + covered.width <= photo.width);
    ASSERT_TRUE(covered.height >= 1 && covered.height <= photo.height);
  }
}

TEST(PromptInput, LongBoxesAreStretchedOnlySoFar) {
  const CropFrame frame = make_frame({1000, 1000}, {450, 100, 20, 800}, options());
  const double across = static_cast<double>(frame.scaled.width),
               down = static_cast<double>(frame.scaled.height);
  EXPECT_NEAR(across / down, 2, 0.02);
}

TEST(PromptInput, PointsAreBellsThatKeepTheLargerValue) {
  std::vector<float> values(33 * 33, 0.0F);
  const PlaneView plane{values.data(), 33, 1};
  draw_points({{10, 12}, {12, 12}, {-500, 3}, {34, 16}}, 2, plane);
  EXPECT_FLOAT_EQ(plane.at(10, 12), 1);
  EXPECT_FLOAT_EQ(plane.at(12, 12), 1);
  EXPECT_NEAR(plane.at(10, 14), std::exp(-0.5), 1e-6);
  EXPECT_NEAR(plane.at(11, 12), std::exp(-0.125), 1e-6);
  EXPECT_NEAR(plane.at(32, 16), std::exp(-0.5), 1e-6);  // of the one outside
  EXPECT_EQ(plane.at(25, 25), 0);
  fill_plane(plane, 0.5F);
  EXPECT_EQ(plane.at(32, 32), 0.5F);
}

TEST(PromptInput, InterleavedAndPlanarInputHoldTheSame) {
  imaging::Image crop({5, 5});
  Random random(1);
  for (std::uint8_t& value : crop.bytes()) value = static_cast<std::uint8_t>(random.below(256));
  std::vector<float> planar(75), woven(175, 9.0F);
  write_colors(crop, {planar.data(), 5, 1}, 25);
  write_colors(crop, {woven.data(), 5, 7}, 1);
  for (int i = 0; i < 25; ++i) {
    for (int c = 0; c < 3; ++c) {
      ASSERT_EQ(planar[static_cast<std::size_t>(c * 25 + i)], woven[static_cast<std::size_t>(i * 7 + c)]);
      ASSERT_NEAR(planar[static_cast<std::size_t>(c * 25 + i)],
                  (crop.bytes()[static_cast<std::size_t>(3 * i + c)] / 255.0 - 0.5) / 0.5, 1e-6);
    }
    ASSERT_EQ(woven[static_cast<std::size_t>(i * 7 + 3)], 9.0F);
  }
}

// What training writes (a crop that is its own photo, woven) and what use does (planar): bit for bit.
TEST(PromptInput, TheWholeInputIsTheSameEitherWay) {
  constexpr std::int64_t kSide = 33, kArea = kSide * kSide;
  Random random(2);
  imaging::Image crop({kSide, kSide});
  for (std::uint8_t& value : crop.bytes()) value = static_cast<std::uint8_t>(random.below(256));
  imaging::Mask mask({kSide, kSide});
  for (std::uint8_t& label : mask.bytes()) label = static_cast<std::uint8_t>(random.below(2));
  const CropFrame frame{{kSide, kSide}, {kSide, kSide}, {0, 0, kSide, kSide}};
  CropPrompt prompt{{{3, 4}, {20, 9.5}}, {{16, 16}}, {{30, 2}, {-500, 1}}, &mask, frame.region};
  for (const bool with_previous : {true, false}) {
    if (!with_previous) prompt.previous = nullptr;
    // Whatever was there before.
    std::vector<float> planar(kPromptChannels * kArea, 7.0F), woven(kPromptChannels * kArea, -7.0F);
    write_input(crop, frame, prompt, 4, {planar.data(), kSide, 1, kArea});
    write_input(crop, frame, prompt, 4, {woven.data(), kSide, kPromptChannels, 1});
    std::vector<float> bells(kArea);
    const auto of = [&](PromptChannel channel, std::int64_t i) {
      const auto at = static_cast<std::size_t>(static_cast<int>(channel) * kArea + i);
      EXPECT_EQ(planar[at], woven[static_cast<std::size_t>(i * kPromptChannels + static_cast<int>(channel))]);
      return planar[at];
    };
    for (std::int64_t i = 0; i < kArea; ++i) {
      for (int c = 0; c < 3; ++c) {
        ASSERT_NEAR(of(static_cast<PromptChannel>(c), i),
                    (crop.bytes()[static_cast<std::size_t>(3 * i + c)] / 255.0 - 0.5) / 0.5, 1e-6);
      }
      // A mask of the crop's own pixels is in the plane as it is.
      const bool object = with_previous && mask.bytes()[static_cast<std::size_t>(i)] == 1;
      ASSERT_EQ(of(PromptChannel::kPrevious, i), object ? 1.0F : 0.0F);
    }
    for (const auto& [channel, points] : {std::pair(PromptChannel::kExtreme, prompt.extremes),
                                          std::pair(PromptChannel::kPositive, prompt.positive),
                                          std::pair(PromptChannel::kNegative, prompt.negative)}) {
      std::fill(bells.begin(), bells.end(), 0.0F);
      draw_points(points, 4, {bells.data(), kSide, 1});
      for (std::int64_t i = 0; i < kArea; ++i) ASSERT_EQ(of(channel, i), bells[static_cast<std::size_t>(i)]);
    }
  }
}

TEST(PromptInput, ThePreviousMaskLandsWhereItLies) {
  // A mask in the photo's corner, its box partly outside.
  const Size photo{200, 100};
  const CropFrame frame = make_frame(photo, {0, 0, 60, 60}, options(65));
  imaging::Mask mask({40, 50}, 1);
  const Box box{-10, -10, 40, 50};
  std::vector<float> values(65 * 65, 7.0F);
  const PlaneView plane{values.data(), 65, 1};
  write_previous(frame, mask, box, plane);
  for (std::int64_t y = 0; y < 65; ++y) {
    for (std::int64_t x = 0; x < 65; ++x) {
      const double px = frame.to_photo_x(static_cast<double>(x)),
                   py = frame.to_photo_y(static_cast<double>(y));
      const bool inside =
          px > -9 && px < 28 && py > -9 && py<38, outside = px> 31 || py > 41 || px < -12 || py < -12;
      if (inside) {
        ASSERT_EQ(plane.at(x, y), 1) << x << "," << y;
      }
      if (outside) {
        ASSERT_EQ(plane.at(x, y), 0) << x << "," << y;
      }
    }
  }
}

}  // namespace
}  // namespace terrapin::networks
