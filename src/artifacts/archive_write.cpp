#include <zlib.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "artifacts/archive.h"
#include "artifacts/tar_header.h"
#include "base/byte_source.h"

namespace terrapin::artifacts {
namespace {

constexpr std::int64_t kPieceBytes = 1 << 20;

// Compresses into a file that appears only on finish.
class GzipWriter {
 public:
  explicit GzipWriter(AtomicFileWriter file) : file_(std::move(file)) {}
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;
  ~GzipWriter() {
    if (ready_) deflateEnd(&stream_);
  }
  Status begin(int level) {
    // 15 + 16: the largest window, gzip framing. zlib's own gzip header has no name and no time: same input,
    // same bytes.
    if (deflateInit2(&stream_, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      return fail(ErrorCode::kInvalidArgument, "compression level {} is not within 0 to 9", level);
    }
    ready_ = true;
    return {};
  }
  Status write(std::span<const std::uint8_t> bytes) {
    // zlib counts in 32 bits.
    constexpr std::size_t kPart = std::size_t{1} << 30;
    for (std::size_t at = 0; at < bytes.size(); at += kPart) {
      TERRAPIN_TRY_STATUS(deflate_part(bytes.subspan(at, std::min(kPart, bytes.size() - at)), Z_NO_FLUSH));
    }
    return {};
  }
  Status finish() {
    TERRAPIN_TRY_STATUS(deflate_part({}, Z_FINISH));
    return file_.commit();
  }

 private:
  Status deflate_part(std::span<const std::uint8_t> bytes, int flush) {
    stream_.next_in = const_cast<Bytef*>(bytes.data());  // zlib does not write there
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = buffer_.data();
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      if (deflate(&stream_, flush) == Z_STREAM_ERROR) {
        return fail(ErrorCode::kInternal, "zlib refused to compress");
      }
      TERRAPIN_TRY_STATUS(
          file_.write(std::span<const std::uint8_t>(buffer_).first(buffer_.size() - stream_.avail_out)));
    } while (stream_.avail_out == 0);
    return {};
  }

  AtomicFileWriter file_;
  z_stream stream_{};
  bool ready_ = false;
  Bytes buffer_ = Bytes(256 * 1024);
};

// "length key=value\n", where length counts its own digits too.
std::string pax_record(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

Status write_padding(GzipWriter& writer, std::int64_t size) {
  const Bytes padding(static_cast<std::size_t>((kTarBlock - size % kTarBlock) % kTarBlock));
  return writer.write(padding);
}

// What comes before an entry's bytes.
Status begin_entry(GzipWriter& writer, const std::string& name, std::int64_t size) {
  const TarHeader header{name, size, '0'};
  if (!fits_ustar(header)) {
    const std::string records = pax_record("path", name) + pax_record("size", std::to_string(size));
    const Bytes bytes(records.begin(), records.end());
    const auto length = static_cast<std::int64_t>(bytes.size());
    TERRAPIN_TRY_STATUS(writer.write(format_tar_header({"PaxHeader", length, 'x'})));
    TERRAPIN_TRY_STATUS(writer.write(bytes));
    TERRAPIN_TRY_STATUS(write_padding(writer, length));
  }
  return writer.write(format_tar_header(header));
}

Status check_entry_name(const std::string& name) {
  TERRAPIN_TRY(const std::string safe, safe_entry_name(name));
  if (safe == name && !name.empty()) return {};
  return fail(ErrorCode::kInvalidArgument, "entry '{}' is not a plain relative file name", name);
}

using WriteEntries = std::function<Status(GzipWriter&)>;

Status write_archive(const std::filesystem::path& path, int level, const WriteEntries& entries) {
  TERRAPIN_TRY(AtomicFileWriter file, AtomicFileWriter::open(path));
  GzipWriter writer(std::move(file));
  TERRAPIN_TRY_STATUS(writer.begin(level));
  TERRAPIN_TRY_STATUS(entries(writer));
  const Bytes end_mark(2 * kTarBlock);
  TERRAPIN_TRY_STATUS(writer.write(end_mark));
  return writer.finish();
}

Status write_all(const std::filesystem::path& path, const std::map<std::string, Bytes>& files, int level) {
  for (const auto& [name, body] : files) {
    TERRAPIN_TRY_STATUS(check_entry_name(name));
  }
  return write_archive(path, level, [&](GzipWriter& writer) -> Status {
    for (const auto& [name, body] : files) {
      const auto size = static_cast<std::int64_t>(body.size());
      TERRAPIN_TRY_STATUS(begin_entry(writer, name, size));
      TERRAPIN_TRY_STATUS(writer.write(body));
      TERRAPIN_TRY_STATUS(write_padding(writer, size));
    }
    return {};
  });
}

Status write_file(GzipWriter& writer, const std::filesystem::path& path, const std::string& name) {
  TERRAPIN_TRY_STATUS(check_entry_name(name));
  TERRAPIN_TRY(const ByteSourcePtr source, file_source(path));
  const std::int64_t size = source->size();
  TERRAPIN_TRY_STATUS(begin_entry(writer, name, size));
  Bytes piece(static_cast<std::size_t>(std::clamp<std::int64_t>(size, 1, kPieceBytes)));
  for (std::int64_t at = 0; at < size;) {
    const std::span<std::uint8_t> part(piece.data(),
                                       static_cast<std::size_t>(std::min(kPieceBytes, size - at)));
    TERRAPIN_TRY_STATUS(source->read(at, part));
    TERRAPIN_TRY_STATUS(writer.write(part));
    at += static_cast<std::int64_t>(part.size());
  }
  return write_padding(writer, size);
}

// The failure names the archive, whatever else it names.
Status naming(const std::filesystem::path& path, Status written) {
  if (!written && written.error().message.find(path.string()) == std::string::npos)
    return with_context(std::move(written.error()), path.string());
  return written;
}

}  // namespace

Status write_tar_gz(const std::filesystem::path& path, const std::map<std::string, Bytes>& files, int level) {
  return naming(path, write_all(path, files, level));
}

Status write_folder_tar_gz(const std::filesystem::path& path, const std::filesystem::path& folder,
                           int level) {
  TERRAPIN_TRY(const std::vector<std::filesystem::path> files, list_files(folder, true));
  return naming(
      path, write_archive(path, level, [&](GzipWriter& writer) -> Status {
        for (const std::filesystem::path& file : files) {
          TERRAPIN_TRY_STATUS(write_file(writer, file, file.lexically_relative(folder).generic_string()));
        }
        return {};
      }));
}

}  // namespace terrapin::artifacts
