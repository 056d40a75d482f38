// The network behind four clicks: MobileNetV2 that also sees the points and the mask so far, DeepLab's head
// of the public VOC weights, and a narrow path that sharpens its answer at strides 8, 4 and 2.
#include "networks/assist_model.h"

namespace terrapin::networks {

Blueprint make_assist_blueprint(const AssistSpec& spec) {
  Blueprint network(kPromptChannels);
  network.backbone = "mobilenet-v2";
  network.algorithm = "assist";
  network.output_stride = 16;
  network.preprocessing.size_multiple = 16;
  network.preprocessing.size_offset = 1;
  const Features features = add_mobilenet_v2(network);

  const int fused = add_mobilenet_head(network, features.last);

  const auto join = [&](int low, int skip, int width, int rounds, const std::string& name) {
    const int narrow = network.conv(low, {.name = name + ".narrow", .channels = width});
    const int raised = network.upsample_stride(narrow, 2, skip);
    const int lateral = network.conv(skip, {.name = name + ".lateral", .channels = width});
    int y = network.add(lateral, raised, Activation::kRelu);
    for (int round = 0; round < rounds; ++round)
      y = add_separable(network, y, fmt::format("{}.{}", name, round));
    return y;
  };
  const int at8 = join(fused, features.stride8, spec.width, 2, "decoder.assist8");
  const int at4 = join(at8, features.stride4, spec.width, 2, "decoder.assist4");
  const int at2 = join(at4, features.stride2, spec.width / 2, 1, "decoder.assist2");
  const int smooth = network.conv(at2, {.name = "decoder.assist2.smooth",
                                        .channels = spec.width / 4,
                                        .kernel = 3,
                                        .activation = Activation::kRelu});
  const int logits = network.conv(
      smooth, {.name = "decoder.assist2.classifier", .channels = 1, .start = Start::kClassifier});
  network.output = network.upsample_stride(logits, 2, 0);
  return network;
}

}  // namespace terrapin::networks
