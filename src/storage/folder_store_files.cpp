#include "storage/folder_store_files.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "crypto/hash.h"

namespace terrapin::storage {
namespace {

constexpr std::size_t kBufferBytes = 256 << 10;

Descriptor openat2_beneath(int folder, const std::string& path, int flags) {
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_NOFOLLOW | O_CLOEXEC));
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long result = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
    if (result >= 0) return Descriptor(static_cast<int>(result));
    if (errno != EINTR && errno != EAGAIN) return Descriptor();
  }
}

bool have_openat2() {
  static const bool have = [] {
    const Descriptor here(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return openat2_beneath(here.get(), ".", O_PATH | O_DIRECTORY).is_open();
  }();
  return have;
}

class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(Descriptor file, std::int64_t size, std::string name)
      : file_(std::move(file)), size_(size), name_(std::move(name)) {}
  std::int64_t size() const override { return size_; }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    if (offset < 0 || offset > size_ || static_cast<std::int64_t>(out.size()) > size_ - offset)
      return fail(ErrorCode::kInvalidArgument, "{}: bytes {} to {} of {}", name_, offset,
                  offset + static_cast<std::int64_t>(out.size()), size_);
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(file_.get(), out.data() + done, out.size() - done,
                                  static_cast<off_t>(offset) + static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_failure(errno, name_);
      if (got == 0) return fail(ErrorCode::kIo, "{}: became shorter while it was read", name_);
      done += static_cast<std::size_t>(got);
    }
    return {};
  }

 private:
  Descriptor file_;
  std::int64_t size_;
  std::string name_;
};

Status write_all(int file, std::span<const std::uint8_t> bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return system_failure(errno, name);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

Status sync_descriptor(int descriptor, std::string_view name) {
  while (::fsync(descriptor) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL || errno == ENOTSUP) return {};
    return system_failure(errno, name);
  }
  return {};
}

}  // namespace

tl::unexpected<Error> system_failure(int number, std::string_view what) {
  const bool full = number == ENOSPC || number == EDQUOT;
  return fail(full ? ErrorCode::kNoSpace : ErrorCode::kIo, "{}: {}", what,
              std::generic_category().message(number));
}

Descriptor open_beneath_by_parts(int folder, const std::string& path, int flags) {
  Descriptor current;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t slash = path.find('/', begin);
    const std::string part = path.substr(begin, slash == std::string::npos ? slash : slash - begin);
    if (part.empty() || part == "..") {
      errno = EINVAL;
      return Descriptor();
    }
    const int base = current.is_open() ? current.get() : folder;
    if (slash == std::string::npos)
      return Descriptor(::openat(base, part.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    Descriptor next(::openat(base, part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.is_open()) return next;
    current = std::move(next);
    begin = slash + 1;
  }
}

Descriptor open_beneath(int folder, const std::string& path, int flags) {
  return have_openat2() ? openat2_beneath(folder, path, flags) : open_beneath_by_parts(folder, path, flags);
}

Descriptor make_folders(int folder, const std::string& path) {
  constexpr int kFolder = O_RDONLY | O_DIRECTORY;
  if (path.empty()) return Descriptor(::openat(folder, ".", kFolder | O_CLOEXEC));
  Descriptor whole = open_beneath(folder, path, kFolder);
  if (whole.is_open() || errno != ENOENT) return whole;
  Descriptor current(::openat(folder, ".", kFolder | O_CLOEXEC));
  // Folders with a new name in them. Synced together: a journal then writes once.
  std::vector<Descriptor> changed;
  const auto sync_changed = [&changed] {
    bool synced = true;
    for (const Descriptor& one : changed) synced = synced && sync_descriptor(one.get(), "a new folder");
    changed.clear();
    if (!synced) errno = EIO;
    return synced;
  };
  std::size_t begin = 0;
  while (current.is_open() && begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    const bool made = ::mkdirat(current.get(), part.c_str(), 0777) == 0;
    if (!made && errno != EEXIST) return Descriptor();
    Descriptor next(::openat(current.get(), part.c_str(), kFolder | O_NOFOLLOW | O_CLOEXEC));
    if (!next.is_open()) {
      if (errno == ELOOP) errno = ENOTDIR;
      return next;
    }
    if (made) changed.push_back(std::move(current));
    if (changed.size() >= 32 && !sync_changed()) return Descriptor();
    current = std::move(next);
    begin = end + 1;
  }
  return sync_changed() ? std::move(current) : Descriptor();
}

std::int64_t modified_ns(const struct stat& status) {
  return static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
}

Timestamp modified_time(const struct stat& status) {
  return from_microseconds(static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000 +
                           status.st_mtim.tv_nsec / 1000);
}

Result<ObjectFile> open_object_file(int bucket, const ObjectName& name, NameRule rule) {
  const KeyPath path = key_path(name.key, rule);
  // Twice each: a newer object may have taken the first name and removed the second between two looks.
  for (const std::string* candidate : {&path.plain, &path.escaped, &path.plain, &path.escaped}) {
    if (candidate->empty()) continue;
    ObjectFile object;
    object.file = open_beneath(bucket, *candidate, O_RDONLY | O_NONBLOCK);
    if (!object.file.is_open()) {
      const int number = errno;
      if (number == ENOENT || number == ENOTDIR || number == ELOOP || number == ENXIO ||
          number == ENAMETOOLONG || number == EXDEV) {
        continue;
      }
      return system_failure(number, s3_uri(name));
    }
    if (::fstat(object.file.get(), &object.status) != 0) return system_failure(errno, s3_uri(name));
    if (S_ISREG(object.status.st_mode)) return object;
  }
  return fail(ErrorCode::kNotFound, "there is no object {}", s3_uri(name));
}

ByteSourcePtr descriptor_source(Descriptor file, std::int64_t size, std::string name) {
  return std::make_shared<DescriptorSource>(std::move(file), size, std::move(name));
}

Result<std::string> write_hashing(const ByteSource& body, int file, std::string_view name) {
  crypto::Hasher hasher(crypto::HashKind::kMd5);
  const std::int64_t size = body.size();
  Bytes buffer(std::min<std::size_t>(kBufferBytes, static_cast<std::size_t>(size)));
  for (std::int64_t offset = 0; offset < size;) {
    const auto count = static_cast<std::size_t>(
        std::min<std::int64_t>(static_cast<std::int64_t>(buffer.size()), size - offset));
    const std::span<std::uint8_t> piece(buffer.data(), count);
    TERRAPIN_TRY_STATUS(body.read(offset, piece));
    hasher.add(piece);
    TERRAPIN_TRY_STATUS(write_all(file, piece, name));
    offset += static_cast<std::int64_t>(count);
  }
  return crypto::hex(hasher.finish());
}

Result<std::string> md5_of_file(int file, std::string_view name) {
  crypto::Hasher hasher(crypto::HashKind::kMd5);
  Bytes buffer(kBufferBytes);
  for (off_t offset = 0;;) {
    const ssize_t got = ::pread(file, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure(errno, name);
    if (got == 0) return crypto::hex(hasher.finish());
    hasher.add(std::span<const std::uint8_t>(buffer.data(), static_cast<std::size_t>(got)));
    offset += got;
  }
}

Status append_file(int from, std::int64_t size, int to, std::string_view name) {
  const off_t start = ::lseek(to, 0, SEEK_END);
  if (start == 0 && size > 0 && ::ioctl(to, FICLONE, from) == 0) {
    ::lseek(to, 0, SEEK_END);
    return {};
  }
  off_t offset = 0;
  while (offset < size) {
    const ssize_t done =
        ::copy_file_range(from, &offset, to, nullptr, static_cast<std::size_t>(size - offset), 0);
    if (done > 0) continue;
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO)) return system_failure(errno, name);
    break;  // not on this file system
  }
  Bytes buffer(offset < size ? kBufferBytes : 0);
  while (offset < size) {
    const auto count = static_cast<std::size_t>(
        std::min<std::int64_t>(static_cast<std::int64_t>(buffer.size()), size - offset));
    const ssize_t got = ::pread(from, buffer.data(), count, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure(errno, name);
    if (got == 0) return fail(ErrorCode::kIo, "{}: became shorter while it was copied", name);
    TERRAPIN_TRY_STATUS(
        write_all(to, std::span<const std::uint8_t>(buffer.data(), static_cast<std::size_t>(got)), name));
    offset += got;
  }
  return {};
}

Status sync_file(int file, std::string_view name) {
  return sync_descriptor(file, name);
}

Status sync_folder(int folder, std::string_view name) {
  return sync_descriptor(folder, name);
}

}  // namespace terrapin::storage
