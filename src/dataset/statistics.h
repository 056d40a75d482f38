// Counts over the photos and masks of a set: what inspect prints.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "imaging/image.h"

namespace terrapin::dataset {

// Label -> pixels. 64-bit: a 100,000 x 100,000 raster counts right.
using LabelCounts = std::array<std::int64_t, 256>;
LabelCounts count_pixels(const imaging::Mask& mask);

class SetStatistics {
 public:
  void add(imaging::Size photo, const LabelCounts& counts);
  void merge(const SetStatistics& other);
  std::int64_t photos() const { return static_cast<std::int64_t>(widths_.size()); }
  std::int64_t pixels(int label) const { return pixels_[static_cast<std::size_t>(label)]; }
  std::int64_t photos_with(int label) const { return photos_with_[static_cast<std::size_t>(label)]; }
  std::int64_t empty_masks() const { return empty_; }  // nothing but class 0 and 255
  std::int64_t total_pixels() const;                   // 255 included
  // Share of the pixels that are not ignored, 0..1; 0 if there are none.
  double share(int label) const;
  struct Range {
    std::int64_t min = 0, median = 0, max = 0;  // median: the lower of the two middle values
  };
  Range widths() const;
  Range heights() const;

 private:
  std::vector<std::int32_t> widths_, heights_;
  LabelCounts pixels_{}, photos_with_{};
  std::int64_t empty_ = 0;
};

nlohmann::json to_json(const SetStatistics& statistics, const artifacts::ClassList& classes);
// A bar of `width` cells for a share 0..1, in eighths of a cell: "██▌  ".
std::string share_bar(double share, int width);

}  // namespace terrapin::dataset
