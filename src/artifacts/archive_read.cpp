#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "artifacts/archive.h"
#include "artifacts/json_fields.h"
#include "artifacts/tar_header.h"

namespace terrapin::artifacts {
namespace {

constexpr std::int64_t kChunk = 1 << 20;
// Long names and pax records are short texts; anything longer is an attack or damage.
constexpr std::int64_t kMaxMetaBytes = 1 << 20;

// The decompressed bytes of a gzip file, in order.
class GzipReader {
 public:
  ~GzipReader() {
    if (file_) gzclose_r(file_);
  }
  Status open(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      const bool missing = errno == ENOENT || errno == ENOTDIR;
      return fail(missing ? ErrorCode::kNotFound : ErrorCode::kIo, "cannot open: {}", std::strerror(errno));
    }
    file_ = gzdopen(descriptor, "rb");
    if (!file_) {
      ::close(descriptor);
      return fail(ErrorCode::kIo, "out of memory");
    }
    gzbuffer(file_, 256 * 1024);
    // zlib would pass a file that is not gzip through as it stands.
    if (gzdirect(file_)) return fail(ErrorCode::kCorrupt, "not a gzip file");
    return {};
  }
  // Bytes read: fewer than `count` only at a well-formed end. A cut stream or a wrong checksum is kCorrupt.
  Result<std::int64_t> read(std::uint8_t* out, std::int64_t count) {
    std::int64_t done = 0;
    while (done < count) {
      const auto part = static_cast<unsigned>(std::min(count - done, kChunk));
      const int got = gzread(file_, out + done, part);
      int code = Z_OK;
      const char* message = gzerror(file_, &code);
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
        if (code == Z_ERRNO) return fail(ErrorCode::kIo, "cannot read: {}", std::strerror(errno));
        if (code == Z_BUF_ERROR)
          return fail(ErrorCode::kCorrupt, "the gzip stream ends early: the file is cut");
        return fail(ErrorCode::kCorrupt, "the gzip stream is damaged ({})", message);
      }
      if (got == 0) break;
      done += got;
    }
    return done;
  }

 private:
  gzFile file_ = nullptr;
};

class TarReader {
 public:
  explicit TarReader(const ArchiveLimits& limits) : limits_(limits) {}
  Status open(const std::filesystem::path& path) { return stream_.open(path); }

  Result<std::map<std::string, Bytes>> read_all() {
    std::map<std::string, Bytes> files;
    for (;;) {
      TERRAPIN_TRY(std::optional<TarHeader> header, next_header());
      if (!header) break;
      if (++entries_ > limits_.max_entries) {
        return fail(ErrorCode::kTooLarge, "more than {} entries", limits_.max_entries);
      }
      const bool regular = header->type == '0' || header->type == '7', folder = header->type == '5';
      if (!regular && !folder) {
        return fail(header->type == 'S' ? ErrorCode::kUnsupported : ErrorCode::kCorrupt,
                    "entry '{}' is {}; only regular files and folders are taken", header->name,
                    kind_of(header->type));
      }
      TERRAPIN_TRY(const std::string name, safe_entry_name(header->name));
      if (regular && (name.empty() || header->name.back() == '/')) {
        return fail(ErrorCode::kCorrupt, "entry '{}' is a file without a name", header->name);
      }
      TERRAPIN_TRY(Bytes body, read_body(header->name, header->size, limits_.max_total_bytes));
      if (folder) continue;
      if (!files.emplace(name, std::move(body)).second) {
        return fail(ErrorCode::kCorrupt, "entry '{}' occurs twice", name);
      }
    }
    TERRAPIN_TRY_STATUS(drain());
    return files;
  }

 private:
  static std::string kind_of(char type) {
    switch (type) {
      case '1':
        return "a hard link";
      case '2':
        return "a symbolic link";
      case '3':
        return "a character device";
      case '4':
        return "a block device";
      case '6':
        return "a named pipe";
      case 'S':
        return "a sparse file";
      default:
        return fmt::format("of unknown type 0x{:02x}", static_cast<unsigned char>(type));
    }
  }

  // The header of the next real entry, with long names and pax records applied; nullopt at the end mark.
  Result<std::optional<TarHeader>> next_header() {
    std::optional<std::string> long_name, pax_name;
    std::optional<std::int64_t> pax_size;
    for (std::int64_t extras = 0;; ++extras) {
      TarBlock block;
      TERRAPIN_TRY(const std::int64_t got, stream_.read(block.data(), kTarBlock));
      if (got == 0 && extras == 0) return std::optional<TarHeader>();  // some programs write no end mark
      if (got < kTarBlock) return fail(ErrorCode::kCorrupt, "the archive ends inside a header");
      TERRAPIN_TRY(std::optional<TarHeader> header, parse_tar_header(block));
      if (!header) {
        if (extras > 0) return fail(ErrorCode::kCorrupt, "the archive ends after a header without its entry");
        return header;
      }
      const bool meta =
          header->type == 'L' || header->type == 'K' || header->type == 'x' || header->type == 'g';
      if (!meta) {
        if (long_name) header->name = *long_name;
        if (pax_name) header->name = *pax_name;
        if (pax_size) header->size = *pax_size;
        return header;
      }
      if (extras >= 16)
        return fail(ErrorCode::kCorrupt, "entry '{}': too many headers before it", header->name);
      TERRAPIN_TRY(const Bytes body, read_body(header->name, header->size, kMaxMetaBytes));
      const std::string text(body.begin(), body.end());
      if (header->type == 'L') long_name = text.substr(0, text.find('\0'));
      // 'K' names a link's target: the link itself is refused when it comes.
      if (header->type == 'x' || header->type == 'g') {
        TERRAPIN_TRY_STATUS(read_pax(text, header->type == 'g', pax_name, pax_size));
      }
    }
  }

  // Records "length key=value\n".
  static Status read_pax(const std::string& text, bool global, std::optional<std::string>& name,
                         std::optional<std::int64_t>& size) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t space = text.find(' ', at);
      const auto length =
          space == std::string::npos ? std::nullopt : parse_count(text.substr(at, space - at), kMaxMetaBytes);
      const auto record_size = static_cast<std::size_t>(length.value_or(0));
      if (!length || at + record_size > text.size() || at + record_size < space + 2 ||
          text[at + record_size - 1] != '\n') {
        return fail(ErrorCode::kCorrupt, "a pax header is damaged");
      }
      const std::string record = text.substr(space + 1, at + record_size - space - 2);
      at += record_size;
      const std::size_t equals = record.find('=');
      if (equals == std::string::npos) return fail(ErrorCode::kCorrupt, "a pax header is damaged");
      const std::string key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key.starts_with("GNU.sparse")) {
        return fail(ErrorCode::kUnsupported, "a sparse file; only regular files and folders are taken");
      }
      if (key != "path" && key != "size") continue;
      if (global) return fail(ErrorCode::kUnsupported, "a global pax header sets '{}' for every entry", key);
      if (key == "path") {
        name = value;
      } else {
        size = parse_count(value, std::int64_t{1} << 60);
        if (!size)
          return fail(ErrorCode::kCorrupt, "a pax header gives the size '{}', expected a number", value);
      }
    }
    return {};
  }

  // Grows with the data that is there, never with what a header promises.
  Result<Bytes> read_body(const std::string& name, std::int64_t size, std::int64_t limit) {
    if (size > limit || size > limits_.max_total_bytes - total_) {
      return fail(ErrorCode::kTooLarge,
                  "entry '{}' of {} bytes brings the content above the limit of {} bytes", name, size,
                  std::min(limit, limits_.max_total_bytes));
    }
    total_ += size;
    Bytes body;
    const std::int64_t padded = (size + kTarBlock - 1) / kTarBlock * kTarBlock;
    for (std::int64_t done = 0; done < padded;) {
      const std::int64_t part = std::min(padded - done, std::max(kChunk, done));
      body.resize(static_cast<std::size_t>(done + part));
      TERRAPIN_TRY(const std::int64_t got, stream_.read(body.data() + done, part));
      if (got < part) return fail(ErrorCode::kCorrupt, "the archive ends inside entry '{}'", name);
      done += part;
    }
    body.resize(static_cast<std::size_t>(size));
    return body;
  }

  // To the end, so that the gzip checksum is compared; what stands after the end mark is padding.
  Status drain() {
    Bytes scratch(static_cast<std::size_t>(kChunk));
    for (std::int64_t drained = 0;;) {
      TERRAPIN_TRY(const std::int64_t got, stream_.read(scratch.data(), kChunk));
      if (got == 0) return {};
      drained += got;
      if (drained > limits_.max_total_bytes) {
        return fail(ErrorCode::kTooLarge, "more than {} bytes after the archive's end mark",
                    limits_.max_total_bytes);
      }
    }
  }

  const ArchiveLimits limits_;
  GzipReader stream_;
  std::int64_t entries_ = 0, total_ = 0;
};

}  // namespace

Result<std::map<std::string, Bytes>> read_tar_gz(const std::filesystem::path& path,
                                                 const ArchiveLimits& limits) {
  TarReader reader(limits);
  if (auto opened = reader.open(path); !opened) return with_context(std::move(opened.error()), path.string());
  auto files = reader.read_all();
  if (!files) return with_context(std::move(files.error()), path.string());
  return files;
}

}  // namespace terrapin::artifacts
