// Networks learn: gradients reach every parameter, one batch can be learned by heart, a random start is
// usable.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "networks/network.h"

namespace terrapin::networks {
namespace {

artifacts::NetworkSpec training_spec(const std::string& backbone, const std::string& algorithm,
                                     bool auxiliary = false) {
  artifacts::NetworkSpec spec;
  spec.backbone = backbone;
  spec.algorithm = algorithm;
  spec.num_classes = 3;
  spec.auxiliary_head = auxiliary;
  spec.skip_channels = 16;
  return spec;
}

class Learning : public testing::TestWithParam<artifacts::NetworkSpec> {};

// Also at a batch of one, where a global branch has a single value per channel.
TEST_P(Learning, GradientsReachEveryParameter) {
  torch::manual_seed(1);
  auto network = build_network(GetParam());
  ASSERT_TRUE(network) << network.error().message;
  initialize_from_batch(**network, torch::randn({2, 3, 33, 33}));
  {
    torch::NoGradGuard no_gradients;  // layers that start at zero would block what lies before them
    for (auto& parameter : (*network)->parameters()) {
      if (parameter.dim() == 4 && parameter.abs().max().item<float>() == 0) parameter.normal_(0, 0.1);
    }
  }
  (*network)->train();
  const NetworkOutput output = (*network)->forward(torch::randn({1, 3, 33, 41}));
  ASSERT_EQ(output.auxiliary.defined(), GetParam().auxiliary_head);
  torch::Tensor loss = output.logits.square().sum();
  if (output.auxiliary.defined()) {
    ASSERT_EQ(output.auxiliary.sizes(), output.logits.sizes());
    loss = loss + output.auxiliary.square().sum();
  }
  loss.backward();
  for (const auto& item : (*network)->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_TRUE(torch::isfinite(item.value().grad()).all().item<bool>()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<float>(), 0) << item.key() << " learns nothing";
  }
  const auto encoder = (*network)->encoder_parameters(), decoder = (*network)->decoder_parameters();
  EXPECT_EQ(encoder.size() + decoder.size(), (*network)->parameters().size());
  EXPECT_GE(encoder.size(), 100U);
  EXPECT_GE(decoder.size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, Learning,
    testing::Values(training_spec("mobilenet-v2", "lite"), training_spec("mobilenet-v2", "psp", true),
                    training_spec("resnet-50", "fcn", true), training_spec("resnet-50", "deeplab")),
    [](const auto& each) {
      return (each.param.backbone == "resnet-50" ? "resnet50_" : "mobilenet_") + each.param.algorithm;
    });

// Central differences through the whole norm-free network, in double.
TEST(Learning, GradientsMatchFiniteDifferences) {
  torch::manual_seed(2);
  auto network = build_network(training_spec("mobilenet-v2", "lite"));
  ASSERT_TRUE(network);
  initialize_from_batch(**network, torch::randn({2, 3, 33, 33}));
  (*network)->to(torch::kFloat64);
  const torch::Tensor input = torch::randn({1, 3, 17, 17}, torch::kFloat64);
  const torch::Tensor weights = torch::randn({1, 3, 17, 17}, torch::kFloat64);
  const auto loss_now = [&] { return ((*network)->forward(input).logits * weights).sum(); };
  loss_now().backward();
  int compared = 0;
  for (const auto& item : (*network)->named_parameters()) {
    if (!item.key().starts_with("decoder.") && !item.key().ends_with("block5.project.weight")) continue;
    torch::Tensor parameter = item.value();
    torch::NoGradGuard no_gradients;
    const torch::Tensor direction = torch::randn_like(parameter);
    const double expected = (parameter.grad() * direction).sum().item<double>();
    constexpr double kStep = 1e-8;  // small enough that hardly any rectifier changes sides
    parameter.add_(direction, kStep);
    const double up = loss_now().item<double>();
    parameter.add_(direction, -2 * kStep);
    const double down = loss_now().item<double>();
    parameter.add_(direction, kStep);
    EXPECT_NEAR((up - down) / (2 * kStep), expected, 1e-3 * std::max(1.0, std::abs(expected))) << item.key();
    ++compared;
  }
  EXPECT_GT(compared, 15);
}

TEST(Learning, LearnsOneBatchByHeartFromARandomStart) {
  torch::manual_seed(3);
  auto network = build_network(training_spec("mobilenet-v2", "lite"));
  ASSERT_TRUE(network);
  const torch::Tensor input = torch::randn({1, 3, 33, 33});
  torch::Tensor target = torch::zeros({1, 33, 33}, torch::kLong);
  target.slice(1, 8, 24).slice(2, 0, 16) = 1;
  target.slice(1, 16, 33).slice(2, 24, 33) = 2;
  initialize_from_batch(**network, input);
  (*network)->train();
  torch::optim::Adam adam((*network)->parameters(), torch::optim::AdamOptions(2e-3));
  double first = 0, last = 0, accuracy = 0;
  for (int step = 0; step < 120; ++step) {
    adam.zero_grad();
    const torch::Tensor logits = (*network)->forward(input).logits;
    const torch::Tensor loss = torch::nn::functional::cross_entropy(logits, target);
    accuracy = (logits.argmax(1) == target).to(torch::kFloat64).mean().item<double>();
    loss.backward();
    adam.step();
    last = loss.item<double>();
    if (step == 0) first = last;
  }
  EXPECT_GT(first, 0.8);
  EXPECT_LT(last, 0.2);  // what remains are borders, blurred by a quarter of the resolution
  EXPECT_GT(accuracy, 0.95);
}

TEST(Learning, FrozenNormsKeepTheirStatisticsWhileTheRestTrains) {
  torch::manual_seed(4);
  auto network = build_network(training_spec("resnet-50", "fcn", true));
  ASSERT_TRUE(network);
  (*network)->train();
  torch::NoGradGuard no_gradients;
  const torch::Tensor input = torch::randn({2, 3, 33, 33});
  const auto statistics = [&] {
    std::vector<torch::Tensor> values;
    for (const auto& buffer : (*network)->buffers()) values.push_back(buffer.clone().flatten());
    return torch::cat(values);
  };
  (*network)->freeze_norms(true);
  const torch::Tensor before = statistics();
  const NetworkOutput first = (*network)->forward(input), second = (*network)->forward(input);
  EXPECT_TRUE(torch::equal(before, statistics()));
  EXPECT_TRUE(first.auxiliary.defined()) << "the auxiliary head trains on";
  EXPECT_FALSE(torch::equal(first.logits, second.logits)) << "dropout stays on";
  (*network)->freeze_norms(false);
  (*network)->forward(input);
  EXPECT_FALSE(torch::equal(before, statistics()));
}

// Without normalisation a deep stack of random layers fades or explodes; after the pass every layer speaks at
// the same volume.
TEST(Learning, InitializeFromBatchKeepsTheSignal) {
  torch::manual_seed(4);
  auto network = build_network(training_spec("mobilenet-v2", "lite"));
  ASSERT_TRUE(network);
  const torch::Tensor batch = torch::randn({2, 3, 65, 65}) * 0.3;
  initialize_from_batch(**network, batch);
  const Graph graph = (*network)->graph();
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    if (graph.ops[i].name != "encoder.stem" && graph.ops[i].name != "encoder.block16.project") continue;
    Graph part = graph;
    part.output = static_cast<int>(i);
    part.ops[i].activation = Activation::kNone;
    const torch::Tensor x = run_graph(part, batch);
    EXPECT_LT(x.mean({0, 2, 3}).abs().max().item<double>(), 1e-3) << graph.ops[i].name;
    EXPECT_NEAR(x.var({0, 2, 3}, false).min().item<double>(), 1, 1e-2) << graph.ops[i].name;
    EXPECT_NEAR(x.var({0, 2, 3}, false).max().item<double>(), 1, 1e-2) << graph.ops[i].name;
  }
}

TEST(Learning, TheSameSeedGivesTheSameStart) {
  const auto build = [](int seed) {
    torch::manual_seed(static_cast<std::uint64_t>(seed));
    return save_weights(**build_network(training_spec("mobilenet-v2", "lite")));
  };
  const auto a = build(9), b = build(9), c = build(10);
  EXPECT_EQ(artifacts::serialize_safetensors(a), artifacts::serialize_safetensors(b));
  EXPECT_NE(artifacts::serialize_safetensors(a), artifacts::serialize_safetensors(c));
}

}  // namespace
}  // namespace terrapin::networks
