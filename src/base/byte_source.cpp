#include "base/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace terrapin {
namespace {

Status check_range(std::int64_t offset, std::size_t count, std::int64_t size) {
  if (offset < 0 || offset > size || static_cast<std::int64_t>(count) > size - offset)
    return fail(ErrorCode::kInvalidArgument, "bytes {} to {} of a source of {}", offset,
                offset + static_cast<std::int64_t>(count), size);
  return {};
}

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(bytes_.size()); }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    TERRAPIN_TRY_STATUS(check_range(offset, out.size(), size()));
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  Bytes bytes_;
};

class BorrowedSource final : public ByteSource {
 public:
  explicit BorrowedSource(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(bytes_.size()); }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    TERRAPIN_TRY_STATUS(check_range(offset, out.size(), size()));
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  const std::span<const std::uint8_t> bytes_;
};

class FileSource final : public ByteSource {
 public:
  FileSource(int descriptor, std::int64_t size, std::filesystem::path path)
      : descriptor_(descriptor), size_(size), path_(std::move(path)) {}
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override { ::close(descriptor_); }
  std::int64_t size() const override { return size_; }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    TERRAPIN_TRY_STATUS(check_range(offset, out.size(), size_));
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(descriptor_, out.data() + done, out.size() - done,
                                  static_cast<off_t>(offset) + static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(ErrorCode::kIo, "{}: {}", path_.string(), std::strerror(errno));
      if (got == 0) return fail(ErrorCode::kIo, "{}: became shorter while it was read", path_.string());
      done += static_cast<std::size_t>(got);
    }
    return {};
  }

 private:
  int descriptor_;
  std::int64_t size_;
  std::filesystem::path path_;
};

class SliceSource final : public ByteSource {
 public:
  SliceSource(ByteSourcePtr whole, std::int64_t offset, std::int64_t size)
      : whole_(std::move(whole)), offset_(offset), size_(size) {}
  std::int64_t size() const override { return size_; }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    TERRAPIN_TRY_STATUS(check_range(offset, out.size(), size_));
    return whole_->read(offset_ + offset, out);
  }

 private:
  ByteSourcePtr whole_;
  std::int64_t offset_, size_;
};

}  // namespace

ByteSourcePtr bytes_source(Bytes bytes) {
  return std::make_shared<MemorySource>(std::move(bytes));
}

ByteSourcePtr bytes_source(std::string_view text) {
  return bytes_source(Bytes(text.begin(), text.end()));
}

ByteSourcePtr borrowed_source(std::span<const std::uint8_t> bytes) {
  return std::make_shared<BorrowedSource>(bytes);
}

Result<ByteSourcePtr> file_source(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    const auto code = errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
    return fail(code, "{}: {}", path.string(), std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return fail(ErrorCode::kIo, "{}: is not a regular file", path.string());
  }
  return std::make_shared<FileSource>(descriptor, static_cast<std::int64_t>(status.st_size), path);
}

ByteSourcePtr slice_source(ByteSourcePtr whole, std::int64_t offset, std::int64_t size) {
  return std::make_shared<SliceSource>(std::move(whole), offset, size);
}

Result<Bytes> read_all(const ByteSource& source, std::int64_t limit_bytes) {
  if (source.size() > limit_bytes)
    return fail(ErrorCode::kTooLarge, "{} bytes; at most {} are read", source.size(), limit_bytes);
  Bytes bytes(static_cast<std::size_t>(source.size()));
  TERRAPIN_TRY_STATUS(source.read(0, bytes));
  return bytes;
}

Result<std::string> read_all_text(const ByteSource& source, std::int64_t limit_bytes) {
  TERRAPIN_TRY(const Bytes bytes, read_all(source, limit_bytes));
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace terrapin
