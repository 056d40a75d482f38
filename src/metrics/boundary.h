// Boundary F1 (Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013).
#pragma once

#include <optional>
#include <vector>

#include "imaging/image.h"

namespace terrapin::metrics {

// Sums over images of matched and total boundary pixels per class.
class BoundaryScore {
 public:
  // `tolerance_fraction` of the image diagonal is the matching distance (the paper: 0.0075), at least 1
  // pixel.
  explicit BoundaryScore(int class_count, double tolerance_fraction = 0.0075);
  // Adds one image: per class with boundary in truth or prediction its F1 for this image. 255 in truth is
  // ignored.
  void add(const imaging::Mask& truth, const imaging::Mask& prediction);
  std::optional<double> f1(int class_index) const;  // mean over images where the class occurs
  double mean_f1() const;                           // mean over classes that occur

 private:
  int classes_;
  double tolerance_fraction_;
  std::vector<double> sums_;
  std::vector<std::int64_t> images_;
};

}  // namespace terrapin::metrics
