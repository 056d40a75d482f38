#include "networks/graph.h"

#include <algorithm>

namespace terrapin::networks {

int receptive_radius(const Graph& graph) {
  // Per operation: pixels of the input between neighbours, and how far beyond its own place a value looks.
  std::vector<int> spacing(graph.ops.size(), 1), radius(graph.ops.size(), 0);
  for (std::size_t i = 1; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    const auto first = static_cast<std::size_t>(op.inputs[0]);
    spacing[i] = spacing[first];
    radius[i] = radius[first];
    switch (op.kind) {
      case OpKind::kInput:
        break;
      case OpKind::kConv:
      case OpKind::kMaxPool:
        radius[i] += spacing[first] * std::max(op.padding, op.dilation * (op.kernel - 1) - op.padding);
        spacing[i] *= op.stride;
        break;
      case OpKind::kAdd:
      case OpKind::kConcat:
        for (const int input : op.inputs) {
          radius[i] = std::max(radius[i], radius[static_cast<std::size_t>(input)]);
        }
        break;
      case OpKind::kAdaptiveAvgPool:
        radius[i] = 0;  // the whole picture: global context, kept apart
        break;
      case OpKind::kResizeLike:
      case OpKind::kUpsampleStride: {
        const auto like = static_cast<std::size_t>(op.inputs[1]);
        const bool from_whole = graph.ops[first].kind == OpKind::kAdaptiveAvgPool || radius[first] == 0;
        if (!from_whole) radius[i] += spacing[first];
        spacing[i] = spacing[like];
        break;
      }
    }
  }
  return radius[static_cast<std::size_t>(graph.output)];
}

}  // namespace terrapin::networks
