// Colours of class indices.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "imaging/image.h"

namespace terrapin::imaging {

// Index -> colour, at most 256 entries.
using Palette = std::vector<Rgb>;

// "#1f77b4" -> Rgb; six hexadecimal digits after '#', either case. kInvalidArgument names the text.
Result<Rgb> parse_hex_color(std::string_view text);
std::string to_hex(Rgb color);  // lower case

// The colour Ground Truth gives class `index` of `count` foreground classes: background (index 0) is #ffffff,
// a single label is #2ca02c, further ones follow the D3 category-10 list; beyond ten, generated, distinct.
Palette default_palette(int class_count_with_background);

}  // namespace terrapin::imaging
