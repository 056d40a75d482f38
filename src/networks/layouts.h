// Names and shapes of tensors in public weight files, and how they become ours. Free of torch. Private to
// this folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "artifacts/safetensors.h"
#include "base/result.h"
#include "networks/blueprint.h"

namespace terrapin::networks {

enum class Layout {
  kTorchvisionResnet,     // conv1, layer1.0.conv1, ..., fc: ImageNet; timm's resnet50/101 use the same names
  kTorchvisionMobilenet,  // features.0.0, ...
  kTimmMobilenet,         // conv_stem, blocks.0.0.conv_dw, ...
  kFoldedMobilenet,       // 000_conv ... 052_conv, classifier of 1001 classes
  kFoldedDeeplab,         // 000_conv ... 054_conv
  kTorchvisionSegmentation,  // backbone.*, classifier.*, with num_batches_tracked
  kTerrapin,                 // our own names: an encoder, or all of a network
};

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

struct Recognised {
  Layout layout;
  std::string name;       // for reports: "torchvision resnet", ...
  std::string backbone;   // resnet-50, resnet-101, mobilenet-v2
  std::string algorithm;  // of a whole segmentation network; empty: only an encoder serves
};

// By tensor names (and the depth of the third stage, which tells the ResNets apart); nullopt if nothing known
// matches.
std::optional<Recognised> recognise(const Shapes& shapes);
Shapes shapes_of(const artifacts::TensorFile& file);
// Reads the header only.
Result<Shapes> read_shapes(const std::filesystem::path& path);

// A tensor of ours made from theirs.
struct Converted {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

struct Conversion {
  std::map<std::string, Converted> tensors;  // by our names
  std::set<std::string> used, ignored;       // their names; what is in neither is surplus
  std::vector<std::string> problems;         // missing or unreadable tensors of theirs
};

// Translates `file` for the network `blueprint`: batch norm folded into the norm-free MobileNetV2, ImageNet
// normalisation folded into its first convolution.
Conversion convert(const Recognised& recognised, const artifacts::TensorFile& file,
                   const Blueprint& blueprint);

}  // namespace terrapin::networks
