// Ends waits and calls of other threads when the program shuts down.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace terrapin::labeling {

// Thread-safe. Once set it stays set.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void set();
  bool is_set() const;
  // False as soon as the signal is set, true after the time.
  bool wait_for(std::chrono::milliseconds time) const;
  // Readable once the signal is set, for poll(); -1 if the system has none left.
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool set_ = false;  // guarded by mutex_
};

}  // namespace terrapin::labeling
