// The members of a JSON object, read by name. The first problem is kept; finish() tells it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace terrapin::portal {

class Fields {
 public:
  explicit Fields(const nlohmann::json& object);
  std::string text(const char* name);
  std::string text_or(const char* name, const std::string& otherwise);
  bool flag_or(const char* name, bool otherwise);
  std::int64_t integer(const char* name, std::int64_t least, std::int64_t most);
  std::int64_t integer_or(const char* name, std::int64_t otherwise, std::int64_t least, std::int64_t most);
  double number_or(const char* name, double otherwise, double least, double most);
  std::vector<std::string> texts_or(const char* name, const std::vector<std::string>& otherwise);
  // The member, if it is a list.
  const nlohmann::json* list(const char* name);
  // The member, if it is an object; null and no problem if it is missing.
  const nlohmann::json* object_or_none(const char* name);
  bool has(const char* name) const { return object_.is_object() && object_.contains(name); }
  // kInvalidArgument: the first member that is missing, mistyped or out of range, or one that was never asked
  // for.
  Status finish();

 private:
  const nlohmann::json* find(const char* name, bool needed);
  void refuse(const std::string& message);
  std::optional<std::string> checked(const char* name, const nlohmann::json& value);
  const nlohmann::json& object_;
  std::set<std::string> known_;
  std::string problem_;
};

}  // namespace terrapin::portal
