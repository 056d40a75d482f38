#include "training/model_state.h"

#include <ATen/autocast_mode.h>

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "training/checkpoint.h"

namespace terrapin::training {
namespace {

// float16 convolutions on CUDA while it lives.
class Autocast {
 public:
  explicit Autocast(bool enabled) : enabled_(enabled) {
    if (enabled_) set(true);
  }
  ~Autocast() {
    if (!enabled_) return;
    at::autocast::clear_cache();
    set(false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  static void set(bool on) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(at::kCUDA, on);
#else
    at::autocast::set_enabled(on);
#endif
  }
  bool enabled_;
};

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

std::vector<torch::Tensor> float_buffers(const networks::SegmentationNetwork& network) {
  std::vector<torch::Tensor> buffers;
  for (const auto& item : network.named_buffers()) {
    if (item.value().is_floating_point()) buffers.push_back(item.value());
  }
  return buffers;
}

LossSpec over_processes(LossSpec loss, const BatchPart& part) {
  if (part.processes) loss.sum = [processes = part.processes](torch::Tensor& sums) { processes->sum(sums); };
  return loss;
}

}  // namespace

BatchPart BatchPart::of(std::shared_ptr<ProcessGroup> processes, std::int64_t batch_size) {
  if (!processes) return {nullptr, 0, batch_size};
  const std::int64_t rank = processes->rank(), size = processes->size();
  const std::int64_t first = batch_size * rank / size;
  return {std::move(processes), first, batch_size * (rank + 1) / size - first};
}

artifacts::TensorData to_data(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.detach().to(torch::kCPU).contiguous();
  artifacts::TensorData data;
  data.dtype = plain.scalar_type() == torch::kLong ? artifacts::DType::kI64 : artifacts::DType::kF32;
  data.shape = plain.sizes().vec();
  const auto* bytes = static_cast<const std::uint8_t*>(plain.data_ptr());
  data.data.assign(bytes, bytes + plain.nbytes());
  return data;
}

torch::Tensor from_data(const artifacts::TensorData& data) {
  const auto type = data.dtype == artifacts::DType::kI64 ? torch::kLong : torch::kFloat;
  torch::Tensor tensor = torch::empty(data.shape, type);
  std::copy_n(data.data.data(), std::min<std::size_t>(data.data.size(), tensor.nbytes()),
              static_cast<std::uint8_t*>(tensor.data_ptr()));
  return tensor;
}

ModelState::ModelState(std::shared_ptr<networks::SegmentationNetwork> network,
                       std::shared_ptr<networks::SegmentationNetwork> average, const TrainingOptions& options,
                       LossSpec loss, torch::Device device, BatchPart part)
    : options_(options),
      loss_(over_processes(std::move(loss), part)),
      device_(device),
      mixed_precision_(options.mixed_precision && device.is_cuda()),
      network_((network->to(device), std::move(network))),
      average_((average->to(device), std::move(average))),
      buffers_(float_buffers(*network_)),
      average_buffers_(float_buffers(*average_)),
      groups_(flatten(*network_, options.optimizer, /*with_gradients=*/true)),
      average_groups_(flatten(*average_, options.optimizer, /*with_gradients=*/false)),
      optimizer_(groups_, options.optimizer),
      scaler_(mixed_precision_),
      part_(std::move(part)) {
  copy_weights_to_average();
  if (part_.processes) {
    ProcessGroup& processes = *part_.processes;
    gradient_sums_ = std::make_unique<GradientSums>(network_->parameters(), groups_, processes);
    networks::BatchShare share{part_.first, options.batch_size, nullptr};
    if (options.syncbn) share.sum_norms = [&processes](torch::Tensor& sums) { processes.sum(sums); };
    network_->take_share(std::move(share));
    return;
  }
  // A large network's step takes longer than a stop may: its backward pass asks between layers.
  for (torch::Tensor parameter : network_->parameters()) {
    parameter.register_hook([](const torch::Tensor&) -> void {
      if (interrupted()) throw Interrupted();
    });
  }
}

Status ModelState::share_start() {
  if (!part_.processes) return {};
  torch::NoGradGuard no_gradients;
  for (FlatGroup& group : groups_) part_.processes->broadcast(group.flat.values);
  for (torch::Tensor& buffer : buffers_) part_.processes->broadcast(buffer);
  copy_weights_to_average();
  return part_.processes->status();
}

void ModelState::begin_buffer_mean() {
  if (!part_.processes || buffers_.empty() || options_.syncbn || options_.freeze_norms) return;
  torch::NoGradGuard no_gradients;
  std::vector<torch::Tensor> flat;
  for (const torch::Tensor& buffer : buffers_) flat.push_back(buffer.flatten());
  const double share = static_cast<double>(part_.count) / static_cast<double>(options_.batch_size);
  buffer_mean_ = torch::cat(flat).mul_(share);
  part_.processes->begin_sum(buffer_mean_);
}

void ModelState::finish_buffer_mean() {
  if (!buffer_mean_.defined()) return;
  torch::NoGradGuard no_gradients;
  std::int64_t offset = 0;
  for (torch::Tensor& buffer : buffers_) {
    buffer.copy_(buffer_mean_.narrow(0, offset, buffer.numel()).view_as(buffer));
    offset += buffer.numel();
  }
  buffer_mean_.reset();
}

Result<double> ModelState::gradient_norm() {
  double norm = optimizer_.gradient_norm();
  if (!part_.processes) return norm;
  // Machines may round it differently, and would drift apart.
  torch::Tensor first = torch::full({1}, norm, torch::kDouble);
  part_.processes->broadcast(first);
  TERRAPIN_TRY_STATUS(part_.processes->status());
  return first.item<double>();
}

void ModelState::copy_weights_to_average() {
  torch::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    average_groups_[i].flat.values.copy_(groups_[i].flat.values);
  for (std::size_t i = 0; i < buffers_.size(); ++i) average_buffers_[i].copy_(buffers_[i]);
}

torch::Tensor ModelState::forward_losses(const torch::Tensor& pixels, const torch::Tensor& labels,
                                         StepLosses& losses) {
  networks::NetworkOutput output;
  {
    const Autocast autocast(mixed_precision_);
    output = network_->forward(pixels);
  }
  const LossResult main = segmentation_loss(output.logits.to(torch::kFloat32), labels, loss_);
  torch::Tensor total = main.total;
  if (output.auxiliary.defined() && options_.loss.auxiliary_weight > 0) {
    LossSpec plain = loss_;
    plain.cross_entropy_weight = 1;
    plain.dice_weight = 0;
    const LossResult auxiliary = segmentation_loss(output.auxiliary.to(torch::kFloat32), labels, plain);
    total = total + options_.loss.auxiliary_weight * auxiliary.total;
    losses.auxiliary = auxiliary.cross_entropy.item<double>();
  }
  losses.cross_entropy = main.cross_entropy.item<double>();
  losses.dice = main.dice.item<double>();
  losses.total = total.item<double>();
  return total;
}

Result<StepLosses> ModelState::step(const torch::Tensor& pixels, const torch::Tensor& labels,
                                    double learning_rate) {
  network_->train();
  network_->freeze_norms(options_.freeze_norms);
  const bool alone = !part_.processes;
  // The forward pass moves batch norm's statistics; an aborted step puts them back.
  std::vector<torch::Tensor> before;
  for (const torch::Tensor& buffer : buffers_) {
    if (alone) before.push_back(buffer.clone());
  }
  const auto abort = [&] {
    torch::NoGradGuard no_gradients;
    for (std::size_t i = 0; i < buffers_.size(); ++i) buffers_[i].copy_(before[i]);
    StepLosses losses;
    losses.aborted = true;
    return losses;
  };

  StepLosses losses;
  const torch::Tensor total = forward_losses(pixels.to(device_), labels.to(device_), losses);
  if (alone && interrupted()) return abort();
  if (!alone) {
    TERRAPIN_TRY_STATUS(part_.processes->status());
  }
  if (!std::isfinite(losses.total)) {
    return fail(ErrorCode::kInvalidArgument,
                "the loss is no longer finite at learning rate {}: a smaller learning_rate usually helps",
                learning_rate);
  }
  optimizer_.zero_gradients();
  begin_buffer_mean();
  if (gradient_sums_) gradient_sums_->begin();
  try {
    (total * scaler_.scale()).backward();
  } catch (const std::exception&) {
    if (alone && interrupted()) return abort();
    throw;
  }
  if (alone && interrupted()) return abort();
  if (gradient_sums_) {
    gradient_sums_->finish();
    TERRAPIN_TRY_STATUS(part_.processes->status());
    finish_buffer_mean();
  }

  const bool clips = options_.optimizer.clip_norm > 0;
  double norm = 0;
  if (clips || mixed_precision_) {
    TERRAPIN_TRY(norm, gradient_norm());
    norm /= scaler_.scale();
  }
  const double unscale = 1 / scaler_.scale();
  if (!scaler_.update(std::isfinite(norm))) return losses;  // overflow in float16: this step is left out
  double factor = unscale;
  if (clips && norm > options_.optimizer.clip_norm) factor *= options_.optimizer.clip_norm / norm;
  if (factor != 1) optimizer_.scale_gradients(factor);
  optimizer_.step(learning_rate);
  follow_average();
  return losses;
}

void ModelState::follow_average() {
  if (options_.ema_decay <= 0) return;
  torch::NoGradGuard no_gradients;
  // The first steps count more, or the random start would linger.
  const auto steps = static_cast<double>(optimizer_.steps());
  const double decay = std::min(options_.ema_decay, (1 + steps) / (10 + steps));
  move_average(average_groups_, groups_, decay);
  for (std::size_t i = 0; i < buffers_.size(); ++i) average_buffers_[i].lerp_(buffers_[i], 1 - decay);
}

networks::SegmentationNetwork& ModelState::evaluated() {
  if (options_.ema_decay <= 0) copy_weights_to_average();
  return *average_;
}

void ModelState::save(artifacts::TensorFile& file) const {
  add_with_prefix(file, networks::save_weights(*network_), "weights.");
  if (options_.ema_decay > 0) add_with_prefix(file, networks::save_weights(*average_), "average.");
  artifacts::TensorFile optimizer;
  for (const auto& [name, tensor] : optimizer_.state()) optimizer.tensors.emplace(name, to_data(tensor));
  add_with_prefix(file, std::move(optimizer), "optimizer.");
}

Status ModelState::restore(const artifacts::TensorFile& file) {
  TERRAPIN_TRY_STATUS(networks::load_weights(*network_, with_prefix_removed(file, "weights.")));
  if (options_.ema_decay > 0) {
    TERRAPIN_TRY_STATUS(networks::load_weights(*average_, with_prefix_removed(file, "average.")));
  }
  std::map<std::string, torch::Tensor> state;
  for (const auto& [name, data] : with_prefix_removed(file, "optimizer.").tensors)
    state.emplace(name, from_data(data));
  return optimizer_.restore(state);
}

}  // namespace terrapin::training
