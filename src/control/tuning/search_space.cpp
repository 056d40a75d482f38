#include "control/tuning/search_space.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace terrapin::control::tuning {
namespace {

using Kind = ParameterRange::Kind;

constexpr double kAutoLogarithmicRatio = 100;
constexpr std::int64_t kMaxCount = 1'000'000;

Scaling scaling_of(const ParameterRange& range) {
  if (range.scaling != Scaling::kAuto) return range.scaling;
  return range.low > 0 && range.high / range.low >= kAutoLogarithmicRatio ? Scaling::kLogarithmic
                                                                          : Scaling::kLinear;
}

// Increasing in x for every scaling.
double scaled(Scaling scaling, double x) {
  switch (scaling) {
    case Scaling::kLogarithmic:
      return std::log(x);
    case Scaling::kReverseLogarithmic:
      return -std::log1p(-x);
    case Scaling::kAuto:
    case Scaling::kLinear:
      break;
  }
  return x;
}

double unscaled(Scaling scaling, double y) {
  switch (scaling) {
    case Scaling::kLogarithmic:
      return std::exp(y);
    case Scaling::kReverseLogarithmic:
      return -std::expm1(-y);
    case Scaling::kAuto:
    case Scaling::kLinear:
      break;
  }
  return y;
}

// A whole number has the space from half below it to half above it, so that its ends are as likely as the
// others.
struct Ends {
  Scaling scaling;
  double begin, end;  // scaled
};
Ends ends_of(const ParameterRange& range) {
  const Scaling scaling = scaling_of(range);
  const double margin = range.kind == Kind::kWhole ? 0.5 : 0;
  return {scaling, scaled(scaling, range.low - margin), scaled(scaling, range.high + margin)};
}

std::string number_text(const ParameterRange& range, double unit) {
  const Ends ends = ends_of(range);
  const double value = unscaled(ends.scaling, ends.begin + unit * (ends.end - ends.begin));
  if (range.kind == Kind::kWhole)
    return fmt::format("{}", static_cast<std::int64_t>(std::clamp(std::round(value), range.low, range.high)));
  return fmt::format("{}", std::clamp(value, range.low, range.high));
}

Result<double> number_of(const ParameterRange& range, const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !(value >= range.low && value <= range.high))
    return fail(ErrorCode::kInvalidArgument, "{}={}: must be a number from {} to {}", range.name, text,
                range.low, range.high);
  return value;
}

Status check(const ParameterRange& range) {
  if (range.name.empty()) return fail(ErrorCode::kInvalidArgument, "a parameter range has no name");
  if (range.kind == Kind::kCategorical) {
    if (range.values.empty())
      return fail(ErrorCode::kInvalidArgument, "the categorical parameter {} has no values", range.name);
    const std::set<std::string> distinct(range.values.begin(), range.values.end());
    if (distinct.size() != range.values.size())
      return fail(ErrorCode::kInvalidArgument, "the categorical parameter {} names a value twice",
                  range.name);
    return {};
  }
  if (!std::isfinite(range.low) || !std::isfinite(range.high) || range.low > range.high)
    return fail(ErrorCode::kInvalidArgument,
                "the range of {} goes from {} to {}: its end must not be below its beginning", range.name,
                range.low, range.high);
  const bool whole = range.kind == Kind::kWhole;
  const auto limit = static_cast<double>(kMaxWhole);
  if (whole && (range.low != std::floor(range.low) || range.high != std::floor(range.high) ||
                range.low < -limit || range.high > limit))
    return fail(ErrorCode::kInvalidArgument,
                "the range of {} goes from {} to {}: an integer parameter takes whole numbers", range.name,
                range.low, range.high);
  if (range.scaling == Scaling::kLogarithmic && !(range.low > 0))
    return fail(ErrorCode::kInvalidArgument,
                "the range of {} begins at {}: the scaling Logarithmic needs numbers above 0", range.name,
                range.low);
  if (range.scaling == Scaling::kReverseLogarithmic && (whole || range.low < 0 || range.high >= 1))
    return fail(
        ErrorCode::kInvalidArgument,
        "the range of {} goes from {} to {}: the scaling ReverseLogarithmic is for continuous parameters "
        "within 0 <= x < 1",
        range.name, range.low, range.high);
  return {};
}

}  // namespace

const char* scaling_name(Scaling scaling) {
  switch (scaling) {
    case Scaling::kLinear:
      return "Linear";
    case Scaling::kLogarithmic:
      return "Logarithmic";
    case Scaling::kReverseLogarithmic:
      return "ReverseLogarithmic";
    case Scaling::kAuto:
      break;
  }
  return "Auto";
}

Result<Scaling> parse_scaling(const std::string& name) {
  for (const Scaling scaling :
       {Scaling::kAuto, Scaling::kLinear, Scaling::kLogarithmic, Scaling::kReverseLogarithmic}) {
    if (name == scaling_name(scaling)) return scaling;
  }
  return fail(ErrorCode::kInvalidArgument,
              "the scaling '{}' is none of Auto, Linear, Logarithmic, ReverseLogarithmic", name);
}

Result<SearchSpace> SearchSpace::make(std::vector<ParameterRange> ranges) {
  if (ranges.empty())
    return fail(ErrorCode::kInvalidArgument, "there is no parameter range: nothing to tune");
  std::set<std::string> names;
  SearchSpace space;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    TERRAPIN_TRY_STATUS(check(ranges[i]));
    if (!names.insert(ranges[i].name).second)
      return fail(ErrorCode::kInvalidArgument, "the parameter {} has two ranges", ranges[i].name);
    const bool categorical = ranges[i].kind == Kind::kCategorical;
    space.dimensions_ += categorical ? ranges[i].values.size() : 1;
    space.parameter_of_.resize(space.dimensions_, i);
  }
  space.ranges_ = std::move(ranges);
  return space;
}

Assignment SearchSpace::at(const std::vector<double>& unit) const {
  Assignment assignment;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const ParameterRange& range = ranges_[i];
    const double u = std::clamp(unit[i], 0.0, 1.0);
    if (range.kind == Kind::kCategorical) {
      const auto index = static_cast<std::size_t>(u * static_cast<double>(range.values.size()));
      assignment[range.name] = range.values[std::min(index, range.values.size() - 1)];
    } else {
      assignment[range.name] = number_text(range, u);
    }
  }
  return assignment;
}

Assignment SearchSpace::draw(Random& random) const {
  std::vector<double> unit(ranges_.size());
  for (double& u : unit) u = random.uniform();
  return at(unit);
}

Result<std::vector<double>> SearchSpace::unit_of(const Assignment& assignment) const {
  std::vector<double> unit;
  for (const ParameterRange& range : ranges_) {
    const auto given = assignment.find(range.name);
    if (given == assignment.end()) return fail(ErrorCode::kInvalidArgument, "{} has no value", range.name);
    if (range.kind == Kind::kCategorical) {
      const auto value = std::find(range.values.begin(), range.values.end(), given->second);
      if (value == range.values.end())
        return fail(ErrorCode::kInvalidArgument, "{}={}: is none of the parameter's values", range.name,
                    given->second);
      // The middle of its share.
      unit.push_back((static_cast<double>(value - range.values.begin()) + 0.5) /
                     static_cast<double>(range.values.size()));
      continue;
    }
    TERRAPIN_TRY(const double number, number_of(range, given->second));
    const Ends ends = ends_of(range);
    const double length = ends.end - ends.begin;
    unit.push_back(length > 0 ? (scaled(ends.scaling, number) - ends.begin) / length : 0.5);
  }
  return unit;
}

Result<Point> SearchSpace::encode(const Assignment& assignment) const {
  TERRAPIN_TRY(const std::vector<double> unit, unit_of(assignment));
  Point point;
  point.reserve(dimensions_);
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].kind != Kind::kCategorical) {
      point.push_back(unit[i]);
      continue;
    }
    for (const std::string& value : ranges_[i].values)
      point.push_back(value == assignment.at(ranges_[i].name) ? 1.0 : 0.0);
  }
  return point;
}

std::optional<std::int64_t> SearchSpace::count() const {
  std::int64_t count = 1;
  for (const ParameterRange& range : ranges_) {
    double here = 1;
    if (range.kind == Kind::kCategorical) here = static_cast<double>(range.values.size());
    if (range.kind == Kind::kWhole) here = range.high - range.low + 1;
    if (range.kind == Kind::kContinuous && range.low < range.high) return std::nullopt;
    if (here * static_cast<double>(count) > static_cast<double>(kMaxCount)) return std::nullopt;
    count *= static_cast<std::int64_t>(here);
  }
  return count;
}

Assignment SearchSpace::nth(std::int64_t index) const {
  Assignment assignment;
  for (std::size_t i = ranges_.size(); i-- > 0;) {
    const ParameterRange& range = ranges_[i];
    std::int64_t here = 1;
    if (range.kind == Kind::kCategorical) here = static_cast<std::int64_t>(range.values.size());
    if (range.kind == Kind::kWhole) here = static_cast<std::int64_t>(range.high - range.low) + 1;
    const std::int64_t chosen = index % here;
    index /= here;
    if (range.kind == Kind::kCategorical) {
      assignment[range.name] = range.values[static_cast<std::size_t>(chosen)];
    } else if (range.kind == Kind::kWhole) {
      assignment[range.name] = fmt::format("{}", static_cast<std::int64_t>(range.low) + chosen);
    } else {
      assignment[range.name] = fmt::format("{}", range.low);
    }
  }
  return assignment;
}

}  // namespace terrapin::control::tuning
