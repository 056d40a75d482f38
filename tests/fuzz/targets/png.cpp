// PNG files, as they are and with their checksums made right, so that changes reach what lies behind them.
#include <zlib.h>

#include "fuzz/fuzz_target.h"
#include "fuzz/photo_checks.h"

using namespace terrapin;

namespace {

Bytes with_right_checksums(fuzz::Input input) {
  Bytes bytes(input.begin(), input.end());
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t length = std::size_t{bytes[at]} << 24 | std::size_t{bytes[at + 1]} << 16 |
                               std::size_t{bytes[at + 2]} << 8 | bytes[at + 3];
    if (length > bytes.size() - at - 12) break;
    const auto sum = ::crc32(0, bytes.data() + at + 4, static_cast<uInt>(length + 4));
    for (std::size_t i = 0; i < 4; ++i)
      bytes[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += length + 12;
  }
  return bytes;
}

}  // namespace

TERRAPIN_FUZZ_TARGET(png) {
  const Bytes fixed = with_right_checksums(input);
  check_photo(input);
  check_photo(fixed);
  for (const Input bytes : {input, Input(fixed)}) {
    const auto mask = imaging::decode_mask(bytes, kPhotoLimits);
    if (!mask) continue;
    require(mask->labels.has_value() != mask->colors.has_value(), "a mask has labels or colours");
    if (!mask->labels) continue;
    const auto written = imaging::encode_indexed_png(*mask->labels, mask->palette, 0);
    require(written.has_value(), "a mask that was read can be written");
    const auto again = imaging::decode_mask(*written, kPhotoLimits);
    require(again.has_value() && again->labels == mask->labels, "and is the same then");
  }
}
