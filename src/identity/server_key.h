// The secret that this installation signs short-lived links and cookies with: <data-dir>/portal.key, 32
// random bytes, 0600. Whoever removes the file ends every link; sessions and passwords do not depend on it.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

namespace terrapin::identity {

// Makes the key at the first call; processes that start at once agree on one. kDenied if others may read the
// file, kCorrupt if it is not 32 bytes, kIo; the message names the file.
Result<Bytes> load_server_key(const std::filesystem::path& data_dir);

// An independent key for each purpose, so that what was signed for one is never valid for another.
Bytes derive_key(std::span<const std::uint8_t> server_key, std::string_view purpose);

}  // namespace terrapin::identity
