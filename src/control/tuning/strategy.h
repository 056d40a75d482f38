// Which hyperparameters the next training job gets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "control/tuning/search_space.h"

namespace terrapin::control::tuning {

enum class Strategy { kBayesian, kRandom, kGrid };
const char* strategy_name(Strategy strategy);  // "Bayesian"
// kInvalidArgument; kUnsupported for Hyperband.
Result<Strategy> parse_strategy(const std::string& name);

// A training job that was made before.
struct Trial {
  enum class Outcome { kPending, kMeasured, kFailed };
  Assignment values;
  Outcome outcome = Outcome::kPending;
  double score = 0;  // of kMeasured; larger is better
};

// What the next one should try, after `trials`; nullopt once every assignment was tried. The same for the
// same arguments. A failed trial counts as bad as the worst that was measured.
std::optional<Assignment> propose(const SearchSpace& space, Strategy strategy, std::uint64_t seed,
                                  std::span<const Trial> trials);

}  // namespace terrapin::control::tuning
