#include "unit/imaging/sample_pictures.h"

// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace terrapin::imaging::test {

Image photo_like(Size size, std::uint64_t seed) {
  Random random(seed);
  const double fx = random.uniform(0.02, 0.08), fy = random.uniform(0.02, 0.08);
  Image image(size);
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      const double a = std::sin(static_cast<double>(x) * fx), b = std::cos(static_cast<double>(y) * fy);
      const auto level = [&](double value) {
        return static_cast<std::uint8_t>(128 + 90 * value + static_cast<double>(random.below(20)));
      };
      image.set(x, y, {level(a * b), level((a + b) / 2), level(b)});
    }
  }
  return image;
}

Image noise(Size size, std::uint64_t seed) {
  Random random(seed);
  Image image(size);
  for (std::uint8_t& value : image.bytes()) value = static_cast<std::uint8_t>(random.below(256));
  return image;
}

Mask blobs(Size size, int classes, std::uint64_t seed) {
  Random random(seed);
  Mask mask(size);
  for (int i = 0; i < 3 * classes; ++i) {
    const std::int64_t cx = random.below(size.width), cy = random.below(size.height);
    const std::int64_t radius = 1 + random.below(std::max<std::int64_t>(2, size.width / 4));
    const auto label = static_cast<std::uint8_t>(random.below(classes));
    for (std::int64_t y = 0; y < size.height; ++y) {
      for (std::int64_t x = 0; x < size.width; ++x) {
        if ((x - cx) * (x - cx) + (y - cy) * (y - cy) <= radius * radius) mask.set(x, y, label);
      }
    }
  }
  return mask;
}

Bytes write_png(const PngRecipe& recipe) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  Bytes out;
  if (setjmp(png_jmpbuf(png)) != 0) throw std::runtime_error("libpng refused the test's recipe");
  png_set_write_fn(
      png, &out,
      [](png_structp writer, png_bytep data, png_size_t length) {
        auto* bytes = static_cast<Bytes*>(png_get_io_ptr(writer));
        bytes->insert(bytes->end(), data, data + length);
      },
      nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(recipe.size.width),
               static_cast<png_uint_32>(recipe.size.height), recipe.bit_depth, recipe.color_type,
               recipe.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!recipe.palette.empty()) {
    png_set_PLTE(png, info, recipe.palette.data(), static_cast<int>(recipe.palette.size()));
  }
  if (!recipe.palette_alpha.empty()) {
    png_set_tRNS(png, info, recipe.palette_alpha.data(), static_cast<int>(recipe.palette_alpha.size()),
                 nullptr);
  }
  png_write_info(png, info);
  const std::size_t stride = png_get_rowbytes(png, info);
  if (recipe.rows.size() != stride * static_cast<std::size_t>(recipe.size.height)) {
    throw std::invalid_argument("rows do not fit the recipe");
  }
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < recipe.size.height; ++y) {
    rows.push_back(const_cast<png_bytep>(recipe.rows.data() + static_cast<std::size_t>(y) * stride));
  }
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

Bytes write_jpeg(const JpegRecipe& recipe) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long length = 0;
  jpeg_mem_dest(&info, &buffer, &length);
  info.image_width = static_cast<JDIMENSION>(recipe.size.width);
  info.image_height = static_cast<JDIMENSION>(recipe.size.height);
  info.input_components = recipe.channels;
  info.in_color_space = recipe.channels == 1 ? JCS_GRAYSCALE : recipe.channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  if (recipe.channels == 4) jpeg_set_colorspace(&info, recipe.ycck ? JCS_YCCK : JCS_CMYK);
  info.write_Adobe_marker = recipe.channels == 4 && recipe.adobe_marker ? TRUE : FALSE;
  jpeg_set_quality(&info, 100, TRUE);
  if (recipe.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  const std::size_t stride = static_cast<std::size_t>(recipe.size.width * recipe.channels);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(recipe.samples.data() + info.next_scanline * stride);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  Bytes out(buffer, buffer + length);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return out;
}

Bytes with_exif_orientation(const Bytes& jpeg, int orientation, bool big_endian) {
  Bytes segment = {'E', 'x', 'i', 'f', 0, 0};
  const auto put16 = [&](unsigned value) {
    const auto high = static_cast<std::uint8_t>(value >> 8U), low = static_cast<std::uint8_t>(value);
    segment.push_back(big_endian ? high : low);
    segment.push_back(big_endian ? low : high);
  };
  const auto put32 = [&](unsigned value) {
    put16(big_endian ? value >> 16U : value & 0xFFFFU);
    put16(big_endian ? value & 0xFFFFU : value >> 16U);
  };
  for (int i = 0; i < 2; ++i) segment.push_back(big_endian ? 'M' : 'I');
  put16(42);
  put32(8);
  put16(2);                                              // entries
  put16(0x010F), put16(2), put32(4), put32(0x41424300);  // maker: "ABC"
  put16(0x0112), put16(3), put32(1), put16(static_cast<unsigned>(orientation)), put16(0);
  put32(0);
  const std::size_t length = segment.size() + 2;
  Bytes out(jpeg.begin(), jpeg.begin() + 2);
  for (const std::size_t byte : {std::size_t{0xFF}, std::size_t{0xE1}, length >> 8U, length & 0xFFU}) {
    out.push_back(static_cast<std::uint8_t>(byte));
  }
  out.insert(out.end(), segment.begin(), segment.end());
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

}  // namespace terrapin::imaging::test
