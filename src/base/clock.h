// The time of day as a seam: everything that stamps or waits asks a Clock, so that tests can set it.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin {

using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;  // UTC; any thread
};

const Clock& system_clock();

// Stands still until told otherwise. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : now_(start) {}
  Timestamp now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  void advance(std::chrono::microseconds by) {
    const std::lock_guard lock(mutex_);
    now_ += by;
  }
  void set(Timestamp now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
  }

 private:
  mutable std::mutex mutex_;
  Timestamp now_;  // guarded by mutex_
};

inline std::int64_t to_microseconds(Timestamp time) {
  return time.time_since_epoch().count();
}
inline Timestamp from_microseconds(std::int64_t microseconds) {
  return Timestamp(std::chrono::microseconds(microseconds));
}

// "2022-02-10T17:41:04" and, with digits 3 or 6, ".801" or ".801793" after it; the year has four digits.
std::string iso_text(Timestamp time, int fraction_digits = 0);
// Reads that form, with or without a fraction of 1..6 digits and a final "Z". kInvalidArgument names the
// text.
Result<Timestamp> parse_iso_text(std::string_view text);

}  // namespace terrapin
