// How many bytes of decoded photos and answers may exist at one time: small files can hold large photos.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace terrapin::serving {

// Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::int64_t limit) : limit_(limit) {}

  // Gives its bytes back when destroyed.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (budget_ != nullptr) budget_->give_back(bytes_);
    }

   private:
    friend class MemoryBudget;
    Lease(MemoryBudget& budget, std::int64_t bytes) : budget_(&budget), bytes_(bytes) {}
    MemoryBudget* budget_;
    std::int64_t bytes_;
  };

  // nullopt: over the limit. The first taker always gets its bytes, or a large photo would never be answered.
  std::optional<Lease> try_take(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (taken_ > 0 && bytes > limit_ - taken_) return std::nullopt;
    taken_ += bytes;
    return Lease(*this, bytes);
  }

 private:
  void give_back(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    taken_ -= bytes;
  }

  const std::int64_t limit_;
  std::mutex mutex_;
  std::int64_t taken_ = 0;  // guarded by mutex_
};

}  // namespace terrapin::serving
