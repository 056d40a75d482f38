#include "dataset/scenes_shapes.h"

#include <algorithm>
#include <array>

namespace terrapin::dataset {
namespace {

// cos of 0, 6, ... 90 degrees, times 65536.
constexpr std::array<std::int64_t, 16> kCosine = {65536, 65177, 64104, 62328, 59870, 56756, 53020, 48703,
                                                  43852, 38521, 32768, 26656, 20252, 13626, 6850,  0};

std::int64_t cosine_of(int sixths) {
  sixths = ((sixths % 60) + 60) % 60;
  if (sixths > 30) sixths = 60 - sixths;
  return sixths <= 15 ? kCosine[static_cast<std::size_t>(sixths)]
                      : -kCosine[static_cast<std::size_t>(30 - sixths)];
}

// Collects parts given in thousandths of the shape's radius, in the shape's own axes.
class Builder {
 public:
  Builder(std::int64_t x, std::int64_t y, std::int64_t radius, int turn) : turn_(turn) {
    shape_.centre_x = x, shape_.centre_y = y, shape_.radius = radius;
    shape_.turn = direction(turn);
  }
  void add(std::int64_t u, std::int64_t v, std::int64_t half_u, std::int64_t half_v, int turn = 0) {
    Shape::Part part;
    const std::int64_t one = shape_.radius * 65536 / 1000;
    const Direction d = shape_.turn;
    part.x = shape_.centre_x * 65536 + (d.cosine * u - d.sine * v) / 65536 * one +
             ((d.cosine * u - d.sine * v) % 65536) * one / 65536;
    part.y = shape_.centre_y * 65536 + (d.sine * u + d.cosine * v) / 65536 * one +
             ((d.sine * u + d.cosine * v) % 65536) * one / 65536;
    part.half_u = std::max<std::int64_t>(65536, half_u * one);
    part.half_v = std::max<std::int64_t>(65536, half_v * one);
    part.turn = direction(turn_ + turn);
    shape_.parts.push_back(part);
  }
  // A limb from (u, v) towards `turn`.
  void limb(std::int64_t u, std::int64_t v, std::int64_t length, std::int64_t thickness, int turn) {
    const Direction d = direction(turn);
    add(u + d.cosine * length / 131072, v + d.sine * length / 131072, length / 2, thickness / 2, turn);
  }
  Shape finish(int roughness) {
    shape_.roughness = roughness;
    return std::move(shape_);
  }

 private:
  int turn_;
  Shape shape_;
};

void build_turtle(Builder& shape, Random& random) {
  const int width = random.between(420, 540);
  shape.limb(380, 260, random.between(520, 700), 190, random.between(6, 13));
  shape.limb(380, -260, random.between(520, 700), 190, -random.between(6, 13));
  shape.limb(-460, 230, 330, 150, random.between(19, 25));
  shape.limb(-460, -230, 330, 150, -random.between(19, 25));
  shape.limb(-560, 0, 260, 90, 30);
  shape.add(760, random.between(-40, 40), 210, 150, random.between(-2, 2));
  shape.add(0, 0, 640, width);
}

void build_fish(Builder& shape, Random& random) {
  const int depth = random.between(250, 430);
  shape.limb(-560, 0, 480, 190, random.between(24, 27));
  shape.limb(-560, 0, 480, 190, -random.between(24, 27));
  shape.add(-20, -depth + 40, 330, 130, random.between(-2, 1));
  shape.add(60, depth - 60, 190, 110, 3);
  shape.add(80, 0, 760, depth);
}

void build_starfish(Builder& shape, Random& random) {
  const int thickness = random.between(250, 360);
  for (int arm = 0; arm < 5; ++arm)
    shape.limb(0, 0, random.between(820, 1000), thickness, arm * 12 + random.between(-1, 1));
  shape.add(0, 0, 380, 380);
}

void build_coral(Builder& shape, Random& random) {
  for (int branch = random.between(4, 6); branch > 0; --branch) {
    int turn = random.between(0, 59), size = random.between(190, 260);
    std::int64_t u = 0, v = 0;
    for (int step = 0; step < 5; ++step, size = size * 5 / 6) {
      shape.add(u, v, size, size * 9 / 10, turn);
      turn += random.between(-6, 6);
      const Direction d = direction(turn);
      u += d.cosine * size / 65536, v += d.sine * size / 65536;
    }
  }
}

void build_diver(Builder& shape, Random& random) {
  shape.limb(300, 110, random.between(450, 620), 130, random.between(-6, 14));
  shape.limb(300, -110, random.between(450, 620), 130, random.between(-14, 6));
  for (const int side : {1, -1}) {
    const int turn = 30 + side * random.between(-1, 5);
    shape.limb(-330, side * 90, 560, 170, turn);
    const Direction d = direction(turn);
    shape.limb(-330 + d.cosine * 480 / 65536, side * 90 + d.sine * 480 / 65536, 330, 190,
               turn + random.between(-3, 3));
  }
  shape.add(560, random.between(-30, 30), 165, 150);
  shape.add(0, 0, 440, random.between(190, 250));
}

void build_stone(Builder& shape, Random& random) {
  shape.add(0, 0, random.between(600, 1000), random.between(380, 800));
  for (int i = random.between(0, 2); i > 0; --i) {
    shape.add(random.between(-500, 500), random.between(-400, 400), random.between(300, 600),
              random.between(250, 500), random.between(0, 59));
  }
}

}  // namespace

int triangle_wave(std::int64_t at, int period) {
  std::int64_t within = at % period;
  if (within < 0) within += period;
  const std::int64_t wave = within * 512 / period;
  return static_cast<int>(wave <= 256 ? wave : 512 - wave);
}

Direction direction(int sixths) {
  return {cosine_of(sixths), cosine_of(sixths - 15)};
}

imaging::Box Shape::bounds(imaging::Size picture) const {
  std::int64_t left = picture.width, top = picture.height, right = 0, bottom = 0;
  for (const Part& part : parts) {
    const std::int64_t reach = std::max(part.half_u, part.half_v) / 65536 * 5 / 4 + radius / 8 + 3;
    left = std::min(left, part.x / 65536 - reach), right = std::max(right, part.x / 65536 + reach);
    top = std::min(top, part.y / 65536 - reach), bottom = std::max(bottom, part.y / 65536 + reach);
  }
  left = std::max<std::int64_t>(left, 0), top = std::max<std::int64_t>(top, 0);
  right = std::min(right, picture.width), bottom = std::min(bottom, picture.height);
  return {left, top, right - left, bottom - top};
}

void Shape::height_field(imaging::Box box, const std::vector<std::int16_t>& fine, std::int64_t picture_width,
                         std::vector<std::int32_t>& height) const {
  std::fill(height.begin(), height.end(), -kOneShape);
  for (const Part& part : parts) {
    // Beyond 1.45 half axes the height is below -kOneShape: nothing to raise there.
    const std::int64_t reach = std::max(part.half_u, part.half_v) / 65536 * 3 / 2 + 2;
    const std::int64_t first_x = std::max(box.x, part.x / 65536 - reach);
    const std::int64_t last_x = std::min(box.x + box.width, part.x / 65536 + reach);
    const std::int64_t first_y = std::max(box.y, part.y / 65536 - reach);
    const std::int64_t last_y = std::min(box.y + box.height, part.y / 65536 + reach);
    for (std::int64_t y = first_y; y < last_y; ++y) {
      const std::int64_t dy = y * 65536 - part.y;
      std::int32_t* row = height.data() + (y - box.y) * box.width;
      for (std::int64_t x = first_x; x < last_x; ++x) {
        const std::int64_t dx = x * 65536 - part.x;
        // Distance along each axis in units of the half axis, 12 bits.
        const std::int64_t u = (part.turn.cosine * dx + part.turn.sine * dy) / 16 / part.half_u;
        const std::int64_t v = (part.turn.cosine * dy - part.turn.sine * dx) / 16 / part.half_v;
        const std::int64_t squared = (u * u + v * v) / kOneShape;
        if (squared >= 2 * kOneShape) continue;
        auto value = static_cast<std::int32_t>(kOneShape - squared);
        value += fine[static_cast<std::size_t>(y * picture_width + x)] * roughness / 64;
        row[x - box.x] = std::max(row[x - box.x], value);
      }
    }
  }
}

int Shape::coverage(std::int32_t height) const {
  // Near the outline of a part of size r the height falls by about 2 / r a pixel; limbs are about a quarter
  // of the radius thick.
  const std::int64_t slope = std::max<std::int64_t>(1, radius / 4);
  return static_cast<int>(std::clamp<std::int64_t>(128 + height * slope * 128 / (2 * kOneShape), 0, 256));
}

int Shape::surface(SurfacePattern pattern, std::int64_t px, std::int64_t py, int scale, int fine,
                   int coarse) const {
  // The shape's own axes, 1024 = its radius; noise bends them.
  const std::int64_t dx = (px - centre_x) * 1024 / radius, dy = (py - centre_y) * 1024 / radius;
  const auto u = (turn.cosine * dx + turn.sine * dy) / 65536 + fine / 16;
  const auto v = (turn.cosine * dy - turn.sine * dx) / 65536 + coarse / 24;
  switch (pattern) {
    case SurfacePattern::kScutes: {  // plates in offset rows with dark seams
      const int period = 300 * scale / 256;
      const int seam_u = triangle_wave(u, period);
      const int seam_v = triangle_wave(v + (((u / period) & 1) != 0 ? period / 2 : 0), period);
      return 256 - std::min(seam_u, seam_v) * 2 + fine / 8;
    }
    case SurfacePattern::kStripes:
      return (triangle_wave(u + v / 4, 260 * scale / 256) - 128) * 3 + 128 + fine / 6;
    case SurfacePattern::kDots:
      return (triangle_wave(u, 200 * scale / 256) * triangle_wave(v, 200 * scale / 256) / 256 - 96) * 4 +
             fine / 8;
    case SurfacePattern::kFolds:
      return triangle_wave(u * 2 + fine * 3 / 2, 220 * scale / 256) * 5 / 6 + coarse / 10;
    case SurfacePattern::kBands:
      return (triangle_wave(u, 700 * scale / 256) - 150) * 6 + fine / 6;
    case SurfacePattern::kSpeckled:
      return 100 + fine / 3 + coarse / 8;
  }
  return 0;
}

Shape make_shape(ShapeKind kind, Random& random, std::int64_t x, std::int64_t y, std::int64_t radius) {
  Builder shape(x, y, std::max<std::int64_t>(2, radius), static_cast<int>(random.below(60)));
  switch (kind) {
    case ShapeKind::kStone:
      build_stone(shape, random);
      return shape.finish(120);
    case ShapeKind::kTurtle:
      build_turtle(shape, random);
      return shape.finish(28);
    case ShapeKind::kFish:
      build_fish(shape, random);
      return shape.finish(24);
    case ShapeKind::kStarfish:
      build_starfish(shape, random);
      return shape.finish(50);
    case ShapeKind::kCoral:
      build_coral(shape, random);
      return shape.finish(110);
    case ShapeKind::kDiver:
      build_diver(shape, random);
      return shape.finish(20);
  }
  return shape.finish(0);
}

}  // namespace terrapin::dataset
