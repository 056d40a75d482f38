#include "imaging/jpeg.h"

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

// jpeglib.h needs size_t and FILE before it.
#include <jerror.h>
#include <jpeglib.h>

namespace terrapin::imaging {
namespace {

// libjpeg reports errors by a callback that must not return: it jumps back to the setjmp of the running
// step. A step is therefore a function that holds plain values only: nothing with a destructor lives in a
// frame that is jumped over.
struct ErrorManager {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  std::jmp_buf escape;
  int code;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  manager->code = info->err->msg_code;
  info->err->format_message(info, manager->message);
  std::longjmp(manager->escape, 1);
}

// libjpeg goes on after a warning and fills the missing part with grey. Data that is damaged or ends early is
// an error here; oddities that change no pixel are not.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;  // trace
  ++info->err->num_warnings;
  switch (info->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_EXTRANEOUS_DATA:  // padding between segments, common in camera files
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_BOGUS_PROGRESSION:
      return;
    default:
      on_error(info);
  }
}

void on_output(j_common_ptr) {}

jpeg_error_mgr* prepare(ErrorManager& manager) {
  jpeg_std_error(&manager.base);
  manager.base.error_exit = on_error;
  manager.base.emit_message = on_message;
  manager.base.output_message = on_output;
  manager.code = 0;
  manager.message[0] = '\0';
  return &manager.base;
}

// Crafted progressive files repeat scans without end; real ones have about ten.
constexpr int kMaxScans = 200;

void on_progress(j_common_ptr info) {
  if (info->is_decompressor == 0) return;
  auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  if (decoder->input_scan_number > kMaxScans) {
    auto* manager = reinterpret_cast<ErrorManager*>(info->err);
    std::snprintf(manager->message, sizeof manager->message, "more than %d scans", kMaxScans);
    std::longjmp(manager->escape, 1);
  }
}

class JpegDecoder {
 public:
  explicit JpegDecoder(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
    info_.err = prepare(errors_);
    progress_.progress_monitor = on_progress;
  }
  ~JpegDecoder() {
    if (created_) jpeg_destroy_decompress(&info_);
  }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  // The steps: false means that error() says why.
  bool read_header() {
    if (setjmp(errors_.escape) != 0) return false;
    jpeg_create_decompress(&info_);
    created_ = true;
    info_.progress = &progress_;
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_mem_src(&info_, bytes_.data(), static_cast<unsigned long>(bytes_.size()));
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  bool start(J_COLOR_SPACE colors, unsigned eighths, std::int64_t max_memory_bytes) {
    if (setjmp(errors_.escape) != 0) return false;
    info_.mem->max_memory_to_use = static_cast<long>(max_memory_bytes);
    info_.out_color_space = colors;
    info_.scale_num = eighths;
    info_.scale_denom = 8;
    jpeg_start_decompress(&info_);
    return true;
  }

  // One row a call would cost a setjmp each: rows are read straight into the raster, `stride` bytes apart.
  bool read_rgb_rows(std::uint8_t* pixels, std::size_t stride) {
    if (setjmp(errors_.escape) != 0) return false;
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW rows[8];
      const JDIMENSION count =
          info_.output_height - info_.output_scanline < 8 ? info_.output_height - info_.output_scanline : 8;
      for (JDIMENSION i = 0; i < count; ++i) {
        rows[i] = pixels + (static_cast<std::size_t>(info_.output_scanline) + i) * stride;
      }
      jpeg_read_scanlines(&info_, rows, count);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  bool read_cmyk_rows(std::uint8_t* pixels, std::size_t stride, std::uint8_t* row, bool inverted) {
    if (setjmp(errors_.escape) != 0) return false;
    while (info_.output_scanline < info_.output_height) {
      std::uint8_t* out = pixels + static_cast<std::size_t>(info_.output_scanline) * stride;
      JSAMPROW rows[1] = {row};
      jpeg_read_scanlines(&info_, rows, 1);
      for (JDIMENSION x = 0; x < info_.output_width; ++x) {
        const std::uint8_t* ink = row + static_cast<std::size_t>(x) * 4;
        const int key = inverted ? ink[3] : 255 - ink[3];
        for (int c = 0; c < 3; ++c) {
          const int light = inverted ? ink[c] : 255 - ink[c];
          out[static_cast<std::size_t>(x) * 3 + static_cast<std::size_t>(c)] =
              static_cast<std::uint8_t>((light * key + 127) / 255);
        }
      }
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  const jpeg_decompress_struct& info() const { return info_; }

  tl::unexpected<Error> error() const {
    if (errors_.code == JERR_NO_BACKING_STORE)
      return fail(ErrorCode::kTooLarge,
                  "a progressive JPEG that needs more than {} bytes while it is decoded",
                  info_.mem->max_memory_to_use);
    const bool unsupported = errors_.code == JERR_SOF_UNSUPPORTED || errors_.code == JERR_BAD_PRECISION ||
                             errors_.code == JERR_CONVERSION_NOTIMPL || errors_.code == JERR_ARITH_NOTIMPL;
    return fail(unsupported ? ErrorCode::kUnsupported : ErrorCode::kCorrupt, "{} JPEG: {}",
                unsupported ? "unsupported" : "broken or truncated", errors_.message);
  }

 private:
  std::span<const std::uint8_t> bytes_;
  ErrorManager errors_{};
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct info_{};
  bool created_ = false;
};

int orientation_of(const jpeg_decompress_struct& info) {
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1 || marker->data_length < 6) continue;
    if (std::memcmp(marker->data, "Exif\0\0", 6) != 0) continue;  // XMP uses the same segment
    return exif_orientation({marker->data + 6, marker->data_length - 6});
  }
  return 1;
}

// A block of 8x8 takes at least a bit, so a short file cannot hold a huge picture: spares allocating it.
// Arithmetic coding has no such bound.
bool too_short_for_size(const jpeg_decompress_struct& info, std::size_t bytes) {
  constexpr std::int64_t kPixelsPerByte = 8 * 64 * 16;  // 16: sampling factors up to 4 x 4
  const std::int64_t pixels = std::int64_t{info.image_width} * info.image_height;
  return info.arith_code == 0 && pixels / kPixelsPerByte > static_cast<std::int64_t>(bytes);
}

class JpegEncoder {
 public:
  JpegEncoder() { info_.err = prepare(errors_); }
  ~JpegEncoder() {
    if (created_) jpeg_destroy_compress(&info_);
    std::free(buffer_);
  }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  bool encode(const std::uint8_t* pixels, JDIMENSION width, JDIMENSION height, int quality) {
    if (setjmp(errors_.escape) != 0) return false;
    jpeg_create_compress(&info_);
    created_ = true;
    jpeg_mem_dest(&info_, &buffer_, &length_);
    info_.image_width = width;
    info_.image_height = height;
    info_.input_components = 3;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    if (quality >= 90) info_.comp_info[0].h_samp_factor = info_.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < height) {
      JSAMPROW row = const_cast<JSAMPROW>(pixels + static_cast<std::size_t>(info_.next_scanline) * width * 3);
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

  Bytes take() const { return Bytes(buffer_, buffer_ + length_); }
  const char* message() const { return errors_.message; }

 private:
  ErrorManager errors_{};
  jpeg_compress_struct info_{};
  unsigned char* buffer_ = nullptr;  // libjpeg's, from malloc
  unsigned long length_ = 0;
  bool created_ = false;
};

}  // namespace

Result<PhotoInfo> read_jpeg_info(std::span<const std::uint8_t> bytes) {
  JpegDecoder decoder(bytes);
  if (!decoder.read_header()) return decoder.error();
  PhotoInfo info;
  info.type = FileType::kJpeg;
  info.size = {decoder.info().image_width, decoder.info().image_height};
  info.channels = decoder.info().num_components;
  info.exif_orientation = orientation_of(decoder.info());
  return info;
}

Result<Image> decode_jpeg(std::span<const std::uint8_t> bytes, const DecodeLimits& limits) {
  return decode_jpeg_scaled(bytes, std::numeric_limits<std::int64_t>::max(), limits);
}

Result<Image> decode_jpeg_scaled(std::span<const std::uint8_t> bytes, std::int64_t wanted_width,
                                 const DecodeLimits& limits) {
  JpegDecoder decoder(bytes);
  if (!decoder.read_header()) return decoder.error();
  const Size size{decoder.info().image_width, decoder.info().image_height};
  if (size.area() > limits.max_pixels) {
    return fail(ErrorCode::kTooLarge, "JPEG of {} x {} pixels: the limit is {} pixels", size.width,
                size.height, limits.max_pixels);
  }
  if (too_short_for_size(decoder.info(), bytes.size())) {
    return fail(ErrorCode::kCorrupt, "broken or truncated JPEG: {} bytes cannot hold {} x {} pixels",
                bytes.size(), size.width, size.height);
  }
  const bool cmyk =
      decoder.info().jpeg_color_space == JCS_CMYK || decoder.info().jpeg_color_space == JCS_YCCK;
  unsigned eighths = 1;
  while (eighths < 8 && size.width * eighths / 8 < wanted_width) ++eighths;
  if (!decoder.start(cmyk ? JCS_CMYK : JCS_RGB, eighths, limits.max_memory_bytes)) return decoder.error();
  Image image(Size{decoder.info().output_width, decoder.info().output_height});
  const std::size_t stride = static_cast<std::size_t>(image.width()) * 3;
  if (cmyk) {
    // Adobe's programs store 255 for "no ink", and say so only by writing their marker.
    const bool inverted = decoder.info().saw_Adobe_marker != 0;
    Bytes row(static_cast<std::size_t>(image.width()) * 4);
    if (!decoder.read_cmyk_rows(image.bytes().data(), stride, row.data(), inverted)) return decoder.error();
  } else if (!decoder.read_rgb_rows(image.bytes().data(), stride)) {
    return decoder.error();
  }
  return image;
}

Result<Bytes> encode_jpeg(const Image& image, int quality) {
  constexpr std::int64_t kMaxSide = 65500;
  if (image.empty() || image.width() > kMaxSide || image.height() > kMaxSide) {
    return fail(ErrorCode::kInvalidArgument, "a JPEG's sides are 1 to {} pixels; the picture has {} x {}",
                kMaxSide, image.width(), image.height());
  }
  if (quality < 1 || quality > 100) {
    return fail(ErrorCode::kInvalidArgument, "JPEG quality {}: allowed are 1 to 100", quality);
  }
  JpegEncoder encoder;
  if (!encoder.encode(image.bytes().data(), static_cast<JDIMENSION>(image.width()),
                      static_cast<JDIMENSION>(image.height()), quality)) {
    return fail(ErrorCode::kInternal, "JPEG encoder: {}", encoder.message());
  }
  return encoder.take();
}

}  // namespace terrapin::imaging
