// Trainable networks. Includes torch: only networks, training and inference .cpp files may include this.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/model_package.h"
#include "base/result.h"
#include "networks/graph.h"

namespace terrapin::networks {

struct NetworkOutput {
  torch::Tensor logits;     // N x num_classes x H x W float32, H x W = the input's
  torch::Tensor auxiliary;  // the same shape; undefined in evaluation mode and without an auxiliary head
};

// In place: the sum over all processes that train together, the same bits in each.
using SumOverProcesses = std::function<void(torch::Tensor&)>;

// The part that this process has of a batch which several processes train on together.
struct BatchShare {
  std::int64_t first = 0,
               total = 0;  // its samples are first, first + 1, ... of total; total 0: the batch is its own
  SumOverProcesses sum_norms;  // where set, batch norm learns from the samples of all processes
};

class SegmentationNetwork : public torch::nn::Module {
 public:
  // `input`: N x 3 x H x W, normalised by the spec's preprocessing; any H, W >= 1. Channels-last input spares
  // a copy. While training, a batch norm that sees a single value per channel (a global branch, N = 1) uses
  // its running statistics.
  virtual NetworkOutput forward(const torch::Tensor& input) = 0;
  // The evaluation-mode network without its auxiliary head, weights copied, batch norm folded.
  virtual Graph graph() const = 0;
  // Preprocessing this network's usual initial weights expect (mean, std, size rule); long_side is left to
  // the caller.
  virtual artifacts::Preprocessing preprocessing() const = 0;
  // Parameters of the pretrained part (encoder) and of the new part (decoder, heads): trained at different
  // rates.
  virtual std::vector<torch::Tensor> encoder_parameters() const = 0;
  virtual std::vector<torch::Tensor> decoder_parameters() const = 0;

  // While training, batch norm uses its running statistics and leaves them as they are; dropout and the
  // auxiliary head train on.
  void freeze_norms(bool frozen) { norms_frozen_ = frozen; }
  bool norms_frozen() const { return norms_frozen_; }

  // Of the batches that forward() sees while training. Dropout then drops what it would drop of these samples
  // were the batch whole.
  void take_share(BatchShare share) { share_ = std::move(share); }
  const BatchShare& share() const { return share_; }

 private:
  bool norms_frozen_ = false;
  BatchShare share_;
};

// Builds the named network with random weights drawn from torch's generator. kInvalidArgument lists the known
// names.
Result<std::shared_ptr<SegmentationNetwork>> build_network(const artifacts::NetworkSpec& spec);

// Makes a randomly started norm-free network trainable: layer by layer, each convolution without batch norm
// is rescaled and shifted so that its answers on `batch` (N x 3 x H x W, normalised; 8 photos are plenty)
// have mean 0 and variance 1 per channel (after Mishkin & Matas, "All you need is a good init", 2016).
// Classifiers and convolutions with batch norm stay as they are. Call it only for networks without pretrained
// weights.
void initialize_from_batch(SegmentationNetwork& network, const torch::Tensor& batch);

// Every parameter and buffer by name <-> torch-free tensors (checkpoints, packages). Strict: loading reports
// every missing, surplus and mis-shaped tensor.
artifacts::TensorFile save_weights(const SegmentationNetwork& network,
                                   artifacts::DType stored_as = artifacts::DType::kF32);
Status load_weights(SegmentationNetwork& network, const artifacts::TensorFile& weights);

// Runs a graph with libtorch operators on `input`'s device: the reference executor, and the one used on CUDA.
// `context` maps the index of a global_context op to the value that replaces it (N x C x p x p); empty:
// computed.
torch::Tensor run_graph(const Graph& graph, const torch::Tensor& input,
                        const std::map<int, torch::Tensor>& context = {});

}  // namespace terrapin::networks
