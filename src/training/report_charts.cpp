#include "training/report_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/markup.h"

namespace terrapin::training::report {
namespace {

constexpr double kWidth = 360, kHeight = 200, kLeft = 52, kRight = 14, kTop = 14, kBottom = 28;

// The step of a readable axis: 1, 2 or 5 times a power of ten, at most `count` steps over `span`.
double readable_step(double span, int count) {
  const double rough = span / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) return factor * power;
  }
  return 10 * power;
}

std::string axis_number(double value, double step, bool scientific) {
  if (std::abs(value) < step / 1000) return "0";
  if (scientific) return fmt::format("{:.0e}", value);
  const int digits = step >= 1 ? 0 : std::min(6, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", value, digits);
}

}  // namespace

std::string draw_chart(const Chart& chart) {
  std::vector<Point> points;
  std::copy_if(chart.points.begin(), chart.points.end(), std::back_inserter(points),
               [](const Point& p) { return std::isfinite(p.y); });
  if (points.empty()) return {};
  const auto [low_point, high_point] = std::minmax_element(
      points.begin(), points.end(), [](const Point& a, const Point& b) { return a.y < b.y; });
  double low = std::min(0.0, low_point->y), high = chart.from_zero_to_one ? 1.0 : high_point->y;
  if (high <= low) high = low + 1;
  const double step = chart.from_zero_to_one ? 0.2 : readable_step(high - low, 4);
  high = std::ceil(high / step - 1e-9) * step;
  const double first = points.front().x, last = std::max(points.back().x, first + 1e-9);
  const auto x_of = [&](double x) {
    return points.size() == 1 ? (kLeft + kWidth - kRight) / 2
                              : kLeft + (x - first) / (last - first) * (kWidth - kLeft - kRight);
  };
  const auto y_of = [&](double y) {
    return kHeight - kBottom - (y - low) / (high - low) * (kHeight - kTop - kBottom);
  };

  std::string svg = fmt::format(
      "<figure class=\"chart\"><figcaption>{}</figcaption><svg viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"{}\">\n",
      markup_text(chart.title), kWidth, kHeight, markup_text(chart.title));
  for (double value = std::ceil(low / step) * step; value <= high + step / 2; value += step) {
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text class=\"tick\" "
        "x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        kLeft, kWidth - kRight, y_of(value), kLeft - 6, y_of(value) + 4,
        axis_number(value, step, chart.scientific));
  }
  // Whole epochs only.
  const double epoch_step = std::max(1.0, readable_step(std::max(1.0, last - first), 6));
  std::vector<double> epochs{first};
  for (double epoch = std::ceil(first / epoch_step) * epoch_step; epoch <= last + 1e-6 && points.size() > 1;
       epoch += epoch_step) {
    if (epoch - epochs.back() > epoch_step * 0.6) epochs.push_back(epoch);
  }
  for (const double epoch : epochs) {
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n",
                       x_of(epoch), kHeight - 10, epoch);
  }
  std::string path;
  for (const Point& point : points)
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", x_of(point.x), y_of(point.y));
  if (points.size() > 1) svg += fmt::format("<polyline class=\"line\" points=\"{}\"/>\n", path);
  for (const Point& point : points) {
    const bool marked = static_cast<int>(point.x) == chart.marked_epoch;
    if (!marked && points.size() > 1) continue;
    const double x = x_of(point.x), y = y_of(point.y);
    const bool left = x > kWidth * 0.75, below = y < kTop + 18;
    svg += fmt::format(
        "<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"/><text class=\"value\" x=\"{:.1f}\" "
        "y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
        x, y, left ? x : x + 7, below ? y + 18 : y - 8, left ? "end" : "start",
        chart.scientific ? fmt::format("{:.2e}", point.y) : fmt::format("{:.4g}", point.y));
  }
  return svg + "</svg></figure>\n";
}

}  // namespace terrapin::training::report
