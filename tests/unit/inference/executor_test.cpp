// The engines against the naive twin, and against each other.
#include <gtest/gtest.h>

#include <thread>

#include "inference/arena.h"
#include "inference/executor.h"
#include "inference/graph_shapes.h"
#include "unit/inference/graph_maker.h"
#include "unit/inference/naive_graph.h"

namespace terrapin::inference {
namespace {

using networks::Graph;
using testing::GraphMaker;

std::unique_ptr<Executor> make_executor(const std::string& engine, const Graph& graph,
                                        const ExecutorOptions& options = {}) {
  auto shared = std::make_shared<const Graph>(graph);
  auto made = engine == "onednn" ? make_onednn_executor(shared, options)
                                 : make_torch_executor(shared, options, false);
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

void expect_agreement(Executor& executor, const Graph& graph, const Shape& shape) {
  const Tensor input = testing::random_input(shape, static_cast<std::uint64_t>(shape.h * 1000 + shape.w));
  const int trunk = split_tail(graph).trunk;
  auto results = executor.run(input, {graph.output, trunk});
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_LT(testing::relative_difference(testing::run_naively(graph, input, graph.output), (*results)[0]),
            1e-4)
      << executor.name() << " " << shape.n << " x " << shape.h << " x " << shape.w;
  EXPECT_LT(testing::relative_difference(testing::run_naively(graph, input, trunk), (*results)[1]), 1e-4);
}

class ExecutorTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "onednn" && !onednn_available()) GTEST_SKIP() << "this build has no oneDNN";
  }
};

TEST_P(ExecutorTest, MobileNetAtOddSizes) {
  const Graph graph = testing::mobilenet_like(3, 1, 0.25);
  const auto executor = make_executor(GetParam(), graph, {.threads = 2});
  for (const Shape& shape : {Shape{1, 3, 33, 49}, Shape{1, 3, 65, 33}, Shape{2, 3, 33, 49},
                             Shape{1, 3, 30, 47}, Shape{1, 3, 1, 1}}) {
    expect_agreement(*executor, graph, shape);
  }
}

TEST_P(ExecutorTest, ResidualNetworkWithPools) {
  const Graph graph = testing::residual_like(5, 2);
  const auto executor = make_executor(GetParam(), graph);
  for (const Shape& shape : {Shape{1, 3, 64, 64}, Shape{1, 3, 61, 83}, Shape{3, 3, 40, 57}}) {
    expect_agreement(*executor, graph, shape);
  }
}

// Chains of random operations: layouts, in-place additions and concatenations meet in every order.
TEST_P(ExecutorTest, RandomGraphs) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    GraphMaker make(seed + 100);
    const auto pick_activation = [&] { return static_cast<networks::Activation>(random.below(3)); };
    std::vector<int> same_size{
        make.convolution(0, {static_cast<int>(8 * random.below(4)) + 8, 3, 2, 1, 1, pick_activation()})};
    const auto pick = [&] {
      return same_size[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(same_size.size())))];
    };
    for (int step = 0; step < 12; ++step) {
      const int from = pick();
      switch (random.below(7)) {
        case 0:
          same_size.push_back(make.convolution(
              from, {static_cast<int>(random.below(40)) + 1, 1, 1, 1, 1, pick_activation()}));
          break;
        case 1:
          same_size.push_back(
              make.depthwise(from, 1, static_cast<int>(random.below(2)) + 1, pick_activation()));
          break;
        case 2: {
          const int mixed = make.convolution(from, {make.channels(from), 3, 1, 1, 1, pick_activation()});
          same_size.push_back(
              make.add(random.below(2) ? from : mixed, random.below(3) ? mixed : from, pick_activation()));
          break;
        }
        case 3: {
          const int other = pick();
          same_size.push_back(
              make.concat(random.below(2) ? std::vector{from, other} : std::vector{other, from, other}));
          break;
        }
        case 4: {
          const int wide = make.convolution(from, {16, 1, 1, 1, 1, pick_activation()});
          const int pooled = make.convolution(make.adaptive_pool(from, 1), {32});
          same_size.push_back(make.concat({make.resize_like(pooled, from), wide}));
          break;
        }
        case 5:
          same_size.push_back(make.upsample(make.max_pool(from, 3, 2, 1), 2, from));
          break;
        default: {
          const int a = make.convolution(from, {16}), b = make.convolution(pick(), {16});
          const int sum = make.add(a, b, pick_activation());
          same_size.push_back(sum);
          same_size.push_back(make.concat({sum, make.convolution(a, {16})}));
        }
      }
    }
    const Graph graph = make.finish(make.resize_like(make.convolution(same_size.back(), {4}), 0), 2);
    ASSERT_TRUE(check_graph(graph));
    const auto executor = make_executor(GetParam(), graph);
    expect_agreement(*executor, graph, {1 + static_cast<std::int64_t>(seed % 2), 3, 19, 26});
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST_P(ExecutorTest, OverridesReplaceWhatWouldBeComputed) {
  Graph graph = testing::mobilenet_like(3, 5, 0.25);
  int pool = -1;
  for (int i = 0; i < static_cast<int>(graph.ops.size()); ++i) {
    if (graph.ops[static_cast<std::size_t>(i)].global_context) pool = i;
  }
  const auto executor = make_executor(GetParam(), graph);
  const Tensor input = testing::random_input({1, 3, 33, 49}, 1),
               other = testing::random_input({1, 3, 49, 33}, 2);
  auto context = executor->run(other, {pool});
  ASSERT_TRUE(context);
  Overrides overrides;
  overrides.emplace(pool, std::move(context->front()));
  auto changed = executor->run(input, {graph.output, pool}, overrides);
  auto plain = executor->run(input, {graph.output});
  ASSERT_TRUE(changed && plain);
  EXPECT_EQ(testing::relative_difference(overrides.at(pool), (*changed)[1]), 0.0);
  EXPECT_GT(testing::relative_difference(plain->front(), changed->front()), 1e-5);
  auto own = executor->run(input, {pool});
  Overrides same;
  same.emplace(pool, std::move(own->front()));
  auto unchanged = executor->run(input, {graph.output}, same);
  EXPECT_LT(testing::relative_difference(plain->front(), unchanged->front()), 1e-5);
  Overrides wrong;
  wrong.emplace(pool, testing::random_input({1, 1, 1, 1}, 3));
  EXPECT_FALSE(executor->run(input, {graph.output}, wrong));
}

TEST_P(ExecutorTest, ManyCallersAndMoreShapesThanTheCacheHolds) {
  const Graph graph = testing::residual_like(2, 7);
  const auto executor = make_executor(GetParam(), graph, {.threads = 1, .cached_shapes = 2});
  std::vector<std::thread> callers;
  std::vector<double> worst(4, 0.0);
  for (std::size_t caller = 0; caller < worst.size(); ++caller) {
    callers.emplace_back([&, caller] {
      for (std::int64_t round = 0; round < 4; ++round) {
        const Tensor input =
            testing::random_input({1, 3, 32 + 8 * ((round + static_cast<std::int64_t>(caller)) % 3), 40}, 9);
        auto result = executor->run(input, {graph.output});
        const Tensor expected = testing::run_naively(graph, input, graph.output);
        worst[caller] =
            std::max(worst[caller], result ? testing::relative_difference(expected, result->front()) : 1.0);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const double difference : worst) EXPECT_LT(difference, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Engines, ExecutorTest, ::testing::Values("onednn", "torch"),
                         [](const auto& each) { return each.param; });

TEST(GraphCheck, NamesTheBrokenOperation) {
  Graph graph = testing::residual_like(2, 1);
  graph.ops[3].weight.pop_back();
  const Status status = check_graph(graph);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("op3"), std::string::npos);
  Graph forward = testing::residual_like(2, 1);
  forward.ops[2].inputs[0] = 5;
  EXPECT_FALSE(check_graph(forward));
}

TEST(Arena, LivingBuffersNeverShareBytes) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Random random(seed);
    std::vector<BufferRequest> requests;
    for (int i = 0; i < 30; ++i) {
      const int first = static_cast<int>(random.below(40));
      requests.push_back({static_cast<std::size_t>(random.below(1000)) + 1, first,
                          first + static_cast<int>(random.below(8))});
    }
    const ArenaPlan plan = plan_arena(requests);
    std::size_t sum = 0;
    for (std::size_t a = 0; a < requests.size(); ++a) {
      sum += requests[a].bytes;
      EXPECT_LE(plan.offsets[a] + requests[a].bytes, plan.bytes);
      EXPECT_EQ(plan.offsets[a] % 64, 0U);
      for (std::size_t b = a + 1; b < requests.size(); ++b) {
        const bool together = requests[a].first <= requests[b].last && requests[b].first <= requests[a].last;
        const bool overlap = plan.offsets[a] < plan.offsets[b] + requests[b].bytes &&
                             plan.offsets[b] < plan.offsets[a] + requests[a].bytes;
        EXPECT_FALSE(together && overlap);
      }
    }
    EXPECT_LT(plan.bytes, sum);
  }
}

}  // namespace
}  // namespace terrapin::inference
