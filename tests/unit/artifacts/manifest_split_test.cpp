#include "artifacts/manifest_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "artifacts/manifest.h"

namespace terrapin::artifacts {
namespace {

using ::testing::HasSubstr;

std::string line(int number, const std::string& attribute = "turtle-ref") {
  return fmt::format(
      R"({{"source-ref":"s3://b/{0}.jpg","{1}":"s3://b/{0}.png","{1}-metadata":{{"type":"groundtruth/semantic-segmentation",)"
      R"("internal-color-map":{{"0":{{"class-name":"BACKGROUND","hex-color":"#ffffff"}}}}}}}})",
      number, attribute);
}
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

TEST(ManifestSplit, EveryLabelledLineIsOnceInOneOfThem) {
  std::string text;
  std::vector<std::string> all;
  for (int i = 0; i < 25; ++i) all.push_back(line(i)), text += all.back() + (i % 2 ? "\r\n" : "\n");
  text += "\n" + std::string(R"({"source-ref":"s3://b/none.jpg"})") + "\n" + line(90, "fish-ref");
  const ManifestSplit split = split_manifest(text, "turtle-ref", 0.2).value();
  EXPECT_EQ(split.train_photos, 20);
  EXPECT_EQ(split.validation_photos, 5);
  EXPECT_EQ(split.left_out, 2);
  std::vector<std::string> both = lines_of(split.train);
  EXPECT_EQ(both.size(), 20U);
  for (const std::string& one : lines_of(split.validation)) both.push_back(one);
  std::sort(both.begin(), both.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(both, all);
}

TEST(ManifestSplit, TheOrderOfLinesChangesNothingButTheOrder) {
  std::string forward, backward;
  for (int i = 0; i < 12; ++i) forward += line(i) + "\n", backward = line(i) + "\n" + backward;
  auto one = lines_of(split_manifest(forward, "turtle-ref", 0.25)->validation);
  auto other = lines_of(split_manifest(backward, "turtle-ref", 0.25)->validation);
  EXPECT_EQ(one.size(), 3U);
  std::reverse(other.begin(), other.end());
  EXPECT_EQ(one, other);
}

TEST(ManifestSplit, BothHaveAtLeastOne) {
  const std::string two = line(0) + "\n" + line(1);
  for (const double share : {0.0, 0.01, 0.5, 0.99, 1.0}) {
    const ManifestSplit split = split_manifest(two, "turtle-ref", share).value();
    EXPECT_EQ(split.train_photos, 1) << share;
    EXPECT_EQ(split.validation_photos, 1) << share;
  }
  for (const std::string& few : {std::string(), line(0), line(0) + "\n" + line(1, "fish-ref")}) {
    const auto refused = split_manifest(few, "turtle-ref", 0.2);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(refused.error().message, HasSubstr("two are needed"));
  }
  EXPECT_THAT(split_manifest(line(0) + "\nnothing\n", "turtle-ref", 0.2).error().message,
              HasSubstr("line 2"));
}

}  // namespace
}  // namespace terrapin::artifacts
