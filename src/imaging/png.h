// PNG through libpng. Inside this folder only: others use imaging/codecs.h.
#pragma once

#include "imaging/codecs.h"

namespace terrapin::imaging {

Result<PhotoInfo> read_png_info(std::span<const std::uint8_t> bytes);
Result<Image> decode_png(std::span<const std::uint8_t> bytes, const DecodeLimits& limits);
Result<MaskFile> decode_png_mask(std::span<const std::uint8_t> bytes, const DecodeLimits& limits);

}  // namespace terrapin::imaging
