#include "identity/access_keys.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json_text.h"
#include "crypto/secrets.h"
#include "storage/object_store.h"

namespace terrapin::identity {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMaxFileBytes = 16 << 20;
constexpr int kVersion = 1;
constexpr const char* kFormat = "terrapin-access-keys";

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

tl::unexpected<Error> system_failure(const fs::path& path, const char* what) {
  const int number = errno;
  return fail(number == ENOSPC || number == EDQUOT ? ErrorCode::kNoSpace : ErrorCode::kIo, "{}: {}: {}",
              path.string(), what, std::strerror(number));
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
    return fail(ErrorCode::kDenied,
                "{}: has mode {:04o}, so that others than its owner may read the secrets in it; allowed is "
                "0600 (chmod 600 it, and revoke its keys if others have seen them)",
                path.string(), static_cast<unsigned>(info.st_mode & 07777));
  return {};
}

// Between processes: one changes the file at a time. Readers need no lock, for the file is replaced whole.
class ChangeLock {
 public:
  static Result<std::unique_ptr<ChangeLock>> take(const fs::path& path) {
    const fs::path lock_path = path.string() + ".lock";
    auto lock = std::make_unique<ChangeLock>(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock->file_.get() < 0) return system_failure(lock_path, "cannot open");
    while (::flock(lock->file_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return system_failure(lock_path, "cannot lock");
    }
    return lock;
  }
  explicit ChangeLock(int descriptor) : file_(descriptor) {}

 private:
  Descriptor file_;
};

Status check_owner(const std::string& owner) {
  const bool allowed =
      !owner.empty() && owner.size() <= 64 && std::all_of(owner.begin(), owner.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::strchr("_+=,.@-", c) != nullptr;
      });
  if (allowed) return {};
  return fail(ErrorCode::kInvalidArgument,
              "owner '{}': allowed are 1 to 64 characters of A-Z a-z 0-9 _+=,.@-", owner);
}

std::string new_key_id() {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = "TPIA";
  for (const std::uint8_t byte : crypto::random_bytes(16)) id += kLetters[byte & 31];
  return id;
}

Result<AccessKey> key_from_json(const nlohmann::json& item) {
  const auto refuse = [](const char* field, const char* allowed) {
    return fail(ErrorCode::kCorrupt, "field '{}' must be {}", field, allowed);
  };
  if (!item.is_object()) return fail(ErrorCode::kCorrupt, "must be an object");
  AccessKey key;
  for (const auto& [name, value] : item.items()) {
    if (name == "buckets") {
      if (!value.is_array()) return refuse("buckets", "a list of names");
      for (const auto& bucket : value) {
        if (!bucket.is_string()) return refuse("buckets", "a list of names");
        key.buckets.push_back(bucket.get<std::string>());
      }
      continue;
    }
    if (!value.is_string()) return refuse(name.c_str(), "text");
    const auto& text = value.get_ref<const std::string&>();
    if (name == "id") {
      key.id = text;
    } else if (name == "secret") {
      key.secret = text;
    } else if (name == "owner") {
      key.owner = text;
    } else if (name == "scope") {
      const auto scope = parse_scope(text);
      if (!scope) return fail(ErrorCode::kCorrupt, "{}", scope.error().message);
      key.scope = *scope;
    } else if (name == "created") {
      const auto created = parse_iso_text(text);
      if (!created) return fail(ErrorCode::kCorrupt, "field 'created': {}", created.error().message);
      key.created = *created;
    } else {
      return fail(ErrorCode::kCorrupt, "unknown field '{}'", name);
    }
  }
  for (const char* needed : {"id", "secret", "scope", "owner", "buckets", "created"})
    if (!item.contains(needed)) return refuse(needed, "there");
  if (key.id.empty() || key.secret.empty())
    return fail(ErrorCode::kCorrupt, "id and secret may not be empty");
  return key;
}

}  // namespace

const char* scope_name(Scope scope) {
  switch (scope) {
    case Scope::kAdmin:
      return "admin";
    case Scope::kRequester:
      return "requester";
    case Scope::kInvoke:
      return "invoke";
  }
  return "";
}

Result<Scope> parse_scope(std::string_view name) {
  for (const Scope scope : {Scope::kAdmin, Scope::kRequester, Scope::kInvoke})
    if (name == scope_name(scope)) return scope;
  return fail(ErrorCode::kInvalidArgument, "scope '{}': allowed are admin, requester, invoke", name);
}

bool AccessKey::may_use_bucket(const std::string& bucket) const {
  return buckets.empty() || std::find(buckets.begin(), buckets.end(), bucket) != buckets.end();
}

struct AccessKeys::Document {
  FileState state;
  std::vector<AccessKey> keys;  // in order of creation

  // A missing file holds no keys.
  static Result<std::shared_ptr<const Document>> read(const fs::path& path) {
    auto document = std::make_shared<Document>();
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0 && errno == ENOENT) return document;
    if (file.get() < 0) return system_failure(path, "cannot open");
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return system_failure(path, "cannot stat");
    TERRAPIN_TRY_STATUS(check_private(path, info));
    if (info.st_size > kMaxFileBytes)
      return fail(ErrorCode::kTooLarge, "{}: {} bytes; at most {} are read", path.string(), info.st_size,
                  kMaxFileBytes);
    document->state = state_of(info);
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t filled = 0;
    while (filled < text.size()) {
      const ssize_t got = ::read(file.get(), text.data() + filled, text.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_failure(path, "cannot read");
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    text.resize(filled);
    auto keys = parse(text);
    if (!keys) return with_context(std::move(keys.error()), path.string());
    document->keys = std::move(*keys);
    return document;
  }

  // The file as it is now; read only if it is another than the last time.
  static Result<std::shared_ptr<const Document>> current(AccessKeys& owner) {
    struct stat info {};
    FileState now;
    if (::stat(owner.path_.c_str(), &info) == 0) {
      TERRAPIN_TRY_STATUS(check_private(owner.path_, info));
      now = state_of(info);
    } else if (errno != ENOENT) {
      return system_failure(owner.path_, "cannot stat");
    }
    const std::lock_guard lock(owner.mutex_);
    if (owner.document_ && owner.document_->state == now) return owner.document_;
    TERRAPIN_TRY(owner.document_, read(owner.path_));
    return owner.document_;
  }

  static Result<std::vector<AccessKey>> parse(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return fail(ErrorCode::kCorrupt, "is not a JSON object");
    if (json.value("format", nlohmann::json()) != kFormat)
      return fail(ErrorCode::kCorrupt, "field 'format' must be \"{}\"", kFormat);
    if (json.value("version", nlohmann::json()) != kVersion)
      return fail(ErrorCode::kCorrupt, "field 'version' must be {}", kVersion);
    const auto list = json.find("keys");
    if (list == json.end() || !list->is_array())
      return fail(ErrorCode::kCorrupt, "field 'keys' must be a list");
    std::vector<AccessKey> keys;
    for (const auto& item : *list) {
      auto key = key_from_json(item);
      if (!key) return with_context(std::move(key.error()), fmt::format("keys[{}]", keys.size()));
      for (const AccessKey& other : keys)
        if (other.id == key->id) return fail(ErrorCode::kCorrupt, "two keys have the id {}", key->id);
      keys.push_back(std::move(*key));
    }
    return keys;
  }

  // Needs the ChangeLock.
  static Status write(const fs::path& path, const std::vector<AccessKey>& keys) {
    nlohmann::ordered_json json{{"format", kFormat}, {"version", kVersion}};
    json["keys"] = nlohmann::ordered_json::array();
    for (const AccessKey& key : keys) {
      nlohmann::ordered_json item;
      item["id"] = key.id;
      item["secret"] = key.secret;
      item["scope"] = scope_name(key.scope);
      item["owner"] = key.owner;
      item["buckets"] = key.buckets;
      item["created"] = iso_text(key.created, 6) + "Z";
      json["keys"].push_back(std::move(item));
    }
    const std::string text = json_text(json, 1) + "\n";

    // write_file_atomically makes files that the umask may let others read. The lock makes one name enough;
    // what a killed process left under it is replaced.
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
};

AccessKeys::AccessKeys(fs::path path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}

Result<std::unique_ptr<AccessKeys>> AccessKeys::open(const fs::path& data_dir, const Clock& clock) {
  std::error_code error;
  const fs::path folder = fs::absolute(data_dir, error);
  if (error || !fs::is_directory(folder, error))
    return fail(ErrorCode::kIo, "{}: is not a folder", data_dir.string());
  auto keys = std::unique_ptr<AccessKeys>(new AccessKeys(folder / "access-keys.json", clock));
  TERRAPIN_TRY_STATUS(Document::current(*keys));
  return keys;
}

Result<AccessKey> AccessKeys::create(Scope scope, const std::string& owner,
                                     std::vector<std::string> buckets) {
  TERRAPIN_TRY_STATUS(check_owner(owner));
  for (const std::string& bucket : buckets) {
    TERRAPIN_TRY_STATUS(storage::check_bucket_name(bucket));
  }
  TERRAPIN_TRY(const auto lock, ChangeLock::take(path_));
  TERRAPIN_TRY(const auto document, Document::current(*this));
  std::vector<AccessKey> keys = document->keys;
  keys.push_back({new_key_id(), crypto::random_text(40), scope, owner, std::move(buckets), clock_.now()});
  TERRAPIN_TRY_STATUS(Document::write(path_, keys));
  return keys.back();
}

Result<std::vector<AccessKey>> AccessKeys::list() {
  TERRAPIN_TRY(const auto document, Document::current(*this));
  std::vector<AccessKey> keys = document->keys;
  for (AccessKey& key : keys) key.secret.clear();
  return keys;
}

Status AccessKeys::revoke(const std::string& id) {
  TERRAPIN_TRY(const auto lock, ChangeLock::take(path_));
  TERRAPIN_TRY(const auto document, Document::current(*this));
  std::vector<AccessKey> keys = document->keys;
  if (std::erase_if(keys, [&](const AccessKey& key) { return key.id == id; }) == 0)
    return fail(ErrorCode::kNotFound, "there is no access key '{}'", id);
  return Document::write(path_, keys);
}

Result<std::optional<AccessKey>> AccessKeys::find(const std::string& id) {
  TERRAPIN_TRY(const auto document, Document::current(*this));
  for (const AccessKey& key : document->keys)
    if (key.id == id) return std::optional(key);
  return std::optional<AccessKey>();
}

Result<bool> AccessKeys::may_read(const std::string& owner, const std::string& bucket) {
  TERRAPIN_TRY(const auto document, Document::current(*this));
  return std::any_of(document->keys.begin(), document->keys.end(), [&](const AccessKey& key) {
    return key.owner == owner && key.scope != Scope::kInvoke && key.may_use_bucket(bucket);
  });
}

}  // namespace terrapin::identity
