#include "assist/guided_filter.h"

#include <algorithm>
#include <array>

#include "base/parallel.h"

namespace terrapin::assist {

std::vector<float> box_mean(const std::vector<float>& values, imaging::Size size, std::int64_t radius) {
  const std::int64_t width = size.width, height = size.height;
  std::vector<float> across(values.size()), result(values.size());
  const auto seen = [radius](std::int64_t at, std::int64_t length) {
    return std::min(length - 1, at + radius) - std::max<std::int64_t>(0, at - radius) + 1;
  };
  // Running sums in double: no drift along a row of any length.
  for (std::int64_t y = 0; y < height; ++y) {
    const float* row = values.data() + y * width;
    float* out = across.data() + y * width;
    double sum = 0;
    for (std::int64_t x = 0; x < std::min(radius, width); ++x) sum += row[x];
    for (std::int64_t x = 0; x < width; ++x) {
      if (x + radius < width) sum += row[x + radius];
      if (x - radius - 1 >= 0) sum -= row[x - radius - 1];
      out[x] = static_cast<float>(sum / static_cast<double>(seen(x, width)));
    }
  }
  std::vector<double> sums(static_cast<std::size_t>(width), 0.0);
  const auto add = [&](std::int64_t y, double sign) {
    const float* row = across.data() + y * width;
    for (std::int64_t x = 0; x < width; ++x) sums[static_cast<std::size_t>(x)] += sign * row[x];
  };
  for (std::int64_t y = 0; y < std::min(radius, height); ++y) add(y, 1);
  for (std::int64_t y = 0; y < height; ++y) {
    if (y + radius < height) add(y + radius, 1);
    if (y - radius - 1 >= 0) add(y - radius - 1, -1);
    const double scale = 1 / static_cast<double>(seen(y, height));
    float* out = result.data() + y * width;
    for (std::int64_t x = 0; x < width; ++x)
      out[x] = static_cast<float>(sums[static_cast<std::size_t>(x)] * scale);
  }
  return result;
}

LinearModels guided_models(const imaging::Image& guide, const std::vector<float>& soft, std::int64_t radius,
                           float epsilon, int threads) {
  const imaging::Size size = guide.size();
  const auto count = static_cast<std::size_t>(size.area());
  std::array<std::vector<float>, 3> color;
  for (auto& plane : color) plane.resize(count);
  const std::uint8_t* bytes = guide.bytes().data();
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) color[c][i] = static_cast<float>(bytes[3 * i + c]) * (1.0F / 255);
  }
  // 0..2 colours, 3 soft, 4..6 colour x soft, 7..12 colour x colour.
  constexpr std::size_t kPairs[6][2] = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}};
  std::array<std::vector<float>, 13> means;
  parallel_for(13, threads, [&](std::int64_t task) {
    const auto k = static_cast<std::size_t>(task);
    std::vector<float> product;
    if (k >= 4) {
      const std::vector<float>& a = k < 7 ? color[k - 4] : color[kPairs[k - 7][0]];
      const std::vector<float>& b = k < 7 ? soft : color[kPairs[k - 7][1]];
      product.resize(count);
      for (std::size_t i = 0; i < count; ++i) product[i] = a[i] * b[i];
    }
    means[k] = box_mean(k < 3 ? color[k] : k == 3 ? soft : product, size, radius);
  });

  std::array<std::vector<float>, 4> models;
  for (auto& plane : models) plane.resize(count);
  constexpr std::int64_t kPiece = 1 << 14;
  const auto total = static_cast<std::int64_t>(count);
  parallel_for((total + kPiece - 1) / kPiece, threads, [&](std::int64_t piece) {
    const auto end = static_cast<std::size_t>(std::min(total, (piece + 1) * kPiece));
    for (auto i = static_cast<std::size_t>(piece * kPiece); i < end; ++i) {
      const float r = means[0][i], g = means[1][i], b = means[2][i], p = means[3][i];
      // Covariance of the colours, symmetric, and of colour with mask.
      const float rr = means[7][i] - r * r + epsilon, rg = means[8][i] - r * g, rb = means[9][i] - r * b;
      const float gg = means[10][i] - g * g + epsilon, gb = means[11][i] - g * b;
      const float bb = means[12][i] - b * b + epsilon;
      const float cr = means[4][i] - r * p, cg = means[5][i] - g * p, cb = means[6][i] - b * p;
      const float i00 = gg * bb - gb * gb, i01 = gb * rb - rg * bb, i02 = rg * gb - gg * rb;
      const float i11 = rr * bb - rb * rb, i12 = rb * rg - rr * gb, i22 = rr * gg - rg * rg;
      const float determinant = rr * i00 + rg * i01 + rb * i02;
      // Epsilon keeps it positive; rounding may not.
      const float inverse = determinant > 1e-20F ? 1 / determinant : 0;
      const float ar = (i00 * cr + i01 * cg + i02 * cb) * inverse;
      const float ag = (i01 * cr + i11 * cg + i12 * cb) * inverse;
      const float ab = (i02 * cr + i12 * cg + i22 * cb) * inverse;
      models[0][i] = ar, models[1][i] = ag, models[2][i] = ab;
      models[3][i] = p - ar * r - ag * g - ab * b;
    }
  });
  LinearModels result;
  result.size = size;
  parallel_for(4, threads, [&](std::int64_t task) {
    std::vector<float>& target = task == 0   ? result.red
                                 : task == 1 ? result.green
                                 : task == 2 ? result.blue
                                             : result.offset;
    target = box_mean(models[static_cast<std::size_t>(task)], size, radius);
  });
  return result;
}

}  // namespace terrapin::assist
