#include "control/tuning/early_stopping.h"

#include <algorithm>
#include <numeric>

namespace terrapin::control::tuning {

bool worse_than_median(const Curve& running, std::span<const Curve> earlier) {
  const std::size_t epochs = running.size();
  if (epochs < kEpochsBeforeStopping) return false;
  std::vector<double> means;
  for (const Curve& curve : earlier) {
    if (curve.size() < epochs) continue;
    const auto end = curve.begin() + static_cast<std::ptrdiff_t>(epochs);
    means.push_back(std::accumulate(curve.begin(), end, 0.0) / static_cast<double>(epochs));
  }
  if (means.size() < kCurvesBeforeStopping) return false;
  std::sort(means.begin(), means.end());
  const std::size_t middle = means.size() / 2;
  const double median = means.size() % 2 == 1 ? means[middle] : (means[middle - 1] + means[middle]) / 2;
  return running.back() < median;
}

}  // namespace terrapin::control::tuning
