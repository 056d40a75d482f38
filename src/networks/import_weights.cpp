#include <fmt/ranges.h>

#include "networks/layer_network.h"
#include "networks/layouts.h"
#include "networks/pretrained.h"

namespace terrapin::networks {

namespace {

// "decoder.classifier.weight" -> the layer "decoder.classifier", if classes are its channels.
std::set<std::string> class_tensors(const Blueprint& blueprint) {
  std::set<std::string> names;
  for (const Layer& layer : blueprint.layers) {
    if (layer.kind != OpKind::kConv || layer.start == Start::kHe) continue;
    names.insert(layer.name + ".weight");
    names.insert(layer.name + ".bias");
  }
  return names;
}

bool differs_in_classes_only(const std::vector<std::int64_t>& theirs, const std::vector<std::int64_t>& ours) {
  return theirs.size() == ours.size() && theirs[0] != ours[0] &&
         std::equal(theirs.begin() + 1, theirs.end(), ours.begin() + 1);
}

}  // namespace

Result<ImportReport> import_weights(SegmentationNetwork& network, const artifacts::TensorFile& weights,
                                    bool keep_head) {
  torch::NoGradGuard no_gradients;
  const Blueprint& blueprint = dynamic_cast<LayerNetwork&>(network).blueprint();
  const std::optional<Recognised> recognised = recognise(shapes_of(weights));
  if (!recognised) {
    return fail(
        ErrorCode::kUnsupported,
        "the tensor names ({}) belong to no known layout: allowed are torchvision or timm resnet50/101 and "
        "mobilenet_v2, torchvision fcn/deeplabv3 resnet50/101, folded (DeepLabV3-)MobileNetV2, and "
        "terrapin's own",
        weights.tensors.empty() ? "none" : weights.tensors.begin()->first + ", ...");
  }
  if (recognised->backbone != blueprint.backbone) {
    return fail(ErrorCode::kInvalidArgument, "weights of {} ({}) do not fit backbone {}",
                recognised->backbone, recognised->name, blueprint.backbone);
  }
  Conversion conversion = convert(*recognised, weights, blueprint);
  ImportReport report;
  report.layout = recognised->name;
  report.ignored.assign(conversion.ignored.begin(), conversion.ignored.end());
  std::vector<std::string> problems = conversion.problems;
  for (const auto& [name, tensor] : weights.tensors) {
    if (!conversion.used.contains(name) && !conversion.ignored.contains(name)) {
      problems.push_back(fmt::format("surplus {} {}", name, tensor.shape));
    }
  }

  std::map<std::string, torch::Tensor> ours;
  for (const auto& item : network.named_parameters()) ours.emplace(item.key(), item.value());
  for (const auto& item : network.named_buffers()) ours.emplace(item.key(), item.value());
  const std::set<std::string> per_class = class_tensors(blueprint);
  std::vector<std::string> accepted;
  for (const auto& [name, target] : ours) {
    const auto found = conversion.tensors.find(name);
    const std::vector<std::int64_t> shape = target.sizes().vec();
    if (found == conversion.tensors.end()) {
      report.fresh.push_back(name);
    } else if (found->second.shape == shape) {
      accepted.push_back(name);
    } else if (per_class.contains(name) && differs_in_classes_only(found->second.shape, shape)) {
      report.fresh.push_back(name);
      if (keep_head) {
        problems.push_back(
            fmt::format("{} serves {} classes, the network has {}", name, found->second.shape[0], shape[0]));
      }
    } else {
      problems.push_back(fmt::format("{} has shape {}, expected {}", name, found->second.shape, shape));
    }
  }
  if (keep_head && problems.empty() && !report.fresh.empty()) {
    problems.push_back(fmt::format("no values for {}", fmt::join(report.fresh, ", ")));
  }
  if (!problems.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{} weights do not fit the network ({} differences):\n  {}",
                recognised->name, problems.size(), fmt::join(problems, "\n  "));
  }
  for (const std::string& name : accepted) {
    Converted& tensor = conversion.tensors.at(name);
    ours.at(name).copy_(torch::from_blob(tensor.values.data(), tensor.shape, torch::kFloat32));
  }
  report.loaded = std::move(accepted);
  return report;
}

}  // namespace terrapin::networks
