// RFC 4648, section 5, without padding.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/files.h"

namespace terrapin::identity {

std::string encode_base64url(std::span<const std::uint8_t> bytes);
// False, with `bytes` untouched, for text that encode_base64url does not make.
bool decode_base64url(std::string_view text, Bytes& bytes);

}  // namespace terrapin::identity
