#include "imaging/image.h"

#include <algorithm>
#include <stdexcept>

namespace terrapin::imaging {
namespace {

std::size_t checked_bytes(Size size, std::int64_t bytes_per_pixel) {
  if (size.width < 0 || size.height < 0) throw std::invalid_argument("a raster's sides must not be negative");
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(size.width, size.height, &bytes) ||
      __builtin_mul_overflow(bytes, bytes_per_pixel, &bytes)) {
    throw std::length_error("a raster of this size cannot be addressed");
  }
  return static_cast<std::size_t>(bytes);
}

}  // namespace

Size fitted(Size size, std::int64_t long_side) {
  const std::int64_t longest = std::max(size.width, size.height);
  if (longest <= long_side) return size;
  return {std::max<std::int64_t>(1, size.width * long_side / longest),
          std::max<std::int64_t>(1, size.height * long_side / longest)};
}

Image::Image(Size size, Rgb fill) : size_(size), pixels_(checked_bytes(size, 3), fill.red) {
  if (fill.red == fill.green && fill.green == fill.blue) return;
  for (std::size_t i = 0; i < pixels_.size(); i += 3) {
    pixels_[i + 1] = fill.green;
    pixels_[i + 2] = fill.blue;
  }
}

Mask::Mask(Size size, std::uint8_t fill) : size_(size), labels_(checked_bytes(size, 1), fill) {}

}  // namespace terrapin::imaging
