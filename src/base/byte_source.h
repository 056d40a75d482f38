// Bytes that are read where they lie: in memory or in a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

namespace terrapin {

// A fixed sequence of bytes. Any thread may read at any time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::int64_t size() const = 0;
  // Fills `out` with the bytes from `offset`. kInvalidArgument if they are not all there, kIo if the disk
  // refuses.
  virtual Status read(std::int64_t offset, std::span<std::uint8_t> out) const = 0;
};
using ByteSourcePtr = std::shared_ptr<const ByteSource>;

ByteSourcePtr bytes_source(Bytes bytes);
ByteSourcePtr bytes_source(std::string_view text);  // copies
// Whose bytes are the caller's, and must stay for as long as the source is read.
ByteSourcePtr borrowed_source(std::span<const std::uint8_t> bytes);
// The file's present content; it stays readable after the file is replaced or removed. kNotFound, kIo.
Result<ByteSourcePtr> file_source(const std::filesystem::path& path);
// A part of `whole`, which must hold it.
ByteSourcePtr slice_source(ByteSourcePtr whole, std::int64_t offset, std::int64_t size);

// All of it in memory; kTooLarge above the limit.
Result<Bytes> read_all(const ByteSource& source, std::int64_t limit_bytes);
Result<std::string> read_all_text(const ByteSource& source, std::int64_t limit_bytes);

}  // namespace terrapin
