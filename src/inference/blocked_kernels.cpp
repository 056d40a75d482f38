#include "inference/blocked_kernels.h"

#include <algorithm>
#include <cmath>

#include "inference/vectorise.h"

namespace terrapin::inference {
namespace {

// out = low + share * (high - low), element by element.
TERRAPIN_VECTOR_CLONES
void mix_rows(const float* low, const float* high, float share, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = low[i] + share * (high[i] - low[i]);
}

TERRAPIN_VECTOR_CLONES
void mix_columns_16(const float* row, const std::int32_t* low, const std::int32_t* high, const float* share,
                    std::int64_t width, float* out) {
  for (std::int64_t x = 0; x < width; ++x) {
    const float* a = row + std::int64_t{low[x]} * 16;
    const float* b = row + std::int64_t{high[x]} * 16;
    const float s = share[x];
    for (int c = 0; c < 16; ++c) out[x * 16 + c] = a[c] + s * (b[c] - a[c]);
  }
}

void mix_columns(const float* row, const LinearTaps& taps, int block, std::int64_t width, float* out) {
  if (block == 16) {
    mix_columns_16(row, taps.low.data(), taps.high.data(), taps.share.data(), width, out);
    return;
  }
  for (std::int64_t x = 0; x < width; ++x) {
    const std::size_t i = static_cast<std::size_t>(x);
    const float* a = row + std::int64_t{taps.low[i]} * block;
    const float* b = row + std::int64_t{taps.high[i]} * block;
    for (int c = 0; c < block; ++c) out[x * block + c] = a[c] + taps.share[i] * (b[c] - a[c]);
  }
}

}  // namespace

LinearTaps half_pixel_taps(std::int64_t source, std::int64_t target) {
  LinearTaps taps;
  const float scale = static_cast<float>(source) / static_cast<float>(target);
  for (std::int64_t i = 0; i < target; ++i) {
    const float at = std::max(0.0F, (static_cast<float>(i) + 0.5F) * scale - 0.5F);
    const std::int64_t low = std::min(static_cast<std::int64_t>(at), source - 1);
    taps.low.push_back(static_cast<std::int32_t>(low));
    taps.high.push_back(static_cast<std::int32_t>(std::min(low + 1, source - 1)));
    taps.share.push_back(std::clamp(at - static_cast<float>(low), 0.0F, 1.0F));
  }
  return taps;
}

LinearTaps stride_taps(std::int64_t source, int stride, std::int64_t target) {
  LinearTaps taps;
  for (std::int64_t i = 0; i < target; ++i) {
    const std::int64_t low = std::min(i / stride, source - 1);
    taps.low.push_back(static_cast<std::int32_t>(low));
    taps.high.push_back(static_cast<std::int32_t>(std::min(low + 1, source - 1)));
    taps.share.push_back(i / stride > low ? 0.0F
                                          : static_cast<float>(i % stride) / static_cast<float>(stride));
  }
  return taps;
}

namespace {

// Plain planes: a source row is enlarged once and mixed into every target row between it and its neighbour.
void interpolate_planes(const BlockedView& source, const LinearTaps& rows, const LinearTaps& columns,
                        const BlockedView& target, [[maybe_unused]] int threads) {
  constexpr std::int64_t kRowsPerTask = 64;
  const std::int64_t planes = source.shape.n * source.shape.c, width = target.shape.w,
                     height = target.shape.h;
  const std::int64_t groups = (height + kRowsPerTask - 1) / kRowsPerTask;
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    std::vector<float> low(static_cast<std::size_t>(width)), high(low.size());
#pragma omp for schedule(static)
    for (std::int64_t task = 0; task < planes * groups; ++task) {
      const std::int64_t plane = task / groups, top = task % groups * kRowsPerTask;
      const float* from = source.data + plane * source.shape.h * source.shape.w;
      std::int32_t held_low = -1, held_high = -1;
      for (std::int64_t y = top; y < std::min(height, top + kRowsPerTask); ++y) {
        const std::size_t i = static_cast<std::size_t>(y);
        if (held_high == rows.low[i] && held_low != rows.low[i]) {
          std::swap(low, high);
          held_low = held_high, held_high = -1;
        }
        if (held_low != rows.low[i]) {
          held_low = rows.low[i];
          mix_columns(from + held_low * source.shape.w, columns, 1, width, low.data());
        }
        if (held_high != rows.high[i]) {
          held_high = rows.high[i];
          mix_columns(from + held_high * source.shape.w, columns, 1, width, high.data());
        }
        mix_rows(low.data(), high.data(), rows.share[i], width, target.data + (plane * height + y) * width);
      }
    }
  }
}

}  // namespace

void interpolate(const BlockedView& source, const LinearTaps& rows, const LinearTaps& columns,
                 const BlockedView& target, int threads) {
  if (source.block == 1) {
    interpolate_planes(source, rows, columns, target, threads);
    return;
  }
  const std::int64_t planes = source.shape.n * source.channel_blocks();
  const std::int64_t source_row = source.shape.w * source.block, target_row = target.shape.w * target.block;
  const std::int64_t height = target.shape.h;
#pragma omp parallel num_threads(threads) if (threads > 1)
  {
    std::vector<float> mixed(static_cast<std::size_t>(source_row));
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < planes * height; ++item) {
      const std::int64_t plane = item / height, y = item % height;
      const float* from = source.data + plane * source.shape.h * source_row;
      const std::size_t i = static_cast<std::size_t>(y);
      mix_rows(from + rows.low[i] * source_row, from + rows.high[i] * source_row, rows.share[i], source_row,
               mixed.data());
      mix_columns(mixed.data(), columns, source.block, target.shape.w, target.data + item * target_row);
    }
  }
}

void adaptive_average(const BlockedView& source, const BlockedView& target, int threads) {
  const std::int64_t planes = source.shape.n * source.channel_blocks();
  const int block = source.block;
  const std::int64_t height = source.shape.h, width = source.shape.w, bins = target.shape.h;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t bin = 0; bin < bins * bins; ++bin) {
      const std::int64_t by = bin / bins, bx = bin % bins;
      const std::int64_t top = by * height / bins, bottom = ((by + 1) * height + bins - 1) / bins;
      const std::int64_t left = bx * width / bins, right = ((bx + 1) * width + bins - 1) / bins;
      // Row sums in float, their total in double: 10^5 cells must not lose the small ones.
      std::vector<double> total(static_cast<std::size_t>(block), 0.0);
      std::vector<float> row(static_cast<std::size_t>(block));
      for (std::int64_t y = top; y < bottom; ++y) {
        std::fill(row.begin(), row.end(), 0.0F);
        const float* cells = source.data + (plane * height + y) * width * block;
        for (std::int64_t x = left; x < right; ++x) {
          for (int c = 0; c < block; ++c) row[static_cast<std::size_t>(c)] += cells[x * block + c];
        }
        for (int c = 0; c < block; ++c)
          total[static_cast<std::size_t>(c)] += row[static_cast<std::size_t>(c)];
      }
      float* out = target.data + (plane * bins * bins + bin) * block;
      const double count = static_cast<double>((bottom - top) * (right - left));
      for (int c = 0; c < block; ++c) out[c] = static_cast<float>(total[static_cast<std::size_t>(c)] / count);
    }
  }
}

}  // namespace terrapin::inference
