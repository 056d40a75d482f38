#include "imaging/codecs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "unit/base/hostile_bytes.h"
#include "unit/base/temporary_folder.h"
#include "unit/imaging/sample_pictures.h"

namespace terrapin::imaging {
namespace {

using ::testing::HasSubstr;

double mean_difference(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.bytes().size(); ++i) sum += std::abs(int{a.bytes()[i]} - int{b.bytes()[i]});
  return sum / static_cast<double>(a.bytes().size());
}

void expect_near(Rgb got, Rgb want, int tolerance) {
  EXPECT_NEAR(got.red, want.red, tolerance);
  EXPECT_NEAR(got.green, want.green, tolerance);
  EXPECT_NEAR(got.blue, want.blue, tolerance);
}

TEST(Codecs, TypeComesFromTheBytes) {
  EXPECT_EQ(detect_file_type(*encode_jpeg(Image({2, 2}))), FileType::kJpeg);
  EXPECT_EQ(detect_file_type(*encode_png(Image({2, 2}))), FileType::kPng);
  const std::string webp("RIFF\x10\0\0\0WEBPVP8 ", 16), text = "hello";
  EXPECT_EQ(detect_file_type({reinterpret_cast<const std::uint8_t*>(webp.data()), webp.size()}),
            FileType::kWebp);
  EXPECT_EQ(detect_file_type({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}),
            FileType::kUnknown);
  EXPECT_STREQ(file_type_name(FileType::kWebp), "WebP");
}

TEST(Codecs, UnknownAndEmptyFilesAreRefused) {
  const Bytes gif = {'G', 'I', 'F', '8', '9', 'a', 0, 0};
  EXPECT_EQ(decode_photo(gif).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(read_photo_info(gif).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(decode_photo({}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_mask({}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_mask(gif).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(read_photo("/nonexistent/x.jpg").error().code, ErrorCode::kNotFound);
}

TEST(Jpeg, RoundTripStaysClose) {
  const Image photo = test::photo_like({123, 77});
  const auto bytes = encode_jpeg(photo, 95);
  ASSERT_TRUE(bytes);
  const auto back = decode_photo(*bytes);
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), photo.size());
  EXPECT_LT(mean_difference(*back, photo), 4);
  const auto info = read_photo_info(*bytes);
  EXPECT_EQ(info->type, FileType::kJpeg);
  EXPECT_EQ(info->size, photo.size());
  EXPECT_EQ(info->channels, 3);
  EXPECT_EQ(info->exif_orientation, 1);
}

TEST(Jpeg, RefusesImpossibleRequests) {
  EXPECT_EQ(encode_jpeg(Image()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_jpeg(Image({1, 1}), 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_jpeg(Image({70'000, 1})).error().code, ErrorCode::kInvalidArgument);
}

TEST(Jpeg, GreyAndProgressive) {
  for (const bool progressive : {false, true}) {
    test::JpegRecipe recipe{
        .size = {19, 11}, .channels = 1, .progressive = progressive, .samples = Bytes(19 * 11, 77)};
    const Bytes bytes = test::write_jpeg(recipe);
    const auto image = decode_photo(bytes);
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_EQ(read_photo_info(bytes)->channels, 1);
    expect_near(image->at(10, 5), {77, 77, 77}, 1);
  }
}

TEST(Jpeg, CmykIsMixedToRgbWithAndWithoutAdobesInversion) {
  // Ink: cyan 40, magenta 80, yellow 120, black 60 of 255. Light left: (255 - ink) * (255 - black) / 255.
  const auto light = [](int ink) { return static_cast<std::uint8_t>((255 - ink) * (255 - 60) / 255); };
  const Rgb want{light(40), light(80), light(120)};
  for (const bool ycck : {false, true}) {
    Bytes inverted, plain;
    for (int i = 0; i < 16 * 16; ++i) {
      inverted.insert(inverted.end(), {215, 175, 135, 195});
      plain.insert(plain.end(), {40, 80, 120, 60});
    }
    const Bytes adobe =
        test::write_jpeg({.size = {16, 16}, .channels = 4, .ycck = ycck, .samples = inverted});
    const auto image = decode_photo(adobe);
    ASSERT_TRUE(image) << image.error().message;
    expect_near(image->at(8, 8), want, 3);
    EXPECT_EQ(read_photo_info(adobe)->channels, 4);
    if (ycck) continue;  // YCCK is known by Adobe's marker alone
    const auto other = decode_photo(
        test::write_jpeg({.size = {16, 16}, .channels = 4, .adobe_marker = false, .samples = plain}));
    ASSERT_TRUE(other);
    expect_near(other->at(8, 8), want, 3);
  }
}

TEST(Jpeg, ExifOrientationIsReportedAndNotApplied) {
  const Image photo = test::photo_like({40, 20});
  const Bytes plain = *encode_jpeg(photo);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      const Bytes bytes = test::with_exif_orientation(plain, orientation, big_endian);
      const auto info = read_photo_info(bytes);
      ASSERT_TRUE(info);
      EXPECT_EQ(info->exif_orientation, orientation);
      EXPECT_EQ(info->size, photo.size());
      EXPECT_EQ(*decode_photo(bytes), *decode_photo(plain));
    }
  }
  EXPECT_EQ(read_photo_info(test::with_exif_orientation(plain, 9, true))->exif_orientation, 1);
}

TEST(Jpeg, EveryTruncationIsCorrupt) {
  for (const bool progressive : {false, true}) {
    Bytes whole;
    if (progressive) {
      const Image photo = test::photo_like({64, 48});
      whole =
          test::write_jpeg({.size = {64, 48}, .channels = 3, .progressive = true, .samples = photo.bytes()});
    } else {
      whole = *encode_jpeg(test::photo_like({64, 48}));
    }
    ASSERT_TRUE(decode_photo(whole));
    for (std::size_t length = 3; length < whole.size(); length += length < 700 ? 1 : 7) {
      const auto image = decode_photo(std::span(whole).first(length));
      ASSERT_FALSE(image) << length << " of " << whole.size() << " bytes were taken for a picture";
      ASSERT_EQ(image.error().code, ErrorCode::kCorrupt) << image.error().message;
    }
    EXPECT_FALSE(decode_photo(std::span(whole).first(whole.size() - 1)));
  }
}

TEST(Jpeg, TrailingBytesAreHarmless) {
  Bytes bytes = *encode_jpeg(test::photo_like({30, 30}));
  const Image image = *decode_photo(bytes);
  bytes.insert(bytes.end(), 1000, 0);
  EXPECT_EQ(*decode_photo(bytes), image);
}

TEST(Limits, AreCheckedBeforeDecoding) {
  const Image photo({100, 50}, {9, 9, 9});
  for (const Bytes& bytes : {*encode_jpeg(photo), *encode_png(photo)}) {
    EXPECT_TRUE(decode_photo(bytes, {.max_pixels = 5000}));
    const auto refused = decode_photo(bytes, {.max_pixels = 4999});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
    EXPECT_THAT(refused.error().message, HasSubstr("100 x 50"));
  }
  EXPECT_EQ(decode_mask(*encode_indexed_png(Mask({100, 50}), {}), {.max_pixels = 10}).error().code,
            ErrorCode::kTooLarge);
}

TEST(Limits, ShortFilesThatClaimToBeHugeAreNotAllocated) {
  Bytes jpeg = *encode_jpeg(Image({16, 16}));
  for (std::size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] != 0xFF || jpeg[i + 1] != 0xC0) continue;
    jpeg[i + 5] = jpeg[i + 7] = 0x7F, jpeg[i + 6] = jpeg[i + 8] = 0xFF;  // 32767 x 32767
    break;
  }
  const auto image = decode_photo(jpeg, {.max_pixels = std::int64_t{1} << 40});
  ASSERT_FALSE(image);
  EXPECT_THAT(image.error().message, HasSubstr("cannot hold"));
}

TEST(Codecs, ReadingAFileNamesItInErrors) {
  const terrapin::test::TemporaryFolder folder;
  Bytes bytes = *encode_png(test::noise({20, 20}));
  bytes.resize(bytes.size() / 2);
  ASSERT_TRUE(write_file_atomically(folder / "broken.png", bytes));
  const auto photo = read_photo(folder / "broken.png");
  ASSERT_FALSE(photo);
  EXPECT_EQ(photo.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(photo.error().message, HasSubstr("broken.png"));
  EXPECT_THAT(read_mask(folder / "broken.png").error().message, HasSubstr("broken.png"));
}

// Whatever the bytes, decoding gives a picture or an error.
void damage_and_decode(const std::vector<Bytes>& files, std::uint64_t seed, std::int64_t rounds) {
  Random random(seed);
  terrapin::test::HostileRounds loop(rounds);
  for (std::int64_t round = loop.next(); round >= 0; round = loop.next()) {
    const Bytes bytes =
        terrapin::test::damaged(files[static_cast<std::size_t>(round) % files.size()], random);
    const DecodeLimits limits{.max_pixels = 4'000'000};
    const auto photo = decode_photo(bytes, limits);
    if (photo) {
      ASSERT_EQ(photo->bytes().size(), static_cast<std::size_t>(photo->size().area() * 3)) << round;
    } else {
      ASSERT_FALSE(photo.error().message.empty()) << round;
    }
    const auto mask = decode_mask(bytes, limits);
    ASSERT_TRUE(!mask || mask->labels.has_value() != mask->colors.has_value()) << round;
    (void)read_photo_info(bytes);
  }
}

TEST(Hostile, DamagedJpegsNeverCrash) {
  const Image photo = test::photo_like({70, 50});
  damage_and_decode(
      {*encode_jpeg(photo, 80), test::with_exif_orientation(*encode_jpeg(photo, 80), 6, true),
       test::write_jpeg({.size = {70, 50}, .channels = 3, .progressive = true, .samples = photo.bytes()}),
       test::write_jpeg({.size = {16, 16}, .channels = 4, .ycck = true, .samples = Bytes(1024, 90)})},
      1, 1600);
}

TEST(Hostile, DamagedPngsNeverCrash) {
  test::PngRecipe recipe{
      .size = {33, 21}, .bit_depth = 16, .color_type = PNG_COLOR_TYPE_RGBA, .interlaced = true};
  recipe.rows.assign(33 * 21 * 8, 99);
  damage_and_decode({*encode_png(test::photo_like({50, 40})),
                     *encode_indexed_png(test::blobs({60, 40}, 5), {}), test::write_png(recipe)},
                    5, 1500);
}

// Decoding ours and PIL's way gave the same bytes on real photos when this was written; here only that every
// real photo and mask is readable.
TEST(Codecs, ReadsRealPhotosAndMasks) {
  const char* data = std::getenv("TERRAPIN_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "TERRAPIN_TEST_DATA is not set";
  const auto files = list_files(std::filesystem::path(data) / "turtle_heads", true);
  ASSERT_TRUE(files) << files.error().message;
  int photos = 0, masks = 0;
  for (const auto& file : *files) {
    if (file.extension() == ".jpg" && photos < 20) {
      const auto photo = read_photo(file);
      ASSERT_TRUE(photo) << photo.error().message;
      ++photos;
    } else if (file.extension() == ".png" && masks < 20) {
      const auto mask = read_label_mask(file);
      ASSERT_TRUE(mask) << mask.error().message;
      for (const auto label : mask->bytes()) ASSERT_LE(label, 1);
      ++masks;
    }
  }
  EXPECT_GT(photos, 0);
  EXPECT_GT(masks, 0);
}

}  // namespace
}  // namespace terrapin::imaging
