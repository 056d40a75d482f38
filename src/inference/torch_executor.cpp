// libtorch behind the executor interface: the reference on a CPU, and the engine on CUDA.
#include <torch/torch.h>

#include <map>
#include <mutex>

#include "inference/executor.h"
#include "inference/graph_shapes.h"
#include "networks/network.h"

namespace terrapin::inference {
namespace {

// libtorch takes its thread count from OpenMP's setting of the calling thread.
class TorchThreads {
 public:
  explicit TorchThreads(int threads) : before_(at::get_num_threads()) {
    if (threads != before_) at::set_num_threads(threads);
  }
  ~TorchThreads() {
    if (at::get_num_threads() != before_) at::set_num_threads(before_);
  }
  TorchThreads(const TorchThreads&) = delete;
  TorchThreads& operator=(const TorchThreads&) = delete;

 private:
  const int before_;
};

torch::Tensor to_torch(const Tensor& tensor, const torch::Device& device) {
  const Shape& shape = tensor.shape;
  return torch::from_blob(tensor.values.get(), {shape.n, shape.c, shape.h, shape.w}, torch::kFloat32)
      .to(device);
}

Tensor from_torch(const torch::Tensor& value) {
  const torch::Tensor plain = value.to(torch::kCPU).to(torch::kFloat32).contiguous();
  Tensor tensor(Shape{plain.size(0), plain.size(1), plain.size(2), plain.size(3)});
  std::copy_n(plain.data_ptr<float>(), tensor.shape.count(), tensor.values.get());
  return tensor;
}

class TorchExecutor final : public Executor {
 public:
  TorchExecutor(std::shared_ptr<const networks::Graph> graph, const ExecutorOptions& options, bool cuda)
      : graph_(std::move(graph)), options_(options), device_(cuda ? torch::kCUDA : torch::kCPU) {}

  std::string name() const override { return device_.is_cuda() ? "cuda" : "torch"; }

  Result<std::vector<Tensor>> run(const Tensor& input, const std::vector<int>& outputs,
                                  const Overrides& overrides) override {
    TERRAPIN_TRY(const auto shapes, infer_shapes(*graph_, input.shape));
    std::map<int, torch::Tensor> context;
    for (const auto& [op, value] : overrides) {
      if (op < 1 || op >= static_cast<int>(graph_->ops.size()) ||
          value.shape != shapes[static_cast<std::size_t>(op)]) {
        return fail(ErrorCode::kInvalidArgument,
                    "the value given for operation {} has not the shape it would compute", op);
      }
      context.emplace(op, to_torch(value, device_));
    }
    try {
      const torch::InferenceMode no_gradients;
      const TorchThreads threads(options_.threads);
      const torch::Tensor on_device = to_torch(input, device_);
      std::vector<Tensor> results;
      for (const int output : outputs) {
        const auto part = graph_to(output, overrides);
        results.push_back(from_torch(networks::run_graph(*part, on_device, context)));
      }
      return results;
    } catch (const c10::Error& error) {
      return fail(ErrorCode::kInternal, "libtorch refused the network for an input of {} x {}: {}",
                  input.shape.w, input.shape.h, error.what_without_backtrace());
    }
  }

 private:
  // The graph that ends at `output` and takes the given values. run_graph takes values only in the place of
  // pools, so an overridden operation is stated as one. Such graphs are kept: their weights are copies.
  std::shared_ptr<const networks::Graph> graph_to(int output, const Overrides& overrides) {
    if (output == graph_->output && overrides.empty()) return graph_;
    std::pair<int, std::vector<int>> key{output, {}};
    for (const auto& [op, value] : overrides) {
      if (op <= output) key.second.push_back(op);
    }
    const std::lock_guard lock(mutex_);
    auto& part = parts_[key];
    if (!part) {
      auto made = std::make_shared<networks::Graph>();
      made->ops.assign(graph_->ops.begin(), graph_->ops.begin() + output + 1);
      made->output = output;
      for (const int op : key.second) {
        networks::Op given;
        given.kind = networks::OpKind::kAdaptiveAvgPool;
        given.name = made->ops[static_cast<std::size_t>(op)].name;
        given.inputs = {0};
        given.channels = made->ops[static_cast<std::size_t>(op)].channels;
        made->ops[static_cast<std::size_t>(op)] = std::move(given);
      }
      part = std::move(made);
    }
    return part;
  }

  const std::shared_ptr<const networks::Graph> graph_;
  const ExecutorOptions options_;
  const torch::Device device_;
  std::mutex mutex_;
  std::map<std::pair<int, std::vector<int>>, std::shared_ptr<const networks::Graph>>
      parts_;  // guarded by mutex_
};

}  // namespace

bool cuda_available() {
  return torch::cuda::is_available();
}

Result<std::unique_ptr<Executor>> make_torch_executor(std::shared_ptr<const networks::Graph> graph,
                                                      const ExecutorOptions& options, bool cuda) {
  TERRAPIN_TRY_STATUS(check_graph(*graph));
  if (cuda && !cuda_available()) {
    return fail(ErrorCode::kUnsupported,
                "no CUDA device is available; use the backend \"auto\", \"onednn\" or \"torch\"");
  }
  return std::make_unique<TorchExecutor>(std::move(graph), options, cuda);
}

}  // namespace terrapin::inference
