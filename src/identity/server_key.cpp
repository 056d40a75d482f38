#include "identity/server_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/hash.h"
#include "crypto/secrets.h"

namespace terrapin::identity {
namespace {

constexpr std::size_t kKeyBytes = 32;

// Appears under its name whole or not at all, and never replaces a key that is there.
Status create_key(const std::filesystem::path& path) {
  const std::filesystem::path temporary = path.string() + "." + crypto::random_text(12);
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return fail(ErrorCode::kIo, "cannot create {}: {}", temporary.string(), std::strerror(errno));
  const Bytes key = crypto::random_bytes(kKeyBytes);
  const bool written =
      ::write(file, key.data(), key.size()) == static_cast<ssize_t>(key.size()) && ::fsync(file) == 0;
  const int write_error = errno;
  ::close(file);
  const bool linked = written && (::link(temporary.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int link_error = errno;
  ::unlink(temporary.c_str());
  if (!written) {
    return fail(write_error == ENOSPC ? ErrorCode::kNoSpace : ErrorCode::kIo, "cannot write {}: {}",
                temporary.string(), std::strerror(write_error));
  }
  if (!linked) return fail(ErrorCode::kIo, "cannot create {}: {}", path.string(), std::strerror(link_error));
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

}  // namespace

Result<Bytes> load_server_key(const std::filesystem::path& data_dir) {
  const std::filesystem::path path = data_dir / "portal.key";
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT)
      return fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), std::strerror(errno));
    TERRAPIN_TRY_STATUS(create_key(path));
    if (::stat(path.c_str(), &info) != 0)
      return fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), std::strerror(errno));
  }
  if ((info.st_mode & 077) != 0) {
    return fail(ErrorCode::kDenied, "{} may be read by others (mode {:o}): it must be 0600", path.string(),
                info.st_mode & 0777);
  }
  TERRAPIN_TRY(Bytes key, read_file(path, 4096));
  if (key.size() != kKeyBytes) {
    return fail(ErrorCode::kCorrupt, "{} holds {} bytes: a server key has {}", path.string(), key.size(),
                kKeyBytes);
  }
  return key;
}

Bytes derive_key(std::span<const std::uint8_t> server_key, std::string_view purpose) {
  return crypto::hmac_sha256(server_key, purpose);
}

}  // namespace terrapin::identity
