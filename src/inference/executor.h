// Runs a graph. Three engines share this interface: oneDNN (CPU), libtorch (CPU) and libtorch (CUDA).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "inference/tensor.h"
#include "networks/graph.h"

namespace terrapin::inference {

// Values that replace what operations would compute, by operation index (N x C x h x w, the shape they would
// have).
using Overrides = std::map<int, Tensor>;

// `run` may be called from any thread; every call uses up to `threads` cores.
class Executor {
 public:
  virtual ~Executor() = default;
  // `input`: N x 3 x H x W, normalised. Answers the values of the operations `outputs`, in that order.
  // kInvalidArgument for an input too small for the network, kInternal when the engine refuses.
  virtual Result<std::vector<Tensor>> run(const Tensor& input, const std::vector<int>& outputs,
                                          const Overrides& overrides = {}) = 0;
  virtual std::string name() const = 0;  // "onednn", "torch", "cuda"
};

struct ExecutorOptions {
  int threads = 1;
  // Input shapes whose prepared plans are kept; the least recently used goes first.
  int cached_shapes = 8;
};

// kUnsupported where the build has no oneDNN.
Result<std::unique_ptr<Executor>> make_onednn_executor(std::shared_ptr<const networks::Graph> graph,
                                                       const ExecutorOptions& options);
// kUnsupported for `cuda` without a device.
Result<std::unique_ptr<Executor>> make_torch_executor(std::shared_ptr<const networks::Graph> graph,
                                                      const ExecutorOptions& options, bool cuda);
bool onednn_available();
bool cuda_available();

}  // namespace terrapin::inference
