#include "imaging/webp.h"

#ifdef TERRAPIN_WITH_WEBP
#include <webp/decode.h>

#include <cstring>

#include "imaging/jpeg.h"
#endif

namespace terrapin::imaging {

#ifdef TERRAPIN_WITH_WEBP
namespace {

const char* status_text(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "the data end early";
    case VP8_STATUS_BITSTREAM_ERROR:
      return "damaged bit stream";
    case VP8_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "unsupported feature";
    default:
      return "not a WebP picture";
  }
}

Result<WebPBitstreamFeatures> features_of(std::span<const std::uint8_t> bytes) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (status != VP8_STATUS_OK) {
    return fail(ErrorCode::kCorrupt, "broken or truncated WebP: {}", status_text(status));
  }
  if (features.has_animation != 0) {
    return fail(ErrorCode::kUnsupported, "animated WebP: still pictures only");
  }
  return features;
}

// The EXIF chunk of the RIFF container (some writers put JPEG's "Exif\0\0" before the TIFF block).
int orientation_of(std::span<const std::uint8_t> bytes) {
  std::size_t at = 12;
  while (at + 8 <= bytes.size()) {
    const std::size_t length = bytes[at + 4] | std::size_t{bytes[at + 5]} << 8U |
                               std::size_t{bytes[at + 6]} << 16U | std::size_t{bytes[at + 7]} << 24U;
    if (length > bytes.size() - at - 8) return 1;
    if (std::memcmp(bytes.data() + at, "EXIF", 4) == 0) {
      auto block = bytes.subspan(at + 8, length);
      if (length >= 6 && std::memcmp(block.data(), "Exif\0\0", 6) == 0) block = block.subspan(6);
      return exif_orientation(block);
    }
    at += 8 + length + (length & 1U);
  }
  return 1;
}

}  // namespace

Result<PhotoInfo> read_webp_info(std::span<const std::uint8_t> bytes) {
  TERRAPIN_TRY(const WebPBitstreamFeatures features, features_of(bytes));
  PhotoInfo info;
  info.type = FileType::kWebp;
  info.size = {features.width, features.height};
  info.channels = features.has_alpha != 0 ? 4 : 3;
  info.exif_orientation = orientation_of(bytes);
  return info;
}

Result<Image> decode_webp(std::span<const std::uint8_t> bytes, const DecodeLimits& limits) {
  TERRAPIN_TRY(const WebPBitstreamFeatures features, features_of(bytes));
  const Size size{features.width, features.height};
  if (size.area() > limits.max_pixels) {
    return fail(ErrorCode::kTooLarge, "WebP of {} x {} pixels: the limit is {} pixels", size.width,
                size.height, limits.max_pixels);
  }
  // Beside the colours: libwebp's own four bytes a pixel of a lossless one and the plane of a lossy one's
  // alpha, and ours with alpha.
  const bool lossy = features.format == 1, transparent = features.has_alpha != 0;
  const std::int64_t beside = (lossy ? (transparent ? 1 : 0) : 4) + (transparent ? 4 : 0);
  if (limits.max_memory_bytes > 0 && size.area() * beside > limits.max_memory_bytes) {
    return fail(ErrorCode::kTooLarge, "a WebP that needs more than {} bytes while it is decoded",
                limits.max_memory_bytes);
  }
  const auto pixels = static_cast<std::size_t>(size.area());
  Image image(size);
  if (!transparent) {
    if (WebPDecodeRGBInto(bytes.data(), bytes.size(), image.bytes().data(), pixels * 3, features.width * 3) ==
        nullptr) {
      return fail(ErrorCode::kCorrupt, "broken or truncated WebP: damaged bit stream");
    }
    return image;
  }
  Bytes rgba(pixels * 4);
  if (WebPDecodeRGBAInto(bytes.data(), bytes.size(), rgba.data(), pixels * 4, features.width * 4) ==
      nullptr) {
    return fail(ErrorCode::kCorrupt, "broken or truncated WebP: damaged bit stream");
  }
  for (std::size_t i = 0; i < pixels; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      image.bytes()[3 * i + c] =
          static_cast<std::uint8_t>((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  return image;
}
#else
namespace {
tl::unexpected<Error> not_built_in() {
  return fail(ErrorCode::kUnsupported, "WebP: this program was built without libwebp; use JPEG or PNG");
}
}  // namespace

Result<PhotoInfo> read_webp_info(std::span<const std::uint8_t>) {
  return not_built_in();
}
Result<Image> decode_webp(std::span<const std::uint8_t>, const DecodeLimits&) {
  return not_built_in();
}
#endif

}  // namespace terrapin::imaging
