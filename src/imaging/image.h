// Rasters. Pixel counts are 64-bit everywhere: a 100,000 x 100,000 raster must count right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace terrapin::imaging {

struct Size {
  std::int64_t width = 0, height = 0;
  std::int64_t area() const { return width * height; }
  friend bool operator==(const Size&, const Size&) = default;
};

// The size whose longer side is at most long_side, of the same shape (rounded down, at least 1).
Size fitted(Size size, std::int64_t long_side);

// Half-open box [x, x + width) x [y, y + height); may lie partly outside the raster it speaks of.
struct Box {
  std::int64_t x = 0, y = 0, width = 0, height = 0;
  friend bool operator==(const Box&, const Box&) = default;
};

struct Rgb {
  std::uint8_t red = 0, green = 0, blue = 0;
  friend bool operator==(const Rgb&, const Rgb&) = default;
  friend auto operator<=>(const Rgb&, const Rgb&) = default;  // NOLINT(modernize-use-nullptr): clang 14 errs
};

// A photo: 8-bit RGB, interleaved, rows top to bottom without padding. Pixels are the stored ones: EXIF
// orientation is never applied (see docs/formats/pixels.md).
class Image {
 public:
  Image() = default;
  Image(Size size, Rgb fill = {});
  Size size() const { return size_; }
  std::int64_t width() const { return size_.width; }
  std::int64_t height() const { return size_.height; }
  bool empty() const { return pixels_.empty(); }
  std::uint8_t* row(std::int64_t y) { return pixels_.data() + static_cast<std::size_t>(y * size_.width * 3); }
  const std::uint8_t* row(std::int64_t y) const {
    return pixels_.data() + static_cast<std::size_t>(y * size_.width * 3);
  }
  Rgb at(std::int64_t x, std::int64_t y) const {
    const std::uint8_t* p = row(y) + x * 3;
    return {p[0], p[1], p[2]};
  }
  void set(std::int64_t x, std::int64_t y, Rgb color) {
    std::uint8_t* p = row(y) + x * 3;
    p[0] = color.red, p[1] = color.green, p[2] = color.blue;
  }
  std::vector<std::uint8_t>& bytes() { return pixels_; }
  const std::vector<std::uint8_t>& bytes() const { return pixels_; }
  friend bool operator==(const Image&, const Image&) = default;

 private:
  Size size_;
  std::vector<std::uint8_t> pixels_;
};

// One raster of class indices: one byte a pixel, exclusive classes. 255 is "ignore" by convention.
class Mask {
 public:
  static constexpr std::uint8_t kIgnore = 255;
  Mask() = default;
  Mask(Size size, std::uint8_t fill = 0);
  Size size() const { return size_; }
  std::int64_t width() const { return size_.width; }
  std::int64_t height() const { return size_.height; }
  bool empty() const { return labels_.empty(); }
  std::uint8_t* row(std::int64_t y) { return labels_.data() + static_cast<std::size_t>(y * size_.width); }
  const std::uint8_t* row(std::int64_t y) const {
    return labels_.data() + static_cast<std::size_t>(y * size_.width);
  }
  std::uint8_t at(std::int64_t x, std::int64_t y) const { return row(y)[x]; }
  void set(std::int64_t x, std::int64_t y, std::uint8_t label) { row(y)[x] = label; }
  std::vector<std::uint8_t>& bytes() { return labels_; }
  const std::vector<std::uint8_t>& bytes() const { return labels_; }
  friend bool operator==(const Mask&, const Mask&) = default;

 private:
  Size size_;
  std::vector<std::uint8_t> labels_;
};

}  // namespace terrapin::imaging
