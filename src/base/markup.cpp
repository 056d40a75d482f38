#include "base/markup.h"

#include <algorithm>
#include <cstddef>

#include "base/utf8.h"

namespace terrapin {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

std::string_view reference_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\r':  // a reader would make '\n' of it
      return "&#13;";
    default:
      return {};
  }
}

bool is_forbidden(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  if (first < 0x20) return first != '\t' && first != '\n' && first != '\r';
  return character == "\xef\xbf\xbe" || character == "\xef\xbf\xbf";
}

}  // namespace

std::string markup_text(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::string_view character = text.substr(0, utf8_length(text));
    if (character.empty() || is_forbidden(character)) {
      result += kReplacement;
    } else if (const std::string_view reference = reference_of(character.front()); !reference.empty()) {
      result += reference;
    } else {
      result += character;
    }
    text.remove_prefix(std::max<std::size_t>(1, character.size()));
  }
  return result;
}

}  // namespace terrapin
