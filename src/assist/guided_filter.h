// He, Sun & Tang, "Guided image filtering" (2013), with a colour guide: a soft mask takes over the guide's
// edges.
#pragma once

#include <cstdint>
#include <vector>

#include "imaging/image.h"

namespace terrapin::assist {

// Local linear models of the mask: mask = coefficients . (red, green, blue) + offset, colours in 0..1. Each
// array has a value per pixel of the guide.
struct LinearModels {
  imaging::Size size;
  std::vector<float> red, green, blue, offset;
  float at(std::int64_t index, float r, float g, float b) const {
    const auto i = static_cast<std::size_t>(index);
    return red[i] * r + green[i] * g + blue[i] * b + offset[i];
  }
};

// Windows are (2 radius + 1)^2, cut at the edges; `epsilon` is the variance of colour (0..1) below which the
// mask is only smoothed. `soft`: a value per pixel. Uses up to `threads` threads; the result does not depend
// on their number.
LinearModels guided_models(const imaging::Image& guide, const std::vector<float>& soft, std::int64_t radius,
                           float epsilon, int threads);

// Mean over (2 radius + 1)^2 windows, cut at the edges.
std::vector<float> box_mean(const std::vector<float>& values, imaging::Size size, std::int64_t radius);

}  // namespace terrapin::assist
