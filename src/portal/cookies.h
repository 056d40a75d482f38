#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "http/message.h"

namespace terrapin::portal {

enum class SameSite { kStrict, kLax };

// "__Host-<name>" on a secure connection, where no other host or path can set it; else the plain name.
std::string cookie_name(std::string_view name, bool secure);

// "" if the request has none, or several of that name that differ.
std::string read_cookie(const http::Request& request, const std::string& name);

// A Set-Cookie value: HttpOnly, Path=/, Secure if it is. A `lifetime` of zero removes the cookie.
std::string make_cookie(const std::string& name, const std::string& value, bool secure, SameSite same_site,
                        std::chrono::seconds lifetime);

}  // namespace terrapin::portal
