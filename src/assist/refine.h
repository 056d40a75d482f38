// From the network's answer for a crop to a mask in the photo's own pixels, along the photo's edges.
#pragma once

#include <stop_token>
#include <vector>

#include "assist/open_photo.h"
#include "assist/prompt.h"
#include "base/result.h"

namespace terrapin::assist {

// A pixel whose share of object is at most this, or at least 1 less this, is sure: only the others, and those
// near them, are followed to the photo's edges.
constexpr float kDoubtShare = 0.02F;

struct RefineOptions {
  // The guided filter's window in pixels of its grid, and the variance of colour it takes for an edge; radius
  // 0 leaves edges where the network put them. Chosen by measurement: docs/decisions/0009-assistance.md.
  std::int64_t radius = 8;
  float epsilon = 1e-4F;
  // The grid has at most this many pixels for each of the crop's.
  double grid_per_crop = 2;
  // The mask may pass the box of extremes and positive points by this many pixels and this share of the side.
  double beyond_px = 3, beyond_share = 0.03;
  // How far a click moves the answer around it: the deviation of the bell, crop pixels.
  double click_radius = 4;
  // Runs of one label in the mask's rows, before specks go: looking at its parts takes about a hundred bytes
  // for each, and what has more is no object's outline.
  std::int64_t max_runs = 2'000'000;
};

// `logits`: frame.side()^2 values, object above 0. The answer lies in what the frame covers and follows the
// prompt's points as assist/topology.h says; its box is tight. kTooLarge above
// options.max_runs; kCancelled when `stop` asks.
Result<BoxedMask> refine(const OpenPhoto& photo, const networks::CropFrame& frame, std::vector<float> logits,
                         const Prompt& prompt, const RefineOptions& options, int threads,
                         std::stop_token stop);

// The part of `mask` that holds label 1, as a tight box at its place in the photo; `offset` is where mask's
// first pixel lies.
BoxedMask tight(const imaging::Mask& mask, imaging::Pixel offset);

}  // namespace terrapin::assist
