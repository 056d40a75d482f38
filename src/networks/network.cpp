// Building, saving and loading: the registry of networks.
#include "networks/network.h"

#include <fmt/ranges.h>

#include "networks/layer_network.h"

namespace terrapin::networks {

Result<std::shared_ptr<SegmentationNetwork>> build_network(const artifacts::NetworkSpec& spec) {
  TERRAPIN_TRY(Blueprint blueprint, make_blueprint(spec));
  return std::make_shared<LayerNetwork>(std::move(blueprint));
}

void initialize_from_batch(SegmentationNetwork& network, const torch::Tensor& batch) {
  dynamic_cast<LayerNetwork&>(network).standardize(batch);
}

namespace {

std::map<std::string, torch::Tensor> named_tensors(const SegmentationNetwork& network) {
  std::map<std::string, torch::Tensor> result;
  for (const auto& item : network.named_parameters()) result.emplace(item.key(), item.value());
  for (const auto& item : network.named_buffers()) result.emplace(item.key(), item.value());
  return result;
}

}  // namespace

artifacts::TensorFile save_weights(const SegmentationNetwork& network, artifacts::DType stored_as) {
  torch::NoGradGuard no_gradients;
  artifacts::TensorFile file;
  for (const auto& [name, tensor] : named_tensors(network)) {
    const torch::Tensor plain = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    file.tensors.emplace(
        name, artifacts::from_float32({plain.data_ptr<float>(), static_cast<std::size_t>(plain.numel())},
                                      plain.sizes().vec(), stored_as));
  }
  return file;
}

Status load_weights(SegmentationNetwork& network, const artifacts::TensorFile& weights) {
  torch::NoGradGuard no_gradients;
  const auto ours = named_tensors(network);
  std::vector<std::string> problems;
  std::map<std::string, std::vector<float>> values;
  for (const auto& [name, tensor] : ours) {
    const auto found = weights.tensors.find(name);
    if (found == weights.tensors.end()) {
      problems.push_back(fmt::format("missing {} {}", name, tensor.sizes().vec()));
      continue;
    }
    if (found->second.shape != tensor.sizes().vec()) {
      problems.push_back(
          fmt::format("{} has shape {}, expected {}", name, found->second.shape, tensor.sizes().vec()));
      continue;
    }
    auto converted = artifacts::to_float32(found->second);
    if (!converted) {
      problems.push_back(fmt::format("{}: {}", name, converted.error().message));
      continue;
    }
    values.emplace(name, std::move(*converted));
  }
  for (const auto& [name, tensor] : weights.tensors) {
    if (!ours.contains(name)) problems.push_back(fmt::format("surplus {} {}", name, tensor.shape));
  }
  if (!problems.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the weights do not fit the network ({} differences):\n  {}",
                problems.size(), fmt::join(problems, "\n  "));
  }
  for (auto& [name, data] : values) {
    torch::Tensor target = ours.at(name);
    target.copy_(torch::from_blob(data.data(), target.sizes(), torch::kFloat32));
  }
  return {};
}

}  // namespace terrapin::networks
