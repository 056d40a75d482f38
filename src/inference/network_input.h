// Photo to network input without torch; agrees with networks::photo_to_input.
#pragma once

#include "artifacts/model_package.h"
#include "imaging/image.h"
#include "inference/tensor.h"

namespace terrapin::inference {

// Writes `image` as item `n` of `input`: (pixel / 255 - mean) / std, planes R, G, B, left-right flipped with
// `mirror`. The input's H x W is the image's size. Uses up to `threads` OpenMP threads.
void write_input(const imaging::Image& image, const artifacts::Preprocessing& preprocessing, bool mirror,
                 int threads, Tensor& input, std::int64_t n);

}  // namespace terrapin::inference
