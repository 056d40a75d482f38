// What a tuning job may vary, and how values become points of the unit cube.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace terrapin::control::tuning {

// How a number's range is spread over [0, 1]. kAuto: logarithmic where the range is above zero and its end is
// a hundred times its beginning or more, else linear.
enum class Scaling { kAuto, kLinear, kLogarithmic, kReverseLogarithmic };
const char* scaling_name(Scaling scaling);  // "Auto"
Result<Scaling> parse_scaling(const std::string& name);

struct ParameterRange {
  enum class Kind { kWhole, kContinuous, kCategorical };
  std::string name;
  Kind kind = Kind::kContinuous;
  double low = 0, high = 0;  // of numbers, both included
  Scaling scaling = Scaling::kAuto;
  std::vector<std::string> values;  // of kCategorical
};
inline constexpr std::int64_t kMaxWhole = std::int64_t{1} << 53;  // exact as a double

// A value a parameter, as a hyperparameter takes it.
using Assignment = std::map<std::string, std::string>;

// Coordinates of the unit cube: one of a number, one a value of a categorical parameter (1 for the chosen
// value).
using Point = std::vector<double>;

// Constant after construction.
class SearchSpace {
 public:
  // kInvalidArgument naming the parameter: no parameter at all, one name twice, a range that ends before it
  // begins, a scaling that its numbers do not allow, a value twice.
  static Result<SearchSpace> make(std::vector<ParameterRange> ranges);

  const std::vector<ParameterRange>& ranges() const { return ranges_; }
  std::size_t dimensions() const { return dimensions_; }
  // The parameter of each coordinate, as an index into ranges().
  const std::vector<std::size_t>& parameter_of() const { return parameter_of_; }

  // `unit`: one number of [0, 1) a parameter.
  Assignment at(const std::vector<double>& unit) const;
  Assignment draw(Random& random) const;
  // One number of [0, 1] a parameter that at() turns into the same assignment. kInvalidArgument for what lies
  // outside of the space.
  Result<std::vector<double>> unit_of(const Assignment& assignment) const;
  Result<Point> encode(const Assignment& assignment) const;

  // How many assignments there are; nullopt with a continuous parameter or over a million.
  std::optional<std::int64_t> count() const;
  // The `index`th of count(), the last parameter varying fastest.
  Assignment nth(std::int64_t index) const;

 private:
  std::vector<ParameterRange> ranges_;
  std::vector<std::size_t> parameter_of_;
  std::size_t dimensions_ = 0;
};

}  // namespace terrapin::control::tuning
