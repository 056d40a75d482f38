// Outlines and surfaces of the objects in made-up scenes, in integer arithmetic.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "imaging/image.h"

namespace terrapin::dataset {

enum class ShapeKind { kStone, kTurtle, kFish, kStarfish, kCoral, kDiver };
enum class SurfacePattern { kSpeckled, kScutes, kStripes, kDots, kFolds, kBands };

// Heights: kOneShape at the middle of a part, 0 on its outline, negative outside.
constexpr std::int32_t kOneShape = 4096;

// 0..256..0 over `period`, for any `at`.
int triangle_wave(std::int64_t at, int period);

// A direction in steps of six degrees.
struct Direction {
  std::int64_t cosine = 65536, sine = 0;  // 16.16
};
Direction direction(int sixths);  // any integer; 60 make a turn

// A union of ellipses, all in pixels.
struct Shape {
  struct Part {
    std::int64_t x = 0, y = 0;            // centre, 16.16
    std::int64_t half_u = 1, half_v = 1;  // half axes, 16.16, >= 1 pixel
    Direction turn;
  };
  std::int64_t centre_x = 0, centre_y = 0, radius = 1;  // pixels
  Direction turn;                                       // of the whole
  int roughness = 0;                                    // how far noise moves the outline, 0..256
  std::vector<Part> parts;

  // The pixels that shape and shadow may touch, clipped to the picture.
  imaging::Box bounds(imaging::Size picture) const;
  // Fills `height` (box.width * box.height values) from the parts and the noise field `fine` of a picture
  // `picture_width` wide.
  void height_field(imaging::Box box, const std::vector<std::int16_t>& fine, std::int64_t picture_width,
                    std::vector<std::int32_t>& height) const;
  // Height -> opacity 0..256, soft over about one pixel; 128 on the outline.
  int coverage(std::int32_t height) const;
  // Tone 0..256 between an object's two colours at a pixel.
  int surface(SurfacePattern pattern, std::int64_t px, std::int64_t py, int scale, int fine,
              int coarse) const;
};

Shape make_shape(ShapeKind kind, Random& random, std::int64_t x, std::int64_t y, std::int64_t radius);

}  // namespace terrapin::dataset
