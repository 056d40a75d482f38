#include "base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace terrapin {
namespace {

using ::testing::ElementsAre;

TEST(Random, GivesThePublishedSequence) {
  // The first round of the pcg32 demo program (seed 42, sequence 54).
  Random random(42, 54);
  std::vector<std::uint32_t> values;
  for (int i = 0; i < 6; ++i) values.push_back(random.next_u32());
  EXPECT_THAT(values, ElementsAre(0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e));
}

TEST(Random, UniformStaysInItsRangeAndFillsIt) {
  Random random(1);
  double sum = 0, low = 1, high = 0;
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    const double value = random.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value, low = std::min(low, value), high = std::max(high, value);
  }
  EXPECT_NEAR(sum / kCount, 0.5, 0.01);
  EXPECT_LT(low, 0.001);
  EXPECT_GT(high, 0.999);
  for (int i = 0; i < 100; ++i) {
    const double value = random.uniform(-3, 5);
    EXPECT_TRUE(value >= -3 && value < 5);
  }
}

TEST(Random, BelowIsUnbiased) {
  Random random(2);
  std::vector<int> counts(7);
  constexpr int kCount = 70'000;
  for (int i = 0; i < kCount; ++i) ++counts[static_cast<std::size_t>(random.below(7))];
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - 10'000, 2) / 10'000;
  EXPECT_LT(chi_square, 22.5) << "6 degrees of freedom, p = 0.001";
  EXPECT_EQ(random.below(1), 0);
  // 2/3 of 2^63: a plain remainder would fall into the lower half 2 times of 3.
  const std::int64_t bound = std::int64_t{1} << 62;
  int lower = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::int64_t value = random.below(bound + bound / 2);
    ASSERT_TRUE(value >= 0 && value < bound + bound / 2);
    lower += value < bound / 2 + bound / 4;
  }
  EXPECT_NEAR(lower / 4000.0, 0.5, 0.04);
}

TEST(Random, NormalHasMeanZeroAndVarianceOne) {
  Random random(3);
  double sum = 0, squares = 0;
  constexpr int kCount = 50'000;
  for (int i = 0; i < kCount; ++i) {
    const double value = random.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value, squares += value * value;
  }
  EXPECT_NEAR(sum / kCount, 0.0, 0.02);
  EXPECT_NEAR(squares / kCount, 1.0, 0.03);
}

TEST(Random, StreamsOfItemsDiffer) {
  std::set<std::uint64_t> firsts;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (std::uint64_t pass = 0; pass < 10; ++pass) {
      for (std::uint64_t index = 0; index < 100; ++index) {
        firsts.insert(random_for(seed, pass, index).next_u64());
      }
    }
  }
  EXPECT_EQ(firsts.size(), 10'000U);
  EXPECT_EQ(random_for(5, 6, 7).next_u64(), random_for(5, 6, 7).next_u64());
  // Neighbouring items are uncorrelated: half of the bits differ.
  int differing = 0;
  for (std::uint64_t index = 0; index < 1000; ++index) {
    differing +=
        __builtin_popcountll(random_for(1, 2, index).next_u64() ^ random_for(1, 2, index + 1).next_u64());
  }
  EXPECT_NEAR(differing / 64'000.0, 0.5, 0.01);
}

TEST(Random, ShuffleReachesEveryOrderEquallyOften) {
  Random random(4);
  std::vector<int> counts(6);
  for (int i = 0; i < 12'000; ++i) {
    std::vector<int> items = {0, 1, 2};
    shuffle(items, random);
    std::vector<int> order = {0, 1, 2};
    std::size_t rank = 0;
    while (order != items) std::next_permutation(order.begin(), order.end()), ++rank;
    ++counts[rank];
  }
  for (const int count : counts) EXPECT_NEAR(count, 2000, 200);
}

}  // namespace
}  // namespace terrapin
