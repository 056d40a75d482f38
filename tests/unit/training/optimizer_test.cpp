#include "training/optimizer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <memory>

namespace terrapin::training {
namespace {

// Two parameters of one group, one of them channels-last.
std::vector<torch::Tensor> parameters(torch::ScalarType type = torch::kFloat) {
  torch::manual_seed(7);
  return {torch::randn({4, 3, 3, 3}, type).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_(),
          torch::randn({5}, type).requires_grad_()};
}

// sum of (x - 1)^4 / 4 over all: curved, so that adaptive methods have something to adapt to.
torch::Tensor objective(const std::vector<torch::Tensor>& all) {
  torch::Tensor total = torch::zeros({});
  for (const auto& parameter : all) total = total + ((parameter - 1).pow(4) / 4).sum();
  return total;
}

using MakeTorch = std::function<std::unique_ptr<torch::optim::Optimizer>(std::vector<torch::Tensor>)>;

void expect_same_path(OptimizerOptions options, const MakeTorch& make) {
  auto ours = parameters(), theirs = parameters();
  std::vector<FlatGroup> groups;
  groups.push_back({FlatParameters(ours, true), 1.0, true});
  Optimizer optimizer(groups, options);
  auto reference = make(theirs);
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_gradients();
    objective(ours).backward();
    optimizer.step(options.learning_rate);
    reference->zero_grad();
    objective(theirs).backward();
    reference->step();
  }
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-5, 1e-6)) << i;
    EXPECT_FALSE(torch::allclose(ours[i], parameters()[i], 1e-3, 1e-3)) << "nothing moved";
  }
}

OptimizerOptions options_of(OptimizerKind kind, double rate, double decay) {
  OptimizerOptions options;
  options.kind = kind;
  options.learning_rate = rate;
  options.weight_decay = decay;
  return options;
}

TEST(Optimizer, FollowsTorchsSgd) {
  expect_same_path(options_of(OptimizerKind::kSgd, 0.01, 0.1), [](auto p) {
    return std::make_unique<torch::optim::SGD>(
        p, torch::optim::SGDOptions(0.01).momentum(0.9).weight_decay(0.1));
  });
}
TEST(Optimizer, FollowsTorchsNesterov) {
  expect_same_path(options_of(OptimizerKind::kNag, 0.01, 0.1), [](auto p) {
    return std::make_unique<torch::optim::SGD>(
        p, torch::optim::SGDOptions(0.01).momentum(0.9).weight_decay(0.1).nesterov(true));
  });
}
TEST(Optimizer, FollowsTorchsAdam) {
  expect_same_path(options_of(OptimizerKind::kAdam, 0.05, 0.1), [](auto p) {
    return std::make_unique<torch::optim::Adam>(p, torch::optim::AdamOptions(0.05).weight_decay(0.1));
  });
}
TEST(Optimizer, FollowsTorchsAdamW) {
  expect_same_path(options_of(OptimizerKind::kAdamW, 0.05, 0.1), [](auto p) {
    return std::make_unique<torch::optim::AdamW>(p, torch::optim::AdamWOptions(0.05).weight_decay(0.1));
  });
}
TEST(Optimizer, FollowsTorchsAdagrad) {
  expect_same_path(options_of(OptimizerKind::kAdagrad, 0.05, 0.1), [](auto p) {
    return std::make_unique<torch::optim::Adagrad>(p, torch::optim::AdagradOptions(0.05));
  });
}
TEST(Optimizer, FollowsTorchsRmsprop) {
  OptimizerOptions options = options_of(OptimizerKind::kRmsprop, 0.01, 0.1);
  options.gamma1 = 0.95;
  options.gamma2 = 0.8;
  expect_same_path(options, [](auto p) {
    return std::make_unique<torch::optim::RMSprop>(
        p, torch::optim::RMSpropOptions(0.01).alpha(0.95).momentum(0.8));
  });
}

TEST(Optimizer, AdadeltaOfOneNumberByHand) {
  std::vector<torch::Tensor> one{torch::tensor({2.0f}).requires_grad_()};
  std::vector<FlatGroup> groups;
  groups.push_back({FlatParameters(one, true), 1.0, true});
  Optimizer optimizer(groups, options_of(OptimizerKind::kAdadelta, 0.5, 0.1));
  double x = 2, square = 0, change = 0;
  for (int step = 0; step < 5; ++step) {
    optimizer.zero_gradients();
    (one[0] * one[0]).sum().backward();
    optimizer.step(0.5);
    const double g = 2 * x;
    square = 0.9 * square + 0.1 * g * g;
    const double delta = std::sqrt(change + 1e-6) / std::sqrt(square + 1e-6) * g;
    change = 0.9 * change + 0.1 * delta * delta;
    x -= 0.5 * delta;
    EXPECT_NEAR(one[0].item<double>(), x, 1e-6);
  }
}

TEST(Optimizer, RestoredStateContinuesBitForBit) {
  for (const auto kind :
       {OptimizerKind::kSgd, OptimizerKind::kAdamW, OptimizerKind::kRmsprop, OptimizerKind::kAdadelta}) {
    const auto run = [&](bool interrupt) {
      auto all = parameters();
      std::vector<FlatGroup> groups;
      groups.push_back({FlatParameters(all, true), 1.0, true});
      auto optimizer = std::make_unique<Optimizer>(groups, options_of(kind, 0.01, 0.1));
      for (int step = 0; step < 6; ++step) {
        if (interrupt && step == 3) {
          std::map<std::string, torch::Tensor> copy;
          for (const auto& [name, tensor] : optimizer->state()) copy[name] = tensor.clone();
          optimizer = std::make_unique<Optimizer>(groups, options_of(kind, 0.01, 0.1));
          EXPECT_TRUE(optimizer->restore(copy).has_value());
        }
        optimizer->zero_gradients();
        objective(all).backward();
        optimizer->step(0.01);
      }
      return groups[0].flat.values.clone();
    };
    EXPECT_TRUE(torch::equal(run(false), run(true)));
  }
}

TEST(FlatParameters, KeepValuesShapesAndStrides) {
  auto moved = parameters(), original = parameters();
  const FlatParameters flat(moved, true);
  EXPECT_EQ(flat.values.numel(), 4 * 3 * 3 * 3 + 5);
  for (std::size_t i = 0; i < moved.size(); ++i) {
    EXPECT_TRUE(torch::equal(moved[i], original[i]));
    EXPECT_EQ(moved[i].strides(), original[i].strides());
  }
  objective(moved).backward();
  objective(original).backward();
  for (std::size_t i = 0; i < moved.size(); ++i)
    EXPECT_TRUE(torch::equal(moved[i].grad(), original[i].grad()));
  EXPECT_NEAR(flat.gradients.norm().item<double>(),
              std::hypot(original[0].grad().norm().item<double>(), original[1].grad().norm().item<double>()),
              1e-4);
}

TEST(Schedule, WarmupThenPolyCosineOrSteps) {
  ScheduleOptions schedule;
  schedule.kind = ScheduleKind::kPoly;
  schedule.warmup_epochs = 0;
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 0.1, 0, 10, 100), 0.1);
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 0.1, 50, 10, 100), 0.1 * std::pow(0.5, 0.9));
  schedule.kind = ScheduleKind::kStep;
  schedule.step_epochs = {2, 4};
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 0.1, 19, 10, 100), 0.1);
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 0.1, 20, 10, 100), 0.1 * 0.1);
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 0.1, 40, 10, 100), 0.1 * 0.1 * 0.1);
  schedule.kind = ScheduleKind::kCosine;
  schedule.warmup_epochs = 1;
  schedule.warmup_start = 0.2;
  schedule.final_fraction = 0.1;
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 1, 0, 10, 110), 0.2);
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 1, 5, 10, 110), 0.6);
  EXPECT_DOUBLE_EQ(scheduled_rate(schedule, 1, 10, 10, 110), 1.0);
  EXPECT_NEAR(scheduled_rate(schedule, 1, 60, 10, 110), 0.55, 1e-12);
  EXPECT_NEAR(scheduled_rate(schedule, 1, 110, 10, 110), 0.1, 1e-12);
}

TEST(GradientScaler, HalvesOnOverflowAndGrowsAfterGoodSteps) {
  GradientScaler scaler(true, 1024, 3);
  EXPECT_FALSE(scaler.update(false));
  EXPECT_EQ(scaler.scale(), 512);
  EXPECT_TRUE(scaler.update(true));
  EXPECT_TRUE(scaler.update(true));
  EXPECT_EQ(scaler.scale(), 512);
  EXPECT_TRUE(scaler.update(true));
  EXPECT_EQ(scaler.scale(), 1024);
  EXPECT_EQ(scaler.good_steps(), 0);
  GradientScaler off(false);
  EXPECT_TRUE(off.update(false));
  EXPECT_EQ(off.scale(), 1);
}

}  // namespace
}  // namespace terrapin::training
