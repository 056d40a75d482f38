#include "base/digest.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "unit/base/temporary_folder.h"

namespace terrapin {
namespace {

std::string digest_of(std::string_view text) {
  return sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// FIPS 180-4 examples.
TEST(Digest, GivesThePublishedDigests) {
  EXPECT_EQ(digest_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest_of(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Digest, StreamsFilesOfEveryLengthAroundItsBlocks) {
  const test::TemporaryFolder folder;
  for (const std::size_t length : {0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 262144, 300000}) {
    Bytes bytes(length);
    for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + 1);
    ASSERT_TRUE(write_file_atomically(folder / "file", bytes));
    const auto streamed = sha256_of_file(folder / "file");
    ASSERT_TRUE(streamed);
    EXPECT_EQ(*streamed, sha256_hex(bytes)) << length;
  }
  EXPECT_EQ(sha256_of_file(folder / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(sha256_of_file(folder.path()).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace terrapin
