#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace terrapin::identity {

// The text under this name of a JSON object; empty where there is none, or something else.
inline std::string text_member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace terrapin::identity
