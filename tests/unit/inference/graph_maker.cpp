#include "unit/inference/graph_maker.h"

#include <cmath>
#include <utility>

namespace terrapin::inference::testing {

using networks::Activation;
using networks::Graph;
using networks::Op;
using networks::OpKind;

int GraphMaker::append(Op op) {
  op.name = "op" + std::to_string(graph_.ops.size());
  graph_.ops.push_back(std::move(op));
  return static_cast<int>(graph_.ops.size()) - 1;
}

int GraphMaker::convolution(int from, const Convolution& options) {
  Op op;
  op.kind = OpKind::kConv;
  op.inputs = {from};
  op.channels = options.channels;
  op.kernel = options.kernel;
  op.stride = options.stride;
  op.dilation = options.dilation;
  op.groups = options.groups;
  op.padding = (options.kernel - 1) / 2 * options.dilation;
  op.activation = options.activation;
  const int fan_in = channels(from) / options.groups * options.kernel * options.kernel;
  const double scale = std::sqrt((options.activation == Activation::kNone ? 1.0 : 2.0) / fan_in);
  for (int i = 0; i < options.channels * fan_in; ++i)
    op.weight.push_back(static_cast<float>(random_.normal() * scale));
  for (int i = 0; i < options.channels; ++i)
    op.bias.push_back(static_cast<float>(random_.uniform(-0.2, 0.2)));
  return append(std::move(op));
}

int GraphMaker::depthwise(int from, int stride, int dilation, Activation activation) {
  return convolution(from, {channels(from), 3, stride, dilation, channels(from), activation});
}

int GraphMaker::add(int left, int right, Activation activation) {
  Op op;
  op.kind = OpKind::kAdd;
  op.inputs = {left, right};
  op.channels = channels(left);
  op.activation = activation;
  return append(std::move(op));
}

int GraphMaker::concat(const std::vector<int>& parts) {
  Op op;
  op.kind = OpKind::kConcat;
  op.inputs = parts;
  for (const int part : parts) op.channels += channels(part);
  return append(std::move(op));
}

int GraphMaker::max_pool(int from, int kernel, int stride, int padding) {
  Op op;
  op.kind = OpKind::kMaxPool;
  op.inputs = {from};
  op.channels = channels(from);
  op.kernel = kernel;
  op.stride = stride;
  op.padding = padding;
  return append(std::move(op));
}

int GraphMaker::adaptive_pool(int from, int bins) {
  Op op;
  op.kind = OpKind::kAdaptiveAvgPool;
  op.inputs = {from};
  op.channels = channels(from);
  op.pool_size = bins;
  op.global_context = true;
  return append(std::move(op));
}

int GraphMaker::resize_like(int from, int like) {
  Op op;
  op.kind = OpKind::kResizeLike;
  op.inputs = {from, like};
  op.channels = channels(from);
  return append(std::move(op));
}

int GraphMaker::upsample(int from, int stride, int like) {
  Op op;
  op.kind = OpKind::kUpsampleStride;
  op.inputs = {from, like};
  op.channels = channels(from);
  op.stride = stride;
  return append(std::move(op));
}

Graph GraphMaker::finish(int output, int output_stride) {
  graph_.output = output;
  graph_.output_stride = output_stride;
  return std::move(graph_);
}

Graph mobilenet_like(int classes, std::uint64_t seed, double width) {
  constexpr auto kRelu6 = Activation::kRelu6;
  const auto scaled = [width](int channels) {
    return std::max(8, static_cast<int>(channels * width) / 8 * 8);
  };
  GraphMaker make(seed);
  int at = make.convolution(0, {scaled(32), 3, 2, 1, 1, kRelu6});
  at = make.depthwise(at, 1, 1, kRelu6);
  at = make.convolution(at, {scaled(16)});
  struct Stage {
    int channels, blocks, stride, dilation;
  };
  int skip = -1;
  for (const Stage& stage : {Stage{24, 2, 2, 1}, Stage{32, 3, 2, 1}, Stage{64, 4, 2, 1}, Stage{96, 3, 1, 1},
                             Stage{160, 3, 1, 2}, Stage{320, 1, 1, 2}}) {
    for (int block = 0; block < stage.blocks; ++block) {
      const int before = at;
      at = make.convolution(at, {make.channels(at) * 6, 1, 1, 1, 1, kRelu6});
      at = make.depthwise(at, block == 0 ? stage.stride : 1, stage.dilation, kRelu6);
      at = make.convolution(at, {scaled(stage.channels)});
      if (block > 0) at = make.add(before, at);
    }
    if (stage.channels == 24) skip = at;
  }
  const int context = make.adaptive_pool(at, 1);
  const int wide = make.convolution(context, {scaled(256), 1, 1, 1, 1, Activation::kRelu});
  const int spread = make.resize_like(wide, at);
  const int local = make.convolution(at, {scaled(256), 1, 1, 1, 1, Activation::kRelu});
  const int joined =
      make.convolution(make.concat({spread, local}), {scaled(256), 1, 1, 1, 1, Activation::kRelu});
  const int small = make.convolution(joined, {classes});
  const int up = make.upsample(small, 4, skip);
  const int fine = make.convolution(skip, {classes});
  const int sum = make.add(up, fine);
  return make.finish(make.upsample(sum, 4, 0), 16);
}

Graph residual_like(int classes, std::uint64_t seed) {
  constexpr auto kRelu = Activation::kRelu;
  GraphMaker make(seed);
  int at = make.convolution(0, {16, 7, 2, 1, 1, kRelu});
  at = make.max_pool(at, 3, 2, 1);
  for (int block = 0; block < 3; ++block) {
    const int before = at;
    at = make.convolution(at, {12, 1, 1, 1, 1, kRelu});
    at = make.convolution(at, {12, 3, block == 1 ? 2 : 1, block == 2 ? 2 : 1, 1, kRelu});
    at = make.convolution(at, {32});
    const int shortcut = block < 2 ? make.convolution(before, {32, 1, block == 1 ? 2 : 1}) : before;
    at = make.add(at, shortcut, kRelu);
  }
  std::vector<int> parts{at};
  for (const int bins : {1, 2, 3}) {
    const int reduced =
        make.convolution(make.adaptive_pool(at, bins), {bins == 3 ? 12 : 16, 1, 1, 1, 1, kRelu});
    parts.push_back(make.resize_like(reduced, at));
  }
  const int grouped = make.convolution(at, {32, 3, 1, 1, 4, kRelu});
  const int doubled = make.add(grouped, grouped);
  parts.push_back(doubled);
  const int joined = make.convolution(make.concat(parts), {20, 3, 1, 2, 1, kRelu});
  const int logits = make.convolution(joined, {classes});
  return make.finish(make.resize_like(logits, 0), 8);
}

Tensor random_input(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  Tensor tensor(shape);
  for (std::int64_t i = 0; i < shape.count(); ++i) {
    tensor.values[static_cast<std::size_t>(i)] = static_cast<float>(random.uniform(-1, 1));
  }
  return tensor;
}

}  // namespace terrapin::inference::testing
