// Layers whose answer depends on the whole batch, where this process has a part of it.
#include "networks/layer_network.h"

namespace terrapin::networks {
namespace {

// Sums of a channel, in double: count, then per channel.
torch::Tensor summed(std::vector<torch::Tensor> parts, const SumOverProcesses& sum) {
  for (torch::Tensor& part : parts) part = part.to(torch::kDouble).reshape({-1});
  torch::Tensor all = torch::cat(parts);
  sum(all);
  return all;
}

class SynchronizedNorm : public torch::autograd::Function<SynchronizedNorm> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias, torch::Tensor mean,
                               torch::Tensor variance, double count, SumOverProcesses sum) {
    context->save_for_backward({x, weight, mean, variance});
    context->saved_data["count"] = count;
    context->saved_data["sum"] = c10::IValue::make_capsule(c10::make_intrusive<Sum>(std::move(sum)));
    // With given statistics it is a plain scaling: torch's own, in evaluation mode.
    return std::get<0>(at::native_batch_norm(x, weight, bias, mean, variance, false, 0, kNormEpsilon));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list upstream) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1], &mean = saved[2], &variance = saved[3];
    const double count = context->saved_data["count"].toDouble();
    const auto sum = context->saved_data["sum"].toCapsule();
    // As if the statistics were constants, which also gives this process's share of the gradients of weight
    // and bias: the sums of dy * normalised x and of dy.
    auto [gradient, of_weight, of_bias] =
        at::native_batch_norm_backward(upstream[0].contiguous(x.suggest_memory_format()), x, weight, mean,
                                       variance, {}, {}, false, kNormEpsilon, {true, true, true});
    const std::int64_t channels = x.size(1);
    const torch::Tensor all = summed({of_bias, of_weight}, static_cast<const Sum&>(*sum).over);
    const torch::Tensor total_dy = all.narrow(0, 0, channels), total_dy_x = all.narrow(0, channels, channels);
    // dx = w / s * (dy - mean(dy) - normalised x * mean(dy * normalised x)), means over all processes.
    const torch::Tensor inverse = (variance.to(torch::kDouble) + kNormEpsilon).rsqrt();
    const torch::Tensor scale = weight.to(torch::kDouble) * inverse;
    const torch::Tensor slope = -scale * inverse * total_dy_x / count;
    const torch::Tensor shift = -scale * total_dy / count - slope * mean.to(torch::kDouble);
    const auto by_channel = [&](const torch::Tensor& values) {
      return values.to(gradient.scalar_type()).view({1, channels, 1, 1});
    };
    gradient.addcmul_(x, by_channel(slope)).add_(by_channel(shift));
    return {gradient, of_weight, of_bias, {}, {}, {}, {}};
  }

 private:
  struct Sum : torch::CustomClassHolder {
    explicit Sum(SumOverProcesses value) : over(std::move(value)) {}
    const SumOverProcesses over;
  };
};

}  // namespace

torch::Tensor synchronized_norm(const torch::Tensor& x, const torch::Tensor& weight,
                                const torch::Tensor& bias, torch::Tensor running_mean,
                                torch::Tensor running_var, const SumOverProcesses& sum) {
  torch::Tensor mean, variance;
  double count = 0;
  {
    torch::NoGradGuard no_gradients;
    const torch::Tensor values = x.detach();
    const auto own = static_cast<double>(x.numel() / x.size(1));
    auto [own_mean, own_variance] = at::batch_norm_update_stats(values, {}, {}, 0);
    own_mean = own_mean.to(torch::kDouble), own_variance = own_variance.to(torch::kDouble);
    const std::int64_t channels = x.size(1);
    const torch::Tensor all = summed(
        {torch::full({1}, own, own_mean.options()), own_mean * own, (own_variance + own_mean.square()) * own},
        sum);
    count = all[0].item<double>();
    if (count <= 1) {
      return torch::batch_norm(x, weight, bias, running_mean, running_var, false, kNormMomentum, kNormEpsilon,
                               true);
    }
    const torch::Tensor wide_mean = all.narrow(0, 1, channels) / count;
    const torch::Tensor wide_variance =
        (all.narrow(0, 1 + channels, channels) / count - wide_mean.square()).clamp_min(0);
    running_mean.mul_(1 - kNormMomentum).add_(wide_mean.to(running_mean.scalar_type()), kNormMomentum);
    running_var.mul_(1 - kNormMomentum)
        .add_((wide_variance * (count / (count - 1))).to(running_var.scalar_type()), kNormMomentum);
    mean = wide_mean.to(running_mean.scalar_type());
    variance = wide_variance.to(running_var.scalar_type());
  }
  return SynchronizedNorm::apply(x, weight, bias, mean, variance, count, sum);
}

torch::Tensor dropout_of_share(const torch::Tensor& x, double probability, const BatchShare& share) {
  // The draws of the whole batch, in the order in which this version of torch makes them for its memory
  // format.
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[0] = share.total;
  const torch::Tensor whole = torch::dropout(
      torch::ones(sizes, x.options()).contiguous(x.suggest_memory_format()), probability, true);
  return x * whole.narrow(0, share.first, x.size(0));
}

}  // namespace terrapin::networks
