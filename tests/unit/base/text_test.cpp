#include "base/text.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "unit/base/temporary_folder.h"

namespace terrapin {
namespace {

TEST(Text, LowerCaseTouchesAsciiLettersOnly) {
  EXPECT_EQ(lower_case("AZ az 09 @[`{ \xc4\xff"), "az az 09 @[`{ \xc4\xff");
}

TEST(Text, SameIgnoringCase) {
  EXPECT_TRUE(same_ignoring_case("Content-Type", "content-TYPE"));
  EXPECT_FALSE(same_ignoring_case("content-type", "content-typ"));
  EXPECT_FALSE(same_ignoring_case("[", "{"));
}

TEST(Text, LinesKeepTheirNumbers) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "list.txt";
  ASSERT_TRUE(write_file_atomically(path, "one\r\n\n\r\n two \nlast"));
  const auto lines = read_text_lines(path, 100);
  ASSERT_TRUE(lines) << lines.error().message;
  ASSERT_EQ(lines->size(), 3U);
  EXPECT_EQ((*lines)[0].text, "one");
  EXPECT_EQ((*lines)[1].number, 4);
  EXPECT_EQ((*lines)[1].text, " two ");
  EXPECT_EQ((*lines)[2].number, 5);
  EXPECT_EQ((*lines)[2].text, "last");
  const auto refused = read_text_lines(path, 10);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("list.txt"), std::string::npos);
}

}  // namespace
}  // namespace terrapin
