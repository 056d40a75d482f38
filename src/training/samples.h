// The labelled photos of a training: checked once, kept decoded as far as memory allows.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "artifacts/channels.h"
#include "base/result.h"
#include "training/augment.h"

namespace terrapin::training {

// What one mask holds.
struct MaskSummary {
  std::array<std::int64_t, 256> pixels{};  // by label
  std::vector<ClassPoints>
      foreground;  // classes 1..254 present, ascending, up to kPointsPerClass pixels each
};
constexpr int kPointsPerClass = 48;

// `seed` chooses which pixels stand for a class.
MaskSummary summarize_mask(const imaging::Mask& mask, std::uint64_t seed);

// size() samples with get(), from any thread.
class LabeledPhotos {
 public:
  virtual ~LabeledPhotos() = default;
  virtual std::int64_t size() const = 0;
  // The photo and its mask, of one size. Errors name the file.
  virtual Result<std::shared_ptr<const artifacts::LabeledPhoto>> get(std::int64_t index) const = 0;
  virtual const std::string& name(std::int64_t index) const = 0;
};

// Reads from disk on every call. A label that is neither below num_classes nor 255 is kInvalidArgument naming
// file, values and what is allowed. With `max_long_side` > 0 a larger photo is reduced to that long side
// right after decoding (mask nearest): no training scale asks for more, and memory and resize time stay
// bounded.
std::shared_ptr<const LabeledPhotos> read_photos(const artifacts::SampleIndex& index, int num_classes,
                                                 std::int64_t max_long_side = 0);

// Keeps what `source` returned until `budget_bytes` are held; the rest is asked for again each time. Nothing
// is dropped: every epoch visits every photo, so the first ones are as good as any.
std::shared_ptr<const LabeledPhotos> cached_photos(std::shared_ptr<const LabeledPhotos> source,
                                                   std::int64_t budget_bytes);

// A quarter of the memory that this machine (or its control group) has available now.
std::int64_t default_cache_bytes();

// Everything known about the training masks after the check.
struct DataSummary {
  std::vector<std::vector<ClassPoints>> foreground;  // by training sample
  std::array<std::int64_t, 256> train_pixels{}, validation_pixels{};
};

// Gets every sample of both sets from `threads` threads (which also fills a cache). Errors: an empty set; up
// to five samples' errors, one a line, and the count of the others; kCancelled on interruption.
// `progress(done, total)` is called from the calling thread; may be empty.
Result<DataSummary> check_samples(const LabeledPhotos& train, const LabeledPhotos& validation, int threads,
                                  const std::function<void(std::int64_t, std::int64_t)>& progress);

// Weight per class: sqrt(mean pixels per present class / pixels), limited to [0.1, 10]; absent classes 1.
std::vector<double> sqrt_inverse_frequency(std::span<const std::int64_t> pixels);

}  // namespace terrapin::training
