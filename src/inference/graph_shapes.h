// What a graph does to sizes, and where its last enlargement begins.
#pragma once

#include <vector>

#include "base/result.h"
#include "inference/tensor.h"
#include "networks/graph.h"

namespace terrapin::inference {

// Checks that operations follow their inputs, that weights have the size their shape says and that channel
// counts agree. kCorrupt names the operation.
Status check_graph(const networks::Graph& graph);

// The shape of every operation for this input. A graph that passed check_graph and an input of at least 1 x 1
// always has shapes of at least 1 x 1, except after a convolution or pool wider than its padded input:
// kInvalidArgument then.
Result<std::vector<Shape>> infer_shapes(const networks::Graph& graph, const Shape& input);

// Operations that `outputs` need, directly or not; those in `given` need nothing themselves.
std::vector<bool> needed_operations(const networks::Graph& graph, const std::vector<int>& outputs,
                                    const std::vector<int>& given = {});

// The enlargements at the end of a graph only interpolate; masks are made without carrying them out at full
// size.
struct Tail {
  int trunk = 0;             // the operation that gives the small logits
  std::vector<int> resizes;  // kResizeLike and kUpsampleStride operations from there to the output, in order
};
Tail split_tail(const networks::Graph& graph);

}  // namespace terrapin::inference
