// A tar archive of objects that is written while it is read: nothing of it lies in memory or on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "artifacts/tar_header.h"
#include "base/byte_source.h"

namespace terrapin::portal {

struct TarFile {
  std::string name;  // at most 100 bytes
  std::int64_t size = 0;
  std::function<Result<ByteSourcePtr>()> open;  // called when its bytes are due, from any thread
};

// POSIX ustar, in the order given. read() fails with kConflict if a file has another size when it is opened.
class TarSource final : public ByteSource {
 public:
  explicit TarSource(std::vector<TarFile> files);
  std::int64_t size() const override { return size_; }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override;

 private:
  Result<ByteSourcePtr> content_of(std::size_t index) const;
  const std::vector<TarFile> files_;
  std::vector<std::int64_t> starts_;  // of each file's header
  std::int64_t size_ = 0;
  mutable std::mutex mutex_;
  mutable std::size_t opened_ = SIZE_MAX;  // guarded by mutex_; the file read last
  mutable ByteSourcePtr content_;          // guarded by mutex_
};

}  // namespace terrapin::portal
