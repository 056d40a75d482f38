// Photos to network input and logits to masks, in one place so that training's scores and prediction's agree.
#pragma once

#include <torch/torch.h>

#include "artifacts/model_package.h"
#include "imaging/image.h"

namespace terrapin::networks {

// 1 x 3 x h x w float32, (pixel / 255 - mean) / std, at network_input_size(preprocessing, photo.size()).
torch::Tensor photo_to_input(const imaging::Image& photo, const artifacts::Preprocessing& preprocessing);
// An 8-bit RGB image of any size, unscaled: N = 1.
torch::Tensor image_to_tensor(const imaging::Image& image, const artifacts::Preprocessing& preprocessing);

// `logits`: 1 x C x h x w at the network's input size. Interpolated bilinearly (half-pixel centres) to the
// photo's size, then argmax, the lowest index on ties.
imaging::Mask logits_to_mask(const torch::Tensor& logits, imaging::Size photo);

}  // namespace terrapin::networks
