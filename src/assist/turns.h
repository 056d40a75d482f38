// Who computes, and who waits for that.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace terrapin::assist {

// At most so many at a time; the rest wait, and may be told to stop. Thread-safe.
class Turns {
 public:
  explicit Turns(int most) : free_(most) {}

  // Ends with its life.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ == nullptr) return;
      {
        const std::lock_guard lock(turns_->mutex_);
        ++turns_->free_;
      }
      turns_->wake_.notify_one();
    }

   private:
    friend class Turns;
    explicit Turn(Turns& turns) : turns_(&turns) {}
    Turns* turns_;
  };

  // Waits for one; nullopt if `stop` asks before there is.
  std::optional<Turn> take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    const bool free = wake_.wait(lock, stop, [&] { return free_ > 0; });
    --waiting_;
    if (!free) return std::nullopt;
    --free_;
    return Turn(*this);
  }

  int waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  int free_;         // guarded by mutex_
  int waiting_ = 0;  // guarded by mutex_
};

}  // namespace terrapin::assist
