// The table behind hyperparameters.h. Only hyperparameters*.cpp includes this.
#pragma once

#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "training/hyperparameters.h"

namespace terrapin::training::table {

// A number's bounds; `open_low` leaves `low` itself out.
struct Range {
  double low = 0, high = 0;
  bool open_low = false, open_high = false;
};

// One given value. Every reader fails with kInvalidArgument naming the parameter, the value and `allowed`.
struct Value {
  std::string name, text, allowed;
  Error error() const;
  Result<std::int64_t> integer(std::int64_t low,
                               std::int64_t high = std::numeric_limits<std::int64_t>::max()) const;
  Result<double> number(const Range& range) const;
  Result<bool> boolean() const;                        // True/true/1, False/false/0
  Result<std::vector<std::int64_t>> integers() const;  // "10, 20" or "[10, 20]"
  // Index into `names`; '_' and '-' are the same, letter case does not matter.
  Result<std::size_t> choice(std::span<const std::string_view> names) const;
};

enum class Stage {
  kFirst,   // recipe, backbone, algorithm, num_classes: the recipe is built from them
  kSecond,  // all others, in any order
};

struct Row {
  std::string_view name, allowed, meaning;
  std::function<Status(const Value& value, Hyperparameters& result)> set;
  std::function<std::string(const TrainingOptions& options)> show = nullptr;  // null: no option holds it
  // Replace the shown default where no option says it.
  std::string_view aws_default = {}, terrapin_default = {};
  bool from_aws = false;
  Stage stage = Stage::kSecond;
};

std::span<const Row> rows();
const Row* find(std::string_view name);

inline constexpr std::string_view kRecipes[] = {"terrapin", "aws"};
inline constexpr std::string_view kBackbones[] = {"resnet-50", "resnet-101", "mobilenet-v2"};
inline constexpr std::string_view kAlgorithms[] = {"fcn", "psp", "deeplab", "lite"};

}  // namespace terrapin::training::table
