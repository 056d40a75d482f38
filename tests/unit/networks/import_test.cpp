// Initial weights: names, folding, strictness; logits against torchvision; real VOC weights on real photos.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <torch/torch.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "artifacts/safetensors.h"
#include "imaging/codecs.h"
#include "networks/input.h"
#include "networks/network.h"
#include "networks/pretrained.h"

namespace terrapin::networks {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "terrapin-networks-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::shared_ptr<SegmentationNetwork> build(const std::string& backbone, const std::string& algorithm,
                                           int classes = 21, int skip = 0) {
  artifacts::NetworkSpec spec;
  spec.backbone = backbone;
  spec.algorithm = algorithm;
  spec.num_classes = classes;
  spec.skip_channels = skip;
  auto network = build_network(spec);
  EXPECT_TRUE(network) << network.error().message;
  return *network;
}

torch::Tensor as_tensor(const artifacts::TensorData& data) {
  const std::vector<float> values = *artifacts::to_float32(data);
  return torch::tensor(values).reshape(data.shape);
}

// Runs the peer; empty if this machine has no torchvision. Every other failure throws, so that it fails the
// test.
std::optional<artifacts::TensorFile> ask_torchvision(const std::string& model) {
  const TemporaryFolder folder;
  const fs::path out = folder / "peer.safetensors";
  const std::string command =
      fmt::format("/usr/bin/python3 '{}/tests/oracle/torchvision_logits.py' {} '{}' 97 65",
                  TERRAPIN_SOURCE_DIR, model, out.string());
  const int status = std::system(command.c_str());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return std::nullopt;
  if (status != 0) throw std::runtime_error(fmt::format("wait status {:#x} of {}", status, command));
  auto file = artifacts::read_safetensors(out);
  if (!file) throw std::runtime_error(file.error().message);
  return std::move(*file);
}

artifacts::TensorFile state_dict(const artifacts::TensorFile& peer) {
  artifacts::TensorFile state;
  for (const auto& [name, tensor] : peer.tensors) {
    if (name.starts_with("model/")) state.tensors.emplace(name.substr(6), tensor);
  }
  return state;
}

torch::Tensor normalised(const torch::Tensor& image, const artifacts::Preprocessing& preprocessing) {
  std::vector<torch::Tensor> channels;
  for (int c = 0; c < 3; ++c) {
    channels.push_back((image.slice(1, c, c + 1) - preprocessing.mean[static_cast<std::size_t>(c)]) /
                       preprocessing.std[static_cast<std::size_t>(c)]);
  }
  return torch::cat(channels, 1);
}

#define SKIP_WITHOUT_TORCHVISION(peer) \
  if (!peer)                           \
  GTEST_SKIP() << "PARITY WITH TORCHVISION IS NOT TESTED: install python3-torchvision (/usr/bin/python3)"

struct Peer {
  const char *model, *backbone, *algorithm;
};

class Torchvision : public testing::TestWithParam<Peer> {};

TEST_P(Torchvision, GivesTheSameLogits) {
  const auto peer = ask_torchvision(GetParam().model);
  SKIP_WITHOUT_TORCHVISION(peer);
  const auto network = build(GetParam().backbone, GetParam().algorithm);
  const auto report = import_weights(*network, state_dict(*peer), /*keep_head=*/true);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->layout, "torchvision segmentation");
  EXPECT_TRUE(report->fresh.empty());
  network->eval();
  torch::NoGradGuard no_gradients;
  const torch::Tensor expected = as_tensor(peer->tensors.at("logits"));
  const torch::Tensor input = normalised(as_tensor(peer->tensors.at("image")), network->preprocessing());
  EXPECT_GT(expected.std().item<double>(), 1e-2);
  const double module_difference = (network->forward(input).logits - expected).abs().max().item<double>();
  const double graph_difference = (run_graph(network->graph(), input) - expected).abs().max().item<double>();
  std::printf("%s: largest logit %.3g, module differs by %.2g, folded graph by %.2g\n", GetParam().model,
              expected.abs().max().item<double>(), module_difference, graph_difference);
  EXPECT_LE(module_difference, 1e-4);
  EXPECT_LE(graph_difference, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Peers, Torchvision,
                         testing::Values(Peer{"fcn_resnet50", "resnet-50", "fcn"},
                                         Peer{"fcn_resnet101", "resnet-101", "fcn"},
                                         Peer{"deeplabv3_resnet50", "resnet-50", "deeplab"},
                                         Peer{"deeplabv3_resnet101", "resnet-101", "deeplab"}),
                         [](const auto& each) { return std::string(each.param.model); });

TEST(Import, TorchvisionMobilenetIsFoldedExactly) {
  const auto peer = ask_torchvision("mobilenet_v2");
  SKIP_WITHOUT_TORCHVISION(peer);
  const auto network = build("mobilenet-v2", "lite", 4, 24);
  const auto report = import_weights(*network, state_dict(*peer));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->layout, "torchvision mobilenet_v2");
  EXPECT_EQ(report->loaded.size(), 51U * 2);
  EXPECT_THAT(report->ignored, testing::Contains("classifier.1.weight"));
  network->eval();
  Graph graph = network->graph();
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    if (graph.ops[i].name == "encoder.block12.project")
      graph.output = static_cast<int>(i) + 1;  // its residual sum
  }
  ASSERT_EQ(graph.ops[static_cast<std::size_t>(graph.output)].kind, OpKind::kAdd);
  const torch::Tensor expected = as_tensor(peer->tensors.at("logits"));
  const torch::Tensor input = normalised(as_tensor(peer->tensors.at("image")), network->preprocessing());
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_GT(expected.std().item<double>(), 1e-3);
  EXPECT_LE((run_graph(graph, input) - expected).abs().max().item<double>(), 1e-4 * scale);
}

// timm's mobilenetv2_100 is the same network under other names.
TEST(Import, TimmMobilenetGivesTheEncoderOfTorchvision) {
  const auto peer = ask_torchvision("mobilenet_v2");
  SKIP_WITHOUT_TORCHVISION(peer);
  const artifacts::TensorFile theirs = state_dict(*peer);
  std::map<std::string, std::string> timm_of{{"features.0.0", "conv_stem"},
                                             {"features.0.1", "bn1"},
                                             {"features.1.conv.0.0", "blocks.0.0.conv_dw"},
                                             {"features.1.conv.0.1", "blocks.0.0.bn1"},
                                             {"features.1.conv.1", "blocks.0.0.conv_pw"},
                                             {"features.1.conv.2", "blocks.0.0.bn2"},
                                             {"features.18.0", "conv_head"},
                                             {"features.18.1", "bn2"},
                                             {"classifier.1", "classifier"}};
  const std::pair<const char*, const char*> inner[] = {{"0.0", "conv_pw"}, {"0.1", "bn1"},
                                                       {"1.0", "conv_dw"}, {"1.1", "bn2"},
                                                       {"2", "conv_pwl"},  {"3", "bn3"}};
  int feature = 2;
  const int repeats[] = {1, 2, 3, 4, 3, 3, 1};  // blocks of each stage, as published
  for (int stage = 1; stage < 7; ++stage) {
    for (int block = 0; block < repeats[stage]; ++block, ++feature) {
      for (const auto& [from, to] : inner) {
        timm_of[fmt::format("features.{}.conv.{}", feature, from)] =
            fmt::format("blocks.{}.{}.{}", stage, block, to);
      }
    }
  }
  artifacts::TensorFile renamed;
  for (const auto& [name, tensor] : theirs.tensors) {
    const std::size_t dot = name.rfind('.');
    ASSERT_TRUE(timm_of.contains(name.substr(0, dot))) << name;
    renamed.tensors.emplace(timm_of.at(name.substr(0, dot)) + name.substr(dot), tensor);
  }
  const auto a = build("mobilenet-v2", "lite", 4, 24), b = build("mobilenet-v2", "lite", 4, 24);
  ASSERT_TRUE(import_weights(*a, theirs));
  const auto report = import_weights(*b, renamed);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->layout, "timm mobilenetv2");
  EXPECT_EQ(report->loaded.size(), 51U * 2);
  const auto expected = a->encoder_parameters(), found = b->encoder_parameters();
  ASSERT_EQ(expected.size(), found.size());
  for (std::size_t k = 0; k < found.size(); ++k) EXPECT_TRUE(torch::equal(expected[k], found[k])) << k;
}

// A plain ImageNet ResNet has the same tensors without "backbone." and with its own classifier.
TEST(Import, ResnetEncoderNamesOfTorchvisionAndTimm) {
  torch::manual_seed(1);
  const auto source = build("resnet-50", "fcn", 7);
  artifacts::TensorFile file;
  for (auto& [name, tensor] : save_weights(*source).tensors) {
    if (name.starts_with("backbone.")) file.tensors.emplace(name.substr(9), std::move(tensor));
  }
  const float values[] = {1, 2};
  file.tensors["fc.weight"] = artifacts::from_float32(values, {1, 2});
  file.tensors["fc.bias"] = artifacts::from_float32(std::span(values, 1), {1});
  const auto target = build("resnet-50", "psp", 3);
  const auto report = import_weights(*target, file);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->layout, "torchvision resnet");
  EXPECT_THAT(report->ignored, testing::ElementsAre("fc.bias", "fc.weight"));
  EXPECT_THAT(report->fresh, testing::Contains("classifier.output.weight"));
  const auto before = save_weights(*source), after = save_weights(*target);
  int compared = 0;
  for (const auto& [name, tensor] : after.tensors) {
    if (!name.starts_with("backbone.")) continue;
    EXPECT_EQ(tensor.data, before.tensors.at(name).data) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 53 * 5);
  const auto deep = import_weights(*build("resnet-101", "fcn", 3), file);
  ASSERT_FALSE(deep);
  EXPECT_THAT(deep.error().message, AllOf(HasSubstr("resnet-50"), HasSubstr("resnet-101")));
}

// Our network's tensors under the names of the folded public files.
artifacts::TensorFile as_folded(const SegmentationNetwork& network, bool deeplab) {
  artifacts::TensorFile file;
  const artifacts::TensorFile ours = save_weights(network);
  const auto put = [&](const std::string& theirs, const std::string& name) {
    file.tensors[theirs + ".weight"] = ours.tensors.at(name + ".weight");
    file.tensors[theirs + ".bias"] = ours.tensors.at(name + ".bias");
  };
  int index = 0;
  for (const Op& op : network.graph().ops) {
    if (op.kind != OpKind::kConv || !op.name.starts_with("encoder.")) continue;
    put(fmt::format("{:03}_{}", index++, op.groups > 1 ? "dw" : "conv"), op.name);
  }
  EXPECT_EQ(index, 51);
  put("051_conv", "decoder.local");
  put("052_conv", "decoder.pool");
  if (deeplab) {
    put("053_conv", "decoder.fuse");
    put("054_conv", "decoder.classifier");
  }
  return file;
}

TEST(Import, FoldedDeeplabFillsTheWholeNetwork) {
  torch::manual_seed(2);
  const auto source = build("mobilenet-v2", "lite", 6);
  const artifacts::TensorFile file = as_folded(*source, true);
  const auto target = build("mobilenet-v2", "lite", 6);
  const auto report = import_weights(*target, file, /*keep_head=*/true);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->layout, "folded deeplabv3 mobilenet_v2");
  EXPECT_EQ(artifacts::serialize_safetensors(save_weights(*target)),
            artifacts::serialize_safetensors(save_weights(*source)));

  // Another class count and skip connections: only those start fresh.
  const auto other = import_weights(*build("mobilenet-v2", "lite", 3, 16), file);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_THAT(other->fresh, AllOf(testing::Contains("decoder.classifier.weight"),
                                  testing::Contains("decoder.refine8.depthwise.weight"),
                                  testing::Not(testing::Contains("decoder.fuse.weight"))));
  const auto kept = import_weights(*build("mobilenet-v2", "lite", 3), file, /*keep_head=*/true);
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().message,
              HasSubstr("decoder.classifier.weight serves 6 classes, the network has 3"));
  // Another head takes the encoder.
  const auto psp = import_weights(*build("mobilenet-v2", "psp", 3), file);
  ASSERT_TRUE(psp) << psp.error().message;
  EXPECT_EQ(psp->loaded.size(), 102U);
}

TEST(Import, NamesEveryDifferenceAndChangesNothing) {
  torch::manual_seed(3);
  const auto network = build("mobilenet-v2", "lite", 6);
  artifacts::TensorFile file = as_folded(*network, true);
  file.tensors.erase("007_dw.weight");
  file.tensors.erase("050_conv.bias");
  const float one[] = {1};
  file.tensors["surprise"] = artifacts::from_float32(one, {1});
  file.tensors["003_conv.bias"] = artifacts::from_float32(one, {1});
  const auto target = build("mobilenet-v2", "lite", 6);
  const auto before = artifacts::serialize_safetensors(save_weights(*target));
  const auto report = import_weights(*target, file);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(report.error().message,
              AllOf(HasSubstr("4 differences"), HasSubstr("missing 007_dw.weight"),
                    HasSubstr("missing 050_conv.bias"), HasSubstr("surplus surprise [1]"),
                    HasSubstr("encoder.block1.expand.bias has shape [1], expected [96]")));
  EXPECT_EQ(artifacts::serialize_safetensors(save_weights(*target)), before);

  artifacts::TensorFile unknown;
  unknown.tensors["transformer.h.0"] = artifacts::from_float32(one, {1});
  const auto refused = import_weights(*target, unknown);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("transformer.h.0"));
}

TEST(Import, OwnEncoderAndPackage) {
  torch::manual_seed(4);
  const auto source = build("mobilenet-v2", "lite", 4, 24);
  const artifacts::TensorFile package = save_weights(*source, artifacts::DType::kF16);
  artifacts::TensorFile encoder = package;
  std::erase_if(encoder.tensors, [](const auto& item) { return !item.first.starts_with("encoder."); });

  const auto only = import_weights(*build("mobilenet-v2", "deeplab", 9), encoder);
  ASSERT_TRUE(only) << only.error().message;
  EXPECT_EQ(only->layout, "terrapin encoder");
  EXPECT_EQ(only->loaded.size(), 102U);

  const auto same = import_weights(*build("mobilenet-v2", "lite", 4, 24), package, /*keep_head=*/true);
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_EQ(same->layout, "terrapin package");

  const auto fewer = import_weights(*build("mobilenet-v2", "lite", 2, 24), package);
  ASSERT_TRUE(fewer) << fewer.error().message;
  EXPECT_THAT(fewer->fresh, testing::UnorderedElementsAre(
                                "decoder.classifier.bias", "decoder.classifier.weight",
                                "decoder.refine4.classifier.bias", "decoder.refine4.classifier.weight"));
  const auto plain = import_weights(*build("mobilenet-v2", "lite", 4, 0), package);
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_THAT(plain->ignored, testing::Contains("decoder.refine8.lateral.weight"));
  const auto wider = import_weights(*build("mobilenet-v2", "lite", 4, 32), package);
  ASSERT_FALSE(wider);
  EXPECT_THAT(
      wider.error().message,
      HasSubstr("decoder.refine8.lateral.weight has shape [24, 192, 1, 1], expected [32, 192, 1, 1]"));
}

TEST(LoadWeights, IsStrict) {
  torch::manual_seed(5);
  const auto a = build("mobilenet-v2", "lite", 3, 8), b = build("mobilenet-v2", "lite", 3, 8);
  artifacts::TensorFile file = save_weights(*a);
  ASSERT_TRUE(load_weights(*b, file));
  EXPECT_EQ(artifacts::serialize_safetensors(save_weights(*b)), artifacts::serialize_safetensors(file));
  file.tensors["decoder.pool.bias"].shape = {1, 256};
  file.tensors["more"] = file.tensors["decoder.fuse.bias"];
  file.tensors.erase("encoder.stem.bias");
  const Status status = load_weights(*b, file);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message,
              AllOf(HasSubstr("3 differences"), HasSubstr("missing encoder.stem.bias [32]"),
                    HasSubstr("surplus more [256]"), HasSubstr("decoder.pool.bias has shape [1, 256]")));
}

TEST(BuildNetwork, ListsWhatIsAllowed) {
  const auto error = [](auto change) {
    artifacts::NetworkSpec spec;
    change(spec);
    const auto network = build_network(spec);
    return network ? std::string("built") : network.error().message;
  };
  EXPECT_THAT(error([](auto& s) { s.backbone = "vgg"; }),
              AllOf(HasSubstr("vgg"), HasSubstr("mobilenet-v2, resnet-50, resnet-101")));
  EXPECT_THAT(error([](auto& s) { s.algorithm = "unet"; }),
              AllOf(HasSubstr("unet"), HasSubstr("fcn, psp, deeplab, lite")));
  EXPECT_THAT(error([](auto& s) { s.backbone = "resnet-50"; }),
              HasSubstr("'lite' needs backbone mobilenet-v2"));
  EXPECT_THAT(error([](auto& s) { s.num_classes = 255; }), HasSubstr("255 is outside 2..254"));
  EXPECT_THAT(error([](auto& s) { s.num_classes = 1; }), HasSubstr("1 is outside 2..254"));
  EXPECT_EQ(error([](auto&) {}), "built");
}

// The public VOC weights as they are: class 8 is "cat".
TEST(PublicWeights, SegmentCatsWithoutTraining) {
  const char* data = std::getenv("TERRAPIN_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "TERRAPIN_TEST_DATA is not set";
  const fs::path root = data;
  const fs::path weights = root / "weights" / "deeplabv3_mnv2_pascal_quant.safetensors";
  if (!fs::exists(weights) || !fs::exists(root / "feral_cats"))
    GTEST_SKIP() << root << " lacks weights or feral_cats";
  const auto file = artifacts::read_safetensors(weights);
  ASSERT_TRUE(file) << file.error().message;
  const auto network = build("mobilenet-v2", "lite");
  ASSERT_TRUE(import_weights(*network, *file, /*keep_head=*/true));
  network->eval();
  artifacts::Preprocessing preprocessing = network->preprocessing();
  preprocessing.long_side = 513;

  std::ifstream splits(root / "feral_cats" / "splits.tsv");
  std::string line;
  // All of them with TERRAPIN_TEST_ALL_PHOTOS; enough for a stable number otherwise.
  const int most = std::getenv("TERRAPIN_TEST_ALL_PHOTOS") != nullptr ? 1 << 20 : 20;
  int photos = 0;
  std::int64_t both = 0, either = 0;
  torch::NoGradGuard no_gradients;
  while (photos < most && std::getline(splits, line)) {
    if (!line.starts_with("valid\t")) continue;
    const std::string name = line.substr(line.rfind('\t') + 1);
    const auto photo = imaging::read_photo(root / "feral_cats" / "images" / (name + ".jpg"));
    const auto truth = imaging::read_label_mask(root / "feral_cats" / "instances" / (name + ".png"));
    ASSERT_TRUE(photo && truth) << name;
    const torch::Tensor logits = network->forward(photo_to_input(*photo, preprocessing)).logits;
    const imaging::Mask mask = logits_to_mask(logits, photo->size());
    ASSERT_EQ(mask.size(), truth->size());
    for (std::size_t i = 0; i < mask.bytes().size(); ++i) {
      const bool said = mask.bytes()[i] == 8, is = truth->bytes()[i] != 0;
      both += said && is;
      either += said || is;
    }
    ++photos;
  }
  ASSERT_GT(photos, 10);
  const double iou = static_cast<double>(both) / static_cast<double>(either);
  std::printf("cat IoU of the VOC weights on %d photos: %.4f\n", photos, iou);
  EXPECT_GE(iou, 0.55);
}

TEST(PublicWeights, ImageNetEncoderLoads) {
  const char* data = std::getenv("TERRAPIN_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "TERRAPIN_TEST_DATA is not set";
  const fs::path weights = fs::path(data) / "weights" / "tf2_mobilenet_v2_1.0_224_ptq.safetensors";
  if (!fs::exists(weights)) GTEST_SKIP() << weights << " is missing";
  const auto file = artifacts::read_safetensors(weights);
  ASSERT_TRUE(file) << file.error().message;
  const auto report = import_weights(*build("mobilenet-v2", "lite", 2, 48), *file);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->layout, "folded mobilenet_v2");
  EXPECT_EQ(report->loaded.size(), 102U);
  EXPECT_THAT(report->ignored,
              testing::ElementsAre("051_conv.bias", "051_conv.weight", "052_conv.bias", "052_conv.weight"));
}

class WeightsFolder : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TERRAPIN_WEIGHTS", (folder_ / "weights").c_str(), 1);
    torch::manual_seed(6);
    network_ = build("mobilenet-v2", "lite", 6);
  }
  void TearDown() override { unsetenv("TERRAPIN_WEIGHTS"); }
  fs::path write(const std::string& name, const artifacts::TensorFile& file) {
    EXPECT_TRUE(artifacts::write_safetensors(folder_ / name, file));
    return folder_ / name;
  }
  TemporaryFolder folder_;
  std::shared_ptr<SegmentationNetwork> network_;
};

TEST_F(WeightsFolder, AddsOnceAndFindsTheBestFile) {
  artifacts::NetworkSpec spec;
  const auto imagenet = add_weights(write("a_imagenet.safetensors", as_folded(*network_, false)));
  ASSERT_TRUE(imagenet) << imagenet.error().message;
  EXPECT_EQ(imagenet->backbone, "mobilenet-v2");
  EXPECT_FALSE(imagenet->checksum_known);
  EXPECT_EQ(imagenet->sha256.size(), 64U);
  EXPECT_EQ(*find_pretrained(spec), imagenet->path);
  const auto voc = add_weights(write("model.safetensors", as_folded(*network_, true)));
  ASSERT_TRUE(voc) << voc.error().message;
  EXPECT_EQ(voc->path.filename(), "mobilenet-v2.safetensors");
  EXPECT_EQ(*find_pretrained(spec), voc->path);
  spec.algorithm = "psp";
  EXPECT_EQ(*find_pretrained(spec), voc->path);
  ASSERT_TRUE(add_weights(folder_ / "model.safetensors")) << "the same bytes again are no conflict";

  torch::manual_seed(7);
  const auto conflict =
      add_weights(write("model.safetensors", save_weights(*build("mobilenet-v2", "lite", 3))));
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, ErrorCode::kAlreadyExists);
  const auto listed = list_weights();
  ASSERT_TRUE(listed);
  EXPECT_GE(listed->size(), 2U);
  EXPECT_EQ(listed->front().layout, "folded mobilenet_v2");
}

TEST_F(WeightsFolder, RefusesWhatItCannotUse) {
  const auto text = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    const auto added = add_weights(folder_ / name);
    return added ? std::string("added") : added.error().message;
  };
  EXPECT_THAT(text("resnet50-0676ba61.pth", "PK\x03\x04...."),
              AllOf(HasSubstr("resnet50-0676ba61.pth"), HasSubstr("convert_weights.py")));
  EXPECT_THAT(text("junk.safetensors", "nothing of the kind"), HasSubstr("junk.safetensors"));
  EXPECT_THAT(text("empty.safetensors", ""), HasSubstr("empty.safetensors"));
  const float one[] = {1};
  artifacts::TensorFile other;
  other.tensors["wte.weight"] = artifacts::from_float32(one, {1});
  const auto added = add_weights(write("gpt.safetensors", other));
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, AllOf(HasSubstr("gpt.safetensors"), HasSubstr("no known layout")));
  EXPECT_FALSE(fs::exists(weights_folder()));
  EXPECT_FALSE(add_weights(folder_ / "absent.safetensors"));
}

TEST_F(WeightsFolder, SaysWhatToGetWhenNothingIsFound) {
  artifacts::NetworkSpec spec;
  spec.backbone = "resnet-101";
  spec.algorithm = "fcn";
  const auto found = find_pretrained(spec);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(
      found.error().message,
      AllOf(HasSubstr("resnet101"), HasSubstr("terrapin weights add"), HasSubstr(weights_folder().string()),
            HasSubstr("use_pretrained_model=False"), HasSubstr("convert_weights.py")));
}

}  // namespace
}  // namespace terrapin::networks
