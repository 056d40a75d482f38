// The three published heads, in torchvision's layout and names where torchvision has one.
#include "networks/blueprint.h"

namespace terrapin::networks {

// Long et al., 2015, as torchvision's FCNHead: 3 x 3 to a quarter of the channels, dropout, 1 x 1.
int add_fcn_head(Blueprint& network, int features, const std::string& name, int num_classes) {
  const int hidden = network.conv(features, {.name = name + ".0",
                                             .norm = name + ".1",
                                             .channels = network.channels(features) / 4,
                                             .kernel = 3,
                                             .activation = Activation::kRelu,
                                             .dropout = 0.1});
  return network.conv(hidden, {.name = name + ".4", .channels = num_classes, .start = Start::kClassifier});
}

// Pyramid pooling (Zhao et al., 2017): bins 1, 2, 3, 6 of a quarter of the channels each.
int add_psp_head(Blueprint& network, int features, const std::string& name, int num_classes) {
  const int width = network.channels(features) / 4;
  std::vector<int> parts{features};
  constexpr int kBins[] = {1, 2, 3, 6};
  for (int i = 0; i < 4; ++i) {
    const std::string stage = fmt::format("{}.pyramid.{}", name, i);
    const int pooled = network.pool_whole(features, kBins[i]);
    const int reduced = network.conv(
        pooled,
        {.name = stage + ".0", .norm = stage + ".1", .channels = width, .activation = Activation::kRelu});
    parts.push_back(network.resize_like(reduced, features));
  }
  const int fused = network.conv(network.concat(parts), {.name = name + ".project.0",
                                                         .norm = name + ".project.1",
                                                         .channels = width,
                                                         .kernel = 3,
                                                         .activation = Activation::kRelu,
                                                         .dropout = 0.1});
  return network.conv(fused,
                      {.name = name + ".output", .channels = num_classes, .start = Start::kClassifier});
}

// DeepLabV3 (Chen et al., 2017), torchvision's DeepLabHead: atrous spatial pyramid with a global branch, then
// 3 x 3, 1 x 1.
int add_deeplab_head(Blueprint& network, int features, const std::string& name, int num_classes,
                     const std::vector<int>& rates) {
  constexpr int kWidth = 256;
  const auto branch = [&](int input, const std::string& prefix, int first, int kernel, int dilation) {
    return network.conv(input, {.name = fmt::format("{}.{}", prefix, first),
                                .norm = fmt::format("{}.{}", prefix, first + 1),
                                .channels = kWidth,
                                .kernel = kernel,
                                .dilation = dilation,
                                .activation = Activation::kRelu});
  };
  std::vector<int> parts{branch(features, name + ".0.convs.0", 0, 1, 1)};
  int index = 1;
  for (const int rate : rates) {
    parts.push_back(branch(features, fmt::format("{}.0.convs.{}", name, index++), 0, 3, rate));
  }
  const int pooled = network.pool_whole(features, 1);
  const int global = branch(pooled, fmt::format("{}.0.convs.{}", name, index), 1, 1, 1);
  parts.push_back(network.resize_like(global, features));
  const int projected = network.conv(network.concat(parts), {.name = name + ".0.project.0",
                                                             .norm = name + ".0.project.1",
                                                             .channels = kWidth,
                                                             .activation = Activation::kRelu,
                                                             .dropout = 0.5});
  const int fused = network.conv(projected, {.name = name + ".1",
                                             .norm = name + ".2",
                                             .channels = kWidth,
                                             .kernel = 3,
                                             .activation = Activation::kRelu});
  return network.conv(fused, {.name = name + ".4", .channels = num_classes, .start = Start::kClassifier});
}

}  // namespace terrapin::networks
