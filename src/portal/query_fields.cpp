#include <algorithm>
#include <charconv>
#include <cmath>

#include "portal/implementation.h"

namespace terrapin::portal {

std::optional<std::string> QueryFields::text(const char* name) {
  known_.emplace_back(name);
  const auto value = request_.query_value(name);
  return value ? std::optional<std::string>(*value) : std::nullopt;
}

std::int64_t QueryFields::integer_or(const char* name, std::int64_t otherwise, std::int64_t least,
                                     std::int64_t most) {
  const auto value = text(name);
  if (!value) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error == std::errc() && end == value->data() + value->size() && number >= least && number <= most)
    return number;
  if (problem_.empty()) problem_ = fmt::format("'{}' must be an integer of {} to {}", name, least, most);
  return otherwise;
}

double QueryFields::number_or(const char* name, double otherwise) {
  const auto value = text(name);
  if (!value) return otherwise;
  double number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error == std::errc() && end == value->data() + value->size() && std::isfinite(number)) return number;
  if (problem_.empty()) problem_ = fmt::format("'{}' must be a number", name);
  return otherwise;
}

bool QueryFields::flag_or(const char* name, bool otherwise) {
  const auto value = text(name);
  if (!value) return otherwise;
  if (*value != "true" && *value != "false" && problem_.empty())
    problem_ = fmt::format("'{}' must be true or false", name);
  return *value == "true";
}

Status QueryFields::finish() const {
  if (!problem_.empty()) return fail(ErrorCode::kInvalidArgument, "{}", problem_);
  for (const auto& [name, value] : request_.query) {
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
      return fail(ErrorCode::kInvalidArgument, "'{}' is no query parameter here: known are {}", name,
                  fmt::join(known_, ", "));
    }
  }
  return {};
}

}  // namespace terrapin::portal
