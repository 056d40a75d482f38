#include "training/container_records.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/interrupt.h"

namespace terrapin::training {
namespace {

std::uint32_t word_at(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 |
         std::uint32_t{bytes[3]} << 24;
}

void append_word(Bytes& bytes, std::uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(word >> shift));
}

constexpr std::uint32_t kLengthMask = (1u << 29) - 1;

}  // namespace

Result<RecordReader> RecordReader::open(const std::filesystem::path& path, std::int64_t limit_bytes) {
  RecordReader reader;
  // Non-blocking: opening a FIFO would otherwise hang until a writer comes, deaf to SIGTERM.
  reader.descriptor_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (reader.descriptor_ < 0) {
    return fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot open: {}", path.string(),
                std::strerror(errno));
  }
  reader.path_ = path;
  reader.limit_bytes_ = limit_bytes;
  return reader;
}

RecordReader::RecordReader(RecordReader&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      limit_bytes_(other.limit_bytes_),
      count_(other.count_) {}

RecordReader::~RecordReader() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::size_t> RecordReader::read(std::uint8_t* target, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    if (interrupted()) return fail(ErrorCode::kCancelled, "{}: stopped while reading", path_.string());
    pollfd waiting{descriptor_, POLLIN, 0};
    if (::poll(&waiting, 1, 200) <= 0) continue;  // nothing yet, or a signal: ask again
    const ssize_t got = ::read(descriptor_, target + done, size - done);
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got == 0) {
      break;
    } else if (errno != EAGAIN && errno != EINTR) {
      return fail(ErrorCode::kIo, "{}: cannot read: {}", path_.string(), std::strerror(errno));
    }
  }
  return done;
}

Result<std::optional<Bytes>> RecordReader::next() {
  const auto corrupt = [&](const std::string& what) {
    return fail(ErrorCode::kCorrupt, "{}: record {}: {}", path_.string(), count_ + 1, what);
  };
  Bytes record;
  for (bool inside = false;;) {
    std::uint8_t header[8];
    TERRAPIN_TRY(const std::size_t got, read(header, sizeof header));
    if (got == 0 && !inside) return std::optional<Bytes>{};
    if (got < sizeof header) return corrupt("the stream ends inside it");
    if (word_at(header) != kRecordMagic) {
      return corrupt(fmt::format("starts with {:#010x}, not with the RecordIO word {:#010x}", word_at(header),
                                 kRecordMagic));
    }
    const std::uint32_t flag = word_at(header + 4) >> 29;
    const std::size_t length = word_at(header + 4) & kLengthMask;
    if (flag > 3 || (flag >= 2) != inside) return corrupt(fmt::format("part flag {} out of order", flag));
    if (inside) append_word(record, kRecordMagic);
    if (static_cast<std::int64_t>(record.size() + length) > limit_bytes_) {
      return fail(ErrorCode::kTooLarge, "{}: record {}: over the limit of {} bytes", path_.string(),
                  count_ + 1, limit_bytes_);
    }
    // Grown as bytes arrive: a length that lies costs no memory.
    const std::size_t padded = (length + 3) / 4 * 4, start = record.size();
    for (std::size_t done = 0; done < padded;) {
      const std::size_t piece = std::min<std::size_t>(padded - done, std::size_t{1} << 20);
      record.resize(start + done + piece);
      TERRAPIN_TRY(const std::size_t read_bytes, read(record.data() + start + done, piece));
      if (read_bytes < piece) return corrupt("the stream ends inside it");
      done += piece;
    }
    record.resize(start + length);
    if (flag == 0 || flag == 3) {
      ++count_;
      return std::optional<Bytes>(std::move(record));
    }
    inside = true;
  }
}

Bytes frame_record(std::span<const std::uint8_t> record) {
  Bytes framed;
  const auto add_part = [&](std::uint32_t flag, std::span<const std::uint8_t> part) {
    append_word(framed, kRecordMagic);
    append_word(framed, flag << 29 | static_cast<std::uint32_t>(part.size()));
    framed.insert(framed.end(), part.begin(), part.end());
    framed.resize((framed.size() + 3) / 4 * 4);
  };
  std::size_t begin = 0;
  for (std::size_t i = 0; i + 4 <= record.size(); i += 4) {
    if (word_at(record.data() + i) != kRecordMagic) continue;
    add_part(begin == 0 ? 1 : 2, record.subspan(begin, i - begin));
    begin = i + 4;
  }
  add_part(begin == 0 ? 0 : 3, record.subspan(begin));
  return framed;
}

}  // namespace terrapin::training
