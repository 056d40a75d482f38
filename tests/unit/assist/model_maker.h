// An assistance model with seeded random weights, made without torch.
#pragma once

#include <cmath>

#include "base/random.h"
#include "networks/assist_model.h"

namespace terrapin::test {

inline networks::AssistModel random_model(std::uint64_t seed) {
  networks::AssistModel model;
  model.spec.width = 16;
  model.spec.side = 65;
  Random random(seed);
  for (const networks::Layer& layer : networks::make_assist_blueprint(model.spec).layers) {
    if (layer.kind != networks::OpKind::kConv) continue;
    const std::int64_t per_group = layer.in_channels / layer.groups, kernel = layer.kernel;
    std::vector<float> weight(static_cast<std::size_t>(layer.channels * per_group * kernel * kernel));
    const double spread = std::sqrt(2.0 / static_cast<double>(per_group * kernel * kernel));
    for (float& value : weight) value = static_cast<float>(random.normal() * spread);
    std::vector<float> bias(static_cast<std::size_t>(layer.channels));
    for (float& value : bias) value = static_cast<float>(random.normal() * 0.1);
    model.weights.tensors.emplace(
        layer.name + ".weight", artifacts::from_float32(weight, {layer.channels, per_group, kernel, kernel}));
    model.weights.tensors.emplace(layer.name + ".bias", artifacts::from_float32(bias, {layer.channels}));
  }
  return model;
}

// Smooth colours, one bright disc, noise.
inline imaging::Image disc_photo(imaging::Size size, double x, double y, double radius,
                                 std::uint64_t seed = 1) {
  imaging::Image photo(size);
  Random random(seed);
  for (std::int64_t j = 0; j < size.height; ++j) {
    for (std::int64_t i = 0; i < size.width; ++i) {
      const double dx = static_cast<double>(i) - x, dy = static_cast<double>(j) - y;
      const bool inside = dx * dx + dy * dy <= radius * radius;
      const auto tone = [&](int base) { return static_cast<std::uint8_t>(base + random.below(16)); };
      photo.set(i, j,
                inside ? imaging::Rgb{tone(200), tone(160), tone(40)}
                       : imaging::Rgb{tone(40 + static_cast<int>(30 * i / size.width)), tone(70), tone(110)});
    }
  }
  return photo;
}

inline imaging::Mask disc_mask(imaging::Size size, double x, double y, double radius) {
  imaging::Mask mask(size);
  for (std::int64_t j = 0; j < size.height; ++j) {
    for (std::int64_t i = 0; i < size.width; ++i) {
      const double dx = static_cast<double>(i) - x, dy = static_cast<double>(j) - y;
      if (dx * dx + dy * dy <= radius * radius) mask.set(i, j, 1);
    }
  }
  return mask;
}

}  // namespace terrapin::test
