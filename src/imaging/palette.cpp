#include "imaging/palette.h"

#include <algorithm>

namespace terrapin::imaging {
namespace {

constexpr Rgb kBackground{255, 255, 255};
constexpr Rgb kSingleLabel{0x2c, 0xa0, 0x2c};

// D3's category-10 list, the colours of the Ground Truth console.
constexpr Rgb kCategory10[] = {{0x1f, 0x77, 0xb4}, {0xff, 0x7f, 0x0e}, {0x2c, 0xa0, 0x2c}, {0xd6, 0x27, 0x28},
                               {0x94, 0x67, 0xbd}, {0x8c, 0x56, 0x4b}, {0xe3, 0x77, 0xc2}, {0x7f, 0x7f, 0x7f},
                               {0xbc, 0xbd, 0x22}, {0x17, 0xbe, 0xcf}};

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Hue in 1/1536 turns: integers only, so that every machine gives the same colours.
Rgb color_of_hue(int hue, int value, int floor) {
  const int sector = hue / 256, part = hue % 256;
  const int span = value - floor;
  const int rising = floor + span * part / 255, falling = value - span * part / 255;
  const auto rgb = [](int r, int g, int b) {
    return Rgb{static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(g), static_cast<std::uint8_t>(b)};
  };
  switch (sector) {
    case 0:
      return rgb(value, rising, floor);
    case 1:
      return rgb(falling, value, floor);
    case 2:
      return rgb(floor, value, rising);
    case 3:
      return rgb(floor, falling, value);
    case 4:
      return rgb(rising, floor, value);
    default:
      return rgb(value, floor, falling);
  }
}

}  // namespace

Result<Rgb> parse_hex_color(std::string_view text) {
  const auto refuse = [&] {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a colour: expected '#' and six hexadecimal digits",
                text);
  };
  if (text.size() != 7 || text[0] != '#') return refuse();
  int values[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const int high = digit_value(text[1 + 2 * i]), low = digit_value(text[2 + 2 * i]);
    if (high < 0 || low < 0) return refuse();
    values[i] = high * 16 + low;
  }
  return Rgb{static_cast<std::uint8_t>(values[0]), static_cast<std::uint8_t>(values[1]),
             static_cast<std::uint8_t>(values[2])};
}

std::string to_hex(Rgb color) {
  return fmt::format("#{:02x}{:02x}{:02x}", color.red, color.green, color.blue);
}

Palette default_palette(int class_count_with_background) {
  const int count = std::clamp(class_count_with_background, 0, 256);
  Palette palette;
  palette.reserve(static_cast<std::size_t>(count));
  if (count > 0) palette.push_back(kBackground);
  if (count == 2) {
    palette.push_back(kSingleLabel);
    return palette;
  }
  // Beyond the list: hues a golden section apart at alternating brightness; one that is taken moves on.
  int hue = 0, turn = 0;
  while (static_cast<int>(palette.size()) < count) {
    const std::size_t foreground = palette.size() - 1;
    if (foreground < std::size(kCategory10)) {
      palette.push_back(kCategory10[foreground]);
      continue;
    }
    hue = (hue + 949) % 1536;  // 1536 / golden ratio, and coprime to 1536
    const int value = 245 - 35 * (turn % 4), floor = turn % 3 == 0 ? 40 : turn % 3 == 1 ? 0 : 90;
    ++turn;
    const Rgb color = color_of_hue(hue, value, floor);
    if (std::find(palette.begin(), palette.end(), color) == palette.end()) palette.push_back(color);
  }
  return palette;
}

}  // namespace terrapin::imaging
