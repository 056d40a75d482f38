// The trainable form of a Blueprint. Private to this folder.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "networks/blueprint.h"
#include "networks/network.h"

namespace terrapin::networks {

// Batch norm's constants, torchvision's defaults.
constexpr double kNormEpsilon = 1e-5;
constexpr double kNormMomentum = 0.1;

class LayerNetwork : public SegmentationNetwork {
 public:
  // Registers every tensor under its layer's name, with random starts from torch's generator.
  explicit LayerNetwork(Blueprint blueprint);

  NetworkOutput forward(const torch::Tensor& input) override;
  Graph graph() const override;
  artifacts::Preprocessing preprocessing() const override { return blueprint_.preprocessing; }
  std::vector<torch::Tensor> encoder_parameters() const override { return parameters_of(true); }
  std::vector<torch::Tensor> decoder_parameters() const override { return parameters_of(false); }

  const Blueprint& blueprint() const { return blueprint_; }
  // See initialize_from_batch in network.h.
  void standardize(const torch::Tensor& batch);

 private:
  // The registered tensors of one convolution; undefined where the layer has none.
  struct Tensors {
    torch::Tensor weight, bias;
    torch::Tensor norm_weight, norm_bias, running_mean, running_var;
  };

  std::vector<torch::Tensor> parameters_of(bool encoder) const;
  torch::Tensor run_conv(std::size_t index, const torch::Tensor& input) const;
  // One layer's value from its inputs' values; may reuse the storage of an input that is not needed again.
  torch::Tensor run_layer(std::size_t index, const std::vector<torch::Tensor>& values) const;

  Blueprint blueprint_;
  std::vector<Tensors> tensors_;  // by layer
  std::vector<int> last_use_;     // by layer: the last layer that reads it
};

// Names that begin with this are the pretrained part.
bool is_encoder_name(const std::string& name);

// Batch norm over the samples of all processes, forward and backward; moves the running statistics as
// torch::batch_norm does. One value per channel over all processes: the running statistics serve.
torch::Tensor synchronized_norm(const torch::Tensor& x, const torch::Tensor& weight,
                                const torch::Tensor& bias, torch::Tensor running_mean,
                                torch::Tensor running_var, const SumOverProcesses& sum);
// torch::dropout of a part of a batch; the same draws as for the whole.
torch::Tensor dropout_of_share(const torch::Tensor& x, double probability, const BatchShare& share);

torch::Tensor activate_in_place(torch::Tensor x, Activation activation);
// The definitions of kResizeLike and kUpsampleStride in graph.h.
torch::Tensor resize_to(const torch::Tensor& x, std::int64_t height, std::int64_t width);
torch::Tensor upsample_stride(const torch::Tensor& x, std::int64_t stride, std::int64_t height,
                              std::int64_t width);

}  // namespace terrapin::networks
