#include "base/repeating_thread.h"

#include <exception>
#include <utility>

#include "base/logging.h"

namespace terrapin {

RepeatingThread::RepeatingThread(std::string name, std::chrono::milliseconds interval,
                                 std::function<void()> turn)
    : name_(std::move(name)), interval_(interval), turn_(std::move(turn)) {}

RepeatingThread::~RepeatingThread() {
  stop();
}

void RepeatingThread::start() {
  const std::lock_guard lock(mutex_);
  if (thread_.joinable()) return;
  stopping_ = false;
  thread_ = std::thread([this] { labor(); });
}

void RepeatingThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void RepeatingThread::wake() {
  const std::lock_guard lock(mutex_);
  due_ = true;
  changed_.notify_all();
}

void RepeatingThread::labor() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    due_ = false;
    lock.unlock();
    try {
      turn_();
    } catch (const std::exception& problem) {
      spdlog::error("{}: {}", name_, problem.what());
    }
    lock.lock();
    changed_.wait_for(lock, interval_, [&] { return stopping_ || due_; });
  }
}

}  // namespace terrapin
