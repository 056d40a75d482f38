#include "storage/folder_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <fstream>

#include "base/files.h"
#include "storage/folder_store_files.h"
#include "unit/base/temporary_folder.h"
#include "unit/storage/md5.h"

namespace terrapin::storage {
namespace {

namespace fs = std::filesystem;

using terrapin::test::md5;

class FolderStoreTest : public ::testing::TestWithParam<bool> {
 protected:
  FolderStoreTest() {
    reopen();
    EXPECT_TRUE(store_->create_bucket("photos"));
  }
  void reopen() {
    store_.reset();
    FolderStoreOptions options;
    options.use_attributes = GetParam();
    store_ = open_folder_store(root(), clock_, options).value();
  }
  fs::path root() const { return folder_ / "objects"; }
  fs::path file(const std::string& path) const { return root() / "photos" / path; }
  void write(const std::string& path, std::string_view text) const {
    fs::create_directories(file(path).parent_path());
    std::ofstream(file(path), std::ios::binary) << text;
  }
  // As a file that was copied here a while ago.
  void age(const std::string& path, std::int64_t seconds = 1'600'000'000) const {
    const timespec times[2] = {{seconds, 5}, {seconds, 5}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file(path).c_str(), times, 0), 0);
  }
  std::string content(const std::string& key) {
    const auto object = store_->get({"photos", key});
    return object ? read_all_text(*object->content, 1 << 20).value() : object.error().message;
  }
  std::vector<std::string> keys(const std::string& prefix = "") {
    std::vector<std::string> result;
    EXPECT_TRUE(for_each_object(*store_, "photos", prefix, [&](const ObjectInfo& info) -> Status {
      result.push_back(info.key);
      return {};
    }));
    return result;
  }
  std::size_t files_in(const std::string& reserved) const {
    std::size_t count = 0;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(root() / ".terrapin" / reserved, error))
      if (entry.is_regular_file()) ++count;
    return count;
  }

  test::TemporaryFolder folder_;
  ManualClock clock_{from_microseconds(1'700'000'000'123'456)};
  std::unique_ptr<ObjectStore> store_;
};

TEST_P(FolderStoreTest, APersonCanReadTheObjects) {
  ASSERT_TRUE(store_->put({"photos", "2021/reef one.jpg"}, *bytes_source("turtle")));
  EXPECT_EQ(read_text_file(file("2021/reef one.jpg")).value(), "turtle");
  EXPECT_EQ(store_->head({"photos", "2021/reef one.jpg"})->modified, clock_.now());
  EXPECT_EQ(store_->head_bucket("photos")->created, clock_.now());
  EXPECT_EQ(files_in("temporary"), 0U);
}

TEST_P(FolderStoreTest, FilesPutThereByHandAreObjects) {
  write("new/IMG_1.JPG", "abc");
  age("new/IMG_1.JPG");
  fs::create_directories(root() / "by-hand" / "empty folder");
  const auto head = store_->head({"photos", "new/IMG_1.JPG"});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->etag, md5("abc"));
  EXPECT_EQ(head->headers.content_type, "image/jpeg");
  EXPECT_EQ(to_microseconds(head->modified), 1'600'000'000'000'000);
  const auto page = store_->list("photos", {});
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].etag, md5("abc"));
  EXPECT_EQ(store_->list_buckets()->at(0).name, "by-hand");
  EXPECT_TRUE(store_->list("by-hand", {"", "/", "", 1000})->prefixes.empty());
  ASSERT_TRUE(store_->delete_bucket("by-hand"));

  // Edited by hand: a new ETag. Removed by hand: gone.
  write("new/IMG_1.JPG", "abcd");
  EXPECT_EQ(store_->head({"photos", "new/IMG_1.JPG"})->etag, md5("abcd"));
  fs::remove(file("new/IMG_1.JPG"));
  EXPECT_FALSE(store_->head({"photos", "new/IMG_1.JPG"}));
  EXPECT_TRUE(keys().empty());
}

TEST_P(FolderStoreTest, TheirETagIsComputedOnce) {
  write("x.bin", "abc");
  age("x.bin");
  EXPECT_EQ(store_->list("photos", {})->objects.at(0).etag, md5("abc"));
  // Other bytes of the same size and time cannot be told apart: the answer shows that nothing was read.
  write("x.bin", "xyz");
  age("x.bin");
  EXPECT_EQ(store_->head({"photos", "x.bin"})->etag, md5("abc"));
  age("x.bin", 1'600'000'001);
  EXPECT_EQ(store_->head({"photos", "x.bin"})->etag, md5("xyz"));
}

TEST_P(FolderStoreTest, AnObjectEditedByHandNeverShowsItsOldETag) {
  ObjectHeaders headers;
  headers.content_type = "image/png";
  headers.checksums = {{"crc32", "AAAAAA=="}};
  ASSERT_TRUE(store_->put({"photos", "x.json"}, *bytes_source("abc"), headers, {}));
  write("x.json", "xyz");
  const auto head = store_->head({"photos", "x.json"});
  EXPECT_EQ(head->etag, md5("xyz"));
  EXPECT_TRUE(head->headers.checksums.empty());
  EXPECT_EQ(head->headers.content_type, "application/json");
}

TEST_P(FolderStoreTest, SurvivesBeingOpenedAgain) {
  ObjectHeaders headers;
  headers.metadata = {{"who", "anna"}, {"large", std::string(9000, 'x')}};
  ASSERT_TRUE(store_->put({"photos", "a"}, *bytes_source("1"), headers, {}));
  ASSERT_TRUE(store_->put({"photos", "a/b"}, *bytes_source("2")));
  const auto id = store_->start_upload({"photos", "c"}, headers);
  ASSERT_TRUE(store_->put_part({"photos", "c"}, *id, 1, *bytes_source("part")));
  reopen();
  EXPECT_EQ(content("a"), "1");
  EXPECT_EQ(store_->head({"photos", "a"})->headers.metadata, headers.metadata);
  EXPECT_EQ(content("a/b"), "2");
  EXPECT_EQ(store_->head_upload({"photos", "c"}, *id)->headers.metadata, headers.metadata);
  ASSERT_TRUE(store_->complete_upload({"photos", "c"}, *id, {{1, md5("part")}}));
  EXPECT_EQ(content("c"), "part");
}

TEST_P(FolderStoreTest, CompletingAgainGivesTheSameAnswer) {
  const ObjectName name{"photos", "k"};
  const auto id = store_->start_upload(name, {});
  ASSERT_TRUE(store_->put_part(name, *id, 1, *bytes_source("part")));
  const auto first = store_->complete_upload(name, *id, {{1, md5("part")}});
  const auto again = store_->complete_upload(name, *id, {{1, md5("part")}});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->etag, first->etag);
  ASSERT_TRUE(store_->put(name, *bytes_source("replaced")));
  EXPECT_FALSE(store_->complete_upload(name, *id, {{1, md5("part")}}));
  EXPECT_EQ(content("k"), "replaced");
}

TEST_P(FolderStoreTest, RemembersTheSizesOfParts) {
  const ObjectName name{"photos", "large"};
  const std::string first(5 << 20, 'a'), last = "tail";
  const auto id = store_->start_upload(name, {}, {"crc32", true});
  std::vector<ChosenPart> parts;
  for (const int number : {2, 3, 7}) {
    const std::string& body = number == 7 ? last : first;
    ASSERT_TRUE(store_->put_part(name, *id, number, *bytes_source(body), {{"crc32", "AAAAAA=="}}));
    parts.push_back({number, md5(body)});
  }
  reopen();
  EXPECT_EQ(store_->head_upload(name, *id)->checksum, (UploadChecksum{"crc32", true}));
  EXPECT_EQ(store_->list_parts(name, *id, 3, 10)->at(0).checksums.at("crc32"), "AAAAAA==");
  ASSERT_TRUE(store_->complete_upload(name, *id, parts, {{}, {{"crc32", "AAAAAA=="}}}));
  const std::vector<std::int64_t> sizes{5 << 20, 5 << 20, 4};
  EXPECT_EQ(store_->head(name)->part_sizes, sizes);
  ASSERT_TRUE(store_->set_tags(name, {{"a", "1"}}));
  reopen();
  EXPECT_EQ(store_->get(name)->info.part_sizes, sizes);
  EXPECT_EQ(store_->head(name)->headers.checksums.at("crc32"), "AAAAAA==");
  ASSERT_TRUE(store_->copy(name, {"photos", "copy"}, std::nullopt));
  EXPECT_TRUE(store_->head({"photos", "copy"})->part_sizes.empty());
}

TEST_P(FolderStoreTest, RefusesChecksumsThatAreNone) {
  const ObjectName name{"photos", "k"};
  const auto id = store_->start_upload(name, {});
  const std::string letters(48, 'A');
  for (const auto& [checksum, value] : std::map<std::string, std::string>{
           {"../x", "AAAA"}, {"crc32", "no base64"}, {"sha256", letters}, {"", "AAAA"}}) {
    const auto part = store_->put_part(name, *id, 1, *bytes_source("part"), {{checksum, value}});
    ASSERT_FALSE(part) << checksum;
    EXPECT_EQ(part.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(store_->list_parts(name, *id, 0, 10)->empty());
  EXPECT_EQ(files_in("temporary"), 0U);
}

TEST_P(FolderStoreTest, LeavesNothingBehind) {
  ObjectHeaders headers;
  headers.metadata = {{"large", std::string(9000, 'x')}};
  for (int round = 0; round < 3; ++round) {
    clock_.advance(std::chrono::seconds(1));
    ASSERT_TRUE(store_->put({"photos", "deep/er/a"}, *bytes_source("1"), headers, {}));
    ASSERT_TRUE(store_->copy({"photos", "deep/er/a"}, {"photos", "copy"}, std::nullopt));
    EXPECT_EQ(files_in("beside"), 2U);
  }
  PutCondition free;
  free.if_none_match = true;
  EXPECT_FALSE(store_->put({"photos", "copy"}, *bytes_source("2"), headers, free));
  const auto id = store_->start_upload({"photos", "up"}, {});
  ASSERT_TRUE(store_->put_part({"photos", "up"}, *id, 1, *bytes_source("part")));
  ASSERT_TRUE(store_->abort_upload({"photos", "up"}, *id));
  ASSERT_TRUE(store_->remove({"photos", "deep/er/a"}));
  ASSERT_TRUE(store_->remove({"photos", "copy"}));
  EXPECT_EQ(files_in("beside"), 0U);
  EXPECT_EQ(files_in("temporary"), 0U);
  EXPECT_EQ(files_in("uploads"), 0U);
  EXPECT_TRUE(fs::is_empty(root() / "photos"));
  ASSERT_TRUE(store_->delete_bucket("photos"));
  EXPECT_FALSE(fs::exists(root() / "photos"));
}

TEST_P(FolderStoreTest, RemovesWhatAKilledProcessLeft) {
  fs::create_directories(root() / ".terrapin/temporary/dead");
  std::ofstream(root() / ".terrapin/temporary/dead/17") << "half an object";
  const auto second = open_folder_store(root(), clock_);
  ASSERT_TRUE(second);
  EXPECT_EQ(files_in("temporary"), 0U);
  // The first store's own folder is alive and stays.
  ASSERT_TRUE(store_->put({"photos", "k"}, *bytes_source("1")));
  ASSERT_TRUE((*second)->put({"photos", "k"}, *bytes_source("2")));
  EXPECT_EQ(content("k"), "2");
}

TEST_P(FolderStoreTest, NothingLeavesTheBucketsFolder) {
  std::ofstream(folder_ / "secret") << "secret";
  fs::create_directories(folder_ / "outside");
  std::ofstream(folder_ / "outside/inner") << "secret";
  fs::create_symlink(folder_ / "secret", file("link"));
  fs::create_directory_symlink(folder_ / "outside", file("folder"));
  fs::create_directory_symlink(folder_ / "outside", root() / "linked-bucket");
  EXPECT_FALSE(store_->get({"photos", "link"}));
  EXPECT_FALSE(store_->get({"photos", "folder/inner"}));
  EXPECT_FALSE(store_->get({"linked-bucket", "inner"}));
  EXPECT_TRUE(keys().empty());
  EXPECT_TRUE(keys("folder/").empty());
  EXPECT_EQ(store_->list_buckets()->size(), 1U);
  EXPECT_FALSE(store_->put({"photos", "folder/new"}, *bytes_source("x")));
  EXPECT_FALSE(fs::exists(folder_ / "outside/new"));
  EXPECT_TRUE(store_->remove({"photos", "folder/inner"}));
  EXPECT_TRUE(fs::exists(folder_ / "outside/inner"));
  // An object takes the link's place, not the place it points to.
  ASSERT_TRUE(store_->put({"photos", "link"}, *bytes_source("mine")));
  EXPECT_EQ(read_text_file(folder_ / "secret").value(), "secret");
  EXPECT_EQ(content("link"), "mine");
  // The bucket holds a link that is no object.
  ASSERT_TRUE(store_->remove({"photos", "link"}));
  EXPECT_FALSE(store_->delete_bucket("photos"));
  EXPECT_TRUE(fs::exists(folder_ / "outside/inner"));
}

TEST_P(FolderStoreTest, OneObjectBesideAFolderOfItsName) {
  ASSERT_TRUE(store_->put({"photos", "a"}, *bytes_source("1")));
  EXPECT_TRUE(fs::is_regular_file(file("a")));
  ASSERT_TRUE(store_->put({"photos", "a/b"}, *bytes_source("2")));
  EXPECT_EQ(read_text_file(file("%=a")).value(), "1");
  EXPECT_EQ(read_text_file(file("a/b")).value(), "2");
  EXPECT_EQ(keys(), (std::vector<std::string>{"a", "a/b"}));
  ASSERT_TRUE(store_->remove({"photos", "a/b"}));
  EXPECT_EQ(content("a"), "1");
  // By hand the plain name: it is the object then, and replacing it leaves no older one.
  write("a", "3");
  EXPECT_EQ(content("a"), "3");
  EXPECT_EQ(keys(), std::vector<std::string>{"a"});
  ASSERT_TRUE(store_->put({"photos", "a"}, *bytes_source("4")));
  EXPECT_FALSE(fs::exists(file("%=a")));
  ASSERT_TRUE(store_->remove({"photos", "a"}));
  EXPECT_TRUE(keys().empty());
}

TEST_P(FolderStoreTest, ListsAsTheFolderChangesAfterItWasSeen) {
  for (int i = 0; i < 200; ++i) write(fmt::format("x/{:03}", i), "x");
  // Old enough to be remembered.
  const timespec times[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file("x").c_str(), times, 0), 0);
  EXPECT_EQ(keys().size(), 200U);
  EXPECT_EQ(keys().size(), 200U);
  fs::remove(file("x/000"));
  EXPECT_EQ(keys().size(), 199U);
  ASSERT_TRUE(store_->put({"photos", "x/200"}, *bytes_source("x")));
  EXPECT_EQ(keys().size(), 200U);
  EXPECT_EQ(keys("x/2"), std::vector<std::string>{"x/200"});
}

TEST_P(FolderStoreTest, RefusesAFolderOfANewerProgram) {
  std::ofstream(root() / ".terrapin/format") << "terrapin-object-folder 2\n";
  const auto refused = open_folder_store(root(), clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("terrapin-object-folder 2"), std::string::npos);
}

TEST_P(FolderStoreTest, FilesThatNoKeyCanNameAreLeftAlone) {
  write("\xff\xfe", "latin");
  write("%=%zz", "x");
  write("%-plain/x", "x");
  EXPECT_TRUE(keys().empty());
  const auto refused = store_->delete_bucket("photos");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(fs::exists(file("\xff\xfe")));
}

INSTANTIATE_TEST_SUITE_P(Records, FolderStoreTest, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "on_the_file" : "beside"; });

TEST(OpenBeneath, BothWaysFollowNoLink) {
  const test::TemporaryFolder folder;
  fs::create_directories(folder / "in/deep");
  std::ofstream(folder / "in/deep/file") << "x";
  std::ofstream(folder / "secret") << "x";
  fs::create_symlink(folder / "secret", folder / "in/link");
  fs::create_directory_symlink(folder.path(), folder / "in/up");
  const Descriptor in(::open((folder / "in").c_str(), O_RDONLY | O_DIRECTORY));
  for (const auto open : {&open_beneath, &open_beneath_by_parts}) {
    EXPECT_TRUE(open(in.get(), "deep/file", O_RDONLY).is_open());
    EXPECT_TRUE(open(in.get(), "deep", O_RDONLY | O_DIRECTORY).is_open());
    EXPECT_TRUE(open(in.get(), ".", O_RDONLY | O_DIRECTORY).is_open());
    for (const char* path : {"link", "up/secret", "../secret", "deep/../../secret", "up", "deep/nothing"})
      EXPECT_FALSE(open(in.get(), path, O_RDONLY).is_open()) << path;
    EXPECT_FALSE(open(in.get(), "/etc/passwd", O_RDONLY).is_open());
  }
}

TEST(ObjectNames, ReadAndWriteS3Uris) {
  EXPECT_EQ(parse_s3_uri("s3://photos/a b/c").value(), (ObjectName{"photos", "a b/c"}));
  EXPECT_EQ(parse_s3_uri("s3://photos").value().key, "");
  EXPECT_EQ(parse_s3_uri("s3://photos/").value().key, "");
  EXPECT_EQ(s3_uri({"photos", "//x"}), "s3://photos///x");
  EXPECT_EQ(parse_s3_uri("s3://photos///x").value().key, "//x");
  for (const char* bad :
       {"", "s3:/photos/x", "https://photos/x", "s3://", "s3://UPPER/x", "s3://photos/\xff"}) {
    const auto refused = parse_s3_uri(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace terrapin::storage
