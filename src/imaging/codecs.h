// Reading and writing picture files. Decoders never crash on hostile bytes: every failure is an Error that
// names the cause. Decoded photos hold stored pixels; EXIF orientation is reported, not applied.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "imaging/image.h"
#include "imaging/palette.h"

namespace terrapin::imaging {

enum class FileType { kJpeg, kPng, kWebp, kUnknown };

// By the first bytes, never by the name.
FileType detect_file_type(std::span<const std::uint8_t> bytes);
const char* file_type_name(FileType type);

struct PhotoInfo {
  FileType type = FileType::kUnknown;
  Size size;
  int channels = 0;          // as stored: 1 grey, 3 colour, 4 CMYK or RGBA, 2 grey + alpha
  int exif_orientation = 1;  // 1..8; 1 if absent
};

struct DecodeLimits {
  std::int64_t max_pixels = 1'000'000'000;  // refuse above with kTooLarge, before any pixel is decoded
  // What decoding may need beside the colours that come of it, and a few rows: all coefficients of a
  // progressive JPEG, all pixels of an interlaced PNG or a WebP with transparency, and of a lossless WebP.
  // kTooLarge above; 0: no limit.
  std::int64_t max_memory_bytes = 0;
};

// Reads the header only.
Result<PhotoInfo> read_photo_info(std::span<const std::uint8_t> bytes);

// Any JPEG (grey, YCbCr, CMYK/YCCK incl. Adobe-inverted), PNG (1..16 bits, grey, palette, RGB, alpha: blended
// over white), WebP (where built in) -> RGB. Truncated or broken data is kCorrupt, another type kUnsupported.
Result<Image> decode_photo(std::span<const std::uint8_t> bytes, const DecodeLimits& limits = {});
Result<Image> read_photo(const std::filesystem::path& path, const DecodeLimits& limits = {});

// The photo at most `max_width` (>= 1) pixels wide, its shape kept, never enlarged. A JPEG is decoded at the
// eighths of its size that are just enough, so a large one costs little more than what it becomes, unless it
// is progressive (then its coefficients, about 3 bytes a pixel, are held too). Errors as decode_photo.
Result<Image> decode_photo_reduced(std::span<const std::uint8_t> bytes, std::int64_t max_width,
                                   const DecodeLimits& limits = {});

// What a mask file holds. Exactly one of `labels` and `colors` is set: an 8-bit (or 1, 2, 4-bit) grey or
// palette PNG gives labels as stored (palette kept in `palette`); an RGB(A) PNG gives colours (alpha 0 =
// #ffffff). 16-bit grey with every value <= 255 gives labels (a larger one is kInvalidArgument). Grey with
// alpha gives labels if it is opaque everywhere, colours otherwise. Only PNG: other types are kUnsupported.
struct MaskFile {
  std::optional<Mask> labels;
  std::optional<Image> colors;
  Palette palette;  // empty for grey
};
Result<MaskFile> decode_mask(std::span<const std::uint8_t> bytes, const DecodeLimits& limits = {});
Result<MaskFile> read_mask(const std::filesystem::path& path, const DecodeLimits& limits = {});
// The labels of a grey or palette PNG; an RGB file is kInvalidArgument with a message that says so.
Result<Mask> read_label_mask(const std::filesystem::path& path, const DecodeLimits& limits = {});

// `quality` 1..100; from 90 on colours keep their full resolution (4:4:4).
Result<Bytes> encode_jpeg(const Image& image, int quality = 92);
// `compression` 0 (none) .. 9; 2 costs half the time of 3 and a tenth more bytes on photos.
Result<Bytes> encode_png(const Image& image, int compression = 2);
// Indexed ("P" mode) PNG, 8 bits, one byte = one class index. `palette` may be shorter than 256; missing
// entries below the highest label used are filled with default colours so that every decoder accepts the
// file.
Result<Bytes> encode_indexed_png(const Mask& mask, const Palette& palette, int compression = 3);

// 8-bit grey: a byte of the raster is a level.
Result<Bytes> encode_grey_png(const Mask& levels, int compression = 3);

}  // namespace terrapin::imaging
