#include "training/assist/samples.h"

#include <algorithm>
#include <cmath>

#include "base/digest.h"
#include "imaging/blur.h"
#include "imaging/codecs.h"
#include "imaging/regions.h"
#include "imaging/resize.h"
#include "metrics/simulated_annotator.h"

namespace terrapin::training {
namespace {

using imaging::Image;
using imaging::Mask;

constexpr std::uint8_t kObject = 1;
constexpr imaging::Rgb kGrey{128, 128, 128};

// The index drawn with probability proportional to its weight.
template <class Weights>
std::size_t draw_index(const Weights& weights, Random& random) {
  double total = 0;
  for (const double weight : weights) total += weight;
  double left = random.uniform() * total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.size() - 1;
}

class FolderSource final : public ObjectSource {
 public:
  FolderSource(artifacts::ObjectSet set, double max_weight) : set_(std::move(set)), max_weight_(max_weight) {
    std::string text;
    for (const artifacts::MarkedPhoto& photo : set_.photos) {
      for (const auto& object : photo.objects) text += fmt::format("{} {}\n", object.name, object.area);
    }
    digest_ = sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }

  std::string name() const override { return set_.name; }
  std::int64_t object_count() const override { return set_.object_count(); }
  double weight() const override {
    return std::min(max_weight_, std::sqrt(static_cast<double>(object_count())));
  }
  std::string digest() const override { return digest_; }

  Result<ClickedPhoto> draw(Random& random) const override {
    const auto& chosen =
        set_.photos[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(set_.photos.size())))];
    std::vector<double> weights;
    for (const auto& object : chosen.objects) weights.push_back(std::sqrt(static_cast<double>(object.area)));
    const artifacts::MarkedObject& object = chosen.objects[draw_index(weights, random)];
    ClickedPhoto result;
    TERRAPIN_TRY(result.photo, imaging::read_photo(chosen.photo));
    TERRAPIN_TRY(result.truth, artifacts::read_object(object));
    if (result.photo.size() != result.truth.size()) {
      return fail(ErrorCode::kInvalidArgument, "{} is {} x {}, its mask {} is {} x {}", chosen.photo.string(),
                  result.photo.width(), result.photo.height(), object.mask.string(), result.truth.width(),
                  result.truth.height());
    }
    return result;
  }

 private:
  const artifacts::ObjectSet set_;
  const double max_weight_;
  std::string digest_;  // constant after construction
};

struct Cut {
  Image crop;
  Mask truth;
};

Cut cut(const ClickedPhoto& object, const networks::CropFrame& frame) {
  return {imaging::resize_region(object.photo, frame.scaled, frame.region, kGrey),
          imaging::resize_nearest_region(object.truth, frame.scaled, frame.region, Mask::kIgnore)};
}

void mirror(AssistSample& sample) {
  const std::int64_t side = sample.crop.width();
  for (std::int64_t y = 0; y < side; ++y) {
    std::reverse(sample.truth.row(y), sample.truth.row(y) + side);
    for (std::int64_t x = 0; x < side / 2; ++x) {
      const imaging::Rgb left = sample.crop.at(x, y);
      sample.crop.set(x, y, sample.crop.at(side - 1 - x, y));
      sample.crop.set(side - 1 - x, y, left);
    }
  }
  for (networks::CropPoint& point : sample.extremes) point.x = static_cast<double>(side - 1) - point.x;
}

// Puts `front`, where `shape` is the object, over `ground` with its first pixel at (left, top), clipped; soft
// over a pixel at its outline.
void lay_over(Image& ground, const Image& front, const Mask& shape, std::int64_t left, std::int64_t top) {
  const imaging::Size size = shape.size();
  const std::int64_t x_end = std::min(size.width, ground.width() - left);
  const std::int64_t y_end = std::min(size.height, ground.height() - top);
  for (std::int64_t y = std::max<std::int64_t>(0, -top); y < y_end; ++y) {
    for (std::int64_t x = std::max<std::int64_t>(0, -left); x < x_end; ++x) {
      int hits = 0, seen = 0;
      for (std::int64_t j = std::max<std::int64_t>(0, y - 1); j <= std::min(size.height - 1, y + 1); ++j) {
        for (std::int64_t i = std::max<std::int64_t>(0, x - 1); i <= std::min(size.width - 1, x + 1); ++i) {
          ++seen;
          hits += shape.at(i, j) == kObject ? 1 : 0;
        }
      }
      if (hits == 0) continue;
      const imaging::Rgb in = front.at(x, y), out = ground.at(left + x, top + y);
      const auto mix = [&](int a, int b) {
        return static_cast<std::uint8_t>((a * hits + b * (seen - hits)) / seen);
      };
      ground.set(left + x, top + y, {mix(in.red, out.red), mix(in.green, out.green), mix(in.blue, out.blue)});
    }
  }
}

// Only the largest part of what is left of the object is asked for: four clicks mean one part.
void keep_largest_part(Mask& truth) {
  const imaging::LabeledRuns parts = imaging::connected_regions(truth);
  std::int64_t largest = -1;
  for (std::size_t i = 0; i < parts.regions.size(); ++i) {
    if (parts.regions[i].label != kObject) continue;
    if (largest < 0 || parts.regions[i].area > parts.regions[static_cast<std::size_t>(largest)].area) {
      largest = static_cast<std::int64_t>(i);
    }
  }
  for (const imaging::Run& run : parts.runs) {
    if (run.region == largest || parts.regions[static_cast<std::size_t>(run.region)].label != kObject)
      continue;
    std::fill(truth.row(run.y) + run.begin, truth.row(run.y) + run.end, std::uint8_t{0});
  }
}

// Another object comes to stand before this one, over any of its pixels and a fifth of its length to all of
// it in size. What it hides is not object. An object of which less than a quarter would be left stays as it
// is.
void hide_behind(ClickedPhoto& object, const ClickedPhoto& other, Random& random) {
  const imaging::Box box = imaging::box_of(object.truth, kObject);
  const imaging::Box front = imaging::box_of(other.truth, kObject);
  if (box.width < 8 || box.height < 8 || front.width < 4 || front.height < 4) return;
  const double scale = random.uniform(0.2, 1) * static_cast<double>(std::max(box.width, box.height)) /
                       static_cast<double>(std::max(front.width, front.height));
  const auto scaled = [&](std::int64_t length) {
    return std::max<std::int64_t>(1, std::llround(scale * static_cast<double>(length)));
  };
  const imaging::Size whole{scaled(other.photo.width()), scaled(other.photo.height())};
  const imaging::Box part{scaled(front.x), scaled(front.y), scaled(front.width), scaled(front.height)};
  const Image picture = imaging::resize_region(other.photo, whole, part, kGrey);
  const Mask shape = imaging::resize_nearest_region(other.truth, whole, part, 0);

  constexpr int kTries = 30;
  imaging::Pixel centre;
  for (int i = 0; i < kTries; ++i) {
    centre = {box.x + random.below(box.width), box.y + random.below(box.height)};
    if (object.truth.at(centre.x, centre.y) == kObject) break;
  }
  const std::int64_t left = centre.x - part.width / 2, top = centre.y - part.height / 2;
  Mask truth = object.truth;
  for (std::int64_t y = std::max<std::int64_t>(0, -top); y < part.height && top + y < truth.height(); ++y) {
    for (std::int64_t x = std::max<std::int64_t>(0, -left); x < part.width && left + x < truth.width(); ++x) {
      if (shape.at(x, y) == kObject) truth.set(left + x, top + y, 0);
    }
  }
  keep_largest_part(truth);
  const auto area = [](const Mask& mask) {
    return std::count(mask.bytes().begin(), mask.bytes().end(), kObject);
  };
  if (area(truth) * 4 < area(object.truth)) return;
  lay_over(object.photo, picture, shape, left, top);
  object.truth = std::move(truth);
}

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
}

void recolor(Image& image, bool grey, Random& random) {
  const double brightness = random.uniform(0.7, 1.3), contrast = random.uniform(0.7, 1.3);
  const double saturation = grey ? 0 : random.uniform(0.6, 1.4);
  double gain[3];
  for (double& channel : gain) channel = brightness * random.uniform(0.92, 1.08) * contrast;
  const double lift = 128 * (1 - contrast);
  std::uint8_t* p = image.bytes().data();
  for (std::int64_t i = 0; i < image.size().area(); ++i, p += 3) {
    const double red = p[0] * gain[0] + lift, green = p[1] * gain[1] + lift, blue = p[2] * gain[2] + lift;
    const double luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    p[0] = to_byte(luma + saturation * (red - luma));
    p[1] = to_byte(luma + saturation * (green - luma));
    p[2] = to_byte(luma + saturation * (blue - luma));
  }
}

// Nearly normal: the sum of four bytes has deviation 147.8.
void add_noise(Image& image, double deviation, Random& random) {
  const double scale = deviation / 147.8;
  for (std::uint8_t& value : image.bytes()) {
    const std::uint32_t bits = random.next_u32();
    const int sum =
        static_cast<int>((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24)) - 510;
    value = to_byte(value + scale * sum);
  }
}

Status change_pixels(Image& image, const AssistAugment& augment, Random& random) {
  const auto happens = [&](double probability) { return random.uniform() < probability; };
  if (happens(augment.coarse_probability)) {
    const std::int64_t side = image.width();
    const auto smaller = static_cast<std::int64_t>(static_cast<double>(side) * random.uniform(0.3, 0.8));
    image = imaging::resize(imaging::resize(image, {smaller, smaller}), {side, side});
  }
  if (happens(augment.blur_probability)) {
    for (std::int64_t rounds = 1 + random.below(3); rounds > 0; --rounds) imaging::blur(image);
  }
  if (happens(augment.color_probability)) recolor(image, happens(augment.grey_probability), random);
  if (happens(augment.noise_probability)) add_noise(image, random.uniform(1, 10), random);
  if (happens(augment.jpeg_probability)) {
    const int quality = 25 + static_cast<int>(random.below(60));
    TERRAPIN_TRY(const Bytes bytes, imaging::encode_jpeg(image, quality));
    TERRAPIN_TRY(image, imaging::decode_photo(bytes));
  }
  return {};
}

}  // namespace

std::shared_ptr<const ObjectSource> folder_source(artifacts::ObjectSet set, double max_weight) {
  return std::make_shared<FolderSource>(std::move(set), max_weight);
}

Result<AssistSample> make_assist_sample(const std::vector<std::shared_ptr<const ObjectSource>>& sources,
                                        const AssistAugment& augment,
                                        const networks::FrameOptions& frame_options, Random& random) {
  std::vector<double> weights;
  for (const auto& source : sources) weights.push_back(source->weight());
  const auto draw = [&] { return sources[draw_index(weights, random)]->draw(random); };

  constexpr std::int64_t kLeastArea = 64;
  constexpr int kTries = 20;
  ClickedPhoto object;
  std::int64_t area = 0;
  for (int i = 0; i < kTries && area < kLeastArea; ++i) {
    TERRAPIN_TRY(object, draw());
    area = std::count(object.truth.bytes().begin(), object.truth.bytes().end(), kObject);
  }
  if (area == 0)
    return fail(ErrorCode::kInvalidArgument, "{} objects in a row had no pixel to learn from", kTries);

  if (augment.enabled && random.uniform() < augment.hide_probability) {
    TERRAPIN_TRY(const ClickedPhoto other, draw());
    hide_behind(object, other, random);
  }
  const imaging::Box tight = imaging::box_of(object.truth, kObject);
  metrics::ClickHabit habit{1, augment.fixed_jitter_px};
  networks::FrameOptions frame_choice = frame_options;
  if (augment.enabled) {
    const double most =
        std::min(augment.max_jitter_px, static_cast<double>(std::min(tight.width, tight.height)) / 7);
    habit.jitter_px = most * std::pow(random.uniform(), 1.5);
    habit.slack_px = most * random.uniform() / 2;
    frame_choice.margin = random.uniform(augment.margin_low, augment.margin_high);
    frame_choice.max_stretch = random.uniform(augment.stretch_low, augment.stretch_high);
  }
  const auto clicks = metrics::clicked_extremes(object.truth, habit, random);
  const imaging::Box box = networks::box_around({clicks->begin(), clicks->end()});
  const networks::CropFrame frame = networks::make_frame(object.photo.size(), box, frame_choice);
  Cut made = cut(object, frame);
  AssistSample sample{std::move(made.crop), std::move(made.truth), {}};
  for (const imaging::Pixel& click : *clicks) sample.extremes.push_back(frame.to_crop(click));
  if (!augment.enabled) return sample;

  if (random.uniform() < augment.paste_probability) {
    TERRAPIN_TRY(const ClickedPhoto other, draw());
    // Any part of the other photo, between a third of it and all.
    const imaging::Size size = other.photo.size();
    const double share = random.uniform(0.33, 1);
    const auto length = [&](std::int64_t whole) {
      return std::max<std::int64_t>(1, static_cast<std::int64_t>(share * static_cast<double>(whole)));
    };
    imaging::Box part{0, 0, length(size.width), length(size.height)};
    part.x = random.below(size.width - part.width + 1), part.y = random.below(size.height - part.height + 1);
    const networks::CropFrame ground =
        networks::make_frame(size, part, {frame_options.side, 0, 16, frame_options.min_extent});
    Image put = cut(other, ground).crop;
    lay_over(put, sample.crop, sample.truth, 0, 0);
    sample.crop = std::move(put);
    for (std::uint8_t& value : sample.truth.bytes()) value = value == kObject ? kObject : 0;
  }
  if (random.uniform() < 0.5) mirror(sample);
  TERRAPIN_TRY_STATUS(change_pixels(sample.crop, augment, random));
  return sample;
}

}  // namespace terrapin::training
