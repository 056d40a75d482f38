// Strict reading of JSON objects: every field named, typed and ranged, nothing unknown, nothing twice.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin::artifacts {

// The text as JSON. kCorrupt for text that is not JSON (with the byte position), for an object that names a
// key twice (the library would silently keep one of the two) and for objects and arrays nested deeper than 64
// (the library copies and prints a value by recursion: a hostile file would exhaust the stack).
Result<nlohmann::json> parse_json(std::string_view text);
Result<nlohmann::ordered_json> parse_ordered_json(std::string_view text);

// A value as a message shows it: at most 60 characters of its JSON.
std::string shown(const nlohmann::json& value);

// Decimal digits only, no sign, no spaces; nullopt otherwise or above `max`.
std::optional<std::int64_t> parse_count(std::string_view text, std::int64_t max);

// Reads the fields of one object. The first failure sticks and is what `finish` returns; getters then answer
// with a harmless value, so that a list of fields reads top to bottom. `where` is the object's own name in
// messages
// ("network"; empty for the root). The JSON must outlive the reader.
class ObjectReader {
 public:
  ObjectReader(const nlohmann::json& json, std::string where);
  std::string text(const std::string& name);
  std::int64_t integer(const std::string& name, std::int64_t min, std::int64_t max);
  double number(const std::string& name, double min, double max);
  bool flag(const std::string& name);
  const nlohmann::json& object(const std::string& name);
  // `count` < 0: any length.
  const nlohmann::json& array(const std::string& name, std::int64_t count = -1);
  // Refuses fields that nobody asked for.
  Status finish();
  // "network.backbone"
  std::string path_of(const std::string& name) const;

 private:
  const nlohmann::json* find(const std::string& name);
  void refuse(const std::string& name, const nlohmann::json& value, const std::string& allowed);
  const nlohmann::json& json_;
  std::string where_;
  std::set<std::string> asked_;
  std::optional<Error> error_;
};

}  // namespace terrapin::artifacts
