#include "portal/cookies.h"

#include <algorithm>

#include "base/text.h"

namespace terrapin::portal {

std::string cookie_name(std::string_view name, bool secure) {
  return (secure ? "__Host-" : "") + std::string(name);
}

std::string read_cookie(const http::Request& request, const std::string& name) {
  std::string value;
  for (const auto& [field, text] : request.headers.fields()) {
    if (!same_ignoring_case(field, "cookie")) continue;
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = std::min(text.find(';', start), text.size());
      std::string_view pair = std::string_view(text).substr(start, end - start);
      pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
      start = end + 1;
      if (!pair.starts_with(name) || pair.substr(name.size(), 1) != "=") continue;
      const std::string found(pair.substr(name.size() + 1));
      if (!value.empty() && found != value) return {};
      value = found;
    }
  }
  return value;
}

std::string make_cookie(const std::string& name, const std::string& value, bool secure, SameSite same_site,
                        std::chrono::seconds lifetime) {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite={}{}", name, value, lifetime.count(),
                     same_site == SameSite::kStrict ? "Strict" : "Lax", secure ? "; Secure" : "");
}

}  // namespace terrapin::portal
