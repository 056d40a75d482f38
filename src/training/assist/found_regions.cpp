#include "training/assist/found_regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "imaging/blur.h"
#include "imaging/regions.h"
#include "imaging/resize.h"

namespace terrapin::training {
namespace {

constexpr std::int64_t kLongestSide = 320;
constexpr double kLeastShare = 0.02, kLargestShare = 0.6;
constexpr std::int32_t kLeastDepth = 4;  // pixels from the outline to the innermost

struct Edge {
  float difference = 0;
  std::int32_t from = 0, to = 0;
};

// Disjoint sets with what joins them: the largest difference inside, and the area.
class Joined {
 public:
  explicit Joined(std::int64_t count)
      : parent_(static_cast<std::size_t>(count)), area_(parent_.size(), 1), inside_(parent_.size(), 0) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  std::int32_t find(std::int32_t pixel) {
    while (parent_[at(pixel)] != pixel) {
      parent_[at(pixel)] = parent_[at(parent_[at(pixel)])];
      pixel = parent_[at(pixel)];
    }
    return pixel;
  }
  void join(std::int32_t one, std::int32_t other, float difference) {
    if (area_[at(one)] < area_[at(other)]) std::swap(one, other);
    parent_[at(other)] = one;
    area_[at(one)] += area_[at(other)];
    inside_[at(one)] = difference;  // edges come in order: no other was larger
  }
  std::int64_t area(std::int32_t root) const { return area_[at(root)]; }
  double bound(std::int32_t root, double scale) const {
    return inside_[at(root)] + scale / static_cast<double>(area_[at(root)]);
  }

 private:
  static std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }
  std::vector<std::int32_t> parent_;
  std::vector<std::int64_t> area_;
  std::vector<float> inside_;
};

class FoundRegions final : public ObjectSource {
 public:
  FoundRegions(std::vector<std::shared_ptr<const ObjectSource>> photos, double weight)
      : photos_(std::move(photos)), weight_(weight) {}
  std::string name() const override { return "found regions"; }
  std::int64_t object_count() const override {
    std::int64_t count = 0;
    for (const auto& source : photos_) count += source->object_count();
    return count;
  }
  double weight() const override { return weight_; }
  std::string digest() const override { return fmt::format("found regions, weight {:.6f}", weight_); }

  Result<ClickedPhoto> draw(Random& random) const override {
    const auto& source =
        photos_[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(photos_.size())))];
    TERRAPIN_TRY(ClickedPhoto drawn, source->draw(random));
    const imaging::Size size = drawn.photo.size();
    const double factor = std::min(
        1.0, static_cast<double>(kLongestSide) / static_cast<double>(std::max(size.width, size.height)));
    const auto scaled = [&](std::int64_t length) {
      return std::max<std::int64_t>(1, std::llround(factor * static_cast<double>(length)));
    };
    ClickedPhoto result;
    result.photo = imaging::resize(drawn.photo, {scaled(size.width), scaled(size.height)});
    result.truth = imaging::Mask(result.photo.size());
    const std::int64_t whole = result.photo.size().area();
    imaging::Image smooth = result.photo;
    imaging::blur(smooth);
    // Finer and coarser looks at the photo: what hangs together is a matter of scale.
    const double scale = 300 * std::pow(8, random.uniform());
    const ColorRegions found = color_regions(smooth, scale, std::max<std::int64_t>(20, whole / 1000));
    std::vector<std::int32_t> fitting;
    for (std::size_t i = 0; i < found.area.size(); ++i) {
      const double share = static_cast<double>(found.area[i]) / static_cast<double>(whole);
      if (share >= kLeastShare && share <= kLargestShare) fitting.push_back(static_cast<std::int32_t>(i));
    }
    if (fitting.empty()) return result;  // an object without pixels is drawn again
    const std::int32_t chosen =
        fitting[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(fitting.size())))];
    for (std::size_t i = 0; i < found.region.size(); ++i) {
      if (found.region[i] == chosen) result.truth.bytes()[i] = 1;
    }
    // The blurred outline of something is no region.
    const std::vector<std::int32_t> depth = imaging::chamfer_depth(result.truth);
    if (*std::max_element(depth.begin(), depth.end()) < 3 * kLeastDepth) {
      result.truth = imaging::Mask(result.photo.size());
    }
    return result;
  }

 private:
  const std::vector<std::shared_ptr<const ObjectSource>> photos_;
  const double weight_;
};

}  // namespace

ColorRegions color_regions(const imaging::Image& photo, double scale, std::int64_t min_area) {
  const std::int64_t width = photo.width(), height = photo.height();
  std::vector<Edge> edges;
  edges.reserve(static_cast<std::size_t>(2 * width * height));
  const auto difference = [](imaging::Rgb a, imaging::Rgb b) {
    const int red = a.red - b.red, green = a.green - b.green, blue = a.blue - b.blue;
    return std::sqrt(static_cast<float>(red * red + green * green + blue * blue));
  };
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const imaging::Rgb here = photo.at(x, y);
      const auto index = static_cast<std::int32_t>(y * width + x);
      if (x + 1 < width) edges.push_back({difference(here, photo.at(x + 1, y)), index, index + 1});
      if (y + 1 < height) {
        edges.push_back(
            {difference(here, photo.at(x, y + 1)), index, static_cast<std::int32_t>(index + width)});
      }
    }
  }
  std::stable_sort(edges.begin(), edges.end(),
                   [](const Edge& a, const Edge& b) { return a.difference < b.difference; });
  Joined sets(width * height);
  for (const Edge& edge : edges) {
    const std::int32_t one = sets.find(edge.from), other = sets.find(edge.to);
    if (one == other || edge.difference > std::min(sets.bound(one, scale), sets.bound(other, scale)))
      continue;
    sets.join(one, other, edge.difference);
  }
  for (const Edge& edge : edges) {
    const std::int32_t one = sets.find(edge.from), other = sets.find(edge.to);
    if (one != other && std::min(sets.area(one), sets.area(other)) < min_area) {
      sets.join(one, other, edge.difference);
    }
  }
  ColorRegions result;
  result.region.resize(static_cast<std::size_t>(width * height));
  std::vector<std::int32_t> number(result.region.size(), -1);
  for (std::size_t i = 0; i < result.region.size(); ++i) {
    const auto root = static_cast<std::size_t>(sets.find(static_cast<std::int32_t>(i)));
    if (number[root] < 0) {
      number[root] = static_cast<std::int32_t>(result.area.size());
      result.area.push_back(0);
    }
    result.region[i] = number[root];
    ++result.area[static_cast<std::size_t>(number[root])];
  }
  return result;
}

std::shared_ptr<const ObjectSource> found_regions(std::vector<std::shared_ptr<const ObjectSource>> photos,
                                                  double weight) {
  return std::make_shared<FoundRegions>(std::move(photos), weight);
}

}  // namespace terrapin::training
