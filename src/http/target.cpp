#include "http/target.h"

namespace terrapin::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      result += ' ';
    } else if (text[i] != '%') {
      result += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
      if (low < 0) {
        return fail(ErrorCode::kInvalidArgument,
                    "'%' at byte {} of the request target must be followed by two hexadecimal digits", i);
      }
      result += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return result;
}

std::string percent_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || c == '-' || c == '.' || c == '_' || c == '~') {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result += '%';
      result += kDigits[byte >> 4];
      result += kDigits[byte & 15];
    }
  }
  return result;
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view part = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    TERRAPIN_TRY(std::string name, percent_decode(part.substr(0, equals), true));
    std::string value;
    if (equals != std::string_view::npos) {
      TERRAPIN_TRY(value, percent_decode(part.substr(equals + 1), true));
    }
    query.emplace_back(std::move(name), std::move(value));
  }
  return query;
}

Result<Target> parse_target(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    if (target.empty()) target = "/";
    break;
  }
  const std::size_t question = target.find('?');
  // "http://host?x" has an empty path, which means "/".
  const std::string path(question == 0 ? std::string_view("/") : target.substr(0, question));
  if (path.empty() || path.front() != '/') {
    return fail(ErrorCode::kInvalidArgument, "the request target must be a path that starts with '/'");
  }
  if (target.find('#') != std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, "the request target must not hold a fragment ('#')");
  }
  Target result;
  result.path = path;
  if (question != std::string_view::npos) {
    TERRAPIN_TRY(result.query, parse_query(target.substr(question + 1)));
  }
  return result;
}

}  // namespace terrapin::http
