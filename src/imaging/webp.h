// WebP through libwebp, where it was found at build time. Inside this folder only: others use
// imaging/codecs.h.
#pragma once

#include "imaging/codecs.h"

namespace terrapin::imaging {

// kUnsupported in a build without libwebp.
Result<PhotoInfo> read_webp_info(std::span<const std::uint8_t> bytes);
Result<Image> decode_webp(std::span<const std::uint8_t> bytes, const DecodeLimits& limits);

}  // namespace terrapin::imaging
