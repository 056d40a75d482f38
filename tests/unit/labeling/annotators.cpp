#include "unit/labeling/annotators.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace terrapin::labeling {
namespace {

using imaging::Mask;
using imaging::Size;

// Paints every connected object of one class with what `repaint` answers for its class.
template <class Repaint>
void each_object(Mask& mask, Repaint&& repaint) {
  const std::int64_t width = mask.width(), height = mask.height();
  std::vector<bool> done(mask.bytes().size(), false);
  std::vector<std::int64_t> stack;
  for (std::int64_t start = 0; start < width * height; ++start) {
    const std::uint8_t label = mask.bytes()[static_cast<std::size_t>(start)];
    if (done[static_cast<std::size_t>(start)] || label == 0 || label == Mask::kIgnore) continue;
    const std::uint8_t paint = repaint(label);
    stack.push_back(start);
    done[static_cast<std::size_t>(start)] = true;
    while (!stack.empty()) {
      const std::int64_t at = stack.back(), x = at % width, y = at / width;
      stack.pop_back();
      const auto visit = [&](std::int64_t nx, std::int64_t ny) {
        if (nx < 0 || ny < 0 || nx >= width || ny >= height) return;
        const auto next = static_cast<std::size_t>(ny * width + nx);
        if (done[next] || mask.bytes()[next] != label) return;
        done[next] = true;
        stack.push_back(ny * width + nx);
      };
      visit(x - 1, y), visit(x + 1, y), visit(x, y - 1), visit(x, y + 1);
      mask.bytes()[static_cast<std::size_t>(at)] = paint;
    }
  }
}

// One pixel more (or, for `outwards` false, less) of every object.
Mask grown(const Mask& mask, bool outwards) {
  Mask result = mask;
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    for (std::int64_t x = 0; x < mask.width(); ++x) {
      if ((mask.at(x, y) == 0) != outwards) continue;
      std::uint8_t found = mask.at(x, y);
      const auto look = [&](std::int64_t nx, std::int64_t ny) {
        if (nx < 0 || ny < 0 || nx >= mask.width() || ny >= mask.height()) return;
        if ((mask.at(nx, ny) != 0) == outwards) found = mask.at(nx, ny);
      };
      look(x - 1, y), look(x + 1, y), look(x, y - 1), look(x, y + 1);
      result.set(x, y, found);
    }
  }
  return result;
}

// Smooth noise of about unit variance.
class SmoothField {
 public:
  SmoothField(Size size, std::int64_t cell, Random& random)
      : cell_(cell),
        columns_(size.width / cell + 2),
        values_(static_cast<std::size_t>(columns_ * (size.height / cell + 2))) {
    for (double& value : values_) value = random.normal() * 1.5;
  }
  double at(std::int64_t x, std::int64_t y) const {
    const std::int64_t column = x / cell_, row = y / cell_;
    const double u = static_cast<double>(x % cell_) / static_cast<double>(cell_);
    const double v = static_cast<double>(y % cell_) / static_cast<double>(cell_);
    const double* upper = values_.data() + row * columns_ + column;
    const double* lower = upper + columns_;
    return (upper[0] * (1 - u) + upper[1] * u) * (1 - v) + (lower[0] * (1 - u) + lower[1] * u) * v;
  }

 private:
  std::int64_t cell_, columns_;
  std::vector<double> values_;
};

// -1..1, mean 0, cheap.
double triangular(std::uint32_t bits) {
  return (static_cast<double>(bits & 0xffff) - static_cast<double>(bits >> 16)) / 65536.0;
}

Mask displaced(const Mask& mask, const Habit& habit, Random& random) {
  const Size size = mask.size();
  Mask result(size);
  const SmoothField along(size, 16, random), across(size, 16, random);
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      const double dx = habit.wobble * along.at(x, y) + habit.fray * 2 * triangular(random.next_u32());
      const double dy = habit.wobble * across.at(x, y) + habit.fray * 2 * triangular(random.next_u32());
      const std::int64_t from_x =
          std::clamp<std::int64_t>(x + std::lround(dx) - habit.shift_x, 0, size.width - 1);
      const std::int64_t from_y =
          std::clamp<std::int64_t>(y + std::lround(dy) - habit.shift_y, 0, size.height - 1);
      result.set(x, y, mask.at(from_x, from_y));
    }
  }
  return result;
}

void paint_ellipse(Mask& mask, std::int64_t x, std::int64_t y, std::int64_t half_x, std::int64_t half_y,
                   std::uint8_t label) {
  for (std::int64_t py = std::max<std::int64_t>(0, y - half_y); py <= std::min(mask.height() - 1, y + half_y);
       ++py) {
    for (std::int64_t px = std::max<std::int64_t>(0, x - half_x);
         px <= std::min(mask.width() - 1, x + half_x); ++px) {
      const double u = static_cast<double>(px - x) / (static_cast<double>(half_x) + 0.5);
      const double v = static_cast<double>(py - y) / (static_cast<double>(half_y) + 0.5);
      if (u * u + v * v <= 1) mask.set(px, py, label);
    }
  }
}

void paint_blobs(Mask& mask, int class_count, Random& random) {
  std::fill(mask.bytes().begin(), mask.bytes().end(), std::uint8_t{0});
  for (std::int64_t i = 3 + random.below(5); i > 0; --i) {
    paint_ellipse(mask, random.below(mask.width()), random.below(mask.height()),
                  2 + random.below(mask.width() / 3), 2 + random.below(mask.height() / 3),
                  static_cast<std::uint8_t>(random.below(class_count)));
  }
}

}  // namespace

Mask annotate(const Mask& truth, int class_count, const Habit& habit, Random& random) {
  Mask mask = truth;
  if (habit.thick_brush) {
    Mask opened = truth;
    for (int i = 0; i < 2; ++i) opened = grown(opened, false);
    for (int i = 0; i < 3; ++i) opened = grown(opened, true);
    for (std::size_t i = 0; i < mask.bytes().size(); ++i) {
      if (opened.bytes()[i] == 0) mask.bytes()[i] = 0;
    }
  }
  each_object(mask, [&](std::uint8_t label) -> std::uint8_t {
    const bool missed = random.uniform() < habit.miss, mistaken = random.uniform() < habit.mistake;
    const std::int64_t other = class_count > 2 ? random.below(class_count - 2) : 0;
    if (missed) return 0;
    if (mistaken && class_count > 2)
      return static_cast<std::uint8_t>(1 + (label + other) % (class_count - 1));
    return label;
  });
  for (int i = 0; i < std::abs(habit.grow); ++i) mask = grown(mask, habit.grow > 0);
  mask = displaced(mask, habit, random);
  if (habit.swaps) {
    for (std::uint8_t& label : mask.bytes())
      label = static_cast<std::uint8_t>(label == 1 ? 2 : label == 2 ? 1 : label);
  }
  if (habit.spam == Habit::Spam::kBlobs) paint_blobs(mask, class_count, random);
  if (habit.spam == Habit::Spam::kBackground)
    std::fill(mask.bytes().begin(), mask.bytes().end(), std::uint8_t{0});
  const auto answered =
      static_cast<std::ptrdiff_t>(std::lround((1 - habit.unanswered) * static_cast<double>(mask.height())));
  std::fill(mask.bytes().begin() + answered * static_cast<std::ptrdiff_t>(mask.width()), mask.bytes().end(),
            Mask::kIgnore);
  return mask;
}

Mask thin_scene(Size size, int class_count, Random& random) {
  Mask mask(size);
  const auto any_label = [&] { return static_cast<std::uint8_t>(1 + random.below(class_count - 1)); };
  paint_ellipse(mask, random.below(size.width), random.below(size.height), size.width / 7, size.height / 6,
                any_label());
  for (int line = 0; line < 9; ++line) {
    const std::uint8_t label = any_label();
    double x = random.uniform() * static_cast<double>(size.width),
           y = random.uniform() * static_cast<double>(size.height);
    double turn = random.uniform(0, 6.283);
    const std::int64_t half = random.below(2);
    for (int step = 0; step < 90; ++step) {
      paint_ellipse(mask, std::lround(x), std::lround(y), half, half, label);
      turn += random.uniform(-0.12, 0.12);
      x += std::cos(turn), y += std::sin(turn);
    }
  }
  return mask;
}

std::vector<Answer> SimulatedObject::answers() const {
  std::vector<Answer> list;
  for (std::size_t i = 0; i < masks.size(); ++i) list.push_back({workers[i], &masks[i]});
  return list;
}

std::vector<SimulatedObject> simulate(const std::vector<Mask>& truths, int class_count,
                                      const std::vector<Habit>& workers, int per_object, std::uint64_t seed) {
  std::vector<SimulatedObject> job;
  for (std::size_t i = 0; i < truths.size(); ++i) {
    SimulatedObject object;
    object.truth = truths[i];
    std::vector<std::size_t> drawn(workers.size());
    std::iota(drawn.begin(), drawn.end(), std::size_t{0});
    Random order = random_for(seed, 1, i);
    shuffle(drawn, order);
    for (std::size_t d = 0; d < static_cast<std::size_t>(per_object); ++d) {
      Random random = random_for(seed, 2 + drawn[d], i);
      object.workers.push_back("worker-" + std::to_string(100 + drawn[d]));
      object.masks.push_back(annotate(truths[i], class_count, workers[drawn[d]], random));
    }
    job.push_back(std::move(object));
  }
  return job;
}

}  // namespace terrapin::labeling
