#include "artifacts/manifest.h"

#include "unit/artifacts/failures.h"
#include "unit/base/hostile_bytes.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::artifacts {
namespace {

using test::expect_failure;
using test::must;

// As the AWS walk-through prints it.
const char* const kTurtleLine =
    R"({"source-ref":"s3://turtle2022/Image_1.jpg","labelturtles-ref":"s3://turtle2022/labelturtles/annotations/consolidated-annotation/output/0_2022-02-10T17:41:04.724225.png","labelturtles-ref-metadata":{"internal-color-map":{"0":{"class-name":"BACKGROUND","hex-color":"#ffffff","confidence":0.25988},"1":{"class-name":"Turtle","hex-color":"#2ca02c","confidence":0.25988}},"type":"groundtruth/semantic-segmentation","human-annotated":"yes","creation-date":"2022-02-10T17:41:04.801793","job-name":"labeling-job/labelturtles"}})";

TEST(Manifest, ReadsTheLineOfGroundTruth) {
  const ManifestRecord record = must(parse_manifest_line(kTurtleLine, 7));
  EXPECT_EQ(record.line_number, 7);
  EXPECT_EQ(record.source_uri, "s3://turtle2022/Image_1.jpg");
  ASSERT_EQ(record.labels.size(), 1u);
  const LabelReference& label = record.labels[0];
  EXPECT_EQ(label.attribute, "labelturtles-ref");
  EXPECT_THAT(label.mask_uri, ::testing::EndsWith("0_2022-02-10T17:41:04.724225.png"));
  EXPECT_FALSE(label.failure_reason);
  EXPECT_TRUE(label.human_annotated);
  EXPECT_EQ(label.job_name, "labeling-job/labelturtles");
  EXPECT_EQ(label.creation_date, "2022-02-10T17:41:04.801793");
  ASSERT_EQ(label.color_map.size(), 2u);
  EXPECT_EQ(label.color_map[1].index, 1);
  EXPECT_EQ(label.color_map[1].class_name, "Turtle");
  EXPECT_EQ(label.color_map[1].color, (imaging::Rgb{0x2c, 0xa0, 0x2c}));
  EXPECT_EQ(label.color_map[1].confidence, 0.25988);
}

TEST(Manifest, WritesTheLineOfGroundTruthByteForByte) {
  const ClassList classes{{{"BACKGROUND", {255, 255, 255}}, {"Turtle", {0x2c, 0xa0, 0x2c}}}};
  const std::string line =
      format_manifest_line("s3://turtle2022/Image_1.jpg", "labelturtles-ref",
                           "s3://turtle2022/labelturtles/annotations/consolidated-annotation/output/"
                           "0_2022-02-10T17:41:04.724225.png",
                           classes, 0.25988, true, "2022-02-10T17:41:04.801793", "labeling-job/labelturtles");
  EXPECT_EQ(line, kTurtleLine);
  EXPECT_EQ(must(parse_manifest_line(line, 1)).json.dump(), kTurtleLine);
}

TEST(Manifest, ColorMapIsSortedByNumberNotByText) {
  const auto record = must(parse_manifest_line(
      R"({"source-ref":"a","l-ref":"m","l-ref-metadata":{"internal-color-map":{"10":{"class-name":"t","hex-color":"#000010"},"2":{"class-name":"b","hex-color":"#000002"}}}})",
      1));
  ASSERT_EQ(record.labels.at(0).color_map.size(), 2u);
  EXPECT_EQ(record.labels[0].color_map[0].index, 2);
  EXPECT_EQ(record.labels[0].color_map[1].index, 10);
  EXPECT_FALSE(record.labels[0].color_map[0].confidence);
}

TEST(Manifest, ChainedJobsGiveSeveralLabelsAndOtherKindsNone) {
  const auto record = must(parse_manifest_line(
      R"({"source-ref":"a.jpg","note":{"x":[1]},"first-ref":"1.png","second-ref":"2.png","second-ref-metadata":{"type":"groundTruth/Semantic-Segmentation","human-annotated":"no"},)"
      R"("check-ref":"1","check-ref-metadata":{"type":"groundtruth/label-verification"},"boxes-ref":{"a":1},"boxes":{}})",
      1));
  ASSERT_EQ(record.labels.size(), 2u);
  EXPECT_EQ(record.labels[0].attribute, "first-ref");
  EXPECT_TRUE(record.labels[0].color_map.empty());
  EXPECT_TRUE(record.labels[0].human_annotated);
  EXPECT_EQ(record.labels[1].attribute, "second-ref");
  EXPECT_FALSE(record.labels[1].human_annotated);
  EXPECT_EQ(record.json["note"].dump(), R"({"x":[1]})");
}

TEST(Manifest, FailedObjectsCarryTheirReason) {
  for (const char* line :
       {R"({"source-ref":"a","l-ref":"m","l-ref-metadata":{"failure-reason":"no answer","retry-count":1}})",
        R"({"source-ref":"a","l-ref-metadata":{"failure-reason":"no answer"}})"}) {
    const auto record = must(parse_manifest_line(line, 1));
    ASSERT_EQ(record.labels.size(), 1u) << line;
    EXPECT_EQ(record.labels[0].attribute, "l-ref");
    EXPECT_EQ(record.labels[0].failure_reason, "no answer");
    EXPECT_EQ(record.labels[0].mask_uri, "");
  }
}

TEST(Manifest, EveryFaultIsNamed) {
  const auto refuse = [](const std::string& line, const std::string& part) {
    expect_failure(parse_manifest_line(line, 1), ErrorCode::kCorrupt, part);
  };
  const auto with_metadata = [](const std::string& metadata) {
    return R"({"source-ref":"a","l-ref":"m","l-ref-metadata":)" + metadata + "}";
  };
  const auto with_map = [&](const std::string& map) {
    return with_metadata(R"({"internal-color-map":)" + map + "}");
  };
  refuse("{", "not valid JSON at byte");
  refuse("[]", "the line is [], expected a JSON object");
  refuse("{}", "key 'source-ref' is missing");
  refuse(R"({"source-ref":3})", "key 'source-ref' is 3");
  refuse(R"({"source-ref":""})", "key 'source-ref' is \"\"");
  refuse(R"({"source-ref":"a","source-ref":"b"})", "'source-ref' occurs twice");
  refuse(R"({"source-ref":"a","l-ref":""})", "key 'l-ref' is empty");
  refuse(with_metadata("4"), "key 'l-ref-metadata' is 4, expected an object");
  refuse(with_metadata(R"({"type":1})"), "key 'l-ref-metadata.type' is 1, expected a string");
  refuse(with_metadata(R"({"human-annotated":"maybe"})"), "is 'maybe', expected 'yes' or 'no'");
  refuse(with_metadata(R"({"job-name":1})"), "key 'l-ref-metadata.job-name' is 1");
  refuse(with_metadata(R"({"creation-date":1})"), "key 'l-ref-metadata.creation-date' is 1");
  refuse(with_map("1"), "key 'l-ref-metadata.internal-color-map' is 1, expected an object");
  refuse(with_map(R"({"x":{}})"), "has the index 'x', expected 0 to 254 (or 255, ignore)");
  refuse(with_map(R"({"256":{}})"), "has the index '256'");
  refuse(with_map(R"({"0":1})"), "internal-color-map.0' is 1, expected an object");
  refuse(with_map(R"({"0":{"hex-color":"#ffffff"}})"),
         "internal-color-map.0.class-name' is missing or empty");
  refuse(with_map(R"({"0":{"class-name":"a","hex-color":"red"}})"), "internal-color-map.0.hex-color': 'red'");
  refuse(with_map(R"({"0":{"class-name":"a","hex-color":"#ffffff","confidence":"1"}})"), "expected a number");
  refuse(
      with_map(
          R"({"0":{"class-name":"a","hex-color":"#ffffff"},"1":{"class-name":"a","hex-color":"#000000"}})"),
      "has the class-name 'a' twice");
  refuse(
      with_map(
          R"({"0":{"class-name":"a","hex-color":"#ffffff"},"00":{"class-name":"b","hex-color":"#000000"}})"),
      "has the index 0 twice");
}

// Balanced, so well-formed; the library would print and copy it by recursion.
TEST(Manifest, ALineNestsAtMost64Levels) {
  const auto line = [](std::size_t depth) {
    return R"({"source-ref":"a","l-ref":"m","note":)" + std::string(depth, '[') + std::string(depth, ']') +
           "}";
  };
  EXPECT_TRUE(parse_manifest_line(line(63), 1));
  expect_failure(parse_manifest_line(line(64), 1), ErrorCode::kCorrupt,
                 "the JSON nests objects and arrays deeper than 64 levels");
  expect_failure(parse_manifest_line(line(49'000), 1), ErrorCode::kCorrupt, "deeper than 64 levels");
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += "{\"a\":";
  expect_failure(parse_manifest_line(objects + "1" + std::string(10'000, '}'), 1), ErrorCode::kCorrupt,
                 "deeper than 64 levels");
}

TEST(ManifestReader, StreamsLinesOfEveryEndingAndGoesOnAfterABadOne) {
  test::TemporaryFolder folder;
  const auto path = folder / "output.manifest";
  test::write_text(path, "\xef\xbb\xbf{\"source-ref\":\"1\"}\r\n\n  \r\nbroken\n{\"source-ref\":\"5\"}");
  ManifestReader reader = must(ManifestReader::open(path));
  EXPECT_EQ(must(reader.next())->source_uri, "1");
  expect_failure(reader.next(), ErrorCode::kCorrupt, path.string() + ":4: not valid JSON");
  const auto last = must(reader.next());
  ASSERT_TRUE(last);
  EXPECT_EQ(last->source_uri, "5");
  EXPECT_EQ(last->line_number, 5);
  EXPECT_FALSE(must(reader.next()));
  EXPECT_FALSE(must(reader.next()));
}

TEST(ManifestReader, ALineMayHold100000Characters) {
  test::TemporaryFolder folder;
  const auto path = folder / "long.manifest";
  const std::string head = R"({"source-ref":")", tail = R"("})";
  const auto line = [&](std::size_t characters, const std::string& character) {
    std::string text = head;
    for (std::size_t i = head.size() + tail.size(); i < characters; ++i) text += character;
    return text + tail;
  };
  test::write_text(path, line(100'000, "a") + "\r\n" + line(100'000, "\xc3\xa9") + "\n" + line(100'001, "a") +
                             "\n" + line(500'000, "a") + "\n" + line(30, "b") + "\n");
  ManifestReader reader = must(ManifestReader::open(path));
  EXPECT_TRUE(must(reader.next()));
  EXPECT_TRUE(must(reader.next()));
  expect_failure(reader.next(), ErrorCode::kTooLarge, ":3: the line is longer than 100000 characters");
  expect_failure(reader.next(), ErrorCode::kTooLarge, ":4: the line is longer than 100000 characters");
  EXPECT_TRUE(must(reader.next()));
}

TEST(Hostile, DamagedManifestsNeverCrash) {
  test::TemporaryFolder folder;
  const auto path = folder / "damaged.manifest";
  const std::string line = kTurtleLine;
  const Bytes one = test::bytes_of(line), three = test::bytes_of(line + "\n" + line + "\r\n" + line);
  Random random(3);
  test::HostileRounds loop(600);
  for (std::int64_t round = loop.next(); round >= 0; round = loop.next()) {
    const Bytes bytes = test::damaged(one, random);
    const auto record = parse_manifest_line(std::string(bytes.begin(), bytes.end()), 1);
    if (record) {
      ASSERT_FALSE(record->source_uri.empty()) << round;
    } else {
      ASSERT_FALSE(record.error().message.empty()) << round;
    }
    const Bytes file = test::damaged(three, random);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    ManifestReader reader = must(ManifestReader::open(path));
    std::int64_t lines = 0;
    for (bool more = true; more; ++lines) {
      ASSERT_LT(lines, 100) << round << ": the reader does not come to an end";
      const auto next = reader.next();
      more = !next || next->has_value();
    }
  }
}

TEST(ManifestReader, NamesAFileItCannotOpen) {
  test::TemporaryFolder folder;
  expect_failure(ManifestReader::open(folder / "none"), ErrorCode::kNotFound, "no such manifest file");
  expect_failure(ManifestReader::open(folder.path()), ErrorCode::kInvalidArgument,
                 "a folder, expected a manifest file");
}

class S3RootsTest : public ::testing::Test {
 protected:
  S3RootsTest() {
    std::filesystem::create_directories(folder_ / "bucket/sub");
    test::write_text(folder_ / "bucket/sub/a.png", "x");
    test::write_text(folder_ / "secret", "x");
    must(roots_.add("turtle=" + (folder_ / "bucket").string()));
  }
  auto resolve(const std::string& uri) { return roots_.resolve(uri, "/base"); }
  test::TemporaryFolder folder_;
  S3Roots roots_;
};

TEST_F(S3RootsTest, ResolvesBucketsPathsAndFileUris) {
  EXPECT_EQ(must(resolve("s3://turtle/sub/a.png")), folder_ / "bucket/sub/a.png");
  EXPECT_EQ(must(resolve("s3://turtle/absent.png")), folder_ / "bucket/absent.png");
  EXPECT_EQ(must(resolve("s3://turtle/a%20b..png")), folder_ / "bucket/a%20b..png");
  EXPECT_EQ(must(resolve("sub/x.jpg")), "/base/sub/x.jpg");
  EXPECT_EQ(must(resolve("/abs/x.jpg")), "/abs/x.jpg");
  EXPECT_EQ(must(resolve("file:///abs/x%20y.jpg")), "/abs/x y.jpg");
  EXPECT_EQ(must(resolve("file://localhost/abs/x.jpg")), "/abs/x.jpg");
}

TEST_F(S3RootsTest, AKeyStaysInItsBucket) {
  const auto refuse = [&](const std::string& uri, const std::string& part) {
    expect_failure(resolve(uri), ErrorCode::kInvalidArgument, part);
  };
  refuse("s3://turtle/../secret", "'.' or '..'");
  refuse("s3://turtle/sub/../../secret", "'.' or '..'");
  refuse("s3://turtle/sub/..", "'.' or '..'");
  refuse("s3://turtle/./a", "'.' or '..'");
  refuse("s3://turtle//etc/passwd", "absolute key");
  refuse("s3://turtle/", "names no object");
  refuse("s3://turtle", "names no object");
  refuse("", "names no file");
  refuse(std::string("a\0b", 3), "names no file");
  refuse("https://x/y", "scheme 'https'");
  refuse("file://host/x", "no file URI");
  refuse("file:///x%zz", "no file URI");
  refuse("file:///x%00", "no file URI");
  std::filesystem::create_symlink(folder_ / "secret", folder_ / "bucket/out");
  std::filesystem::create_directory_symlink(folder_.path(), folder_ / "bucket/up");
  std::filesystem::create_symlink("sub/a.png", folder_ / "bucket/in");
  refuse("s3://turtle/out", "outside the folder");
  refuse("s3://turtle/up/secret", "outside the folder");
  EXPECT_EQ(must(resolve("s3://turtle/in")), folder_ / "bucket/in");
}

TEST_F(S3RootsTest, AnUnknownBucketListsTheKnown) {
  expect_failure(resolve("s3://whale/a.png"), ErrorCode::kNotFound,
                 "no folder is given for bucket 'whale' (known: turtle); name one as --s3-root whale=FOLDER");
  expect_failure(S3Roots{}.resolve("s3://whale/a.png", "."), ErrorCode::kNotFound, "(known: none)");
}

TEST_F(S3RootsTest, SpecificationsAreChecked) {
  for (const char* bad : {"turtle", "=x", "turtle=", "a/b=."}) {
    expect_failure(roots_.add(bad), ErrorCode::kInvalidArgument, "is no bucket root, expected bucket=folder");
  }
  expect_failure(roots_.add("b=/no/such/folder"), ErrorCode::kNotFound, "/no/such/folder is not a folder");
  expect_failure(roots_.add("turtle=" + folder_.path().string()), ErrorCode::kAlreadyExists,
                 "bucket turtle stands for");
  must(roots_.add("turtle=" + (folder_ / "bucket").string()));
}

}  // namespace
}  // namespace terrapin::artifacts
