#include <gtest/gtest.h>

#include "base/line_reader.h"
#include "base/utf8.h"

namespace terrapin {
namespace {

std::vector<std::string> lines_of(const std::string& text, std::size_t limit = 1 << 20) {
  LineReader reader(bytes_source(text), limit);
  std::vector<std::string> lines;
  while (auto line = reader.next().value()) {
    EXPECT_EQ(line->number, static_cast<std::int64_t>(lines.size()) + 1);
    lines.push_back(line->text + (line->cut ? "…" : ""));
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(LineReader, SplitsAtEitherLineEnd) {
  EXPECT_EQ(lines_of("a\r\nb\n\nc"), (Lines{"a", "b", "", "c"}));
  EXPECT_EQ(lines_of("a\n"), (Lines{"a"}));
  EXPECT_EQ(lines_of(""), Lines{});
  EXPECT_EQ(lines_of("\n"), (Lines{""}));
}

TEST(LineReader, CutsWhatIsTooLong) {
  EXPECT_EQ(lines_of("abcdef\nxyz\n", 3), (Lines{"abc…", "xyz"}));
}

TEST(LineReader, JoinsPiecesOfALargeText) {
  std::string text;
  Lines expected;
  for (int i = 0; i < 40'000; ++i) {
    expected.push_back(std::string(static_cast<std::size_t>(i % 37), 'x') + std::to_string(i));
    text += expected.back() + (i % 3 == 0 ? "\r\n" : "\n");
  }
  EXPECT_EQ(lines_of(text), expected);
}

TEST(Utf8, KnowsWellFormedText) {
  for (const char* good : {"", "a", "é", "€", "😀", "\xf4\x8f\xbf\xbf"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff", "a\xe2(\xa1"})
    EXPECT_FALSE(is_utf8(bad));
}

}  // namespace
}  // namespace terrapin
