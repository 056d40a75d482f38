// The trainable assistance network. Includes torch.
#pragma once

#include "networks/assist_model.h"
#include "networks/network.h"
#include "networks/pretrained.h"

namespace terrapin::networks {

// Random weights from torch's generator. Input N x kPromptChannels x side x side, logits N x 1 x side x side.
std::shared_ptr<SegmentationNetwork> build_assist_network(const AssistSpec& spec);

// Starts from any MobileNetV2 file that import_weights knows: its encoder, and DeepLab's head where the file
// has it. The first convolution sees points and the earlier mask with weights of zero. Errors as
// import_weights.
Result<ImportReport> import_assist_weights(SegmentationNetwork& network,
                                           const artifacts::TensorFile& weights);

}  // namespace terrapin::networks
