#include "base/private_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/descriptor.h"

namespace terrapin {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMaxFileBytes = 16 << 20;

tl::unexpected<Error> system_failure(const fs::path& path, const char* what) {
  const int number = errno;
  return fail(number == ENOSPC || number == EDQUOT ? ErrorCode::kNoSpace : ErrorCode::kIo, "{}: {}: {}",
              path.string(), what, std::generic_category().message(number));
}

// What tells one state of the file from the next without reading it.
struct FileState {
  bool present = false;
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  friend bool operator==(const FileState&, const FileState&) = default;
};

FileState state_of(const struct stat& info) {
  const auto nanoseconds = [](const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  return {true, info.st_dev, info.st_ino, info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

Status check_private(const fs::path& path, const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kIo, "{}: is not a regular file", path.string());
  if ((info.st_mode & 077) != 0)
    return fail(
        ErrorCode::kDenied,
        "{}: has mode {:04o}, so that others than its owner may use it; allowed is 0600 (look at what "
        "is in it, replace secrets that others may have seen, then chmod 600)",
        path.string(), static_cast<unsigned>(info.st_mode & 07777));
  return {};
}

Status write_private(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".new";
  ::unlink(temporary.c_str());
  const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return system_failure(temporary, "cannot create");
  const auto give_up = [&](const char* what) {
    auto failure = system_failure(temporary, what);
    ::unlink(temporary.c_str());
    return failure;
  };
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(file.get(), text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return give_up("cannot write");
    done += static_cast<std::size_t>(put);
  }
  if (::fsync(file.get()) != 0) return give_up("cannot sync");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return give_up("cannot rename");
  const Descriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0)
    return system_failure(path.parent_path(), "cannot sync");
  return {};
}

}  // namespace

struct PrivateFile::Content {
  FileState state;
  std::shared_ptr<const std::string> text = missing();
};

const std::shared_ptr<const std::string>& PrivateFile::missing() {
  static const std::shared_ptr<const std::string> kNothing = std::make_shared<std::string>();
  return kNothing;
}

PrivateFile::PrivateFile(fs::path path) : path_(std::move(path)) {}
PrivateFile::~PrivateFile() = default;

Result<std::shared_ptr<const std::string>> PrivateFile::read() {
  const std::lock_guard lock(mutex_);
  struct stat info {};
  FileState now;
  if (::stat(path_.c_str(), &info) == 0) {
    TERRAPIN_TRY_STATUS(check_private(path_, info));
    now = state_of(info);
  } else if (errno != ENOENT) {
    return system_failure(path_, "cannot stat");
  }
  if (content_ && content_->state == now) return content_->text;

  auto content = std::make_shared<Content>();
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 && errno != ENOENT) return system_failure(path_, "cannot open");
  if (file.get() >= 0) {
    if (::fstat(file.get(), &info) != 0) return system_failure(path_, "cannot stat");
    TERRAPIN_TRY_STATUS(check_private(path_, info));
    if (info.st_size > kMaxFileBytes)
      return fail(ErrorCode::kTooLarge, "{}: {} bytes; at most {} are read", path_.string(), info.st_size,
                  kMaxFileBytes);
    content->state = state_of(info);
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t filled = 0;
    while (filled < text.size()) {
      const ssize_t got = ::read(file.get(), text.data() + filled, text.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_failure(path_, "cannot read");
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    text.resize(filled);
    content->text = std::make_shared<std::string>(std::move(text));
  }
  content_ = content;
  return content_->text;
}

Status PrivateFile::change(const std::function<Result<std::string>()>& make_text) {
  // Readers need no lock, for the file is replaced whole.
  const fs::path lock_path = path_.string() + ".lock";
  const Descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0) return system_failure(lock_path, "cannot open");
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return system_failure(lock_path, "cannot lock");
  }
  TERRAPIN_TRY(const std::string text, make_text());
  return write_private(path_, text);
}

}  // namespace terrapin
