// Inline SVG of report.html. Only report*.cpp includes this.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace terrapin::training::report {

struct Point {
  double x = 0, y = 0;
};

struct Chart {
  std::string title;
  std::vector<Point> points;  // x = epoch, rising
  int marked_epoch = 0;       // drawn as a dot with its value; 0: none
  bool from_zero_to_one = false;
  bool scientific = false;
};

// A line chart as a <figure>; one point is drawn as a dot. Colours come from the page's CSS (currentColor,
// .line).
std::string draw_chart(const Chart& chart);

}  // namespace terrapin::training::report
