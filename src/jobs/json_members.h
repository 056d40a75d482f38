// Members of a JSON object with the type they must have: for what this program wrote itself. Inside jobs and
// control.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace terrapin::jobs {

// An object of version 1; kCorrupt naming `what` for anything else.
inline Result<nlohmann::json> parse_object(const std::string& text, const std::string& what) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(ErrorCode::kCorrupt, "{} is no JSON object", what);
  const auto version = json.find("version");
  if (version == json.end() || *version != 1)
    return fail(ErrorCode::kUnsupported, "{} is not of version 1, which this program reads", what);
  return json;
}

inline std::int64_t integer_of(const nlohmann::json& json, const char* name, std::int64_t otherwise) {
  const auto member = json.find(name);
  return member != json.end() && member->is_number_integer() ? member->get<std::int64_t>() : otherwise;
}

inline std::optional<int> optional_integer_of(const nlohmann::json& json, const char* name) {
  const auto member = json.find(name);
  if (member == json.end() || !member->is_number_integer()) return std::nullopt;
  return member->get<int>();
}

inline bool flag_of(const nlohmann::json& json, const char* name) {
  const auto member = json.find(name);
  return member != json.end() && member->is_boolean() && member->get<bool>();
}

inline std::string text_of(const nlohmann::json& json, const char* name) {
  const auto member = json.find(name);
  return member != json.end() && member->is_string() ? member->get<std::string>() : std::string();
}

inline std::vector<std::string> texts_of(const nlohmann::json& json, const char* name) {
  std::vector<std::string> texts;
  if (const auto member = json.find(name); member != json.end() && member->is_array())
    for (const auto& item : *member)
      if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

inline std::map<std::string, std::string> text_map_of(const nlohmann::json& json, const char* name) {
  std::map<std::string, std::string> texts;
  if (const auto member = json.find(name); member != json.end() && member->is_object())
    for (const auto& [key, value] : member->items())
      if (value.is_string()) texts[key] = value.get<std::string>();
  return texts;
}

// A time in microseconds; none leaves the member out.
inline void put_time(nlohmann::ordered_json& made, const char* name, const std::optional<Timestamp>& time) {
  if (time) made[name] = to_microseconds(*time);
}

inline std::optional<Timestamp> time_of(const nlohmann::json& json, const char* name) {
  const auto member = json.find(name);
  if (member == json.end() || !member->is_number_integer()) return std::nullopt;
  return from_microseconds(member->get<std::int64_t>());
}

}  // namespace terrapin::jobs
