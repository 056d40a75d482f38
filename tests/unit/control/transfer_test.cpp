// Objects of a folder store to files and back, with names that mean harm.
#include "control/process/transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/interrupt.h"
#include "control/process/phases.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::control {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class TransferTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = storage::open_folder_store(folder_ / "store", system_clock());
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    ASSERT_TRUE(store_->create_bucket("turtles"));
    ASSERT_TRUE(store_->create_bucket("others"));
    clear_interrupt();
  }
  void TearDown() override { clear_interrupt(); }

  void put(const std::string& key, const std::string& text = "x", const std::string& bucket = "turtles") {
    const auto stored = store_->put({bucket, key}, *bytes_source(text));
    ASSERT_TRUE(stored) << stored.error().message;
  }
  Result<Transferred> get(const std::string& uri, DataSource::Kind kind = DataSource::Kind::kPrefix) {
    Transfer transfer(*store_, allowed_);
    return transfer.download({kind, uri, {}}, in());
  }
  void refused(const Result<Transferred>& result, ErrorCode code, const std::string& part) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(part));
  }
  fs::path in() const { return folder_ / "in"; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    const auto found = list_files(in(), true);
    if (found)
      for (const fs::path& file : *found) names.push_back(file.lexically_relative(in()).string());
    return names;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<storage::ObjectStore> store_;
  std::vector<std::string> allowed_;
};

TEST_F(TransferTest, APrefixIsAFolderWhereThereIsOne) {
  put("data/train/a.jpg", "A");
  put("data/train/deep/b.jpg");
  put("data/train/deep/");  // a folder's mark
  put("data/train_annotation/a.png");
  const auto got = get("s3://turtles/data/train");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_THAT(files(), ElementsAre("a.jpg", "deep/b.jpg"));
  EXPECT_EQ(got->objects, 2);
  EXPECT_EQ(got->bytes, 2);
  EXPECT_EQ(read_text_file(in() / "a.jpg").value(), "A");
}

TEST_F(TransferTest, APrefixMayEndAnywhere) {
  put("data/img_1.jpg");
  put("data/img_2.jpg");
  put("data/other.jpg");
  ASSERT_TRUE(get("s3://turtles/data/img"));
  EXPECT_THAT(files(), ElementsAre("img_1.jpg", "img_2.jpg"));
}

TEST_F(TransferTest, ASingleObjectAndAWholeBucket) {
  put("a/model.tar.gz");
  ASSERT_TRUE(get("s3://turtles/a/model.tar.gz"));
  EXPECT_THAT(files(), ElementsAre("model.tar.gz"));
  ASSERT_TRUE(get("s3://turtles"));
  EXPECT_THAT(files(), ElementsAre("a/model.tar.gz", "model.tar.gz"));
}

TEST_F(TransferTest, MoreThanOnePageOfThem) {
  for (int i = 0; i < 1005; ++i) put(fmt::format("many/{}", i), "");
  const auto got = get("s3://turtles/many/");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->objects, 1005);
  EXPECT_EQ(files().size(), 1005U);
}

TEST_F(TransferTest, NothingThere) {
  refused(get("s3://turtles/data/"), ErrorCode::kNotFound, "s3://turtles/data/");
  refused(get("s3://nowhere/data/"), ErrorCode::kNotFound, "nowhere");
}

TEST_F(TransferTest, NamesThatLeaveTheFolder) {
  for (const char* name : {"..", ".", "a/../../b", "../a", "a/..", ""})
    EXPECT_FALSE(local_file(name)) << name;
  EXPECT_FALSE(local_file(std::string("a\0b", 3)));
  EXPECT_FALSE(local_file(std::string(300, 'a')));
  EXPECT_EQ(local_file("/a//b/..c"), fs::path("a/b/..c"));
  put("list.json", R"([{"prefix": "s3://turtles/data/"}, "../../outside.jpg"])");
  refused(get("s3://turtles/list.json", DataSource::Kind::kManifest), ErrorCode::kInvalidArgument,
          "entry 1: '../../outside.jpg'");
  EXPECT_THAT(files(), testing::IsEmpty());
}

TEST_F(TransferTest, AFileAndAFolderOfOneName) {
  put("list.json", R"([{"prefix": "s3://turtles/data/"}, "a", "a/b"])");
  put("data/a");
  const auto both = store_->put({"turtles", "data/a/b"}, *bytes_source("x"));
  if (!both) GTEST_SKIP() << "this store keeps no object below another: " << both.error().message;
  const auto got = get("s3://turtles/list.json", DataSource::Kind::kManifest);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("data/a"));
}

TEST_F(TransferTest, TwoObjectsThatBecomeOneFile) {
  put("list.json", R"([{"prefix": "s3://turtles/data/"}, "a", "a"])");
  put("data/a");
  refused(get("s3://turtles/list.json", DataSource::Kind::kManifest), ErrorCode::kAlreadyExists, "data/a");
}

TEST_F(TransferTest, ManifestsThatAreNone) {
  for (const char* text : {"", "{}", "[]", "[1]", R"([{"prefix": 1}])", R"([{"prefix": "s3://turtles/"}, 1])",
                           R"([{"prefix": "file:///etc/"}, "passwd"])", R"([{"prefix": "s3://t/"}, "a"])"}) {
    put("list.json", text);
    const auto got = get("s3://turtles/list.json", DataSource::Kind::kManifest);
    ASSERT_FALSE(got) << text;
    EXPECT_THAT(got.error().message, HasSubstr("s3://turtles/list.json")) << text;
  }
}

TEST_F(TransferTest, BucketsOfOthers) {
  allowed_ = {"turtles"};
  put("a", "x", "others");
  refused(get("s3://others/"), ErrorCode::kDenied, "other buckets only (turtles)");
  put("list.json", R"([{"prefix": "s3://others/"}, "a"])");
  refused(get("s3://turtles/list.json", DataSource::Kind::kManifest), ErrorCode::kDenied, "s3://others/a");
  put("m.manifest", R"({"source-ref": "s3://others/a"})");
  Transfer transfer(*store_, allowed_);
  std::set<std::string> buckets;
  refused(transfer.download_augmented(
              {DataSource::Kind::kAugmentedManifest, "s3://turtles/m.manifest", {"source-ref"}}, in(),
              folder_ / "objects", buckets),
          ErrorCode::kDenied, "line 1");
  EXPECT_FALSE(transfer.upload(folder_ / "store", {"others", "b"}, "text/plain"));
}

TEST_F(TransferTest, AnAugmentedManifestWithWhatItRefersTo) {
  put("p/1.jpg", "one");
  put("p/2.jpg", "two");
  put("m/1.png", "mask", "others");
  put("out/output",
      "{\"source-ref\": \"s3://turtles/p/1.jpg\", \"label-ref\": \"s3://others/m/1.png\", \"x-ref\": \"no "
      "address\"}\n\n"
      "{\"source-ref\": \"s3://turtles/p/2.jpg\", \"class\": 3}\n"
      "{\"source-ref\": \"s3://turtles/p/1.jpg\"}\n");
  Transfer transfer(*store_, {});
  std::set<std::string> buckets;
  const DataSource source{
      DataSource::Kind::kAugmentedManifest, "s3://turtles/out/output", {"source-ref", "label-ref", "class"}};
  const auto got = transfer.download_augmented(source, in() / "train", in() / "objects", buckets);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_THAT(files(), ElementsAre("objects/others/m/1.png", "objects/turtles/p/1.jpg",
                                   "objects/turtles/p/2.jpg", "train/output.manifest"));
  EXPECT_THAT(buckets, ElementsAre("others", "turtles"));
  // A second channel refers to the same objects.
  EXPECT_TRUE(transfer.download_augmented(source, in() / "validation", in() / "objects", buckets));
}

TEST_F(TransferTest, AugmentedManifestsThatAreNone) {
  Transfer transfer(*store_, {});
  int number = 0;
  for (const char* text :
       {"no json", "[]", R"({"source-ref": 1})", R"({"source-ref": "/etc/passwd"})",
        R"({"source-ref": "s3://turtles/../../etc/passwd"})", R"({"source-ref": "s3://turtles/gone"})"}) {
    put("m.manifest", text);
    std::set<std::string> buckets;
    const auto got = transfer.download_augmented(
        {DataSource::Kind::kAugmentedManifest, "s3://turtles/m.manifest", {"source-ref"}},
        in() / std::to_string(number++), in() / "objects", buckets);
    EXPECT_FALSE(got) << text;
  }
  EXPECT_FALSE(fs::exists(in() / "objects"));
}

TEST_F(TransferTest, StopsWhenTold) {
  put("data/a");
  install_interrupt_handlers();
  ::raise(SIGTERM);
  refused(get("s3://turtles/data/"), ErrorCode::kCancelled, "stopped");
}

TEST_F(TransferTest, AMirrorCarriesWhatChanged) {
  Transfer transfer(*store_, {});
  const fs::path folder = folder_ / "checkpoints";
  FolderMirror mirror(transfer, folder, "s3://turtles/kept");
  EXPECT_EQ(mirror.restore().value().objects, 0);
  EXPECT_EQ(mirror.save().value().objects, 0);
  ASSERT_TRUE(write_file_atomically(folder / "state", "first"));
  ASSERT_TRUE(write_file_atomically(folder / "deep/b", "b"));
  EXPECT_EQ(mirror.save().value().objects, 2);
  EXPECT_EQ(mirror.save().value().objects, 0);
  ASSERT_TRUE(write_file_atomically(folder / "state", "second, longer"));
  EXPECT_EQ(mirror.save().value().objects, 1);
  EXPECT_EQ(read_all_text(*store_->get({"turtles", "kept/state"}).value().content, 100).value(),
            "second, longer");
  FolderMirror other(transfer, folder_ / "again", "s3://turtles/kept/");
  EXPECT_EQ(other.restore().value().objects, 2);
  EXPECT_EQ(read_text_file(folder_ / "again/deep/b").value(), "b");
  FolderMirror nowhere(transfer, folder, "s3://nowhere/kept");
  EXPECT_FALSE(nowhere.save());
}

TEST(Phases, AreReadAsTheyWereWritten) {
  const test::TemporaryFolder folder;
  ManualClock clock(Timestamp(std::chrono::seconds(1000)));
  auto log = PhaseLog::open(folder.path(), clock);
  ASSERT_TRUE(log);
  ASSERT_TRUE(log->add("Downloading"));
  clock.advance(std::chrono::seconds(1));
  ASSERT_TRUE(log->add("Uploaded", {{kModelFact, "s3://b/\"m\""}}));
  const std::string text = read_text_file(folder / kPhasesFile).value();
  const auto phases = parse_phases(text);
  ASSERT_EQ(phases.size(), 2U);
  EXPECT_EQ(phases[1].facts.at(kModelFact), "s3://b/\"m\"");
  EXPECT_EQ(phases[1].time, Timestamp(std::chrono::seconds(1001)));
  // A line that a kill cut, and what is none.
  EXPECT_EQ(parse_phases(text.substr(0, text.size() - 1)).size(), 1U);
  EXPECT_EQ(parse_phases("no json\n{}\n" + text).size(), 2U);
}

}  // namespace
}  // namespace terrapin::control
