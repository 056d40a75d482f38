#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace terrapin {

// JSON as text, indented by `indent` spaces, on one line if negative. File names are bytes: what is not UTF-8
// in a string becomes U+FFFD, where the library itself would throw.
inline std::string json_text(const nlohmann::json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}
// The same with members in the order in which they were written; not for { } lists, which are the one above.
template <class Json>
requires std::is_same_v<Json, nlohmann::ordered_json> std::string json_text(const Json& json,
                                                                            int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace terrapin
