// Parameters to tune, made in a line.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "control/tuning/search_space.h"

namespace terrapin::control::tuning::test {

inline ParameterRange number(const std::string& name, double low, double high,
                             Scaling scaling = Scaling::kLinear) {
  return {name, ParameterRange::Kind::kContinuous, low, high, scaling, {}};
}
inline ParameterRange whole(const std::string& name, double low, double high,
                            Scaling scaling = Scaling::kLinear) {
  return {name, ParameterRange::Kind::kWhole, low, high, scaling, {}};
}
inline ParameterRange choice(const std::string& name, std::vector<std::string> values) {
  return {name, ParameterRange::Kind::kCategorical, 0, 0, Scaling::kAuto, std::move(values)};
}
// Of ranges that are fine.
inline SearchSpace space_of(std::vector<ParameterRange> ranges) {
  auto space = SearchSpace::make(std::move(ranges));
  EXPECT_TRUE(space) << space.error().message;
  return *space;
}

}  // namespace terrapin::control::tuning::test
