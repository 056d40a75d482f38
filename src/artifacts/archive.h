// tar.gz archives (POSIX ustar + pax size/path, gzip). Model packages travel as such.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace terrapin::artifacts {

struct ArchiveLimits {
  std::int64_t max_total_bytes = std::int64_t{8} << 30;
  std::int64_t max_entries = 100'000;
};

// Regular files by their name in the archive. Links, devices, absolute names and names with ".." are refused
// with kCorrupt naming the entry; over the limits is kTooLarge (a gzip bomb stops there).
Result<std::map<std::string, Bytes>> read_tar_gz(const std::filesystem::path& path,
                                                 const ArchiveLimits& limits = {});
// Deterministic (names sorted, times 0), atomic.
Status write_tar_gz(const std::filesystem::path& path, const std::map<std::string, Bytes>& files,
                    int level = 6);
// The same of a folder's files, subfolders included, hidden names left out; they are never in memory as a
// whole.
Status write_folder_tar_gz(const std::filesystem::path& path, const std::filesystem::path& folder,
                           int level = 6);

}  // namespace terrapin::artifacts
