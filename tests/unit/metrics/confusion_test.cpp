#include "metrics/confusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

#include "base/random.h"

namespace terrapin::metrics {
namespace {

using imaging::Mask;

// Runs of equal labels, as masks have, with noise between.
Mask random_mask(Random& random, imaging::Size size, int classes, bool with_ignored) {
  Mask mask(size);
  std::size_t i = 0;
  while (i < mask.bytes().size()) {
    const bool ignored = with_ignored && random.below(5) == 0;
    const auto label = static_cast<std::uint8_t>(ignored ? 255 - random.below(3) : random.below(classes));
    for (std::int64_t run = 1 + random.below(random.below(2) == 0 ? 2 : 40); run > 0; --run) {
      if (i < mask.bytes().size()) mask.bytes()[i++] = label;
    }
  }
  return mask;
}

TEST(Confusion, AgreesWithTheNaiveTwin) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const int classes = 1 + static_cast<int>(random.below(30));
    const imaging::Size size{1 + random.below(50), 1 + random.below(50)};
    ConfusionMatrix matrix(classes);
    std::map<std::pair<int, int>, std::int64_t> naive;
    for (int image = 0; image < 2; ++image) {
      const Mask truth = random_mask(random, size, classes, true);
      const Mask prediction = random_mask(random, size, classes, false);
      matrix.add(truth, prediction);
      for (std::int64_t y = 0; y < size.height; ++y) {
        for (std::int64_t x = 0; x < size.width; ++x) {
          if (truth.at(x, y) < classes) ++naive[{truth.at(x, y), prediction.at(x, y)}];
        }
      }
    }
    std::int64_t total = 0;
    for (int t = 0; t < classes; ++t) {
      std::int64_t row = 0, column = 0;
      for (int p = 0; p < classes; ++p) {
        ASSERT_EQ(matrix.count(t, p), (naive[{t, p}]));
        row += naive[{t, p}], column += naive[{p, t}];
      }
      total += row;
      const std::int64_t all = row + column - naive[{t, t}];
      ASSERT_EQ(matrix.iou(t).has_value(), all > 0);
      if (all > 0) {
        ASSERT_DOUBLE_EQ(*matrix.iou(t), static_cast<double>(naive[{t, t}]) / static_cast<double>(all));
      }
    }
    ASSERT_EQ(matrix.total(), total);
  }
}

TEST(Confusion, ScoresOfAKnownMatrix) {
  ConfusionMatrix matrix(3);
  matrix.add_counts(0, 0, 50);
  matrix.add_counts(0, 1, 10);
  matrix.add_counts(1, 0, 5);
  matrix.add_counts(1, 1, 35);
  EXPECT_DOUBLE_EQ(*matrix.iou(0), 50.0 / 65);
  EXPECT_DOUBLE_EQ(*matrix.iou(1), 35.0 / 50);
  EXPECT_FALSE(matrix.iou(2)) << "a class in neither truth nor prediction has no score";
  EXPECT_DOUBLE_EQ(matrix.mean_iou(), (50.0 / 65 + 0.7) / 2);
  EXPECT_DOUBLE_EQ(matrix.pixel_accuracy(), 0.85);
  EXPECT_DOUBLE_EQ(matrix.frequency_weighted_iou(), 0.6 * 50 / 65 + 0.4 * 0.7);
  EXPECT_DOUBLE_EQ(*matrix.precision(1), 35.0 / 45);
  EXPECT_DOUBLE_EQ(*matrix.recall(1), 35.0 / 40);
  EXPECT_FALSE(matrix.precision(2));
  matrix.add_counts(0, 2, 1);
  EXPECT_DOUBLE_EQ(*matrix.iou(2), 0.0) << "predicted but never true";
  EXPECT_FALSE(matrix.recall(2));
}

TEST(Confusion, CountsStayExactBeyondFloats) {
  ConfusionMatrix matrix(2);
  const std::int64_t many = std::int64_t{1} << 54;
  matrix.add_counts(1, 1, many);
  matrix.add_counts(1, 1, 1);
  EXPECT_EQ(matrix.count(1, 1), many + 1);
}

TEST(Confusion, NothingCountedScoresZero) {
  const ConfusionMatrix matrix(2);
  EXPECT_EQ(matrix.mean_iou(), 0.0);
  EXPECT_EQ(matrix.pixel_accuracy(), 0.0);
  EXPECT_EQ(matrix.frequency_weighted_iou(), 0.0);
}

TEST(Confusion, WrongPredictionsAreRefusedAndChangeNothing) {
  ConfusionMatrix matrix(3);
  Mask truth({9, 1}), prediction({9, 1});
  prediction.bytes()[8] = 3;
  try {
    matrix.add(truth, prediction);
    FAIL() << "label 3 of 3 classes was accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("label 3"));
  }
  EXPECT_EQ(matrix.total(), 0);
  EXPECT_THROW(matrix.add(truth, Mask({8, 1})), std::invalid_argument);
  EXPECT_THROW(ConfusionMatrix(0), std::invalid_argument);
  EXPECT_THROW(ConfusionMatrix(257), std::invalid_argument);
  EXPECT_THROW(matrix.add_counts(0, 3, 1), std::invalid_argument);
  EXPECT_THROW(matrix.merge(ConfusionMatrix(2)), std::invalid_argument);
}

TEST(Confusion, TwoHundredFiftySixClassesCountLabel255) {
  ConfusionMatrix matrix(256);
  matrix.add(Mask({4, 4}, 255), Mask({4, 4}, 254));
  EXPECT_EQ(matrix.count(255, 254), 16);
}

TEST(Confusion, MergeIsTheSumOfParts) {
  Random random(2);
  const Mask truth = random_mask(random, {31, 17}, 4, true),
             prediction = random_mask(random, {31, 17}, 4, false);
  ConfusionMatrix once(4), twice(4);
  once.add(truth, prediction);
  twice.add(truth, prediction);
  twice.add(truth, prediction);
  once.merge(once);
  for (int t = 0; t < 4; ++t) {
    for (int p = 0; p < 4; ++p) EXPECT_EQ(once.count(t, p), twice.count(t, p));
  }
}

}  // namespace
}  // namespace terrapin::metrics
