// The envelope of our registry files: {"format": ..., "version": 1, "<list>": [...]}. Inside labeling only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/json_text.h"
#include "base/result.h"

namespace terrapin::labeling {

constexpr int kRegistryVersion = 1;

// The list's items; none for an empty text. kCorrupt naming the field.
inline Result<nlohmann::json> registry_items(const std::string& text, const char* format, const char* list) {
  if (text.empty()) return nlohmann::json::array();
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return fail(ErrorCode::kCorrupt, "is not a JSON object");
  for (const auto& [name, value] : json.items())
    if (name != "format" && name != "version" && name != list)
      return fail(ErrorCode::kCorrupt, "unknown field '{}'", name);
  if (json.value("format", nlohmann::json()) != format)
    return fail(ErrorCode::kCorrupt, "field 'format' must be \"{}\"", format);
  if (json.value("version", nlohmann::json()) != kRegistryVersion)
    return fail(ErrorCode::kCorrupt, "field 'version' must be {}", kRegistryVersion);
  const auto items = json.find(list);
  if (items == json.end() || !items->is_array())
    return fail(ErrorCode::kCorrupt, "field '{}' must be a list", list);
  for (const auto& item : *items)
    if (!item.is_object()) return fail(ErrorCode::kCorrupt, "field '{}' must hold objects", list);
  return std::move(*items);
}

inline std::string registry_text(nlohmann::ordered_json items, const char* format, const char* list) {
  nlohmann::ordered_json json;
  json["format"] = format;
  json["version"] = kRegistryVersion;
  json[list] = std::move(items);
  return json_text(json, 1) + "\n";
}

}  // namespace terrapin::labeling
