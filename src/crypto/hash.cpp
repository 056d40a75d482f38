#include "crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <zlib.h>

#include <array>
#include <stdexcept>

namespace terrapin::crypto {
namespace {

// Reflected CRCs, one table of 8 x 256 entries each ("slicing by 8": Kounavis and Berry, 2008).
template <class Word>
class CrcTable {
 public:
  explicit CrcTable(Word polynomial) {
    for (std::size_t i = 0; i < 256; ++i) {
      Word value = static_cast<Word>(i);
      for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ polynomial : value >> 1;
      rows_[0][i] = value;
    }
    for (std::size_t row = 1; row < 8; ++row)
      for (std::size_t i = 0; i < 256; ++i)
        rows_[row][i] = rows_[0][rows_[row - 1][i] & 0xff] ^ (rows_[row - 1][i] >> 8);
  }
  Word add(Word crc, std::span<const std::uint8_t> bytes) const {
    crc = ~crc;
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      std::uint64_t word = 0;
      for (std::size_t b = 0; b < 8; ++b) word |= static_cast<std::uint64_t>(bytes[i + b]) << (8 * b);
      word ^= crc;
      crc = 0;
      for (std::size_t b = 0; b < 8; ++b) crc ^= rows_[7 - b][(word >> (8 * b)) & 0xff];
    }
    for (; i < bytes.size(); ++i) crc = rows_[0][(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
    return ~crc;
  }

 private:
  std::array<std::array<Word, 256>, 8> rows_;
};

const CrcTable<std::uint32_t>& crc32c_table() {
  static const CrcTable<std::uint32_t> table(0x82f63b78);
  return table;
}
const CrcTable<std::uint64_t>& crc64_nvme_table() {
  static const CrcTable<std::uint64_t> table(0x9a6c9329ac4bc9b5);
  return table;
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <class Word>
Bytes big_endian(Word value) {
  Bytes bytes(sizeof value);
  for (std::size_t i = 0; i < sizeof value; ++i)
    bytes[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof value - 1 - i)));
  return bytes;
}

}  // namespace

struct Hasher::State {
  HashKind kind;
  EVP_MD_CTX* context = nullptr;
  std::uint32_t crc32 = 0;
  std::uint64_t crc64 = 0;
  ~State() { EVP_MD_CTX_free(context); }
};

Hasher::Hasher(HashKind kind) : state_(std::make_unique<State>()) {
  state_->kind = kind;
  const EVP_MD* digest = kind == HashKind::kMd5      ? EVP_md5()
                         : kind == HashKind::kSha1   ? EVP_sha1()
                         : kind == HashKind::kSha256 ? EVP_sha256()
                                                     : nullptr;
  if (digest == nullptr) return;
  state_->context = EVP_MD_CTX_new();
  if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, digest, nullptr) != 1)
    throw std::runtime_error("OpenSSL refuses a digest");
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::add(std::span<const std::uint8_t> bytes) {
  switch (state_->kind) {
    case HashKind::kCrc32:
      state_->crc32 = static_cast<std::uint32_t>(crc32_z(state_->crc32, bytes.data(), bytes.size()));
      return;
    case HashKind::kCrc32c:
      state_->crc32 = crc32c_table().add(state_->crc32, bytes);
      return;
    case HashKind::kCrc64Nvme:
      state_->crc64 = crc64_nvme_table().add(state_->crc64, bytes);
      return;
    default:
      if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1)
        throw std::runtime_error("OpenSSL refuses to digest");
  }
}
void Hasher::add(std::string_view text) {
  add(bytes_of(text));
}

Bytes Hasher::finish() {
  if (state_->kind == HashKind::kCrc32 || state_->kind == HashKind::kCrc32c) return big_endian(state_->crc32);
  if (state_->kind == HashKind::kCrc64Nvme) return big_endian(state_->crc64);
  Bytes result(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (EVP_DigestFinal_ex(state_->context, result.data(), &size) != 1)
    throw std::runtime_error("OpenSSL refuses to end a digest");
  result.resize(size);
  return result;
}

Bytes hash(HashKind kind, std::span<const std::uint8_t> bytes) {
  Hasher hasher(kind);
  hasher.add(bytes);
  return hasher.finish();
}
Bytes hash(HashKind kind, std::string_view text) {
  return hash(kind, bytes_of(text));
}

namespace {
Bytes hmac(const EVP_MD* digest, std::span<const std::uint8_t> key, std::string_view text) {
  Bytes result(static_cast<std::size_t>(EVP_MD_get_size(digest)));
  unsigned size = 0;
  if (HMAC(digest, key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), result.data(), &size) == nullptr)
    throw std::runtime_error("OpenSSL refuses an HMAC");
  return result;
}
}  // namespace

Bytes hmac_sha256(std::span<const std::uint8_t> key, std::string_view text) {
  return hmac(EVP_sha256(), key, text);
}
Bytes hmac_sha1(std::string_view key, std::string_view text) {
  return hmac(EVP_sha1(), bytes_of(key), text);
}

std::string hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool decode_base64(std::string_view text, Bytes& bytes) {
  if (text.size() % 4 != 0) return false;
  static const std::array<std::int8_t, 256> kValues = [] {
    std::array<std::int8_t, 256> values;
    values.fill(-1);
    const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < digits.size(); ++i)
      values[static_cast<std::uint8_t>(digits[i])] = static_cast<std::int8_t>(i);
    return values;
  }();
  std::size_t padding = 0;
  if (!text.empty() && text.back() == '=') padding = text[text.size() - 2] == '=' ? 2 : 1;
  Bytes result;
  result.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t word = 0;
    const std::size_t digits = i + 4 == text.size() ? 4 - padding : 4;
    for (std::size_t d = 0; d < 4; ++d) {
      const int value = d < digits ? kValues[static_cast<std::uint8_t>(text[i + d])] : 0;
      if (value < 0) return false;
      word = word << 6 | static_cast<std::uint32_t>(value);
    }
    // Bits that carry nothing must be zero: one text for one sequence of bytes.
    if (digits == 3 && (word & 0xff) != 0) return false;
    if (digits == 2 && (word & 0xffff) != 0) return false;
    result.push_back(static_cast<std::uint8_t>(word >> 16));
    if (digits > 2) result.push_back(static_cast<std::uint8_t>(word >> 8));
    if (digits > 3) result.push_back(static_cast<std::uint8_t>(word));
  }
  bytes = std::move(result);
  return true;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace terrapin::crypto
