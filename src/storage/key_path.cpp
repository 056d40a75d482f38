#include "storage/key_path.h"

#include <cstdint>

#include "base/utf8.h"

namespace terrapin::storage {
namespace {

constexpr std::size_t kLongestName = 255;
// Of an escaped name, without its mark.
constexpr std::size_t kLongestPiece = 250;
constexpr std::string_view kFileMark = "%=";
constexpr std::string_view kFolderMark = "%-";
constexpr std::string_view kBeginMark = "%+";

bool has_mark(std::string_view name) {
  return name.starts_with(kFileMark) || name.starts_with(kFolderMark) || name.starts_with(kBeginMark);
}

bool needs_code(char c, NameRule rule) {
  if (c == '%') return true;
  if (rule == NameRule::kExact) return false;
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x7f || (c >= 'A' && c <= 'Z') ||
         std::string_view(":*?\"<>|\\").find(c) != std::string_view::npos;
}

// A dot or a blank at a name's end is dropped by the file systems that fold case.
bool ends_badly(std::string_view part) {
  return part.ends_with('.') || part.ends_with(' ');
}

std::string encoded(std::string_view part, NameRule rule) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const char c = part[i];
    const bool last = i + 1 == part.size();
    if (needs_code(c, rule) || (last && rule == NameRule::kFoldingCase && ends_badly(part))) {
      const auto byte = static_cast<unsigned char>(c);
      result += '%';
      result += kDigits[byte >> 4];
      result += kDigits[byte & 15];
    } else {
      result += c;
    }
  }
  return result;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

// The longest beginning of `text` that fits a piece without cutting a character or a code.
std::size_t piece_size(std::string_view text) {
  if (text.size() <= kLongestPiece) return text.size();
  std::size_t end = kLongestPiece;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  for (std::size_t back = 1; back <= 2 && back <= end; ++back)
    if (text[end - back] == '%') return end - back;
  return end;
}

}  // namespace

bool is_plain_part(std::string_view part, NameRule rule) {
  if (part.empty() || part == "." || part == ".." || part.size() > kLongestName || has_mark(part))
    return false;
  if (rule == NameRule::kExact) return true;
  if (ends_badly(part)) return false;
  for (const char c : part)
    if (c != '%' && needs_code(c, rule)) return false;
  return true;
}

std::string escaped_part(std::string_view part, bool is_folder, NameRule rule) {
  const std::string text = encoded(part, rule);
  std::string_view rest = text;
  std::string result;
  while (rest.size() > kLongestPiece) {
    const std::size_t size = piece_size(rest);
    result.append(kBeginMark).append(rest.substr(0, size)) += '/';
    rest.remove_prefix(size);
  }
  return result.append(is_folder ? kFolderMark : kFileMark).append(rest);
}

std::string key_folder_path(std::string_view prefix, NameRule rule) {
  std::string result;
  while (!prefix.empty()) {
    const std::size_t slash = prefix.find('/');
    const std::string_view part = prefix.substr(0, slash);
    prefix = slash == std::string_view::npos ? std::string_view() : prefix.substr(slash + 1);
    if (!result.empty()) result += '/';
    if (is_plain_part(part, rule)) {
      result += part;
    } else {
      result += escaped_part(part, true, rule);
    }
  }
  return result;
}

KeyPath key_path(std::string_view key, NameRule rule) {
  const std::size_t slash = key.rfind('/');
  const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
  const std::string_view part = key.substr(begin);
  std::string folder = key_folder_path(key.substr(0, begin), rule);
  if (!folder.empty()) folder += '/';
  KeyPath path;
  if (is_plain_part(part, rule)) path.plain = folder + std::string(part);
  path.escaped = folder + escaped_part(part, false, rule);
  return path;
}

ReadName read_name(std::string_view name, bool is_folder, bool piece, NameRule rule) {
  ReadName result;
  if (!has_mark(name)) {
    if (piece || !is_plain_part(name, rule) || !is_utf8(name)) return result;
    result.kind = ReadName::Kind::kPart;
    result.text = name;
    return result;
  }
  const bool begins = name.starts_with(kBeginMark);
  if (begins && !is_folder) return result;
  if (!begins && name.starts_with(kFolderMark) != is_folder) return result;
  std::optional<std::string> text = decoded(name.substr(2));
  if (!text) return result;
  result.escaped = true;
  result.text = std::move(*text);
  result.kind = begins ? ReadName::Kind::kBegins : ReadName::Kind::kPart;
  return result;
}

}  // namespace terrapin::storage
