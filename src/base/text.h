#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace terrapin {

// ASCII letters only, whatever the locale: for file extensions, media types and names of our own.
std::string lower_case(std::string text);

// Without the characters of `blanks` at either end.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t");

bool same_ignoring_case(std::string_view a, std::string_view b);

struct TextLine {
  std::int64_t number = 0;  // 1-based
  std::string text;         // without its line end, never empty
};
// The lines of a small text file that hold anything; a carriage return before the line end belongs to the
// end. kNotFound, kIo, kTooLarge above max_bytes, naming the file.
Result<std::vector<TextLine>> read_text_lines(const std::filesystem::path& path, std::int64_t max_bytes);

}  // namespace terrapin
