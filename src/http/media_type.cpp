#include "http/media_type.h"

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "http/token.h"

namespace terrapin::http {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Splits at `separator` outside quoted strings.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == separator && !quoted) {
      parts.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  parts.push_back(text.substr(start));
  return parts;
}

// qvalue = 0 to 1 with at most three decimals, in thousandths; -1 if it does not parse.
int parse_quality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return -1;
  int value = (text[0] - '0') * 1000;
  if (text.size() == 1) return value;
  if (text[1] != '.') return -1;
  int weight = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return -1;
    value += (c - '0') * weight;
    weight /= 10;
  }
  return value <= 1000 ? value : -1;
}

struct Range {
  std::string type;
  int quality = 1000;
};

std::vector<Range> parse_accept(std::string_view accept) {
  std::vector<Range> ranges;
  for (const std::string_view element : split(accept, ',')) {
    const auto parts = split(element, ';');
    const auto type = media_type_essence(parts.front());
    if (!type) continue;
    Range range{*type};
    for (const std::string_view parameter : std::span(parts).subspan(1)) {
      const std::string_view text = trim(parameter);
      if (text.size() >= 2 && (text[0] == 'q' || text[0] == 'Q') && text[1] == '=') {
        range.quality = parse_quality(trim(text.substr(2)));
        break;
      }
    }
    if (range.quality >= 0) ranges.push_back(std::move(range));
  }
  return ranges;
}

int quality_of(std::string_view offer, const std::vector<Range>& ranges) {
  const std::string family = std::string(offer.substr(0, offer.find('/'))) + "/*";
  for (const std::string_view wanted : {offer, std::string_view(family), std::string_view("*/*")}) {
    int best = -1;
    for (const Range& range : ranges) {
      if (range.type == wanted) best = std::max(best, range.quality);
    }
    if (best >= 0) return best;
  }
  return 0;
}

}  // namespace

std::optional<std::string> media_type_essence(std::string_view text) {
  text = trim(text.substr(0, text.find(';')));
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || !is_token(text.substr(0, slash)) ||
      !is_token(text.substr(slash + 1))) {
    return std::nullopt;
  }
  return lower_case(std::string(text));
}

std::optional<std::size_t> negotiate(std::string_view accept, std::span<const std::string_view> offers) {
  if (trim(accept).empty()) return offers.empty() ? std::nullopt : std::optional<std::size_t>(0);
  const std::vector<Range> ranges = parse_accept(accept);
  std::optional<std::size_t> chosen;
  int best = 0;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    const int quality = quality_of(offers[i], ranges);
    if (quality > best) {
      best = quality;
      chosen = i;
    }
  }
  return chosen;
}

}  // namespace terrapin::http
