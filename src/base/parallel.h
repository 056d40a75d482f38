// Work spread over threads, with results independent of their number.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace terrapin {

// Cores this process may use (cgroup quota and affinity considered), at least 1.
int available_cores();

// Calls body(index) for every index in [0, count) from `threads` threads and waits. Exceptions thrown by a
// body are rethrown (the first by index). `threads` <= 1 runs in the caller.
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body);

// A fixed set of threads and a queue. Thread-safe. The destructor finishes queued work. A task must not
// throw: that ends the program.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  void submit(std::function<void()> task);
  int size() const { return static_cast<int>(threads_.size()); }

 private:
  void work();
  std::vector<std::thread> threads_;  // constant after construction
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
};

}  // namespace terrapin
