// The alphabet of method, field and media type names.
#pragma once

#include <string_view>

namespace terrapin::http {

// RFC 9110, 5.6.2: one or more letters, digits or !#$%&'*+-.^_`|~
bool is_token(std::string_view text);

}  // namespace terrapin::http
