#include "base/parallel.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <stdexcept>
#include <string>

namespace terrapin {
namespace {

TEST(Parallel, CountsTheCoresItMayUse) {
  const int cores = available_cores();
  EXPECT_GE(cores, 1);
  EXPECT_LE(cores, static_cast<int>(std::thread::hardware_concurrency()));
}

TEST(Parallel, RespectsAffinity) {
  int cores = 0;
  std::thread([&] {
    cpu_set_t old, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof old, &old), 0);
    CPU_ZERO(&one);
    for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &old)) {
        CPU_SET(i, &one);
        break;
      }
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);  // this thread only
    cores = available_cores();
  }).join();
  EXPECT_EQ(cores, 1);
}

TEST(Parallel, ForVisitsEveryIndexOnce) {
  for (const int threads : {0, 1, 2, 5}) {
    for (const std::int64_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, threads, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
      for (const auto& visit : visits) ASSERT_EQ(visit.load(), 1);
    }
  }
}

TEST(Parallel, ForRethrowsTheFirstFailureByIndex) {
  for (int round = 0; round < 20; ++round) {
    try {
      parallel_for(100, 4, [](std::int64_t i) {
        if (i % 10 == 7) throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "7");
    }
  }
}

TEST(Parallel, PoolFinishesWhatWasQueued) {
  std::atomic<int> done{0};
  {
    ThreadPool pool(3);
    EXPECT_EQ(pool.size(), 3);
    for (int i = 0; i < 200; ++i) pool.submit([&] { ++done; });
  }
  EXPECT_EQ(done.load(), 200);
}

TEST(Parallel, PoolTasksMaySubmitMore) {
  std::atomic<int> done{0};
  {
    ThreadPool pool(2);
    pool.submit([&] {
      for (int i = 0; i < 10; ++i) pool.submit([&] { ++done; });
    });
  }
  EXPECT_EQ(done.load(), 10);
}

}  // namespace
}  // namespace terrapin
