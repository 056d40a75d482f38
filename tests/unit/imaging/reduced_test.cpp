// Photos decoded at a fraction of their size.
#include <gtest/gtest.h>

#include "imaging/codecs.h"
#include "imaging/resize.h"

namespace terrapin::imaging {
namespace {

Image smooth(Size size) {
  Image image(size);
  for (std::int64_t y = 0; y < size.height; ++y)
    for (std::int64_t x = 0; x < size.width; ++x)
      image.set(x, y,
                {static_cast<std::uint8_t>(255 * x / size.width),
                 static_cast<std::uint8_t>(255 * y / size.height), static_cast<std::uint8_t>(128)});
  return image;
}

TEST(ReducedPhoto, IsNearTheWholePhotoResized) {
  const Image whole = smooth({1003, 517});
  const Bytes jpeg = encode_jpeg(whole, 95).value(), png = encode_png(whole).value();
  for (const std::int64_t width : {1, 7, 64, 125, 126, 500, 502, 900, 1002, 1003, 5000}) {
    const Size size = reduced_size(whole.size(), width);
    for (const Bytes* file : {&jpeg, &png}) {
      const auto reduced = decode_photo_reduced(*file, width);
      ASSERT_TRUE(reduced) << reduced.error().message;
      ASSERT_EQ(reduced->size(), size) << width;
      const Image wanted = size == whole.size() ? whole : resize(whole, size);
      for (std::size_t i = 0; i < wanted.bytes().size(); ++i)
        ASSERT_NEAR(reduced->bytes()[i], wanted.bytes()[i], 12) << width << " " << i;
    }
  }
  EXPECT_EQ(decode_photo_reduced(jpeg, 0).error().code, ErrorCode::kInvalidArgument);
}

TEST(ReducedPhoto, LimitsHoldForTheWholePhoto) {
  const Bytes jpeg = encode_jpeg(smooth({400, 300})).value();
  EXPECT_EQ(decode_photo_reduced(jpeg, 50, {.max_pixels = 119'999}).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(decode_photo_reduced(jpeg, 50, {.max_pixels = 120'000}));
  const Bytes half(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(jpeg.size() / 2));
  EXPECT_EQ(decode_photo_reduced(half, 50).error().code, ErrorCode::kCorrupt);
}

TEST(ReducedSize, KeepsTheShape) {
  EXPECT_EQ(reduced_size({12'000, 8'000}, 1'200), (Size{1'200, 800}));
  EXPECT_EQ(reduced_size({100, 1}, 10), (Size{10, 1}));  // never nothing
  EXPECT_EQ(reduced_size({10, 20}, 10), (Size{10, 20}));
  EXPECT_EQ(reduced_size({65'535, 65'535}, 64), (Size{64, 64}));
}

TEST(GreyPng, HoldsLevels) {
  Mask levels({3, 2});
  for (int i = 0; i < 6; ++i) levels.bytes()[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(50 * i);
  const auto file = decode_mask(encode_grey_png(levels).value()).value();
  ASSERT_TRUE(file.labels);
  EXPECT_EQ(*file.labels, levels);
  EXPECT_TRUE(file.palette.empty());
}

}  // namespace
}  // namespace terrapin::imaging
