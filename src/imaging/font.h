// The built-in 5x7 font: printable ASCII from ' ' to '~'.
#pragma once

#include <array>
#include <cstdint>

namespace terrapin::imaging {

inline constexpr int kGlyphWidth = 5, kGlyphHeight = 7;

// Five columns, left to right; bit 0 is the top row. Characters without a glyph give that of '?'.
const std::array<std::uint8_t, 5>& glyph_of(char character);

}  // namespace terrapin::imaging
