#include "export/onnx.h"

#include <bit>

#include "base/json_text.h"
#include "export/onnx.pb.h"

namespace terrapin::onnx {
namespace {

using networks::Activation;
using networks::Op;
using networks::OpKind;

static_assert(std::endian::native == std::endian::little, "raw_data is written as it lies in memory");

constexpr int kFloat = 1, kUint8 = 2, kInt64 = 7;
constexpr int kIrVersion = 8, kOpset = 13;

class Writer {
 public:
  explicit Writer(schema::GraphProto& graph) : graph_(graph) {}

  schema::NodeProto& node(const std::string& type, const std::vector<std::string>& inputs,
                          const std::string& output) {
    schema::NodeProto& made = *graph_.add_node();
    made.set_op_type(type);
    made.set_name(output);
    for (const std::string& input : inputs) made.add_input(input);
    made.add_output(output);
    return made;
  }

  static void set(schema::NodeProto& node, const std::string& name, std::int64_t value) {
    schema::AttributeProto& attribute = attribute_of(node, name, schema::AttributeProto::INT);
    attribute.set_i(value);
  }
  static void set(schema::NodeProto& node, const std::string& name, const std::string& value) {
    schema::AttributeProto& attribute = attribute_of(node, name, schema::AttributeProto::STRING);
    attribute.set_s(value);
  }
  static void set(schema::NodeProto& node, const std::string& name, const std::vector<std::int64_t>& values) {
    schema::AttributeProto& attribute = attribute_of(node, name, schema::AttributeProto::INTS);
    for (const std::int64_t value : values) attribute.add_ints(value);
  }

  std::string constant(const std::string& name, const std::vector<float>& values,
                       const std::vector<std::int64_t>& dims) {
    return tensor(name, kFloat, values.data(), values.size() * sizeof(float), dims);
  }
  std::string constant(const std::string& name, const std::vector<std::int64_t>& values) {
    return tensor(name, kInt64, values.data(), values.size() * sizeof(std::int64_t),
                  {static_cast<std::int64_t>(values.size())});
  }

  // `value`[first, last) along `axis`; the bounds are one-element tensors.
  void slice(const std::string& value, const std::string& first, const std::string& last, int axis,
             const std::string& output) {
    node("Slice", {value, first, last, constant(output + ".axes", std::vector<std::int64_t>{axis})}, output);
  }

 private:
  static schema::AttributeProto& attribute_of(schema::NodeProto& node, const std::string& name,
                                              schema::AttributeProto::AttributeType type) {
    schema::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
  std::string tensor(const std::string& name, int type, const void* data, std::size_t bytes,
                     const std::vector<std::int64_t>& dims) {
    schema::TensorProto& made = *graph_.add_initializer();
    made.set_name(name);
    made.set_data_type(type);
    for (const std::int64_t dim : dims) made.add_dims(dim);
    made.set_raw_data(data, bytes);
    return name;
  }

  schema::GraphProto& graph_;
};

class Exporter {
 public:
  Exporter(const networks::Graph& graph, schema::GraphProto& out) : graph_(graph), writer_(out) {}

  void write() {
    names_.push_back("image");
    for (std::size_t i = 1; i < graph_.ops.size(); ++i) {
      const Op& op = graph_.ops[i];
      const bool last = static_cast<int>(i) == graph_.output;
      const std::string name = last ? "logits" : fmt::format("{}_{}", i, op.name);
      const std::string plain = op.activation == Activation::kNone ? name : name + ".linear";
      write_operation(op, plain);
      if (op.activation == Activation::kRelu) writer_.node("Relu", {plain}, name);
      if (op.activation == Activation::kRelu6) {
        const std::vector<std::int64_t> scalar;
        writer_.node("Clip",
                     {plain, writer_.constant(name + ".min", {0.0F}, scalar),
                      writer_.constant(name + ".max", {6.0F}, scalar)},
                     name);
      }
      names_.push_back(name);
    }
  }

 private:
  std::string input(const Op& op, std::size_t k) const {
    return names_[static_cast<std::size_t>(op.inputs[k])];
  }

  void write_operation(const Op& op, const std::string& name) {
    switch (op.kind) {
      case OpKind::kInput:
        break;
      case OpKind::kConv:
        write_convolution(op, name);
        break;
      case OpKind::kAdd:
        writer_.node("Add", {input(op, 0), input(op, 1)}, name);
        break;
      case OpKind::kConcat: {
        std::vector<std::string> parts;
        for (std::size_t k = 0; k < op.inputs.size(); ++k) parts.push_back(input(op, k));
        Writer::set(writer_.node("Concat", parts, name), "axis", std::int64_t{1});
        break;
      }
      case OpKind::kMaxPool: {
        schema::NodeProto& node = writer_.node("MaxPool", {input(op, 0)}, name);
        set_window(node, op);
        break;
      }
      case OpKind::kAdaptiveAvgPool:
        write_adaptive_pool(op, name);
        break;
      case OpKind::kResizeLike:
        write_resize_like(op, name);
        break;
      case OpKind::kUpsampleStride:
        write_upsample(op, name);
        break;
    }
  }

  static void set_window(schema::NodeProto& node, const Op& op) {
    Writer::set(node, "kernel_shape", std::vector<std::int64_t>{op.kernel, op.kernel});
    Writer::set(node, "strides", std::vector<std::int64_t>{op.stride, op.stride});
    Writer::set(node, "pads", std::vector<std::int64_t>{op.padding, op.padding, op.padding, op.padding});
  }

  void write_convolution(const Op& op, const std::string& name) {
    const auto per_group =
        static_cast<std::int64_t>(op.weight.size()) / (std::int64_t{op.channels} * op.kernel * op.kernel);
    const std::string weight =
        writer_.constant(name + ".weight", op.weight, {op.channels, per_group, op.kernel, op.kernel});
    const std::string bias = writer_.constant(name + ".bias", op.bias, {op.channels});
    schema::NodeProto& node = writer_.node("Conv", {input(op, 0), weight, bias}, name);
    set_window(node, op);
    Writer::set(node, "dilations", std::vector<std::int64_t>{op.dilation, op.dilation});
    Writer::set(node, "group", std::int64_t{op.groups});
  }

  // Bins [floor(i * side / p), ceil((i + 1) * side / p)): the mean over a box is the mean over columns of
  // means over rows.
  void write_adaptive_pool(const Op& op, const std::string& name) {
    if (op.pool_size == 1) {
      writer_.node("GlobalAveragePool", {input(op, 0)}, name);
      return;
    }
    std::string value = input(op, 0);
    for (const int axis : {2, 3}) {
      const std::string prefix = fmt::format("{}.axis{}", name, axis);
      const std::string side = side_of(value, axis, prefix);
      const std::string bins = writer_.constant(prefix + ".bins", std::vector<std::int64_t>{op.pool_size});
      std::vector<std::string> means;
      for (int i = 0; i < op.pool_size; ++i) {
        const std::string bin = fmt::format("{}.{}", prefix, i);
        writer_.node("Mul", {side, writer_.constant(bin + ".i", std::vector<std::int64_t>{i})}, bin + ".low");
        writer_.node("Div", {bin + ".low", bins}, bin + ".first");
        writer_.node("Mul", {side, writer_.constant(bin + ".i1", std::vector<std::int64_t>{i + 1})},
                     bin + ".high");
        writer_.node(
            "Add",
            {bin + ".high", writer_.constant(bin + ".up", std::vector<std::int64_t>{op.pool_size - 1})},
            bin + ".raised");
        writer_.node("Div", {bin + ".raised", bins}, bin + ".last");
        writer_.slice(value, bin + ".first", bin + ".last", axis, bin + ".part");
        schema::NodeProto& mean = writer_.node("ReduceMean", {bin + ".part"}, bin + ".mean");
        Writer::set(mean, "axes", std::vector<std::int64_t>{axis});
        Writer::set(mean, "keepdims", std::int64_t{1});
        means.push_back(bin + ".mean");
      }
      value = axis == 3 ? name : prefix + ".joined";
      Writer::set(writer_.node("Concat", means, value), "axis", std::int64_t{axis});
    }
  }

  // The size of `value` along `axis`, a one-element tensor.
  std::string side_of(const std::string& value, int axis, const std::string& prefix) {
    writer_.node("Shape", {value}, prefix + ".shape");
    writer_.node("Gather",
                 {prefix + ".shape", writer_.constant(prefix + ".axis", std::vector<std::int64_t>{axis})},
                 prefix + ".side");
    return prefix + ".side";
  }

  void write_resize_like(const Op& op, const std::string& name) {
    writer_.node("Shape", {input(op, 0)}, name + ".shape0");
    writer_.node("Shape", {input(op, 1)}, name + ".shape1");
    const auto bound = [&](const char* suffix, std::int64_t value) {
      return writer_.constant(name + suffix, std::vector<std::int64_t>{value});
    };
    const std::string zero = bound(".zero", 0), two = bound(".two", 2), four = bound(".four", 4);
    writer_.slice(name + ".shape0", zero, two, 0, name + ".outer");
    writer_.slice(name + ".shape1", two, four, 0, name + ".inner");
    Writer::set(writer_.node("Concat", {name + ".outer", name + ".inner"}, name + ".sizes"), "axis",
                std::int64_t{0});
    schema::NodeProto& node = writer_.node("Resize", {input(op, 0), "", "", name + ".sizes"}, name);
    Writer::set(node, "mode", std::string("linear"));
    Writer::set(node, "coordinate_transformation_mode", std::string("half_pixel"));
  }

  void write_upsample(const Op& op, const std::string& name) {
    const auto scale = static_cast<float>(op.stride);
    const std::string scales = writer_.constant(name + ".scales", {1.0F, 1.0F, scale, scale}, {4});
    schema::NodeProto& node = writer_.node("Resize", {input(op, 0), "", scales}, name + ".enlarged");
    Writer::set(node, "mode", std::string("linear"));
    Writer::set(node, "coordinate_transformation_mode", std::string("asymmetric"));
    writer_.node("Shape", {input(op, 1)}, name + ".shape");
    const auto bounds = [&](const char* suffix, std::int64_t a, std::int64_t b) {
      return writer_.constant(name + suffix, {a, b});
    };
    const std::string two = writer_.constant(name + ".two", std::vector<std::int64_t>{2});
    const std::string four = writer_.constant(name + ".four", std::vector<std::int64_t>{4});
    writer_.slice(name + ".shape", two, four, 0, name + ".size");
    writer_.node("Slice", {name + ".enlarged", bounds(".first", 0, 0), name + ".size", bounds(".cut", 2, 3)},
                 name);
  }

  const networks::Graph& graph_;
  Writer writer_;
  std::vector<std::string> names_;
};

void describe(schema::ValueInfoProto& info, const std::string& name, std::optional<std::int64_t> channels,
              const OnnxOptions& options) {
  info.set_name(name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(channels ? kFloat : kUint8);
  auto& shape = *tensor.mutable_shape();
  const auto dimension = [&](const char* symbol, std::optional<std::int64_t> value) {
    auto& dim = *shape.add_dim();
    value ? dim.set_dim_value(*value) : dim.set_dim_param(symbol);
  };
  const bool fixed = options.size.has_value();
  dimension("batch", fixed ? std::optional<std::int64_t>(1) : std::nullopt);
  if (channels) dimension("channels", channels);
  dimension("height", fixed ? std::optional(options.size->height) : std::nullopt);
  dimension("width", fixed ? std::optional(options.size->width) : std::nullopt);
}

void add_labels(schema::GraphProto& out) {
  Writer writer(out);
  schema::NodeProto& largest = writer.node("ArgMax", {"logits"}, "labels.index");
  Writer::set(largest, "axis", std::int64_t{1});
  Writer::set(largest, "keepdims", std::int64_t{0});
  Writer::set(writer.node("Cast", {"labels.index"}, "labels"), "to", std::int64_t{kUint8});
}

void add_metadata(schema::ModelProto& model, const std::string& key, const std::string& value) {
  auto& entry = *model.add_metadata_props();
  entry.set_key(key);
  entry.set_value(value);
}

}  // namespace

Result<Bytes> to_onnx(const networks::Graph& graph, const artifacts::ModelSpec& spec,
                      const OnnxOptions& options) {
  if (options.size && (options.size->width < 1 || options.size->height < 1)) {
    return fail(ErrorCode::kInvalidArgument,
                "an input of {} x {} pixels is not possible: sides are 1 or more", options.size->width,
                options.size->height);
  }
  schema::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("terrapin");
  model.add_opset_import()->set_version(kOpset);
  schema::GraphProto& out = *model.mutable_graph();
  out.set_name(spec.network.algorithm + " on " + spec.network.backbone);
  describe(*out.add_input(), "image", 3, options);
  describe(*out.add_output(), "logits", graph.ops[static_cast<std::size_t>(graph.output)].channels, options);
  Exporter(graph, out).write();
  if (options.labels) {
    describe(*out.add_output(), "labels", std::nullopt, options);
    add_labels(out);
  }

  const nlohmann::json json = artifacts::to_json(spec);
  add_metadata(model, "terrapin.model", json_text(json));
  add_metadata(model, "terrapin.classes", json_text(artifacts::to_json(spec.classes)));
  const artifacts::Preprocessing& input = spec.preprocessing;
  add_metadata(model, "terrapin.preprocessing",
               json_text({{"mean", input.mean},
                          {"std", input.std},
                          {"long_side", input.long_side},
                          {"size_multiple", input.size_multiple},
                          {"size_offset", input.size_offset}}));
  Bytes bytes(model.ByteSizeLong());
  if (!model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::kTooLarge, "the network's weights exceed what one ONNX file holds (2 GiB)");
  }
  return bytes;
}

}  // namespace terrapin::onnx
