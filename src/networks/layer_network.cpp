#include "networks/layer_network.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

namespace terrapin::networks {

namespace {

constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;

// The child modules "a", "b" of the tensor name "a.b": torch allows no dots in a name.
class ModuleTree {
 public:
  explicit ModuleTree(torch::nn::Module& root) : root_(root) {}

  torch::nn::Module& at(const std::string& path) {
    if (path.empty()) return root_;
    const auto found = modules_.find(path);
    if (found != modules_.end()) return *found->second;
    const std::size_t dot = path.rfind('.');
    torch::nn::Module& parent = at(dot == std::string::npos ? "" : path.substr(0, dot));
    auto child = std::make_shared<torch::nn::Module>();
    parent.register_module(dot == std::string::npos ? path : path.substr(dot + 1), child);
    return *modules_.emplace(path, std::move(child)).first->second;
  }

 private:
  torch::nn::Module& root_;
  std::map<std::string, std::shared_ptr<torch::nn::Module>> modules_;
};

// ReLU6 on a tensor in place. libtorch's own hardtanh_ keeps a copy of what was there for the gradient; the
// result says as much.
class Relu6InPlace : public torch::autograd::Function<Relu6InPlace> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, torch::Tensor x) {
    at::clamp_(x, 0, 6);
    context->mark_dirty({x});
    context->save_for_backward({x});
    return x;
  }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               torch::autograd::tensor_list gradients) {
    return {at::hardtanh_backward(gradients[0], context->get_saved_variables()[0], 0, 6)};
  }
};

torch::Tensor random_weight(const Layer& layer) {
  const std::int64_t per_group = layer.in_channels / layer.groups;
  torch::Tensor weight = torch::empty({layer.channels, per_group, layer.kernel, layer.kernel});
  switch (layer.start) {
    case Start::kHe:
      weight.normal_(0, std::sqrt(2.0 / static_cast<double>(per_group * layer.kernel * layer.kernel)));
      break;
    case Start::kClassifier:
      weight.normal_(0, 0.01);
      break;
    case Start::kZero:
      weight.zero_();
      break;
  }
  return weight.contiguous(kChannelsLast);
}

}  // namespace

bool is_encoder_name(const std::string& name) {
  return name.starts_with("encoder.") || name.starts_with("backbone.");
}

torch::Tensor activate_in_place(torch::Tensor x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x.relu_();
    case Activation::kRelu6:
      return torch::GradMode::is_enabled() && x.requires_grad() ? Relu6InPlace::apply(x) : x.clamp_(0, 6);
  }
  return x;
}

torch::Tensor resize_to(const torch::Tensor& x, std::int64_t height, std::int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  // One pixel stays constant; expanding it costs nothing and its gradient is a plain sum.
  if (x.size(2) == 1 && x.size(3) == 1) return x.expand({-1, -1, height, width});
  return torch::upsample_bilinear2d(x, {height, width}, /*align_corners=*/false);
}

torch::Tensor upsample_stride(const torch::Tensor& x, std::int64_t stride, std::int64_t height,
                              std::int64_t width) {
  // With corners aligned, n pixels become (n - 1) * stride + 1, sample for sample as defined. What lies
  // beyond is the clamped edge: a repeated last row or column makes room for it.
  torch::Tensor padded = x;
  for (const std::int64_t axis : {2, 3}) {
    const std::int64_t size = axis == 2 ? height : width;
    const std::int64_t n = x.size(axis);
    if (size > n * stride) {
      throw std::invalid_argument(fmt::format(
          "upsample_stride: {} pixels times {} are fewer than the {} asked for", n, stride, size));
    }
    if (size > (n - 1) * stride + 1) padded = torch::cat({padded, padded.narrow(axis, n - 1, 1)}, axis);
  }
  const std::int64_t full_height = (padded.size(2) - 1) * stride + 1;
  const std::int64_t full_width = (padded.size(3) - 1) * stride + 1;
  torch::Tensor result = padded;
  if (full_height != padded.size(2) || full_width != padded.size(3)) {
    result = torch::upsample_bilinear2d(padded, {full_height, full_width}, /*align_corners=*/true);
  }
  if (full_height != height) result = result.narrow(2, 0, height);
  if (full_width != width) result = result.narrow(3, 0, width);
  return result;
}

LayerNetwork::LayerNetwork(Blueprint blueprint)
    : blueprint_(std::move(blueprint)),
      tensors_(blueprint_.layers.size()),
      last_use_(blueprint_.layers.size(), -1) {
  ModuleTree tree(*this);
  for (std::size_t i = 0; i < blueprint_.layers.size(); ++i) {
    const Layer& layer = blueprint_.layers[i];
    for (const int input : layer.inputs) last_use_[static_cast<std::size_t>(input)] = static_cast<int>(i);
    if (layer.kind != OpKind::kConv) continue;
    Tensors& tensors = tensors_[i];
    torch::nn::Module& conv = tree.at(layer.name);
    tensors.weight = conv.register_parameter("weight", random_weight(layer));
    if (layer.norm.empty()) {
      tensors.bias = conv.register_parameter("bias", torch::zeros({layer.channels}));
      continue;
    }
    torch::nn::Module& norm = tree.at(layer.norm);
    tensors.norm_weight = norm.register_parameter("weight", torch::ones({layer.channels}));
    tensors.norm_bias = norm.register_parameter("bias", torch::zeros({layer.channels}));
    tensors.running_mean = norm.register_buffer("running_mean", torch::zeros({layer.channels}));
    tensors.running_var = norm.register_buffer("running_var", torch::ones({layer.channels}));
  }
}

std::vector<torch::Tensor> LayerNetwork::parameters_of(bool encoder) const {
  std::vector<torch::Tensor> result;
  for (const auto& item : named_parameters()) {
    if (is_encoder_name(item.key()) == encoder) result.push_back(item.value());
  }
  return result;
}

torch::Tensor LayerNetwork::run_conv(std::size_t index, const torch::Tensor& input) const {
  const Layer& layer = blueprint_.layers[index];
  const Tensors& tensors = tensors_[index];
  torch::Tensor x = torch::conv2d(input, tensors.weight, tensors.bias, layer.stride, layer.padding,
                                  layer.dilation, layer.groups);
  if (layer.norm.empty()) return x;
  if (is_training() && !norms_frozen() && share().sum_norms) {
    return synchronized_norm(x, tensors.norm_weight, tensors.norm_bias, tensors.running_mean,
                             tensors.running_var, share().sum_norms);
  }
  // One value per channel has no variance to learn from (the global branch of a batch of one): the running
  // statistics serve instead, where torchvision would throw.
  const bool learn = is_training() && !norms_frozen() && x.size(0) * x.size(2) * x.size(3) > 1;
  return torch::batch_norm(x, tensors.norm_weight, tensors.norm_bias, tensors.running_mean,
                           tensors.running_var, learn, kNormMomentum, kNormEpsilon, /*cudnn_enabled=*/true);
}

torch::Tensor LayerNetwork::run_layer(std::size_t index, const std::vector<torch::Tensor>& values) const {
  const Layer& layer = blueprint_.layers[index];
  const auto in = [&](std::size_t k) -> const torch::Tensor& {
    return values[static_cast<std::size_t>(layer.inputs[k])];
  };
  torch::Tensor x;
  switch (layer.kind) {
    case OpKind::kInput:
      return in(0);
    case OpKind::kConv:
      x = run_conv(index, in(0));
      break;
    case OpKind::kAdd: {
      // A plain convolution's answer that nobody else reads can take the sum: neither it nor batch norm needs
      // its output for the gradient.
      const auto first = static_cast<std::size_t>(layer.inputs[0]);
      const Layer& producer = blueprint_.layers[first];
      const bool reusable = producer.kind == OpKind::kConv && producer.activation == Activation::kNone &&
                            producer.dropout == 0 && last_use_[first] == static_cast<int>(index);
      x = reusable ? torch::Tensor(in(0)).add_(in(1)) : in(0) + in(1);
      break;
    }
    case OpKind::kConcat: {
      std::vector<torch::Tensor> parts;
      for (std::size_t k = 0; k < layer.inputs.size(); ++k) parts.push_back(in(k));
      x = torch::cat(parts, 1);
      break;
    }
    case OpKind::kMaxPool:
      x = torch::max_pool2d(in(0), layer.kernel, layer.stride, layer.padding);
      break;
    case OpKind::kAdaptiveAvgPool:
      x = layer.pool_size == 1 ? in(0).mean({2, 3}, /*keepdim=*/true)
                               : torch::adaptive_avg_pool2d(in(0), {layer.pool_size, layer.pool_size});
      break;
    case OpKind::kResizeLike:
      x = resize_to(in(0), in(1).size(2), in(1).size(3));
      break;
    case OpKind::kUpsampleStride:
      x = upsample_stride(in(0), layer.stride, in(1).size(2), in(1).size(3));
      break;
  }
  x = activate_in_place(x, layer.activation);
  if (layer.dropout <= 0 || !is_training()) return x;
  return share().total > 0 ? dropout_of_share(x, layer.dropout, share())
                           : torch::dropout(x, layer.dropout, true);
}

NetworkOutput LayerNetwork::forward(const torch::Tensor& input) {
  const int channels = blueprint_.layers[0].channels;
  TORCH_CHECK(input.dim() == 4 && input.size(1) == channels, "this network's input is N x ", channels,
              " x H x W, not ", input.sizes());
  std::vector<torch::Tensor> values(blueprint_.layers.size());
  values[0] = input.contiguous(kChannelsLast);
  for (std::size_t i = 1; i < values.size(); ++i) {
    const Layer& layer = blueprint_.layers[i];
    if (layer.auxiliary && !is_training()) continue;
    values[i] = run_layer(i, values);
    for (const int used : layer.inputs) {
      const auto u = static_cast<std::size_t>(used);
      const bool is_result = used == blueprint_.output || used == blueprint_.auxiliary;
      if (last_use_[u] == static_cast<int>(i) && !is_result) values[u].reset();
    }
  }
  NetworkOutput output;
  output.logits = values[static_cast<std::size_t>(blueprint_.output)];
  if (blueprint_.auxiliary >= 0) output.auxiliary = values[static_cast<std::size_t>(blueprint_.auxiliary)];
  return output;
}

void LayerNetwork::standardize(const torch::Tensor& batch) {
  torch::NoGradGuard no_gradients;
  const bool was_training = is_training();
  eval();
  std::vector<torch::Tensor> values(blueprint_.layers.size());
  values[0] = batch.contiguous(kChannelsLast);
  for (std::size_t i = 1; i < values.size(); ++i) {
    const Layer& layer = blueprint_.layers[i];
    if (layer.auxiliary) continue;
    const bool rescale = layer.kind == OpKind::kConv && layer.norm.empty() && layer.start == Start::kHe;
    if (rescale) {
      const torch::Tensor x = run_conv(i, values[static_cast<std::size_t>(layer.inputs[0])]);
      const std::int64_t count = x.size(0) * x.size(2) * x.size(3);
      const torch::Tensor mean = x.mean({0, 2, 3});
      torch::Tensor scale = torch::ones_like(mean);
      if (count > 1) scale = x.var({0, 2, 3}, /*unbiased=*/false).sqrt().clamp_min(1e-3).reciprocal();
      tensors_[i].weight.mul_(scale.view({-1, 1, 1, 1}));
      tensors_[i].bias.sub_(mean).mul_(scale);
    }
    values[i] = run_layer(i, values);
  }
  train(was_training);
}

Graph LayerNetwork::graph() const {
  torch::NoGradGuard no_gradients;
  Graph graph;
  graph.output_stride = blueprint_.output_stride;
  std::vector<int> place(blueprint_.layers.size(), -1);
  for (std::size_t i = 0; i < blueprint_.layers.size(); ++i) {
    const Layer& layer = blueprint_.layers[i];
    if (layer.auxiliary) continue;
    place[i] = static_cast<int>(graph.ops.size());
    Op op;
    op.kind = layer.kind;
    op.name = layer.name;
    for (const int input : layer.inputs) op.inputs.push_back(place[static_cast<std::size_t>(input)]);
    op.channels = layer.channels;
    op.kernel = layer.kernel, op.stride = layer.stride, op.padding = layer.padding;
    op.dilation = layer.dilation, op.groups = layer.groups;
    op.pool_size = layer.pool_size;
    op.activation = layer.activation;
    op.global_context = layer.global_context;
    if (layer.kind == OpKind::kConv) {
      const Tensors& tensors = tensors_[i];
      torch::Tensor weight = tensors.weight.detach().to(torch::kCPU, torch::kFloat64).contiguous();
      torch::Tensor bias;
      if (layer.norm.empty()) {
        bias = tensors.bias.detach().to(torch::kCPU, torch::kFloat64);
      } else {
        const auto wide = [](const torch::Tensor& t) { return t.detach().to(torch::kCPU, torch::kFloat64); };
        const torch::Tensor scale =
            wide(tensors.norm_weight) / (wide(tensors.running_var) + kNormEpsilon).sqrt();
        weight = weight * scale.view({-1, 1, 1, 1});
        bias = wide(tensors.norm_bias) - wide(tensors.running_mean) * scale;
      }
      weight = weight.to(torch::kFloat32).contiguous();
      bias = bias.to(torch::kFloat32).contiguous();
      op.weight.assign(weight.data_ptr<float>(), weight.data_ptr<float>() + weight.numel());
      op.bias.assign(bias.data_ptr<float>(), bias.data_ptr<float>() + bias.numel());
    }
    graph.ops.push_back(std::move(op));
  }
  graph.output = place[static_cast<std::size_t>(blueprint_.output)];
  return graph;
}

}  // namespace terrapin::networks
