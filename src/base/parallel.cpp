#include "base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <string>

namespace terrapin {
namespace {

int cores_by_affinity() {
  // A machine may have more cores than cpu_set_t names: grow until the kernel accepts the size.
  for (int capacity = 1024; capacity <= 1 << 18; capacity *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(capacity));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(capacity));
    const int count = ::sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

// "max 100000" or "150000 100000" (microseconds of quota and period); 0 = no limit.
double cores_of_quota(const std::string& file) {
  std::ifstream in(file);
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return 0;
  try {
    return std::stod(quota) / period;
  } catch (const std::exception&) {
    return 0;
  }
}

// The smallest quota from this process's cgroup up to the root (cgroup v2), or of the v1 cpu controller.
double cores_by_cgroup() {
  double least = 0;
  const auto consider = [&least](double cores) {
    if (cores > 0 && (least == 0 || cores < least)) least = cores;
  };
  std::ifstream memberships("/proc/self/cgroup");
  for (std::string line; std::getline(memberships, line);) {
    if (line.rfind("0::", 0) != 0) continue;
    std::string path = line.substr(3);
    while (true) {
      consider(cores_of_quota("/sys/fs/cgroup" + path + "/cpu.max"));
      const std::size_t slash = path.find_last_of('/');
      if (slash == std::string::npos || path.empty() || path == "/") break;
      path.resize(slash);
    }
  }
  consider(cores_of_quota("/sys/fs/cgroup/cpu.max"));
  double quota = 0, period = 0;
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (v1_quota >> quota && v1_period >> period && quota > 0 && period > 0) consider(quota / period);
  return least;
}

}  // namespace

int available_cores() {
  const int affinity = cores_by_affinity();
  const double quota = cores_by_cgroup();
  // A quota of 1.5 cores is better used by two threads than by one.
  if (quota > 0) return std::max(1, std::min(affinity, static_cast<int>(std::ceil(quota))));
  return std::max(1, affinity);
}

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body) {
  if (threads <= 1 || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr failure;         // guarded by mutex
  std::int64_t failed_index = count;  // guarded by mutex
  // Indices are handed out in order, so every index below a failing one has been started: the lowest
  // failure recorded is the first by index whatever the timing.
  const auto work = [&] {
    while (!stop.load(std::memory_order_relaxed)) {
      const std::int64_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= count) return;
      try {
        body(index);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (index < failed_index) failed_index = index, failure = std::current_exception();
        stop.store(true, std::memory_order_relaxed);
      }
    }
  };
  std::vector<std::thread> helpers;
  const std::int64_t helper_count = std::min<std::int64_t>(threads, count) - 1;
  helpers.reserve(static_cast<std::size_t>(helper_count));
  try {
    for (std::int64_t i = 0; i < helper_count; ++i) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // No more threads to be had: the ones that started, and the caller, do the work.
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

ThreadPool::ThreadPool(int threads) {
  const int count = std::max(1, threads);
  threads_.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void ThreadPool::work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace terrapin
