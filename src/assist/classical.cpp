#include "assist/classical.h"

#include <algorithm>
#include <cmath>

#include "imaging/regions.h"

#ifdef TERRAPIN_WITH_OPENCV
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#endif

namespace terrapin::assist {

#ifdef TERRAPIN_WITH_OPENCV

namespace {

using imaging::Mask;
using imaging::Pixel;

constexpr int kRounds = 5;
// Sure, as assist/refine.h has it: every pixel that is in doubt is looked at there again.
constexpr float kLogit = 6;

Pixel pixel_of(networks::CropPoint point, imaging::Size size) {
  return {std::clamp<std::int64_t>(std::llround(point.x), 0, size.width - 1),
          std::clamp<std::int64_t>(std::llround(point.y), 0, size.height - 1)};
}

// Four points in the order in which they go round their middle.
std::vector<Pixel> round_trip(std::vector<Pixel> points) {
  double x = 0, y = 0;
  for (const Pixel& p : points) x += static_cast<double>(p.x) / 4, y += static_cast<double>(p.y) / 4;
  std::sort(points.begin(), points.end(), [&](const Pixel& a, const Pixel& b) {
    return std::atan2(static_cast<double>(a.y) - y, static_cast<double>(a.x) - x) <
           std::atan2(static_cast<double>(b.y) - y, static_cast<double>(b.x) - x);
  });
  return points;
}

// What is known beforehand: outside the points' box never, clicked points surely, the area between the points
// or the earlier mask probably.
Mask prior(imaging::Size size, const ClassicalPrompt& prompt) {
  Mask labels(size, cv::GC_BGD);
  std::vector<Pixel> extremes;
  for (const auto& point : prompt.extremes) extremes.push_back(pixel_of(point, size));
  if (!extremes.empty()) {
    const imaging::Box box = networks::box_around(extremes);
    for (std::int64_t y = box.y; y < box.y + box.height; ++y) {
      std::fill(labels.row(y) + box.x, labels.row(y) + box.x + box.width,
                static_cast<std::uint8_t>(cv::GC_PR_BGD));
    }
  } else {
    std::fill(labels.bytes().begin(), labels.bytes().end(), static_cast<std::uint8_t>(cv::GC_PR_BGD));
  }
  if (!prompt.previous.empty()) {
    for (std::size_t i = 0; i < labels.bytes().size(); ++i) {
      if (prompt.previous[i] > 0.5F) labels.bytes()[i] = cv::GC_PR_FGD;
    }
  } else {
    imaging::fill_polygon(labels, round_trip(extremes), cv::GC_PR_FGD);
  }
  const std::int64_t dot = std::max<std::int64_t>(3, size.width / 64);
  const auto mark = [&](const std::vector<networks::CropPoint>& points, std::uint8_t label,
                        std::int64_t thickness) {
    for (const auto& point : points) {
      const Pixel at = pixel_of(point, size);
      imaging::draw_line(labels, at, at, thickness, label);
    }
  };
  mark(prompt.extremes, cv::GC_FGD, 1);
  mark(prompt.positive, cv::GC_FGD, dot);
  mark(prompt.negative, cv::GC_BGD, dot);
  return labels;
}

}  // namespace

bool classical_available() {
  return true;
}

Result<std::vector<float>> classical_logits(const imaging::Image& crop, const ClassicalPrompt& prompt,
                                            std::stop_token stop) {
  Mask labels = prior(crop.size(), prompt);
  const auto holds = [&](std::uint8_t certain, std::uint8_t probable) {
    return std::any_of(labels.bytes().begin(), labels.bytes().end(),
                       [&](std::uint8_t label) { return label == certain || label == probable; });
  };
  // GrabCut needs both kinds to begin with.
  if (holds(cv::GC_BGD, cv::GC_PR_BGD) && holds(cv::GC_FGD, cv::GC_PR_FGD)) {
    const auto rows = static_cast<int>(crop.height()), columns = static_cast<int>(crop.width());
    const cv::Mat photo(rows, columns, CV_8UC3, const_cast<std::uint8_t*>(crop.bytes().data()));
    cv::Mat mask(rows, columns, CV_8UC1, labels.bytes().data());
    cv::Mat background, foreground;
    // Its colour clusters start at random: at the same random, here.
    cv::theRNG().state = 0x7e44a91;
    for (int round = 0; round < kRounds; ++round) {
      if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "a newer request took this one's place");
      cv::grabCut(photo, mask, {}, background, foreground, 1,
                  round == 0 ? cv::GC_INIT_WITH_MASK : cv::GC_EVAL);
    }
  }
  std::vector<float> logits(labels.bytes().size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const std::uint8_t label = labels.bytes()[i];
    logits[i] = label == cv::GC_FGD || label == cv::GC_PR_FGD ? kLogit : -kLogit;
  }
  return logits;
}

#else

bool classical_available() {
  return false;
}

Result<std::vector<float>> classical_logits(const imaging::Image&, const ClassicalPrompt&, std::stop_token) {
  return fail(ErrorCode::kUnsupported,
              "this build has no OpenCV: the classical method needs it (Debian: libopencv-imgproc-dev)");
}

#endif

}  // namespace terrapin::assist
