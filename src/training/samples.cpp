#include "training/samples.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <optional>
#include <set>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "imaging/resize.h"

namespace terrapin::training {
namespace {

using Shared = std::shared_ptr<const artifacts::LabeledPhoto>;

Status check_labels(const artifacts::Sample& sample, const imaging::Mask& mask, int num_classes) {
  std::array<std::int64_t, 256> pixels{};
  for (const std::uint8_t label : mask.bytes()) ++pixels[label];
  std::string values;
  int shown = 0;
  for (int label = num_classes; label < imaging::Mask::kIgnore; ++label) {
    const std::int64_t count = pixels[static_cast<std::size_t>(label)];
    if (count == 0) continue;
    if (shown++ == 5) {
      values += ", ...";
      break;
    }
    values += fmt::format("{}{} ({} pixels)", values.empty() ? "" : ", ", label, count);
  }
  if (values.empty()) return {};
  return fail(ErrorCode::kInvalidArgument,
              "{}: pixel value {} is not a class: num_classes is {}, allowed are 0..{} and 255 (ignore)",
              sample.mask.string(), values, num_classes, num_classes - 1);
}

class DiskPhotos : public LabeledPhotos {
 public:
  DiskPhotos(artifacts::SampleIndex index, int num_classes, std::int64_t max_long_side)
      : index_(std::move(index)), num_classes_(num_classes), max_long_side_(max_long_side) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(index_.samples.size()); }
  const std::string& name(std::int64_t index) const override { return sample(index).name; }

  Result<Shared> get(std::int64_t index) const override {
    TERRAPIN_TRY(artifacts::LabeledPhoto read, artifacts::read_sample(sample(index), index_.label_map));
    TERRAPIN_TRY_STATUS(check_labels(sample(index), read.mask, num_classes_));
    const imaging::Size size = read.photo.size();
    const std::int64_t long_side = std::max(size.width, size.height);
    if (max_long_side_ > 0 && long_side > max_long_side_) {
      const auto reduced = [&](std::int64_t side) {
        return std::max<std::int64_t>(1, (side * max_long_side_ + long_side / 2) / long_side);
      };
      const imaging::Size target{reduced(size.width), reduced(size.height)};
      read.photo = imaging::resize(read.photo, target);
      read.mask = imaging::resize_nearest(read.mask, target);
    }
    return std::make_shared<const artifacts::LabeledPhoto>(std::move(read));
  }

 private:
  const artifacts::Sample& sample(std::int64_t index) const {
    return index_.samples[static_cast<std::size_t>(index)];
  }
  artifacts::SampleIndex index_;
  int num_classes_;
  std::int64_t max_long_side_;
};

class CachedPhotos : public LabeledPhotos {
 public:
  CachedPhotos(std::shared_ptr<const LabeledPhotos> source, std::int64_t budget_bytes)
      : source_(std::move(source)),
        budget_bytes_(budget_bytes),
        kept_(static_cast<std::size_t>(source_->size())) {}

  std::int64_t size() const override { return source_->size(); }
  const std::string& name(std::int64_t index) const override { return source_->name(index); }

  Result<Shared> get(std::int64_t index) const override {
    const auto slot = static_cast<std::size_t>(index);
    {
      const std::lock_guard lock(mutex_);
      if (kept_[slot]) return kept_[slot];
    }
    TERRAPIN_TRY(Shared read, source_->get(index));
    const auto bytes = static_cast<std::int64_t>(read->photo.bytes().size() + read->mask.bytes().size());
    const std::lock_guard lock(mutex_);
    if (!kept_[slot] && held_bytes_ + bytes <= budget_bytes_) {
      kept_[slot] = read;
      held_bytes_ += bytes;
    }
    return read;
  }

 private:
  std::shared_ptr<const LabeledPhotos> source_;
  std::int64_t budget_bytes_;
  mutable std::mutex mutex_;
  mutable std::vector<Shared> kept_;     // guarded by mutex_
  mutable std::int64_t held_bytes_ = 0;  // guarded by mutex_
};

std::optional<std::int64_t> read_number(const char* path) {
  std::ifstream file(path);
  std::int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // missing, or "max"
}

}  // namespace

MaskSummary summarize_mask(const imaging::Mask& mask, std::uint64_t seed) {
  MaskSummary summary;
  std::array<std::vector<std::int64_t>, 256> chosen;
  const auto& labels = mask.bytes();
  for (const std::uint8_t label : labels) ++summary.pixels[label];

  // Which occurrences of each class are kept is drawn first; a second pass finds them.
  std::array<std::vector<std::int64_t>, 256> ranks;
  std::vector<int> present;
  for (int label = 1; label < imaging::Mask::kIgnore; ++label) {
    const std::int64_t count = summary.pixels[static_cast<std::size_t>(label)];
    if (count == 0) continue;
    present.push_back(label);
    Random random = random_for(seed, 0, static_cast<std::uint64_t>(label));
    std::set<std::int64_t> distinct;
    const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(count, kPointsPerClass));
    while (distinct.size() < wanted)
      distinct.insert(count <= kPointsPerClass ? static_cast<std::int64_t>(distinct.size())
                                               : random.below(count));
    ranks[static_cast<std::size_t>(label)].assign(distinct.begin(), distinct.end());
  }
  if (present.empty()) return summary;

  std::array<std::int64_t, 256> seen{};
  std::array<std::size_t, 256> next{};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::uint8_t label = labels[i];
    if (label == 0 || label == imaging::Mask::kIgnore) continue;
    const auto& wanted = ranks[label];
    if (next[label] < wanted.size() && wanted[next[label]] == seen[label]) {
      chosen[label].push_back(static_cast<std::int64_t>(i));
      ++next[label];
    }
    ++seen[label];
  }
  for (const int label : present) {
    ClassPoints entry;
    entry.label = static_cast<std::uint8_t>(label);
    for (const std::int64_t offset : chosen[static_cast<std::size_t>(label)]) {
      const std::int64_t x = offset % mask.width(), y = offset / mask.width();
      entry.points.push_back({static_cast<std::uint16_t>((2 * x + 1) * 32768 / mask.width()),
                              static_cast<std::uint16_t>((2 * y + 1) * 32768 / mask.height())});
    }
    summary.foreground.push_back(std::move(entry));
  }
  return summary;
}

std::shared_ptr<const LabeledPhotos> read_photos(const artifacts::SampleIndex& index, int num_classes,
                                                 std::int64_t max_long_side) {
  return std::make_shared<DiskPhotos>(index, num_classes, max_long_side);
}

std::shared_ptr<const LabeledPhotos> cached_photos(std::shared_ptr<const LabeledPhotos> source,
                                                   std::int64_t budget_bytes) {
  return std::make_shared<CachedPhotos>(std::move(source), budget_bytes);
}

std::int64_t default_cache_bytes() {
  std::int64_t available = std::int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
  std::ifstream memory("/proc/meminfo");
  for (std::string key, unit; memory >> key;) {
    std::int64_t value = 0;
    memory >> value;
    std::getline(memory, unit);
    if (key == "MemAvailable:") {
      available = value * 1024;
      break;
    }
  }
  const auto limit = read_number("/sys/fs/cgroup/memory.max");
  const auto used = read_number("/sys/fs/cgroup/memory.current");
  if (limit && used) available = std::min(available, std::max<std::int64_t>(0, *limit - *used));
  return available / 4;
}

Result<DataSummary> check_samples(const LabeledPhotos& train, const LabeledPhotos& validation, int threads,
                                  const std::function<void(std::int64_t, std::int64_t)>& progress) {
  if (train.size() == 0)
    return fail(ErrorCode::kInvalidArgument,
                "the training set is empty: it needs at least one labelled photo");
  if (validation.size() == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "the validation set is empty: it needs at least one labelled photo");
  }
  DataSummary result;
  result.foreground.resize(static_cast<std::size_t>(train.size()));
  const std::int64_t total = train.size() + validation.size();
  std::vector<std::optional<Error>> errors(static_cast<std::size_t>(total));
  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t done = 0;  // guarded by mutex, as is what follows of result

  const auto check = [&](std::int64_t i) {
    const bool in_train = i < train.size();
    const std::int64_t index = in_train ? i : i - train.size();
    MaskSummary summary;
    if (!interrupted()) {
      const auto read = (in_train ? train : validation).get(index);
      if (read) {
        summary = summarize_mask((*read)->mask, static_cast<std::uint64_t>(index));
      } else {
        errors[static_cast<std::size_t>(i)] = read.error();
      }
    }
    const std::lock_guard lock(mutex);
    auto& pixels = in_train ? result.train_pixels : result.validation_pixels;
    for (std::size_t label = 0; label < pixels.size(); ++label) pixels[label] += summary.pixels[label];
    if (in_train) result.foreground[static_cast<std::size_t>(index)] = std::move(summary.foreground);
    ++done;
    changed.notify_one();
  };
  // The caller stays free to report progress.
  auto work = std::async(std::launch::async, [&] { parallel_for(total, threads, check); });
  while (work.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    std::int64_t seen = 0;
    {
      std::unique_lock lock(mutex);
      changed.wait_for(lock, std::chrono::milliseconds(50));
      seen = done;
    }
    if (progress) progress(seen, total);
  }
  work.get();
  if (progress) progress(total, total);
  if (interrupted()) return fail(ErrorCode::kCancelled, "stopped while checking the data");

  std::string message;
  std::int64_t count = 0;
  ErrorCode code = ErrorCode::kInvalidArgument;
  for (const auto& error : errors) {
    if (!error) continue;
    if (count == 0) code = error->code;
    if (++count <= 5) message += (message.empty() ? "" : "\n") + error->message;
  }
  if (count > 5) message += fmt::format("\nand {} more samples with errors", count - 5);
  if (count > 0) return tl::unexpected<Error>(Error{code, message});
  return result;
}

std::vector<double> sqrt_inverse_frequency(std::span<const std::int64_t> pixels) {
  std::int64_t total = 0, present = 0;
  for (const std::int64_t count : pixels) total += count, present += count > 0 ? 1 : 0;
  std::vector<double> weights(pixels.size(), 1.0);
  for (std::size_t c = 0; c < pixels.size(); ++c) {
    if (pixels[c] == 0) continue;
    const double mean = static_cast<double>(total) / static_cast<double>(present);
    weights[c] = std::clamp(std::sqrt(mean / static_cast<double>(pixels[c])), 0.1, 10.0);
  }
  return weights;
}

}  // namespace terrapin::training
