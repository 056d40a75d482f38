// ResNet-50/101 (He et al., 2015) in torchvision's layout and names: the stride of a stage lies in its 3 x 3
// convolution, and the last two stages are dilated instead of strided (replace_stride_with_dilation = [False,
// True, True]), output stride 8.
#include "networks/blueprint.h"

namespace terrapin::networks {

Features add_resnet(Blueprint& network, const std::vector<int>& blocks) {
  Features features;
  int x = network.conv(0, {.name = "backbone.conv1",
                           .norm = "backbone.bn1",
                           .channels = 64,
                           .kernel = 7,
                           .stride = 2,
                           .activation = Activation::kRelu});
  x = network.max_pool(x, 3, 2, 1);
  int dilation = 1;
  for (int stage = 0; stage < 4; ++stage) {
    const int width = 64 << stage;
    const int stage_stride = stage == 1 ? 2 : 1;
    const int before = dilation;
    if (stage >= 2) dilation *= 2;
    for (int block = 0; block < blocks[static_cast<std::size_t>(stage)]; ++block) {
      const std::string name = fmt::format("backbone.layer{}.{}", stage + 1, block);
      const int stride = block == 0 ? stage_stride : 1;
      const int entry = x;
      int y = network.conv(entry, {.name = name + ".conv1",
                                   .norm = name + ".bn1",
                                   .channels = width,
                                   .activation = Activation::kRelu});
      y = network.conv(y, {.name = name + ".conv2",
                           .norm = name + ".bn2",
                           .channels = width,
                           .kernel = 3,
                           .stride = stride,
                           .dilation = block == 0 ? before : dilation,
                           .activation = Activation::kRelu});
      y = network.conv(y, {.name = name + ".conv3", .norm = name + ".bn3", .channels = width * 4});
      int shortcut = entry;
      if (block == 0) {
        shortcut = network.conv(entry, {.name = name + ".downsample.0",
                                        .norm = name + ".downsample.1",
                                        .channels = width * 4,
                                        .stride = stride});
      }
      x = network.add(y, shortcut, Activation::kRelu);
    }
    if (stage == 2) features.middle = x;
  }
  features.last = x;
  return features;
}

}  // namespace terrapin::networks
