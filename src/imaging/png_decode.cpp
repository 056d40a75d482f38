#include <png.h>

#include <csetjmp>
#include <cstring>

#include "imaging/jpeg.h"
#include "imaging/png.h"

namespace terrapin::imaging {
namespace {

// As in jpeg.cpp: libpng jumps out of its calls, so each step holds plain values only.
class PngDecoder {
 public:
  explicit PngDecoder(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~PngDecoder() {
    if (png_ != nullptr) png_destroy_read_struct(&png_, &info_, nullptr);
  }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  bool read_header() {
    if (png_ == nullptr || info_ == nullptr) {
      std::strcpy(message_, "out of memory");
      return false;
    }
    if (!chunks_fit(false)) return false;
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, on_read);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Texts and colour profiles are of no use here, and their compressed forms are a way to eat memory.
    static const png_byte kSkipped[] = "iCCP\0iTXt\0tEXt\0zTXt\0sPLT\0hIST";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kSkipped, 6);
    png_read_info(png_, info_);
    return true;
  }

  Size size() const { return {png_get_image_width(png_, info_), png_get_image_height(png_, info_)}; }
  int color_type() const { return png_get_color_type(png_, info_); }
  int bit_depth() const { return png_get_bit_depth(png_, info_); }
  int stored_channels() const { return png_get_channels(png_, info_); }
  std::size_t stored_row_bytes() const { return png_get_rowbytes(png_, info_); }
  bool has_transparency() const { return png_get_valid(png_, info_, PNG_INFO_tRNS) != 0; }

  // Rows as 8-bit RGB, or RGBA where the file has transparency.
  bool expect_colors() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_scale_16(png_);
    png_set_expand(png_);  // palette to RGB, small greys to 8 bits, tRNS to alpha
    png_set_gray_to_rgb(png_);
    return update();
  }

  // Rows as stored, one byte (two for 16 bits, big-endian) a sample.
  bool expect_stored_samples() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_packing(png_);
    return update();
  }

  int channels() const { return png_get_channels(png_, info_); }
  std::size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  bool interlaced() const { return passes_ > 1; }

  // All rows, `stride` bytes apart, and the end of the file with its checksums.
  bool read_rows(std::uint8_t* pixels, std::size_t stride) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    const png_uint_32 height = png_get_image_height(png_, info_);
    for (int pass = 0; pass < passes_; ++pass) {
      for (png_uint_32 y = 0; y < height; ++y) png_read_row(png_, pixels + y * stride, nullptr);
    }
    if (!chunks_fit(true)) return false;
    png_read_end(png_, nullptr);
    return true;
  }

  // One row at a time, for files that are not interlaced.
  bool read_row(std::uint8_t* row) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_row(png_, row, nullptr);
    return true;
  }

  bool read_end() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    if (!chunks_fit(true)) return false;
    png_read_end(png_, nullptr);
    return true;
  }

  Palette palette() const {
    png_colorp colors = nullptr;
    int count = 0;
    Palette palette;
    if (png_get_PLTE(png_, info_, &colors, &count) == 0 || count <= 0) return palette;
    palette.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) palette.push_back({colors[i].red, colors[i].green, colors[i].blue});
    return palette;
  }

  int orientation() const {
    png_bytep block = nullptr;
    png_uint_32 length = 0;
    if (png_get_eXIf_1(png_, info_, &length, &block) == 0 || block == nullptr) return 1;
    return exif_orientation({block, length});
  }

  tl::unexpected<Error> error() const {
    return fail(ErrorCode::kCorrupt, "broken or truncated PNG: {}", message_);
  }

 private:
  // libpng allocates what a chunk's length states before it reads. Up to the pixels, which may be cut off
  // where only the head of a file is looked at, or all.
  bool chunks_fit(bool all) {
    constexpr std::size_t kSignature = 8, kHead = 8, kChecksum = 4;
    for (std::size_t at = kSignature; bytes_.size() >= kHead && at <= bytes_.size() - kHead;) {
      const bool pixels = std::memcmp(&bytes_[at + 4], "IDAT", 4) == 0;
      if (pixels && !all) break;
      const std::size_t length = png_get_uint_32(&bytes_[at]), left = bytes_.size() - at - kHead;
      if (length > left) {
        std::strcpy(message_, "a chunk states more bytes than the file has");
        return false;
      }
      at += kHead + length + kChecksum;
    }
    return true;
  }

  bool update() {
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof self->message_ - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep out, png_size_t length) {
    auto* self = static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (length > self->bytes_.size() - self->position_) png_error(png, "the data end early");
    std::memcpy(out, self->bytes_.data() + self->position_, length);
    self->position_ += length;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  char message_[160] = {};
};

Status check_size(const PngDecoder& decoder, std::size_t file_bytes, const DecodeLimits& limits) {
  const Size size = decoder.size();
  if (size.width > limits.max_pixels / size.height) {
    return fail(ErrorCode::kTooLarge, "PNG of {} x {} pixels: the limit is {} pixels", size.width,
                size.height, limits.max_pixels);
  }
  // Deflate shrinks by 1032 at most: a short file cannot hold a huge picture, which spares allocating it.
  constexpr std::size_t kMaxRatio = 1040;
  const std::size_t raw = decoder.stored_row_bytes() * static_cast<std::size_t>(size.height);
  if (raw / kMaxRatio > file_bytes) {
    return fail(ErrorCode::kCorrupt, "broken or truncated PNG: {} bytes cannot hold {} x {} pixels",
                file_bytes, size.width, size.height);
  }
  return {};
}

void blend_over_white(const std::uint8_t* rgba, std::uint8_t* rgb, std::size_t pixels) {
  for (std::size_t i = 0; i < pixels; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      rgb[3 * i + c] = static_cast<std::uint8_t>((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
}

// Colours for a mask: a fully transparent pixel shows the white background; otherwise the stored colour
// counts.
void drop_alpha(const std::uint8_t* rgba, std::uint8_t* rgb, std::size_t pixels) {
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      rgb[3 * i + c] = rgba[4 * i + 3] == 0 ? std::uint8_t{255} : rgba[4 * i + c];
    }
  }
}

using AlphaRule = void (*)(const std::uint8_t*, std::uint8_t*, std::size_t);

Result<Image> read_colors(PngDecoder& decoder, AlphaRule apply_alpha, const DecodeLimits& limits) {
  if (!decoder.expect_colors()) return decoder.error();
  const Size size = decoder.size();
  const auto width = static_cast<std::size_t>(size.width);
  const bool whole = decoder.interlaced() && decoder.channels() == 4;
  if (whole && limits.max_memory_bytes > 0 && size.area() > limits.max_memory_bytes / 4)
    return fail(ErrorCode::kTooLarge,
                "an interlaced PNG with transparency that needs more than {} bytes while it is decoded",
                limits.max_memory_bytes);
  Image image(size);
  if (decoder.channels() == 3) {
    if (!decoder.read_rows(image.bytes().data(), width * 3)) return decoder.error();
    return image;
  }
  if (whole) {
    Bytes rgba(width * static_cast<std::size_t>(size.height) * 4);
    if (!decoder.read_rows(rgba.data(), width * 4)) return decoder.error();
    apply_alpha(rgba.data(), image.bytes().data(), width * static_cast<std::size_t>(size.height));
    return image;
  }
  Bytes row(width * 4);
  for (std::int64_t y = 0; y < size.height; ++y) {
    if (!decoder.read_row(row.data())) return decoder.error();
    apply_alpha(row.data(), image.row(y), width);
  }
  if (!decoder.read_end()) return decoder.error();
  return image;
}

// Grey of 16 bits or grey with alpha: samples that fit a byte and are opaque are labels.
Result<MaskFile> labels_of_wide_grey(PngDecoder& decoder, std::span<const std::uint8_t> bytes,
                                     const DecodeLimits& limits) {
  const Size size = decoder.size();
  const auto sample_bytes = static_cast<std::size_t>(decoder.bit_depth() == 16 ? 2 : 1);
  const bool alpha = (decoder.color_type() & PNG_COLOR_MASK_ALPHA) != 0;
  if (!decoder.expect_stored_samples()) return decoder.error();
  const std::size_t pixel_bytes = sample_bytes * (alpha ? 2 : 1);
  const auto pixels = static_cast<std::size_t>(size.area());
  Bytes samples(pixels * pixel_bytes);
  if (!decoder.read_rows(samples.data(), static_cast<std::size_t>(size.width) * pixel_bytes)) {
    return decoder.error();
  }
  Mask mask(size);
  bool opaque = true;
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* sample = samples.data() + i * pixel_bytes;
    if (sample_bytes == 2 && sample[0] != 0 && !alpha) {
      return fail(ErrorCode::kInvalidArgument,
                  "16-bit grey mask with value {} at pixel ({}, {}): class indices are 0 to 255",
                  sample[0] * 256 + sample[1], i % static_cast<std::size_t>(size.width),
                  i / static_cast<std::size_t>(size.width));
    }
    mask.bytes()[i] = sample[sample_bytes - 1];
    if (alpha && (sample[pixel_bytes - 1] != 255 || (sample_bytes == 2 && sample[0] != 0))) opaque = false;
  }
  MaskFile file;
  if (opaque) {
    file.labels = std::move(mask);
    return file;
  }
  PngDecoder again(bytes);
  if (!again.read_header()) return again.error();
  TERRAPIN_TRY_STATUS(check_size(again, bytes.size(), limits));
  TERRAPIN_TRY(file.colors, read_colors(again, drop_alpha, limits));
  return file;
}

}  // namespace

Result<PhotoInfo> read_png_info(std::span<const std::uint8_t> bytes) {
  PngDecoder decoder(bytes);
  if (!decoder.read_header()) return decoder.error();
  PhotoInfo info;
  info.type = FileType::kPng;
  info.size = decoder.size();
  info.channels = decoder.color_type() == PNG_COLOR_TYPE_PALETTE ? 3 : decoder.stored_channels();
  info.exif_orientation = decoder.orientation();
  return info;
}

Result<Image> decode_png(std::span<const std::uint8_t> bytes, const DecodeLimits& limits) {
  PngDecoder decoder(bytes);
  if (!decoder.read_header()) return decoder.error();
  TERRAPIN_TRY_STATUS(check_size(decoder, bytes.size(), limits));
  return read_colors(decoder, blend_over_white, limits);
}

Result<MaskFile> decode_png_mask(std::span<const std::uint8_t> bytes, const DecodeLimits& limits) {
  PngDecoder decoder(bytes);
  if (!decoder.read_header()) return decoder.error();
  TERRAPIN_TRY_STATUS(check_size(decoder, bytes.size(), limits));
  MaskFile file;
  const int type = decoder.color_type();
  if ((type & PNG_COLOR_MASK_COLOR) != 0 && type != PNG_COLOR_TYPE_PALETTE) {
    TERRAPIN_TRY(file.colors, read_colors(decoder, drop_alpha, limits));
    return file;
  }
  if (type == PNG_COLOR_TYPE_GRAY_ALPHA || decoder.bit_depth() == 16) {
    return labels_of_wide_grey(decoder, bytes, limits);
  }
  const Size size = decoder.size();
  if (type == PNG_COLOR_TYPE_PALETTE) file.palette = decoder.palette();
  if (!decoder.expect_stored_samples()) return decoder.error();
  file.labels.emplace(size);
  if (!decoder.read_rows(file.labels->bytes().data(), static_cast<std::size_t>(size.width))) {
    return decoder.error();
  }
  return file;
}

}  // namespace terrapin::imaging
