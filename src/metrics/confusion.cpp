#include "metrics/confusion.h"

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>

namespace terrapin::metrics {
namespace {

constexpr std::size_t kLabels = 256;

// All eight bytes equal.
bool uniform(std::uint64_t word) {
  return word == (word & 0xFFU) * 0x0101010101010101ULL;
}

std::uint64_t load8(const std::uint8_t* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(int class_count) : classes_(class_count) {
  if (class_count < 1 || class_count > 256) {
    throw std::invalid_argument(
        fmt::format("confusion matrix of {} classes: 1 to 256 are allowed", class_count));
  }
  counts_.assign(static_cast<std::size_t>(classes_) * static_cast<std::size_t>(classes_), 0);
}

void ConfusionMatrix::add(const imaging::Mask& truth, const imaging::Mask& prediction) {
  if (truth.size() != prediction.size()) {
    throw std::invalid_argument(fmt::format("truth is {} x {} pixels, prediction {} x {}: they must agree",
                                            truth.width(), truth.height(), prediction.width(),
                                            prediction.height()));
  }
  const auto classes = static_cast<std::size_t>(classes_);
  // One row a truth class and one for all that is ignored; a column for every byte, checked afterwards.
  // Rows come twice, used in turn: counting equal neighbours does not wait for the previous store.
  const std::size_t table = (classes + 1) * kLabels;
  std::vector<std::int64_t> counts(2 * table, 0);
  std::size_t row_of[kLabels];
  for (std::size_t label = 0; label < kLabels; ++label) {
    row_of[label] = (label < classes ? label : classes) * kLabels;
  }
  std::int64_t* even = counts.data();
  std::int64_t* odd = even + table;
  const std::uint8_t* t = truth.bytes().data();
  const std::uint8_t* p = prediction.bytes().data();
  const std::size_t pixels = truth.bytes().size();
  std::size_t i = 0;
  for (; i + 8 <= pixels; i += 8) {
    if (uniform(load8(t + i)) && uniform(load8(p + i))) {  // most of a mask is the inside of something
      even[row_of[t[i]] + p[i]] += 8;
      continue;
    }
    for (std::size_t j = i; j < i + 8; j += 2) {
      ++even[row_of[t[j]] + p[j]];
      ++odd[row_of[t[j + 1]] + p[j + 1]];
    }
  }
  for (; i < pixels; ++i) ++even[row_of[t[i]] + p[i]];
  for (std::size_t k = 0; k < table; ++k) {
    if (k % kLabels >= classes && even[k] + odd[k] != 0) {
      throw std::invalid_argument(
          fmt::format("prediction holds label {}: below {} is allowed", k % kLabels, classes_));
    }
  }
  for (std::size_t a = 0; a < classes; ++a) {
    for (std::size_t b = 0; b < classes; ++b) {
      counts_[a * classes + b] += even[a * kLabels + b] + odd[a * kLabels + b];
    }
  }
}

void ConfusionMatrix::add_counts(int truth, int prediction, std::int64_t count) {
  if (truth < 0 || truth >= classes_ || prediction < 0 || prediction >= classes_ || count < 0) {
    throw std::invalid_argument(
        fmt::format("count {} at truth {}, prediction {}: {} classes", count, truth, prediction, classes_));
  }
  counts_[static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes_) +
          static_cast<std::size_t>(prediction)] += count;
}

void ConfusionMatrix::merge(const ConfusionMatrix& other) {
  if (other.classes_ != classes_) {
    throw std::invalid_argument(
        fmt::format("confusion matrices of {} and {} classes cannot be merged", classes_, other.classes_));
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

std::int64_t ConfusionMatrix::count(int truth, int prediction) const {
  if (truth < 0 || truth >= classes_ || prediction < 0 || prediction >= classes_) {
    throw std::invalid_argument(
        fmt::format("truth {}, prediction {}: {} classes", truth, prediction, classes_));
  }
  return counts_[static_cast<std::size_t>(truth) * static_cast<std::size_t>(classes_) +
                 static_cast<std::size_t>(prediction)];
}

std::int64_t ConfusionMatrix::total() const {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts_) sum += count;
  return sum;
}

namespace {

struct Sums {
  std::int64_t hits = 0, truth = 0, prediction = 0;  // diagonal, row and column of one class
};

Sums sums_of(const ConfusionMatrix& matrix, int class_index) {
  Sums sums;
  sums.hits = matrix.count(class_index, class_index);
  for (int other = 0; other < matrix.class_count(); ++other) {
    sums.truth += matrix.count(class_index, other);
    sums.prediction += matrix.count(other, class_index);
  }
  return sums;
}

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::optional<double> ConfusionMatrix::iou(int class_index) const {
  const Sums sums = sums_of(*this, class_index);
  return ratio(sums.hits, sums.truth + sums.prediction - sums.hits);
}

std::optional<double> ConfusionMatrix::precision(int class_index) const {
  const Sums sums = sums_of(*this, class_index);
  return ratio(sums.hits, sums.prediction);
}

std::optional<double> ConfusionMatrix::recall(int class_index) const {
  const Sums sums = sums_of(*this, class_index);
  return ratio(sums.hits, sums.truth);
}

double ConfusionMatrix::mean_iou() const {
  double sum = 0;
  int present = 0;
  for (int c = 0; c < classes_; ++c) {
    if (const auto value = iou(c)) sum += *value, ++present;
  }
  return present == 0 ? 0.0 : sum / present;
}

double ConfusionMatrix::pixel_accuracy() const {
  std::int64_t hits = 0;
  for (int c = 0; c < classes_; ++c) hits += count(c, c);
  return ratio(hits, total()).value_or(0.0);
}

double ConfusionMatrix::frequency_weighted_iou() const {
  const std::int64_t all = total();
  if (all == 0) return 0.0;
  double sum = 0;
  for (int c = 0; c < classes_; ++c) {
    const Sums sums = sums_of(*this, c);
    sum += static_cast<double>(sums.truth) / static_cast<double>(all) * iou(c).value_or(0.0);
  }
  return sum;
}

}  // namespace terrapin::metrics
