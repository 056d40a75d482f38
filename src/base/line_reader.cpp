#include "base/line_reader.h"

#include <algorithm>

namespace terrapin {

Result<bool> LineReader::fill() {
  const std::int64_t left = source_->size() - offset_;
  if (left <= 0) return false;
  buffer_.resize(static_cast<std::size_t>(std::min<std::int64_t>(left, std::int64_t{1} << 18)));
  TERRAPIN_TRY_STATUS(source_->read(offset_, buffer_));
  offset_ += static_cast<std::int64_t>(buffer_.size());
  at_ = 0;
  return true;
}

Result<std::optional<LineReader::Line>> LineReader::next() {
  Line line;
  bool any = false;
  for (;;) {
    if (at_ == buffer_.size()) {
      TERRAPIN_TRY(const bool more, fill());
      if (!more) break;
    }
    any = true;
    const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(at_);
    const auto end = std::find(begin, buffer_.end(), std::uint8_t{'\n'});
    const std::size_t count = static_cast<std::size_t>(end - begin);
    const std::size_t room = max_line_bytes_ - line.text.size();
    line.cut = line.cut || count > room;
    line.text.append(begin, begin + static_cast<std::ptrdiff_t>(std::min(count, room)));
    at_ += count;
    if (end != buffer_.end()) {
      ++at_;
      break;
    }
  }
  if (!any) return std::optional<Line>();
  if (!line.cut && !line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  line.number = ++number_;
  return std::optional<Line>(std::move(line));
}

}  // namespace terrapin
