// What holds for photos of every type.
#pragma once

#include "fuzz/fuzz_target.h"
#include "imaging/codecs.h"

namespace terrapin::fuzz {

inline constexpr imaging::DecodeLimits kPhotoLimits{1 << 20};

inline void check_photo(Input bytes) {
  const auto info = imaging::read_photo_info(bytes);
  const auto photo = imaging::decode_photo(bytes, kPhotoLimits);
  if (!photo) return;
  require(info.has_value(), "a photo that decodes has a header that reads");
  require(info->size == photo->size() && !photo->empty(), "of the size that it says");
  require(photo->size().area() <= kPhotoLimits.max_pixels, "within the limit");
  require(info->exif_orientation >= 1 && info->exif_orientation <= 8, "orientations");
  const auto written = imaging::encode_png(*photo, 0);
  require(written.has_value(), "a photo that was read can be written");
  const auto again = imaging::decode_photo(*written, kPhotoLimits);
  require(again.has_value() && *again == *photo, "and is the same then");
}

}  // namespace terrapin::fuzz
