// JPEG through libjpeg-turbo. Inside this folder only: others use imaging/codecs.h.
#pragma once

#include "imaging/codecs.h"

namespace terrapin::imaging {

Result<PhotoInfo> read_jpeg_info(std::span<const std::uint8_t> bytes);
Result<Image> decode_jpeg(std::span<const std::uint8_t> bytes, const DecodeLimits& limits);

// The orientation tag (1..8) of a TIFF block as EXIF carries it; 1 if absent or broken. `tiff` starts with
// "II" or "MM".
int exif_orientation(std::span<const std::uint8_t> tiff);

}  // namespace terrapin::imaging
