// Percent-encoding (RFC 3986, 2.1): of request targets, object keys and addresses.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin {

// Everything but the unreserved characters A-Z a-z 0-9 - . _ ~ becomes %XX, upper case; '/' stays if so told.
std::string percent_encode(std::string_view text, bool keep_slashes = false);

// Bytes for every %XX; kInvalidArgument names a '%' that two hexadecimal digits do not follow. With
// `plus_is_space`, '+' becomes ' ' (form encoding).
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// The same, but a '%' that two hexadecimal digits do not follow stays as it is.
std::string percent_decode_loosely(std::string_view text, bool plus_is_space = false);

}  // namespace terrapin
