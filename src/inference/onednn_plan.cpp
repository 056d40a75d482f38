#ifdef TERRAPIN_WITH_ONEDNN

#include "inference/onednn_plan.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "inference/arena.h"
#include "inference/blocked_kernels.h"
#include "inference/graph_shapes.h"

namespace terrapin::inference {
namespace {

using dnnl::memory;
using networks::Activation;
using networks::Graph;
using networks::Op;
using networks::OpKind;
using Tag = memory::format_tag;

constexpr auto kF32 = memory::data_type::f32;

memory::dims dims_of(const Shape& shape) {
  return {shape.n, shape.c, shape.h, shape.w};
}

memory::desc described(const Shape& shape, Tag tag) {
  return {dims_of(shape), kF32, tag};
}

Tag tag_of_block(int block) {
  return block == 16 ? Tag::nChw16c : block == 8 ? Tag::nChw8c : Tag::nchw;
}

// The channel block that oneDNN's convolutions use on this processor.
int native_block() {
  const auto isa = dnnl::get_effective_cpu_isa();
  const bool avx512 = (static_cast<unsigned>(isa) & static_cast<unsigned>(dnnl::cpu_isa::avx512_core)) ==
                      static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return avx512 ? 16 : 8;
}

int block_of(const memory::desc& desc, const Shape& shape) {
  for (const int block : {1, 16, 8}) {
    if (desc == described(shape, tag_of_block(block))) return block;
  }
  return 0;
}

void append_activation(dnnl::post_ops& post, Activation activation) {
  if (activation == Activation::kRelu) post.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  if (activation == Activation::kRelu6) post.append_eltwise(1.0F, dnnl::algorithm::eltwise_clip, 0.0F, 6.0F);
}

dnnl::primitive_attr attributes(const dnnl::post_ops& post) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(post);
  return attr;
}

class PlanBuilder {
 public:
  PlanBuilder(const Graph& graph, const PlanRequest& request, const dnnl::engine& engine,
              WeightCache& weights, std::vector<Shape> shapes)
      : graph_(graph),
        request_(request),
        engine_(engine),
        weights_(weights),
        shapes_(std::move(shapes)),
        block_(native_block()),
        plan_(std::make_shared<OneDnnPlan>()) {}

  std::shared_ptr<const OneDnnPlan> build() {
    for (const auto& [op, shape] : request_.overrides) given_.push_back(op);
    needed_ = needed_operations(graph_, request_.outputs, given_);
    find_consumers();
    find_fused_additions();
    find_concat_views();

    values_of_.resize(graph_.ops.size());
    plan_->input_value = new_value(described(shapes_[0], Tag::nchw), shapes_[0]);
    touch(plan_->input_value);
    values_of_[0].push_back(plan_->input_value);
    for (const int op : given_) {
      const int value = new_value(described(shape(op), Tag::nchw), shape(op));
      touch(value);
      plan_->override_values.emplace_back(op, value);
      values_of_[index(op)].push_back(value);
    }
    for (int op = 1; op < static_cast<int>(graph_.ops.size()); ++op) {
      if (needed_[index(op)] && values_of_[index(op)].empty()) emit(op);
    }
    for (const int op : request_.outputs) {
      const int value = converted(op, described(shape(op), Tag::nchw));
      plan_->output_values.push_back(value);
      kept_.push_back(value);
    }
    place_buffers();
    return plan_;
  }

 private:
  struct ConcatView {
    int concat = -1;
    std::int64_t first_channel = 0;
  };

  static std::size_t index(int op) { return static_cast<std::size_t>(op); }
  const Op& op_at(int op) const { return graph_.ops[index(op)]; }
  const Shape& shape(int op) const { return shapes_[index(op)]; }
  bool is_output(int op) const {
    return std::find(request_.outputs.begin(), request_.outputs.end(), op) != request_.outputs.end();
  }
  bool is_given(int op) const { return std::find(given_.begin(), given_.end(), op) != given_.end(); }

  void find_consumers() {
    consumers_.resize(graph_.ops.size());
    for (int op = 1; op < static_cast<int>(graph_.ops.size()); ++op) {
      if (!needed_[index(op)] || is_given(op)) continue;
      const Op& here = op_at(op);
      for (std::size_t k = 0; k < here.inputs.size(); ++k) {
        const bool size_only =
            k == 1 && (here.kind == OpKind::kResizeLike || here.kind == OpKind::kUpsampleStride);
        if (!size_only) consumers_[index(here.inputs[k])].push_back(op);
      }
    }
  }

  // An addition whose later operand is a plain convolution used nowhere else becomes part of that
  // convolution.
  void find_fused_additions() {
    addition_of_.assign(graph_.ops.size(), -1);
    for (int op = 1; op < static_cast<int>(graph_.ops.size()); ++op) {
      const Op& here = op_at(op);
      if (!needed_[index(op)] || is_given(op) || here.kind != OpKind::kAdd) continue;
      const int producer = std::max(here.inputs[0], here.inputs[1]);
      const Op& convolution = op_at(producer);
      if (here.inputs[0] != here.inputs[1] && convolution.kind == OpKind::kConv && !is_given(producer) &&
          convolution.activation == Activation::kNone && consumers_[index(producer)].size() == 1 &&
          !is_output(producer)) {
        addition_of_[index(producer)] = op;
      }
    }
  }

  // Producers write straight into their part of a concatenation where channels fill whole blocks and N = 1.
  void find_concat_views() {
    views_.resize(graph_.ops.size());
    for (int op = 1; op < static_cast<int>(graph_.ops.size()); ++op) {
      const Op& here = op_at(op);
      if (!needed_[index(op)] || is_given(op) || here.kind != OpKind::kConcat || shape(op).n != 1) continue;
      const std::set<int> distinct(here.inputs.begin(), here.inputs.end());
      bool possible = distinct.size() == here.inputs.size() && !is_output(op);
      for (const int input : here.inputs) {
        const OpKind kind = op_at(input).kind;
        const bool writable = kind == OpKind::kConv || kind == OpKind::kResizeLike ||
                              kind == OpKind::kUpsampleStride || kind == OpKind::kAdd;
        possible = possible && writable && !is_given(input) && shape(input).c % block_ == 0 &&
                   views_[index(input)].concat < 0;
      }
      if (!possible) continue;
      std::int64_t channel = 0;
      for (const int input : here.inputs) {
        views_[index(input)] = {op, channel};
        channel += shape(input).c;
      }
    }
  }

  // --- values and steps ---

  int new_value(const memory::desc& desc, const Shape& of, int storage = -1, std::size_t offset = 0) {
    if (storage < 0) {
      storage = static_cast<int>(storages_.size());
      storages_.push_back({desc.get_size(), step(), step()});
    }
    plan_->values.push_back({desc, of, block_of(desc, of), storage, offset});
    return static_cast<int>(plan_->values.size()) - 1;
  }

  // The result of `op`: a buffer of its own, or its part of a concatenation.
  int result_value(int op, const memory::desc& desc) {
    const ConcatView& view = views_[index(op)];
    if (view.concat < 0 || desc != described(shape(op), tag_of_block(block_)))
      return new_value(desc, shape(op));
    auto& whole = values_of_[index(view.concat)];
    if (whole.empty()) {
      whole.push_back(new_value(described(shape(view.concat), tag_of_block(block_)), shape(view.concat)));
    }
    const Shape& of = shape(op);
    const auto offset = static_cast<std::size_t>(view.first_channel * of.h * of.w) * sizeof(float);
    return new_value(desc, of, value(whole.front()).storage, offset);
  }

  const PlannedValue& value(int id) const { return plan_->values[static_cast<std::size_t>(id)]; }
  int step() const { return static_cast<int>(plan_->steps.size()); }
  // The next step reads or writes this value.
  void touch(int id) {
    BufferRequest& storage = storages_[static_cast<std::size_t>(value(id).storage)];
    storage.last = std::max(storage.last, step());
  }

  void add_primitive(const dnnl::primitive& primitive, const memory::desc& scratchpad,
                     std::vector<std::pair<int, int>> arguments,
                     std::vector<std::pair<int, memory>> constants = {}) {
    for (const auto& [name, id] : arguments) touch(id);
    PlannedStep planned;
    planned.primitive = primitive;
    planned.arguments = std::move(arguments);
    planned.constants = std::move(constants);
    planned.scratchpad = scratchpad;
    if (scratchpad.get_size() > 0) {
      planned.scratch_storage = static_cast<int>(storages_.size());
      storages_.push_back({scratchpad.get_size(), step(), step()});
    }
    plan_->steps.push_back(std::move(planned));
  }

  void add_kernel(const std::vector<int>& used,
                  std::function<void(const std::function<float*(int)>& data_of, int threads)> kernel) {
    for (const int id : used) touch(id);
    PlannedStep planned;
    planned.kernel = std::move(kernel);
    plan_->steps.push_back(std::move(planned));
  }

  void reorder(int from, int to) {
    const dnnl::reorder::primitive_desc primitive(engine_, value(from).desc, engine_, value(to).desc,
                                                  attributes(dnnl::post_ops()));
    add_primitive(dnnl::reorder(primitive), primitive.scratchpad_desc(),
                  {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  }

  // The value of `op` in this layout, reordered once if need be.
  int converted(int op, const memory::desc& wanted) {
    for (const int id : values_of_[index(op)]) {
      if (value(id).desc == wanted) return id;
    }
    const int id = new_value(wanted, shape(op));
    reorder(values_of_[index(op)].front(), id);
    values_of_[index(op)].push_back(id);
    return id;
  }

  // The value of `op` in a channel-blocked layout.
  int blocked(int op) {
    for (const int id : values_of_[index(op)]) {
      if (value(id).block == block_) return id;
    }
    return converted(op, described(shape(op), tag_of_block(block_)));
  }

  // --- operations ---

  void emit(int op) {
    switch (op_at(op).kind) {
      case OpKind::kInput:
        break;
      case OpKind::kConv:
        emit_convolution(op);
        break;
      case OpKind::kAdd:
        emit_addition(op);
        break;
      case OpKind::kConcat:
        emit_concat(op);
        break;
      case OpKind::kMaxPool:
        emit_max_pool(op);
        break;
      case OpKind::kAdaptiveAvgPool:
        emit_adaptive_pool(op);
        break;
      case OpKind::kResizeLike:
      case OpKind::kUpsampleStride:
        emit_resize(op);
        break;
    }
  }

  static memory::dim right_padding(std::int64_t in, std::int64_t out, const Op& op, int dilation) {
    return (out - 1) * op.stride + std::int64_t{op.kernel - 1} * dilation + 1 - in - op.padding;
  }

  void emit_convolution(int op) {
    const Op& here = op_at(op);
    const int source = here.inputs[0];
    const int addition = addition_of_[index(op)];
    const int result = addition >= 0 ? addition : op;
    const Shape &in = shape(source), &out = shape(op);
    const int groups = here.groups;

    memory::dims weight_dims{here.channels, in.c / groups, here.kernel, here.kernel};
    if (groups > 1) weight_dims = {groups, here.channels / groups, in.c / groups, here.kernel, here.kernel};
    dnnl::post_ops post;
    if (addition >= 0) post.append_sum(1.0F);
    append_activation(post, addition >= 0 ? op_at(addition).activation : here.activation);

    const bool in_view = views_[index(result)].concat >= 0;
    const memory::desc any_source(dims_of(in), kF32, Tag::any), any_weight(weight_dims, kF32, Tag::any);
    const memory::desc any_target =
        in_view ? described(out, tag_of_block(block_)) : memory::desc(dims_of(out), kF32, Tag::any);
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, any_source, any_weight,
        memory::desc({here.channels}, kF32, Tag::x), any_target, {here.stride, here.stride},
        {here.dilation - 1, here.dilation - 1}, {here.padding, here.padding},
        {right_padding(in.h, out.h, here, here.dilation), right_padding(in.w, out.w, here, here.dilation)});
    const dnnl::convolution_forward::primitive_desc primitive(desc, attributes(post), engine_);

    const int from = converted(source, primitive.src_desc());
    const int to = addition >= 0 ? accumulator(op, addition, primitive.dst_desc())
                                 : result_value(op, primitive.dst_desc());
    add_primitive(dnnl::convolution_forward(primitive), primitive.scratchpad_desc(),
                  {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, to}},
                  {{DNNL_ARG_WEIGHTS, weights_.weight(op, primitive.weights_desc())},
                   {DNNL_ARG_BIAS, weights_.bias(op)}});
    values_of_[index(result)].push_back(to);
  }

  // Where a convolution adds to the other operand: in place when nobody needs that operand later, else in a
  // copy.
  int accumulator(int convolution, int addition, const memory::desc& desc) {
    const Op& add = op_at(addition);
    const int other = add.inputs[0] == convolution ? add.inputs[1] : add.inputs[0];
    bool free_after = !is_output(other) && !is_given(other) && other != 0 &&
                      views_[index(other)].concat < 0 && views_[index(addition)].concat < 0;
    for (const int consumer : consumers_[index(other)]) {
      // A consumer that was fused into an earlier convolution has run already.
      free_after = free_after && (consumer == addition || consumer < convolution);
    }
    // The convolution itself must not read what it overwrites.
    free_after = free_after && op_at(convolution).inputs[0] != other;
    const int operand = converted(other, desc);
    if (free_after) return new_value(desc, shape(addition), value(operand).storage, value(operand).offset);
    const int copy = result_value(addition, desc);
    reorder(operand, copy);
    return copy;
  }

  void emit_addition(int op) {
    const Op& here = op_at(op);
    const auto& first_values = values_of_[index(here.inputs[0])];
    const memory::desc desc = views_[index(op)].concat >= 0 ? described(shape(op), tag_of_block(block_))
                                                            : value(first_values.front()).desc;
    dnnl::post_ops post;
    append_activation(post, here.activation);
    const dnnl::binary::desc binary(dnnl::algorithm::binary_add, desc, desc, desc);
    const dnnl::binary::primitive_desc primitive(binary, attributes(post), engine_);
    const int left = converted(here.inputs[0], desc), right = converted(here.inputs[1], desc);
    const int to = result_value(op, desc);
    add_primitive(dnnl::binary(primitive), primitive.scratchpad_desc(),
                  {{DNNL_ARG_SRC_0, left}, {DNNL_ARG_SRC_1, right}, {DNNL_ARG_DST, to}});
    values_of_[index(op)].push_back(to);
  }

  // Reached only when the parts could not be written in place.
  void emit_concat(int op) {
    std::vector<memory::desc> parts;
    std::vector<std::pair<int, int>> arguments;
    for (const int input : op_at(op).inputs) {
      const int from = blocked(input);
      arguments.emplace_back(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(parts.size()), from);
      parts.push_back(value(from).desc);
    }
    const dnnl::concat::primitive_desc primitive(described(shape(op), tag_of_block(block_)), 1, parts,
                                                 engine_, attributes(dnnl::post_ops()));
    const int to = result_value(op, primitive.dst_desc());
    arguments.emplace_back(DNNL_ARG_DST, to);
    add_primitive(dnnl::concat(primitive), primitive.scratchpad_desc(), std::move(arguments));
    values_of_[index(op)].push_back(to);
  }

  void emit_max_pool(int op) {
    const Op& here = op_at(op);
    const int from = blocked(here.inputs[0]);
    const Shape &in = shape(here.inputs[0]), &out = shape(op);
    const memory::desc target = described(out, tag_of_block(value(from).block));
    const dnnl::pooling_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_max, value(from).desc, target,
        {here.stride, here.stride}, {here.kernel, here.kernel}, {here.padding, here.padding},
        {right_padding(in.h, out.h, here, 1), right_padding(in.w, out.w, here, 1)});
    const dnnl::pooling_forward::primitive_desc primitive(desc, attributes(dnnl::post_ops()), engine_);
    const int to = result_value(op, primitive.dst_desc());
    add_primitive(dnnl::pooling_forward(primitive), primitive.scratchpad_desc(),
                  {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, to}});
    values_of_[index(op)].push_back(to);
  }

  void emit_adaptive_pool(int op) {
    const int from = blocked(op_at(op).inputs[0]);
    const int block = value(from).block;
    const int to = result_value(op, described(shape(op), tag_of_block(block)));
    const Shape in = value(from).shape, out = shape(op);
    add_kernel({from, to}, [=](const std::function<float*(int)>& data_of, int threads) {
      adaptive_average({data_of(from), in, block}, {data_of(to), out, block}, threads);
    });
    values_of_[index(op)].push_back(to);
  }

  void emit_resize(int op) {
    const Op& here = op_at(op);
    // A result that only the caller reads is made in the caller's layout.
    const bool plain = is_output(op) && consumers_[index(op)].empty();
    const int from = plain ? converted(here.inputs[0], described(shape(here.inputs[0]), Tag::nchw))
                           : blocked(here.inputs[0]);
    const int block = plain ? 1 : block_;
    const Shape in = value(from).shape, out = shape(op);
    const int to = result_value(op, described(out, tag_of_block(block)));
    const bool grid = here.kind == OpKind::kUpsampleStride;
    const auto rows = grid ? stride_taps(in.h, here.stride, out.h) : half_pixel_taps(in.h, out.h);
    const auto columns = grid ? stride_taps(in.w, here.stride, out.w) : half_pixel_taps(in.w, out.w);
    add_kernel({from, to}, [=](const std::function<float*(int)>& data_of, int threads) {
      interpolate({data_of(from), in, block}, rows, columns, {data_of(to), out, block}, threads);
    });
    values_of_[index(op)].push_back(to);
  }

  void place_buffers() {
    for (const int id : kept_) storages_[static_cast<std::size_t>(value(id).storage)].last = step();
    // The caller fills these before the first step.
    storages_[static_cast<std::size_t>(value(plan_->input_value).storage)].first = -1;
    for (const auto& [op, id] : plan_->override_values)
      storages_[static_cast<std::size_t>(value(id).storage)].first = -1;
    ArenaPlan arena = plan_arena(storages_);
    plan_->storage_offsets = std::move(arena.offsets);
    plan_->arena_bytes = arena.bytes;
  }

  const Graph& graph_;
  const PlanRequest& request_;
  const dnnl::engine& engine_;
  WeightCache& weights_;
  const std::vector<Shape> shapes_;
  const int block_;
  std::shared_ptr<OneDnnPlan> plan_;

  std::vector<int> given_;
  std::vector<bool> needed_;
  std::vector<std::vector<int>> consumers_;
  std::vector<int> addition_of_;  // convolution -> the addition fused into it, or -1
  std::vector<ConcatView> views_;
  std::vector<std::vector<int>>
      values_of_;  // operation -> its value in the layouts made so far; the first is the original
  std::vector<BufferRequest> storages_;
  std::vector<int> kept_;
};

}  // namespace

memory WeightCache::weight(int op, const memory::desc& wanted) {
  const std::lock_guard lock(mutex_);
  for (const memory& known : weights_[op]) {
    if (known.get_desc() == wanted) return known;
  }
  const Op& here = graph_->ops[static_cast<std::size_t>(op)];
  memory::dims dims = wanted.dims();
  const memory::desc plain(dims, kF32, dims.size() == 5 ? Tag::goihw : Tag::oihw);
  memory from(plain, engine_, const_cast<float*>(here.weight.data()));
  memory to(wanted, engine_);
  dnnl::stream stream(engine_);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  weights_[op].push_back(to);
  return to;
}

memory WeightCache::bias(int op) {
  const std::lock_guard lock(mutex_);
  const auto found = biases_.find(op);
  if (found != biases_.end()) return found->second;
  const Op& here = graph_->ops[static_cast<std::size_t>(op)];
  memory bias(memory::desc({here.channels}, kF32, Tag::x), engine_);
  std::memcpy(bias.get_data_handle(), here.bias.data(), here.bias.size() * sizeof(float));
  biases_.emplace(op, bias);
  return bias;
}

Result<std::shared_ptr<const OneDnnPlan>> make_onednn_plan(const Graph& graph, const PlanRequest& request,
                                                           const dnnl::engine& engine, WeightCache& weights) {
  TERRAPIN_TRY(auto shapes, infer_shapes(graph, request.input));
  for (const auto& [op, shape] : request.overrides) {
    if (op < 1 || op >= static_cast<int>(graph.ops.size()) || shape != shapes[static_cast<std::size_t>(op)]) {
      return fail(ErrorCode::kInvalidArgument,
                  "the value given for operation {} has not the shape it would compute", op);
    }
  }
  return PlanBuilder(graph, request, engine, weights, std::move(shapes)).build();
}

}  // namespace terrapin::inference

#endif
