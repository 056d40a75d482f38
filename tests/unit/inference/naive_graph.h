// The twin that is too simple to be wrong: every operation as its definition reads, in double.
#pragma once

#include <vector>

#include "inference/tensor.h"
#include "networks/graph.h"

namespace terrapin::inference::testing {

// The value of `output` for one input (N = 1 or more).
Tensor run_naively(const networks::Graph& graph, const Tensor& input, int output);

// Largest difference, divided by the largest magnitude in `expected` (at least 1).
double relative_difference(const Tensor& expected, const Tensor& actual);

}  // namespace terrapin::inference::testing
