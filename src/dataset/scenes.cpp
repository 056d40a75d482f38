#include "dataset/scenes.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include "artifacts/manifest.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/random.h"
#include "dataset/scenes_shapes.h"
#include "imaging/codecs.h"

// Integers only, so that the same seed gives the same bytes with every compiler and processor: colours and
// weights are fixed point, directions come from a table.
namespace terrapin::dataset {
namespace {

using artifacts::ClassList;
using imaging::Image;
using imaging::Mask;
using imaging::Rgb;
using imaging::Size;

constexpr int kMaxClasses = 6;

int clamp255(int value) {
  return std::clamp(value, 0, 255);
}

// a + (b - a) * t, t in 0..256.
int blend(int a, int b, int t) {
  return a + (((b - a) * t) >> 8);
}
Rgb blend(Rgb a, Rgb b, int t) {
  return {static_cast<std::uint8_t>(blend(a.red, b.red, t)),
          static_cast<std::uint8_t>(blend(a.green, b.green, t)),
          static_cast<std::uint8_t>(blend(a.blue, b.blue, t))};
}

// Ground and objects draw from one list of natural colours, so that colour alone tells little.
constexpr std::array<Rgb, 14> kColors = {{{196, 178, 140},
                                          {150, 128, 96},
                                          {92, 82, 66},
                                          {70, 96, 62},
                                          {112, 138, 74},
                                          {54, 92, 112},
                                          {86, 142, 158},
                                          {176, 120, 74},
                                          {168, 74, 58},
                                          {206, 150, 110},
                                          {120, 120, 116},
                                          {196, 190, 180},
                                          {132, 96, 124},
                                          {62, 62, 70}}};

Rgb pick_color(Random& random) {
  const Rgb base = kColors[static_cast<std::size_t>(random.below(kColors.size()))];
  const int light = random.between(-18, 18);
  return {static_cast<std::uint8_t>(clamp255(base.red + light + random.between(-14, 14))),
          static_cast<std::uint8_t>(clamp255(base.green + light + random.between(-14, 14))),
          static_cast<std::uint8_t>(clamp255(base.blue + light + random.between(-14, 14)))};
}

int distance(Rgb a, Rgb b) {
  return std::abs(a.red - b.red) + std::abs(a.green - b.green) + std::abs(a.blue - b.blue);
}

// A colour that a person still tells from `ground`: textures help, camouflage to invisibility does not.
Rgb pick_color_apart(Random& random, Rgb ground, int least) {
  Rgb color = pick_color(random);
  for (int attempt = 0; attempt < 12 && distance(color, ground) < least; ++attempt)
    color = pick_color(random);
  return color;
}

// Fractal value noise, about -1024..1024 a pixel: octaves from `cell` pixels down, amplitude halved each
// time.
std::vector<std::int16_t> fractal_noise(Size size, Random& random, int cell, int octaves) {
  std::vector<std::int16_t> out(static_cast<std::size_t>(size.area()), 0);
  int amplitude = 512;
  for (int octave = 0; octave < octaves && cell >= 2; ++octave, cell /= 2, amplitude = amplitude * 5 / 9) {
    const std::int64_t columns = size.width / cell + 3, rows = size.height / cell + 3;
    std::vector<int> lattice(static_cast<std::size_t>(columns * rows));
    for (auto& value : lattice) value = (static_cast<int>(random.next_u32() >> 24) - 128) * amplitude / 128;
    const auto phase_x = static_cast<int>(random.below(cell)), phase_y = static_cast<int>(random.below(cell));
    std::vector<int> weight(static_cast<std::size_t>(cell));
    for (int i = 0; i < cell; ++i) {
      const int t = (i * 256 + 128) / cell;
      weight[static_cast<std::size_t>(i)] = t * t * (768 - 2 * t) / 65536;  // smoothstep
    }
    std::vector<int> line(static_cast<std::size_t>(columns));
    for (std::int64_t y = 0; y < size.height; ++y) {
      const std::int64_t row = (y + phase_y) / cell;
      const int wy = weight[static_cast<std::size_t>((y + phase_y) % cell)];
      const int* upper = lattice.data() + row * columns;
      for (std::int64_t j = 0; j < columns; ++j)
        line[static_cast<std::size_t>(j)] = blend(upper[j], upper[j + columns], wy);
      std::int16_t* target = out.data() + y * size.width;
      int within = phase_x;
      std::size_t j = 0;
      for (std::int64_t x = 0; x < size.width; ++x) {
        target[x] = static_cast<std::int16_t>(
            target[x] + blend(line[j], line[j + 1], weight[static_cast<std::size_t>(within)]));
        if (++within == cell) within = 0, ++j;
      }
    }
  }
  return out;
}

int power_of_two_below(std::int64_t value) {
  int power = 2;
  while (power * 2 <= value && power < 1 << 14) power *= 2;
  return power;
}

// What one scene is painted with. `fine` and `coarse` are noise fields as large as the picture.
struct Canvas {
  Image photo;
  Mask mask;
  std::vector<std::int16_t> coarse, fine;
};

void paint_ground(Canvas& canvas, Random& random, Rgb& mean) {
  const Rgb first = pick_color(random), second = pick_color(random), third = pick_color(random);
  mean = blend(first, second, 128);
  const int contrast = random.between(90, 220), ripple = random.below(3) == 0 ? random.between(10, 26) : 0;
  const int period = random.between(9, 22), slant = random.between(-3, 3);
  for (std::int64_t y = 0; y < canvas.photo.height(); ++y) {
    for (std::int64_t x = 0; x < canvas.photo.width(); ++x) {
      const auto at = static_cast<std::size_t>(y * canvas.photo.width() + x);
      const int coarse = canvas.coarse[at], fine = canvas.fine[at];
      Rgb color = blend(first, second, std::clamp(128 + coarse * contrast / 512, 0, 256));
      color = blend(color, third, std::clamp((fine - 160) * 256 / 512, 0, 200));
      int light = fine * 30 / 512;
      if (ripple > 0) {
        const auto along = static_cast<int>(y * 4 + x * slant) * 64 + coarse * 40;
        light += (triangle_wave(along, period * 256) - 128) * ripple / 128;
      }
      canvas.photo.set(x, y,
                       {static_cast<std::uint8_t>(clamp255(color.red + light)),
                        static_cast<std::uint8_t>(clamp255(color.green + light)),
                        static_cast<std::uint8_t>(clamp255(color.blue + light))});
    }
  }
}

struct Paint {
  Rgb first, second;
  SurfacePattern pattern = SurfacePattern::kSpeckled;
  int scale = 256;  // of the pattern, 256 = as designed
  std::uint8_t label = 0;
};

// Paints `shape` with its soft shadow. Pixels at least half covered take the label.
void paint_shape(Canvas& canvas, const Shape& shape, const Paint& paint, int light_x, int light_y) {
  const imaging::Box box = shape.bounds(canvas.photo.size());
  if (box.width <= 0 || box.height <= 0) return;
  std::vector<std::int32_t> height(static_cast<std::size_t>(box.width * box.height));
  shape.height_field(box, canvas.fine, canvas.photo.width(), height);
  const std::int64_t reach = std::max<std::int64_t>(1, shape.radius / 9);
  auto height_at = [&](std::int64_t x, std::int64_t y) {
    x = std::clamp<std::int64_t>(x, 0, box.width - 1), y = std::clamp<std::int64_t>(y, 0, box.height - 1);
    return height[static_cast<std::size_t>(y * box.width + x)];
  };
  for (std::int64_t y = 0; y < box.height; ++y) {
    for (std::int64_t x = 0; x < box.width; ++x) {
      const std::int64_t px = box.x + x, py = box.y + y;
      std::uint8_t* pixel = canvas.photo.row(py) + px * 3;
      const std::int32_t h = height[static_cast<std::size_t>(y * box.width + x)];
      if (h < kOneShape) {  // the shadow, cast away from the light, fades outwards
        const std::int32_t cast = height_at(x + light_x * reach / 256, y + light_y * reach / 256);
        const int shade = std::clamp((cast + kOneShape * 2 / 5) * 110 / kOneShape, 0, 110);
        for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(pixel[c] * (256 - shade) >> 8);
      }
      const int cover = shape.coverage(h);
      if (cover <= 0) continue;
      const auto at = static_cast<std::size_t>(py * canvas.photo.width() + px);
      const int fine = canvas.fine[at], coarse = canvas.coarse[at];
      const int tone = std::clamp(shape.surface(paint.pattern, px, py, paint.scale, fine, coarse), 0, 256);
      const Rgb color = blend(paint.first, paint.second, tone);
      // Domed: brighter towards the light, darker at the rim.
      const std::int32_t slope = height_at(x + light_x * 2 / 256, y + light_y * 2 / 256) -
                                 height_at(x - light_x * 2 / 256, y - light_y * 2 / 256);
      const int rim = std::clamp(h * 5 / (kOneShape / 56), 0, 70);
      const int light =
          std::clamp(-static_cast<int>(slope * 90 / kOneShape), -50, 50) + rim - 42 + fine * 26 / 512;
      const std::array<int, 3> target = {clamp255(color.red + light), clamp255(color.green + light),
                                         clamp255(color.blue + light)};
      for (std::size_t c = 0; c < 3; ++c)
        pixel[c] = static_cast<std::uint8_t>(blend(pixel[c], target[c], cover));
      if (cover >= 128) canvas.mask.set(px, py, paint.label);
    }
  }
}

// Stones and weed: class 0, but with the colours and the size of objects.
void paint_clutter(Canvas& canvas, Random& random, int light_x, int light_y) {
  const std::int64_t short_side = std::min(canvas.photo.width(), canvas.photo.height());
  for (int i = random.between(2, 7); i > 0; --i) {
    Shape shape = make_shape(ShapeKind::kStone, random, random.below(canvas.photo.width()),
                             random.below(canvas.photo.height()), short_side * random.between(3, 12) / 100);
    const Rgb first = pick_color(random);
    paint_shape(canvas, shape,
                {first, blend(first, pick_color(random), 150), SurfacePattern::kSpeckled,
                 random.between(180, 360), 0},
                light_x, light_y);
  }
}

constexpr std::array<ShapeKind, kMaxClasses> kShapeOfClass = {ShapeKind::kStone, ShapeKind::kTurtle,
                                                              ShapeKind::kFish,  ShapeKind::kStarfish,
                                                              ShapeKind::kCoral, ShapeKind::kDiver};
constexpr std::array<SurfacePattern, kMaxClasses> kPatternOfClass = {
    SurfacePattern::kSpeckled, SurfacePattern::kScutes, SurfacePattern::kStripes,
    SurfacePattern::kDots,     SurfacePattern::kFolds,  SurfacePattern::kBands};

void paint_objects(Canvas& canvas, Random& random, const SceneOptions& options, std::uint64_t index,
                   Rgb ground, int light_x, int light_y) {
  const std::int64_t width = canvas.photo.width(), height = canvas.photo.height();
  const std::int64_t short_side = std::min(width, height);
  const int foreground = options.class_count - 1, count = random.between(1, 4);
  for (int i = 0; i < count; ++i) {
    // The first object walks through the classes, so that every class has its share of scenes.
    const int label = 1 + (i == 0 ? static_cast<int>(index % static_cast<std::uint64_t>(foreground))
                                  : static_cast<int>(random.below(foreground)));
    const auto slot = static_cast<std::size_t>(label);
    const std::int64_t radius = short_side * random.between(14, 34) / 100;
    const std::int64_t x = random.below(width), y = random.below(height);
    Shape shape = make_shape(kShapeOfClass[slot], random, x, y, std::max<std::int64_t>(4, radius));
    Paint paint;
    paint.first = pick_color_apart(random, ground, 70);
    paint.second = pick_color_apart(random, paint.first, 60);
    paint.pattern = kPatternOfClass[slot];
    paint.scale = random.between(190, 340);
    paint.label = static_cast<std::uint8_t>(label);
    paint_shape(canvas, shape, paint, light_x, light_y);
  }
}

// Light that falls off across the picture, a vignette, a colour cast, and the sensor's noise.
void develop(Canvas& canvas, Random& random) {
  const std::int64_t width = canvas.photo.width(), height = canvas.photo.height();
  const int gain_left = random.between(170, 300), gain_right = random.between(170, 300);
  const int gain_top = random.between(210, 290), gain_bottom = random.between(200, 270);
  const int vignette = random.between(10, 70), blotch = random.between(0, 60);
  const std::array<int, 3> cast = {random.between(232, 272), random.between(244, 268),
                                   random.between(232, 276)};
  const int grain = random.between(4, 16);
  for (std::int64_t y = 0; y < height; ++y) {
    const int vertical = blend(gain_top, gain_bottom, static_cast<int>(y * 256 / height));
    const auto from_middle_y = static_cast<int>((2 * y - height) * 256 / height);
    for (std::int64_t x = 0; x < width; ++x) {
      const auto at = static_cast<std::size_t>(y * width + x);
      const auto from_middle_x = static_cast<int>((2 * x - width) * 256 / width);
      int gain = blend(gain_left, gain_right, static_cast<int>(x * 256 / width)) * vertical >> 8;
      gain = gain * (256 -
                     (from_middle_x * from_middle_x + from_middle_y * from_middle_y) * vignette / 131072) >>
             8;
      gain += canvas.coarse[at] * blotch / 512;
      std::uint8_t* pixel = canvas.photo.row(y) + x * 3;
      const std::uint32_t r = random.next_u32(), q = random.next_u32();
      // Sums of four nibble pairs are close to a normal distribution: mean 0, deviation about 9.
      const auto common = static_cast<int>((r & 15) + (r >> 4 & 15) + (r >> 8 & 15) + (r >> 12 & 15)) - 30;
      for (std::size_t c = 0; c < 3; ++c) {
        const auto own = static_cast<int>((q >> (c * 8) & 15) + (q >> (c * 8 + 4) & 15)) - 15;
        const int value = pixel[c] * gain / 256 * cast[c] / 256;
        // Shot noise: bright pixels are noisier.
        const int noise = (common + own) * grain * (96 + value) / (16 * 256);
        pixel[c] = static_cast<std::uint8_t>(clamp255(value + noise));
      }
    }
  }
}

std::int64_t foreground_area(const Mask& mask) {
  return static_cast<std::int64_t>(mask.bytes().size()) -
         std::count(mask.bytes().begin(), mask.bytes().end(), 0);
}

std::string two_digits(std::int64_t value) {
  return fmt::format("{:02}", value);
}

// Made-up but valid and ordered: one scene a second from the first day of 2026.
std::string scene_time(std::int64_t index) {
  const std::int64_t second = index % 60, minute = index / 60 % 60, hour = index / 3600 % 24;
  const std::int64_t day = index / 86400 % 28 + 1;
  return "2026-01-" + two_digits(day) + "T" + two_digits(hour) + ":" + two_digits(minute) + ":" +
         two_digits(second) + ".000000";
}

Status check_options(const SceneOptions& options) {
  if (options.class_count < 2 || options.class_count > kMaxClasses) {
    return fail(ErrorCode::kInvalidArgument, "scenes have 2 to {} classes, background included, not {}",
                kMaxClasses, options.class_count);
  }
  if (options.size.width < 16 || options.size.height < 16 || options.size.width > 8192 ||
      options.size.height > 8192) {
    return fail(ErrorCode::kInvalidArgument, "a scene's sides are 16 to 8192 pixels, not {}x{}",
                options.size.width, options.size.height);
  }
  return {};
}

}  // namespace

ClassList scene_classes(int class_count) {
  static constexpr std::array<const char*, kMaxClasses> kNames = {"BACKGROUND", "Turtle", "Fish",
                                                                  "Starfish",   "Coral",  "Diver"};
  ClassList classes = ClassList::with_default_names(std::clamp(class_count, 2, kMaxClasses));
  for (std::size_t i = 0; i < classes.classes.size(); ++i) classes.classes[i].name = kNames[i];
  return classes;
}

artifacts::LabeledPhoto make_scene(const SceneOptions& given, std::uint64_t index) {
  SceneOptions options = given;
  options.class_count = std::clamp(options.class_count, 2, kMaxClasses);
  const std::int64_t short_side = std::min(options.size.width, options.size.height);
  artifacts::LabeledPhoto scene;
  // Objects fall where they fall; a scene with too little or too much of them is drawn again. Few need it.
  for (std::uint64_t attempt = 0; attempt < 64; ++attempt) {
    Random random = random_for(options.seed, 7919 + attempt, index);
    Canvas canvas;
    canvas.photo = Image(options.size);
    canvas.mask = Mask(options.size);
    canvas.coarse = fractal_noise(options.size, random, power_of_two_below(short_side / 2), 3);
    canvas.fine = fractal_noise(options.size, random,
                                power_of_two_below(std::max<std::int64_t>(4, short_side / 12)), 4);
    Rgb ground;
    paint_ground(canvas, random, ground);
    const int light_x = random.between(-256, 256), light_y = random.between(-256, -96);
    paint_clutter(canvas, random, light_x, light_y);
    paint_objects(canvas, random, options, index, ground, light_x, light_y);
    const std::int64_t area = foreground_area(canvas.mask), total = options.size.area();
    const bool good = area * 50 >= total && area * 5 <= total * 2;
    if (!good && attempt < 63) continue;
    develop(canvas, random);
    scene.photo = std::move(canvas.photo);
    scene.mask = std::move(canvas.mask);
    break;
  }
  return scene;
}

Status write_scene_output(const std::filesystem::path& folder, std::int64_t count,
                          const SceneOptions& options, const std::string& job_name) {
  TERRAPIN_TRY_STATUS(check_options(options));
  if (count < 1 || count > 1'000'000) {
    return fail(ErrorCode::kInvalidArgument, "the number of scenes is 1 to 1000000, not {}", count);
  }
  const ClassList classes = scene_classes(options.class_count);
  const imaging::Palette palette = classes.palette();
  const std::string mask_folder = job_name + "/annotations/consolidated-annotation/output/";
  auto photo_name = [](std::int64_t i) { return fmt::format("photos/scene-{:05}.jpg", i); };
  auto mask_name = [&](std::int64_t i) { return fmt::format("{}{}_{}.png", mask_folder, i, scene_time(i)); };

  std::mutex mutex;
  Status first_failure;
  parallel_for(count, available_cores(), [&](std::int64_t i) {
    if (interrupted()) return;
    const Status done = [&]() -> Status {
      const artifacts::LabeledPhoto scene = make_scene(options, static_cast<std::uint64_t>(i));
      TERRAPIN_TRY(const Bytes jpeg, imaging::encode_jpeg(scene.photo, 92));
      TERRAPIN_TRY(const Bytes png, imaging::encode_indexed_png(scene.mask, palette));
      TERRAPIN_TRY_STATUS(write_file_atomically(folder / photo_name(i), jpeg));
      return write_file_atomically(folder / mask_name(i), png);
    }();
    if (done) return;
    const std::lock_guard lock(mutex);
    if (first_failure) first_failure = done;
  });
  TERRAPIN_TRY_STATUS(first_failure);
  if (interrupted())
    return fail(ErrorCode::kCancelled, "interrupted while writing scenes to {}", folder.string());

  std::string manifest;
  for (std::int64_t i = 0; i < count; ++i) {
    manifest += artifacts::format_manifest_line("s3://scenes/" + photo_name(i), job_name + "-ref",
                                                "s3://scenes/" + mask_name(i), classes, 0.0, true,
                                                scene_time(i), job_name);
    if (manifest.empty() || manifest.back() != '\n') manifest += '\n';
  }
  // Last, so that a manifest that exists speaks of files that exist.
  return write_file_atomically(folder / job_name / "manifests/output/output.manifest", manifest);
}

}  // namespace terrapin::dataset
