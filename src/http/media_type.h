// Media types and content negotiation (RFC 9110, 8.3 and 12.5.1).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace terrapin::http {

// "Image/PNG; q=1" -> "image/png": lower case, parameters and blanks removed. nullopt if it is not
// type/subtype.
std::optional<std::string> media_type_essence(std::string_view text);

// Which of `offers` (lower-case types, our preference first) the Accept field allows with the highest
// quality; nullopt if none. An empty field allows everything. For each offer the most specific range counts
// (type/subtype, then type/*, then */*); q = 0 forbids; equal qualities are decided by the order of `offers`.
// Ranges that do not parse are skipped.
std::optional<std::size_t> negotiate(std::string_view accept, std::span<const std::string_view> offers);

}  // namespace terrapin::http
