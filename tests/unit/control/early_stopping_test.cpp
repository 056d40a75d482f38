#include "control/tuning/early_stopping.h"

#include <gtest/gtest.h>

namespace terrapin::control::tuning {
namespace {

TEST(MedianRule, StopsWhatIsBelowTheMedianOfTheRunningMeans) {
  // Means up to the second epoch: 0.3, 0.5, 0.7.
  const std::vector<Curve> earlier{{0.2, 0.4, 0.9}, {0.4, 0.6, 0.9}, {0.6, 0.8, 0.9}};
  EXPECT_TRUE(worse_than_median({0.9, 0.49}, earlier));
  EXPECT_FALSE(worse_than_median({0.1, 0.5}, earlier));
  EXPECT_FALSE(worse_than_median({0.1, 0.6}, earlier));
}

TEST(MedianRule, AnEvenNumberHasItsMedianInTheMiddle) {
  const std::vector<Curve> earlier{{0.1, 0.1}, {0.2, 0.2}, {0.4, 0.4}, {0.9, 0.9}};
  EXPECT_TRUE(worse_than_median({0, 0.29}, earlier));
  EXPECT_FALSE(worse_than_median({0, 0.31}, earlier));
}

TEST(MedianRule, TooLittleDecidesNothing) {
  const std::vector<Curve> three{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
  EXPECT_FALSE(worse_than_median({}, three));
  EXPECT_FALSE(worse_than_median({0}, three));
  EXPECT_TRUE(worse_than_median({0, 0}, three));
  EXPECT_FALSE(worse_than_median({0, 0}, std::span(three).first(2)));
  EXPECT_FALSE(worse_than_median({0, 0, 0, 0}, three)) << "none of them is as long";
}

}  // namespace
}  // namespace terrapin::control::tuning
