// Pictures and files that the imaging tests make themselves.
#pragma once

#include <png.h>

#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "imaging/image.h"

namespace terrapin::imaging::test {

// Smooth waves with some noise: compresses like a photo.
Image photo_like(Size size, std::uint64_t seed = 1);
Image noise(Size size, std::uint64_t seed = 1);
// Blobs of labels below `classes`.
Mask blobs(Size size, int classes, std::uint64_t seed = 1);

// A PNG of any kind, written by libpng. `rows` are packed as PNG stores them.
struct PngRecipe {
  Size size;
  int bit_depth = 8, color_type = PNG_COLOR_TYPE_RGB;
  bool interlaced = false;
  std::vector<png_color> palette = {};
  std::vector<png_byte> palette_alpha = {};
  Bytes rows = {};
};
Bytes write_png(const PngRecipe& recipe);

// A JPEG of `channels` samples a pixel stored as they are: 1 grey, 4 CMYK (YCCK with `ycck`). libjpeg writes
// the Adobe marker for four channels; `adobe_marker` false suppresses it.
struct JpegRecipe {
  Size size;
  int channels = 1;
  bool ycck = false, adobe_marker = true, progressive = false;
  Bytes samples = {};
};
Bytes write_jpeg(const JpegRecipe& recipe);

// The same JPEG with an EXIF segment of that orientation after its first marker; `big_endian` TIFF or little.
Bytes with_exif_orientation(const Bytes& jpeg, int orientation, bool big_endian);

}  // namespace terrapin::imaging::test
