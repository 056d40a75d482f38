// A predictor whose answer can be read off the photo: class = red / 64. It writes down what it was asked.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "inference/predictor.h"

namespace terrapin::testing {

class FakePredictor : public inference::Predictor {
 public:
  static constexpr int kClasses = 4;

  FakePredictor() {
    spec_.classes = artifacts::ClassList::with_default_names(kClasses);
    spec_.network.num_classes = kClasses;
    spec_.preprocessing.long_side = 0;  // input size = photo size
  }

  // Called with the number of photos before each calculation; set before the first request.
  std::function<void(std::size_t)> before;

  const artifacts::ModelSpec& spec() const override { return spec_; }
  std::string backend() const override { return "fake"; }

  Result<inference::Prediction> predict(const imaging::Image& photo, bool with_probabilities) override {
    return std::move(predict_batch({&photo}, with_probabilities).front());
  }

  std::vector<Result<inference::Prediction>> predict_batch(const std::vector<const imaging::Image*>& photos,
                                                           bool with_probabilities) override {
    {
      const std::lock_guard lock(mutex_);
      batches_.push_back({});
      for (const auto* photo : photos) batches_.back().push_back(photo->size());
    }
    if (before) before(photos.size());
    std::vector<Result<inference::Prediction>> answers;
    for (const auto* photo : photos) answers.push_back(answer(*photo, with_probabilities));
    return answers;
  }

  // Sizes of the photos of every call so far.
  std::vector<std::vector<imaging::Size>> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }

  static std::uint8_t class_of(imaging::Rgb color) { return static_cast<std::uint8_t>(color.red / 64); }

 private:
  static inference::Prediction answer(const imaging::Image& photo, bool with_probabilities) {
    inference::Prediction result;
    result.mask = imaging::Mask(photo.size());
    const std::int64_t area = photo.size().area();
    inference::Probabilities probabilities{kClasses, photo.size(), {}};
    probabilities.values.assign(static_cast<std::size_t>(area * kClasses), 0.125F);
    for (std::int64_t y = 0; y < photo.height(); ++y) {
      for (std::int64_t x = 0; x < photo.width(); ++x) {
        const std::uint8_t label = class_of(photo.at(x, y));
        result.mask.set(x, y, label);
        probabilities.values[static_cast<std::size_t>(label * area + y * photo.width() + x)] = 0.625F;
      }
    }
    if (with_probabilities) result.probabilities = std::move(probabilities);
    return result;
  }

  artifacts::ModelSpec spec_;
  mutable std::mutex mutex_;
  std::vector<std::vector<imaging::Size>> batches_;  // guarded by mutex_
};

// Every class appears; content differs by seed.
inline imaging::Image test_photo(std::int64_t width, std::int64_t height, unsigned seed = 1) {
  imaging::Image photo({width, height});
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      seed = seed * 1664525U + 1013904223U;
      photo.set(x, y,
                {static_cast<std::uint8_t>(seed >> 24), static_cast<std::uint8_t>(x),
                 static_cast<std::uint8_t>(y)});
    }
  }
  return photo;
}

}  // namespace terrapin::testing
