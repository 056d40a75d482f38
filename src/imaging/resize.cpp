#include "imaging/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace terrapin::imaging {
namespace {

// Four floats at once: red, green, blue and whatever follows. A GCC and Clang extension, SSE2 or NEON below.
using Float4 = float __attribute__((vector_size(16)));

Float4 load4(const float* from) {
  Float4 value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Which source samples make up each wanted target sample of one axis, and with what weights (sum 1).
struct Taps {
  std::vector<std::int64_t> first;
  std::vector<std::int32_t> count;
  std::vector<std::size_t> offset;  // into weights
  std::vector<float> weights;
  std::int64_t lowest = 0, end = 0;  // source samples used by any: [lowest, end)
};

// `wanted(i)` is the target index of output i. A weight depends on the target index and the two sizes alone:
// that is what makes a region equal to the crop of the whole.
template <class Wanted>
Taps taps_for(std::int64_t source, std::int64_t target, std::int64_t count, Wanted wanted) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double reach = std::max(1.0, scale);  // half the triangle's base, in source samples
  Taps taps;
  taps.lowest = source;
  const auto n = static_cast<std::size_t>(count);
  taps.first.reserve(n), taps.count.reserve(n), taps.offset.reserve(n);
  taps.weights.reserve(n * static_cast<std::size_t>(2 * reach + 2));
  std::vector<double> raw;
  for (std::int64_t i = 0; i < count; ++i) {
    const double center = (static_cast<double>(wanted(i)) + 0.5) * scale;
    std::int64_t low = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(center - reach)));
    const std::int64_t high =
        std::min<std::int64_t>(source, static_cast<std::int64_t>(std::ceil(center + reach)) + 1);
    raw.clear();
    double sum = 0;
    for (std::int64_t s = low; s < high; ++s) {
      const double weight = 1.0 - std::abs(static_cast<double>(s) + 0.5 - center) / reach;
      if (weight <= 0) {
        if (raw.empty()) {
          low = s + 1;
          continue;
        }
        break;
      }
      raw.push_back(weight);
      sum += weight;
    }
    taps.first.push_back(low);
    taps.count.push_back(static_cast<std::int32_t>(raw.size()));
    taps.offset.push_back(taps.weights.size());
    for (const double weight : raw) taps.weights.push_back(static_cast<float>(weight / sum));
    taps.lowest = std::min(taps.lowest, low);
    taps.end = std::max(taps.end, low + static_cast<std::int64_t>(raw.size()));
  }
  return taps;
}

// out[i] = sum over taps of weights[t] * rows[t][i]. The four-tap steps keep `out` in registers longer.
void blend_rows(const std::uint8_t* first, std::size_t stride, const float* weights, int taps, std::size_t n,
                float* __restrict out) {
  const std::uint8_t* a = first;
  int done = 0;
  if (taps >= 3) {
    const std::uint8_t *b = a + stride, *c = b + stride;
    const float w0 = weights[0], w1 = weights[1], w2 = weights[2];
    for (std::size_t i = 0; i < n; ++i) out[i] = w0 * a[i] + w1 * b[i] + w2 * c[i];
    done = 3;
  } else if (taps == 2) {
    const std::uint8_t* b = a + stride;
    const float w0 = weights[0], w1 = weights[1];
    for (std::size_t i = 0; i < n; ++i) out[i] = w0 * a[i] + w1 * b[i];
    done = 2;
  } else {
    const float w0 = weights[0];
    for (std::size_t i = 0; i < n; ++i) out[i] = w0 * a[i];
    done = 1;
  }
  for (; done + 1 < taps; done += 2) {
    a = first + static_cast<std::size_t>(done) * stride;
    const std::uint8_t* b = a + stride;
    const float w0 = weights[done], w1 = weights[done + 1];
    for (std::size_t i = 0; i < n; ++i) out[i] += w0 * a[i] + w1 * b[i];
  }
  if (done < taps) {
    a = first + static_cast<std::size_t>(done) * stride;
    const float w0 = weights[done];
    for (std::size_t i = 0; i < n; ++i) out[i] += w0 * a[i];
  }
}

// `row` holds source columns from taps.lowest on, three floats each, and one float of slack behind the last.
void blend_columns(const float* row, const Taps& taps, std::uint8_t* out) {
  const std::size_t n = taps.first.size();
  for (std::size_t x = 0; x < n; ++x) {
    const float* from = row + (taps.first[x] - taps.lowest) * 3;
    const float* weights = taps.weights.data() + taps.offset[x];
    Float4 sum = {0.5F, 0.5F, 0.5F, 0.5F};
    for (std::int32_t t = 0; t < taps.count[x]; ++t) sum += load4(from + 3 * t) * weights[t];
    // Weights are positive and sum to 1: the sum lies in [0.5, 255.5 + rounding), no clamp needed.
    out[3 * x] = static_cast<std::uint8_t>(static_cast<int>(sum[0]));
    out[3 * x + 1] = static_cast<std::uint8_t>(static_cast<int>(sum[1]));
    out[3 * x + 2] = static_cast<std::uint8_t>(static_cast<int>(sum[2]));
  }
}

// The part of the region that lies in the target, in region coordinates: [x0, x1) x [y0, y1).
struct Inner {
  std::int64_t x0, x1, y0, y1;
  bool empty() const { return x0 >= x1 || y0 >= y1; }
};

Inner inner_of(Size target, const Box& region) {
  return {std::clamp<std::int64_t>(-region.x, 0, region.width),
          std::clamp<std::int64_t>(target.width - region.x, 0, region.width),
          std::clamp<std::int64_t>(-region.y, 0, region.height),
          std::clamp<std::int64_t>(target.height - region.y, 0, region.height)};
}

void check(Size source, Size target, const Box& region) {
  if (source.area() < 1) throw std::invalid_argument("resize: the source raster is empty");
  if (target.width < 1 || target.height < 1) {
    throw std::invalid_argument("resize: the target's sides must be at least 1");
  }
  if (region.width < 0 || region.height < 0) {
    throw std::invalid_argument("resize: the region's sides must not be negative");
  }
}

// Same size: no arithmetic. Gives what the filter gives, whose weights are then exactly 1.
void copy_region(const Image& source, const Box& region, const Inner& inner, bool mirror, Image& out) {
  const auto columns = static_cast<std::size_t>(inner.x1 - inner.x0);
  for (std::int64_t y = inner.y0; y < inner.y1; ++y) {
    const std::uint8_t* from = source.row(region.y + y);
    std::uint8_t* to = out.row(y) + inner.x0 * 3;
    if (!mirror) {
      std::memcpy(to, from + (region.x + inner.x0) * 3, columns * 3);
      continue;
    }
    const std::uint8_t* pixel = from + (source.width() - 1 - (region.x + inner.x0)) * 3;
    for (std::size_t x = 0; x < columns; ++x, pixel -= 3, to += 3) {
      to[0] = pixel[0], to[1] = pixel[1], to[2] = pixel[2];
    }
  }
}

}  // namespace

Image resize_region(const Image& source, Size target, Box region, Rgb outside, bool mirror) {
  check(source.size(), target, region);
  Image out({region.width, region.height}, outside);
  const Inner inner = inner_of(target, region);
  if (inner.empty()) return out;
  if (target == source.size()) {
    copy_region(source, region, inner, mirror, out);
    return out;
  }
  const Taps columns = taps_for(source.width(), target.width, inner.x1 - inner.x0, [&](std::int64_t i) {
    const std::int64_t x = region.x + inner.x0 + i;
    return mirror ? target.width - 1 - x : x;
  });
  const Taps rows = taps_for(source.height(), target.height, inner.y1 - inner.y0,
                             [&](std::int64_t i) { return region.y + inner.y0 + i; });
  const std::size_t samples = static_cast<std::size_t>(columns.end - columns.lowest) * 3;
  const std::size_t stride = static_cast<std::size_t>(source.width()) * 3;
  std::vector<float> blended(samples + 1);
  for (std::size_t i = 0; i < rows.first.size(); ++i) {
    blend_rows(source.row(rows.first[i]) + columns.lowest * 3, stride, rows.weights.data() + rows.offset[i],
               rows.count[i], samples, blended.data());
    blend_columns(blended.data(), columns, out.row(inner.y0 + static_cast<std::int64_t>(i)) + inner.x0 * 3);
  }
  return out;
}

Size reduced_size(Size size, std::int64_t max_width) {
  if (size.width <= max_width) return size;
  return {max_width, std::max<std::int64_t>(1, (size.height * max_width + size.width / 2) / size.width)};
}

Image resize(const Image& source, Size target) {
  return resize_region(source, target, {0, 0, target.width, target.height}, {});
}

Mask resize_nearest_region(const Mask& source, Size target, Box region, std::uint8_t outside, bool mirror) {
  check(source.size(), target, region);
  Mask out({region.width, region.height}, outside);
  const Inner inner = inner_of(target, region);
  if (inner.empty()) return out;
  // floor((i + 0.5) * source / target) = floor((2 i + 1) * source / (2 target))
  const auto nearest = [](std::int64_t i, std::int64_t from, std::int64_t to) {
    return static_cast<std::int64_t>(static_cast<__int128>(2 * i + 1) * from /
                                     (2 * static_cast<__int128>(to)));
  };
  std::vector<std::int64_t> columns;
  columns.reserve(static_cast<std::size_t>(inner.x1 - inner.x0));
  for (std::int64_t i = inner.x0; i < inner.x1; ++i) {
    const std::int64_t x = region.x + i;
    columns.push_back(nearest(mirror ? target.width - 1 - x : x, source.width(), target.width));
  }
  std::int64_t previous = -1;
  for (std::int64_t y = inner.y0; y < inner.y1; ++y) {
    const std::int64_t from_y = nearest(region.y + y, source.height(), target.height);
    std::uint8_t* to = out.row(y) + inner.x0;
    if (from_y == previous) {  // enlarging: rows repeat
      std::memcpy(to, out.row(y - 1) + inner.x0, columns.size());
      continue;
    }
    previous = from_y;
    const std::uint8_t* from = source.row(from_y);
    for (std::size_t x = 0; x < columns.size(); ++x) to[x] = from[columns[x]];
  }
  return out;
}

Mask resize_nearest(const Mask& source, Size target) {
  return resize_nearest_region(source, target, {0, 0, target.width, target.height}, 0);
}

}  // namespace terrapin::imaging
