// One 512-byte header block of a tar archive (POSIX.1-1988 ustar, with GNU's base-256 sizes).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace terrapin::artifacts {

inline constexpr std::int64_t kTarBlock = 512;
using TarBlock = std::array<std::uint8_t, kTarBlock>;

struct TarHeader {
  std::string name;
  std::int64_t size = 0;
  char type = '0';
};

// The header in `block`; nullopt for a block of zeros (end of archive). kCorrupt when the checksum or a
// number is wrong.
Result<std::optional<TarHeader>> parse_tar_header(const TarBlock& block);

// False if the name needs a pax header: longer than name and prefix hold, or a size beyond eleven octal
// digits.
bool fits_ustar(const TarHeader& header);
// A name or size that does not fit is cut: a pax header before it says the true one.
TarBlock format_tar_header(const TarHeader& header);

// The name without "./", or why it may not be unpacked: absolute, "..", empty, NUL.
Result<std::string> safe_entry_name(const std::string& name);

}  // namespace terrapin::artifacts
