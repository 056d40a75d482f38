#include "base/repeating_thread.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace terrapin {
namespace {

// Turns are counted; a wait of a minute ends the test where a turn does not come.
struct Counter {
  std::mutex mutex;
  std::condition_variable changed;
  int turns = 0;
  void add() {
    const std::lock_guard lock(mutex);
    ++turns;
    changed.notify_all();
  }
  bool reaches(int wanted) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::minutes(1), [&] { return turns >= wanted; });
  }
};

TEST(RepeatingThread, ComesAtOnceAndAfterEachInterval) {
  Counter counter;
  RepeatingThread thread("a test", std::chrono::milliseconds(1), [&] { counter.add(); });
  thread.start();
  EXPECT_TRUE(counter.reaches(3));
}

TEST(RepeatingThread, IsWoken) {
  Counter counter;
  RepeatingThread thread("a test", std::chrono::hours(1), [&] { counter.add(); });
  thread.start();
  EXPECT_TRUE(counter.reaches(1));
  thread.wake();
  EXPECT_TRUE(counter.reaches(2));
}

TEST(RepeatingThread, WokenDuringATurnItTakesAnother) {
  Counter counter;
  RepeatingThread* self = nullptr;
  RepeatingThread thread("a test", std::chrono::hours(1), [&] {
    counter.add();
    if (counter.turns == 1) self->wake();
  });
  self = &thread;
  thread.start();
  EXPECT_TRUE(counter.reaches(2));
}

TEST(RepeatingThread, GoesOnAfterATurnThatThrew) {
  Counter counter;
  RepeatingThread thread("a test", std::chrono::milliseconds(1), [&] {
    counter.add();
    throw std::runtime_error("a turn");
  });
  thread.start();
  EXPECT_TRUE(counter.reaches(3));
}

TEST(RepeatingThread, StopsAndStartsAgain) {
  Counter counter;
  RepeatingThread thread("a test", std::chrono::milliseconds(1), [&] { counter.add(); });
  thread.stop();
  thread.start();
  thread.start();
  EXPECT_TRUE(counter.reaches(1));
  thread.stop();
  const int turns = counter.turns;  // no thread is there to change it
  thread.start();
  EXPECT_TRUE(counter.reaches(turns + 2));
}

}  // namespace
}  // namespace terrapin
