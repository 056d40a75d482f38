// Digests and checksums of bytes that come in pieces. OpenSSL and zlib show in hash.cpp alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/files.h"

namespace terrapin::crypto {

enum class HashKind { kMd5, kSha1, kSha256, kCrc32, kCrc32c, kCrc64Nvme };

// Not thread-safe.
class Hasher {
 public:
  explicit Hasher(HashKind kind);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void add(std::span<const std::uint8_t> bytes);
  void add(std::string_view text);
  // Big-endian for CRCs, as S3 writes them. Ends the hasher.
  Bytes finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Bytes hash(HashKind kind, std::span<const std::uint8_t> bytes);
Bytes hash(HashKind kind, std::string_view text);
Bytes hmac_sha256(std::span<const std::uint8_t> key, std::string_view text);
// For AWS Signature Version 2 alone.
Bytes hmac_sha1(std::string_view key, std::string_view text);

std::string hex(std::span<const std::uint8_t> bytes);  // lower case
// False, with `bytes` untouched, for text that is not RFC 4648 section 4 with padding.
bool decode_base64(std::string_view text, Bytes& bytes);
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace terrapin::crypto
