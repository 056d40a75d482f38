#include "networks/prompt_input.h"

#include <algorithm>
#include <cmath>

namespace terrapin::networks {
namespace {

double to_crop(double photo, std::int64_t scaled, std::int64_t whole, std::int64_t first) {
  return (photo + 0.5) * static_cast<double>(scaled) / static_cast<double>(whole) - 0.5 -
         static_cast<double>(first);
}

double to_photo(double crop, std::int64_t scaled, std::int64_t whole, std::int64_t first) {
  return (crop + 0.5 + static_cast<double>(first)) * static_cast<double>(whole) /
             static_cast<double>(scaled) -
         0.5;
}

struct Axis {
  std::int64_t scaled = 1, first = 0;
};
Axis axis_of(std::int64_t whole, std::int64_t begin, std::int64_t length, double extent, std::int64_t side) {
  Axis axis;
  axis.scaled = std::max<std::int64_t>(
      1, std::llround(static_cast<double>(whole) * static_cast<double>(side) / extent));
  const double centre = static_cast<double>(begin) + static_cast<double>(length) / 2;
  axis.first = std::llround(centre * static_cast<double>(axis.scaled) / static_cast<double>(whole) -
                            static_cast<double>(side) / 2);
  return axis;
}

}  // namespace

CropPoint CropFrame::to_crop(imaging::Pixel pixel) const {
  return {to_crop_x(static_cast<double>(pixel.x)), to_crop_y(static_cast<double>(pixel.y))};
}

double CropFrame::to_crop_x(double photo_x) const {
  return networks::to_crop(photo_x, scaled.width, photo.width, region.x);
}

double CropFrame::to_crop_y(double photo_y) const {
  return networks::to_crop(photo_y, scaled.height, photo.height, region.y);
}

double CropFrame::to_photo_x(double crop_x) const {
  return to_photo(crop_x, scaled.width, photo.width, region.x);
}

double CropFrame::to_photo_y(double crop_y) const {
  return to_photo(crop_y, scaled.height, photo.height, region.y);
}

imaging::Box CropFrame::covered() const {
  const auto low = [](double edge, std::int64_t length) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(edge + 0.5)), 0, length - 1);
  };
  const auto high = [](double edge, std::int64_t begin, std::int64_t length) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(edge + 0.5)), begin + 1, length);
  };
  const double last = static_cast<double>(side()) - 0.5;
  const std::int64_t left = low(to_photo_x(-0.5), photo.width), top = low(to_photo_y(-0.5), photo.height);
  return {left, top, high(to_photo_x(last), left, photo.width) - left,
          high(to_photo_y(last), top, photo.height) - top};
}

CropFrame make_frame(imaging::Size photo, imaging::Box box, const FrameOptions& options) {
  const double width = static_cast<double>(box.width), height = static_cast<double>(box.height);
  const double around = 1 + 2 * options.margin;
  const double across = std::max({width, height / options.max_stretch, options.min_extent}) * around;
  const double down = std::max({height, width / options.max_stretch, options.min_extent}) * around;
  const Axis x = axis_of(photo.width, box.x, box.width, across, options.side);
  const Axis y = axis_of(photo.height, box.y, box.height, down, options.side);
  return {photo, {x.scaled, y.scaled}, {x.first, y.first, options.side, options.side}};
}

imaging::Box box_around(const std::vector<imaging::Pixel>& pixels) {
  std::int64_t left = pixels.front().x, right = left, top = pixels.front().y, bottom = top;
  for (const imaging::Pixel& pixel : pixels) {
    left = std::min(left, pixel.x), right = std::max(right, pixel.x);
    top = std::min(top, pixel.y), bottom = std::max(bottom, pixel.y);
  }
  return {left, top, right - left + 1, bottom - top + 1};
}

void fill_plane(const PlaneView& plane, float value) {
  for (std::int64_t i = 0; i < plane.side * plane.side; ++i) plane.values[i * plane.step] = value;
}

void draw_points(const std::vector<CropPoint>& points, double radius, const PlaneView& plane) {
  const double reach = 4 * radius, sharpness = 1 / (2 * radius * radius);
  const auto side = static_cast<double>(plane.side);
  for (const CropPoint& point : points) {
    if (point.x < -reach || point.y < -reach || point.x > side + reach || point.y > side + reach) continue;
    const auto first = [&](double at) {
      return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::ceil(at - reach)));
    };
    const auto last = [&](double at) {
      return std::min<std::int64_t>(plane.side - 1, static_cast<std::int64_t>(std::floor(at + reach)));
    };
    for (std::int64_t y = first(point.y); y <= last(point.y); ++y) {
      for (std::int64_t x = first(point.x); x <= last(point.x); ++x) {
        const double dx = static_cast<double>(x) - point.x, dy = static_cast<double>(y) - point.y;
        float& value = plane.at(x, y);
        value = std::max(value, static_cast<float>(std::exp(-(dx * dx + dy * dy) * sharpness)));
      }
    }
  }
}

void write_colors(const imaging::Image& crop, const PlaneView& first, std::int64_t apart) {
  float table[256];
  for (int v = 0; v < 256; ++v) table[v] = static_cast<float>((v / 255.0 - 0.5) / 0.5);
  const std::uint8_t* in = crop.bytes().data();
  for (std::int64_t i = 0; i < first.side * first.side; ++i, in += 3) {
    float* out = first.values + i * first.step;
    out[0] = table[in[0]], out[apart] = table[in[1]], out[2 * apart] = table[in[2]];
  }
}

void write_previous(const CropFrame& frame, const imaging::Mask& mask, const imaging::Box& box,
                    const PlaneView& plane) {
  constexpr int kSamples = 3;
  const auto places = [&](std::int64_t begin, std::int64_t length, const auto& to_photo_axis) {
    std::vector<std::int64_t> result(static_cast<std::size_t>(plane.side * kSamples));
    for (std::size_t i = 0; i < result.size(); ++i) {
      const double at = (static_cast<double>(i) + 0.5) / kSamples - 0.5;
      const auto pixel = static_cast<std::int64_t>(std::floor(to_photo_axis(at) + 0.5)) - begin;
      result[i] = pixel >= 0 && pixel < length ? pixel : -1;
    }
    return result;
  };
  const auto columns = places(box.x, box.width, [&](double at) { return frame.to_photo_x(at); });
  const auto rows = places(box.y, box.height, [&](double at) { return frame.to_photo_y(at); });
  for (std::int64_t y = 0; y < plane.side; ++y) {
    for (std::int64_t x = 0; x < plane.side; ++x) {
      int hits = 0;
      for (int j = 0; j < kSamples; ++j) {
        const std::int64_t row = rows[static_cast<std::size_t>(y * kSamples + j)];
        if (row < 0) continue;
        for (int i = 0; i < kSamples; ++i) {
          const std::int64_t column = columns[static_cast<std::size_t>(x * kSamples + i)];
          hits += column >= 0 && mask.at(column, row) == 1 ? 1 : 0;
        }
      }
      plane.at(x, y) = static_cast<float>(hits) / (kSamples * kSamples);
    }
  }
}

void write_input(const imaging::Image& crop, const CropFrame& frame, const CropPrompt& prompt,
                 double point_radius, const InputPlanes& planes) {
  write_colors(crop, planes.at(PromptChannel::kRed), planes.apart);
  const auto draw = [&](PromptChannel channel, const std::vector<CropPoint>& points) {
    fill_plane(planes.at(channel), 0);
    draw_points(points, point_radius, planes.at(channel));
  };
  draw(PromptChannel::kExtreme, prompt.extremes);
  draw(PromptChannel::kPositive, prompt.positive);
  draw(PromptChannel::kNegative, prompt.negative);
  if (prompt.previous != nullptr) {
    write_previous(frame, *prompt.previous, prompt.previous_box, planes.at(PromptChannel::kPrevious));
  } else {
    fill_plane(planes.at(PromptChannel::kPrevious), 0);
  }
}

}  // namespace terrapin::networks
