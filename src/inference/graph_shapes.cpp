#include "inference/graph_shapes.h"

#include <algorithm>

namespace terrapin::inference {
namespace {

using networks::Graph;
using networks::Op;
using networks::OpKind;

std::size_t inputs_needed(OpKind kind) {
  switch (kind) {
    case OpKind::kInput:
      return 0;
    case OpKind::kConv:
    case OpKind::kMaxPool:
    case OpKind::kAdaptiveAvgPool:
      return 1;
    case OpKind::kAdd:
    case OpKind::kResizeLike:
    case OpKind::kUpsampleStride:
      return 2;
    case OpKind::kConcat:
      return 1;  // or more
  }
  return 0;
}

std::int64_t window_result(std::int64_t size, const Op& op, int dilation) {
  const std::int64_t reach = std::int64_t{op.kernel - 1} * dilation + 1;
  return (size + 2 * op.padding - reach) < 0 ? 0 : (size + 2 * op.padding - reach) / op.stride + 1;
}

Status check_convolution(const Op& op, int input_channels) {
  if (op.groups < 1 || input_channels % op.groups != 0 || op.channels % op.groups != 0) {
    return fail(ErrorCode::kCorrupt, "graph: '{}': {} groups do not divide {} -> {} channels", op.name,
                op.groups, input_channels, op.channels);
  }
  const std::size_t expected = static_cast<std::size_t>(op.channels) *
                               static_cast<std::size_t>(input_channels / op.groups) *
                               static_cast<std::size_t>(op.kernel) * static_cast<std::size_t>(op.kernel);
  if (op.weight.size() != expected || op.bias.size() != static_cast<std::size_t>(op.channels)) {
    return fail(ErrorCode::kCorrupt, "graph: '{}': {} weights and {} biases, expected {} and {}", op.name,
                op.weight.size(), op.bias.size(), expected, op.channels);
  }
  return {};
}

}  // namespace

Status check_graph(const Graph& graph) {
  if (graph.ops.empty() || graph.ops[0].kind != OpKind::kInput) {
    return fail(ErrorCode::kCorrupt, "graph: the first operation must be the input");
  }
  if (graph.output < 0 || graph.output >= static_cast<int>(graph.ops.size())) {
    return fail(ErrorCode::kCorrupt, "graph: output {} is not one of {} operations", graph.output,
                graph.ops.size());
  }
  for (int i = 1; i < static_cast<int>(graph.ops.size()); ++i) {
    const Op& op = graph.ops[static_cast<std::size_t>(i)];
    const std::size_t needed = inputs_needed(op.kind);
    if (op.inputs.size() < needed || (op.kind != OpKind::kConcat && op.inputs.size() != needed)) {
      return fail(ErrorCode::kCorrupt, "graph: '{}' has {} inputs, expected {}", op.name, op.inputs.size(),
                  needed);
    }
    for (const int input : op.inputs) {
      if (input < 0 || input >= i) {
        return fail(ErrorCode::kCorrupt, "graph: '{}' reads operation {}, which does not come before it",
                    op.name, input);
      }
    }
    if (op.kernel < 1 || op.stride < 1 || op.padding < 0 || op.dilation < 1 || op.pool_size < 1 ||
        op.channels < 1) {
      return fail(ErrorCode::kCorrupt, "graph: '{}' has a size below 1", op.name);
    }
    const auto channels_of = [&](std::size_t k) {
      const int input = op.inputs[k];
      return input == 0 ? std::max(graph.ops[0].channels, 3)
                        : graph.ops[static_cast<std::size_t>(input)].channels;
    };
    int expected = channels_of(0);
    if (op.kind == OpKind::kConv) {
      TERRAPIN_TRY_STATUS(check_convolution(op, expected));
      continue;
    }
    if (op.kind == OpKind::kConcat) {
      for (std::size_t k = 1; k < op.inputs.size(); ++k) expected += channels_of(k);
    }
    if (op.channels != expected || (op.kind == OpKind::kAdd && channels_of(1) != expected)) {
      return fail(ErrorCode::kCorrupt, "graph: '{}' states {} channels, its inputs give {}", op.name,
                  op.channels, expected);
    }
  }
  return {};
}

Result<std::vector<Shape>> infer_shapes(const Graph& graph, const Shape& input) {
  std::vector<Shape> shapes(graph.ops.size());
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    const auto shape_of = [&](std::size_t k) { return shapes[static_cast<std::size_t>(op.inputs[k])]; };
    Shape shape;
    switch (op.kind) {
      case OpKind::kInput:
        shape = input;
        break;
      case OpKind::kConv:
      case OpKind::kMaxPool: {
        const int dilation = op.kind == OpKind::kConv ? op.dilation : 1;
        shape = shape_of(0);
        shape.h = window_result(shape.h, op, dilation);
        shape.w = window_result(shape.w, op, dilation);
        break;
      }
      case OpKind::kAdd:
      case OpKind::kConcat:
        shape = shape_of(0);
        for (std::size_t k = 1; k < op.inputs.size(); ++k) {
          if (shape_of(k).h != shape.h || shape_of(k).w != shape.w) {
            return fail(ErrorCode::kInvalidArgument,
                        "graph: '{}' joins {} x {} and {} x {} for an input of {} x {}", op.name, shape.w,
                        shape.h, shape_of(k).w, shape_of(k).h, input.w, input.h);
          }
        }
        break;
      case OpKind::kAdaptiveAvgPool:
        shape = shape_of(0);
        shape.h = shape.w = op.pool_size;
        break;
      case OpKind::kResizeLike:
      case OpKind::kUpsampleStride:
        shape = shape_of(0);
        shape.h = shape_of(1).h;
        shape.w = shape_of(1).w;
        break;
    }
    if (op.kind != OpKind::kInput) shape.c = op.channels;
    if (shape.h < 1 || shape.w < 1) {
      return fail(ErrorCode::kInvalidArgument, "an input of {} x {} pixels is too small for '{}'", input.w,
                  input.h, op.name);
    }
    shapes[i] = shape;
  }
  return shapes;
}

std::vector<bool> needed_operations(const Graph& graph, const std::vector<int>& outputs,
                                    const std::vector<int>& given) {
  std::vector<bool> needed(graph.ops.size(), false);
  for (const int output : outputs) needed[static_cast<std::size_t>(output)] = true;
  for (std::size_t i = graph.ops.size(); i-- > 0;) {
    if (!needed[i] || std::find(given.begin(), given.end(), static_cast<int>(i)) != given.end()) continue;
    const Op& op = graph.ops[i];
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      // The second input of a resize lends its size only.
      const bool size_only = k == 1 && (op.kind == OpKind::kResizeLike || op.kind == OpKind::kUpsampleStride);
      if (!size_only) needed[static_cast<std::size_t>(op.inputs[k])] = true;
    }
  }
  return needed;
}

Tail split_tail(const Graph& graph) {
  Tail tail;
  tail.trunk = graph.output;
  for (;;) {
    const Op& op = graph.ops[static_cast<std::size_t>(tail.trunk)];
    if (op.kind != OpKind::kResizeLike && op.kind != OpKind::kUpsampleStride) break;
    tail.resizes.insert(tail.resizes.begin(), tail.trunk);
    tail.trunk = op.inputs[0];
  }
  return tail;
}

}  // namespace terrapin::inference
