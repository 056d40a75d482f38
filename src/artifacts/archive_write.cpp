#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "artifacts/archive.h"
#include "artifacts/tar_header.h"

namespace terrapin::artifacts {
namespace {

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

Status write_entry(GzipWriter& writer, const TarHeader& header, std::span<const std::uint8_t> body) {
  const TarBlock block = format_tar_header(header);
  TERRAPIN_TRY_STATUS(writer.write(block));
  TERRAPIN_TRY_STATUS(writer.write(body));
  const Bytes padding(static_cast<std::size_t>((kTarBlock - header.size % kTarBlock) % kTarBlock));
  return writer.write(padding);
}

Status write_all(const std::filesystem::path& path, const std::map<std::string, Bytes>& files, int level) {
  for (const auto& [name, body] : files) {
    TERRAPIN_TRY(const std::string safe, safe_entry_name(name));
    if (safe != name || name.empty()) {
      return fail(ErrorCode::kInvalidArgument, "entry '{}' is not a plain relative file name", name);
    }
  }
  TERRAPIN_TRY(AtomicFileWriter file, AtomicFileWriter::open(path));
  GzipWriter writer(std::move(file));
  TERRAPIN_TRY_STATUS(writer.begin(level));
  for (const auto& [name, body] : files) {
    const TarHeader header{name, static_cast<std::int64_t>(body.size()), '0'};
    if (!fits_ustar(header)) {
      const std::string records = pax_record("path", name) + pax_record("size", std::to_string(body.size()));
      const Bytes bytes(records.begin(), records.end());
      TERRAPIN_TRY_STATUS(
          write_entry(writer, {"PaxHeader", static_cast<std::int64_t>(bytes.size()), 'x'}, bytes));
    }
    TERRAPIN_TRY_STATUS(write_entry(writer, header, body));
  }
  const Bytes end_mark(2 * kTarBlock);
  TERRAPIN_TRY_STATUS(writer.write(end_mark));
  return writer.finish();
}

}  // namespace

Status write_tar_gz(const std::filesystem::path& path, const std::map<std::string, Bytes>& files, int level) {
  auto written = write_all(path, files, level);
  if (!written && written.error().message.find(path.string()) == std::string::npos) {
    return with_context(std::move(written.error()), path.string());
  }
  return written;
}

}  // namespace terrapin::artifacts
