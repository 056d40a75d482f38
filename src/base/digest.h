// SHA-256 (FIPS 180-4). Kept here, small, so that the core builds without OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"

namespace terrapin {

std::string sha256_hex(std::span<const std::uint8_t> bytes);
Result<std::string> sha256_of_file(const std::filesystem::path& path);  // streams

}  // namespace terrapin
