#include "base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "unit/base/temporary_folder.h"

namespace terrapin {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::size_t entries_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Files, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  Bytes bytes(100'003);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  ASSERT_TRUE(write_file_atomically(folder / "a.bin", bytes));
  const auto read = read_file(folder / "a.bin");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, bytes);
}

TEST(Files, ReadsFilesWhoseSizeTheSystemDoesNotKnow) {
  const auto text = read_text_file("/proc/self/status");
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("Name:"));
}

TEST(Files, EmptyFilesAreFiles) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "empty", std::string_view()));
  const auto read = read_file(folder / "empty");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->empty());
}

TEST(Files, FailuresNameThePathAndTheKind) {
  const TemporaryFolder folder;
  const auto missing = read_file(folder / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr((folder / "missing").string()));

  ASSERT_TRUE(write_file_atomically(folder / "ten", std::string_view("0123456789")));
  EXPECT_TRUE(read_file(folder / "ten", 10));
  const auto large = read_file(folder / "ten", 9);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(large.error().message, HasSubstr("10 bytes, the limit is 9"));

  const auto directory = read_file(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::kIo);
}

TEST(Files, WritingCreatesFoldersAndReplacesWithoutLeftovers) {
  const TemporaryFolder folder;
  const fs::path path = folder / "deep/er/file.txt";
  ASSERT_TRUE(write_file_atomically(path, std::string_view("first")));
  ASSERT_TRUE(write_file_atomically(path, std::string_view("second")));
  EXPECT_EQ(*read_text_file(path), "second");
  EXPECT_EQ(entries_in(path.parent_path()), 1U);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(info.st_mode & 0777, 0666 & ~mask) << "others must be able to read what the umask allows";
}

TEST(Files, FailedWriteLeavesTheOldContentAndNothingElse) {
  const TemporaryFolder folder;
  // A folder with content of that name cannot be replaced by a file: rename fails after everything was
  // written.
  ASSERT_TRUE(write_file_atomically(folder / "target/inner", std::string_view("kept")));
  const auto status = write_file_atomically(folder / "target", std::string_view("new"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_THAT(status.error().message, HasSubstr((folder / "target").string()));
  EXPECT_EQ(*read_text_file(folder / "target/inner"), "kept");
  EXPECT_EQ(entries_in(folder.path()), 1U);

  // A parent that is a file.
  const auto below_file = write_file_atomically(folder / "target/inner/x", std::string_view("new"));
  ASSERT_FALSE(below_file);
  EXPECT_EQ(below_file.error().code, ErrorCode::kIo);
}

TEST(Files, FullDiskIsAnErrorThatLeavesNothing) {
  const TemporaryFolder folder;
  // The file size limit stands in for a full disk: it makes write fail in the middle.
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit {
      1000, 1000
    };
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto status = write_file_atomically(folder / "big", Bytes(5000, 1));
    ::_exit(!status && status.error().code == ErrorCode::kIo ? 0 : 1);
  }
  int result = -1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(entries_in(folder.path()), 0U);
}

TEST(Files, UncommittedWriterLeavesNothing) {
  const TemporaryFolder folder;
  {
    auto writer = AtomicFileWriter::open(folder / "a");
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->write("half"));
    EXPECT_FALSE(fs::exists(folder / "a"));
    EXPECT_TRUE(list_files(folder.path(), false)->empty()) << "a half-written file must not be listed";
  }
  EXPECT_EQ(entries_in(folder.path()), 0U);
}

TEST(Files, WriterStreamsMovesAndCommitsOnce) {
  const TemporaryFolder folder;
  auto opened = AtomicFileWriter::open(folder / "a");
  ASSERT_TRUE(opened);
  AtomicFileWriter writer = std::move(*opened);
  ASSERT_TRUE(writer.write("one "));
  AtomicFileWriter moved = std::move(writer);
  ASSERT_TRUE(moved.write("two"));
  ASSERT_TRUE(moved.commit());
  EXPECT_EQ(*read_text_file(folder / "a"), "one two");
  EXPECT_FALSE(moved.commit());
  EXPECT_FALSE(moved.write("late"));
  EXPECT_EQ(*read_text_file(folder / "a"), "one two");
}

TEST(Files, ReadersSeeOneOfTheWrittenContents) {
  const TemporaryFolder folder;
  const fs::path path = folder / "shared";
  const std::string a(200'000, 'a'), b(100'000, 'b');
  ASSERT_TRUE(write_file_atomically(path, a));
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i) (void)write_file_atomically(path, i % 2 == 0 ? b : a);
  });
  for (int i = 0; i < 200; ++i) {
    const auto text = read_text_file(path);
    ASSERT_TRUE(text);
    ASSERT_TRUE(*text == a || *text == b) << "a mixture of " << text->size() << " bytes";
  }
  writer.join();
}

TEST(Files, LongNamesAreWritable) {
  const TemporaryFolder folder;
  const std::string name(250, 'n');
  ASSERT_TRUE(write_file_atomically(folder / name, std::string_view("x")));
  EXPECT_EQ(*read_text_file(folder / name), "x");
}

TEST(Files, ListsRegularFilesSortedByBytes) {
  const TemporaryFolder folder;
  for (const char* name : {"b", "B", "a10", "a9", ".hidden", "sub/c", ".git/config", "\xc3\xa4"}) {
    ASSERT_TRUE(write_file_atomically(folder / name, std::string_view("x")));
  }
  fs::create_symlink(folder / "a9", folder / "link");
  const auto flat = list_files(folder.path(), false);
  ASSERT_TRUE(flat);
  EXPECT_THAT(*flat, ElementsAre(folder / "B", folder / "a10", folder / "a9", folder / "b", folder / "link",
                                 folder / "\xc3\xa4"));
  const auto deep = list_files(folder.path(), true);
  ASSERT_TRUE(deep);
  EXPECT_EQ(deep->size(), 7U);
  const auto missing = list_files(folder / "none", true);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST(Files, InsideFollowsLinksAndDots) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "root/sub");
  fs::create_directories(folder / "root-2");
  fs::create_directory_symlink(folder / "root-2", folder / "root/way-out");
  const fs::path root = folder / "root";
  EXPECT_TRUE(is_inside(root, root));
  EXPECT_TRUE(is_inside(root, root / "new-file"));
  EXPECT_TRUE(is_inside(root, root / "sub/../sub/x"));
  EXPECT_TRUE(is_inside(root / "", root / "sub"));
  EXPECT_FALSE(is_inside(root, root / ".."));
  EXPECT_FALSE(is_inside(root, root / "../root-2/x"));
  EXPECT_FALSE(is_inside(root, folder / "root-2"));
  EXPECT_FALSE(is_inside(root, root / "way-out/x")) << "the link leaves the root";
  EXPECT_TRUE(is_inside(root, root / "way-out")) << "the link itself lies in the root";
}

}  // namespace
}  // namespace terrapin
