#include "unit/inference/package_maker.h"

#include <torch/torch.h>

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "base/random.h"
#include "networks/input.h"
#include "networks/network.h"
#include "networks/pretrained.h"

namespace terrapin::inference::testing {
namespace {

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

artifacts::ModelPackage packed(const artifacts::NetworkSpec& spec,
                               const networks::SegmentationNetwork& network, std::int64_t long_side) {
  artifacts::ModelPackage package;
  package.spec.network = spec;
  package.spec.preprocessing = network.preprocessing();
  package.spec.preprocessing.long_side = long_side;
  package.spec.classes = artifacts::ClassList::with_default_names(spec.num_classes);
  package.weights = networks::save_weights(network);
  return package;
}

}  // namespace

artifacts::ModelPackage random_package(const artifacts::NetworkSpec& spec, std::uint64_t seed,
                                       std::int64_t long_side) {
  torch::manual_seed(seed);
  const auto network = value_of(networks::build_network(spec));
  return packed(spec, *network, long_side);
}

artifacts::ModelPackage near_sighted_package(int num_classes, std::uint64_t seed) {
  artifacts::NetworkSpec spec;
  spec.num_classes = num_classes;
  artifacts::ModelPackage package = random_package(spec, seed, 0);
  Random random(seed);
  for (auto& [name, tensor] : package.weights.tensors) {
    std::vector<float> values(tensor.data.size() / sizeof(float));
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    const bool kernel = tensor.shape.size() == 4 && tensor.shape[2] == 3;
    const bool near = name.starts_with("encoder.stem.") || name.starts_with("encoder.block0.") ||
                      name.starts_with("encoder.block1.") || name.starts_with("encoder.block2.") ||
                      name.starts_with("decoder.");
    for (std::size_t i = 0; kernel && !near && i < values.size(); ++i) {
      if (i % 9 != 4) values[i] = 0;
    }
    if (name == "decoder.refine4.classifier.weight") {  // starts at zero, which would hide the skips
      for (float& value : values) value = static_cast<float>(random.uniform(-20, 20));
    }
    if (name == "decoder.classifier.weight") {  // a random network hardly prefers one class
      for (float& value : values) value *= 40;
    }
    std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
  }
  return package;
}

artifacts::ModelPackage voc_package(const std::filesystem::path& safetensors) {
  artifacts::NetworkSpec spec;
  spec.num_classes = 21;
  spec.skip_channels = 0;
  const auto network = value_of(networks::build_network(spec));
  const auto weights = value_of(artifacts::read_safetensors(safetensors));
  value_of(networks::import_weights(*network, weights, true));
  return packed(spec, *network, 0);
}

imaging::Mask reference_mask(const artifacts::ModelPackage& package, const imaging::Image& photo) {
  const auto network = value_of(networks::build_network(package.spec.network));
  if (const Status status = networks::load_weights(*network, package.weights); !status)
    throw std::runtime_error(status.error().message);
  network->eval();
  const torch::NoGradGuard no_gradients;
  const auto output = network->forward(networks::photo_to_input(photo, package.spec.preprocessing));
  return networks::logits_to_mask(output.logits, photo.size());
}

imaging::Image patterned_photo(imaging::Size size, std::uint64_t seed) {
  Random random(seed);
  struct Blob {
    double x, y, radius;
    imaging::Rgb color;
  };
  std::vector<Blob> blobs;
  for (int i = 0; i < 12; ++i) {
    const auto byte = [&] { return static_cast<std::uint8_t>(random.below(256)); };
    blobs.push_back({random.uniform(0, static_cast<double>(size.width)),
                     random.uniform(0, static_cast<double>(size.height)),
                     random.uniform(0.05, 0.3) * static_cast<double>(std::min(size.width, size.height)),
                     {byte(), byte(), byte()}});
  }
  imaging::Image photo(size);
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      imaging::Rgb color{static_cast<std::uint8_t>(x * 255 / size.width),
                         static_cast<std::uint8_t>(y * 255 / size.height), 120};
      for (const Blob& blob : blobs) {
        if (std::hypot(static_cast<double>(x) - blob.x, static_cast<double>(y) - blob.y) < blob.radius)
          color = blob.color;
      }
      color.green =
          static_cast<std::uint8_t>(std::min<std::int64_t>(255, color.green / 2 + random.below(64)));
      photo.set(x, y, color);
    }
  }
  return photo;
}

}  // namespace terrapin::inference::testing
