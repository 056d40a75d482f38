#include "assist/open_photo.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace terrapin::assist {
namespace {

using imaging::Image;

constexpr std::int64_t kSmallestLevel = 256;
constexpr std::int64_t kRowsAtOnce = 64;

bool has_smaller_level(imaging::Size size) {
  return std::max(size.width, size.height) > 2 * kSmallestLevel;
}

imaging::Size half_of(imaging::Size size) {
  return {(size.width + 1) / 2, (size.height + 1) / 2};
}

// Mean of 2 x 2; at an odd edge of what is there.
Image halved(const Image& from, int threads) {
  Image to(half_of(from.size()));
  const std::int64_t chunks = (to.height() + kRowsAtOnce - 1) / kRowsAtOnce;
  parallel_for(chunks, threads, [&](std::int64_t chunk) {
    const std::int64_t end = std::min(to.height(), (chunk + 1) * kRowsAtOnce);
    for (std::int64_t y = chunk * kRowsAtOnce; y < end; ++y) {
      const std::uint8_t* a = from.row(2 * y);
      const std::uint8_t* b = from.row(std::min(2 * y + 1, from.height() - 1));
      std::uint8_t* out = to.row(y);
      const std::int64_t whole = from.width() / 2;
      for (std::int64_t x = 0; x < whole; ++x) {
        for (int c = 0; c < 3; ++c) {
          const std::int64_t i = 6 * x + c;
          out[3 * x + c] = static_cast<std::uint8_t>((a[i] + a[i + 3] + b[i] + b[i + 3] + 2) / 4);
        }
      }
      for (std::int64_t x = whole; x < to.width(); ++x) {
        for (int c = 0; c < 3; ++c)
          out[3 * x + c] = static_cast<std::uint8_t>((a[6 * x + c] + b[6 * x + c] + 1) / 2);
      }
    }
  });
  return to;
}

// Source samples of one output and their weights (sum 1); count 0: outside.
struct Taps {
  std::vector<std::int64_t> first;
  std::vector<std::int32_t> count;
  std::vector<float> weights;  // `most` of each output
  std::int32_t most = 0;
};

// `scale`: photo pixels in a pixel of the level, `length`: the level's, `whole`: the photo's.
Taps taps_for(const SampleAxis& axis, double scale, std::int64_t length, std::int64_t whole) {
  const double reach = std::max(1.0, axis.step / scale);
  Taps taps;
  taps.most = static_cast<std::int32_t>(2 * std::ceil(reach) + 3);
  taps.weights.assign(static_cast<std::size_t>(axis.count) * static_cast<std::size_t>(taps.most), 0.0F);
  for (std::int64_t i = 0; i < axis.count; ++i) {
    const double at = axis.first + static_cast<double>(i) * axis.step;
    if (at < -0.5 || at > static_cast<double>(whole) - 0.5) {
      taps.first.push_back(0), taps.count.push_back(0);
      continue;
    }
    const double centre = (at + 0.5) / scale;
    const auto low =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(centre - reach)), 0, length - 1);
    const auto high =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(centre + reach)), low + 1, length);
    std::int64_t first = -1;
    std::int32_t count = 0;
    double sum = 0;
    float* weights = taps.weights.data() + i * taps.most;
    for (std::int64_t s = low; s < high && count < taps.most; ++s) {
      const double weight = 1 - std::abs(static_cast<double>(s) + 0.5 - centre) / reach;
      if (weight <= 0) continue;
      if (first < 0) first = s;
      weights[count++] = static_cast<float>(weight);
      sum += weight;
    }
    if (count == 0) {  // exactly at an edge
      first = std::clamp<std::int64_t>(static_cast<std::int64_t>(centre), 0, length - 1);
      weights[count++] = 1, sum = 1;
    }
    for (std::int32_t k = 0; k < count; ++k) weights[k] = static_cast<float>(weights[k] / sum);
    taps.first.push_back(first), taps.count.push_back(count);
  }
  return taps;
}

}  // namespace

Result<OpenPhoto> OpenPhoto::open(Image photo, int threads) {
  if (photo.size().area() < 1) return fail(ErrorCode::kInvalidArgument, "the photo has no pixels");
  OpenPhoto opened;
  opened.levels_.push_back(std::move(photo));
  while (has_smaller_level(opened.levels_.back().size())) {
    opened.levels_.push_back(halved(opened.levels_.back(), threads));
  }
  return opened;
}

std::int64_t OpenPhoto::bytes_for(imaging::Size size) {
  std::int64_t bytes = 3 * size.area();
  for (; has_smaller_level(size); bytes += 3 * size.area()) size = half_of(size);
  return bytes;
}

std::int64_t OpenPhoto::memory_bytes() const {
  std::int64_t bytes = 0;
  for (const Image& level : levels_) bytes += static_cast<std::int64_t>(level.bytes().size());
  return bytes;
}

Image OpenPhoto::sample(const SampleAxis& columns, const SampleAxis& rows, imaging::Rgb outside,
                        int threads) const {
  // The finer of the two axes decides; two to four samples of the level stay for each output.
  const double step = std::min(columns.step, rows.step);
  std::size_t level = 0;
  double scale = 1;
  while (level + 1 < levels_.size() && step / (2 * scale) >= 2) ++level, scale *= 2;
  const Image& source = levels_[level];
  const Taps across = taps_for(columns, scale, source.width(), size().width);
  const Taps down = taps_for(rows, scale, source.height(), size().height);
  std::int64_t begin = source.width(), end = 0;
  for (std::size_t i = 0; i < across.first.size(); ++i) {
    if (across.count[i] == 0) continue;
    begin = std::min(begin, across.first[i]), end = std::max(end, across.first[i] + across.count[i]);
  }
  Image result({columns.count, rows.count}, outside);
  if (begin >= end) return result;

  const std::int64_t chunks = (rows.count + kRowsAtOnce - 1) / kRowsAtOnce;
  parallel_for(chunks, threads, [&](std::int64_t chunk) {
    std::vector<float> blended(static_cast<std::size_t>(end - begin) * 3);
    const std::int64_t last = std::min(rows.count, (chunk + 1) * kRowsAtOnce);
    for (std::int64_t y = chunk * kRowsAtOnce; y < last; ++y) {
      const auto row = static_cast<std::size_t>(y);
      if (down.count[row] == 0) continue;
      std::fill(blended.begin(), blended.end(), 0.0F);
      for (std::int32_t k = 0; k < down.count[row]; ++k) {
        const float weight =
            down.weights[row * static_cast<std::size_t>(down.most) + static_cast<std::size_t>(k)];
        const std::uint8_t* from = source.row(down.first[row] + k) + begin * 3;
        for (std::size_t i = 0; i < blended.size(); ++i) blended[i] += weight * from[i];
      }
      std::uint8_t* out = result.row(y);
      for (std::int64_t x = 0; x < columns.count; ++x) {
        const auto column = static_cast<std::size_t>(x);
        if (across.count[column] == 0) continue;
        const float* weights = across.weights.data() + x * across.most;
        const float* from = blended.data() + (across.first[column] - begin) * 3;
        float sum[3] = {0.5F, 0.5F, 0.5F};
        for (std::int32_t k = 0; k < across.count[column]; ++k, from += 3) {
          for (int c = 0; c < 3; ++c) sum[c] += weights[k] * from[c];
        }
        for (int c = 0; c < 3; ++c) out[3 * x + c] = static_cast<std::uint8_t>(std::min(sum[c], 255.0F));
      }
    }
  });
  return result;
}

Image OpenPhoto::crop(const networks::CropFrame& frame, int threads) const {
  const double step_x = static_cast<double>(frame.photo.width) / static_cast<double>(frame.scaled.width);
  const double step_y = static_cast<double>(frame.photo.height) / static_cast<double>(frame.scaled.height);
  return sample({frame.to_photo_x(0), step_x, frame.side()}, {frame.to_photo_y(0), step_y, frame.side()},
                {128, 128, 128}, threads);
}

}  // namespace terrapin::assist
