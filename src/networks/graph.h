// A network at rest: a list of operations with batch norm folded into convolution weights. Free of torch, so
// that the oneDNN engine, the libtorch executor and the ONNX export all read the same description. Shapes are
// worked out at run time: a graph serves every input size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace terrapin::networks {

enum class Activation { kNone, kRelu, kRelu6 };

enum class OpKind {
  kInput,            // N x channels (3: a photo) x H x W, normalised
  kConv,             // inputs[0]; weight OIHW, bias; stride, padding, dilation, groups; then activation
  kAdd,              // inputs[0] + inputs[1]; then activation
  kConcat,           // channels of inputs in order
  kMaxPool,          // kernel, stride, padding (-inf outside)
  kAdaptiveAvgPool,  // to pool_size x pool_size bins (1 = global average); bin edges as torch defines them
  kResizeLike,  // inputs[0] bilinearly to the spatial size of inputs[1]; half-pixel centres, edges clamped
                // (align_corners=false)
  kUpsampleStride,  // inputs[0] enlarged by integer `stride`: value at x comes from x / stride (grids aligned
                    // at their first pixel), edges clamped; then cut to the spatial size of inputs[1]
};

struct Op {
  OpKind kind = OpKind::kInput;
  std::string name;
  std::vector<int> inputs;  // indices of earlier operations
  int channels = 0;         // of the result
  int kernel = 1, stride = 1, padding = 0, dilation = 1, groups = 1;
  int pool_size = 1;
  Activation activation = Activation::kNone;
  std::vector<float> weight;  // kConv: [out, in/groups, kernel, kernel]
  std::vector<float> bias;    // kConv: [out]
  // True for a pool whose answer describes the whole photo: when a photo is predicted in tiles, its value is
  // taken from the downscaled whole instead.
  bool global_context = false;
};

struct Graph {
  std::vector<Op> ops;  // ops[0] is kInput; topologically ordered
  int output = 0;       // logits, N x num_classes x H x W, same H x W as the input
  int output_stride = 16;
};

}  // namespace terrapin::networks
