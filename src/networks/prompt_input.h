// From a photo, points and an earlier mask to what the assistance network sees, and back to the photo; in one
// place so that training and use agree. Free of torch.
#pragma once

#include <cstdint>
#include <vector>

#include "imaging/image.h"
#include "imaging/regions.h"

namespace terrapin::networks {

// The network's input channels, in order. RGB is (value / 255 - 0.5) / 0.5, the others lie in 0..1.
enum class PromptChannel { kRed, kGreen, kBlue, kExtreme, kPositive, kNegative, kPrevious };
constexpr int kPromptChannels = 7;

// In the crop's pixels; (0, 0) is the centre of its first one. Fractions count.
struct CropPoint {
  double x = 0, y = 0;
};

// A square cut-out of a photo: the photo is scaled to `scaled` (never made whole), `region` is cut from that.
// Parts outside the photo are grey.
struct CropFrame {
  imaging::Size photo, scaled;
  imaging::Box region;

  std::int64_t side() const { return region.width; }
  // Where a photo pixel's centre lies in the crop, and back.
  CropPoint to_crop(imaging::Pixel pixel) const;
  double to_crop_x(double photo_x) const;
  double to_crop_y(double photo_y) const;
  double to_photo_x(double crop_x) const;
  double to_photo_y(double crop_y) const;
  // The part of the photo that the crop shows, whole pixels outwards; never empty for a box inside the photo.
  imaging::Box covered() const;
};

struct FrameOptions {
  std::int64_t side = 257;  // of the crop, pixels
  double margin = 0.18;     // on each side of the box, as a share of its (stretched) side
  double max_stretch = 2;   // a long box is stretched towards a square at most this much
  double min_extent = 12;   // photo pixels that the crop covers at least, without the margin
};
// `box`: what must be seen, inside the photo, at least 1 x 1.
CropFrame make_frame(imaging::Size photo, imaging::Box box, const FrameOptions& options);

// The smallest box that holds all these pixels; they are at least one.
imaging::Box box_around(const std::vector<imaging::Pixel>& pixels);

// `side` x `side` values, `step` floats from one to the next.
struct PlaneView {
  float* values = nullptr;
  std::int64_t side = 0, step = 1;
  float& at(std::int64_t x, std::int64_t y) const { return values[(y * side + x) * step]; }
};

// All of the plane becomes `value`.
void fill_plane(const PlaneView& plane, float value);
// Raises the plane to exp(-d^2 / (2 radius^2)) around each point, d in crop pixels; larger values stay.
void draw_points(const std::vector<CropPoint>& points, double radius, const PlaneView& plane);
// The three colour planes of a crop of the plane's size; `first` is the red one's first value, `apart` floats
// lie between planes.
void write_colors(const imaging::Image& crop, const PlaneView& first, std::int64_t apart);
// Share of each crop pixel that label 1 takes in a mask of `box`'s size that lies at `box` in the photo
// (sampled three times each way); 0 outside.
void write_previous(const CropFrame& frame, const imaging::Mask& mask, const imaging::Box& box,
                    const PlaneView& plane);

// What is said about the object, in the crop's pixels.
struct CropPrompt {
  std::vector<CropPoint> extremes, positive, negative;
  const imaging::Mask* previous = nullptr;  // the mask so far; null: none
  imaging::Box previous_box;                // where it lies in the photo
};

// The planes of one input: `step` floats from one value to the next, `apart` from one plane to the next.
struct InputPlanes {
  float* values = nullptr;
  std::int64_t side = 0, step = 1, apart = 0;
  PlaneView at(PromptChannel channel) const {
    return {values + static_cast<int>(channel) * apart, side, step};
  }
};

// All of what the network sees, whatever was there before: training and use both come through here.
void write_input(const imaging::Image& crop, const CropFrame& frame, const CropPrompt& prompt,
                 double point_radius, const InputPlanes& planes);

}  // namespace terrapin::networks
