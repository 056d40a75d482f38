#include "http/spool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace terrapin::http {
namespace {

tl::unexpected<Error> refused(const std::filesystem::path& folder, const char* what, int number) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  return fail(full ? ErrorCode::kNoSpace : ErrorCode::kIo, "{}: cannot {}: {}", folder.string(), what,
              std::generic_category().message(number));
}

class SpooledBody final : public ByteSource {
 public:
  SpooledBody(int descriptor, std::int64_t size, std::filesystem::path folder, SpoolShare share)
      : descriptor_(descriptor), size_(size), folder_(std::move(folder)), share_(std::move(share)) {}
  SpooledBody(const SpooledBody&) = delete;
  SpooledBody& operator=(const SpooledBody&) = delete;
  ~SpooledBody() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  std::int64_t size() const override { return size_; }

  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    if (offset < 0 || offset > size_ || static_cast<std::int64_t>(out.size()) > size_ - offset) {
      return fail(ErrorCode::kInvalidArgument, "{} bytes from {} of a body of {}", out.size(), offset, size_);
    }
    while (!out.empty()) {
      const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return refused(folder_, "read a temporary file", got < 0 ? errno : EIO);
      offset += got;
      out = out.subspan(static_cast<std::size_t>(got));
    }
    return {};
  }

 private:
  int descriptor_;
  std::int64_t size_;
  std::filesystem::path folder_;
  SpoolShare share_;
};

}  // namespace

std::int64_t SpoolBudget::taken() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

bool SpoolBudget::take(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > limit_ - taken_) return false;
  taken_ += bytes;
  return true;
}

void SpoolBudget::give_back(std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  taken_ -= bytes;
}

SpoolShare::~SpoolShare() {
  if (budget_) budget_->give_back(bytes_);
}

SpoolShare::SpoolShare(SpoolShare&& other) noexcept
    : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}

bool SpoolShare::grow_to(std::int64_t bytes) {
  if (!budget_ || bytes <= bytes_) return true;
  if (!budget_->take(bytes - bytes_)) return false;
  bytes_ = bytes;
  return true;
}

SpoolFile::~SpoolFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status SpoolFile::open() {
  if (creation_ == Creation::kTmpfile) {
    descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor_ >= 0) return {};
    // EISDIR: a kernel that does not know the flag and saw a folder opened for writing.
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) {
      return refused(folder_, "create a temporary file", errno);
    }
  }
  return open_named();
}

Status SpoolFile::open_named() {
  std::string name = (folder_ / ".body-XXXXXX").string();
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) return refused(folder_, "create a temporary file", errno);
  if (::unlink(name.c_str()) != 0) return refused(folder_, "unlink a temporary file", errno);
  return {};
}

Status SpoolFile::write(std::span<const std::uint8_t> bytes) {
  if (descriptor_ < 0) {
    TERRAPIN_TRY_STATUS(open());
  }
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return refused(folder_, "write a temporary file", done < 0 ? errno : ENOSPC);
    size_ += done;
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

ByteSourcePtr SpoolFile::finish() {
  return std::make_shared<SpooledBody>(std::exchange(descriptor_, -1), size_, folder_, std::move(share_));
}

}  // namespace terrapin::http
