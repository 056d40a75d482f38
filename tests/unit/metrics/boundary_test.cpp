#include "metrics/boundary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/random.h"

namespace terrapin::metrics {
namespace {

using imaging::Mask;

struct NaiveImageScore {
  bool occurs = false;
  double f1 = 0;
};

// The definition, every pair of boundary pixels compared.
NaiveImageScore naive_score(const Mask& truth, const Mask& prediction, int label, double fraction) {
  const std::int64_t w = truth.width(), h = truth.height();
  const auto read = [&](const Mask& mask, std::int64_t x, std::int64_t y) {
    return truth.at(x, y) == 255 ? 255 : int{mask.at(x, y)};
  };
  const auto boundary = [&](const Mask& mask) {
    std::vector<std::pair<std::int64_t, std::int64_t>> points;
    for (std::int64_t y = 0; y < h; ++y) {
      for (std::int64_t x = 0; x < w; ++x) {
        if (read(mask, x, y) != label) continue;
        bool edge = false;
        for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
          const std::int64_t u = x + dx, v = y + dy;
          if (u < 0 || v < 0 || u >= w || v >= h) continue;
          const int other = read(mask, u, v);
          edge |= other != label && other != 255;
        }
        if (edge) points.push_back({x, y});
      }
    }
    return points;
  };
  const auto a = boundary(truth), b = boundary(prediction);
  if (a.empty() && b.empty()) return {};
  const double radius = std::max(1.0, fraction * std::sqrt(static_cast<double>(w * w + h * h)));
  const auto matched = [&](const auto& from, const auto& to) {
    double count = 0;
    for (const auto& [x, y] : from) {
      count += std::any_of(to.begin(), to.end(), [&, x = x, y = y](const auto& p) {
        const auto dx = static_cast<double>(p.first - x), dy = static_cast<double>(p.second - y);
        return dx * dx + dy * dy <= radius * radius;
      });
    }
    return from.empty() ? 0.0 : count / static_cast<double>(from.size());
  };
  const double precision = matched(b, a), recall = matched(a, b);
  return {true, precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0};
}

TEST(Boundary, AgreesWithTheNaiveTwin) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const imaging::Size size{1 + random.below(28), 1 + random.below(28)};
    const int classes = 2 + static_cast<int>(random.below(3));
    const double fraction = random.uniform(0, 0.25);
    BoundaryScore score(classes, fraction);
    Mask truth(size), prediction(size);
    for (Mask* mask : {&truth, &prediction}) {
      for (int box = 0; box < 5; ++box) {
        const std::int64_t x0 = random.below(size.width), y0 = random.below(size.height);
        const auto label =
            static_cast<std::uint8_t>(mask == &truth && random.below(6) == 0 ? 255 : random.below(classes));
        for (std::int64_t y = y0; y < std::min(size.height, y0 + 1 + random.below(9)); ++y) {
          for (std::int64_t x = x0; x < std::min(size.width, x0 + 9); ++x) mask->set(x, y, label);
        }
      }
    }
    score.add(truth, prediction);
    for (int c = 0; c < classes; ++c) {
      const NaiveImageScore expected = naive_score(truth, prediction, c, fraction);
      ASSERT_EQ(score.f1(c).has_value(), expected.occurs) << "round " << round << " class " << c;
      if (expected.occurs) {
        ASSERT_NEAR(*score.f1(c), expected.f1, 1e-12) << "round " << round;
      }
    }
  }
}

Mask square(std::int64_t at, std::int64_t side) {
  Mask mask({100, 100});
  for (std::int64_t y = at; y < at + side; ++y) {
    for (std::int64_t x = at; x < at + side; ++x) mask.set(x, y, 1);
  }
  return mask;
}

TEST(Boundary, PerfectNearAndFar) {
  BoundaryScore same(2), near(2), far(2);
  same.add(square(20, 30), square(20, 30));
  near.add(square(20, 30), square(21, 28));
  far.add(square(10, 10), square(60, 10));
  EXPECT_DOUBLE_EQ(*same.f1(1), 1.0);
  EXPECT_DOUBLE_EQ(same.mean_f1(), 1.0);
  EXPECT_GT(*near.f1(1), 0.95) << "one pixel of 141 * 0.0075 = 1.06";
  EXPECT_DOUBLE_EQ(*far.f1(1), 0.0);
}

TEST(Boundary, IsTheMeanOverImagesWhereTheClassOccurs) {
  BoundaryScore score(3);
  score.add(square(20, 30), square(20, 30));
  score.add(square(20, 30), Mask({100, 100}));  // missed: 0 for class 1, and class 0 has no boundary to match
  score.add(Mask({100, 100}), Mask({100, 100}));
  EXPECT_DOUBLE_EQ(*score.f1(1), 0.5);
  EXPECT_FALSE(score.f1(2));
  EXPECT_DOUBLE_EQ(score.mean_f1(), 0.5);
  EXPECT_EQ(BoundaryScore(2).mean_f1(), 0.0);
}

TEST(Boundary, IgnoredPixelsMakeNoBoundary) {
  Mask truth({20, 20});
  for (std::int64_t y = 0; y < 20; ++y) {
    for (std::int64_t x = 10; x < 20; ++x) truth.set(x, y, 255);
  }
  Mask prediction({20, 20});
  for (std::int64_t y = 0; y < 20; ++y) {
    for (std::int64_t x = 10; x < 20; ++x) prediction.set(x, y, 1);
  }
  BoundaryScore score(2);
  score.add(truth, prediction);
  EXPECT_FALSE(score.f1(0));
  EXPECT_FALSE(score.f1(1));
}

TEST(Boundary, RefusesWhatCannotBe) {
  EXPECT_THROW(BoundaryScore(0), std::invalid_argument);
  EXPECT_THROW(BoundaryScore(2, -0.1), std::invalid_argument);
  BoundaryScore score(2);
  EXPECT_THROW(score.add(Mask({2, 2}), Mask({2, 3})), std::invalid_argument);
  EXPECT_THROW(score.f1(2), std::invalid_argument);
}

}  // namespace
}  // namespace terrapin::metrics
