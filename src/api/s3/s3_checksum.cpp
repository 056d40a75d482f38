#include "api/s3/s3_checksum.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "crypto/hash.h"

namespace terrapin::api::s3 {
namespace {

struct Algorithm {
  const char* name;
  const char* upper;
  crypto::HashKind kind;
  std::size_t bytes;
  std::uint64_t polynomial;  // reflected; 0 for those that are no CRC
};
constexpr Algorithm kAlgorithms[] = {
    {"crc32", "CRC32", crypto::HashKind::kCrc32, 4, 0xedb88320},
    {"crc32c", "CRC32C", crypto::HashKind::kCrc32c, 4, 0x82f63b78},
    {"crc64nvme", "CRC64NVME", crypto::HashKind::kCrc64Nvme, 8, 0x9a6c9329ac4bc9b5},
    {"sha1", "SHA1", crypto::HashKind::kSha1, 20, 0},
    {"sha256", "SHA256", crypto::HashKind::kSha256, 32, 0},
};

const Algorithm* find(std::string_view name) {
  for (const Algorithm& algorithm : kAlgorithms)
    if (name == algorithm.name) return &algorithm;
  return nullptr;
}

// Linear maps over bits, one column a bit.
using Matrix = std::array<std::uint64_t, 64>;

std::uint64_t times(const Matrix& matrix, std::uint64_t vector) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; vector != 0; ++i, vector >>= 1)
    if ((vector & 1) != 0) sum ^= matrix[i];
  return sum;
}

Matrix squared(const Matrix& matrix) {
  Matrix result{};
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = times(matrix, matrix[i]);
  return result;
}

// The register after `bytes` zero bytes.
std::uint64_t after_zeros(const Algorithm& algorithm, std::uint64_t crc, std::int64_t bytes) {
  const std::size_t bits = algorithm.bytes * 8;
  Matrix step{};  // one zero bit
  step[0] = algorithm.polynomial;
  for (std::size_t i = 1; i < bits; ++i) step[i] = std::uint64_t{1} << (i - 1);
  for (int i = 0; i < 3; ++i) step = squared(step);
  for (; bytes > 0; bytes >>= 1) {
    if ((bytes & 1) != 0) crc = times(step, crc);
    step = squared(step);
  }
  return crc;
}

bool decode(const Algorithm& algorithm, const std::string& text, Bytes& bytes) {
  return crypto::decode_base64(text, bytes) && bytes.size() == algorithm.bytes;
}

}  // namespace

const std::vector<std::string>& checksum_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const Algorithm& algorithm : kAlgorithms) names.emplace_back(algorithm.name);
    return names;
  }();
  return kNames;
}

std::string checksum_algorithm(const std::string& name) {
  const Algorithm* algorithm = find(name);
  return algorithm == nullptr ? std::string() : algorithm->upper;
}

std::string checksum_element(const std::string& name) {
  return "Checksum" + checksum_algorithm(name);
}

std::optional<std::string> checksum_of_element(std::string_view element) {
  constexpr std::string_view kPrefix = "Checksum";
  if (!element.starts_with(kPrefix)) return std::nullopt;
  return checksum_of_algorithm(element.substr(kPrefix.size()));
}

std::optional<std::string> checksum_of_algorithm(std::string_view text) {
  for (const Algorithm& algorithm : kAlgorithms)
    if (text == algorithm.upper) return algorithm.name;
  return std::nullopt;
}

bool joins_parts(const std::string& name) {
  const Algorithm* algorithm = find(name);
  return algorithm != nullptr && algorithm->polynomial != 0;
}

Result<std::string> checksum_of(const std::string& name, const ByteSource& content) {
  const Algorithm* algorithm = find(name);
  if (algorithm == nullptr) return fail(ErrorCode::kInvalidArgument, "no checksum is called '{}'", name);
  crypto::Hasher hasher(algorithm->kind);
  Bytes buffer(256 << 10);
  for (std::int64_t offset = 0; offset < content.size();) {
    const auto count = static_cast<std::size_t>(
        std::min<std::int64_t>(static_cast<std::int64_t>(buffer.size()), content.size() - offset));
    const std::span<std::uint8_t> piece(buffer.data(), count);
    TERRAPIN_TRY_STATUS(content.read(offset, piece));
    hasher.add(piece);
    offset += static_cast<std::int64_t>(count);
  }
  return base64(hasher.finish());
}

std::optional<std::string> composite_checksum(const std::string& name,
                                              const std::vector<std::string>& parts) {
  const Algorithm* algorithm = find(name);
  if (algorithm == nullptr) return std::nullopt;
  crypto::Hasher hasher(algorithm->kind);
  for (const std::string& part : parts) {
    Bytes bytes;
    if (!decode(*algorithm, part, bytes)) return std::nullopt;
    hasher.add(bytes);
  }
  return fmt::format("{}-{}", base64(hasher.finish()), parts.size());
}

std::optional<std::string> joined_checksum(const std::string& name,
                                           const std::vector<std::pair<std::string, std::int64_t>>& parts) {
  const Algorithm* algorithm = find(name);
  if (algorithm == nullptr || algorithm->polynomial == 0) return std::nullopt;
  std::uint64_t crc = 0;
  for (const auto& [text, size] : parts) {
    Bytes bytes;
    if (!decode(*algorithm, text, bytes)) return std::nullopt;
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes) value = value << 8 | byte;
    crc = after_zeros(*algorithm, crc, size) ^ value;
  }
  Bytes bytes(algorithm->bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(crc >> (8 * (bytes.size() - 1 - i)));
  return base64(bytes);
}

}  // namespace terrapin::api::s3
