#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "imaging/codecs.h"

namespace terrapin::imaging {
namespace {

// Plain values only between setjmp and libpng's jumps, as in png_decode.cpp.
class PngEncoder {
 public:
  PngEncoder() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngEncoder() {
    if (png_ != nullptr) png_destroy_write_struct(&png_, &info_);
  }
  PngEncoder(const PngEncoder&) = delete;
  PngEncoder& operator=(const PngEncoder&) = delete;

  struct Picture {
    const std::uint8_t* pixels;
    std::size_t stride;
    png_uint_32 width, height;
    int color_type, filters, compression;
    const png_color* palette;
    int palette_count;
  };

  bool encode(const Picture& picture) {
    if (png_ == nullptr || info_ == nullptr) {
      std::strcpy(message_, "out of memory");
      return false;
    }
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(png_, this, on_write, on_flush);
    png_set_compression_level(png_, picture.compression);
    png_set_compression_buffer_size(png_, 1 << 16);
    png_set_filter(png_, PNG_FILTER_TYPE_BASE, picture.filters);
    png_set_IHDR(png_, info_, picture.width, picture.height, 8, picture.color_type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (picture.palette != nullptr) png_set_PLTE(png_, info_, picture.palette, picture.palette_count);
    png_write_info(png_, info_);
    for (png_uint_32 y = 0; y < picture.height; ++y) {
      png_write_row(png_, picture.pixels + y * picture.stride);
    }
    png_write_end(png_, info_);
    return true;
  }

  Bytes take() { return std::move(bytes_); }
  const char* message() const { return message_; }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngEncoder*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof self->message_ - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_flush(png_structp) {}
  static void on_write(png_structp png, png_bytep data, png_size_t length) {
    auto* self = static_cast<PngEncoder*>(png_get_io_ptr(png));
    bool stored = true;
    try {
      self->bytes_.insert(self->bytes_.end(), data, data + length);
    } catch (...) {
      stored = false;  // an exception must not cross libpng
    }
    if (!stored) png_error(png, "out of memory");
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Bytes bytes_;
  char message_[160] = {};
};

Status check(Size size, int compression) {
  if (size.width < 1 || size.height < 1 || size.width > PNG_UINT_31_MAX || size.height > PNG_UINT_31_MAX) {
    return fail(ErrorCode::kInvalidArgument, "a PNG's sides are 1 to {} pixels; the picture has {} x {}",
                PNG_UINT_31_MAX, size.width, size.height);
  }
  if (compression < 0 || compression > 9) {
    return fail(ErrorCode::kInvalidArgument, "PNG compression {}: allowed are 0 to 9", compression);
  }
  return {};
}

Result<Bytes> encode(const PngEncoder::Picture& picture) {
  PngEncoder encoder;
  if (!encoder.encode(picture)) return fail(ErrorCode::kInternal, "PNG encoder: {}", encoder.message());
  return encoder.take();
}

}  // namespace

Result<Bytes> encode_png(const Image& image, int compression) {
  TERRAPIN_TRY_STATUS(check(image.size(), compression));
  // SUB alone is nearly as small as trying every filter and several times as fast.
  return encode({image.bytes().data(), static_cast<std::size_t>(image.width()) * 3,
                 static_cast<png_uint_32>(image.width()), static_cast<png_uint_32>(image.height()),
                 PNG_COLOR_TYPE_RGB, compression >= 7 ? PNG_ALL_FILTERS : PNG_FILTER_SUB, compression,
                 nullptr, 0});
}

Result<Bytes> encode_indexed_png(const Mask& mask, const Palette& palette, int compression) {
  TERRAPIN_TRY_STATUS(check(mask.size(), compression));
  if (palette.size() > 256) {
    return fail(ErrorCode::kInvalidArgument, "a palette of {} colours: 256 are allowed", palette.size());
  }
  const int highest = *std::max_element(mask.bytes().begin(), mask.bytes().end());
  const int count = std::max(static_cast<int>(palette.size()), highest + 1);
  const Palette filler = default_palette(256);
  png_color colors[256];
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const Rgb color = i < palette.size() ? palette[i] : filler[i];
    colors[i] = {color.red, color.green, color.blue};
  }
  // Filters only hurt rasters of indices.
  return encode({mask.bytes().data(), static_cast<std::size_t>(mask.width()),
                 static_cast<png_uint_32>(mask.width()), static_cast<png_uint_32>(mask.height()),
                 PNG_COLOR_TYPE_PALETTE, PNG_FILTER_NONE, compression, colors, count});
}

Result<Bytes> encode_grey_png(const Mask& levels, int compression) {
  TERRAPIN_TRY_STATUS(check(levels.size(), compression));
  return encode({levels.bytes().data(), static_cast<std::size_t>(levels.width()),
                 static_cast<png_uint_32>(levels.width()), static_cast<png_uint_32>(levels.height()),
                 PNG_COLOR_TYPE_GRAY, PNG_FILTER_SUB, compression, nullptr, 0});
}

}  // namespace terrapin::imaging
