// A thread that does one thing again and again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace terrapin {

// A turn at once, then one after each interval, or as soon as it is woken. start() and stop() from one thread
// at a time; wake() from any.
class RepeatingThread {
 public:
  // `name`: before what a turn threw, in the log; the next turn comes all the same.
  RepeatingThread(std::string name, std::chrono::milliseconds interval, std::function<void()> turn);
  ~RepeatingThread();  // stop()
  RepeatingThread(const RepeatingThread&) = delete;
  RepeatingThread& operator=(const RepeatingThread&) = delete;

  void start();  // nothing if it runs
  void stop();   // waits for the turn at hand
  void wake();   // a turn that was woken meanwhile is followed by another one at once

 private:
  void labor();

  const std::string name_;
  const std::chrono::milliseconds interval_;
  const std::function<void()> turn_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, due_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace terrapin
