// Losses over class logits. Label 255, and any other that is not a class, never contributes.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "networks/network.h"

namespace terrapin::training {

struct LossSpec {
  double cross_entropy_weight = 1, dice_weight = 0;
  std::vector<double> class_weights;         // of the cross-entropy, one per class; empty: all 1
  networks::SumOverProcesses sum = nullptr;  // where set, the loss is that of all processes' pixels together
};

struct LossResult {
  torch::Tensor total;          // scalar, of the logits' type
  torch::Tensor cross_entropy;  // scalars without gradient
  torch::Tensor dice;
};

// `logits`: N x C x H x W, float32 or float64, any memory format. `labels`: N x H x W uint8 on the same
// device. cross-entropy: mean of -log softmax over the counted pixels, weighted by their class as torch does;
// 0 without any. dice (Milletari et al., "V-Net", 2016, in the linear form): 1 - mean over the classes
// present in the labels of (2 sum p g + 1) / (sum p + sum g + 1), sums over all counted pixels of the batch.
// total = cross_entropy_weight * cross_entropy + dice_weight * dice.
// With `sum` both are of the whole batch whose parts the processes hold, whatever the parts' sizes and
// labels, and the gradient is that of this process's logits in it: parameters' gradients are then to be added
// up, not averaged. It is called once. On a CPU one fused pass each way, exact in order: the result does not
// depend on the number of threads.
LossResult segmentation_loss(const torch::Tensor& logits, const torch::Tensor& labels, const LossSpec& spec);

// The same from torch's own operations: used on other devices, and in tests as the yardstick.
LossResult composed_loss(const torch::Tensor& logits, const torch::Tensor& labels, const LossSpec& spec);

}  // namespace terrapin::training
