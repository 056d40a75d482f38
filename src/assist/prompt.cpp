#include "assist/prompt.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "imaging/run_lengths.h"
#include "networks/prompt_input.h"

namespace terrapin::assist {
namespace {

using imaging::Pixel;

Status check_points(const std::vector<Pixel>& points, const char* kind, imaging::Size photo) {
  if (points.size() > kMaxClicks) {
    return fail(ErrorCode::kTooLarge, "{} {} points given, at most {} are allowed", points.size(), kind,
                kMaxClicks);
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& [x, y] = points[i];
    if (x >= 0 && x < photo.width && y >= 0 && y < photo.height) continue;
    return fail(ErrorCode::kInvalidArgument,
                "{} point {} at {},{} lies outside the photo: x is 0 to {}, y is 0 to {}", kind, i + 1, x, y,
                photo.width - 1, photo.height - 1);
  }
  return {};
}

bool any_object(const BoxedMask& mask) {
  return std::find(mask.mask.bytes().begin(), mask.mask.bytes().end(), 1) != mask.mask.bytes().end();
}

bool any_object(const CodedMask& mask) {
  // A number ends with a byte below 128; background comes first.
  return std::count_if(mask.runs.begin(), mask.runs.end(), [](std::uint8_t byte) { return byte < 128; }) > 1;
}

bool lies_in(const imaging::Box& box, imaging::Size photo) {
  const auto fits = [](std::int64_t begin, std::int64_t length, std::int64_t whole) {
    return begin >= 0 && length >= 0 && begin <= whole && length <= whole - begin;
  };
  return fits(box.x, box.width, photo.width) && fits(box.y, box.height, photo.height);
}

}  // namespace

imaging::Mask whole(const BoxedMask& object, imaging::Size photo) {
  imaging::Mask mask(photo);
  for (std::int64_t y = 0; y < object.box.height; ++y) {
    std::copy_n(object.mask.row(y), object.box.width, mask.row(object.box.y + y) + object.box.x);
  }
  return mask;
}

const char* method_name(Method method) {
  switch (method) {
    case Method::kAuto:
      return "auto";
    case Method::kNetwork:
      return "network";
    case Method::kClassical:
      return "classical";
  }
  return "";
}

Status check_prompt(const Prompt& prompt, imaging::Size photo) {
  TERRAPIN_TRY_STATUS(check_points(prompt.extremes, "extreme", photo));
  TERRAPIN_TRY_STATUS(check_points(prompt.positive, "positive", photo));
  TERRAPIN_TRY_STATUS(check_points(prompt.negative, "negative", photo));
  if (prompt.previous && prompt.previous->mask.size() !=
                             imaging::Size{prompt.previous->box.width, prompt.previous->box.height}) {
    return fail(ErrorCode::kInvalidArgument, "the previous mask is {} x {}, its box {} x {}: they must agree",
                prompt.previous->mask.width(), prompt.previous->mask.height(), prompt.previous->box.width,
                prompt.previous->box.height);
  }
  if (prompt.previous_code) {
    const imaging::Box& box = prompt.previous_code->box;
    if (!lies_in(box, photo))
      return fail(ErrorCode::kInvalidArgument,
                  "the previous mask's box of {} x {} pixels at {},{} does not lie in the photo of {} x {}",
                  box.width, box.height, box.x, box.y, photo.width, photo.height);
    TERRAPIN_TRY_STATUS(imaging::read_run_lengths(prompt.previous_code->runs, box.width * box.height));
  }
  return check_extremes(prompt);
}

Status check_extremes(const Prompt& prompt) {
  const bool refines = prompt.previous_code ? any_object(*prompt.previous_code)
                                            : prompt.previous && any_object(*prompt.previous);
  if (prompt.extremes.size() == 4 || (prompt.extremes.empty() && refines)) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      "{} extreme points given: four are needed (top-most, left-most, bottom-most, right-most, in any "
      "order), or none with a previous mask that is not empty",
      prompt.extremes.size());
}

Status decode_previous(Prompt& prompt) {
  if (!prompt.previous_code) return {};
  const CodedMask code = *std::exchange(prompt.previous_code, std::nullopt);
  if (code.runs.empty()) return {};  // of a box without pixels
  const imaging::Size size{code.box.width, code.box.height};
  TERRAPIN_TRY(imaging::Mask mask, imaging::decode_runs(code.runs, size, size.area()));
  prompt.previous = BoxedMask{code.box, std::move(mask)};
  return {};
}

Result<std::vector<Pixel>> parse_points(std::string_view text, std::string_view what) {
  std::vector<Pixel> points;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto skip = [&] {
    while (at < end && (*at == ' ' || *at == '\t')) ++at;
  };
  for (skip(); at < end; skip()) {
    const char* const begin = at;
    Pixel point;
    const auto x = std::from_chars(at, end, point.x);
    bool good = x.ec == std::errc() && x.ptr < end && *x.ptr == ',';
    if (good) {
      const auto y = std::from_chars(x.ptr + 1, end, point.y);
      good = y.ec == std::errc() && (y.ptr == end || *y.ptr == ' ' || *y.ptr == '\t');
      at = y.ptr;
    }
    if (!good) {
      const char* const stop = std::find(begin, end, ' ');
      return fail(ErrorCode::kInvalidArgument,
                  "{} point {} is '{}', expected X,Y in whole pixels, as in 120,45", what, points.size() + 1,
                  std::string_view(begin, static_cast<std::size_t>(stop - begin)));
    }
    points.push_back(point);
  }
  return points;
}

imaging::Box prompt_box(const Prompt& prompt, imaging::Size photo) {
  std::vector<Pixel> pixels = prompt.extremes;
  pixels.insert(pixels.end(), prompt.positive.begin(), prompt.positive.end());
  if (prompt.previous) {
    const imaging::Box inner = imaging::box_of(prompt.previous->mask, 1);
    if (inner.width > 0) {
      const auto inside = [](std::int64_t value, std::int64_t length) {
        return std::clamp<std::int64_t>(value, 0, length - 1);
      };
      const std::int64_t left = prompt.previous->box.x + inner.x, top = prompt.previous->box.y + inner.y;
      pixels.push_back({inside(left, photo.width), inside(top, photo.height)});
      pixels.push_back(
          {inside(left + inner.width - 1, photo.width), inside(top + inner.height - 1, photo.height)});
    }
  }
  return networks::box_around(pixels);
}

}  // namespace terrapin::assist
