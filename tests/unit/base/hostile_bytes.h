// Damaged files for tests whose promise is: whatever the bytes, the answer is a value or an error.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/files.h"
#include "base/random.h"

namespace terrapin::test {

// A loop of `rounds`, or of as many as TERRAPIN_FUZZ_SECONDS (script/soak) have room for.
class HostileRounds {
 public:
  explicit HostileRounds(std::int64_t rounds) : rounds_(rounds) {
    if (const char* seconds = std::getenv("TERRAPIN_FUZZ_SECONDS")) seconds_ = std::atof(seconds);
  }
  // Counts from 0; -1: it is enough.
  std::int64_t next() {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    const bool more = seconds_ > 0 ? passed.count() < seconds_ : count_ < rounds_;
    return more ? count_++ : -1;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::int64_t rounds_, count_ = 0;
  double seconds_ = 0;
};

// Cut off, with a piece missing, or with some bytes changed. A quarter of the changes falls into the first
// 120 bytes: headers hold the interesting ones.
inline Bytes damaged(Bytes bytes, Random& random) {
  const auto position = [&] { return random.below(static_cast<std::int64_t>(bytes.size())); };
  const std::int64_t kind = random.below(4);
  if (kind == 0) bytes.resize(static_cast<std::size_t>(position()));
  if (kind == 1) {
    const std::int64_t from = position();
    const auto to =
        std::min<std::int64_t>(from + 1 + random.below(40), static_cast<std::int64_t>(bytes.size()));
    bytes.erase(bytes.begin() + from, bytes.begin() + to);
  }
  for (std::int64_t changes = kind < 2 ? random.below(3) : 1 + random.below(12); changes > 0; --changes) {
    if (bytes.empty()) break;
    const auto size = static_cast<std::int64_t>(bytes.size());
    const std::int64_t at = random.below(kind == 3 ? std::min<std::int64_t>(size, 120) : size);
    std::uint8_t& byte = bytes[static_cast<std::size_t>(at)];
    byte = random.below(2) == 0 ? static_cast<std::uint8_t>(random.next_u32())
                                : static_cast<std::uint8_t>(byte ^ (1U << random.below(8)));
  }
  return bytes;
}

}  // namespace terrapin::test
