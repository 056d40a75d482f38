#include "training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

namespace terrapin::training {
namespace {

// Elements updated together: all blocks of one piece stay in the second-level cache through the dozen
// operations of an update.
constexpr std::int64_t kPiece = 1 << 15;

// body(begin, count) over [0, size): pieces in parallel on a CPU, all at once elsewhere. Element-wise work
// only.
template <class Body>
void for_pieces(const torch::Tensor& flat, const Body& body) {
  const std::int64_t size = flat.numel();
  if (!flat.device().is_cpu()) {
    body(std::int64_t{0}, size);
    return;
  }
  at::parallel_for(0, (size + kPiece - 1) / kPiece, 1, [&](std::int64_t begin, std::int64_t end) {
    torch::NoGradGuard no_gradients;  // thread-local
    for (std::int64_t piece = begin; piece < end; ++piece) {
      body(piece * kPiece, std::min(kPiece, size - piece * kPiece));
    }
  });
}

bool uses_second(OptimizerKind kind) {
  return kind == OptimizerKind::kAdam || kind == OptimizerKind::kAdamW || kind == OptimizerKind::kRmsprop ||
         kind == OptimizerKind::kAdadelta;
}

bool uses_decay(OptimizerKind kind) {
  return kind == OptimizerKind::kSgd || kind == OptimizerKind::kNag || kind == OptimizerKind::kAdam ||
         kind == OptimizerKind::kAdamW;
}

}  // namespace

FlatParameters::FlatParameters(const std::vector<torch::Tensor>& parameters, bool with_gradients) {
  torch::NoGradGuard no_gradients;
  std::int64_t total = 0;
  for (const torch::Tensor& parameter : parameters) total += parameter.numel();
  const auto options =
      parameters.empty() ? torch::TensorOptions() : parameters.front().options().requires_grad(false);
  values = torch::zeros({total}, options);
  if (with_gradients) gradients = torch::zeros({total}, options);
  std::int64_t offset = 0;
  for (torch::Tensor parameter : parameters) {
    TORCH_CHECK(parameter.is_non_overlapping_and_dense(), "parameters must be dense");
    const auto sizes = parameter.sizes().vec(), strides = parameter.strides().vec();
    torch::Tensor view = values.as_strided(sizes, strides, offset);
    view.copy_(parameter.detach());
    parameter.set_data(view);
    if (with_gradients) parameter.mutable_grad() = gradients.as_strided(sizes, strides, offset);
    offset += parameter.numel();
  }
}

std::vector<FlatGroup> flatten(networks::SegmentationNetwork& network, const OptimizerOptions& options,
                               bool with_gradients) {
  std::vector<FlatGroup> groups;
  const auto add = [&](const std::vector<torch::Tensor>& all, double factor) {
    std::vector<torch::Tensor> decayed, plain;
    for (const torch::Tensor& parameter : all) {
      if (!parameter.requires_grad()) continue;
      (parameter.dim() > 1 || options.decay_norms ? decayed : plain).push_back(parameter);
    }
    if (!decayed.empty()) groups.push_back({FlatParameters(decayed, with_gradients), factor, true});
    if (!plain.empty()) groups.push_back({FlatParameters(plain, with_gradients), factor, false});
  };
  add(network.encoder_parameters(), options.encoder_rate_factor);
  add(network.decoder_parameters(), options.decoder_rate_factor);
  return groups;
}

Optimizer::Optimizer(const std::vector<FlatGroup>& groups, const OptimizerOptions& options)
    : options_(options) {
  for (const FlatGroup& group : groups) {
    Group own{group.flat.values,
              group.flat.gradients,
              torch::zeros_like(group.flat.values),
              {},
              group.rate_factor,
              group.decay && uses_decay(options.kind) ? options.weight_decay : 0.0};
    if (uses_second(options.kind)) own.second = torch::zeros_like(group.flat.values);
    groups_.push_back(std::move(own));
  }
}

void Optimizer::zero_gradients() {
  for (Group& group : groups_) group.gradients.zero_();
}

double Optimizer::gradient_norm() const {
  double sum = 0;
  for (const Group& group : groups_) {
    const double norm = group.gradients.norm().item<double>();
    sum += norm * norm;
  }
  return std::sqrt(sum);
}

void Optimizer::scale_gradients(double factor) {
  for (Group& group : groups_) group.gradients.mul_(factor);
}

void Optimizer::step(double learning_rate) {
  torch::NoGradGuard no_gradients;
  ++steps_;
  for (Group& group : groups_) {
    const double rate = learning_rate * group.rate_factor;
    for_pieces(group.values,
               [&](std::int64_t begin, std::int64_t count) { update(group, begin, count, rate); });
  }
}

void Optimizer::update(Group& group, std::int64_t begin, std::int64_t count, double rate) const {
  torch::Tensor p = group.values.narrow(0, begin, count);
  torch::Tensor g = group.gradients.narrow(0, begin, count);
  torch::Tensor first = group.first.narrow(0, begin, count);
  torch::Tensor second = group.second.defined() ? group.second.narrow(0, begin, count) : torch::Tensor();
  const bool coupled = group.decay > 0 && options_.kind != OptimizerKind::kAdamW;
  if (coupled) g = g.add(p, group.decay);

  switch (options_.kind) {
    case OptimizerKind::kSgd:
      first.mul_(options_.momentum).add_(g);
      p.sub_(first, rate);
      break;
    case OptimizerKind::kNag:
      first.mul_(options_.momentum).add_(g);
      p.sub_(g.add(first, options_.momentum), rate);
      break;
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW: {
      if (options_.kind == OptimizerKind::kAdamW && group.decay > 0) p.mul_(1 - rate * group.decay);
      const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(steps_));
      const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(steps_));
      first.mul_(options_.beta1).add_(g, 1 - options_.beta1);
      second.mul_(options_.beta2).addcmul_(g, g, 1 - options_.beta2);
      p.addcdiv_(first, second.sqrt().div_(std::sqrt(correction2)).add_(1e-8), -rate / correction1);
      break;
    }
    case OptimizerKind::kAdagrad:
      first.addcmul_(g, g, 1);
      p.addcdiv_(g, first.sqrt().add_(1e-10), -rate);
      break;
    case OptimizerKind::kRmsprop:
      second.mul_(options_.gamma1).addcmul_(g, g, 1 - options_.gamma1);
      first.mul_(options_.gamma2).addcdiv_(g, second.sqrt().add_(1e-8));
      p.sub_(first, rate);
      break;
    case OptimizerKind::kAdadelta: {
      constexpr double kRho = 0.9, kEpsilon = 1e-6;
      second.mul_(kRho).addcmul_(g, g, 1 - kRho);
      const torch::Tensor delta = first.add(kEpsilon).sqrt_().div_(second.add(kEpsilon).sqrt_()).mul_(g);
      first.mul_(kRho).addcmul_(delta, delta, 1 - kRho);
      p.sub_(delta, rate);
      break;
    }
  }
}

std::map<std::string, torch::Tensor> Optimizer::state() const {
  std::map<std::string, torch::Tensor> state;
  state["steps"] = torch::full({1}, steps_, torch::kLong);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    state[std::to_string(i) + ".first"] = groups_[i].first;
    if (groups_[i].second.defined()) state[std::to_string(i) + ".second"] = groups_[i].second;
  }
  return state;
}

Status Optimizer::restore(const std::map<std::string, torch::Tensor>& state) {
  torch::NoGradGuard no_gradients;
  const auto ours = this->state();
  for (const auto& [name, tensor] : ours) {
    const auto found = state.find(name);
    if (found == state.end()) return fail(ErrorCode::kCorrupt, "optimizer state lacks {}", name);
    if (found->second.numel() != tensor.numel()) {
      return fail(ErrorCode::kCorrupt, "optimizer state {} has {} values, expected {}", name,
                  found->second.numel(), tensor.numel());
    }
  }
  for (auto [name, tensor] : ours) {
    if (name != "steps") tensor.copy_(state.at(name));
  }
  steps_ = state.at("steps").item<std::int64_t>();
  return {};
}

void move_average(const std::vector<FlatGroup>& average, const std::vector<FlatGroup>& value, double decay) {
  for (std::size_t i = 0; i < average.size(); ++i) {
    const torch::Tensor& target = average[i].flat.values;
    const torch::Tensor& source = value[i].flat.values;
    for_pieces(target, [&](std::int64_t begin, std::int64_t count) {
      target.narrow(0, begin, count).lerp_(source.narrow(0, begin, count), 1 - decay);
    });
  }
}

double scheduled_rate(const ScheduleOptions& schedule, double learning_rate, std::int64_t step,
                      std::int64_t steps_per_epoch, std::int64_t total_steps) {
  const auto warmup =
      static_cast<std::int64_t>(std::llround(schedule.warmup_epochs * static_cast<double>(steps_per_epoch)));
  if (step < warmup) {
    const double share = static_cast<double>(step) / static_cast<double>(warmup);
    return learning_rate * (schedule.warmup_start + (1 - schedule.warmup_start) * share);
  }
  const double progress = static_cast<double>(step - warmup) /
                          static_cast<double>(std::max<std::int64_t>(1, total_steps - warmup));
  switch (schedule.kind) {
    case ScheduleKind::kPoly:
      return learning_rate * std::pow(std::max(0.0, 1 - progress), schedule.poly_power);
    case ScheduleKind::kCosine: {
      const double wave = 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, progress)));
      return learning_rate * (schedule.final_fraction + (1 - schedule.final_fraction) * wave);
    }
    case ScheduleKind::kStep: {
      const std::int64_t finished = step / std::max<std::int64_t>(1, steps_per_epoch);
      double rate = learning_rate;
      for (const int epoch : schedule.step_epochs) rate *= finished >= epoch ? schedule.step_factor : 1.0;
      return rate;
    }
  }
  return learning_rate;
}

bool GradientScaler::update(bool gradients_finite) {
  if (!enabled_) return true;
  if (!gradients_finite) {
    scale_ = std::max(1.0, scale_ / 2);
    good_steps_ = 0;
    return false;
  }
  if (++good_steps_ == growth_interval_) {
    scale_ = std::min(scale_ * 2, 16777216.0);
    good_steps_ = 0;
  }
  return true;
}

}  // namespace terrapin::training
