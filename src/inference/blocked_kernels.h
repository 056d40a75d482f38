// Operations oneDNN lacks, on its channel-blocked layout: N x (C / B) x H x W x B floats, B = 16, 8 or 1 (1
// is plain NCHW). The last block is padded with channels that hold zeros.
#pragma once

#include <cstdint>
#include <vector>

#include "inference/tensor.h"

namespace terrapin::inference {

struct BlockedView {
  float* data = nullptr;
  Shape shape;
  int block = 1;
  std::int64_t channel_blocks() const { return (shape.c + block - 1) / block; }
};

// Two neighbours and the share of the second, for every output position of one axis.
struct LinearTaps {
  std::vector<std::int32_t> low, high;
  std::vector<float> share;
};
LinearTaps half_pixel_taps(std::int64_t source, std::int64_t target);          // kResizeLike
LinearTaps stride_taps(std::int64_t source, int stride, std::int64_t target);  // kUpsampleStride

// Bilinear; source and target have the same N, C and block. Uses up to `threads` OpenMP threads.
void interpolate(const BlockedView& source, const LinearTaps& rows, const LinearTaps& columns,
                 const BlockedView& target, int threads);

// Mean over bins as torch's adaptive_avg_pool2d defines them: [floor(i * H / p), ceil((i + 1) * H / p)).
void adaptive_average(const BlockedView& source, const BlockedView& target, int threads);

}  // namespace terrapin::inference
