// JPEG files, read and written.
#include "fuzz/fuzz_target.h"
#include "fuzz/photo_checks.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(jpeg) {
  check_photo(input);
  const auto photo = imaging::decode_photo(input, kPhotoLimits);
  if (!photo || photo->size().area() > 4096) return;
  const auto written = imaging::encode_jpeg(*photo);
  require(written.has_value(), "a photo that was read can be written");
  const auto again = imaging::decode_photo(*written, kPhotoLimits);
  require(again.has_value() && again->size() == photo->size(), "and has the same size then");
}
