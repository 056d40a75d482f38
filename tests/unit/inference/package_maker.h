// Model packages for tests. The only test file that includes torch is package_maker.cpp.
#pragma once

#include <filesystem>

#include "artifacts/model_package.h"
#include "imaging/image.h"

namespace terrapin::inference::testing {

// A package with seeded random weights and the network's own preprocessing at this long side.
artifacts::ModelPackage random_package(const artifacts::NetworkSpec& network, std::uint64_t seed,
                                       std::int64_t long_side);

// The same with the MobileNetV2 pair and no far sight: beyond the blocks at stride 4 every kernel keeps its
// centre only, so that no logit depends on input more than about 45 pixels away, save through the global
// pool.
artifacts::ModelPackage near_sighted_package(int num_classes, std::uint64_t seed);

// The public VOC weights (folded DeepLabV3-MobileNetV2) as a package.
artifacts::ModelPackage voc_package(const std::filesystem::path& safetensors);

// The mask that networks/input.h makes for this photo with libtorch: the twin of the predictor.
imaging::Mask reference_mask(const artifacts::ModelPackage& package, const imaging::Image& photo);

// Smooth colours, edges and noise.
imaging::Image patterned_photo(imaging::Size size, std::uint64_t seed);

}  // namespace terrapin::inference::testing
