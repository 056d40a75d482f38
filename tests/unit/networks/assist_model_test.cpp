#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "networks/assist_network.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::networks {
namespace {

AssistSpec small_spec() {
  AssistSpec spec;
  spec.width = 16;
  spec.side = 65;
  return spec;
}

AssistModel random_model(std::uint64_t seed) {
  torch::manual_seed(seed);
  AssistModel model;
  model.spec = small_spec();
  model.training = {{"step", 7}};
  model.weights = save_weights(*build_assist_network(model.spec), artifacts::DType::kF16);
  return model;
}

TEST(AssistModel, AnswersALogitForEachPixel) {
  torch::manual_seed(1);
  const auto network = build_assist_network(small_spec());
  network->eval();
  torch::NoGradGuard no_gradients;
  const torch::Tensor input = torch::randn({2, kPromptChannels, 65, 65});
  const torch::Tensor logits = network->forward(input).logits;
  EXPECT_EQ(logits.sizes().vec(), (std::vector<std::int64_t>{2, 1, 65, 65}));
  // The folded graph is the same function.
  EXPECT_LT((run_graph(network->graph(), input) - logits).abs().max().item<double>(),
            1e-4 * std::max(1.0, logits.abs().max().item<double>()));
}

TEST(AssistModel, ImportStartsFromThePhotoAlone) {
  torch::manual_seed(2);
  artifacts::NetworkSpec plain;
  const auto source = *build_network(plain);
  const auto network = build_assist_network(small_spec());
  const auto report = import_assist_weights(*network, save_weights(*source));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->loaded, testing::Contains("encoder.stem.weight"));
  EXPECT_THAT(report->loaded, testing::Contains("decoder.fuse.weight"));
  EXPECT_THAT(report->fresh, testing::Contains(kAssistClassifier));
  torch::NoGradGuard no_gradients;
  network->eval();
  torch::Tensor input = torch::randn({1, kPromptChannels, 65, 65});
  const torch::Tensor before = network->forward(input).logits.clone();
  input.narrow(1, 3, 4).normal_();
  EXPECT_TRUE(torch::equal(before, network->forward(input).logits));  // the points are not seen yet
  input.narrow(1, 0, 3).normal_();
  EXPECT_FALSE(torch::equal(before, network->forward(input).logits));
}

TEST(AssistModel, IsWrittenAndReadBack) {
  const test::TemporaryFolder folder;
  const AssistModel model = random_model(3);
  ASSERT_TRUE(write_assist_model(folder / "assist.safetensors", model));
  for (const auto& path : {folder / "assist.safetensors", folder.path()}) {
    const auto read = read_assist_model(path);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(to_json(read->spec), to_json(model.spec));
    EXPECT_EQ(read->training, model.training);
    ASSERT_EQ(read->weights.tensors.size(), model.weights.tensors.size());
    for (const auto& [name, tensor] : model.weights.tensors)
      EXPECT_EQ(read->weights.tensors.at(name).data, tensor.data);
    EXPECT_TRUE(assist_graph(*read));
  }
}

TEST(AssistModel, OfTheDefaultSizeIsSmallEnoughToShip) {
  const Blueprint blueprint = make_assist_blueprint({});
  std::int64_t values = 0;
  for (const Layer& layer : blueprint.layers) {
    if (layer.kind != OpKind::kConv) continue;
    values +=
        std::int64_t{layer.channels} * (layer.in_channels / layer.groups * layer.kernel * layer.kernel + 1);
  }
  EXPECT_LT(2 * values, 12'000'000);
  EXPECT_GT(2 * values, 3'000'000);
}

TEST(AssistModel, RefusesWhatIsNoAssistanceModel) {
  const test::TemporaryFolder folder;
  AssistModel model = random_model(4);
  const auto refused = [&](const char* part) {
    const auto read = read_assist_model(folder / "m.safetensors");
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message,
                testing::AllOf(testing::HasSubstr("m.safetensors"), testing::HasSubstr(part)));
  };
  ASSERT_TRUE(artifacts::write_safetensors(folder / "m.safetensors", model.weights));
  refused("train-assist");
  artifacts::TensorFile file = model.weights;
  for (
      const auto& [text, part] : std::map<std::string, const char*>{
          {"[]", "JSON object"},
          {R"({"format":"x","version":1})", "'x'"},
          {R"({"format":"terrapin-assist","version":2})", "version 2"},
          {R"({"format":"terrapin-assist","version":1,"network":{"backbone":"mobilenet-v2","width":16,"side":66,"margin":0.2,"max_stretch":2,"point_radius":4},"training":{}})",
           "side 66"},
          {R"({"format":"terrapin-assist","version":1,"network":{"backbone":"vgg","width":16,"side":65,"margin":0.2,"max_stretch":2,"point_radius":4},"training":{}})",
           "vgg"}}) {
    file.metadata["assist"] = text;
    ASSERT_TRUE(artifacts::write_safetensors(folder / "m.safetensors", file));
    refused(part);
  }
  model.spec.side = 100;
  EXPECT_FALSE(write_assist_model(folder / "n.safetensors", model));
  model.spec = small_spec();
  model.weights.tensors.erase("decoder.pool.bias");
  EXPECT_FALSE(assist_graph(model));
}

TEST(AssistModel, IsNoStartingPointForOtherNetworks) {
  const AssistModel model = random_model(5);
  const auto network = *build_network(artifacts::NetworkSpec{});
  EXPECT_FALSE(import_weights(*network, model.weights));
}

}  // namespace
}  // namespace terrapin::networks
