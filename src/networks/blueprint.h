// A network described once, as plain data: which layers, under which names, joined how. The trainable module
// and the folded graph are both made from this list, so they cannot drift apart. Free of torch.
#pragma once

#include <string>
#include <vector>

#include "artifacts/model_package.h"
#include "base/result.h"
#include "networks/graph.h"

namespace terrapin::networks {

// How a convolution's random weights start.
enum class Start {
  kHe,          // normal, variance 2 / fan-in (He et al., 2015); bias 0
  kClassifier,  // normal, standard deviation 0.01; bias 0: every class is about equally likely at first
  kZero,        // a correction that begins by changing nothing
};

struct Layer {
  OpKind kind = OpKind::kInput;
  std::string name;  // kConv: tensors <name>.weight and, when norm-free, <name>.bias
  std::string norm;  // batch norm <norm>.{weight,bias,running_mean,running_var} after the convolution; empty:
                     // norm-free
  std::vector<int> inputs;
  int channels = 0, in_channels = 0;
  int kernel = 1, stride = 1, padding = 0, dilation = 1, groups = 1;
  int pool_size = 1;
  Activation activation = Activation::kNone;
  double dropout = 0;  // after the activation, while training
  bool global_context = false;
  bool auxiliary = false;  // computed while training only, not part of the graph
  Start start = Start::kHe;
};

// Options of one convolution; padding is dilation * (kernel - 1) / 2, so that stride 1 keeps the size.
struct Conv {
  std::string name;
  std::string norm = {};
  int channels = 0, kernel = 1, stride = 1, dilation = 1, groups = 1;
  Activation activation = Activation::kNone;
  double dropout = 0;
  Start start = Start::kHe;
};

// Layers are appended in order; every function returns the new layer's index, to be used as an input of later
// ones.
class Blueprint {
 public:
  explicit Blueprint(int input_channels = 3);  // layer 0 is the input

  int conv(int input, const Conv& options);
  int add(int a, int b, Activation activation = Activation::kNone);
  int concat(std::vector<int> inputs);
  int max_pool(int input, int kernel, int stride, int padding);
  // Pools the whole picture into bins x bins cells; marked as global context.
  int pool_whole(int input, int bins);
  int resize_like(int input, int like);
  int upsample_stride(int input, int stride, int like);
  // Layers appended from now on belong to the auxiliary head (or no longer do).
  void set_auxiliary(bool on) { in_auxiliary_ = on; }

  int channels(int layer) const { return layers[static_cast<std::size_t>(layer)].channels; }

  std::string backbone, algorithm;  // as in the spec
  std::vector<Layer> layers;
  int output = 0;      // logits at the input's size
  int auxiliary = -1;  // the auxiliary head's logits; -1: none
  int output_stride = 16;
  artifacts::Preprocessing preprocessing;

 private:
  int append(Layer layer);
  bool in_auxiliary_ = false;
};

// What an encoder hands to decoders: layer indices.
struct Features {
  int stride2 = 0, stride4 = 0, stride8 = 0;  // for skip connections (MobileNetV2 only; 0: none)
  int middle = 0;                             // where an auxiliary head looks
  int last = 0;
};

Features add_mobilenet_v2(Blueprint& network);
// `blocks`: bottlenecks per stage, {3, 4, 6, 3} or {3, 4, 23, 3}.
Features add_resnet(Blueprint& network, const std::vector<int>& blocks);

// Heads return logits at the features' size; names begin with `name`.
int add_fcn_head(Blueprint& network, int features, const std::string& name, int num_classes);
int add_psp_head(Blueprint& network, int features, const std::string& name, int num_classes);
int add_deeplab_head(Blueprint& network, int features, const std::string& name, int num_classes,
                     const std::vector<int>& rates);
// DeepLabV3's head of the public MobileNetV2 weights, without its classifier: a local and a global branch,
// joined to 256 channels at the features' size, under the names "decoder.pool", "decoder.local",
// "decoder.fuse".
int add_mobilenet_head(Blueprint& network, int features);
// A 3 x 3 convolution of each channel, then a 1 x 1 of all; size and channels stay.
int add_separable(Blueprint& network, int input, const std::string& name);
// Returns logits at the input's size.
int add_lite_decoder(Blueprint& network, const Features& features, int num_classes, int skip_channels);

// The whole network of a spec. kInvalidArgument names the value and what is allowed.
Result<Blueprint> make_blueprint(const artifacts::NetworkSpec& spec);

}  // namespace terrapin::networks
