#include "dataset/statistics.h"

#include <algorithm>
#include <numeric>

namespace terrapin::dataset {
namespace {

SetStatistics::Range range_of(std::vector<std::int32_t> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[(values.size() - 1) / 2], values.back()};
}

nlohmann::json to_json(const SetStatistics::Range& range) {
  return {{"min", range.min}, {"median", range.median}, {"max", range.max}};
}

}  // namespace

LabelCounts count_pixels(const imaging::Mask& mask) {
  LabelCounts counts{};
  for (const std::uint8_t label : mask.bytes()) ++counts[label];
  return counts;
}

void SetStatistics::add(imaging::Size photo, const LabelCounts& counts) {
  widths_.push_back(static_cast<std::int32_t>(photo.width));
  heights_.push_back(static_cast<std::int32_t>(photo.height));
  bool empty = true;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] == 0) continue;
    pixels_[label] += counts[label];
    ++photos_with_[label];
    if (label != 0 && label != imaging::Mask::kIgnore) empty = false;
  }
  empty_ += empty ? 1 : 0;
}

void SetStatistics::merge(const SetStatistics& other) {
  widths_.insert(widths_.end(), other.widths_.begin(), other.widths_.end());
  heights_.insert(heights_.end(), other.heights_.begin(), other.heights_.end());
  for (std::size_t label = 0; label < pixels_.size(); ++label) {
    pixels_[label] += other.pixels_[label], photos_with_[label] += other.photos_with_[label];
  }
  empty_ += other.empty_;
}

std::int64_t SetStatistics::total_pixels() const {
  return std::accumulate(pixels_.begin(), pixels_.end(), std::int64_t{0});
}

double SetStatistics::share(int label) const {
  const std::int64_t counted = total_pixels() - pixels_[imaging::Mask::kIgnore];
  return counted == 0 ? 0 : static_cast<double>(pixels(label)) / static_cast<double>(counted);
}

SetStatistics::Range SetStatistics::widths() const {
  return range_of(widths_);
}
SetStatistics::Range SetStatistics::heights() const {
  return range_of(heights_);
}

nlohmann::json to_json(const SetStatistics& statistics, const artifacts::ClassList& classes) {
  nlohmann::json json = {
      {"photos", statistics.photos()},         {"empty_masks", statistics.empty_masks()},
      {"width", to_json(statistics.widths())}, {"height", to_json(statistics.heights())},
      {"pixels", statistics.total_pixels()},   {"ignored_pixels", statistics.pixels(imaging::Mask::kIgnore)},
      {"classes", nlohmann::json::array()}};
  for (int i = 0; i < classes.size(); ++i) {
    json["classes"].push_back({{"index", i},
                               {"name", classes.classes[static_cast<std::size_t>(i)].name},
                               {"pixels", statistics.pixels(i)},
                               {"share", statistics.share(i)},
                               {"photos", statistics.photos_with(i)}});
  }
  return json;
}

std::string share_bar(double share, int width) {
  static constexpr std::array<const char*, 8> kPart = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(share, 0.0, 1.0) * width * 8 + 0.5);
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  bar += kPart[static_cast<std::size_t>(eighths % 8)];
  const int used = eighths / 8 + (eighths % 8 != 0 ? 1 : 0);
  bar.append(static_cast<std::size_t>(width - used), ' ');
  return bar;
}

}  // namespace terrapin::dataset
