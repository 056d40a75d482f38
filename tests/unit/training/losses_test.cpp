#include "training/losses.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace terrapin::training {
namespace {

torch::Tensor random_labels(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t classes) {
  torch::Tensor labels = torch::randint(0, classes, {n, h, w}, torch::kByte);
  return labels.masked_fill(torch::rand({n, h, w}) < 0.2, 255);
}

LossSpec spec_of(double cross_entropy, double dice, std::vector<double> weights = {}) {
  return {cross_entropy, dice, std::move(weights)};
}

struct Case {
  std::int64_t n, classes, h, w;
  bool channels_last;
};

class Losses : public testing::TestWithParam<Case> {
 protected:
  torch::Tensor logits(torch::ScalarType type) const {
    const Case& c = GetParam();
    torch::Tensor x = torch::randn({c.n, c.classes, c.h, c.w}, type) * 3;
    return c.channels_last ? x.contiguous(torch::MemoryFormat::ChannelsLast) : x;
  }
};

// Two processes with parts of different sizes, labels and numbers of ignored pixels: the loss and its
// gradient are those of the whole batch, Dice included.
TEST_P(Losses, PartsOfABatchHaveTheWholesLoss) {
  torch::manual_seed(2);
  const Case& c = GetParam();
  if (c.n < 2) return;
  std::vector<double> weights;
  for (std::int64_t i = 0; i < c.classes; ++i) weights.push_back(0.5 + static_cast<double>(i));
  torch::Tensor labels = random_labels(c.n, c.h, c.w, c.classes);
  labels.select(0, 0).fill_(255);  // one part may have nothing that counts
  for (const auto& loss : {segmentation_loss, composed_loss}) {
    const torch::Tensor whole = logits(torch::kDouble).requires_grad_();
    const LossResult expected = loss(whole, labels, spec_of(0.7, 1.3, weights));
    expected.total.backward();
    const std::int64_t first[] = {0, 1}, count[] = {1, c.n - 1};
    torch::Tensor sums[2];
    for (const bool told : {false, true}) {
      for (int part = 0; part < 2; ++part) {
        LossSpec spec = spec_of(0.7, 1.3, weights);
        int calls = 0;
        spec.sum = [&](torch::Tensor& tensor) {
          ++calls;
          if (told) tensor.add_(sums[1 - part]);
          if (!told) sums[part] = tensor.clone();
        };
        torch::Tensor own = whole.detach().narrow(0, first[part], count[part]).clone().requires_grad_();
        const LossResult result = loss(own, labels.narrow(0, first[part], count[part]), spec);
        EXPECT_EQ(calls, 1);
        if (!told) continue;
        EXPECT_NEAR(result.total.item<double>(), expected.total.item<double>(), 1e-12);
        EXPECT_NEAR(result.dice.item<double>(), expected.dice.item<double>(), 1e-12);
        result.total.backward();
        EXPECT_TRUE(
            torch::allclose(own.grad(), whole.grad().narrow(0, first[part], count[part]), 1e-10, 1e-14));
      }
    }
  }
}

TEST_P(Losses, FusedAgreesWithTorchsOwnOperations) {
  torch::manual_seed(1);
  const Case& c = GetParam();
  std::vector<double> weights;
  for (std::int64_t i = 0; i < c.classes; ++i) weights.push_back(0.5 + static_cast<double>(i));
  for (const LossSpec& spec : {spec_of(1, 0), spec_of(0, 1), spec_of(0.7, 1.3, weights)}) {
    for (const auto type : {torch::kFloat, torch::kDouble}) {
      const double tolerance = type == torch::kFloat ? 2e-6 : 1e-12;
      const torch::Tensor labels = random_labels(c.n, c.h, c.w, c.classes);
      torch::Tensor a = logits(type).requires_grad_(), b = a.detach().clone().requires_grad_();
      const LossResult fused = segmentation_loss(a, labels, spec), composed = composed_loss(b, labels, spec);
      (fused.total * 3).backward();
      (composed.total * 3).backward();
      EXPECT_NEAR(fused.total.item<double>(), composed.total.item<double>(), tolerance * 10);
      EXPECT_NEAR(fused.cross_entropy.item<double>(), composed.cross_entropy.item<double>(), tolerance * 10);
      EXPECT_NEAR(fused.dice.item<double>(), composed.dice.item<double>(), tolerance * 10);
      EXPECT_LT((a.grad() - b.grad()).abs().max().item<double>(), tolerance);
    }
  }
}

TEST_P(Losses, GradientIsTheFiniteDifference) {
  torch::manual_seed(2);
  const Case& c = GetParam();
  const LossSpec spec = spec_of(1, 1);
  const torch::Tensor labels = random_labels(c.n, c.h, c.w, c.classes);
  torch::Tensor x = logits(torch::kDouble).requires_grad_();
  segmentation_loss(x, labels, spec).total.backward();
  torch::Tensor values = x.detach().clone();
  constexpr double kStep = 1e-6;
  for (int trial = 0; trial < 40; ++trial) {
    const std::int64_t n = std::rand() % c.n, k = std::rand() % c.classes, i = std::rand() % c.h,
                       j = std::rand() % c.w;
    torch::Tensor element = values[n][k][i][j];
    const double original = element.item<double>();
    element.fill_(original + kStep);
    const double above = segmentation_loss(values, labels, spec).total.item<double>();
    element.fill_(original - kStep);
    const double below = segmentation_loss(values, labels, spec).total.item<double>();
    element.fill_(original);
    EXPECT_NEAR(x.grad()[n][k][i][j].item<double>(), (above - below) / (2 * kStep), 1e-8);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Losses,
                         testing::Values(Case{2, 2, 17, 13, false}, Case{2, 2, 17, 13, true},
                                         Case{1, 5, 40, 50, false}, Case{3, 21, 9, 30, true},
                                         Case{1, 2, 1, 1, false}, Case{2, 3, 1, 150, true},
                                         Case{2, 3, 150, 1, true}, Case{1, 2, 130, 140, true}));

TEST(IgnoredPixels, NeverContribute) {
  torch::manual_seed(3);
  torch::Tensor labels = random_labels(2, 20, 20, 3);
  torch::Tensor x = torch::randn({2, 3, 20, 20});
  const torch::Tensor ignored = labels.eq(255).unsqueeze(1).expand_as(x);
  torch::Tensor changed = torch::where(ignored, torch::randn_like(x) * 50, x).requires_grad_();
  x.requires_grad_();
  const LossSpec spec = spec_of(1, 1);
  const LossResult a = segmentation_loss(x, labels, spec), b = segmentation_loss(changed, labels, spec);
  EXPECT_EQ(a.total.item<float>(), b.total.item<float>());
  b.total.backward();
  EXPECT_EQ(changed.grad().masked_select(ignored).abs().max().item<float>(), 0);
  EXPECT_GT(changed.grad().abs().max().item<float>(), 0);
}

TEST(IgnoredPixels, NothingElseGivesZeroLossAndGradient) {
  torch::Tensor x = torch::randn({1, 2, 8, 8}).requires_grad_();
  const LossResult result = segmentation_loss(x, torch::full({1, 8, 8}, 255, torch::kByte), spec_of(1, 1));
  result.total.backward();
  EXPECT_EQ(result.total.item<float>(), 0);
  EXPECT_EQ(x.grad().abs().max().item<float>(), 0);
}

TEST(FusedLoss, DoesNotDependOnTheNumberOfThreads) {
  torch::manual_seed(4);
  const torch::Tensor x = torch::randn({2, 4, 200, 150}), labels = random_labels(2, 200, 150, 4);
  const int before = torch::get_num_threads();
  std::vector<float> totals;
  for (const int threads : {1, 2, 3}) {
    torch::set_num_threads(threads);
    totals.push_back(segmentation_loss(x, labels, spec_of(1, 1)).total.item<float>());
  }
  torch::set_num_threads(before);
  EXPECT_EQ(totals[0], totals[1]);
  EXPECT_EQ(totals[0], totals[2]);
}

TEST(FusedLoss, HandComputedValues) {
  // Two pixels of two classes: probabilities (3/4, 1/4) labelled 0 and (1/2, 1/2) labelled 1.
  const float ln3 = std::log(3.0f);
  const torch::Tensor x = torch::tensor({ln3, 0.0f, 0.0f, 0.0f}).view({1, 2, 1, 2});
  const torch::Tensor labels = torch::tensor({0, 1}, torch::kByte).view({1, 1, 2});
  const LossResult result = segmentation_loss(x, labels, spec_of(1, 1));
  EXPECT_NEAR(result.cross_entropy.item<double>(), (-std::log(0.75) - std::log(0.5)) / 2, 1e-6);
  const double first = (2 * 0.75 + 1) / (1.25 + 1 + 1), second = (2 * 0.5 + 1) / (0.75 + 1 + 1);
  EXPECT_NEAR(result.dice.item<double>(), 1 - (first + second) / 2, 1e-6);
}

}  // namespace
}  // namespace terrapin::training
