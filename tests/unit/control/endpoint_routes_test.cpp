// Variants by weight, then the least busy server.
#include "control/endpoint_routes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

namespace terrapin::control {
namespace {

ServedInstancePtr server(const std::string& id, const std::string& variant, bool healthy = true) {
  auto made = std::make_shared<ServedInstance>(id, "job-" + id, variant);
  made->healthy = healthy;
  return made;
}

std::shared_ptr<EndpointRoute> route(std::vector<VariantRoute> variants) {
  auto made = std::make_shared<EndpointRoute>();
  made->name = "Turtles";
  made->variants = std::move(variants);
  return made;
}

TEST(EndpointRoutes, FollowTheWeights) {
  RouteTable table(7);
  table.set(route({{"a", 1, false, {server("1", "a")}},
                   {"b", 3, false, {server("2", "b")}},
                   {"never", 0, false, {server("3", "never")}}}));
  std::map<std::string, int> asked;
  constexpr int kRounds = 20'000;
  for (int i = 0; i < kRounds; ++i) {
    const auto taken = table.take("tURTLES", "");
    ASSERT_TRUE(taken);
    ++asked[taken->instance->variant];
  }
  // Five standard deviations of the binomial distribution.
  EXPECT_NEAR(asked["b"], 0.75 * kRounds, 5 * std::sqrt(kRounds * 0.75 * 0.25));
  EXPECT_EQ(asked["a"] + asked["b"], kRounds);
  EXPECT_EQ(table.take("turtles", "never")->instance->id, "3");
}

TEST(EndpointRoutes, TheLeastBusyIsAsked) {
  RouteTable table(1);
  const auto one = server("1", "a"), two = server("2", "a"), three = server("3", "a", false);
  table.set(route({{"a", 1, false, {one, two, three}}}));
  one->in_flight = 5;
  two->in_flight = 2;
  std::vector<TakenRoute> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(std::move(*table.take("turtles", "")));
    EXPECT_EQ(held.back().instance->id, "2");
  }
  EXPECT_EQ(two->in_flight, 5);
  std::map<std::string, int> asked;
  for (int i = 0; i < 200; ++i) ++asked[table.take("turtles", "")->instance->id];
  EXPECT_GT(asked["1"], 50) << "equals take turns";
  EXPECT_GT(asked["2"], 50);
  EXPECT_EQ(asked.count("3"), 0U) << "nobody asks what is not healthy";
  held.clear();
  EXPECT_EQ(two->in_flight, 2) << "a lease that ends gives its place back";
}

TEST(EndpointRoutes, WhoWasTriedIsNotTriedAgain) {
  RouteTable table(1);
  table.set(route({{"a", 1, false, {server("1", "a")}}, {"b", 1, false, {server("2", "b")}}}));
  EXPECT_EQ(table.take("turtles", "", {"1"})->instance->id, "2") << "another variant before a refusal";
  EXPECT_EQ(table.take("turtles", "", {"1", "2"}).error(), NoRoute::kNoneReady);
  EXPECT_EQ(table.take("turtles", "a", {"1"}).error(), NoRoute::kNoneReady) << "a named variant and no other";
  EXPECT_EQ(table.take("turtles", "c").error(), NoRoute::kNoVariant);
  EXPECT_EQ(table.take("tortoises", "").error(), NoRoute::kNoEndpoint);
  table.remove("TURTLES");
  EXPECT_EQ(table.take("turtles", "").error(), NoRoute::kNoEndpoint);
}

TEST(EndpointRoutes, AChangeUnderRequestsLosesNobody) {
  RouteTable table(1);
  const auto old = server("old", "a"), young = server("young", "a");
  table.set(route({{"a", 1, false, {old}}}));
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      while (!stop)
        if (!table.take("turtles", "")) ++refused;
    });
  for (int i = 0; i < 2'000; ++i) table.set(route({{"a", 1, false, {i % 2 ? old : young}}}));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(old->in_flight, 0);
  EXPECT_EQ(young->in_flight, 0);
}

TEST(EndpointRoutes, SamplesAreAsManyAsSaid) {
  RouteTable table(3);
  int chosen = 0;
  for (int i = 0; i < 10'000; ++i) chosen += table.is_chosen(20) ? 1 : 0;
  EXPECT_NEAR(chosen, 2'000, 200);
  EXPECT_TRUE(table.is_chosen(100));
  EXPECT_FALSE(table.is_chosen(0));
}

}  // namespace
}  // namespace terrapin::control
