// Who computes, and who waits for that.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace terrapin::assist {

// At most so many at a time; the rest wait in the order they came, and may be told to stop. Thread-safe.
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
      turns_->wake_.notify_all();
    }

   private:
    friend class Turns;
    explicit Turn(Turns& turns) : turns_(&turns) {}
    Turns* turns_;
  };

  // Waits for one; nullopt if `stop` asks before there is.
  std::optional<Turn> take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const std::int64_t own = next_++;
    waiting_.push_back(own);
    const bool mine = wake_.wait(lock, stop, [&] { return free_ > 0 && waiting_.front() == own; });
    std::erase(waiting_, own);
    wake_.notify_all();  // another is the first now
    if (!mine) return std::nullopt;
    --free_;
    return Turn(*this);
  }

  int waiting() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(waiting_.size());
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  int free_;                          // guarded by mutex_
  std::int64_t next_ = 0;             // guarded by mutex_
  std::deque<std::int64_t> waiting_;  // guarded by mutex_; who came first is first
};

}  // namespace terrapin::assist
