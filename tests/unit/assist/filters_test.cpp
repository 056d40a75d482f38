// The guided filter and the photo's pyramid against slow twins.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>

#include "assist/guided_filter.h"
#include "assist/open_photo.h"
#include "base/random.h"
#include "imaging/resize.h"

namespace terrapin::assist {
namespace {

using imaging::Image;
using imaging::Size;

Image random_photo(Random& random, Size size) {
  Image photo(size);
  for (std::uint8_t& value : photo.bytes()) value = static_cast<std::uint8_t>(random.below(256));
  return photo;
}

// Means, covariances and the 3 x 3 system of one window, solved by Cramer's rule in double.
std::array<double, 4> naive_model(const Image& guide, const std::vector<float>& soft, std::int64_t cx,
                                  std::int64_t cy, std::int64_t radius, double epsilon) {
  double n = 0, p = 0, mean[3] = {}, cross[3] = {}, square[3][3] = {};
  for (std::int64_t y = std::max<std::int64_t>(0, cy - radius);
       y <= std::min(guide.height() - 1, cy + radius); ++y) {
    for (std::int64_t x = std::max<std::int64_t>(0, cx - radius);
         x <= std::min(guide.width() - 1, cx + radius); ++x) {
      const imaging::Rgb rgb = guide.at(x, y);
      const double color[3] = {rgb.red / 255.0, rgb.green / 255.0, rgb.blue / 255.0};
      const double value = soft[static_cast<std::size_t>(y * guide.width() + x)];
      n += 1, p += value;
      for (int i = 0; i < 3; ++i) {
        mean[i] += color[i], cross[i] += color[i] * value;
        for (int j = 0; j < 3; ++j) square[i][j] += color[i] * color[j];
      }
    }
  }
  p /= n;
  double a[3][3], b[3];
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j)
      a[i][j] = square[i][j] / n - mean[i] / n * mean[j] / n + (i == j ? epsilon : 0);
    b[i] = cross[i] / n - mean[i] / n * p;
  }
  const auto determinant = [](const double m[3][3]) {
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
           m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
  };
  std::array<double, 4> model{0, 0, 0, p};
  for (int k = 0; k < 3; ++k) {
    double replaced[3][3];
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) replaced[i][j] = j == k ? b[i] : a[i][j];
    }
    model[static_cast<std::size_t>(k)] = determinant(replaced) / determinant(a);
    model[3] -= model[static_cast<std::size_t>(k)] * mean[k] / n;
  }
  return model;
}

TEST(GuidedFilter, AgreesWithOneWindowAtATime) {
  Random random(2);
  for (int round = 0; round < 12; ++round) {
    const Size size{1 + random.below(14), 1 + random.below(11)};
    const std::int64_t radius = 1 + random.below(4);
    const Image guide = random_photo(random, size);
    std::vector<float> soft(static_cast<std::size_t>(size.area()));
    for (float& value : soft) value = static_cast<float>(random.uniform());
    const LinearModels models = guided_models(guide, soft, radius, 0.01F, 2);
    for (std::int64_t y = 0; y < size.height; ++y) {
      for (std::int64_t x = 0; x < size.width; ++x) {
        std::array<double, 4> mean{};
        double n = 0;
        for (std::int64_t j = std::max<std::int64_t>(0, y - radius);
             j <= std::min(size.height - 1, y + radius); ++j) {
          for (std::int64_t i = std::max<std::int64_t>(0, x - radius);
               i <= std::min(size.width - 1, x + radius); ++i) {
            const auto model = naive_model(guide, soft, i, j, radius, 0.01);
            for (std::size_t k = 0; k < 4; ++k) mean[k] += model[k];
            n += 1;
          }
        }
        const imaging::Rgb c = guide.at(x, y);
        const double expected =
            (mean[0] * c.red + mean[1] * c.green + mean[2] * c.blue) / 255 / n + mean[3] / n;
        const double actual = models.at(y * size.width + x, static_cast<float>(c.red) / 255,
                                        static_cast<float>(c.green) / 255, static_cast<float>(c.blue) / 255);
        ASSERT_NEAR(actual, expected, 2e-3) << size.width << " x " << size.height << ", radius " << radius;
      }
    }
  }
}

TEST(GuidedFilter, DoesNotDependOnThreads) {
  Random random(3);
  const Image guide = random_photo(random, {70, 300});
  std::vector<float> soft(70 * 300);
  for (float& value : soft) value = static_cast<float>(random.uniform());
  const LinearModels one = guided_models(guide, soft, 3, 1e-3F, 1),
                     four = guided_models(guide, soft, 3, 1e-3F, 4);
  EXPECT_EQ(one.red, four.red);
  EXPECT_EQ(one.offset, four.offset);
}

TEST(GuidedFilter, BoxMeanOfWindowsLargerThanTheRaster) {
  const std::vector<float> values{1, 2, 3, 6};
  for (const float mean : box_mean(values, {2, 2}, 9)) EXPECT_FLOAT_EQ(mean, 3);
}

TEST(OpenPhoto, CropsAsResizeDoes) {
  Random random(6);
  for (int round = 0; round < 40; ++round) {
    const Size size{1 + random.below(400), 1 + random.below(300)};
    const Image photo = random_photo(random, size);
    imaging::Box box{random.below(size.width), random.below(size.height), 1, 1};
    box.width = 1 + random.below(size.width - box.x), box.height = 1 + random.below(size.height - box.y);
    networks::FrameOptions options;
    options.side = 129;
    const networks::CropFrame frame = networks::make_frame(size, box, options);
    const Image expected = imaging::resize_region(photo, frame.scaled, frame.region, {128, 128, 128});
    const Image crop = OpenPhoto::open(photo, 2)->crop(frame, 2);
    int worst = 0;
    for (std::size_t i = 0; i < crop.bytes().size(); ++i) {
      worst = std::max(worst, std::abs(int{crop.bytes()[i]} - int{expected.bytes()[i]}));
    }
    ASSERT_LE(worst, 1) << size.width << " x " << size.height;
  }
}

TEST(OpenPhoto, SmallerLevelsStayInPlace) {
  // A ramp tells where a sample was taken: odd sizes must not shift it.
  for (const Size size : {Size{4001, 3}, Size{2999, 17}, Size{1531, 1}}) {
    Image photo(size);
    for (std::int64_t y = 0; y < size.height; ++y) {
      for (std::int64_t x = 0; x < size.width; ++x) {
        photo.set(x, y, {static_cast<std::uint8_t>(255 * x / (size.width - 1)), 0, 0});
      }
    }
    const auto opened = OpenPhoto::open(photo, 1);
    const double step = static_cast<double>(size.width) / 50;
    const Image sampled = opened->sample({step / 2 - 0.5, step, 50}, {0, 1, 1}, {}, 1);
    const Image coarse = opened->sample({step / 2 - 0.5, step, 50}, {0, step, 1}, {}, 1);
    for (std::int64_t i = 1; i < 49; ++i) {
      const double at = step / 2 - 0.5 + static_cast<double>(i) * step;
      EXPECT_NEAR(sampled.at(i, 0).red, 255 * at / static_cast<double>(size.width - 1), 1.5);
      EXPECT_NEAR(coarse.at(i, 0).red, 255 * at / static_cast<double>(size.width - 1), 1.5);
    }
  }
}

TEST(OpenPhoto, ItsMemoryIsKnownBefore) {
  for (const Size size : {Size{1, 1}, {512, 512}, {513, 512}, {2001, 777}, {1, 5000}, {4000, 3}}) {
    EXPECT_EQ(OpenPhoto::open(Image(size), 1)->memory_bytes(), OpenPhoto::bytes_for(size)) << size.width;
  }
  EXPECT_LE(OpenPhoto::bytes_for({4000, 3000}), 4 * 4000 * 3000);
  EXPECT_GT(OpenPhoto::bytes_for({100'000, 100'000}), std::int64_t{39'990'000'000});
}

TEST(OpenPhoto, TakesATinyPhotoAndRefusesNone) {
  EXPECT_FALSE(OpenPhoto::open(Image(), 1));
  const auto opened = OpenPhoto::open(Image({1, 1}, {9, 8, 7}), 3);
  ASSERT_TRUE(opened);
  const Image crop = opened->crop(networks::make_frame({1, 1}, {0, 0, 1, 1}, {}), 2);
  EXPECT_EQ(crop.at(128, 128), (imaging::Rgb{9, 8, 7}));
  EXPECT_EQ(crop.at(0, 0), (imaging::Rgb{128, 128, 128}));
}

}  // namespace
}  // namespace terrapin::assist
