#include "dataset/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"

namespace terrapin::dataset {
namespace {

std::vector<SplitItem> singles(int count) {
  std::vector<SplitItem> items;
  for (int i = 0; i < count; ++i) items.push_back({"photo" + std::to_string(i), "photo" + std::to_string(i)});
  return items;
}

std::int64_t count_of(const std::vector<Split>& splits, Split which) {
  return std::count(splits.begin(), splits.end(), which);
}

TEST(DrawSplit, CountsAreExactForEverySize) {
  for (int count = 9; count < 120; ++count) {
    const auto splits = draw_split(singles(count), {0.7, 0.15, 11});
    ASSERT_TRUE(splits.has_value()) << splits.error().message;
    EXPECT_EQ(count_of(*splits, Split::kTrain), std::llround(0.7 * count));
    EXPECT_EQ(count_of(*splits, Split::kTest), std::llround(0.15 * count));
  }
}

TEST(DrawSplit, SeedDecidesAndOrderDoesNot) {
  std::vector<SplitItem> items = singles(50);
  const auto first = *draw_split(items, {0.8, 0.1, 5});
  EXPECT_EQ(first, *draw_split(items, {0.8, 0.1, 5}));
  EXPECT_NE(first, *draw_split(items, {0.8, 0.1, 6}));
  std::map<std::string, Split> by_key;
  for (std::size_t i = 0; i < items.size(); ++i) by_key[items[i].key] = first[i];
  Random random(3);
  shuffle(items, random);
  const auto again = *draw_split(items, {0.8, 0.1, 5});
  for (std::size_t i = 0; i < items.size(); ++i) EXPECT_EQ(again[i], by_key[items[i].key]);
}

// The nearest count that any choice of whole groups reaches, by trying all of them.
std::int64_t nearest_reachable_gap(const std::vector<int>& sizes, std::int64_t target) {
  std::int64_t best = target;
  for (unsigned chosen = 0; chosen < 1U << sizes.size(); ++chosen) {
    std::int64_t sum = 0;
    for (std::size_t g = 0; g < sizes.size(); ++g) sum += (chosen >> g & 1U) != 0 ? sizes[g] : 0;
    best = std::min(best, std::abs(sum - target));
  }
  return best;
}

TEST(DrawSplit, GroupsStayTogetherAndComeAsNearAsAnyChoiceCould) {
  Random random(17);
  for (int round = 0; round < 200; ++round) {
    std::vector<int> sizes;
    std::vector<SplitItem> items;
    const auto groups = 3 + random.below(7);
    for (std::int64_t g = 0; g < groups; ++g) {
      sizes.push_back(1 + static_cast<int>(random.below(9)));
      for (int i = 0; i < sizes.back(); ++i)
        items.push_back({std::to_string(items.size()), "group" + std::to_string(g)});
    }
    const auto target = std::llround(0.6 * static_cast<double>(items.size()));
    const auto splits = draw_split(items, {0.6, 0, static_cast<std::uint64_t>(round)});
    if (!splits) continue;  // one split would be empty: its own test
    std::map<std::string, std::set<Split>> seen;
    for (std::size_t i = 0; i < items.size(); ++i) seen[items[i].group].insert((*splits)[i]);
    for (const auto& [group, where] : seen) EXPECT_EQ(where.size(), 1U) << group;
    EXPECT_EQ(std::abs(count_of(*splits, Split::kTrain) - target), nearest_reachable_gap(sizes, target))
        << "round " << round;
  }
}

TEST(DrawSplit, RefusesAnEmptyValidation) {
  const auto splits = draw_split(singles(2), {0.8, 0, 0});
  ASSERT_FALSE(splits.has_value());
  EXPECT_EQ(splits.error().message,
            "validation would be empty: 2 usable photos in 2 groups, train fraction 0.8, test fraction 0; "
            "add photos or "
            "change the fractions");
  EXPECT_TRUE(draw_split(singles(2), {1.0, 0, 0}).has_value());
}

}  // namespace
}  // namespace terrapin::dataset
