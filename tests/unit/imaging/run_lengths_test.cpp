#include "imaging/run_lengths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace terrapin::imaging {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

// The code, digit by digit from the number's bits.
Bytes naive_number(std::int64_t number) {
  Bytes digits;
  for (int bit = 0; bit < 63; bit += 7) digits.push_back(static_cast<std::uint8_t>(number >> bit & 127));
  while (digits.size() > 1 && digits.back() == 0) digits.pop_back();
  for (std::size_t i = 0; i + 1 < digits.size(); ++i) digits[i] |= 128;
  return digits;
}

std::string refusal(const Bytes& code, std::int64_t pixels) {
  const auto lengths = read_run_lengths(code, pixels);
  if (lengths) return "accepted";
  EXPECT_EQ(lengths.error().code, ErrorCode::kInvalidArgument);
  return lengths.error().message;
}

TEST(RunLengths, AreTheNumbersOfTheContract) {
  EXPECT_EQ(write_run_lengths(std::vector<std::int64_t>{0, 1, 127, 128, 300, 16'384}),
            (Bytes{0, 1, 127, 0x80, 0x01, 0xac, 0x02, 0x80, 0x80, 0x01}));
  for (const std::int64_t number :
       {std::int64_t{1}, std::int64_t{127}, std::int64_t{128}, std::int64_t{16'383}, std::int64_t{1} << 31,
        std::int64_t{1} << 32, (std::int64_t{1} << 56) - 1, std::int64_t{1} << 56, std::int64_t{1} << 62,
        kMost}) {
    const Bytes code = write_run_lengths(std::vector{number});
    EXPECT_EQ(code, naive_number(number)) << number;
    const auto read = read_run_lengths(code, number);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_THAT(*read, ElementsAre(number));
    // One pixel less, or one more, is another box.
    EXPECT_THAT(refusal(code, number - 1), HasSubstr(number == 1 ? "after all 0 pixels" : "passes the end"));
    if (number < kMost) {
      EXPECT_THAT(refusal(code, number + 1), HasSubstr(fmt::format("have {} pixels", number)));
    }
  }
}

TEST(RunLengths, AddUpToTheBox) {
  EXPECT_THAT(*read_run_lengths(Bytes{}, 0), ElementsAre());
  EXPECT_THAT(*read_run_lengths(Bytes{0, 6}, 6), ElementsAre(0, 6));
  EXPECT_THAT(*read_run_lengths(Bytes{6}, 6), ElementsAre(6));
  EXPECT_THAT(*read_run_lengths(Bytes{1, 2, 3}, 6), ElementsAre(1, 2, 3));
  EXPECT_THAT(refusal({}, 6), HasSubstr("0 pixels, expected 6"));
  EXPECT_THAT(refusal({1, 2}, 6), HasSubstr("3 pixels, expected 6"));
  EXPECT_THAT(refusal({1, 2, 4}, 6), HasSubstr("byte 2 passes the end: 3 pixels are left"));
  EXPECT_THAT(refusal({1, 2, 3, 1}, 6), HasSubstr("byte 3 after all 6 pixels"));
  EXPECT_THAT(refusal({0}, 0), HasSubstr("after all 0 pixels"));
  // The sides' product needs 64 bits.
  const std::int64_t wide = std::int64_t{100'000} * 100'000;
  EXPECT_THAT(*read_run_lengths(write_run_lengths(std::vector<std::int64_t>{wide - 7, 7}), wide),
              ElementsAre(wide - 7, 7));
}

TEST(RunLengths, HaveOneSpelling) {
  EXPECT_THAT(refusal({0x80, 0x00, 6}, 6), HasSubstr("byte 0 is longer than it need be"));
  EXPECT_THAT(refusal({1, 0x85, 0x00}, 6), HasSubstr("byte 1 is longer than it need be"));
  EXPECT_THAT(refusal({1, 0x85, 0x80, 0x80, 0x80, 0x00}, 6), HasSubstr("byte 1 is longer"));
  EXPECT_THAT(refusal({0, 0, 6}, 6), HasSubstr("byte 1 is empty"));
  EXPECT_THAT(refusal({3, 0, 3}, 6), HasSubstr("byte 1 is empty"));
  EXPECT_THAT(refusal({6, 0}, 6), HasSubstr("after all 6 pixels"));
  EXPECT_THAT(refusal({1, 0x85}, 6), HasSubstr("byte 1 is cut off after 1 bytes"));
  EXPECT_THAT(refusal({0x80}, 6), HasSubstr("cut off"));
}

TEST(RunLengths, NumbersDoNotOverflow) {
  // 2^63, 2^64, 2^70 and many digits of nothing.
  EXPECT_THAT(refusal({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, kMost),
              HasSubstr("passes the end"));
  EXPECT_THAT(refusal({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02}, kMost),
              HasSubstr("passes the end"));
  EXPECT_THAT(refusal({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, kMost),
              HasSubstr("passes the end"));
  EXPECT_NE(refusal(Bytes(100'000, 0x80), kMost), "accepted");
  EXPECT_NE(refusal(Bytes(100'000, 0xff), kMost), "accepted");
  // Two that add up to 2^64 + 6.
  EXPECT_NE(refusal({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 7}, 6), "accepted");
}

TEST(RunLengths, MasksComeBack) {
  Random random(5);
  for (int i = 0; i < 300; ++i) {
    Mask mask({random.below(40), random.below(40)});
    const std::int64_t share = random.below(11);
    for (std::uint8_t& label : mask.bytes()) label = random.below(10) < share ? 1 : 0;
    const auto code = encode_runs(mask, 10'000);
    ASSERT_TRUE(code);
    const auto decoded = decode_runs(*code, mask.size(), 10'000);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, mask);
  }
  Mask labels({3, 2});
  labels.set(1, 0, 7), labels.set(2, 0, 255), labels.set(0, 1, 1);
  EXPECT_EQ(*encode_runs(labels, 10), (Bytes{1, 3, 2}));  // runs go on in the next row
}

TEST(RunLengths, SizesAreCheckedBeforePixelsAreHeld) {
  const Bytes much = write_run_lengths(std::vector<std::int64_t>{0, std::int64_t{1} << 62});
  for (const Size size : {Size{std::int64_t{1} << 31, std::int64_t{1} << 31},
                          {kMost, kMost},
                          {kMost, 2},
                          {std::int64_t{1} << 32, std::int64_t{1} << 32},
                          {1001, 1000},
                          {1, 1'000'001}}) {
    const auto mask = decode_runs(much, size, 1'000'000);
    ASSERT_FALSE(mask);
    EXPECT_EQ(mask.error().code, ErrorCode::kTooLarge) << size.width;
    EXPECT_THAT(mask.error().message, HasSubstr("at most 1000000 are allowed"));
  }
  EXPECT_EQ(decode_runs(Bytes{}, {-1, 5}, 100).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(decode_runs(Bytes{}, {-5, -5}, 100).error().code, ErrorCode::kInvalidArgument);
  for (const Size none : {Size{0, 0}, {0, kMost}, {kMost, 0}}) {
    EXPECT_EQ(decode_runs(Bytes{}, none, 100)->size(), none);
    EXPECT_FALSE(decode_runs(Bytes{0}, none, 100));
  }
  EXPECT_EQ(decode_runs(Bytes{0, 0xc0, 0x84, 0x3d}, {1000, 1000}, 1'000'000)->bytes(),
            std::vector<std::uint8_t>(1'000'000, 1));
}

TEST(RunLengths, AnAnswerIsLimited) {
  Mask stripes({1000, 1});
  for (std::int64_t x = 0; x < 1000; x += 2) stripes.set(x, 0, 1);
  EXPECT_EQ(encode_runs(stripes, 1001)->size(), 1001U);
  const auto over = encode_runs(stripes, 1000);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(over.error().message, HasSubstr("more than 1000 bytes"));
}

}  // namespace
}  // namespace terrapin::imaging
