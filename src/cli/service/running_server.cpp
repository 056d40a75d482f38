#include "cli/service/running_server.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/files.h"
#include "base/json_text.h"

namespace terrapin::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kNoticeVersion = 1;

fs::path lock_path(const fs::path& data_dir) {
  return data_dir / "server.lock";
}
fs::path notice_path(const fs::path& data_dir) {
  return data_dir / "server.json";
}

tl::unexpected<Error> system_failure(const fs::path& path, const char* what) {
  return fail(ErrorCode::kIo, "{}: {}: {}", path.string(), what, std::generic_category().message(errno));
}

struct flock whole_file() {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

std::optional<RunningServer> read_notice(const fs::path& data_dir) {
  const auto text = read_text_file(notice_path(data_dir), 1 << 16);
  if (!text) return std::nullopt;
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("version", nlohmann::json()) != kNoticeVersion) return std::nullopt;
  const auto url = json.find("url"), command = json.find("command"), process = json.find("process");
  if (url == json.end() || !url->is_string() || command == json.end() || !command->is_string() ||
      process == json.end() || !process->is_number_integer())
    return std::nullopt;
  return RunningServer{url->get<std::string>(), command->get<std::string>(), process->get<pid_t>()};
}

}  // namespace

// Locks of the open file, not of the process or the inode's first opener: they can be asked about without
// being taken for a moment, and end with the last copy of the descriptor.
Result<Descriptor> try_lock(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return system_failure(path, "cannot open");
  struct flock range = whole_file();
  if (::fcntl(file.get(), F_OFD_SETLK, &range) == 0) return file;
  if (errno != EAGAIN && errno != EACCES) return system_failure(path, "cannot lock");
  return Descriptor();
}

Result<bool> is_locked(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open() && errno == ENOENT) return false;
  if (!file.is_open()) return system_failure(path, "cannot open");
  struct flock range = whole_file();
  if (::fcntl(file.get(), F_OFD_GETLK, &range) != 0) return system_failure(path, "cannot ask for its lock");
  return range.l_type != F_UNLCK;
}

Result<ServerClaim> ServerClaim::take(const fs::path& data_dir) {
  ServerClaim claim;
  TERRAPIN_TRY(claim.lock_, try_lock(lock_path(data_dir)));
  if (!claim.lock_.is_open()) {
    const auto other = read_notice(data_dir);
    return fail(
        ErrorCode::kConflict, "{}: {} uses this data folder, and one server at a time does",
        data_dir.string(),
        other ? fmt::format("`terrapin {}` (process {}, {})", other->command, other->process, other->url)
              : std::string("a server that is starting or stopping"));
  }
  claim.data_dir_ = data_dir;
  // Of a server that was killed.
  std::error_code ignored;
  fs::remove(notice_path(data_dir), ignored);
  return claim;
}

ServerClaim& ServerClaim::operator=(ServerClaim&& other) noexcept {
  if (this != &other) {
    release();
    data_dir_ = std::move(other.data_dir_);
    lock_ = std::move(other.lock_);
  }
  return *this;
}

ServerClaim::~ServerClaim() {
  release();
}

Status ServerClaim::announce(const std::string& url, const std::string& command) {
  const nlohmann::ordered_json json{
      {"version", kNoticeVersion}, {"url", url}, {"command", command}, {"process", ::getpid()}};
  return write_file_atomically(notice_path(data_dir_), json_text(json, 1) + "\n");
}

void ServerClaim::release() {
  if (!lock_.is_open()) return;
  std::error_code ignored;
  fs::remove(notice_path(data_dir_), ignored);
  lock_.reset();
}

Result<FolderUse> folder_use(const fs::path& data_dir) {
  FolderUse use;
  TERRAPIN_TRY(use.taken, is_locked(lock_path(data_dir)));
  if (use.taken) use.server = read_notice(data_dir);
  return use;
}

}  // namespace terrapin::cli
