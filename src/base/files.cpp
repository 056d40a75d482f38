#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/descriptor.h"

namespace terrapin {
namespace fs = std::filesystem;
namespace {

std::string system_message(int number) {
  return std::generic_category().message(number);
}

ErrorCode code_of_errno(int number) {
  if (number == ENOENT || number == ENOTDIR) return ErrorCode::kNotFound;
  return number == ENOSPC || number == EDQUOT ? ErrorCode::kNoSpace : ErrorCode::kIo;
}

// Container is Bytes or std::string: read straight into the answer, once.
template <class Container>
Result<Container> read_whole(const fs::path& path, std::int64_t limit_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    const int number = errno;
    return fail(code_of_errno(number), "{}: cannot open: {}", path.string(), system_message(number));
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) {
    return fail(ErrorCode::kIo, "{}: cannot stat: {}", path.string(), system_message(errno));
  }
  if (S_ISDIR(info.st_mode)) return fail(ErrorCode::kIo, "{}: is a folder, not a file", path.string());
  if (info.st_size > limit_bytes) {
    return fail(ErrorCode::kTooLarge, "{}: {} bytes, the limit is {}", path.string(), info.st_size,
                limit_bytes);
  }
  Container content;
  // The size is a hint only: pipes and /proc report 0, and a file may grow while it is read.
  std::size_t filled = 0;
  content.resize(static_cast<std::size_t>(info.st_size));
  for (;;) {
    if (filled == content.size()) {
      std::uint8_t probe[4096];
      const ssize_t got = ::read(file.get(), probe, sizeof probe);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        return fail(ErrorCode::kIo, "{}: cannot read: {}", path.string(), system_message(errno));
      }
      if (got == 0) break;
      content.insert(content.end(), probe, probe + got);
      filled = content.size();
    } else {
      // Linux reads at most 2^31 - 4096 bytes a call.
      const std::size_t want = std::min<std::size_t>(content.size() - filled, std::size_t{1} << 30);
      const ssize_t got = ::read(file.get(), content.data() + filled, want);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        return fail(ErrorCode::kIo, "{}: cannot read: {}", path.string(), system_message(errno));
      }
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    if (static_cast<std::int64_t>(filled) > limit_bytes) {
      return fail(ErrorCode::kTooLarge, "{}: more than the limit of {} bytes", path.string(), limit_bytes);
    }
  }
  content.resize(filled);
  return content;
}

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Of a name that cannot be made: that it is not there is no news.
ErrorCode code_of_creation(int number) {
  const ErrorCode code = code_of_errno(number);
  return code == ErrorCode::kNoSpace ? code : ErrorCode::kIo;
}

// Hidden, so that list_files never shows a half-written file; unique among threads and processes of
// one machine, and O_EXCL decides between machines that share a folder.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<std::uint64_t> counter{0};
  const std::string name = path.filename().string().substr(0, 180);  // names end at 255 bytes
  return path.parent_path() / fmt::format(".{}.{}-{}.tmp", name, ::getpid(), counter.fetch_add(1));
}

// Makes a rename survive a crash. Some file systems refuse to sync folders: nothing to do about it.
void sync_folder(const fs::path& folder) {
  const Descriptor opened(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) ::fsync(opened.get());
}

bool is_hidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return !name.empty() && name.front() == '.';
}

template <class Iterator>
Status collect_files(const fs::path& folder, std::vector<fs::path>& files) {
  std::error_code error;
  Iterator it(folder, error);
  if (error) {
    return fail(code_of_errno(error.value()), "{}: cannot list: {}", folder.string(), error.message());
  }
  while (it != Iterator()) {
    if (is_hidden(it->path())) {
      if constexpr (std::is_same_v<Iterator, fs::recursive_directory_iterator>)
        it.disable_recursion_pending();
    } else if (it->is_regular_file(error)) {
      files.push_back(it->path());
    }
    it.increment(error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot list: {}", folder.string(), error.message());
  }
  return {};
}

}  // namespace

Result<Bytes> read_file(const fs::path& path, std::int64_t limit_bytes) {
  return read_whole<Bytes>(path, limit_bytes);
}

Result<std::string> read_text_file(const fs::path& path, std::int64_t limit_bytes) {
  return read_whole<std::string>(path, limit_bytes);
}

Status write_file_atomically(const fs::path& path, std::span<const std::uint8_t> bytes) {
  TERRAPIN_TRY(AtomicFileWriter writer, AtomicFileWriter::open(path));
  TERRAPIN_TRY_STATUS(writer.write(bytes));
  return writer.commit();
}

Status write_file_atomically(const fs::path& path, std::string_view text) {
  return write_file_atomically(path, as_bytes(text));
}

Result<AtomicFileWriter> AtomicFileWriter::open(const fs::path& path) {
  if (path.filename().empty()) {
    return fail(ErrorCode::kInvalidArgument, "'{}': not the name of a file", path.string());
  }
  std::error_code error;
  if (path.has_parent_path()) {
    fs::create_directories(path.parent_path(), error);
    if (error && !fs::is_directory(path.parent_path())) {
      return fail(code_of_creation(error.value()), "{}: cannot create folder: {}",
                  path.parent_path().string(), error.message());
    }
  }
  AtomicFileWriter writer;
  writer.path_ = path;
  for (int attempt = 0; attempt < 100; ++attempt) {
    writer.temporary_path_ = temporary_name(path);
    writer.descriptor_ =
        ::open(writer.temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer.descriptor_ >= 0) return writer;
    if (errno != EEXIST) break;  // a file left by a killed process of the same id: take the next name
  }
  const int number = errno;
  writer.temporary_path_.clear();
  return fail(code_of_creation(number), "{}: cannot create: {}", path.string(), system_message(number));
}

AtomicFileWriter::AtomicFileWriter(AtomicFileWriter&& other) noexcept {
  *this = std::move(other);
}

AtomicFileWriter& AtomicFileWriter::operator=(AtomicFileWriter&& other) noexcept {
  if (this != &other) {
    discard();
    descriptor_ = std::exchange(other.descriptor_, -1);
    path_ = std::move(other.path_);
    temporary_path_ = std::move(other.temporary_path_);
    other.path_.clear(), other.temporary_path_.clear();
  }
  return *this;
}

AtomicFileWriter::~AtomicFileWriter() {
  discard();
}

void AtomicFileWriter::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_path_.empty()) ::unlink(temporary_path_.c_str());
  temporary_path_.clear();
}

Status AtomicFileWriter::write(std::span<const std::uint8_t> bytes) {
  if (descriptor_ < 0) {
    return fail(ErrorCode::kInternal, "{}: written after commit or failure", path_.string());
  }
  while (!bytes.empty()) {
    const ssize_t done =
        ::write(descriptor_, bytes.data(), std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      const int number = errno;
      discard();
      return fail(code_of_errno(number), "{}: cannot write: {}", path_.string(), system_message(number));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

Status AtomicFileWriter::write(std::string_view text) {
  return write(as_bytes(text));
}

Status AtomicFileWriter::commit() {
  if (descriptor_ < 0) {
    return fail(ErrorCode::kInternal, "{}: committed twice or after a failure", path_.string());
  }
  const bool synced = ::fsync(descriptor_) == 0 || errno == EINVAL || errno == ENOTSUP;
  int number = synced ? 0 : errno;
  if (::close(std::exchange(descriptor_, -1)) != 0 && number == 0 && errno != EINTR) number = errno;
  if (number == 0 && ::rename(temporary_path_.c_str(), path_.c_str()) != 0) number = errno;
  if (number != 0) {
    discard();
    return fail(code_of_errno(number), "{}: cannot write: {}", path_.string(), system_message(number));
  }
  temporary_path_.clear();
  sync_folder(path_.parent_path());
  return {};
}

Result<std::vector<fs::path>> list_files(const fs::path& folder, bool recursive) {
  std::vector<fs::path> files;
  if (recursive) {
    TERRAPIN_TRY_STATUS(collect_files<fs::recursive_directory_iterator>(folder, files));
  } else {
    TERRAPIN_TRY_STATUS(collect_files<fs::directory_iterator>(folder, files));
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return files;
}

bool is_inside(const fs::path& root, const fs::path& path) {
  std::error_code error;
  const fs::path canonical_root = fs::weakly_canonical(fs::absolute(root, error), error);
  if (error) return false;
  const fs::path whole = fs::absolute(path, error);
  if (error) return false;
  const fs::path last = whole.filename();
  const bool last_is_a_name = !last.empty() && last != "." && last != "..";
  fs::path canonical;
  if (last_is_a_name) {
    canonical = fs::weakly_canonical(whole.parent_path(), error) / last;
  } else {
    canonical = fs::weakly_canonical(whole, error);
  }
  if (error) return false;
  auto expected = canonical_root.begin();
  auto actual = canonical.begin();
  for (; expected != canonical_root.end(); ++expected, ++actual) {
    if (expected->empty()) break;  // "root/" ends with an empty part
    if (actual == canonical.end() || *actual != *expected) return false;
  }
  return true;
}

}  // namespace terrapin
