#include "base/percent.h"

#include <gtest/gtest.h>

namespace terrapin {
namespace {

TEST(PercentCoding, DecodesEveryByteItEncodes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
  EXPECT_EQ(percent_decode_loosely(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a/b c~"), "a%2Fb%20c~");
  EXPECT_EQ(percent_encode("a/b c~", true), "a/b%20c~");
}

TEST(PercentCoding, BrokenEscapesAreRefusedOrStay) {
  for (const char* text : {"%", "a%4", "%zz", "%4g", "ok%"}) {
    const auto result = percent_decode(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(percent_decode_loosely(text), text);
  }
  EXPECT_EQ(percent_decode("a%41%4").error().message,
            "'%' at byte 4 must be followed by two hexadecimal digits");
  EXPECT_EQ(percent_decode_loosely("%%41"), "%A");
}

TEST(PercentCoding, PlusIsASpaceOnlyInForms) {
  EXPECT_EQ(percent_decode("a+b%2B", true).value(), "a b+");
  EXPECT_EQ(percent_decode("a+b%2B").value(), "a+b+");
  EXPECT_EQ(percent_decode_loosely("a+b%2B", true), "a b+");
}

}  // namespace
}  // namespace terrapin
