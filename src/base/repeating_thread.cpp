#include "base/repeating_thread.h"

#include <utility>

namespace terrapin {

RepeatingThread::RepeatingThread(std::chrono::milliseconds interval, std::function<void()> turn)
    : interval_(interval), turn_(std::move(turn)) {}

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
    turn_();
    lock.lock();
    changed_.wait_for(lock, interval_, [&] { return stopping_ || due_; });
  }
}

}  // namespace terrapin
