#include "crypto/hash.h"

#include <gtest/gtest.h>

#include <random>

#include "base/base64.h"
#include "crypto/secrets.h"

namespace terrapin::crypto {
namespace {

std::string hex_of(HashKind kind, std::string_view text) {
  return hex(hash(kind, text));
}

// Check values: RFC 1321, RFC 3174, FIPS 180-4, and the "check" column of the CRC catalogue ("123456789").
TEST(Hash, KnownValues) {
  EXPECT_EQ(hex_of(HashKind::kMd5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex_of(HashKind::kSha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex_of(HashKind::kSha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(HashKind::kSha256, ""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of(HashKind::kCrc32, "123456789"), "cbf43926");
  EXPECT_EQ(hex_of(HashKind::kCrc32c, "123456789"), "e3069283");
  EXPECT_EQ(hex_of(HashKind::kCrc64Nvme, "123456789"), "ae8b14860a799888");
  EXPECT_EQ(hex_of(HashKind::kCrc32, ""), "00000000");
  EXPECT_EQ(hex_of(HashKind::kCrc64Nvme, ""), "0000000000000000");
}

// RFC 3720, B.4.
TEST(Hash, Crc32cOfStorageVectors) {
  EXPECT_EQ(hex(hash(HashKind::kCrc32c, Bytes(32, 0))), "8a9136aa");
  EXPECT_EQ(hex(hash(HashKind::kCrc32c, Bytes(32, 0xff))), "62a8ab43");
  Bytes rising(32);
  for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(hex(hash(HashKind::kCrc32c, rising)), "46dd794e");
}

// The naive twin of the table-driven CRCs: bit by bit.
std::uint64_t slow_crc(const Bytes& bytes, std::uint64_t polynomial, std::uint64_t ones) {
  std::uint64_t crc = ones;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ polynomial : crc >> 1;
  }
  return crc ^ ones;
}
std::uint64_t number(const Bytes& big_endian) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : big_endian) value = value << 8 | byte;
  return value;
}

TEST(Hash, CrcsAgreeWithBitByBitHoweverTheBytesAreSplit) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Bytes bytes(random() % 70);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    const std::size_t cut = bytes.empty() ? 0 : random() % bytes.size();
    const auto split = [&](HashKind kind) {
      Hasher hasher(kind);
      hasher.add(std::span(bytes).first(cut));
      hasher.add(std::span(bytes).subspan(cut));
      return number(hasher.finish());
    };
    EXPECT_EQ(split(HashKind::kCrc32), slow_crc(bytes, 0xedb88320, 0xffffffff));
    EXPECT_EQ(split(HashKind::kCrc32c), slow_crc(bytes, 0x82f63b78, 0xffffffff));
    EXPECT_EQ(split(HashKind::kCrc64Nvme), slow_crc(bytes, 0x9a6c9329ac4bc9b5, ~std::uint64_t{0}));
  }
}

// RFC 4231, test cases 1 and 2.
TEST(Hash, HmacSha256) {
  EXPECT_EQ(hex(hmac_sha256(Bytes(20, 0x0b), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  const std::string_view key = "Jefe";
  EXPECT_EQ(hex(hmac_sha256(Bytes(key.begin(), key.end()), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256({}, "").size(), 32U);
}

TEST(Base64, ReadsWhatIsWrittenAndNothingElse) {
  std::mt19937 random(3);
  for (std::size_t size = 0; size < 40; ++size) {
    Bytes bytes(size), read;
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    ASSERT_TRUE(decode_base64(base64(bytes), read));
    EXPECT_EQ(read, bytes);
  }
  Bytes untouched{1, 2};
  for (const std::string_view text : {"A", "AA", "AAA", "AB==", "AAB=", "====", "A===", "AA=A", "A=AA",
                                      "AAA\n", "AA=A", "AAAA====", "AA==AAAA", " AAA", "AA-_"})
    EXPECT_FALSE(decode_base64(text, untouched)) << text;
  EXPECT_EQ(untouched, (Bytes{1, 2}));
}

TEST(ConstantTime, ComparesLikeEquality) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

TEST(Secrets, HaveTheirFormAndDiffer) {
  EXPECT_EQ(random_text(40).size(), 40U);
  EXPECT_EQ(
      random_text(40).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
      std::string::npos);
  EXPECT_NE(random_text(40), random_text(40));
  const std::string uuid = random_uuid();
  ASSERT_EQ(uuid.size(), 36U);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  EXPECT_NE(random_uuid(), uuid);
}

TEST(Secrets, PasswordsVerify) {
  const std::string stored = hash_password("correct horse");
  EXPECT_EQ(stored.find("correct"), std::string::npos);
  EXPECT_TRUE(verify_password("correct horse", stored));
  EXPECT_FALSE(verify_password("correct horsf", stored));
  EXPECT_FALSE(verify_password("", stored));
  EXPECT_FALSE(verify_password("correct horse", ""));
  EXPECT_FALSE(verify_password("correct horse", std::string(500, 'x')));
  EXPECT_NE(hash_password("correct horse"), stored);  // salted
}

}  // namespace
}  // namespace terrapin::crypto
