#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace terrapin {

// Bytes of the character that `text` begins with, 1 to 4; 0 if it is empty or begins with none. Well-formed
// UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
std::size_t utf8_length(std::string_view text);
// All of `text` is well-formed.
bool is_utf8(std::string_view text);
// Characters of well-formed `text`: its bytes that begin one.
std::int64_t count_characters(std::string_view text);

}  // namespace terrapin
