#include "networks/layer_network.h"
#include "networks/network.h"

namespace terrapin::networks {

torch::Tensor run_graph(const Graph& graph, const torch::Tensor& input,
                        const std::map<int, torch::Tensor>& context) {
  torch::NoGradGuard no_gradients;
  std::vector<int> last_use(graph.ops.size(), -1);
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    for (const int used : graph.ops[i].inputs) last_use[static_cast<std::size_t>(used)] = static_cast<int>(i);
  }
  const auto constant = [&](const std::vector<float>& data, at::IntArrayRef shape) {
    return torch::from_blob(const_cast<float*>(data.data()), shape, torch::kFloat32).to(input.device());
  };

  std::vector<torch::Tensor> values(graph.ops.size());
  values[0] = input.contiguous(torch::MemoryFormat::ChannelsLast);
  for (std::size_t i = 1; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    const auto in = [&](std::size_t k) -> const torch::Tensor& {
      return values[static_cast<std::size_t>(op.inputs[k])];
    };
    torch::Tensor x;
    switch (op.kind) {
      case OpKind::kInput:
        x = input;
        break;
      case OpKind::kConv: {
        const std::int64_t per_group = in(0).size(1) / op.groups;
        const torch::Tensor weight = constant(op.weight, {op.channels, per_group, op.kernel, op.kernel});
        x = torch::conv2d(in(0), weight, constant(op.bias, {op.channels}), op.stride, op.padding, op.dilation,
                          op.groups);
        break;
      }
      case OpKind::kAdd:
        x = in(0) + in(1);
        break;
      case OpKind::kConcat: {
        std::vector<torch::Tensor> parts;
        for (std::size_t k = 0; k < op.inputs.size(); ++k) parts.push_back(in(k));
        x = torch::cat(parts, 1);
        break;
      }
      case OpKind::kMaxPool:
        x = torch::max_pool2d(in(0), op.kernel, op.stride, op.padding);
        break;
      case OpKind::kAdaptiveAvgPool: {
        const auto given = context.find(static_cast<int>(i));
        x = given != context.end() ? given->second
                                   : torch::adaptive_avg_pool2d(in(0), {op.pool_size, op.pool_size});
        break;
      }
      case OpKind::kResizeLike:
        x = resize_to(in(0), in(1).size(2), in(1).size(3));
        break;
      case OpKind::kUpsampleStride:
        x = upsample_stride(in(0), op.stride, in(1).size(2), in(1).size(3));
        break;
    }
    values[i] = op.activation == Activation::kNone ? x : activate_in_place(x, op.activation);
    for (const int used : op.inputs) {
      if (last_use[static_cast<std::size_t>(used)] == static_cast<int>(i) && used != graph.output) {
        values[static_cast<std::size_t>(used)].reset();
      }
    }
  }
  return values[static_cast<std::size_t>(graph.output)];
}

}  // namespace terrapin::networks
