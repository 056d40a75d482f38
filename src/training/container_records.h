// RecordIO streams, as SageMaker's Pipe mode and augmented manifests send them. Format: dmlc recordio: each
// part is the little-endian word 0xced7230a, a word with a 3-bit part flag (0 whole, 1 first, 2 middle, 3
// last) above a 29-bit length, the bytes, and padding to 4; a record is cut where its data held the magic
// word itself, which is then left out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "base/files.h"
#include "base/result.h"

namespace terrapin::training {

inline constexpr std::uint32_t kRecordMagic = 0xced7230a;

// Reads a file or a FIFO, record by record. For a FIFO `open` returns at once and `next` waits for the
// writer; SIGTERM ends the wait with kCancelled. Not thread-safe.
class RecordReader {
 public:
  static Result<RecordReader> open(const std::filesystem::path& path,
                                   std::int64_t limit_bytes = std::int64_t{1} << 30);
  RecordReader(RecordReader&& other) noexcept;
  RecordReader& operator=(RecordReader&&) = delete;
  ~RecordReader();

  // The next record, or nullopt at the end. kCorrupt names the record and what is wrong; kTooLarge above
  // limit_bytes.
  Result<std::optional<Bytes>> next();
  std::int64_t count() const { return count_; }  // records returned so far

 private:
  RecordReader() = default;
  // Reads up to `size` bytes; fewer only at the end of the stream.
  Result<std::size_t> read(std::uint8_t* target, std::size_t size);
  int descriptor_ = -1;
  std::filesystem::path path_;
  std::int64_t limit_bytes_ = 0, count_ = 0;
};

// The record as one or more parts (cut at aligned magic words), as a writer of the format makes them.
Bytes frame_record(std::span<const std::uint8_t> record);

}  // namespace terrapin::training
