#include "base/byte_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "unit/base/temporary_folder.h"

namespace terrapin {
namespace {

using test::TemporaryFolder;

std::string text_of(const ByteSource& source) {
  return read_all_text(source, 1 << 20).value();
}

TEST(ByteSource, MemoryAndFileReadAlike) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "f", std::string_view("0123456789")));
  const Bytes borrowed{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'};
  for (const ByteSourcePtr& source : {bytes_source(std::string_view("0123456789")), borrowed_source(borrowed),
                                      bytes_source(Bytes{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}),
                                      file_source(folder / "f").value()}) {
    EXPECT_EQ(source->size(), 10);
    EXPECT_EQ(text_of(*source), "0123456789");
    Bytes part(3);
    ASSERT_TRUE(source->read(7, part));
    EXPECT_EQ(part, (Bytes{'7', '8', '9'}));
    EXPECT_TRUE(source->read(10, {}));
    for (const std::int64_t offset :
         {std::int64_t{-1}, std::int64_t{8}, std::int64_t{11}, INT64_MAX, INT64_MIN}) {
      const Status outside = source->read(offset, part);
      ASSERT_FALSE(outside) << offset;
      EXPECT_EQ(outside.error().code, ErrorCode::kInvalidArgument);
    }
  }
}

TEST(ByteSource, EmptyOnes) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "f", std::string_view()));
  for (const ByteSourcePtr& source :
       {bytes_source(Bytes()), file_source(folder / "f").value(), slice_source(bytes_source("abc"), 3, 0)}) {
    EXPECT_EQ(source->size(), 0);
    EXPECT_EQ(text_of(*source), "");
    Bytes one(1);
    EXPECT_FALSE(source->read(0, one));
  }
}

TEST(ByteSource, AFileStaysReadableAfterItIsReplacedOrRemoved) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_file_atomically(folder / "f", std::string_view("old")));
  const ByteSourcePtr old = file_source(folder / "f").value();
  ASSERT_TRUE(write_file_atomically(folder / "f", std::string_view("newer")));
  const ByteSourcePtr fresh = file_source(folder / "f").value();
  std::filesystem::remove(folder / "f");
  EXPECT_EQ(text_of(*old), "old");
  EXPECT_EQ(text_of(*fresh), "newer");
}

TEST(ByteSource, NamesFilesItCannotRead) {
  const TemporaryFolder folder;
  const auto missing = file_source(folder / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("missing"), std::string::npos);
  const auto directory = file_source(folder.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::kIo);
  ASSERT_TRUE(write_file_atomically(folder / "f", std::string_view("0123456789")));
  const ByteSourcePtr shrinking = file_source(folder / "f").value();
  std::filesystem::resize_file(folder / "f", 4);
  EXPECT_EQ(read_all(*shrinking, 100).error().code, ErrorCode::kIo);
}

TEST(ByteSource, SlicesStayInsideTheirBounds) {
  const ByteSourcePtr slice = slice_source(bytes_source("0123456789"), 2, 5);
  EXPECT_EQ(slice->size(), 5);
  EXPECT_EQ(text_of(*slice), "23456");
  Bytes two(2);
  EXPECT_TRUE(slice->read(3, two));
  EXPECT_FALSE(slice->read(4, two));  // the whole has that byte, the slice does not
  EXPECT_FALSE(slice->read(-1, two));
  EXPECT_EQ(text_of(*slice_source(slice, 1, 2)), "34");
}

TEST(ByteSource, ReadAllHoldsItsLimit) {
  const ByteSourcePtr source = bytes_source("0123456789");
  EXPECT_TRUE(read_all(*source, 10));
  EXPECT_EQ(read_all(*source, 9).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(read_all_text(*source, 9).error().code, ErrorCode::kTooLarge);
}

TEST(ByteSource, ThreadsReadOneFileAtTheSameTime) {
  const TemporaryFolder folder;
  Bytes bytes(1 << 20);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + (i >> 8));
  ASSERT_TRUE(write_file_atomically(folder / "f", bytes));
  const ByteSourcePtr source = file_source(folder / "f").value();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      Bytes part(1000);
      for (std::int64_t at = static_cast<std::int64_t>(t); at + 1000 <= source->size(); at += 7919) {
        if (!source->read(at, part) || !std::equal(part.begin(), part.end(), bytes.begin() + at)) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace terrapin
