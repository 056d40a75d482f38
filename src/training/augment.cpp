#include "training/augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "imaging/blur.h"
#include "imaging/resize.h"

namespace terrapin::training {
namespace {

// Offset of a window of `window` in a line of `length`: anywhere inside; a line that fits whole lies anywhere
// in the window.
std::int64_t random_offset(std::int64_t length, std::int64_t window, Random& random) {
  if (length >= window) return random.below(length - window + 1);
  return -random.below(window - length + 1);
}

// Offset that shows `position` somewhere in the middle three quarters of the window, as far as the line
// allows.
std::int64_t offset_around(std::int64_t position, std::int64_t length, std::int64_t window, Random& random) {
  const std::int64_t margin = window / 8;
  const std::int64_t within = margin + random.below(std::max<std::int64_t>(1, window - 2 * margin));
  if (length <= window) return random_offset(length, window, random);
  return std::clamp<std::int64_t>(position - within, 0, length - window);
}

std::int64_t scaled_position(std::uint16_t relative, std::int64_t length) {
  return std::clamp<std::int64_t>((static_cast<std::int64_t>(relative) * length) >> 16, 0, length - 1);
}

// Normal values, made once: drawing three for every pixel would cost more than the resize. A crop reads them
// from a random place with a random odd step per row.
class NormalTable {
 public:
  static constexpr std::size_t kSize = 1 << 14;
  NormalTable() : values_(kSize) {
    Random random(0x7e44a91);
    for (float& value : values_) value = static_cast<float>(random.normal());
  }
  float operator[](std::size_t index) const { return values_[index & (kSize - 1)]; }

 private:
  std::vector<float> values_;
};

void add_noise(imaging::Image& image, double deviation, std::uint64_t seed) {
  static const NormalTable table;
  const auto strength = static_cast<float>(deviation);
  Random random(seed);
  const std::int64_t values = image.width() * 3;
  for (std::int64_t y = 0; y < image.height(); ++y) {
    std::uint8_t* row = image.row(y);
    const std::size_t start = random.next_u32();
    for (std::int64_t i = 0; i < values; ++i) {
      const float value = static_cast<float>(row[i]) + strength * table[start + static_cast<std::size_t>(i)];
      row[i] = static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f));
    }
  }
}

double mean_grey(const imaging::Image& image) {
  std::int64_t sums[3] = {0, 0, 0};
  for (std::int64_t y = 0; y < image.height(); ++y) {
    const std::uint8_t* p = image.row(y);
    for (std::int64_t x = 0; x < image.width(); ++x, p += 3)
      sums[0] += p[0], sums[1] += p[1], sums[2] += p[2];
  }
  const auto count = static_cast<double>(std::max<std::int64_t>(1, image.size().area()));
  return (0.299 * static_cast<double>(sums[0]) + 0.587 * static_cast<double>(sums[1]) +
          0.114 * static_cast<double>(sums[2])) /
         count;
}

void normalize(const imaging::Image& image, const Normalization& normalization, float* output) {
  const auto [s0, s1, s2] = normalization.scale;
  const auto [o0, o1, o2] = normalization.offset;
  const std::uint8_t* p = image.bytes().data();
  const std::int64_t pixels = image.size().area();
  for (std::int64_t i = 0; i < pixels; ++i) {
    output[i * 3] = static_cast<float>(p[i * 3]) * s0 + o0;
    output[i * 3 + 1] = static_cast<float>(p[i * 3 + 1]) * s1 + o1;
    output[i * 3 + 2] = static_cast<float>(p[i * 3 + 2]) * s2 + o2;
  }
}

void recolor_and_normalize(const imaging::Image& image, const ColorPlan& plan,
                           const Normalization& normalization, float* output) {
  const auto contrast = static_cast<float>(plan.contrast), saturation = static_cast<float>(plan.saturation);
  const auto pivot = static_cast<float>(mean_grey(image) * (1 - plan.contrast));
  const float g0 = static_cast<float>(plan.gain[0]) * contrast,
              g1 = static_cast<float>(plan.gain[1]) * contrast,
              g2 = static_cast<float>(plan.gain[2]) * contrast;
  const auto [s0, s1, s2] = normalization.scale;
  const auto [o0, o1, o2] = normalization.offset;
  const std::uint8_t* p = image.bytes().data();
  const std::int64_t pixels = image.size().area();
  for (std::int64_t i = 0; i < pixels; ++i) {
    const float red = static_cast<float>(p[i * 3]) * g0 + pivot;
    const float green = static_cast<float>(p[i * 3 + 1]) * g1 + pivot;
    const float blue = static_cast<float>(p[i * 3 + 2]) * g2 + pivot;
    const float grey = 0.299f * red + 0.587f * green + 0.114f * blue;
    const float base = grey - saturation * grey;
    output[i * 3] = std::min(255.0f, std::max(0.0f, base + saturation * red)) * s0 + o0;
    output[i * 3 + 1] = std::min(255.0f, std::max(0.0f, base + saturation * green)) * s1 + o1;
    output[i * 3 + 2] = std::min(255.0f, std::max(0.0f, base + saturation * blue)) * s2 + o2;
  }
}

}  // namespace

AugmentPlan plan_augmentation(const AugmentOptions& options, std::int64_t base_size, std::int64_t crop_side,
                              imaging::Size photo, std::span<const ClassPoints> foreground, Random& random) {
  AugmentPlan plan;
  const double factor = random.uniform(options.scale_low, options.scale_high);
  const std::int64_t long_side =
      std::max<std::int64_t>(1, std::llround(static_cast<double>(base_size) * factor));
  const std::int64_t photo_long = std::max(photo.width, photo.height);
  const auto side = [&](std::int64_t length) {
    if (length == photo_long) return long_side;
    const double exact =
        static_cast<double>(length) * static_cast<double>(long_side) / static_cast<double>(photo_long);
    return std::max<std::int64_t>(1, std::llround(exact));
  };
  plan.scaled = {side(photo.width), side(photo.height)};
  plan.mirror = random.uniform() < options.mirror_probability;

  plan.crop.width = plan.crop.height = crop_side;
  if (!foreground.empty() && random.uniform() < options.foreground_probability) {
    const auto& chosen =
        foreground[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(foreground.size())))];
    const auto& point =
        chosen
            .points[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(chosen.points.size())))];
    std::int64_t x = scaled_position(point.x, plan.scaled.width);
    if (plan.mirror) x = plan.scaled.width - 1 - x;
    plan.crop.x = offset_around(x, plan.scaled.width, crop_side, random);
    plan.crop.y =
        offset_around(scaled_position(point.y, plan.scaled.height), plan.scaled.height, crop_side, random);
  } else {
    plan.crop.x = random_offset(plan.scaled.width, crop_side, random);
    plan.crop.y = random_offset(plan.scaled.height, crop_side, random);
  }

  const bool any_color =
      options.brightness > 0 || options.contrast > 0 || options.saturation > 0 || options.color_balance > 0;
  if (any_color && random.uniform() < options.color_probability) {
    const auto around_one = [&](double strength) { return random.uniform(1 - strength, 1 + strength); };
    plan.color.active = true;
    const double brightness = around_one(options.brightness);
    for (double& gain : plan.color.gain) gain = brightness * around_one(options.color_balance);
    plan.color.contrast = around_one(options.contrast);
    plan.color.saturation = around_one(options.saturation);
  }
  if (options.blur_probability > 0) plan.blur = random.uniform() < options.blur_probability;
  if (options.noise_probability > 0 && random.uniform() < options.noise_probability) {
    plan.noise_deviation = random.uniform(0, options.noise_deviation);
    plan.noise_seed = random.next_u64();
  }
  return plan;
}

Normalization Normalization::from(const artifacts::Preprocessing& preprocessing) {
  Normalization result{};
  std::array<std::uint8_t, 3> mean{};
  for (std::size_t c = 0; c < 3; ++c) {
    result.scale[c] = static_cast<float>(1 / (255 * preprocessing.std[c]));
    result.offset[c] = static_cast<float>(-preprocessing.mean[c] / preprocessing.std[c]);
    mean[c] = static_cast<std::uint8_t>(std::clamp(std::lround(preprocessing.mean[c] * 255), 0L, 255L));
  }
  result.mean_color = {mean[0], mean[1], mean[2]};
  return result;
}

void augment_photo(const imaging::Image& photo, const AugmentPlan& plan, const Normalization& normalization,
                   float* output) {
  imaging::Image crop =
      imaging::resize_region(photo, plan.scaled, plan.crop, normalization.mean_color, plan.mirror);
  if (plan.blur) imaging::blur(crop);
  if (plan.noise_deviation > 0) add_noise(crop, plan.noise_deviation, plan.noise_seed);
  if (plan.color.active) {
    recolor_and_normalize(crop, plan.color, normalization, output);
  } else {
    normalize(crop, normalization, output);
  }
}

void augment_mask(const imaging::Mask& mask, const AugmentPlan& plan, std::uint8_t* output) {
  const imaging::Mask crop =
      imaging::resize_nearest_region(mask, plan.scaled, plan.crop, imaging::Mask::kIgnore, plan.mirror);
  std::memcpy(output, crop.bytes().data(), crop.bytes().size());
}

}  // namespace terrapin::training
