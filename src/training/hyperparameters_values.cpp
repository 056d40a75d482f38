// Readers of one value, and the tables for people.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "training/hyperparameters_table.h"

namespace terrapin::training {
namespace table {
namespace {

std::string folded(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return result;
}

// The whole text as a number; nullopt for anything else, "nan" and "inf" included.
std::optional<double> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// "16", "+16", and "16.0" (Python scripts compute counts as floats).
std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc{} && end == digits.data() + digits.size()) return value;
  const std::optional<double> number = parse_number(text);
  if (!number || std::abs(*number) > 9.0e15 || *number != std::floor(*number)) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

}  // namespace

Error Value::error() const {
  return {ErrorCode::kInvalidArgument,
          fmt::format("hyperparameter {}=\"{}\" is not allowed; allowed: {}", name, text, allowed)};
}

Result<std::int64_t> Value::integer(std::int64_t low, std::int64_t high) const {
  const std::optional<std::int64_t> value = parse_integer(text);
  if (!value || *value < low || *value > high) return tl::unexpected<Error>(error());
  return *value;
}

Result<double> Value::number(const Range& range) const {
  const std::optional<double> value = parse_number(text);
  if (!value || *value < range.low || *value > range.high || (range.open_low && *value == range.low) ||
      (range.open_high && *value == range.high)) {
    return tl::unexpected<Error>(error());
  }
  return *value;
}

Result<bool> Value::boolean() const {
  const std::string word = folded(text);
  if (word == "true" || word == "1") return true;
  if (word == "false" || word == "0") return false;
  return tl::unexpected<Error>(error());
}

Result<std::vector<std::int64_t>> Value::integers() const {
  std::string_view rest = text;
  if (rest.size() >= 2 && rest.front() == '[' && rest.back() == ']') rest = rest.substr(1, rest.size() - 2);
  std::vector<std::int64_t> values;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::optional<std::int64_t> value = parse_integer(trimmed(rest.substr(0, comma), " "));
    if (!value) return tl::unexpected<Error>(error());
    values.push_back(*value);
    if (comma == std::string_view::npos) return values;
    rest.remove_prefix(comma + 1);
  }
}

Result<std::size_t> Value::choice(std::span<const std::string_view> names) const {
  const std::string word = folded(text);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (word == folded(names[i])) return i;
  }
  return tl::unexpected<Error>(error());
}

}  // namespace table

std::vector<HyperparameterRow> hyperparameter_rows() {
  const artifacts::NetworkSpec small;
  artifacts::NetworkSpec large;
  large.backbone = "resnet-50", large.algorithm = "fcn";
  const TrainingOptions aws = aws_recipe(large), ours = terrapin_recipe(small),
                        ours_large = terrapin_recipe(large);
  std::vector<HyperparameterRow> result;
  for (const table::Row& row : table::rows()) {
    HyperparameterRow line{std::string(row.name),        std::string(row.allowed),
                           std::string(row.aws_default), std::string(row.terrapin_default),
                           std::string(row.meaning),     row.from_aws};
    if (row.show != nullptr && row.aws_default.empty()) line.aws_default = row.show(aws);
    if (row.show != nullptr && row.terrapin_default.empty()) {
      line.terrapin_default = row.show(ours);
      const std::string on_resnet = row.show(ours_large);
      const bool network = row.name == "backbone" || row.name == "algorithm";
      if (network) line.terrapin_default += fmt::format(" (container: {})", on_resnet);
      if (!network && on_resnet != line.terrapin_default)
        line.terrapin_default += fmt::format(" (ResNet: {})", on_resnet);
    }
    result.push_back(std::move(line));
  }
  return result;
}

std::string hyperparameters_markdown() {
  std::string text;
  const auto add_table = [&](const char* title, bool from_aws) {
    text += fmt::format(
        "## {}\n\n| name | values | recipe=terrapin | recipe=aws | meaning |\n|---|---|---|---|---|\n",
        title);
    for (const HyperparameterRow& row : hyperparameter_rows()) {
      if (row.from_aws != from_aws) continue;
      text += fmt::format("| `{}` | {} | {} | {} | {} |\n", row.name, row.allowed, row.terrapin_default,
                          row.aws_default, row.meaning);
    }
  };
  add_table("The AWS algorithm's", true);
  text += "\n";
  add_table("Ours", false);
  return text;
}

std::vector<std::pair<std::string, std::string>> effective_hyperparameters(const TrainingOptions& options) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const table::Row& row : table::rows()) {
    if (row.show != nullptr) result.emplace_back(row.name, row.show(options));
  }
  return result;
}

}  // namespace terrapin::training
