// Parts of a batch in threads that stand for processes, against the whole.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <barrier>
#include <thread>

#include "networks/layer_network.h"

namespace terrapin::networks {
namespace {

// sum() of two threads.
class TwoThreads {
 public:
  SumOverProcesses sum(int rank) {
    return [this, rank](torch::Tensor& tensor) {
      parts_[rank] = tensor.clone();
      meet_.arrive_and_wait();
      tensor.copy_(parts_[0] + parts_[1]);
      meet_.arrive_and_wait();
    };
  }
  static void run(const std::function<void(int)>& body) {
    std::thread other([&] { body(1); });
    body(0);
    other.join();
  }

 private:
  torch::Tensor parts_[2];
  std::barrier<> meet_{2};
};

constexpr double kClose = 1e-9;

TEST(BatchShare, NormsOfPartsAreThoseOfTheWhole) {
  torch::manual_seed(3);
  const auto options = torch::TensorOptions(torch::kDouble);
  // Far from zero: sums of squares alone would lose digits.
  torch::Tensor x = (torch::randn({5, 4, 3, 2}, options) + 100).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor upstream = torch::randn({5, 4, 3, 2}, options);
  const auto parameter = [&] { return torch::randn({4}, options).requires_grad_(true); };
  torch::Tensor weight = parameter(), bias = parameter();
  const torch::Tensor mean = torch::randn({4}, options), variance = torch::rand({4}, options);

  torch::Tensor whole_x = x.clone().requires_grad_(true), whole_mean = mean.clone(),
                whole_variance = variance.clone();
  const torch::Tensor y = torch::batch_norm(whole_x, weight, bias, whole_mean, whole_variance, true,
                                            kNormMomentum, kNormEpsilon, false);
  y.backward(upstream);

  TwoThreads threads;
  torch::Tensor of_weight[2], of_bias[2];
  const std::int64_t first[] = {0, 2}, count[] = {2, 3};
  TwoThreads::run([&](int rank) {
    torch::Tensor part = x.narrow(0, first[rank], count[rank]).clone().requires_grad_(true);
    torch::Tensor own_weight = weight.detach().clone().requires_grad_(true),
                  own_bias = bias.detach().clone().requires_grad_(true);
    const torch::Tensor own_mean = mean.clone(), own_variance = variance.clone();
    const torch::Tensor answer =
        synchronized_norm(part, own_weight, own_bias, own_mean, own_variance, threads.sum(rank));
    EXPECT_TRUE(torch::allclose(answer, y.narrow(0, first[rank], count[rank]), kClose, kClose));
    answer.backward(upstream.narrow(0, first[rank], count[rank]));
    EXPECT_TRUE(
        torch::allclose(part.grad(), whole_x.grad().narrow(0, first[rank], count[rank]), 1e-7, kClose));
    EXPECT_TRUE(torch::allclose(own_mean, whole_mean, kClose, kClose));
    EXPECT_TRUE(torch::allclose(own_variance, whole_variance, kClose, kClose));
    of_weight[rank] = own_weight.grad(), of_bias[rank] = own_bias.grad();
  });
  EXPECT_TRUE(torch::allclose(of_weight[0] + of_weight[1], weight.grad(), 1e-7, kClose));
  EXPECT_TRUE(torch::allclose(of_bias[0] + of_bias[1], bias.grad(), kClose, kClose));
}

TEST(BatchShare, DropoutOfPartsIsThatOfTheWhole) {
  for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
    const torch::Tensor x = torch::randn({5, 8, 3, 4}).contiguous(format);
    torch::manual_seed(11);
    const torch::Tensor whole = torch::dropout(x, 0.5, true);
    EXPECT_GT((whole == 0).sum().item<std::int64_t>(), 100);
    for (const auto& [first, count] : {std::pair{0, 3}, std::pair{3, 2}}) {
      torch::manual_seed(11);
      const torch::Tensor part = dropout_of_share(x.narrow(0, first, count), 0.5, {first, 5, nullptr});
      EXPECT_TRUE(torch::equal(part, whole.narrow(0, first, count)));
    }
  }
}

}  // namespace
}  // namespace terrapin::networks
