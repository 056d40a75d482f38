#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "imaging/codecs.h"
#include "unit/base/hostile_bytes.h"
#include "unit/imaging/sample_pictures.h"
#ifdef TERRAPIN_WITH_WEBP
#include <webp/encode.h>
#endif

namespace terrapin::imaging {
namespace {

#ifdef TERRAPIN_WITH_WEBP
Bytes taken(std::uint8_t* buffer, std::size_t length) {
  Bytes bytes(buffer, buffer + length);
  WebPFree(buffer);
  return bytes;
}

Bytes lossless(const Image& image) {
  std::uint8_t* out = nullptr;
  const std::size_t length =
      WebPEncodeLosslessRGB(image.bytes().data(), static_cast<int>(image.width()),
                            static_cast<int>(image.height()), static_cast<int>(image.width() * 3), &out);
  return taken(out, length);
}

TEST(Webp, LosslessIsExact) {
  const Image photo = test::photo_like({45, 31});
  const Bytes bytes = lossless(photo);
  EXPECT_EQ(detect_file_type(bytes), FileType::kWebp);
  const auto image = decode_photo(bytes);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(*image, photo);
  EXPECT_EQ(read_photo_info(bytes)->size, photo.size());
  EXPECT_EQ(read_photo_info(bytes)->channels, 3);
  EXPECT_EQ(decode_photo(bytes, {.max_pixels = 100}).error().code, ErrorCode::kTooLarge);
}

TEST(Webp, AlphaIsBlendedOverWhite) {
  const std::uint8_t rgba[] = {10, 20, 30, 255, 0, 100, 200, 128};
  std::uint8_t* out = nullptr;
  const std::size_t length = WebPEncodeLosslessRGBA(rgba, 2, 1, 8, &out);
  const Bytes bytes = taken(out, length);
  const auto image = decode_photo(bytes);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->at(0, 0), (Rgb{10, 20, 30}));
  EXPECT_EQ(image->at(1, 0), (Rgb{127, 177, 227}));
  EXPECT_EQ(read_photo_info(bytes)->channels, 4);
}

TEST(Webp, WhatIsHeldBesideThePixelsIsLimited) {
  const std::vector<std::uint8_t> rgba(30 * 20 * 4, 99);
  std::uint8_t* out = nullptr;
  std::size_t length = WebPEncodeLosslessRGBA(rgba.data(), 30, 20, 120, &out);
  const Bytes exact = taken(out, length);
  length = WebPEncodeRGBA(rgba.data(), 30, 20, 120, 80, &out);
  const Bytes lossy = taken(out, length);
  length = WebPEncodeRGB(rgba.data(), 30, 20, 90, 80, &out);
  const Bytes opaque = taken(out, length);
  const auto taken_by = [](const Bytes& file, std::int64_t bytes_a_pixel) {
    EXPECT_TRUE(decode_photo(file, {.max_memory_bytes = 30 * 20 * bytes_a_pixel}));
    const auto refused = decode_photo(file, {.max_memory_bytes = 30 * 20 * bytes_a_pixel - 1});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  };
  taken_by(exact, 8);
  taken_by(lossy, 5);
  taken_by(lossless(test::photo_like({30, 20})), 4);
  EXPECT_TRUE(decode_photo(opaque, {.max_memory_bytes = 1}));
}

std::vector<Bytes> two_kinds() {
  const Image photo = test::photo_like({60, 40});
  std::uint8_t* out = nullptr;
  const std::size_t length = WebPEncodeRGB(photo.bytes().data(), 60, 40, 180, 80, &out);
  return {taken(out, length), lossless(photo)};
}

TEST(Webp, EveryTruncationIsCorrupt) {
  for (const Bytes& whole : two_kinds()) {
    for (std::size_t kept = 12; kept < whole.size(); kept += 9) {
      const auto image = decode_photo(std::span(whole).first(kept));
      ASSERT_FALSE(image) << kept << " of " << whole.size();
      ASSERT_EQ(image.error().code, ErrorCode::kCorrupt);
    }
  }
}

TEST(Hostile, DamagedWebpsNeverCrash) {
  const std::vector<Bytes> files = two_kinds();
  Random random(1);
  terrapin::test::HostileRounds loop(600);
  for (std::int64_t round = loop.next(); round >= 0; round = loop.next()) {
    const auto image =
        decode_photo(terrapin::test::damaged(files[static_cast<std::size_t>(round % 2)], random),
                     {.max_pixels = 4'000'000});
    if (image) {
      ASSERT_EQ(image->bytes().size(), static_cast<std::size_t>(image->size().area() * 3)) << round;
    }
  }
}

TEST(Webp, IsNoMask) {
  const auto mask = decode_mask(lossless(Image({2, 2})));
  ASSERT_FALSE(mask);
  EXPECT_EQ(mask.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(mask.error().message, ::testing::HasSubstr("WebP"));
}
#else
TEST(Webp, IsRefusedByNameWhenNotBuiltIn) {
  const std::string head("RIFF\x10\0\0\0WEBPVP8 \0\0\0\0", 20);
  const auto image = decode_photo({reinterpret_cast<const std::uint8_t*>(head.data()), head.size()});
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(image.error().message, ::testing::HasSubstr("built without libwebp"));
}
#endif

}  // namespace
}  // namespace terrapin::imaging
