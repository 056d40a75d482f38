// The trainable module, the folded graph and the definitions in graph.h agree.
#include "networks/graph.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "networks/layer_network.h"
#include "networks/network.h"

namespace terrapin::networks {
namespace {

artifacts::NetworkSpec spec_of(const std::string& backbone, const std::string& algorithm, int skip = 48) {
  artifacts::NetworkSpec spec;
  spec.backbone = backbone;
  spec.algorithm = algorithm;
  spec.num_classes = 5;
  spec.skip_channels = skip;
  return spec;
}

// Every tensor, running statistics included, takes values that a mistake in folding would show.
void randomise(SegmentationNetwork& network) {
  torch::NoGradGuard no_gradients;
  for (auto& item : network.named_parameters()) {
    torch::Tensor t = item.value();
    if (t.dim() == 1) {
      const bool norm_scale = item.key().ends_with(".weight");
      t.copy_(norm_scale ? torch::rand_like(t) + 0.5 : torch::randn_like(t) * 0.1);
    } else if (t.abs().max().item<float>() == 0) {
      t.normal_(0, 0.1);
    }
  }
  for (auto& item : network.named_buffers()) {
    torch::Tensor t = item.value();
    t.copy_(item.key().ends_with("running_var") ? torch::rand_like(t) + 0.5 : torch::randn_like(t) * 0.1);
  }
}

class EveryNetwork : public testing::TestWithParam<artifacts::NetworkSpec> {};

TEST_P(EveryNetwork, ModuleAndGraphAgreeAtEverySize) {
  torch::manual_seed(7);
  auto network = build_network(GetParam());
  ASSERT_TRUE(network) << network.error().message;
  (*network)->eval();
  randomise(**network);
  const bool small = GetParam().backbone == "mobilenet-v2";
  if (small) initialize_from_batch(**network, torch::randn({2, 3, 65, 65}));
  const Graph graph = (*network)->graph();
  torch::NoGradGuard no_gradients;
  for (const auto& [height, width] : {std::pair{1, 1}, {2, 3}, {17, 33}, {40, 31}, {97, 65}}) {
    if (!small && height == 2) continue;
    const torch::Tensor input = torch::randn({1, 3, height, width});
    const torch::Tensor expected = (*network)->forward(input).logits;
    ASSERT_EQ(expected.sizes(), (std::vector<std::int64_t>{1, 5, height, width}));
    const torch::Tensor actual = run_graph(graph, input);
    ASSERT_EQ(actual.sizes(), expected.sizes());
    const double scale = std::max(1.0, expected.abs().max().item<double>());
    EXPECT_GT(expected.abs().max().item<double>(), 1e-3) << "all-zero logits would prove nothing";
    EXPECT_LE((actual - expected).abs().max().item<double>() / scale, 1e-4) << height << "x" << width;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryNetwork,
                         testing::Values(spec_of("mobilenet-v2", "lite"), spec_of("mobilenet-v2", "lite", 0),
                                         spec_of("mobilenet-v2", "lite", 16), spec_of("mobilenet-v2", "fcn"),
                                         spec_of("mobilenet-v2", "psp"), spec_of("mobilenet-v2", "deeplab"),
                                         spec_of("resnet-50", "fcn"), spec_of("resnet-50", "psp"),
                                         spec_of("resnet-50", "deeplab"), spec_of("resnet-101", "fcn")),
                         [](const auto& each) {
                           std::string name = fmt::format("{}_{}_{}", each.param.backbone,
                                                          each.param.algorithm, each.param.skip_channels);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(UpsampleStride, FollowsItsDefinitionAtEverySize) {
  torch::manual_seed(3);
  for (const int stride : {1, 2, 4, 16}) {
    for (const auto& [h, w] : {std::pair{1, 1}, {1, 4}, {3, 2}, {5, 6}}) {
      const torch::Tensor x = torch::randn({2, 3, h, w}, torch::kFloat32);
      for (const int cut : {0, 1, stride - 1}) {
        const std::int64_t height = h * stride - cut, width = std::max(1, w * stride - cut / 2);
        if (height < 1) continue;
        const torch::Tensor result = upsample_stride(x, stride, height, width);
        ASSERT_EQ(result.sizes(), (std::vector<std::int64_t>{2, 3, height, width}));
        for (std::int64_t y = 0; y < height; ++y) {
          for (std::int64_t v = 0; v < width; ++v) {
            const double sy = static_cast<double>(y) / stride, sx = static_cast<double>(v) / stride;
            const auto y0 = std::min<std::int64_t>(y / stride, h - 1),
                       x0 = std::min<std::int64_t>(v / stride, w - 1);
            const auto y1 = std::min<std::int64_t>(y0 + 1, h - 1), x1 = std::min<std::int64_t>(x0 + 1, w - 1);
            const double fy = std::min(sy - static_cast<double>(y0), 1.0),
                         fx = std::min(sx - static_cast<double>(x0), 1.0);
            for (int c = 0; c < 3; ++c) {
              const auto at = [&](std::int64_t i, std::int64_t j) { return x[1][c][i][j].item<double>(); };
              const double expected = (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) +
                                      fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1));
              ASSERT_NEAR(result[1][c][y][v].item<double>(), expected, 1e-5)
                  << "stride " << stride << " from " << h << "x" << w << " at " << y << "," << v;
            }
          }
        }
      }
    }
  }
}

TEST(UpsampleStride, RefusesMorePixelsThanThereAre) {
  EXPECT_THROW(upsample_stride(torch::zeros({1, 1, 2, 2}), 4, 9, 8), std::invalid_argument);
}

// Skip connections start as if they were not there.
TEST(LiteDecoder, StartsAtTheCoarseAnswer) {
  torch::manual_seed(11);
  auto fine = build_network(spec_of("mobilenet-v2", "lite", 24));
  auto coarse = build_network(spec_of("mobilenet-v2", "lite", 0));
  ASSERT_TRUE(fine && coarse);
  artifacts::TensorFile weights = save_weights(**fine);
  std::erase_if(weights.tensors, [](const auto& item) { return item.first.starts_with("decoder.refine"); });
  ASSERT_TRUE(load_weights(**coarse, weights));
  (*fine)->eval();
  (*coarse)->eval();
  torch::NoGradGuard no_gradients;
  for (const auto& [height, width] : {std::pair{65, 49}, {40, 37}}) {
    const torch::Tensor input = torch::randn({1, 3, height, width});
    const torch::Tensor a = (*fine)->forward(input).logits, b = (*coarse)->forward(input).logits;
    EXPECT_GT(b.std().item<double>(), 0);
    EXPECT_LE((a - b).abs().max().item<double>(), 1e-5 * std::max(1.0, b.abs().max().item<double>()));
  }
}

}  // namespace
}  // namespace terrapin::networks
