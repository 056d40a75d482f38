#include "base/text.h"

#include <algorithm>
#include <sstream>

#include "base/files.h"

namespace terrapin {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::string lower_case(std::string text) {
  for (char& c : text) c = lower(c);
  return text;
}

std::string_view trimmed(std::string_view text, std::string_view blanks) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

Result<std::vector<TextLine>> read_text_lines(const std::filesystem::path& path, std::int64_t max_bytes) {
  TERRAPIN_TRY(const std::string text, read_text_file(path, max_bytes));
  std::vector<TextLine> result;
  std::istringstream lines(text);
  TextLine line;
  while (std::getline(lines, line.text)) {
    ++line.number;
    if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
    if (!line.text.empty()) result.push_back(line);
  }
  return result;
}

}  // namespace terrapin
