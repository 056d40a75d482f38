// The checksums of S3 beside MD5: names, values of parts put together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"

namespace terrapin::api::s3 {

// Names as in Exchange::checksums: "crc32", "crc32c", "crc64nvme", "sha1", "sha256".
const std::vector<std::string>& checksum_names();
// "ChecksumCRC32" for "crc32" and back.
std::string checksum_element(const std::string& name);
std::optional<std::string> checksum_of_element(std::string_view element);
// "crc32" for "CRC32"; nullopt for one that is not served.
std::optional<std::string> checksum_of_algorithm(std::string_view algorithm);
// "CRC32".
std::string checksum_algorithm(const std::string& name);

// Whether joined_checksum serves it.
bool joins_parts(const std::string& name);

// base64.
Result<std::string> checksum_of(const std::string& name, const ByteSource& content);
// The checksum of checksums, "<base64>-<parts>"; nullopt if a value is no such checksum.
std::optional<std::string> composite_checksum(const std::string& name, const std::vector<std::string>& parts);
// The CRC of the parts one after another, from each one's CRC (base64) and size. nullopt for the SHAs and for
// values that are none.
std::optional<std::string> joined_checksum(const std::string& name,
                                           const std::vector<std::pair<std::string, std::int64_t>>& parts);

}  // namespace terrapin::api::s3
