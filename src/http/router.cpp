#include "http/router.h"

#include <algorithm>
#include <stdexcept>

#include "base/percent.h"
#include "http/target.h"

namespace terrapin::http {
namespace {

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> parts;
  std::size_t start = 1;  // after the leading slash
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    parts.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

Result<std::vector<std::string>> decode_parts(std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string_view part : split_path(path)) {
    TERRAPIN_TRY(std::string decoded, percent_decode(part));
    if (decoded.find('\0') != std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, "the path must not hold a zero byte (%00)");
    }
    parts.push_back(std::move(decoded));
  }
  return parts;
}

enum class Part { kLiteral = 0, kOne = 1, kRest = 2 };

Part kind_of(std::string_view part) {
  if (part.size() < 3 || part.front() != '{' || part.back() != '}') return Part::kLiteral;
  return part[part.size() - 2] == '+' ? Part::kRest : Part::kOne;
}

std::string name_of(std::string_view part) {
  const std::size_t tail = kind_of(part) == Part::kRest ? 2 : 1;
  return std::string(part.substr(1, part.size() - 1 - tail));
}

bool matches(const Route& route, const std::vector<std::string>& parts,
             std::map<std::string, std::string>& parameters) {
  parameters.clear();
  for (std::size_t i = 0; i < route.pattern.size(); ++i) {
    if (i >= parts.size()) return false;
    const std::string& wanted = route.pattern[i];
    switch (kind_of(wanted)) {
      case Part::kLiteral:
        if (wanted != parts[i]) return false;
        break;
      case Part::kOne:
        if (parts[i].empty()) return false;
        parameters[name_of(wanted)] = parts[i];
        break;
      case Part::kRest: {
        std::string rest = parts[i];
        for (std::size_t k = i + 1; k < parts.size(); ++k) rest += "/" + parts[k];
        if (rest.empty()) return false;
        parameters[name_of(wanted)] = std::move(rest);
        return true;
      }
    }
  }
  return parts.size() == route.pattern.size();
}

// Smaller is more specific: compared part by part.
bool more_specific(const Route& a, const Route& b) {
  return std::lexicographical_compare(
      a.pattern.begin(), a.pattern.end(), b.pattern.begin(), b.pattern.end(),
      [](const std::string& x, const std::string& y) { return kind_of(x) < kind_of(y); });
}

}  // namespace

void Router::add(std::string method, std::string_view pattern, Handler handler, RunsOn runs_on) {
  if (pattern.empty() || pattern.front() != '/' || !handler) {
    throw std::invalid_argument(
        fmt::format("route {} '{}' needs a handler and a pattern that starts with '/'", method, pattern));
  }
  Route route{std::move(method), {}, std::move(handler), runs_on};
  for (const std::string_view part : split_path(pattern)) route.pattern.emplace_back(part);
  for (std::size_t i = 0; i + 1 < route.pattern.size(); ++i) {
    if (kind_of(route.pattern[i]) == Part::kRest) {
      throw std::invalid_argument(
          fmt::format("route '{}': {} must be the last part", pattern, route.pattern[i]));
    }
  }
  routes_.push_back(std::move(route));
}

void Router::set_fallback(Handler handler, std::function<bool(const Request& head)> claims) {
  if (!handler) throw std::invalid_argument("the fallback needs a handler");
  fallback_ = Route{"", {}, std::move(handler), RunsOn::kPool};
  claims_ = std::move(claims);
}

Result<Router::Match> Router::find(const Request& head) const {
  if (!claims_ || !claims_(head)) return find(head.method, head.path);
  Match match;
  match.route = &*fallback_;
  return match;
}

Result<Router::Match> Router::find(std::string_view method, std::string_view path) const {
  Match best;
  const auto decoded = decode_parts(path);
  if (!decoded && !fallback_) return tl::unexpected<Error>(decoded.error());
  if (!decoded) {
    best.route = &*fallback_;
    return best;
  }
  const std::vector<std::string>& parts = *decoded;
  const auto look_for = [&](std::string_view wanted) {
    std::map<std::string, std::string> parameters;
    for (const Route& route : routes_) {
      if (route.method != wanted || !matches(route, parts, parameters)) continue;
      if (best.route && !more_specific(route, *best.route)) continue;
      best.route = &route;
      best.parameters = parameters;
    }
  };
  look_for(method);
  if (!best.route && method == "HEAD") look_for("GET");
  if (!best.route && fallback_) best.route = &*fallback_;
  if (best.route) return best;

  std::map<std::string, std::string> unused;
  for (const Route& route : routes_) {
    if (!matches(route, parts, unused)) continue;
    best.allowed.push_back(route.method);
    if (route.method == "GET") best.allowed.emplace_back("HEAD");
  }
  std::sort(best.allowed.begin(), best.allowed.end());
  best.allowed.erase(std::unique(best.allowed.begin(), best.allowed.end()), best.allowed.end());
  return best;
}

}  // namespace terrapin::http
