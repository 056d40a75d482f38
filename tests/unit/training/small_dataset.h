// A few small photos with masks on disk, made by the tests themselves.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "artifacts/channels.h"
#include "base/files.h"
#include "base/random.h"
#include "imaging/codecs.h"
#include "training/recipe.h"

namespace terrapin::training {

// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "terrapin-training-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Noisy grey-green ground with one reddish rectangle, label 1; a border of ignored pixels around it.
inline artifacts::LabeledPhoto square_photo(std::uint64_t seed, imaging::Size size) {
  Random random(seed);
  artifacts::LabeledPhoto result{imaging::Image(size), imaging::Mask(size)};
  const std::int64_t w = size.width / 4 + random.below(size.width / 4),
                     h = size.height / 4 + random.below(size.height / 4);
  const std::int64_t left = 1 + random.below(size.width - w - 2), top = 1 + random.below(size.height - h - 2);
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      const bool inside = x >= left && x < left + w && y >= top && y < top + h;
      const bool edge = !inside && x >= left - 1 && x <= left + w && y >= top - 1 && y <= top + h;
      const auto noise = static_cast<std::uint8_t>(random.below(40));
      const auto at = [&](int base) { return static_cast<std::uint8_t>(base + noise); };
      result.photo.set(
          x, y, inside ? imaging::Rgb{at(190), at(60), at(50)} : imaging::Rgb{at(90), at(120), at(80)});
      result.mask.set(x, y, inside ? std::uint8_t{1} : edge ? imaging::Mask::kIgnore : std::uint8_t{0});
    }
  }
  return result;
}

// The paths that write_squares fills.
inline artifacts::SampleIndex named_squares(const std::filesystem::path& folder, const std::string& channel,
                                            int count) {
  artifacts::SampleIndex index;
  for (int i = 0; i < count; ++i) {
    artifacts::Sample sample;
    sample.name = channel + std::to_string(i);
    sample.photo = folder / channel / (sample.name + ".png");
    sample.mask = folder / (channel + "_annotation") / (sample.name + ".png");
    index.samples.push_back(std::move(sample));
  }
  return index;
}

inline artifacts::SampleIndex write_squares(const std::filesystem::path& folder, const std::string& channel,
                                            int count, std::uint64_t seed) {
  artifacts::SampleIndex index = named_squares(folder, channel, count);
  for (int i = 0; i < count; ++i) {
    const imaging::Size size{40 + 4 * (i % 3), 36 + 6 * (i % 2)};
    const artifacts::LabeledPhoto made = square_photo(seed + static_cast<std::uint64_t>(i), size);
    const artifacts::Sample& sample = index.samples[static_cast<std::size_t>(i)];
    const auto photo = imaging::encode_png(made.photo);
    const auto mask = imaging::encode_indexed_png(made.mask, imaging::default_palette(2));
    EXPECT_TRUE(photo && mask);
    EXPECT_TRUE(write_file_atomically(sample.photo, *photo).has_value());
    EXPECT_TRUE(write_file_atomically(sample.mask, *mask).has_value());
  }
  return index;
}

inline TrainingData write_small_dataset(const std::filesystem::path& folder, int train_count = 6,
                                        int validation_count = 2) {
  TrainingData data;
  data.train = write_squares(folder, "train", train_count, 100);
  data.validation = write_squares(folder, "validation", validation_count, 900);
  data.classes = artifacts::ClassList::with_default_names(2);
  return data;
}

// The same without writing it again.
inline TrainingData small_dataset_at(const std::filesystem::path& folder, int train_count = 6,
                                     int validation_count = 2) {
  return {named_squares(folder, "train", train_count), named_squares(folder, "validation", validation_count),
          artifacts::ClassList::with_default_names(2)};
}

// Everything on, everything small, no weights needed.
inline TrainingOptions small_options() {
  TrainingOptions options = terrapin_recipe({});
  options.weights = WeightSource::kNone;
  options.base_size = 48;
  options.crop_size = 32;
  options.batch_size = 4;
  options.epochs = 2;
  options.threads = 2;
  options.device = DeviceChoice::kCpu;
  options.seed = 5;
  return options;
}

}  // namespace terrapin::training
