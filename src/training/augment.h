// Augmentation in two steps: a plan (numbers only, decided by a random stream) and its application to pixels.
// Photo and mask follow one plan, so they cannot come apart.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "imaging/image.h"
#include "training/recipe.h"

namespace terrapin::training {

// A place in a photo, independent of its resolution: in 65536ths of width and height, at a pixel's centre.
struct RelativePoint {
  std::uint16_t x = 0, y = 0;
  friend bool operator==(const RelativePoint&, const RelativePoint&) = default;
};

// Some pixels of one class in one photo.
struct ClassPoints {
  std::uint8_t label = 0;
  std::vector<RelativePoint> points;
};

// value' = clamp(grey + saturation * (v - grey)), v = value * gain[channel] contrasted around the crop's mean
// grey.
struct ColorPlan {
  bool active = false;
  std::array<double, 3> gain{1, 1, 1};
  double contrast = 1, saturation = 1;
};

struct AugmentPlan {
  imaging::Size scaled;  // the photo is resized to this
  bool mirror = false;   // then flipped left-right
  imaging::Box crop;     // then this box is cut, in flipped coordinates; parts outside are padding
  ColorPlan color;
  bool blur = false;
  double noise_deviation = 0;  // grey levels; 0 = none
  std::uint64_t noise_seed = 0;
};

// Decides everything about one crop. `photo`: size of the photo as loaded. `foreground`: points of the
// classes present, background left out; may be empty. The result depends on the arguments and the stream
// only. The long side becomes round(base_size * U(scale_low, scale_high)), the short side keeps the aspect
// (at least 1 pixel). Where a scaled side is not larger than the crop, the crop contains it whole at a random
// offset.
AugmentPlan plan_augmentation(const AugmentOptions& options, std::int64_t base_size, std::int64_t crop_side,
                              imaging::Size photo, std::span<const ClassPoints> foreground, Random& random);

// Per channel: output = value * scale + offset; the network's normalisation (value / 255 - mean) / std.
struct Normalization {
  std::array<float, 3> scale, offset;
  imaging::Rgb mean_color;  // the colour that becomes (nearly) zero: padding
  static Normalization from(const artifacts::Preprocessing& preprocessing);
};

// The crop's pixels as height x width x 3 floats (interleaved: the memory of a channels-last tensor) into
// `output`, of crop.width * crop.height * 3 values.
void augment_photo(const imaging::Image& photo, const AugmentPlan& plan, const Normalization& normalization,
                   float* output);

// The crop's labels, nearest neighbour, 255 in the padding, into `output` of crop.width * crop.height values.
void augment_mask(const imaging::Mask& mask, const AugmentPlan& plan, std::uint8_t* output);

}  // namespace terrapin::training
