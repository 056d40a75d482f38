#include "base/percent.h"

#include <cstddef>

namespace terrapin {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// The byte that the escape at text[at] stands for; -1 if it is none.
int escaped_byte(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return -1;
  const int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Decodes into `result`; the place of the first broken escape, which stays as it is, or npos.
std::size_t decode(std::string_view text, bool plus_is_space, std::string& result) {
  std::size_t broken = std::string_view::npos;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? escaped_byte(text, i) : -1;
    if (byte >= 0) {
      result += static_cast<char>(byte);
      i += 2;
      continue;
    }
    if (text[i] == '%' && broken == std::string_view::npos) broken = i;
    result += text[i] == '+' && plus_is_space ? ' ' : text[i];
  }
  return broken;
}

}  // namespace

std::string percent_encode(std::string_view text, bool keep_slashes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (c == '/' && keep_slashes)) {
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

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string result;
  const std::size_t broken = decode(text, plus_is_space, result);
  if (broken == std::string_view::npos) return result;
  return fail(ErrorCode::kInvalidArgument, "'%' at byte {} must be followed by two hexadecimal digits",
              broken);
}

std::string percent_decode_loosely(std::string_view text, bool plus_is_space) {
  std::string result;
  decode(text, plus_is_space, result);
  return result;
}

}  // namespace terrapin
