// Resampling. Pixel centres lie at half-integers (half-pixel convention, align_corners = false).
#pragma once

#include "imaging/image.h"

namespace terrapin::imaging {

// At most `max_width` (>= 1) wide, the shape kept to a pixel, never enlarged.
Size reduced_size(Size size, std::int64_t max_width);

// Triangle filter: bilinear when enlarging, widened by the scale when shrinking (antialiased), per axis.
// Results are independent of thread count. `target` sides >= 1. All functions here throw
// std::invalid_argument for an empty source, a target side below 1 or a negative region side.
Image resize(const Image& source, Size target);

// The part `region` of resize(source, target), computed alone: equal to cropping the whole, bit for bit.
// Pixels of the region that lie outside the target take `outside`. With `mirror` the whole is flipped
// left-right first.
Image resize_region(const Image& source, Size target, Box region, Rgb outside, bool mirror = false);

// Nearest neighbour: source x = floor((x + 0.5) * source.width / target.width), in exact integers.
Mask resize_nearest(const Mask& source, Size target);
Mask resize_nearest_region(const Mask& source, Size target, Box region, std::uint8_t outside,
                           bool mirror = false);

}  // namespace terrapin::imaging
