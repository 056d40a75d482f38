#include "control/tuning/search_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "unit/control/ranges.h"

namespace terrapin::control::tuning {
namespace {

using test::choice;
using test::number;
using test::space_of;
using test::whole;
using testing::HasSubstr;

TEST(SearchSpace, ImpossibleRangesAreNamed) {
  const std::vector<std::pair<std::vector<ParameterRange>, const char*>> cases = {
      {{}, "nothing to tune"},
      {{number("a", 2, 1)}, "goes from 2 to 1"},
      {{number("a", 0, 1), choice("a", {"x"})}, "a has two ranges"},
      {{choice("a", {})}, "a has no values"},
      {{choice("a", {"x", "x"})}, "a names a value twice"},
      {{whole("a", 0.5, 3)}, "whole numbers"},
      {{whole("a", 0, 1e300)}, "whole numbers"},
      {{number("a", 0, 1, Scaling::kLogarithmic)}, "above 0"},
      {{number("a", 0, 1, Scaling::kReverseLogarithmic)}, "0 <= x < 1"},
      {{whole("a", 0, 0, Scaling::kReverseLogarithmic)}, "0 <= x < 1"},
      {{number("a", 0, INFINITY)}, "goes from 0 to inf"},
  };
  for (const auto& [ranges, words] : cases) {
    const auto space = SearchSpace::make(ranges);
    ASSERT_FALSE(space) << words;
    EXPECT_EQ(space.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(space.error().message, HasSubstr(words));
  }
}

TEST(SearchSpace, NumbersAreSpreadAsTheScalingSays) {
  const auto middle = [](const ParameterRange& range) {
    return std::stod(space_of({range}).at({0.5}).at(range.name));
  };
  EXPECT_NEAR(middle(number("a", 1, 3)), 2, 1e-12);
  EXPECT_NEAR(middle(number("a", 0.001, 0.1, Scaling::kLogarithmic)), 0.01, 1e-12);
  EXPECT_NEAR(middle(number("a", 0.9, 0.999, Scaling::kReverseLogarithmic)), 0.99, 1e-12);
  EXPECT_NEAR(middle(number("a", 0.001, 0.1, Scaling::kAuto)), 0.01, 1e-12);
  EXPECT_NEAR(middle(number("a", 1, 99, Scaling::kAuto)), 50, 1e-12);
}

TEST(SearchSpace, EndsAreWithinReachAndNeverPassed) {
  for (const Scaling scaling : {Scaling::kLinear, Scaling::kLogarithmic, Scaling::kReverseLogarithmic}) {
    const SearchSpace space = space_of({number("a", 1e-4, 0.1, scaling)});
    const double begin = std::stod(space.at({0.0}).at("a")), end = std::stod(space.at({1.0}).at("a"));
    EXPECT_NEAR(begin, 1e-4, 1e-15);
    EXPECT_NEAR(end, 0.1, 1e-15);
    EXPECT_GE(begin, 1e-4);
    EXPECT_LE(end, 0.1);
  }
}

TEST(SearchSpace, WholeNumbersAreEquallyLikely) {
  const SearchSpace space = space_of({whole("a", 1, 4)});
  std::map<std::string, int> counts;
  Random random(7);
  for (int i = 0; i < 8000; ++i) ++counts[space.draw(random).at("a")];
  ASSERT_EQ(counts.size(), 4u);
  for (const auto& [value, count] : counts) EXPECT_NEAR(count, 2000, 200) << value;
}

TEST(SearchSpace, AnAssignmentComesBackFromItsPlace) {
  const SearchSpace space =
      space_of({number("rate", 1e-5, 1, Scaling::kAuto), whole("batch", 1, 128, Scaling::kLogarithmic),
                choice("optimizer", {"sgd", "adam", "nag"}), number("momentum", 0.5, 0.999)});
  Random random(3);
  for (int i = 0; i < 500; ++i) {
    const Assignment drawn = space.draw(random);
    const auto unit = space.unit_of(drawn);
    ASSERT_TRUE(unit);
    const Assignment again = space.at(*unit);
    EXPECT_EQ(again.at("batch"), drawn.at("batch"));
    EXPECT_EQ(again.at("optimizer"), drawn.at("optimizer"));
    EXPECT_NEAR(std::stod(again.at("rate")) / std::stod(drawn.at("rate")), 1, 1e-9);
    const auto point = space.encode(drawn);
    ASSERT_TRUE(point);
    ASSERT_EQ(point->size(), 6u);
    EXPECT_EQ((*point)[2] + (*point)[3] + (*point)[4], 1);
  }
  EXPECT_EQ(space.parameter_of(), (std::vector<std::size_t>{0, 1, 2, 2, 2, 3}));
}

TEST(SearchSpace, WhatLiesOutsideIsNamed) {
  const SearchSpace space = space_of({number("rate", 0.1, 1), choice("optimizer", {"sgd"})});
  for (const Assignment& outside : std::vector<Assignment>{{{"optimizer", "sgd"}},
                                                           {{"rate", "2"}, {"optimizer", "sgd"}},
                                                           {{"rate", "0.5x"}, {"optimizer", "sgd"}},
                                                           {{"rate", "nan"}, {"optimizer", "sgd"}},
                                                           {{"rate", "0.5"}, {"optimizer", "adam"}}}) {
    EXPECT_FALSE(space.encode(outside));
  }
  EXPECT_THAT(space.encode({{"rate", "2"}, {"optimizer", "sgd"}}).error().message,
              HasSubstr("rate=2: must be a number from 0.1 to 1"));
}

TEST(SearchSpace, AFiniteSpaceIsCountedOut) {
  const SearchSpace space = space_of({choice("a", {"x", "y", "z"}), whole("b", -1, 2)});
  ASSERT_EQ(space.count(), 12);
  std::set<Assignment> all;
  for (std::int64_t i = 0; i < 12; ++i) all.insert(space.nth(i));
  EXPECT_EQ(all.size(), 12u);
  EXPECT_EQ(space.nth(0), (Assignment{{"a", "x"}, {"b", "-1"}}));
  EXPECT_EQ(space.nth(11), (Assignment{{"a", "z"}, {"b", "2"}}));
  EXPECT_FALSE(space_of({number("a", 0, 1)}).count());
  EXPECT_FALSE(space_of({whole("a", 0, 1e15)}).count());
}

}  // namespace
}  // namespace terrapin::control::tuning
