// Explicit, portable random numbers: the same seed gives the same sequence with every compiler, library
// and thread count. Never seeded from the clock.
#pragma once

#include <cstdint>
#include <vector>

namespace terrapin {

// PCG-XSH-RR 64/32 (O'Neill, 2014). Copyable; its whole state is two integers.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0);
  std::uint32_t next_u32();
  std::uint64_t next_u64();
  double uniform();                         // [0, 1), 53 bits
  double uniform(double low, double high);  // [low, high)
  std::int64_t below(std::int64_t bound);   // [0, bound), unbiased; bound >= 1
  // Mean 0, variance 1 (Box-Muller, no cached second value). Uses the C library's log and cos: the last bit
  // may differ between C libraries.
  double normal();
  // A whole number from low to high, both included, each as likely.
  int between(int low, int high) {
    return low + static_cast<int>(below(static_cast<std::int64_t>(high) - low + 1));
  }

 private:
  std::uint64_t state_ = 0, increment_ = 1;
};

// A stream for item `index` of pass `pass` under `seed`: the same whichever thread asks, in whatever order.
Random random_for(std::uint64_t seed, std::uint64_t pass, std::uint64_t index);

// Fisher-Yates.
template <class T>
void shuffle(std::vector<T>& items, Random& random) {
  for (std::int64_t i = static_cast<std::int64_t>(items.size()) - 1; i > 0; --i) {
    std::swap(items[static_cast<std::size_t>(i)], items[static_cast<std::size_t>(random.below(i + 1))]);
  }
}

}  // namespace terrapin
