// The lines of a large text, one at a time: memory does not grow with its length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/byte_source.h"

namespace terrapin {

// Not thread-safe.
class LineReader {
 public:
  // A line over max_line_bytes is handed out cut there, with `cut` set.
  LineReader(ByteSourcePtr source, std::size_t max_line_bytes)
      : source_(std::move(source)), max_line_bytes_(max_line_bytes) {}

  struct Line {
    std::int64_t number = 0;  // 1-based, empty lines counted
    std::string text;         // without \n or \r\n
    bool cut = false;
  };
  // The next line, also an empty one; nullopt at the end. A last line without its end counts; nothing after a
  // last \n does not.
  Result<std::optional<Line>> next();

 private:
  Result<bool> fill();
  ByteSourcePtr source_;
  std::size_t max_line_bytes_;
  std::int64_t offset_ = 0, number_ = 0;
  Bytes buffer_;
  std::size_t at_ = 0;
};

}  // namespace terrapin
