#include "imaging/blur.h"

#include <cstdint>
#include <vector>

namespace terrapin::imaging {
namespace {

// One row filtered with (1 2 1) / 4 into 16-bit values four times as large; edges repeat.
void blur_row(const std::uint8_t* row, std::int64_t width, std::uint16_t* out) {
  for (std::int64_t x = 0; x < width; ++x) {
    const std::uint8_t* left = row + (x > 0 ? x - 1 : 0) * 3;
    const std::uint8_t* here = row + x * 3;
    const std::uint8_t* right = row + (x + 1 < width ? x + 1 : x) * 3;
    for (int c = 0; c < 3; ++c) out[x * 3 + c] = static_cast<std::uint16_t>(left[c] + 2 * here[c] + right[c]);
  }
}

}  // namespace

void blur(Image& image) {
  const std::int64_t width = image.width(), height = image.height();
  const auto stride = static_cast<std::size_t>(width * 3);
  std::vector<std::uint16_t> above(stride), here(stride), below(stride);
  blur_row(image.row(0), width, here.data());
  above = here;
  for (std::int64_t y = 0; y < height; ++y) {
    if (y + 1 < height) {
      blur_row(image.row(y + 1), width, below.data());
    } else {
      below = here;
    }
    std::uint8_t* out = image.row(y);
    for (std::size_t i = 0; i < stride; ++i) {
      out[i] = static_cast<std::uint8_t>((above[i] + 2 * here[i] + below[i] + 8) / 16);
    }
    above.swap(here);
    here.swap(below);
  }
}

}  // namespace terrapin::imaging
