// Whether a training that goes on is worth going on: AWS's median rule.
#pragma once

#include <span>
#include <vector>

namespace terrapin::control::tuning {

// An objective's values, epoch by epoch; larger is better.
using Curve = std::vector<double>;

// Fewer earlier trainings, or epochs of this one, decide nothing.
inline constexpr std::size_t kCurvesBeforeStopping = 3, kEpochsBeforeStopping = 2;

// True if the last value of `running` is below the median, over the `earlier` curves that are as long, of
// their means up to the same epoch.
bool worse_than_median(const Curve& running, std::span<const Curve> earlier);

}  // namespace terrapin::control::tuning
