#include "assist/refine.h"

#include <algorithm>
#include <cmath>

#include "assist/guided_filter.h"
#include "assist/stopped.h"
#include "assist/topology.h"
#include "base/parallel.h"

namespace terrapin::assist {
namespace {

using imaging::Mask;
using imaging::Pixel;
using networks::CropFrame;

constexpr std::int64_t kRefinedRows = 32;

float sigmoid(float logit) {
  return 1 / (1 + std::exp(-logit));
}

// A clicked point decides what is right around it: the answer there is raised (lowered) to `least`, fading
// out.
void obey_click(std::vector<float>& logits, std::int64_t side, networks::CropPoint point, bool positive,
                double radius) {
  constexpr float kLeast = 1.5F;
  const auto x = std::clamp<std::int64_t>(std::llround(point.x), 0, side - 1);
  const auto y = std::clamp<std::int64_t>(std::llround(point.y), 0, side - 1);
  const float sign = positive ? 1.0F : -1.0F;
  const float lacking = kLeast - sign * logits[static_cast<std::size_t>(y * side + x)];
  if (lacking <= 0) return;
  const auto reach = static_cast<std::int64_t>(std::ceil(3 * radius));
  for (std::int64_t j = std::max<std::int64_t>(0, y - reach); j <= std::min(side - 1, y + reach); ++j) {
    for (std::int64_t i = std::max<std::int64_t>(0, x - reach); i <= std::min(side - 1, x + reach); ++i) {
      const double dx = static_cast<double>(i) - point.x, dy = static_cast<double>(j) - point.y;
      const double bell = std::exp(-(dx * dx + dy * dy) / (2 * radius * radius));
      logits[static_cast<std::size_t>(j * side + i)] += sign * lacking * static_cast<float>(bell);
    }
  }
}

// Two neighbours and the share of the second, edges clamped.
struct LinearTaps {
  std::vector<std::int64_t> low, high;
  std::vector<float> share;
};

template <class Position>
LinearTaps linear_taps(std::int64_t count, std::int64_t length, const Position& position) {
  LinearTaps taps;
  for (std::int64_t i = 0; i < count; ++i) {
    const double at = std::clamp(position(i), 0.0, static_cast<double>(length - 1));
    const auto low = std::min(static_cast<std::int64_t>(at), length - 1);
    taps.low.push_back(low);
    taps.high.push_back(std::min(low + 1, length - 1));
    taps.share.push_back(static_cast<float>(at - static_cast<double>(low)));
  }
  return taps;
}

// Values of a grid `width` wide at column x, row y of the taps.
class Interpolated {
 public:
  Interpolated(const LinearTaps& rows, const LinearTaps& columns, std::int64_t width, std::size_t y,
               std::size_t x)
      : a_(rows.low[y] * width + columns.low[x]),
        b_(rows.low[y] * width + columns.high[x]),
        c_(rows.high[y] * width + columns.low[x]),
        d_(rows.high[y] * width + columns.high[x]),
        across_(columns.share[x]),
        down_(rows.share[y]) {}
  float of(const std::vector<float>& values) const {
    const float* v = values.data();
    const float upper = v[a_] + across_ * (v[b_] - v[a_]), lower = v[c_] + across_ * (v[d_] - v[c_]);
    return upper + down_ * (lower - upper);
  }

 private:
  std::int64_t a_, b_, c_, d_;
  float across_, down_;
};

// The grid on which edges are looked for: `size` pixels over `box` of the photo.
struct Grid {
  imaging::Box box;
  imaging::Size size;
  double step_x() const { return static_cast<double>(box.width) / static_cast<double>(size.width); }
  double step_y() const { return static_cast<double>(box.height) / static_cast<double>(size.height); }
  double photo_x(double i) const { return static_cast<double>(box.x) + (i + 0.5) * step_x() - 0.5; }
  double photo_y(double j) const { return static_cast<double>(box.y) + (j + 0.5) * step_y() - 0.5; }
};

// The crop's answer at the grid's pixels, as probabilities.
std::vector<float> soft_mask(const CropFrame& frame, const std::vector<float>& logits, const Grid& grid,
                             int threads) {
  const std::int64_t side = frame.side();
  const LinearTaps columns = linear_taps(grid.size.width, side, [&](std::int64_t i) {
    return frame.to_crop_x(grid.photo_x(static_cast<double>(i)));
  });
  const LinearTaps rows = linear_taps(grid.size.height, side, [&](std::int64_t j) {
    return frame.to_crop_y(grid.photo_y(static_cast<double>(j)));
  });
  std::vector<float> soft(static_cast<std::size_t>(grid.size.area()));
  parallel_for((grid.size.height + kRefinedRows - 1) / kRefinedRows, threads, [&](std::int64_t chunk) {
    const std::int64_t end = std::min(grid.size.height, (chunk + 1) * kRefinedRows);
    for (std::int64_t y = chunk * kRefinedRows; y < end; ++y) {
      for (std::int64_t x = 0; x < grid.size.width; ++x) {
        const Interpolated at(rows, columns, side, static_cast<std::size_t>(y), static_cast<std::size_t>(x));
        soft[static_cast<std::size_t>(y * grid.size.width + x)] = sigmoid(at.of(logits));
      }
    }
  });
  return soft;
}

// 0 and 1 where the soft mask leaves no doubt within `radius`, 2 elsewhere.
std::vector<std::uint8_t> certainty(const std::vector<float>& soft, imaging::Size size, std::int64_t radius) {
  std::vector<float> doubt(soft.size());
  for (std::size_t i = 0; i < soft.size(); ++i)
    doubt[i] = soft[i] > kDoubtShare && soft[i] < 1 - kDoubtShare ? 1.0F : 0.0F;
  // Sharp steps count as doubt too.
  const std::vector<float> near_doubt = box_mean(doubt, size, radius);
  std::vector<std::uint8_t> result(soft.size());
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      const auto i = static_cast<std::size_t>(y * size.width + x);
      const bool here = soft[i] > 0.5F;
      const bool step =
          (x > 0 && here != (soft[i - 1] > 0.5F)) ||
          (y > 0 && here != (soft[i - static_cast<std::size_t>(size.width)] > 0.5F)) ||
          (x + 1 < size.width && here != (soft[i + 1] > 0.5F)) ||
          (y + 1 < size.height && here != (soft[i + static_cast<std::size_t>(size.width)] > 0.5F));
      // A mean of exactly 0 may carry rounding of the running sums.
      result[i] = near_doubt[i] > 1e-6F || step ? 2 : here ? 1 : 0;
    }
  }
  return result;
}

// The mask over grid.box at the photo's pixels.
Mask enlarge(const OpenPhoto& photo, const Grid& grid, const std::vector<float>& soft,
             const RefineOptions& options, int threads) {
  const std::vector<std::uint8_t> sure = certainty(soft, grid.size, options.radius);
  LinearModels models;
  if (options.radius > 0) {
    const imaging::Image guide =
        photo.sample({grid.photo_x(0), grid.step_x(), grid.size.width},
                     {grid.photo_y(0), grid.step_y(), grid.size.height}, {128, 128, 128}, threads);
    models = guided_models(guide, soft, options.radius, options.epsilon, threads);
  }
  const imaging::Box& box = grid.box;
  const LinearTaps columns = linear_taps(box.width, grid.size.width, [&](std::int64_t x) {
    return (static_cast<double>(x) + 0.5) / grid.step_x() - 0.5;
  });
  const LinearTaps rows = linear_taps(box.height, grid.size.height, [&](std::int64_t y) {
    return (static_cast<double>(y) + 0.5) / grid.step_y() - 0.5;
  });
  Mask mask({box.width, box.height});
  parallel_for((box.height + kRefinedRows - 1) / kRefinedRows, threads, [&](std::int64_t chunk) {
    const std::int64_t end = std::min(box.height, (chunk + 1) * kRefinedRows);
    for (std::int64_t y = chunk * kRefinedRows; y < end; ++y) {
      const auto row = static_cast<std::size_t>(y);
      const std::uint8_t* upper = sure.data() + rows.low[row] * grid.size.width;
      const std::uint8_t* lower = sure.data() + rows.high[row] * grid.size.width;
      const std::uint8_t* colors = photo.photo().row(box.y + y) + box.x * 3;
      std::uint8_t* out = mask.row(y);
      for (std::int64_t x = 0; x < box.width; ++x) {
        const auto column = static_cast<std::size_t>(x);
        const std::int64_t left = columns.low[column], right = columns.high[column];
        const std::uint8_t known = upper[left];
        if (known != 2 && known == upper[right] && known == lower[left] && known == lower[right]) {
          out[x] = known;
          continue;
        }
        const Interpolated at(rows, columns, grid.size.width, row, column);
        if (options.radius == 0) {
          out[x] = at.of(soft) > 0.5F ? 1 : 0;
          continue;
        }
        constexpr float kUnit = 1.0F / 255;
        const std::uint8_t* color = colors + 3 * x;
        const float value = at.of(models.red) * (static_cast<float>(color[0]) * kUnit) +
                            at.of(models.green) * (static_cast<float>(color[1]) * kUnit) +
                            at.of(models.blue) * (static_cast<float>(color[2]) * kUnit) +
                            at.of(models.offset);
        out[x] = value > 0.5F ? 1 : 0;
      }
    }
  });
  return mask;
}

// The object may pass the box that was clicked a little, not more.
void cut_beyond(Mask& mask, const imaging::Box& covered, const Prompt& prompt, const RefineOptions& options) {
  if (prompt.extremes.empty()) return;
  std::vector<Pixel> points = prompt.extremes;
  points.insert(points.end(), prompt.positive.begin(), prompt.positive.end());
  const imaging::Box box = networks::box_around(points);
  const auto beyond = [&](std::int64_t side) {
    return static_cast<std::int64_t>(
        std::ceil(options.beyond_px + options.beyond_share * static_cast<double>(side)));
  };
  const std::int64_t across = beyond(box.width), down = beyond(box.height);
  const std::int64_t left = std::clamp<std::int64_t>(box.x - across - covered.x, 0, mask.width());
  const std::int64_t right =
      std::clamp<std::int64_t>(box.x + box.width + across - covered.x, 0, mask.width());
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    std::uint8_t* row = mask.row(y);
    const std::int64_t at = y + covered.y;
    if (at < box.y - down || at >= box.y + box.height + down) {
      std::fill(row, row + mask.width(), 0);
      continue;
    }
    std::fill(row, row + left, 0);
    std::fill(row + right, row + mask.width(), 0);
  }
}

// Ends as soon as there are more than `most`.
std::int64_t count_runs(const Mask& mask, std::int64_t most) {
  std::int64_t runs = 0;
  for (std::int64_t y = 0; y < mask.height() && runs <= most; ++y) {
    const std::uint8_t* row = mask.row(y);
    ++runs;
    for (std::int64_t x = 1; x < mask.width(); ++x) runs += row[x] != row[x - 1] ? 1 : 0;
  }
  return runs;
}

std::vector<Pixel> moved(const std::vector<Pixel>& points, const imaging::Box& by) {
  std::vector<Pixel> result;
  for (const Pixel& point : points) result.push_back({point.x - by.x, point.y - by.y});
  return result;
}

}  // namespace

BoxedMask tight(const Mask& mask, Pixel offset) {
  const imaging::Box box = imaging::box_of(mask, 1);
  BoxedMask result{{box.x + offset.x, box.y + offset.y, box.width, box.height},
                   Mask({box.width, box.height})};
  if (box.width == 0) return {};
  for (std::int64_t y = 0; y < box.height; ++y) {
    std::copy_n(mask.row(box.y + y) + box.x, box.width, result.mask.row(y));
  }
  return result;
}

Result<BoxedMask> refine(const OpenPhoto& photo, const CropFrame& frame, std::vector<float> logits,
                         const Prompt& prompt, const RefineOptions& options, int threads,
                         std::stop_token stop) {
  for (const Pixel& point : prompt.extremes) {
    obey_click(logits, frame.side(), frame.to_crop(point), true, options.click_radius);
  }
  for (const Pixel& point : prompt.positive) {
    obey_click(logits, frame.side(), frame.to_crop(point), true, options.click_radius);
  }
  for (const Pixel& point : prompt.negative) {
    obey_click(logits, frame.side(), frame.to_crop(point), false, options.click_radius);
  }
  Grid grid;
  grid.box = frame.covered();
  const auto most = static_cast<std::int64_t>(options.grid_per_crop * static_cast<double>(frame.side()));
  grid.size = {std::min(grid.box.width, most), std::min(grid.box.height, most)};
  const std::vector<float> soft = soft_mask(frame, logits, grid, threads);
  if (stop.stop_requested()) return stopped();
  Mask mask = enlarge(photo, grid, soft, options, threads);
  if (stop.stop_requested()) return stopped();
  cut_beyond(mask, grid.box, prompt, options);
  if (count_runs(mask, options.max_runs) > options.max_runs)
    return fail(ErrorCode::kTooLarge,
                "the object's outline is too fine: more than {} changes along the rows; ask for a smaller "
                "part of the object",
                options.max_runs);
  if (stop.stop_requested()) return stopped();

  std::vector<Pixel> inside = moved(prompt.extremes, grid.box);
  const std::vector<Pixel> positive = moved(prompt.positive, grid.box);
  inside.insert(inside.end(), positive.begin(), positive.end());
  TopologyOptions topology;
  topology.thickness = std::max<std::int64_t>(1, std::llround(std::max(grid.step_x(), grid.step_y())));
  tidy(mask, inside, moved(prompt.negative, grid.box), topology);
  return tight(mask, {grid.box.x, grid.box.y});
}

}  // namespace terrapin::assist
