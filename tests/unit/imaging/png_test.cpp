// PNG in all its kinds, as photo and as mask.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "imaging/codecs.h"
#include "unit/base/temporary_folder.h"
#include "unit/imaging/sample_pictures.h"

namespace terrapin::imaging {
namespace {

using test::PngRecipe;
using test::write_png;
using ::testing::HasSubstr;

const std::vector<png_color> kFourColors = {{255, 255, 255}, {44, 160, 44}, {1, 2, 3}, {9, 8, 7}};

TEST(Png, RgbRoundTripIsExactAtEveryLevel) {
  const Image photo = test::photo_like({61, 43});
  for (int level = 0; level <= 9; ++level) EXPECT_EQ(*decode_photo(*encode_png(photo, level)), photo);
  EXPECT_EQ(encode_png(photo, 10).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_png(Image()).error().code, ErrorCode::kInvalidArgument);
}

TEST(Png, GreyOfEveryDepthBecomesRgb) {
  for (const int depth : {1, 2, 4, 8, 16}) {
    // Four pixels: 0, the smallest step, half, full.
    const unsigned full = (1U << static_cast<unsigned>(depth)) - 1;
    const unsigned values[4] = {0, 1, full / 2, full};
    Bytes packed(static_cast<std::size_t>((4 * depth + 7) / 8));
    for (unsigned i = 0; i < 4; ++i) {
      for (int bit = 0; bit < depth; ++bit) {
        const unsigned at = i * static_cast<unsigned>(depth) + static_cast<unsigned>(bit);
        if (values[i] >> (depth - 1 - bit) & 1U) packed[at / 8] |= static_cast<std::uint8_t>(0x80U >> at % 8);
      }
    }
    const auto image = decode_photo(
        write_png({.size = {4, 1}, .bit_depth = depth, .color_type = PNG_COLOR_TYPE_GRAY, .rows = packed}));
    ASSERT_TRUE(image) << image.error().message;
    for (int i = 0; i < 4; ++i) {
      const auto level = static_cast<std::uint8_t>((values[i] * 255.0) / full + 0.5);
      EXPECT_EQ(image->at(i, 0), (Rgb{level, level, level})) << depth << " bits, value " << values[i];
    }
  }
}

TEST(Png, SixteenBitColoursAreScaled) {
  PngRecipe recipe{.size = {1, 1}, .bit_depth = 16};
  recipe.rows = {0xFF, 0xFF, 0x80, 0x80, 0x00, 0x40};
  EXPECT_EQ(decode_photo(write_png(recipe))->at(0, 0), (Rgb{255, 128, 0}));
  EXPECT_EQ(read_photo_info(write_png(recipe))->channels, 3);
}

TEST(Png, PaletteBecomesColours) {
  for (const bool interlaced : {false, true}) {
    PngRecipe recipe{
        .size = {4, 1}, .bit_depth = 2, .color_type = PNG_COLOR_TYPE_PALETTE, .interlaced = interlaced};
    recipe.palette = kFourColors;
    recipe.rows = {0b00011011};
    const auto image = decode_photo(write_png(recipe));
    ASSERT_TRUE(image);
    for (int i = 0; i < 4; ++i) {
      const png_color c = kFourColors[static_cast<std::size_t>(i)];
      EXPECT_EQ(image->at(i, 0), (Rgb{c.red, c.green, c.blue}));
    }
  }
}

TEST(Png, AlphaIsBlendedOverWhite) {
  for (const bool interlaced : {false, true}) {
    PngRecipe recipe{.size = {3, 1}, .color_type = PNG_COLOR_TYPE_RGBA, .interlaced = interlaced};
    recipe.rows = {10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 128};
    const auto image = decode_photo(write_png(recipe));
    ASSERT_TRUE(image);
    EXPECT_EQ(image->at(0, 0), (Rgb{10, 20, 30}));
    EXPECT_EQ(image->at(1, 0), (Rgb{255, 255, 255}));
    EXPECT_EQ(image->at(2, 0), (Rgb{127, 177, 227}));
  }
  PngRecipe grey{.size = {1, 1}, .color_type = PNG_COLOR_TYPE_GRAY_ALPHA};
  grey.rows = {100, 51};
  EXPECT_EQ(decode_photo(write_png(grey))->at(0, 0), (Rgb{224, 224, 224}));
  EXPECT_EQ(read_photo_info(write_png(grey))->channels, 2);
  PngRecipe palette{.size = {2, 1}, .color_type = PNG_COLOR_TYPE_PALETTE};
  palette.palette = kFourColors;
  palette.palette_alpha = {255, 0};
  palette.rows = {1, 2};
  const auto image = decode_photo(write_png(palette));
  EXPECT_EQ(image->at(0, 0), (Rgb{255, 255, 255}));
  EXPECT_EQ(image->at(1, 0), (Rgb{1, 2, 3}));
}

TEST(Png, InterlacedIsTheSamePicture) {
  const Image photo = test::noise({37, 29});
  PngRecipe recipe{.size = photo.size(), .interlaced = true, .rows = photo.bytes()};
  EXPECT_EQ(*decode_photo(write_png(recipe)), photo);
  const Mask mask = test::blobs({37, 29}, 4);
  PngRecipe labels{.size = mask.size(),
                   .color_type = PNG_COLOR_TYPE_PALETTE,
                   .interlaced = true,
                   .palette = kFourColors,
                   .rows = mask.bytes()};
  EXPECT_EQ(*decode_mask(write_png(labels))->labels, mask);
}

TEST(Png, WhatIsHeldBesideThePixelsIsLimited) {
  PngRecipe recipe{.size = {30, 20}, .color_type = PNG_COLOR_TYPE_RGBA, .interlaced = true};
  recipe.rows.assign(30 * 20 * 4, 99);
  const DecodeLimits enough{.max_memory_bytes = 30 * 20 * 4}, less{.max_memory_bytes = 30 * 20 * 4 - 1};
  EXPECT_TRUE(decode_photo(write_png(recipe), enough));
  const auto refused = decode_photo(write_png(recipe), less);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(decode_mask(write_png(recipe), less).error().code, ErrorCode::kTooLarge);
  recipe.interlaced = false;  // row by row
  EXPECT_TRUE(decode_photo(write_png(recipe), less));
  const Image photo = test::noise({30, 20});
  EXPECT_TRUE(decode_photo(write_png({.size = photo.size(), .interlaced = true, .rows = photo.bytes()}),
                           {.max_memory_bytes = 1}));
}

TEST(Png, EveryTruncationIsCorrupt) {
  const Bytes photo = *encode_png(test::noise({24, 16}));
  const Bytes mask = *encode_indexed_png(test::blobs({64, 48}, 5), {});
  for (std::size_t length = 8; length < photo.size(); ++length) {
    const auto image = decode_photo(std::span(photo).first(length));
    ASSERT_FALSE(image) << length;
    ASSERT_EQ(image.error().code, ErrorCode::kCorrupt);
  }
  for (std::size_t length = 8; length < mask.size(); ++length) {
    const auto labels = decode_mask(std::span(mask).first(length));
    ASSERT_FALSE(labels) << length;
    ASSERT_EQ(labels.error().code, ErrorCode::kCorrupt);
  }
}

// libpng would allocate as much before it reads: a few bytes must not cost gigabytes.
TEST(Png, AChunkThatStatesMoreThanTheFileHasIsCorrupt) {
  const Bytes photo = *encode_png(test::noise({24, 16}));
  const Bytes claim{0x64, 0, 0, 0x1A, 'e', 'X', 'I', 'f', 'M', 'M', 0, 42};
  Bytes before = photo, behind = photo;
  before.insert(before.begin() + 33, claim.begin(), claim.end());  // after IHDR
  behind.insert(behind.end() - 12, claim.begin(), claim.end());    // before IEND
  for (const Bytes& bytes : {before, behind}) {
    const auto image = decode_photo(bytes);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(image.error().message, HasSubstr("a chunk states more bytes than the file has"));
  }
  EXPECT_EQ(read_photo_info(before).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(read_photo_info(behind)->size, (Size{24, 16}));  // the head alone is fine
}

TEST(Png, ClaimsBeyondWhatTheFileCanHoldAreCorrupt) {
  // IHDR says 20,000 x 20,000; the data are those of one pixel. The checksum is right.
  Bytes bytes = *encode_png(Image({1, 1}));
  const auto put = [&](std::size_t at, unsigned value) {
    for (unsigned i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  };
  put(16, 20'000), put(20, 20'000);
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = 12; i < 29; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ (crc & 1U ? 0xEDB88320U : 0U);
  }
  put(29, ~crc);
  const auto image = decode_photo(bytes);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(image.error().message, HasSubstr("cannot hold 20000 x 20000"));
}

TEST(IndexedPng, KeepsEveryLabelAndThePalette) {
  Mask mask({256, 3});
  for (std::size_t i = 0; i < mask.bytes().size(); ++i) mask.bytes()[i] = static_cast<std::uint8_t>(i);
  const Palette palette = {{255, 255, 255}, {44, 160, 44}};
  const auto bytes = encode_indexed_png(mask, palette);
  ASSERT_TRUE(bytes);
  EXPECT_EQ((*bytes)[24], 8) << "bit depth";
  EXPECT_EQ((*bytes)[25], PNG_COLOR_TYPE_PALETTE);
  const auto back = decode_mask(*bytes);
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_TRUE(back->labels);
  EXPECT_EQ(*back->labels, mask);
  EXPECT_EQ(back->palette.size(), 256U);
  EXPECT_EQ(back->palette[1], palette[1]);
  const auto photo = decode_photo(*bytes);
  ASSERT_TRUE(photo);
  EXPECT_EQ(photo->at(255, 1), default_palette(256)[255]);
}

TEST(IndexedPng, ShortPalettesAreFilledOnlyAsFarAsNeeded) {
  const Mask mask({4, 4}, 2);
  EXPECT_EQ(decode_mask(*encode_indexed_png(mask, {}))->palette.size(), 3U);
  EXPECT_EQ(decode_mask(*encode_indexed_png(mask, default_palette(7)))->palette, default_palette(7));
  EXPECT_EQ(encode_indexed_png(mask, Palette(257)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_indexed_png(Mask(), {}).error().code, ErrorCode::kInvalidArgument);
}

TEST(MaskFile, SmallDepthsGiveStoredValues) {
  PngRecipe grey{.size = {4, 1}, .bit_depth = 2, .color_type = PNG_COLOR_TYPE_GRAY};
  grey.rows = {0b00011011};
  const auto file = decode_mask(write_png(grey));
  ASSERT_TRUE(file && file->labels);
  EXPECT_EQ(file->labels->bytes(), (std::vector<std::uint8_t>{0, 1, 2, 3})) << "not scaled to 0..255";
  EXPECT_TRUE(file->palette.empty());
  PngRecipe bits{.size = {8, 1}, .bit_depth = 1, .color_type = PNG_COLOR_TYPE_PALETTE};
  bits.palette = {{0, 0, 0}, {255, 0, 0}};
  bits.rows = {0b01100101};
  EXPECT_EQ(decode_mask(write_png(bits))->labels->bytes(),
            (std::vector<std::uint8_t>{0, 1, 1, 0, 0, 1, 0, 1}));
}

TEST(MaskFile, TransparentPaletteEntriesAreStillLabels) {
  PngRecipe recipe{.size = {3, 1}, .color_type = PNG_COLOR_TYPE_PALETTE};
  recipe.palette = kFourColors;
  recipe.palette_alpha = {0, 128};
  recipe.rows = {0, 1, 3};
  const auto file = decode_mask(write_png(recipe));
  ASSERT_TRUE(file && file->labels);
  EXPECT_EQ(file->labels->bytes(), (std::vector<std::uint8_t>{0, 1, 3}));
}

TEST(MaskFile, ColoursStayColoursAndTransparentIsWhite) {
  PngRecipe recipe{.size = {3, 1}, .color_type = PNG_COLOR_TYPE_RGBA};
  recipe.rows = {44, 160, 44, 255, 44, 160, 44, 0, 44, 160, 44, 90};
  const auto file = decode_mask(write_png(recipe));
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->labels);
  ASSERT_TRUE(file->colors);
  EXPECT_EQ(file->colors->at(0, 0), (Rgb{44, 160, 44}));
  EXPECT_EQ(file->colors->at(1, 0), (Rgb{255, 255, 255}));
  EXPECT_EQ(file->colors->at(2, 0), (Rgb{44, 160, 44})) << "no blending: a blend is no class colour";
}

TEST(MaskFile, SixteenBitGreyHoldsLabelsIfTheyFit) {
  PngRecipe recipe{.size = {3, 1}, .bit_depth = 16, .color_type = PNG_COLOR_TYPE_GRAY};
  recipe.rows = {0, 0, 0, 7, 0, 255};
  EXPECT_EQ(decode_mask(write_png(recipe))->labels->bytes(), (std::vector<std::uint8_t>{0, 7, 255}));
  recipe.rows = {0, 0, 1, 0, 0, 255};
  const auto wide = decode_mask(write_png(recipe));
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(wide.error().message, HasSubstr("value 256 at pixel (1, 0)"));
}

TEST(MaskFile, GreyWithAlphaIsLabelsWhereOpaque) {
  PngRecipe recipe{.size = {2, 1}, .color_type = PNG_COLOR_TYPE_GRAY_ALPHA};
  recipe.rows = {0, 255, 3, 255};
  EXPECT_EQ(decode_mask(write_png(recipe))->labels->bytes(), (std::vector<std::uint8_t>{0, 3}));
  recipe.rows = {0, 255, 3, 0};
  const auto file = decode_mask(write_png(recipe));
  ASSERT_TRUE(file && file->colors);
  EXPECT_EQ(file->colors->at(1, 0), (Rgb{255, 255, 255}));
}

TEST(MaskFile, LabelReaderRefusesColoursAndJpegByName) {
  const terrapin::test::TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "rgb.png", *encode_png(Image({2, 2}))));
  ASSERT_TRUE(write_file_atomically(folder / "photo.png", *encode_jpeg(Image({2, 2}))));
  ASSERT_TRUE(write_file_atomically(folder / "good.png", *encode_indexed_png(Mask({2, 2}, 1), {})));
  EXPECT_EQ(read_label_mask(folder / "good.png")->bytes(), (std::vector<std::uint8_t>{1, 1, 1, 1}));
  const auto colors = read_label_mask(folder / "rgb.png");
  EXPECT_EQ(colors.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(colors.error().message, ::testing::AllOf(HasSubstr("rgb.png"), HasSubstr("RGB")));
  const auto jpeg = read_label_mask(folder / "photo.png");
  EXPECT_EQ(jpeg.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(jpeg.error().message, HasSubstr("JPEG"));
}

}  // namespace
}  // namespace terrapin::imaging
