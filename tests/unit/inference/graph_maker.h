// Graphs with random weights for tests: small ones that exercise every operation, and the shape of
// MobileNetV2 + lite.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "inference/tensor.h"
#include "networks/graph.h"

namespace terrapin::inference::testing {

// Appends operations; each returns the index of what it appended. Weights are drawn so that values keep their
// scale.
class GraphMaker {
 public:
  explicit GraphMaker(std::uint64_t seed) : random_(seed) {
    networks::Op input;
    input.name = "input";
    input.channels = 3;
    graph_.ops.push_back(input);
  }

  struct Convolution {
    int channels = 8, kernel = 1, stride = 1, dilation = 1, groups = 1;
    networks::Activation activation = networks::Activation::kNone;
  };
  int convolution(int from, const Convolution& options);
  int depthwise(int from, int stride, int dilation, networks::Activation activation);
  int add(int left, int right, networks::Activation activation = networks::Activation::kNone);
  int concat(const std::vector<int>& parts);
  int max_pool(int from, int kernel, int stride, int padding);
  int adaptive_pool(int from, int bins);
  int resize_like(int from, int like);
  int upsample(int from, int stride, int like);
  int channels(int op) const { return graph_.ops[static_cast<std::size_t>(op)].channels; }
  networks::Op& op(int op) { return graph_.ops[static_cast<std::size_t>(op)]; }
  networks::Graph finish(int output, int output_stride);

 private:
  int append(networks::Op op);
  networks::Graph graph_;
  Random random_;
};

// MobileNetV2 at output stride 16 with a decoder that joins the stride-4 features.
networks::Graph mobilenet_like(int classes, std::uint64_t seed, double width = 1.0);
// A residual network with max pool, fused and unfused additions, a global pool and pyramid pools.
networks::Graph residual_like(int classes, std::uint64_t seed);
// Uniform in [-1, 1].
Tensor random_input(const Shape& shape, std::uint64_t seed);

}  // namespace terrapin::inference::testing
