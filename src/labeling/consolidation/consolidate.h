// Several workers' masks of one photo -> one mask, with how sure it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "imaging/image.h"
#include "labeling/consolidation/answers.h"
#include "labeling/consolidation/skills.h"

namespace terrapin::labeling {

enum class VoteRule {
  kSkilled,   // votes weigh what the worker's skill says, neighbours decide close calls
  kMajority,  // one worker, one vote, each pixel by itself
};

struct ConsolidationOptions {
  VoteRule rule = VoteRule::kSkilled;
  // What a neighbour that is surely of a class adds to that class, in nats; a diagonal one adds 1/sqrt(2) of
  // it.
  double smoothing = 0.3;
  int sweeps = 2;   // over the disputed pixels, 0 = no smoothing
  int threads = 0;  // 0 = all cores
};

struct ClassOutcome {
  int index = 0;
  std::int64_t pixels = 0;  // of the result
  double confidence = 0;    // expected intersection over union of the class with the truth
  double agreement = 0;     // intersection over union between workers, over all pairs of them
};

struct Consolidated {
  imaging::Mask mask;       // a class that a worker gave this pixel, or 255 where nobody answered
  imaging::Mask certainty;  // 0..255 = probability of the mask's class; 0 where fewer than two answered
  double confidence =
      0;  // 0..1: mean over the classes painted, BACKGROUND only if nothing else was; 0 with one worker
  double disagreement = 0;  // 0..1: 1 - mean agreement over the same classes; 0 with one worker
  std::int64_t disputed_pixels = 0;
  std::vector<ClassOutcome> classes;  // that any worker painted, ascending
};

// Consolidates one object. A tie (equal scores after rounding to 1/4096 nat) goes to the class with more
// votes in the 3x3 neighbourhood, then to the lower index. With one answer the mask is that answer, bit for
// bit. The result depends neither on the order of the answers nor on the number of threads. Working memory
// beside answers and result: a few MiB a thread, at most 256 MiB a thread for pure noise. Errors as
// `ordered_answers` and `check_labels`, and kInvalidArgument for options out of range (smoothing 0..8, sweeps
// 0..16) or skills over fewer or more classes.
Result<Consolidated> consolidate(std::span<const Answer> answers, const WorkerSkills& skills,
                                 const ConsolidationOptions& options = {});

}  // namespace terrapin::labeling
