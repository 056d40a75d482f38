// Without a network: GrabCut from the points (Rother, Kolmogorov & Blake, 2004). The only place that knows
// OpenCV.
#pragma once

#include <stop_token>
#include <vector>

#include "base/result.h"
#include "imaging/image.h"
#include "networks/prompt_input.h"

namespace terrapin::assist {

// Whether this build has OpenCV.
bool classical_available();

struct ClassicalPrompt {
  std::vector<networks::CropPoint> extremes, positive, negative;
  // Shares of object, crop.width() * crop.height() values; empty: no earlier mask.
  std::vector<float> previous;
};

// Logits of the crop's size, as the network gives them: object above 0. The same input gives the same
// answer. kUnsupported without OpenCV; kCancelled when `stop` asks.
Result<std::vector<float>> classical_logits(const imaging::Image& crop, const ClassicalPrompt& prompt,
                                            std::stop_token stop);

}  // namespace terrapin::assist
