#include "artifacts/tar_header.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace terrapin::artifacts {
namespace {

// Offsets and lengths of POSIX.1-1988.
struct Field {
  std::size_t at, length;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kTime{136, 12},
    kChecksum{148, 8}, kType{156, 1}, kMagic{257, 6}, kPrefix{345, 155};
constexpr std::int64_t kMaxOctalSize = (std::int64_t{1} << 33) - 1;

std::string text_of(const TarBlock& block, Field field) {
  const auto* begin = reinterpret_cast<const char*>(block.data()) + field.at;
  return std::string(begin, strnlen(begin, field.length));
}

std::optional<std::int64_t> number_of(const TarBlock& block, Field field) {
  const std::uint8_t* digits = block.data() + field.at;
  std::int64_t value = 0;
  if (digits[0] & 0x80) {  // GNU: big-endian two's complement; a negative size is nonsense
    if (digits[0] & 0x40) return std::nullopt;
    for (std::size_t i = 0; i < field.length; ++i) {
      const std::int64_t digit = i == 0 ? digits[0] & 0x3f : digits[i];
      if (value >> 54) return std::nullopt;
      value = value * 256 + digit;
    }
    return value;
  }
  std::size_t i = 0;
  while (i < field.length && digits[i] == ' ') ++i;
  for (; i < field.length && digits[i] != ' ' && digits[i] != 0; ++i) {
    if (digits[i] < '0' || digits[i] > '7') return std::nullopt;
    value = value * 8 + (digits[i] - '0');
  }
  return value;
}

// As unsigned bytes; a few old programs summed signed ones.
bool checksum_agrees(const TarBlock& block, std::int64_t stored) {
  std::int64_t as_unsigned = 0, as_signed = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool inside = i >= kChecksum.at && i < kChecksum.at + kChecksum.length;
    const std::uint8_t byte = inside ? ' ' : block[i];
    as_unsigned += byte;
    as_signed += static_cast<std::int8_t>(byte);
  }
  return stored == as_unsigned || stored == as_signed;
}

void put_octal(TarBlock& block, Field field, std::int64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, field.length - 1);
  std::memcpy(block.data() + field.at, digits.data(), std::min(digits.size(), field.length - 1));
}

// Where a long name may be cut at a slash into prefix and name; npos if nowhere.
std::size_t split_place(const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    if (slash > 0 && slash <= kPrefix.length && name.size() - slash - 1 <= kName.length &&
        slash + 1 < name.size()) {
      return slash;
    }
  }
  return std::string::npos;
}

}  // namespace

Result<std::optional<TarHeader>> parse_tar_header(const TarBlock& block) {
  if (std::all_of(block.begin(), block.end(), [](std::uint8_t byte) { return byte == 0; })) {
    return std::optional<TarHeader>();
  }
  const auto stored = number_of(block, kChecksum);
  if (!stored || !checksum_agrees(block, *stored)) {
    return fail(ErrorCode::kCorrupt,
                "a tar header's checksum is wrong: this is no tar archive, or it is damaged");
  }
  TarHeader header;
  header.name = text_of(block, kName);
  // Only POSIX ustar has a prefix; GNU keeps times there.
  if (std::memcmp(block.data() + kMagic.at, "ustar\0", 6) == 0) {
    const std::string prefix = text_of(block, kPrefix);
    if (!prefix.empty()) header.name = prefix + "/" + header.name;
  }
  const auto size = number_of(block, kSize);
  if (!size) return fail(ErrorCode::kCorrupt, "entry '{}': its size is not a number", header.name);
  header.size = *size;
  header.type = static_cast<char>(block[kType.at]);
  if (header.type == 0) header.type = '0';
  return std::optional<TarHeader>(std::move(header));
}

bool fits_ustar(const TarHeader& header) {
  const bool name_fits = header.name.size() <= kName.length || split_place(header.name) != std::string::npos;
  return name_fits && header.size <= kMaxOctalSize;
}

TarBlock format_tar_header(const TarHeader& header) {
  TarBlock block{};
  std::string name = header.name, prefix;
  if (name.size() > kName.length) {
    const std::size_t slash = split_place(name);
    if (slash != std::string::npos) {
      prefix = name.substr(0, slash);
      name = name.substr(slash + 1);
    }
  }
  std::memcpy(block.data() + kName.at, name.data(), std::min(name.size(), kName.length));
  std::memcpy(block.data() + kPrefix.at, prefix.data(), prefix.size());
  put_octal(block, kMode, 0644);
  put_octal(block, kUid, 0);
  put_octal(block, kGid, 0);
  put_octal(block, kSize, std::min(header.size, kMaxOctalSize));
  put_octal(block, kTime, 0);
  block[kType.at] = static_cast<std::uint8_t>(header.type);
  std::memcpy(block.data() + kMagic.at,
              "ustar\0"
              "00",
              8);
  std::memset(block.data() + kChecksum.at, ' ', kChecksum.length);
  std::int64_t sum = 0;
  for (const std::uint8_t byte : block) sum += byte;
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(block.data() + kChecksum.at, digits.data(), 6);
  block[kChecksum.at + 6] = 0;  // then the space that is there already
  return block;
}

Result<std::string> safe_entry_name(const std::string& name) {
  const auto refuse = [&](const char* why) {
    return fail(ErrorCode::kCorrupt, "entry '{}' {}; expected a relative name inside the archive", name, why);
  };
  if (name.find('\0') != std::string::npos) return refuse("holds a NUL");
  if (!name.empty() && name.front() == '/') return refuse("has an absolute name");
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= name.size();) {
    std::size_t end = name.find('/', begin);
    if (end == std::string::npos) end = name.size();
    const std::string part = name.substr(begin, end - begin);
    if (part == "..") return refuse("leaves its folder by '..'");
    if (!part.empty() && part != ".") parts.push_back(part);
    begin = end + 1;
  }
  return fmt::format("{}", fmt::join(parts, "/"));  // empty for "./", the archive's own folder
}

}  // namespace terrapin::artifacts
