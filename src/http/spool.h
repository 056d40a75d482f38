// A large request body on its way to a handler.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/byte_source.h"
#include "base/result.h"

namespace terrapin::http {

// A temporary file that has no name, so nothing is left behind however the program ends. Not thread-safe.
class SpoolFile {
 public:
  // kTmpfile asks the system for a file without a name and makes a named one, removed at once, where the file
  // system has none; kNamed goes the second way at once.
  enum class Creation { kTmpfile, kNamed };

  // Touches no disk yet. `folder` must exist when the first bytes are written.
  explicit SpoolFile(std::filesystem::path folder, Creation creation = Creation::kTmpfile)
      : folder_(std::move(folder)), creation_(creation) {}
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // Appends. kNoSpace if disk, quota or the largest file size are exhausted, else kIo; names the folder.
  Status write(std::span<const std::uint8_t> bytes);
  // What was written; it lives as long as the source. Nothing can be written any more.
  ByteSourcePtr finish();

 private:
  Status open();
  Status open_named();

  std::filesystem::path folder_;
  Creation creation_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

}  // namespace terrapin::http
