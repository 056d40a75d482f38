#include "networks/layouts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "networks/assist_model.h"

namespace terrapin::networks {

namespace {

bool has(const Shapes& shapes, const std::string& name) {
  return shapes.contains(name);
}

bool any_name(const Shapes& shapes, std::string_view prefix, std::string_view suffix = {}) {
  return std::any_of(shapes.begin(), shapes.end(), [&](const auto& item) {
    return item.first.starts_with(prefix) && item.first.ends_with(suffix);
  });
}

// "" if the names below `prefix` are those of neither ResNet-50 nor ResNet-101.
std::string resnet_depth(const Shapes& shapes, const std::string& prefix) {
  if (!has(shapes, prefix + "layer1.0.conv3.weight") || has(shapes, prefix + "layer2.4.conv1.weight"))
    return "";
  if (has(shapes, prefix + "layer3.22.conv1.weight")) return "resnet-101";
  if (has(shapes, prefix + "layer3.5.conv1.weight") && !has(shapes, prefix + "layer3.6.conv1.weight"))
    return "resnet-50";
  return "";
}

std::string head_algorithm(const Shapes& shapes) {
  if (has(shapes, "decoder.local.weight")) return "lite";
  if (has(shapes, "classifier.pyramid.0.0.weight")) return "psp";
  if (has(shapes, "classifier.0.convs.0.0.weight")) return "deeplab";
  if (has(shapes, "classifier.0.weight")) return "fcn";
  return "";
}

}  // namespace

std::optional<Recognised> recognise(const Shapes& shapes) {
  const std::string algorithm = head_algorithm(shapes);
  if (has(shapes, "000_conv.weight")) {
    const auto head = shapes.find("051_conv.weight");
    if (head == shapes.end() || head->second.empty()) return std::nullopt;
    if (has(shapes, "054_conv.weight")) {
      return Recognised{Layout::kFoldedDeeplab, "folded deeplabv3 mobilenet_v2", "mobilenet-v2", "lite"};
    }
    return Recognised{Layout::kFoldedMobilenet, "folded mobilenet_v2", "mobilenet-v2", ""};
  }
  if (has(shapes, "features.0.0.weight") && has(shapes, "features.1.conv.0.0.weight")) {
    return Recognised{Layout::kTorchvisionMobilenet, "torchvision mobilenet_v2", "mobilenet-v2", ""};
  }
  if (has(shapes, "conv_stem.weight") && has(shapes, "blocks.1.0.conv_pwl.weight")) {
    return Recognised{Layout::kTimmMobilenet, "timm mobilenetv2", "mobilenet-v2", ""};
  }
  // An assistance model is no starting point for other networks: its first convolution sees more than a
  // photo.
  if (has(shapes, kAssistClassifier)) return std::nullopt;
  if (has(shapes, "encoder.stem.weight")) {
    return Recognised{Layout::kTerrapin, algorithm.empty() ? "terrapin encoder" : "terrapin package",
                      "mobilenet-v2", algorithm};
  }
  if (has(shapes, "backbone.conv1.weight")) {
    const std::string depth = resnet_depth(shapes, "backbone.");
    if (depth.empty()) return std::nullopt;
    if (any_name(shapes, "backbone.", ".num_batches_tracked")) {
      return Recognised{Layout::kTorchvisionSegmentation, "torchvision segmentation", depth, algorithm};
    }
    return Recognised{Layout::kTerrapin, algorithm.empty() ? "terrapin encoder" : "terrapin package", depth,
                      algorithm};
  }
  if (has(shapes, "conv1.weight")) {
    const std::string depth = resnet_depth(shapes, "");
    if (depth.empty()) return std::nullopt;
    return Recognised{Layout::kTorchvisionResnet, "torchvision resnet", depth, ""};
  }
  return std::nullopt;
}

Shapes shapes_of(const artifacts::TensorFile& file) {
  Shapes shapes;
  for (const auto& [name, tensor] : file.tensors) shapes.emplace(name, tensor.shape);
  return shapes;
}

Result<Shapes> read_shapes(const std::filesystem::path& path) {
  TERRAPIN_TRY(const artifacts::TensorHeader header, artifacts::read_safetensors_header(path));
  Shapes shapes;
  for (const auto& [name, tensor] : header.tensors) shapes.emplace(name, tensor.shape);
  return shapes;
}

namespace {

// Where a layer's values come from; `norm` empty: the convolution has a bias (or none is expected at all).
struct Source {
  std::string conv, norm;
};

struct BlockName {
  int block = -1;
  std::string part;  // expand, depthwise, project
};

// "encoder.block12.project" -> 12, "project"; block -1 for the stem.
BlockName block_name(const std::string& name) {
  constexpr std::string_view kPrefix = "encoder.block";
  if (!name.starts_with(kPrefix)) return {};
  const std::size_t dot = name.find('.', kPrefix.size());
  return {std::stoi(name.substr(kPrefix.size(), dot - kPrefix.size())), name.substr(dot + 1)};
}

Source torchvision_mobilenet_source(const std::string& name) {
  const BlockName place = block_name(name);
  if (place.block < 0) return {"features.0.0", "features.0.1"};
  const std::string block = fmt::format("features.{}.conv.", place.block + 1);
  const int shift = place.block == 0 ? 1 : 0;  // the first block has no expansion
  if (place.part == "expand") return {block + "0.0", block + "0.1"};
  if (place.part == "depthwise")
    return {fmt::format("{}{}.0", block, 1 - shift), fmt::format("{}{}.1", block, 1 - shift)};
  return {fmt::format("{}{}", block, 2 - shift), fmt::format("{}{}", block, 3 - shift)};
}

Source timm_mobilenet_source(const std::string& name) {
  const BlockName place = block_name(name);
  if (place.block < 0) return {"conv_stem", "bn1"};
  constexpr int kBlocksOfStage[] = {1, 2, 3, 4, 3, 3, 1};
  int stage = 0, index = place.block;
  while (index >= kBlocksOfStage[stage]) index -= kBlocksOfStage[stage++];
  const std::string block = fmt::format("blocks.{}.{}.", stage, index);
  if (stage == 0) {
    return place.part == "depthwise" ? Source{block + "conv_dw", block + "bn1"}
                                     : Source{block + "conv_pw", block + "bn2"};
  }
  if (place.part == "expand") return {block + "conv_pw", block + "bn1"};
  if (place.part == "depthwise") return {block + "conv_dw", block + "bn2"};
  return {block + "conv_pwl", block + "bn3"};
}

std::optional<Source> folded_source(const Layer& layer, int conv_index, Layout layout) {
  if (layer.name.starts_with("encoder.")) {
    return Source{fmt::format("{:03}_{}", conv_index, layer.groups > 1 ? "dw" : "conv"), ""};
  }
  if (layout != Layout::kFoldedDeeplab) return std::nullopt;
  if (layer.name == "decoder.local") return Source{"051_conv", ""};
  if (layer.name == "decoder.pool") return Source{"052_conv", ""};
  if (layer.name == "decoder.fuse") return Source{"053_conv", ""};
  if (layer.name == "decoder.classifier") return Source{"054_conv", ""};
  return std::nullopt;
}

// Parts of a network that a file of ours may lack, or have in excess, as a whole.
constexpr std::string_view kGroups[] = {"decoder.refine", "decoder.", "aux_classifier.", "classifier."};

std::string_view group_of(std::string_view name) {
  for (const std::string_view group : kGroups) {
    if (name.starts_with(group)) return group;
  }
  return {};
}

// Tensors that a layout is known to hold besides what serves here.
bool expected_elsewhere(const std::string& name, const Recognised& recognised, const Blueprint& blueprint) {
  if (name.ends_with(".num_batches_tracked")) return true;
  switch (recognised.layout) {
    case Layout::kTorchvisionResnet:
      return name == "fc.weight" || name == "fc.bias";
    case Layout::kTorchvisionMobilenet:
      return name.starts_with("features.18.") || name.starts_with("classifier.1.");
    case Layout::kTimmMobilenet:
      return name.starts_with("conv_head.") || name.starts_with("bn2.") || name.starts_with("classifier.");
    case Layout::kFoldedMobilenet:
      return name.starts_with("051_conv.") || name.starts_with("052_conv.");
    case Layout::kFoldedDeeplab:
      return blueprint.algorithm != "lite" &&
             (name.starts_with("051_conv.") || name.starts_with("052_conv.") ||
              name.starts_with("053_conv.") || name.starts_with("054_conv."));
    case Layout::kTorchvisionSegmentation:
      return name.starts_with("aux_classifier.") && blueprint.auxiliary < 0;
    case Layout::kTerrapin: {
      const std::string_view group = group_of(name);
      return !group.empty() &&
             std::none_of(blueprint.layers.begin(), blueprint.layers.end(), [&](const Layer& layer) {
               return layer.kind == OpKind::kConv && group_of(layer.name) == group;
             });
    }
  }
  return false;
}

// Moves tensors of a file into a Conversion, noting what was missing.
class Mover {
 public:
  Mover(const artifacts::TensorFile& file, Conversion& conversion) : file_(file), conversion_(conversion) {}

  std::optional<Converted> take(const std::string& name) {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) {
      conversion_.problems.push_back("missing " + name);
      return std::nullopt;
    }
    conversion_.used.insert(name);
    auto values = artifacts::to_float32(found->second);
    if (!values) {
      conversion_.problems.push_back(name + ": " + values.error().message);
      return std::nullopt;
    }
    return Converted{found->second.shape, std::move(*values)};
  }

  void copy(const std::string& theirs, const std::string& ours) {
    if (auto tensor = take(theirs)) conversion_.tensors.emplace(ours, std::move(*tensor));
  }

  // weight * gamma / sqrt(var + eps); beta - mean * gamma / sqrt(var + eps).
  void fold(const Source& source, const std::string& ours) {
    auto weight = take(source.conv + ".weight");
    const auto gamma = take(source.norm + ".weight"), beta = take(source.norm + ".bias");
    const auto mean = take(source.norm + ".running_mean"), variance = take(source.norm + ".running_var");
    if (!weight || !gamma || !beta || !mean || !variance) return;
    const std::size_t channels = gamma->values.size();
    if (beta->values.size() != channels || mean->values.size() != channels ||
        variance->values.size() != channels || weight->shape.empty() ||
        weight->shape[0] != static_cast<std::int64_t>(channels)) {
      conversion_.problems.push_back(
          fmt::format("{} and {} differ in their number of channels", source.conv, source.norm));
      return;
    }
    constexpr double kEpsilon = 1e-5;
    const std::size_t per_channel = weight->values.size() / std::max<std::size_t>(channels, 1);
    Converted bias{{static_cast<std::int64_t>(channels)}, std::vector<float>(channels)};
    for (std::size_t c = 0; c < channels; ++c) {
      const double scale = gamma->values[c] / std::sqrt(variance->values[c] + kEpsilon);
      for (std::size_t k = 0; k < per_channel; ++k) {
        float& value = weight->values[c * per_channel + k];
        value = static_cast<float>(value * scale);
      }
      bias.values[c] = static_cast<float>(beta->values[c] - mean->values[c] * scale);
    }
    conversion_.tensors.emplace(ours + ".weight", std::move(*weight));
    conversion_.tensors.emplace(ours + ".bias", std::move(bias));
  }

 private:
  const artifacts::TensorFile& file_;
  Conversion& conversion_;
};

// The first convolution saw (p - mean) / std of ImageNet; ours sees (p - 0.5) / 0.5 = 2 p - 1. At the border
// the zero padding now means grey 0.5 instead of the ImageNet mean: a constant difference in the outermost
// output pixels only.
void absorb_imagenet_normalisation(Conversion& conversion) {
  constexpr double kMean[] = {0.485, 0.456, 0.406}, kStd[] = {0.229, 0.224, 0.225};
  const auto weight = conversion.tensors.find("encoder.stem.weight");
  const auto bias = conversion.tensors.find("encoder.stem.bias");
  if (weight == conversion.tensors.end() || bias == conversion.tensors.end()) return;
  const auto& shape = weight->second.shape;
  if (shape.size() != 4 || shape[1] != 3) return;  // reported as a wrong shape later
  const auto area = static_cast<std::size_t>(shape[2] * shape[3]);
  for (std::size_t o = 0; o < static_cast<std::size_t>(shape[0]); ++o) {
    double shift = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t k = 0; k < area; ++k) {
        float& value = weight->second.values[(o * 3 + c) * area + k];
        shift += value * (0.5 - kMean[c]) / kStd[c];
        value = static_cast<float>(value * 0.5 / kStd[c]);
      }
    }
    bias->second.values[o] += static_cast<float>(shift);
  }
}

}  // namespace

Conversion convert(const Recognised& recognised, const artifacts::TensorFile& file,
                   const Blueprint& blueprint) {
  Conversion conversion;
  Mover mover(file, conversion);
  std::set<std::string_view> groups;  // that the file has
  for (const auto& [name, tensor] : file.tensors) groups.insert(group_of(name));

  int conv_index = 0;
  for (const Layer& layer : blueprint.layers) {
    if (layer.kind != OpKind::kConv) continue;
    const bool encoder = layer.name.starts_with("encoder.") || layer.name.starts_with("backbone.");
    std::optional<Source> source;
    switch (recognised.layout) {
      case Layout::kTorchvisionResnet:
        if (encoder) source = Source{layer.name.substr(9), layer.norm.substr(9)};  // without "backbone."
        break;
      case Layout::kTorchvisionMobilenet:
        if (encoder) source = torchvision_mobilenet_source(layer.name);
        break;
      case Layout::kTimmMobilenet:
        if (encoder) source = timm_mobilenet_source(layer.name);
        break;
      case Layout::kFoldedMobilenet:
      case Layout::kFoldedDeeplab:
        source = folded_source(layer, conv_index, recognised.layout);
        break;
      case Layout::kTorchvisionSegmentation:
        if (!layer.auxiliary || groups.contains("aux_classifier.")) source = Source{layer.name, layer.norm};
        break;
      case Layout::kTerrapin:
        if (encoder || groups.contains(group_of(layer.name))) source = Source{layer.name, layer.norm};
        break;
    }
    ++conv_index;
    if (!source) continue;
    if (!layer.norm.empty()) {
      mover.copy(source->conv + ".weight", layer.name + ".weight");
      for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
        mover.copy(source->norm + part, layer.norm + part);
      }
    } else if (!source->norm.empty()) {
      mover.fold(*source, layer.name);
    } else {
      mover.copy(source->conv + ".weight", layer.name + ".weight");
      mover.copy(source->conv + ".bias", layer.name + ".bias");
    }
  }
  if (recognised.layout == Layout::kTorchvisionMobilenet || recognised.layout == Layout::kTimmMobilenet) {
    absorb_imagenet_normalisation(conversion);
  }
  for (const auto& [name, tensor] : file.tensors) {
    if (!conversion.used.contains(name) && expected_elsewhere(name, recognised, blueprint)) {
      conversion.ignored.insert(name);
    }
  }
  return conversion;
}

}  // namespace terrapin::networks
