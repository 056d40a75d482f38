#include "imaging/drawing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "imaging/font.h"
#include "imaging/resize.h"

namespace terrapin::imaging {
namespace {

constexpr Rgb kIgnoreGrey{128, 128, 128};
constexpr int kMargin = 6;  // around cells and captions

std::array<Rgb, 256> colors_of_labels(const Palette& palette) {
  const Palette filler = default_palette(256);
  std::array<Rgb, 256> colors;
  for (std::size_t i = 0; i < colors.size(); ++i) colors[i] = i < palette.size() ? palette[i] : filler[i];
  colors[Mask::kIgnore] = kIgnoreGrey;
  return colors;
}

bool on_outline(const Mask& mask, std::int64_t x, std::int64_t y) {
  const std::uint8_t label = mask.at(x, y);
  return (x > 0 && mask.at(x - 1, y) != label) || (x + 1 < mask.width() && mask.at(x + 1, y) != label) ||
         (y > 0 && mask.at(x, y - 1) != label) || (y + 1 < mask.height() && mask.at(x, y + 1) != label);
}

// Characters as a person counts them: a UTF-8 sequence is one '?' rather than several.
std::string printable(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) != 0x80U) plain += byte >= ' ' && byte <= '~' ? c : '?';
  }
  return plain;
}

void paste(Image& onto, const Image& picture, std::int64_t x, std::int64_t y) {
  for (std::int64_t row = 0; row < picture.height(); ++row) {
    std::memcpy(onto.row(y + row) + x * 3, picture.row(row), static_cast<std::size_t>(picture.width()) * 3);
  }
}

Size fitted(Size picture, Size cell) {
  const double scale = std::min(static_cast<double>(cell.width) / static_cast<double>(picture.width),
                                static_cast<double>(cell.height) / static_cast<double>(picture.height));
  const auto side = [scale](std::int64_t length, std::int64_t limit) {
    return std::clamp<std::int64_t>(std::llround(static_cast<double>(length) * scale), 1, limit);
  };
  return {side(picture.width, cell.width), side(picture.height, cell.height)};
}

}  // namespace

Image overlay(const Image& photo, const Mask& mask, const Palette& palette, double opacity,
              std::uint8_t transparent_label) {
  if (photo.size() != mask.size()) {
    throw std::invalid_argument("overlay: photo and mask differ in size");
  }
  const std::array<Rgb, 256> colors = colors_of_labels(palette);
  const int share = static_cast<int>(std::lround(std::clamp(opacity, 0.0, 1.0) * 256));
  Image out = photo;
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    const std::uint8_t* labels = mask.row(y);
    std::uint8_t* pixel = out.row(y);
    for (std::int64_t x = 0; x < mask.width(); ++x, pixel += 3) {
      if (labels[x] == transparent_label) continue;
      const Rgb color = colors[labels[x]];
      const int part = on_outline(mask, x, y) ? 256 : share;
      const auto mixed = [part](int below, int above) {
        return static_cast<std::uint8_t>((below * (256 - part) + above * part + 128) / 256);
      };
      pixel[0] = mixed(pixel[0], color.red);
      pixel[1] = mixed(pixel[1], color.green);
      pixel[2] = mixed(pixel[2], color.blue);
    }
  }
  return out;
}

void draw_text(Image& image, std::int64_t x, std::int64_t y, const std::string& text, Rgb color, int scale) {
  const std::int64_t step = std::max(1, scale);
  for (const char c : printable(text)) {
    if (x >= image.width()) return;
    const auto& glyph = glyph_of(c);
    for (int column = 0; column < kGlyphWidth; ++column) {
      for (int row = 0; row < kGlyphHeight; ++row) {
        if ((glyph[static_cast<std::size_t>(column)] >> row & 1) == 0) continue;
        const std::int64_t left = std::max<std::int64_t>(0, x + column * step);
        const std::int64_t right = std::min(image.width(), x + (column + 1) * step);
        const std::int64_t top = std::max<std::int64_t>(0, y + row * step);
        const std::int64_t bottom = std::min(image.height(), y + (row + 1) * step);
        for (std::int64_t v = top; v < bottom; ++v) {
          for (std::int64_t u = left; u < right; ++u) image.set(u, v, color);
        }
      }
    }
    x += (kGlyphWidth + 1) * step;
  }
}

Size kept_for_cell(Size size, Size cell) {
  const Size limit{2 * cell.width, 2 * cell.height};
  return size.width <= limit.width && size.height <= limit.height ? size : fitted(size, limit);
}

Image contact_sheet(const std::vector<SheetCell>& cells, int columns, Size cell) {
  if (columns < 1 || cell.width < 1 || cell.height < 1) {
    throw std::invalid_argument("contact_sheet: columns and the cell's sides must be at least 1");
  }
  const int scale = cell.width >= 320 ? 2 : 1;
  const std::int64_t caption_height = kGlyphHeight * scale + kMargin;
  const auto count = static_cast<std::int64_t>(cells.size());
  const std::int64_t used_columns = std::clamp<std::int64_t>(count, 1, columns);
  const std::int64_t rows = std::max<std::int64_t>(1, (count + columns - 1) / columns);
  const std::int64_t step_x = cell.width + kMargin, step_y = cell.height + caption_height + kMargin;
  Image sheet({used_columns * step_x + kMargin, rows * step_y + kMargin}, {255, 255, 255});
  for (std::int64_t i = 0; i < count; ++i) {
    const SheetCell& entry = cells[static_cast<std::size_t>(i)];
    const std::int64_t left = kMargin + i % columns * step_x, top = kMargin + i / columns * step_y;
    if (!entry.picture.empty()) {
      const Image picture = resize(entry.picture, fitted(entry.picture.size(), cell));
      paste(sheet, picture, left + (cell.width - picture.width()) / 2,
            top + (cell.height - picture.height()) / 2);
    }
    std::string caption = printable(entry.caption);
    const auto room = static_cast<std::size_t>(cell.width / ((kGlyphWidth + 1) * scale));
    if (caption.size() > room)
      caption = room > 2 ? caption.substr(0, room - 2) + ".." : caption.substr(0, room);
    draw_text(sheet, left, top + cell.height + kMargin / 2, caption, {30, 30, 30}, scale);
  }
  return sheet;
}

}  // namespace terrapin::imaging
