// MobileNetV2 (Sandler et al., 2018), width 1.0, norm-free: batch norm is folded into the convolutions.
// Output stride 16: the last stage keeps its resolution and dilates by 2, as DeepLab's public MobileNetV2
// does.
#include "networks/blueprint.h"

namespace terrapin::networks {

namespace {

struct Stage {
  int expansion, channels, blocks, stride, dilation;
};
// The 160-channel stage would have stride 2: it and what follows are dilated instead.
constexpr Stage kStages[] = {
    {1, 16, 1, 1, 1}, {6, 24, 2, 2, 1},  {6, 32, 3, 2, 1},  {6, 64, 4, 2, 1},
    {6, 96, 3, 1, 1}, {6, 160, 3, 1, 2}, {6, 320, 1, 1, 2},
};

}  // namespace

Features add_mobilenet_v2(Blueprint& network) {
  Features features;
  int x = network.conv(
      0,
      {.name = "encoder.stem", .channels = 32, .kernel = 3, .stride = 2, .activation = Activation::kRelu6});
  int block = 0;
  int stride = 2;
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.blocks; ++i, ++block) {
      const std::string name = fmt::format("encoder.block{}", block);
      const int step = i == 0 ? stage.stride : 1;
      // The convolution that lost its stride still looks at direct neighbours; dilation begins after it.
      const int dilation = stage.channels == 160 && i == 0 ? 1 : stage.dilation;
      const int entry = x;
      const int width = network.channels(entry) * stage.expansion;
      int y = entry;
      if (stage.expansion != 1) {
        y = network.conv(entry,
                         {.name = name + ".expand", .channels = width, .activation = Activation::kRelu6});
      }
      if (step == 2 && stride == 8) features.stride8 = y;  // 192 rectified channels, the last at stride 8
      y = network.conv(y, {.name = name + ".depthwise",
                           .channels = width,
                           .kernel = 3,
                           .stride = step,
                           .dilation = dilation,
                           .groups = width,
                           .activation = Activation::kRelu6});
      y = network.conv(y, {.name = name + ".project", .channels = stage.channels});
      stride *= step;
      const bool residual = step == 1 && network.channels(entry) == stage.channels;
      x = residual ? network.add(y, entry) : y;
    }
    if (stage.channels == 16) features.stride2 = x;
    if (stage.channels == 24) features.stride4 = x;
    if (stage.channels == 96) features.middle = x;
  }
  features.last = x;
  return features;
}

}  // namespace terrapin::networks
