// One integer confusion matrix; every score derives from it. Counts are 64-bit.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "imaging/image.h"

namespace terrapin::metrics {

class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int class_count);
  int class_count() const { return classes_; }
  // Adds every pixel whose truth is below class_count (255 and other values outside are ignored). Predictions
  // must be below class_count: a prediction outside throws std::invalid_argument naming the value. Sizes must
  // agree.
  void add(const imaging::Mask& truth, const imaging::Mask& prediction);
  void add_counts(int truth, int prediction, std::int64_t count);
  void merge(const ConfusionMatrix& other);
  std::int64_t count(int truth, int prediction) const;
  std::int64_t total() const;

  // TP / (TP + FP + FN); nullopt for a class in neither truth nor prediction.
  std::optional<double> iou(int class_index) const;
  std::optional<double> precision(int class_index) const;
  std::optional<double> recall(int class_index) const;
  double mean_iou() const;        // over classes present in truth or prediction; 0 if none
  double pixel_accuracy() const;  // 0 if no pixel was counted
  double frequency_weighted_iou() const;

 private:
  int classes_;
  std::vector<std::int64_t> counts_;  // [truth][prediction]
};

}  // namespace terrapin::metrics
