#include "base/random.h"

#include <cmath>
#include <numbers>

namespace terrapin {
namespace {

// SplitMix64 (Steele, Lea, Flood, 2014): spreads neighbouring seeds far apart.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream) : increment_((stream << 1U) | 1U) {
  next_u32();
  state_ += seed;
  next_u32();
}

std::uint32_t Random::next_u32() {
  const std::uint64_t old = state_;
  state_ = old * 6364136223846793005ULL + increment_;
  const auto shifted = static_cast<std::uint32_t>(((old >> 18U) ^ old) >> 27U);
  const auto rotation = static_cast<std::uint32_t>(old >> 59U);
  return (shifted >> rotation) | (shifted << ((32U - rotation) & 31U));
}

std::uint64_t Random::next_u64() {
  const std::uint64_t high = next_u32();
  return (high << 32U) | next_u32();
}

double Random::uniform() {
  return static_cast<double>(next_u64() >> 11U) * 0x1.0p-53;
}

double Random::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

std::int64_t Random::below(std::int64_t bound) {
  if (bound <= 1) return 0;
  const auto range = static_cast<std::uint64_t>(bound);
  // The lowest 2^64 mod range values are refused, so that every remainder is equally likely.
  const std::uint64_t refused = (std::uint64_t{0} - range) % range;
  for (;;) {
    const std::uint64_t value = next_u64();
    if (value >= refused) return static_cast<std::int64_t>(value % range);
  }
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - u lies in (0, 1]
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

Random random_for(std::uint64_t seed, std::uint64_t pass, std::uint64_t index) {
  const std::uint64_t mixed = mix(mix(mix(seed) ^ pass) ^ index);
  return Random(mixed, mix(mixed ^ index));
}

}  // namespace terrapin
