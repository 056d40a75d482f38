// The decoder for the CPU: DeepLabV3's MobileNetV2 head (one 1 x 1 branch and the global one), norm-free, as
// in the public VOC weights; with skip connections a narrow path sharpens its answer at strides 8 and 4.
#include "networks/blueprint.h"

namespace terrapin::networks {

int add_separable(Blueprint& network, int input, const std::string& name) {
  const int width = network.channels(input);
  const int spread = network.conv(input, {.name = name + ".depthwise",
                                          .channels = width,
                                          .kernel = 3,
                                          .groups = width,
                                          .activation = Activation::kRelu});
  return network.conv(spread,
                      {.name = name + ".project", .channels = width, .activation = Activation::kRelu});
}

int add_mobilenet_head(Blueprint& network, int features) {
  constexpr int kWidth = 256;
  const int pooled = network.pool_whole(features, 1);
  const int global =
      network.conv(pooled, {.name = "decoder.pool", .channels = kWidth, .activation = Activation::kRelu});
  const int local =
      network.conv(features, {.name = "decoder.local", .channels = kWidth, .activation = Activation::kRelu});
  const int both = network.concat({network.resize_like(global, features), local});
  return network.conv(both, {.name = "decoder.fuse", .channels = kWidth, .activation = Activation::kRelu});
}

int add_lite_decoder(Blueprint& network, const Features& features, int num_classes, int skip_channels) {
  const int fused = add_mobilenet_head(network, features.last);
  const int coarse = network.conv(
      fused, {.name = "decoder.classifier", .channels = num_classes, .start = Start::kClassifier});
  if (skip_channels == 0) return network.upsample_stride(coarse, network.output_stride, 0);

  // Grids align at their first pixel, so enlarging by 4 and by 4 again equals enlarging by 16: while the
  // refinement's last layer is zero, the answer is exactly that of the coarse path.
  const auto join = [&](int low, int skip, int stride, const std::string& name) {
    const int raised = network.upsample_stride(low, stride, skip);
    const int lateral = network.conv(skip, {.name = name + ".lateral", .channels = skip_channels});
    return add_separable(network, network.add(lateral, raised, Activation::kRelu), name);
  };
  const int narrow = network.conv(fused, {.name = "decoder.refine16.narrow", .channels = skip_channels});
  const int at8 = join(narrow, features.stride8, 2, "decoder.refine8");
  const int at4 = join(at8, features.stride4, 2, "decoder.refine4");
  const int correction = network.conv(
      at4, {.name = "decoder.refine4.classifier", .channels = num_classes, .start = Start::kZero});
  const int logits = network.add(correction, network.upsample_stride(coarse, 4, at4));
  return network.upsample_stride(logits, 4, 0);
}

}  // namespace terrapin::networks
