// Optimizers over flat blocks of memory: all parameters of one learning rate lie side by side, so that an
// update, a norm or a moving average is a few operations instead of a few per tensor, and a checkpoint holds
// a handful of tensors.
#pragma once

#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

#include "networks/network.h"
#include "training/recipe.h"

namespace terrapin::training {

// Parameters moved into one contiguous float32 block. Each keeps its shape and strides, and its gradient lies
// in a second block.
class FlatParameters {
 public:
  FlatParameters(const std::vector<torch::Tensor>& parameters, bool with_gradients);
  torch::Tensor values;     // 1-d; the parameters are views of it
  torch::Tensor gradients;  // undefined without gradients
};

struct FlatGroup {
  FlatParameters flat;
  double rate_factor = 1;
  bool decay = true;
};

// The network's parameters in at most four groups: encoder and decoder, weights and (norms, biases), in a
// fixed order. Groups of two networks of one spec correspond.
std::vector<FlatGroup> flatten(networks::SegmentationNetwork& network, const OptimizerOptions& options,
                               bool with_gradients);

// SGD, NAG (Nesterov), Adam, AdamW, Adagrad, RMSprop, Adadelta with torch's update rules and constants.
class Optimizer {
 public:
  // Keeps references to the groups' blocks.
  Optimizer(const std::vector<FlatGroup>& groups, const OptimizerOptions& options);
  void zero_gradients();
  // L2 norm of all gradients; NaN or infinite if any gradient is.
  double gradient_norm() const;
  void scale_gradients(double factor);
  // One update at `learning_rate` (before the groups' factors).
  void step(double learning_rate);

  std::int64_t steps() const { return steps_; }
  // Everything but the parameters: "steps" (int64, 1 value) and "<group>.first", "<group>.second".
  std::map<std::string, torch::Tensor> state() const;
  // Fails naming a missing or mis-shaped tensor; nothing is changed then.
  Status restore(const std::map<std::string, torch::Tensor>& state);

 private:
  struct Group {
    torch::Tensor values, gradients, first, second;
    double rate_factor;
    double decay;
  };
  void update(Group& group, std::int64_t begin, std::int64_t count, double rate) const;
  OptimizerOptions options_;
  std::vector<Group> groups_;
  std::int64_t steps_ = 0;
};

// average += (1 - decay) * (value - average), block by block.
void move_average(const std::vector<FlatGroup>& average, const std::vector<FlatGroup>& value, double decay);

// Learning-rate factor-free schedule: the rate of step `step` (0-based) of `total_steps`, `steps_per_epoch`
// in an epoch.
double scheduled_rate(const ScheduleOptions& schedule, double learning_rate, std::int64_t step,
                      std::int64_t steps_per_epoch, std::int64_t total_steps);

// Keeps float16 gradients in range (mixed precision): losses are multiplied by scale(); a step whose
// gradients overflow is skipped and halves the scale; `growth_interval` good steps in a row double it.
class GradientScaler {
 public:
  explicit GradientScaler(bool enabled, double initial_scale = 65536, int growth_interval = 2000)
      : scale_(enabled ? initial_scale : 1), growth_interval_(growth_interval), enabled_(enabled) {}
  double scale() const { return scale_; }
  // Tells what became of a step; returns whether the update may be applied. Disabled: always true.
  bool update(bool gradients_finite);
  int good_steps() const { return good_steps_; }
  void restore(double scale, int good_steps) { scale_ = scale, good_steps_ = good_steps; }

 private:
  double scale_;
  int good_steps_ = 0, growth_interval_;
  bool enabled_;
};

}  // namespace terrapin::training
