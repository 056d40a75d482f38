#include "metrics/simulated_annotator.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace terrapin::metrics {
namespace {

using imaging::Mask;
using imaging::Pixel;

Mask rectangle(imaging::Size size, imaging::Box box) {
  Mask mask(size);
  for (std::int64_t y = box.y; y < box.y + box.height; ++y) {
    for (std::int64_t x = box.x; x < box.x + box.width; ++x) mask.set(x, y, 1);
  }
  return mask;
}

TEST(SimulatedAnnotator, ExtremesAreTheMiddlesOfTheOutermostRows) {
  const auto points = extreme_points(rectangle({30, 20}, {4, 5, 11, 7}));
  ASSERT_TRUE(points);
  EXPECT_EQ((*points)[0], (Pixel{9, 5}));   // top
  EXPECT_EQ((*points)[1], (Pixel{4, 8}));   // left
  EXPECT_EQ((*points)[2], (Pixel{9, 11}));  // bottom
  EXPECT_EQ((*points)[3], (Pixel{14, 8}));  // right
  EXPECT_FALSE(extreme_points(Mask({3, 3})));
}

TEST(SimulatedAnnotator, SloppyClicksStayNearTheOutlineAndInThePhoto) {
  Random random(2);
  const Mask object = rectangle({40, 40}, {0, 3, 20, 37});
  bool moved = false;
  for (int i = 0; i < 200; ++i) {
    const auto points = clicked_extremes(object, {2, 3}, random);
    ASSERT_TRUE(points);
    for (const Pixel& p : *points) ASSERT_TRUE(p.x >= 0 && p.y >= 0 && p.x < 40 && p.y < 40);
    ASSERT_LE(std::abs((*points)[0].y - 3), 5);
    ASSERT_LE(std::abs((*points)[3].x - 19), 5);
    moved = moved || (*points)[0].y != 3;
  }
  EXPECT_TRUE(moved);
  Random again(2), same(2);
  EXPECT_EQ(clicked_extremes(object, {2, 3}, again), clicked_extremes(object, {2, 3}, same));
}

TEST(SimulatedAnnotator, ClicksTheMiddleOfTheLargestMistake) {
  const Mask truth = rectangle({40, 20}, {0, 0, 20, 20});
  Mask answer = rectangle({40, 20}, {0, 0, 9, 20});  // lacks 11 columns
  for (int y = 2; y < 7; ++y) {
    for (int x = 30; x < 35; ++x) answer.set(x, y, 1);  // and has 25 pixels too many
  }
  const auto click = next_click(truth, answer);
  ASSERT_TRUE(click);
  EXPECT_TRUE(click->positive);
  EXPECT_EQ(click->error_area, 220);
  EXPECT_EQ(click->at.x, 14);
  EXPECT_FALSE(next_click(truth, truth));
  EXPECT_FALSE(next_click(truth, answer, 221));

  Mask filled = truth;
  for (int y = 2; y < 7; ++y) {
    for (int x = 30; x < 35; ++x) filled.set(x, y, 1);
  }
  const auto excess = next_click(truth, filled);
  ASSERT_TRUE(excess);
  EXPECT_FALSE(excess->positive);
  EXPECT_EQ(excess->at, (Pixel{32, 4}));
}

TEST(SimulatedAnnotator, WhatNobodyKnowsIsNeverWrong) {
  Mask truth = rectangle({10, 10}, {0, 0, 5, 10});
  for (int y = 0; y < 10; ++y) truth.set(5, y, Mask::kIgnore), truth.set(6, y, Mask::kIgnore);
  const Mask answer = rectangle({10, 10}, {0, 0, 7, 10});
  EXPECT_FALSE(next_click(truth, answer));
  EXPECT_EQ(overlap_of(truth, answer).iou(), 1.0);
}

TEST(SimulatedAnnotator, RandomClicksLieDeepInTheMistake) {
  const Mask truth = rectangle({30, 30}, {5, 5, 20, 20});
  Random random(9);
  for (int i = 0; i < 50; ++i) {
    const auto click = next_click(truth, Mask({30, 30}), 1, &random);
    ASSERT_TRUE(click);
    ASSERT_TRUE(click->at.x >= 8 && click->at.x < 22 && click->at.y >= 8 && click->at.y < 22);
  }
}

TEST(SimulatedAnnotator, OverlapCounts) {
  const Overlap overlap = overlap_of(rectangle({10, 10}, {0, 0, 4, 10}), rectangle({10, 10}, {2, 0, 4, 10}));
  EXPECT_EQ(overlap.both, 20);
  EXPECT_EQ(overlap.either, 60);
  EXPECT_EQ(overlap_of(Mask({2, 2}), Mask({2, 2})).iou(), 1.0);
}

}  // namespace
}  // namespace terrapin::metrics
