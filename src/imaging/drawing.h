// Pictures for people: overlays and sheets.
#pragma once

#include <string>
#include <vector>

#include "imaging/image.h"
#include "imaging/palette.h"

namespace terrapin::imaging {

// The photo with each class other than `transparent_label` tinted by its colour (opacity in [0,1]) and a
// one-to-two pixel outline between classes. 255 is drawn grey. Sizes must agree (std::invalid_argument).
Image overlay(const Image& photo, const Mask& mask, const Palette& palette, double opacity = 0.5,
              std::uint8_t transparent_label = 0);

// Text in a built-in 5x7 ASCII font scaled by `scale`; characters outside it show as '?'. Clipped at the
// edges.
void draw_text(Image& image, std::int64_t x, std::int64_t y, const std::string& text, Rgb color,
               int scale = 1);

struct SheetCell {
  Image picture;  // any size: fitted into the cell
  std::string caption;
};
// The size to which a picture of `size` is shrunk, keeping its shape (a side is at least 1), before it is
// kept for a sheet of such cells: twice the cell at most, so that a sheet of huge photos stays small in
// memory and still looks the same. Smaller pictures keep their size.
Size kept_for_cell(Size size, Size cell);
// Captions are cut to the cell. Cells in rows of `columns`, each `cell` large plus a caption line, on white.
Image contact_sheet(const std::vector<SheetCell>& cells, int columns, Size cell);

}  // namespace terrapin::imaging
