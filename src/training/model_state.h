// Everything that a training step changes: weights, their moving average, optimizer state.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <vector>

#include "artifacts/safetensors.h"
#include "networks/network.h"
#include "training/distributed/gradient_sums.h"
#include "training/losses.h"
#include "training/optimizer.h"
#include "training/recipe.h"

namespace terrapin::training {

struct StepLosses {
  double total = 0, cross_entropy = 0, dice = 0, auxiliary = 0;
  bool aborted = false;  // interrupted before the update: nothing has changed
};

// The part of each batch that a process trains on; alone, the whole.
struct BatchPart {
  std::shared_ptr<ProcessGroup> processes;  // null: alone
  std::int64_t first = 0, count = 0;        // samples of the batch

  static BatchPart of(std::shared_ptr<ProcessGroup> processes, std::int64_t batch_size);
};

// Values as a checkpoint keeps them: int64 as I64, all else as F32; and back.
artifacts::TensorData to_data(const torch::Tensor& tensor);
torch::Tensor from_data(const artifacts::TensorData& data);

class ModelState {
 public:
  // `network` and `average`: two networks of one spec; `average` is what gets validated. Both are moved to
  // `device`. `average` starts as a copy of `network`.
  ModelState(std::shared_ptr<networks::SegmentationNetwork> network,
             std::shared_ptr<networks::SegmentationNetwork> average, const TrainingOptions& options,
             LossSpec loss, torch::Device device, BatchPart part = {});

  // Everybody has rank 0's weights afterwards; nothing alone.
  Status share_start();

  // One forward pass, backward pass and update. `pixels`: N x 3 x H x W float32 (channels-last memory is
  // free), `labels`: N x H x W uint8, both on any device. Looks at base/interrupt.h between layers of the
  // backward pass and before the update. kInvalidArgument if the loss is not finite.
  // With other processes: `pixels` are this one's part, losses and update are those of the whole batch, the
  // same bits in each process, and interruptions are left to the caller: a step is done by all or by none.
  Result<StepLosses> step(const torch::Tensor& pixels, const torch::Tensor& labels, double learning_rate);

  // The network to validate and package: the moving average, or a copy of the weights where there is none.
  networks::SegmentationNetwork& evaluated();

  void save(artifacts::TensorFile& file) const;
  Status restore(const artifacts::TensorFile& file);
  const GradientScaler& scaler() const { return scaler_; }
  void restore_scaler(double scale, int good_steps) { scaler_.restore(scale, good_steps); }

 private:
  void copy_weights_to_average();
  torch::Tensor forward_losses(const torch::Tensor& pixels, const torch::Tensor& labels, StepLosses& losses);
  void follow_average();
  // Norms that learn from this process's part only: their running statistics are averaged over the processes.
  void begin_buffer_mean();
  void finish_buffer_mean();
  Result<double> gradient_norm();

  const TrainingOptions options_;
  const LossSpec loss_;
  const torch::Device device_;
  const bool mixed_precision_;
  std::shared_ptr<networks::SegmentationNetwork> network_, average_;
  std::vector<torch::Tensor> buffers_, average_buffers_;
  std::vector<FlatGroup> groups_, average_groups_;
  Optimizer optimizer_;
  GradientScaler scaler_;
  const BatchPart part_;
  std::unique_ptr<GradientSums> gradient_sums_;  // null: alone
  torch::Tensor buffer_mean_;                    // on its way between the processes
};

}  // namespace terrapin::training
