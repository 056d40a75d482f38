#include "imaging/codecs.h"

#include <cstring>

#include "imaging/jpeg.h"
#include "imaging/png.h"
#include "imaging/resize.h"
#include "imaging/webp.h"

namespace terrapin::imaging {
namespace {

tl::unexpected<Error> unknown_type(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return fail(ErrorCode::kCorrupt, "empty file: expected JPEG, PNG or WebP");
  return fail(ErrorCode::kUnsupported, "not a JPEG, PNG or WebP file");
}

// Pictures above 64 GiB of file are not pictures.
constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 36;

}  // namespace

FileType detect_file_type(std::span<const std::uint8_t> bytes) {
  const auto starts_with = [&](std::size_t at, const char* text, std::size_t length) {
    return bytes.size() >= at + length && std::memcmp(bytes.data() + at, text, length) == 0;
  };
  if (starts_with(0, "\xff\xd8\xff", 3)) return FileType::kJpeg;
  if (starts_with(0, "\x89PNG\r\n\x1a\n", 8)) return FileType::kPng;
  if (starts_with(0, "RIFF", 4) && starts_with(8, "WEBP", 4)) return FileType::kWebp;
  return FileType::kUnknown;
}

const char* file_type_name(FileType type) {
  switch (type) {
    case FileType::kJpeg:
      return "JPEG";
    case FileType::kPng:
      return "PNG";
    case FileType::kWebp:
      return "WebP";
    case FileType::kUnknown:
      break;
  }
  return "unknown";
}

Result<PhotoInfo> read_photo_info(std::span<const std::uint8_t> bytes) {
  switch (detect_file_type(bytes)) {
    case FileType::kJpeg:
      return read_jpeg_info(bytes);
    case FileType::kPng:
      return read_png_info(bytes);
    case FileType::kWebp:
      return read_webp_info(bytes);
    case FileType::kUnknown:
      break;
  }
  return unknown_type(bytes);
}

Result<Image> decode_photo(std::span<const std::uint8_t> bytes, const DecodeLimits& limits) {
  switch (detect_file_type(bytes)) {
    case FileType::kJpeg:
      return decode_jpeg(bytes, limits);
    case FileType::kPng:
      return decode_png(bytes, limits);
    case FileType::kWebp:
      return decode_webp(bytes, limits);
    case FileType::kUnknown:
      break;
  }
  return unknown_type(bytes);
}

Result<Image> decode_photo_reduced(std::span<const std::uint8_t> bytes, std::int64_t max_width,
                                   const DecodeLimits& limits) {
  if (max_width < 1)
    return fail(ErrorCode::kInvalidArgument, "a width of {} pixels: 1 is the least", max_width);
  Result<Image> image = detect_file_type(bytes) == FileType::kJpeg
                            ? decode_jpeg_scaled(bytes, max_width, limits)
                            : decode_photo(bytes, limits);
  if (!image || image->width() <= max_width) return image;
  TERRAPIN_TRY(const PhotoInfo info, read_photo_info(bytes));
  return resize(*image, reduced_size(info.size, max_width));
}

Result<Image> read_photo(const std::filesystem::path& path, const DecodeLimits& limits) {
  TERRAPIN_TRY(const Bytes bytes, read_file(path, kMaxFileBytes));
  auto image = decode_photo(bytes, limits);
  if (!image) return with_context(std::move(image.error()), path.string());
  return image;
}

Result<MaskFile> decode_mask(std::span<const std::uint8_t> bytes, const DecodeLimits& limits) {
  const FileType type = detect_file_type(bytes);
  if (type == FileType::kPng) return decode_png_mask(bytes, limits);
  if (type == FileType::kUnknown) {
    if (bytes.empty()) return fail(ErrorCode::kCorrupt, "empty file: expected a PNG mask");
    return fail(ErrorCode::kUnsupported, "not a PNG file: masks are PNG");
  }
  return fail(ErrorCode::kUnsupported, "a {} file: masks are PNG, whose pixels are exact",
              file_type_name(type));
}

Result<MaskFile> read_mask(const std::filesystem::path& path, const DecodeLimits& limits) {
  TERRAPIN_TRY(const Bytes bytes, read_file(path, kMaxFileBytes));
  auto mask = decode_mask(bytes, limits);
  if (!mask) return with_context(std::move(mask.error()), path.string());
  return mask;
}

Result<Mask> read_label_mask(const std::filesystem::path& path, const DecodeLimits& limits) {
  auto file = read_mask(path, limits);
  if (!file) return tl::unexpected<Error>(std::move(file.error()));
  if (!file->labels) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: an RGB mask; a palette or grey PNG of class indices is expected here "
                "(`terrapin transform` maps colours to indices)",
                path.string());
  }
  return std::move(*file->labels);
}

}  // namespace terrapin::imaging
