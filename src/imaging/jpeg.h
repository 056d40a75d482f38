// JPEG through libjpeg-turbo. Inside this folder only: others use imaging/codecs.h.
#pragma once

#include "imaging/codecs.h"

namespace terrapin::imaging {

Result<PhotoInfo> read_jpeg_info(std::span<const std::uint8_t> bytes);
Result<Image> decode_jpeg(std::span<const std::uint8_t> bytes, const DecodeLimits& limits);
// At the least number of eighths of its size that is still `wanted_width` wide.
Result<Image> decode_jpeg_scaled(std::span<const std::uint8_t> bytes, std::int64_t wanted_width,
                                 const DecodeLimits& limits);

// The orientation tag (1..8) of a TIFF block as EXIF carries it; 1 if absent or broken. `tiff` starts with
// "II" or "MM".
int exif_orientation(std::span<const std::uint8_t> tiff);

}  // namespace terrapin::imaging
