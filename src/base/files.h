// Whole files and folders. Paths are UTF-8 std::filesystem paths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace terrapin {

using Bytes = std::vector<std::uint8_t>;

// The whole file. Fails with kNotFound, kIo, or kTooLarge above `limit_bytes`; the message names the path.
Result<Bytes> read_file(const std::filesystem::path& path, std::int64_t limit_bytes = std::int64_t{1} << 36);
Result<std::string> read_text_file(const std::filesystem::path& path,
                                   std::int64_t limit_bytes = std::int64_t{1} << 32);

// Writes a temporary file beside `path`, fsyncs it and renames it over `path`: a reader sees the old file
// or the new one, also after a crash. Creates missing parent folders. On failure nothing is left behind.
Status write_file_atomically(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);
Status write_file_atomically(const std::filesystem::path& path, std::string_view text);

// A file that appears under its own name only when `commit` succeeds; destroyed uncommitted, it leaves
// nothing. For outputs too large to hold in memory. Not thread-safe.
class AtomicFileWriter {
 public:
  static Result<AtomicFileWriter> open(const std::filesystem::path& path);
  AtomicFileWriter(AtomicFileWriter&& other) noexcept;
  AtomicFileWriter& operator=(AtomicFileWriter&& other) noexcept;
  ~AtomicFileWriter();
  Status write(std::span<const std::uint8_t> bytes);
  Status write(std::string_view text);
  Status commit();  // flush, fsync, rename

 private:
  AtomicFileWriter() = default;
  void discard() noexcept;
  int descriptor_ = -1;
  std::filesystem::path path_, temporary_path_;
};

// Regular files below `folder`, sorted by path bytes; hidden names are left out.
Result<std::vector<std::filesystem::path>> list_files(const std::filesystem::path& folder, bool recursive);

// True if `path`, made canonical without following its last part, lies in `root` or is it.
bool is_inside(const std::filesystem::path& root, const std::filesystem::path& path);

}  // namespace terrapin
