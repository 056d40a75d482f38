#include "networks/input.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace terrapin::networks {
namespace {

TEST(Input, NormalisesEveryChannel) {
  imaging::Image image({2, 1});
  image.set(0, 0, {0, 128, 255});
  image.set(1, 0, {10, 20, 30});
  artifacts::Preprocessing preprocessing;
  preprocessing.mean = {0.1, 0.2, 0.3};
  preprocessing.std = {0.5, 0.25, 2};
  const torch::Tensor tensor = image_to_tensor(image, preprocessing);
  ASSERT_EQ(tensor.sizes(), (std::vector<std::int64_t>{1, 3, 1, 2}));
  EXPECT_NEAR(tensor[0][0][0][0].item<double>(), (0 - 0.1) / 0.5, 1e-6);
  EXPECT_NEAR(tensor[0][1][0][0].item<double>(), (128 / 255.0 - 0.2) / 0.25, 1e-6);
  EXPECT_NEAR(tensor[0][2][0][0].item<double>(), (1 - 0.3) / 2, 1e-6);
  EXPECT_NEAR(tensor[0][2][0][1].item<double>(), (30 / 255.0 - 0.3) / 2, 1e-6);
}

TEST(Input, TakesTheSizeRuleOfThePreprocessing) {
  artifacts::Preprocessing preprocessing;
  preprocessing.long_side = 65;
  preprocessing.size_multiple = 16;
  preprocessing.size_offset = 1;
  const imaging::Image photo({200, 100}, {255, 255, 255});
  const torch::Tensor tensor = photo_to_input(photo, preprocessing);
  const imaging::Size expected = artifacts::network_input_size(preprocessing, photo.size());
  EXPECT_EQ(tensor.size(3), expected.width);
  EXPECT_EQ(tensor.size(2), expected.height);
  EXPECT_EQ(expected.width, 65);
  EXPECT_NEAR(tensor.min().item<double>(), 1, 1e-6);
}

// The naive twin: the whole enlarged tensor by libtorch, then argmax.
TEST(Mask, AgreesWithInterpolationThenArgmax) {
  torch::manual_seed(1);
  Random random(5);
  for (int round = 0; round < 30; ++round) {
    const auto side = [&](int most) { return 1 + random.below(most); };
    const int classes = static_cast<int>(2 + random.below(6));
    const torch::Tensor logits = torch::randn({1, classes, side(12), side(12)});
    const imaging::Size photo{side(40), side(40)};
    const torch::Tensor big = torch::upsample_bilinear2d(logits, {photo.height, photo.width}, false);
    const imaging::Mask mask = logits_to_mask(logits, photo);
    ASSERT_EQ(mask.size(), photo);
    for (std::int64_t y = 0; y < photo.height; ++y) {
      for (std::int64_t x = 0; x < photo.width; ++x) {
        ASSERT_LT(mask.at(x, y), classes);
        const torch::Tensor column = big[0].select(1, y).select(1, x);
        // Rounding may decide between values that are equal to the sixth digit.
        EXPECT_GE(column[mask.at(x, y)].item<float>(), column.max().item<float>() - 1e-5F);
      }
    }
  }
}

TEST(Mask, TheLowestIndexWinsATie) {
  const imaging::Mask mask = logits_to_mask(torch::zeros({1, 4, 3, 3}), {7, 5});
  for (const std::uint8_t label : mask.bytes()) EXPECT_EQ(label, 0);
  torch::Tensor logits = torch::zeros({1, 3, 1, 1});
  logits[0][1] = 1;
  logits[0][2] = 1;
  EXPECT_EQ(logits_to_mask(logits, {1, 1}).at(0, 0), 1);
}

}  // namespace
}  // namespace terrapin::networks
