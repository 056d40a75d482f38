#include "assist/turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

namespace terrapin::assist {
namespace {

using namespace std::chrono_literals;

TEST(Turns, TheSecondWaitsForTheFirst) {
  Turns turns(1);
  std::optional<Turns::Turn> first = turns.take({});
  ASSERT_TRUE(first);
  auto second = std::async(std::launch::async, [&] { return turns.take({}).has_value(); });
  while (turns.waiting() < 1) std::this_thread::yield();
  EXPECT_EQ(second.wait_for(50ms), std::future_status::timeout);
  first.reset();
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(turns.take({}));  // it was given back
}

TEST(Turns, AStopEndsTheWaitAndTakesNone) {
  Turns turns(1);
  std::optional<Turns::Turn> held = turns.take({});
  std::stop_source stop;
  auto leaving = std::async(std::launch::async, [&] { return turns.take(stop.get_token()).has_value(); });
  auto staying = std::async(std::launch::async, [&] { return turns.take({}).has_value(); });
  while (turns.waiting() < 2) std::this_thread::yield();
  stop.request_stop();
  EXPECT_FALSE(leaving.get());
  EXPECT_EQ(staying.wait_for(50ms), std::future_status::timeout);
  held.reset();
  EXPECT_TRUE(staying.get());
  EXPECT_EQ(turns.waiting(), 0);
  EXPECT_TRUE(turns.take({}));
}

TEST(Turns, WhoCameFirstIsFirst) {
  Turns turns(1);
  std::optional<Turns::Turn> held = turns.take({});
  std::vector<int> order;  // guarded by the one turn
  std::stop_source stop;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i) {
      threads.emplace_back([&, i] {
        if (const auto turn = turns.take(i == 4 ? stop.get_token() : std::stop_token())) order.push_back(i);
      });
      while (turns.waiting() < i + 1) std::this_thread::yield();
    }
    stop.request_stop();
    while (turns.waiting() > 11) std::this_thread::yield();
    held.reset();
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11}));
}

TEST(Turns, AreAsManyAsWereMade) {
  Turns turns(2);
  const auto first = turns.take({});
  std::optional<Turns::Turn> second = turns.take({});
  auto third = std::async(std::launch::async, [&] { return turns.take({}).has_value(); });
  while (turns.waiting() < 1) std::this_thread::yield();
  EXPECT_EQ(third.wait_for(50ms), std::future_status::timeout);
  second.reset();
  EXPECT_TRUE(third.get());
}

TEST(Turns, NeverMoreThanSoManyAndAllComeTo) {
  Turns turns(3);
  std::atomic<int> now = 0, most = 0, served = 0, left = 0;
  std::stop_source stop;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 24; ++i) {
      threads.emplace_back([&, i] {
        const auto turn = turns.take(i % 4 == 0 ? stop.get_token() : std::stop_token());
        if (!turn) {
          ++left;
          return;
        }
        const int count = ++now;
        for (int before = most; before < count && !most.compare_exchange_weak(before, count);) continue;
        std::this_thread::sleep_for(2ms);
        --now, ++served;
      });
    }
    stop.request_stop();
  }
  EXPECT_LE(most, 3);
  EXPECT_GE(served, 18);
  EXPECT_EQ(served + left, 24);
}

}  // namespace
}  // namespace terrapin::assist
