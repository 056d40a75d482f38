#include "networks/blueprint.h"

#include <utility>

namespace terrapin::networks {

Blueprint::Blueprint(int input_channels) {
  Layer input;
  input.kind = OpKind::kInput;
  input.name = "input";
  input.channels = input_channels;
  layers.push_back(std::move(input));
}

int Blueprint::append(Layer layer) {
  layer.auxiliary = in_auxiliary_;
  if (layer.name.empty()) layer.name = fmt::format("op{}", layers.size());
  layers.push_back(std::move(layer));
  return static_cast<int>(layers.size()) - 1;
}

int Blueprint::conv(int input, const Conv& options) {
  Layer layer;
  layer.kind = OpKind::kConv;
  layer.name = options.name;
  layer.norm = options.norm;
  layer.inputs = {input};
  layer.in_channels = channels(input);
  layer.channels = options.channels;
  layer.kernel = options.kernel;
  layer.stride = options.stride;
  layer.dilation = options.dilation;
  layer.groups = options.groups;
  layer.padding = options.dilation * (options.kernel - 1) / 2;
  layer.activation = options.activation;
  layer.dropout = options.dropout;
  layer.start = options.start;
  return append(std::move(layer));
}

int Blueprint::add(int a, int b, Activation activation) {
  Layer layer;
  layer.kind = OpKind::kAdd;
  layer.inputs = {a, b};
  layer.channels = channels(a);
  layer.activation = activation;
  return append(std::move(layer));
}

int Blueprint::concat(std::vector<int> inputs) {
  Layer layer;
  layer.kind = OpKind::kConcat;
  for (const int input : inputs) layer.channels += channels(input);
  layer.inputs = std::move(inputs);
  return append(std::move(layer));
}

int Blueprint::max_pool(int input, int kernel, int stride, int padding) {
  Layer layer;
  layer.kind = OpKind::kMaxPool;
  layer.inputs = {input};
  layer.channels = channels(input);
  layer.kernel = kernel;
  layer.stride = stride;
  layer.padding = padding;
  return append(std::move(layer));
}

int Blueprint::pool_whole(int input, int bins) {
  Layer layer;
  layer.kind = OpKind::kAdaptiveAvgPool;
  layer.inputs = {input};
  layer.channels = channels(input);
  layer.pool_size = bins;
  layer.global_context = true;
  return append(std::move(layer));
}

int Blueprint::resize_like(int input, int like) {
  Layer layer;
  layer.kind = OpKind::kResizeLike;
  layer.inputs = {input, like};
  layer.channels = channels(input);
  return append(std::move(layer));
}

int Blueprint::upsample_stride(int input, int stride, int like) {
  Layer layer;
  layer.kind = OpKind::kUpsampleStride;
  layer.inputs = {input, like};
  layer.channels = channels(input);
  layer.stride = stride;
  return append(std::move(layer));
}

namespace {

// ImageNet statistics as torchvision uses them.
constexpr std::array<double, 3> kImageNetMean{0.485, 0.456, 0.406};
constexpr std::array<double, 3> kImageNetStd{0.229, 0.224, 0.225};

int add_head(Blueprint& network, const artifacts::NetworkSpec& spec, int features, const std::string& name) {
  if (spec.algorithm == "fcn") return add_fcn_head(network, features, name, spec.num_classes);
  if (spec.algorithm == "psp") return add_psp_head(network, features, name, spec.num_classes);
  const std::vector<int> rates =
      network.output_stride == 8 ? std::vector{12, 24, 36} : std::vector{6, 12, 18};
  return add_deeplab_head(network, features, name, spec.num_classes, rates);
}

}  // namespace

Result<Blueprint> make_blueprint(const artifacts::NetworkSpec& spec) {
  const bool mobile = spec.backbone == "mobilenet-v2";
  if (!mobile && spec.backbone != "resnet-50" && spec.backbone != "resnet-101") {
    return fail(ErrorCode::kInvalidArgument,
                "backbone '{}' is unknown: allowed are mobilenet-v2, resnet-50, resnet-101", spec.backbone);
  }
  const bool lite = spec.algorithm == "lite";
  if (!lite && spec.algorithm != "fcn" && spec.algorithm != "psp" && spec.algorithm != "deeplab") {
    return fail(ErrorCode::kInvalidArgument, "algorithm '{}' is unknown: allowed are fcn, psp, deeplab, lite",
                spec.algorithm);
  }
  if (lite && !mobile) {
    return fail(
        ErrorCode::kInvalidArgument,
        "algorithm 'lite' needs backbone mobilenet-v2, not {}: with a ResNet choose fcn, psp or deeplab",
        spec.backbone);
  }
  if (spec.num_classes < 2 || spec.num_classes > 254) {
    return fail(ErrorCode::kInvalidArgument, "num_classes {} is outside 2..254", spec.num_classes);
  }
  if (spec.skip_channels < 0 || spec.skip_channels > 1024) {
    return fail(ErrorCode::kInvalidArgument, "skip_channels {} is outside 0..1024", spec.skip_channels);
  }

  Blueprint network;
  network.backbone = spec.backbone;
  network.algorithm = spec.algorithm;
  Features features;
  if (mobile) {
    network.output_stride = 16;
    features = add_mobilenet_v2(network);
  } else {
    network.output_stride = 8;
    network.preprocessing.mean = kImageNetMean;
    network.preprocessing.std = kImageNetStd;
    features = add_resnet(network, {3, 4, spec.backbone == "resnet-101" ? 23 : 6, 3});
  }
  if (lite) {
    network.preprocessing.size_multiple = 16;
    network.preprocessing.size_offset = 1;
    network.output = add_lite_decoder(network, features, spec.num_classes, spec.skip_channels);
  } else {
    network.output = network.resize_like(add_head(network, spec, features.last, "classifier"), 0);
  }
  if (spec.auxiliary_head) {
    network.set_auxiliary(true);
    const int coarse = add_fcn_head(network, features.middle, "aux_classifier", spec.num_classes);
    network.auxiliary =
        lite ? network.upsample_stride(coarse, network.output_stride, 0) : network.resize_like(coarse, 0);
    network.set_auxiliary(false);
  }
  return network;
}

}  // namespace terrapin::networks
