#include "storage/folder_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <shared_mutex>

#include "base/files.h"
#include "base/parallel.h"
#include "crypto/secrets.h"
#include "storage/folder_store_files.h"
#include "storage/folder_store_listing.h"
#include "storage/folder_store_record.h"
#include "storage/folder_store_uploads.h"
#include "storage/key_path.h"

namespace terrapin::storage {
namespace fs = std::filesystem;
namespace {

constexpr const char* kReserved = ".terrapin";  // no bucket's name begins with a dot
constexpr std::string_view kFormat = "terrapin-object-folder 1\n";
constexpr const char* kCreatedAttribute = "user.terrapin.created";
constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

// Many threads change files below a bucket at once; one alone moves what is in another's way. Unlike
// std::shared_mutex it cannot starve that one.
class StructureLock {
 public:
  void lock_shared() {
    const std::lock_guard gate(gate_);
    lock_.lock_shared();
  }
  void unlock_shared() { lock_.unlock_shared(); }
  void lock() {
    const std::lock_guard gate(gate_);
    lock_.lock();
  }
  void unlock() { lock_.unlock(); }

 private:
  std::mutex gate_;
  std::shared_mutex lock_;
};

// A file that vanishes unless it was moved to its place.
class TemporaryFile {
 public:
  TemporaryFile(fs::path path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  TemporaryFile(TemporaryFile&&) = default;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (file_.is_open() && !moved_) ::unlink(path_.c_str());
  }
  const fs::path& path() const { return path_; }
  int get() const { return file_.get(); }
  void moved() { moved_ = true; }

 private:
  fs::path path_;
  Descriptor file_;
  bool moved_ = false;
};

std::pair<std::string, std::string> split_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

tl::unexpected<Error> no_such_bucket(const std::string& bucket) {
  return fail(ErrorCode::kNotFound, "there is no bucket '{}'", bucket);
}

enum class FoundKind { kNothing, kFile, kFolder, kOther };
FoundKind kind_at(int folder, const std::string& name) {
  struct stat status {};
  if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return FoundKind::kNothing;
  if (S_ISREG(status.st_mode)) return FoundKind::kFile;
  return S_ISDIR(status.st_mode) ? FoundKind::kFolder : FoundKind::kOther;
}

class FolderStore final : public ObjectStore {
 public:
  FolderStore(fs::path root, Descriptor root_folder, fs::path temporary, Descriptor temporary_lock,
              NameRule rule, bool use_attributes, const Clock& clock)
      : root_path_(std::move(root)),
        temporary_(std::move(temporary)),
        clock_(clock),
        rule_(rule),
        root_(std::move(root_folder)),
        temporary_lock_(std::move(temporary_lock)),
        records_(root_path_ / kReserved / "beside", use_attributes),
        uploads_(root_path_ / kReserved / "uploads", temporary_, clock),
        cache_(rule) {}
  ~FolderStore() override {
    std::error_code error;
    fs::remove_all(temporary_, error);
  }

  Status create_bucket(const std::string& bucket) override;
  Status delete_bucket(const std::string& bucket) override;
  Result<BucketInfo> head_bucket(const std::string& bucket) override;
  Result<std::vector<BucketInfo>> list_buckets() override;

  using ObjectStore::put;
  Result<ObjectInfo> put(const ObjectName& name, const ByteSource& body, const ObjectHeaders& headers,
                         const PutCondition& condition) override;
  Result<OpenObject> get(const ObjectName& name) override;
  Result<ObjectInfo> head(const ObjectName& name) override;
  using ObjectStore::remove;
  Status remove(const ObjectName& name, const RemoveCondition& condition) override;
  Result<ObjectInfo> copy(const ObjectName& from, const ObjectName& to,
                          const std::optional<ObjectHeaders>& headers) override;
  Result<ListPage> list(const std::string& bucket, const ListQuery& query) override;
  Status set_tags(const ObjectName& name, const std::map<std::string, std::string>& tags) override;

  using ObjectStore::complete_upload;
  using ObjectStore::put_part;
  using ObjectStore::start_upload;
  Result<std::string> start_upload(const ObjectName& name, const ObjectHeaders& headers,
                                   const UploadChecksum& checksum) override;
  Result<PartInfo> put_part(const ObjectName& name, const std::string& upload_id, int number,
                            const ByteSource& body,
                            const std::map<std::string, std::string>& checksums) override;
  Result<std::vector<PartInfo>> list_parts(const ObjectName& name, const std::string& upload_id,
                                           int after_number, int max_parts) override;
  Result<UploadInfo> head_upload(const ObjectName& name, const std::string& upload_id) override;
  Result<UploadChecksum> upload_checksum(const ObjectName& name, const std::string& upload_id) override;
  Result<std::vector<UploadInfo>> list_uploads(const std::string& bucket, const std::string& prefix) override;
  Result<ObjectInfo> complete_upload(const ObjectName& name, const std::string& upload_id,
                                     const std::vector<ChosenPart>& parts,
                                     const Completion& completion) override;
  Status abort_upload(const ObjectName& name, const std::string& upload_id) override;
  std::string description() const override { return "folder " + root_path_.string(); }

 private:
  enum class Placed { kDone, kInTheWay };

  Result<Descriptor> open_bucket(const std::string& bucket) const;
  Result<Descriptor> open_bucket_of(const ObjectName& name) const;
  Result<TemporaryFile> make_temporary() const;
  std::mutex& key_lock(const ObjectName& name) {
    return key_locks_[std::hash<std::string>()(name.bucket + '/' + name.key) % key_locks_.size()];
  }
  StructureLock& structure_lock(const std::string& bucket) {
    return structure_locks_[std::hash<std::string>()(bucket) % structure_locks_.size()];
  }

  enum class Holding { kNothing, kKeyLock };
  // The record of an object; for a file that a person put there its ETag is computed and kept.
  Result<ObjectRecord> record_of(ObjectFile& object, const ObjectName& name, Holding holding);
  ObjectInfo info_of(const ObjectFile& object, const ObjectName& name, ObjectRecord record) const;
  Result<ObjectInfo> head_in(int bucket, const ObjectName& name, Holding holding);
  Status check_condition(int bucket, const ObjectName& name, const PutCondition& condition);
  // Gives the complete file its time and record, and its place.
  Result<ObjectInfo> publish(const ObjectName& name, int bucket, TemporaryFile& file, ObjectRecord record,
                             const PutCondition& condition);
  Status place(const ObjectName& name, int bucket, TemporaryFile& file);
  Result<Placed> try_place(const ObjectName& name, int bucket, TemporaryFile& file, Descriptor& folder);
  Status clear_way(const ObjectName& name, int bucket);
  void remove_empty_folders(int bucket, std::string folder);

  // Constant after construction.
  const fs::path root_path_, temporary_;
  const Clock& clock_;
  const NameRule rule_;
  const Descriptor root_;
  const Descriptor temporary_lock_;  // held while the store lives
  mutable std::atomic<std::uint64_t> next_temporary_{0};
  // Synchronise themselves. A key's lock is taken before the bucket's structure lock.
  ObjectRecords records_;
  FolderUploads uploads_;
  FolderCache cache_;
  std::array<std::mutex, 1024> key_locks_;
  std::array<StructureLock, 64> structure_locks_;
};

// ---- buckets ----

Result<Descriptor> FolderStore::open_bucket(const std::string& bucket) const {
  TERRAPIN_TRY_STATUS(check_bucket_name(bucket));
  Descriptor folder(::openat(root_.get(), bucket.c_str(), kOpenFolder | O_NOFOLLOW));
  if (folder.is_open()) return folder;
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return no_such_bucket(bucket);
  return system_failure(errno, (root_path_ / bucket).string());
}

Result<Descriptor> FolderStore::open_bucket_of(const ObjectName& name) const {
  TERRAPIN_TRY(Descriptor folder, open_bucket(name.bucket));
  TERRAPIN_TRY_STATUS(check_key(name.key));
  return folder;
}

Status FolderStore::create_bucket(const std::string& bucket) {
  TERRAPIN_TRY_STATUS(check_bucket_name(bucket));
  const std::lock_guard lock(structure_lock(bucket));
  const std::string path = (root_path_ / bucket).string();
  if (::mkdirat(root_.get(), bucket.c_str(), 0777) != 0) {
    if (errno == EEXIST) return fail(ErrorCode::kAlreadyExists, "the bucket '{}' is there already", bucket);
    return system_failure(errno, path);
  }
  const Descriptor folder(::openat(root_.get(), bucket.c_str(), kOpenFolder | O_NOFOLLOW));
  if (!folder.is_open()) return system_failure(errno, path);
  const std::string created = iso_text(clock_.now(), 6);
  // Where attributes are refused the folder's own birth stands for it.
  (void)::fsetxattr(folder.get(), kCreatedAttribute, created.data(), created.size(), 0);
  TERRAPIN_TRY_STATUS(sync_folder(folder.get(), path));
  return sync_folder(root_.get(), root_path_.string());
}

Result<BucketInfo> FolderStore::head_bucket(const std::string& bucket) {
  TERRAPIN_TRY(const Descriptor folder, open_bucket(bucket));
  BucketInfo info{bucket, {}};
  char text[32];
  const ssize_t size = ::fgetxattr(folder.get(), kCreatedAttribute, text, sizeof text);
  if (size > 0) {
    const auto created = parse_iso_text(std::string_view(text, static_cast<std::size_t>(size)));
    if (created) {
      info.created = *created;
      return info;
    }
  }
  struct statx status {};
  if (::statx(folder.get(), "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &status) != 0)
    return system_failure(errno, bucket);
  const auto& time = (status.stx_mask & STATX_BTIME) != 0 ? status.stx_btime : status.stx_mtime;
  info.created = from_microseconds(time.tv_sec * 1'000'000 + time.tv_nsec / 1000);
  return info;
}

Result<std::vector<BucketInfo>> FolderStore::list_buckets() {
  std::vector<BucketInfo> buckets;
  std::error_code error;
  for (fs::directory_iterator entry(root_path_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!check_bucket_name(name)) continue;
    auto info = head_bucket(name);
    if (info) buckets.push_back(std::move(*info));
  }
  if (error) return system_failure(error.value(), root_path_.string());
  std::sort(buckets.begin(), buckets.end(),
            [](const BucketInfo& a, const BucketInfo& b) { return a.name < b.name; });
  return buckets;
}

// Removes folders only: whatever file is left, ours or not, makes it fail.
Status remove_folders(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (fs::recursive_directory_iterator entry(folder, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->symlink_status().type() != fs::file_type::directory) {
      return fail(ErrorCode::kConflict,
                  "the bucket's folder holds '{}', which is no object: remove it by hand",
                  entry->path().lexically_relative(folder).string());
    }
    folders.push_back(entry->path());
  }
  if (error) return system_failure(error.value(), folder.string());
  for (auto path = folders.rbegin(); path != folders.rend(); ++path)
    if (!fs::remove(*path, error) && error) return system_failure(error.value(), path->string());
  if (!fs::remove(folder, error) && error) return system_failure(error.value(), folder.string());
  return {};
}

Status FolderStore::delete_bucket(const std::string& bucket) {
  const std::lock_guard lock(structure_lock(bucket));
  TERRAPIN_TRY(const Descriptor folder, open_bucket(bucket));
  TERRAPIN_TRY(const bool any, holds_object(folder.get(), "", rule_));
  if (any) return fail(ErrorCode::kConflict, "the bucket '{}' holds objects", bucket);
  if (uploads_.any(bucket))
    return fail(ErrorCode::kConflict, "the bucket '{}' holds unfinished uploads", bucket);
  TERRAPIN_TRY_STATUS(remove_folders(root_path_ / bucket));
  uploads_.forget_bucket(bucket);
  records_.forget_bucket(bucket);
  return sync_folder(root_.get(), root_path_.string());
}

// ---- objects ----

Result<TemporaryFile> FolderStore::make_temporary() const {
  fs::path path = temporary_ / std::to_string(next_temporary_.fetch_add(1));
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open()) return system_failure(errno, path.string());
  return TemporaryFile(std::move(path), std::move(file));
}

Result<ObjectRecord> FolderStore::record_of(ObjectFile& object, const ObjectName& name, Holding holding) {
  if (auto record = records_.read(object.file.get(), object.status, name, true)) return std::move(*record);
  ObjectRecord record;
  record.headers.content_type = guessed_content_type(name.key);
  for (int attempt = 0; attempt < 3; ++attempt) {
    TERRAPIN_TRY(record.etag, md5_of_file(object.file.get(), s3_uri(name)));
    struct stat after {};
    if (::fstat(object.file.get(), &after) != 0) return system_failure(errno, s3_uri(name));
    const bool same =
        after.st_size == object.status.st_size && modified_ns(after) == modified_ns(object.status);
    object.status = after;
    if (!same) continue;  // someone is writing it
    // Changed this moment, it may change again without its time moving: not kept then.
    const auto age = std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count() -
                     modified_ns(after);
    if (age <= 1'000'000'000) break;
    std::unique_lock<std::mutex> lock;
    if (holding == Holding::kNothing) {
      lock = std::unique_lock(key_lock(name));
      // Someone may have tagged it meanwhile.
      if (auto known = records_.read(object.file.get(), after, name, true)) return std::move(*known);
    }
    (void)records_.write(object.file.get(), after, name, record);
    break;
  }
  return record;
}

ObjectInfo FolderStore::info_of(const ObjectFile& object, const ObjectName& name, ObjectRecord record) const {
  ObjectInfo info;
  info.key = name.key;
  info.size = object.status.st_size;
  info.etag = std::move(record.etag);
  info.modified = modified_time(object.status);
  info.headers = std::move(record.headers);
  info.part_sizes = std::move(record.part_sizes);
  return info;
}

Result<ObjectInfo> FolderStore::head_in(int bucket, const ObjectName& name, Holding holding) {
  TERRAPIN_TRY(ObjectFile object, open_object_file(bucket, name, rule_));
  TERRAPIN_TRY(ObjectRecord record, record_of(object, name, holding));
  return info_of(object, name, std::move(record));
}

Result<ObjectInfo> FolderStore::head(const ObjectName& name) {
  TERRAPIN_TRY(const Descriptor bucket, open_bucket_of(name));
  return head_in(bucket.get(), name, Holding::kNothing);
}

Result<OpenObject> FolderStore::get(const ObjectName& name) {
  TERRAPIN_TRY(const Descriptor bucket, open_bucket_of(name));
  TERRAPIN_TRY(ObjectFile object, open_object_file(bucket.get(), name, rule_));
  TERRAPIN_TRY(ObjectRecord record, record_of(object, name, Holding::kNothing));
  OpenObject open;
  open.info = info_of(object, name, std::move(record));
  open.content = descriptor_source(std::move(object.file), open.info.size, s3_uri(name));
  return open;
}

Status FolderStore::check_condition(int bucket, const ObjectName& name, const PutCondition& condition) {
  if (!condition.if_none_match && !condition.if_match) return {};
  TERRAPIN_TRY_STATUS(check_key(name.key));
  const auto present = head_in(bucket, name, Holding::kKeyLock);
  if (!present && present.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(present.error());
  if (condition.if_none_match && present)
    return fail(ErrorCode::kConflict, "{} is there already", s3_uri(name));
  if (!condition.if_match) return {};
  if (!present) return tl::unexpected<Error>(present.error());
  if (present->etag != *condition.if_match) {
    return fail(ErrorCode::kConflict, "{} has the ETag '{}', not '{}'", s3_uri(name), present->etag,
                *condition.if_match);
  }
  return {};
}

// kInTheWay: a file where a folder must be, or someone removed or made a folder at this moment.
Result<FolderStore::Placed> FolderStore::try_place(const ObjectName& name, int bucket, TemporaryFile& file,
                                                   Descriptor& folder) {
  const KeyPath path = key_path(name.key, rule_);
  const auto refused = [&](int number) -> Result<Placed> {
    if (number == ENOENT || number == ENOTDIR || number == EISDIR || number == EEXIST || number == ENOTEMPTY)
      return Placed::kInTheWay;
    return system_failure(number, s3_uri(name));
  };
  const auto [escaped_folder, escaped_name] = split_path(path.escaped);
  bool beside = false;  // an escaped twin must go
  bool escape = path.plain.empty();
  if (!escape) {
    const auto [plain_folder, plain_name] = split_path(path.plain);
    folder = make_folders(bucket, plain_folder);
    if (!folder.is_open()) return refused(errno);
    const FoundKind plain = kind_at(folder.get(), plain_name);
    struct stat twin {};
    beside = ::fstatat(bucket, path.escaped.c_str(), &twin, AT_SYMLINK_NOFOLLOW) == 0;
    escape = plain == FoundKind::kFolder || (beside && plain != FoundKind::kFile);
    if (!escape) {
      struct stat old {};
      const bool had = ::fstatat(folder.get(), plain_name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
      if (::renameat(AT_FDCWD, file.path().c_str(), folder.get(), plain_name.c_str()) != 0)
        return refused(errno);
      if (had) records_.forget(old, name);
      if (beside) ::unlinkat(bucket, path.escaped.c_str(), 0);
      return Placed::kDone;
    }
  }
  folder = make_folders(bucket, escaped_folder);
  if (!folder.is_open()) return refused(errno);
  struct stat old {};
  const bool had = ::fstatat(folder.get(), escaped_name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
  if (::renameat(AT_FDCWD, file.path().c_str(), folder.get(), escaped_name.c_str()) != 0)
    return refused(errno);
  if (had) records_.forget(old, name);
  return Placed::kDone;
}

// Objects whose keys are folders of this one's move to their escaped names. Called alone in the bucket.
Status FolderStore::clear_way(const ObjectName& name, int bucket) {
  for (std::size_t slash = name.key.find('/'); slash != std::string::npos;
       slash = name.key.find('/', slash + 1)) {
    const std::string above = name.key.substr(0, slash);
    const KeyPath path = key_path(above, rule_);
    if (path.plain.empty()) continue;
    const auto [plain_folder, plain_name] = split_path(path.plain);
    const Descriptor from =
        open_beneath(bucket, plain_folder.empty() ? "." : plain_folder, O_RDONLY | O_DIRECTORY);
    if (!from.is_open()) continue;
    const FoundKind kind = kind_at(from.get(), plain_name);
    if (kind == FoundKind::kOther) {
      return fail(ErrorCode::kIo, "{}: '{}' is neither file nor folder: remove it from the bucket's folder",
                  s3_uri(name), path.plain);
    }
    if (kind != FoundKind::kFile) continue;
    const auto [escaped_folder, escaped_name] = split_path(path.escaped);
    const Descriptor to = make_folders(bucket, escaped_folder);
    if (!to.is_open() || ::renameat(from.get(), plain_name.c_str(), to.get(), escaped_name.c_str()) != 0) {
      return system_failure(errno, s3_uri({name.bucket, above}));
    }
    TERRAPIN_TRY_STATUS(sync_folder(to.get(), path.escaped));
    TERRAPIN_TRY_STATUS(sync_folder(from.get(), path.plain));
  }
  return {};
}

Status FolderStore::place(const ObjectName& name, int bucket, TemporaryFile& file) {
  Descriptor folder;
  Placed placed = Placed::kInTheWay;
  {
    const std::shared_lock lock(structure_lock(name.bucket));
    TERRAPIN_TRY(placed, try_place(name, bucket, file, folder));
  }
  if (placed == Placed::kInTheWay) {
    const std::lock_guard alone(structure_lock(name.bucket));
    // The bucket may have been removed and made again since it was opened.
    struct stat opened {
    }, present{};
    if (::fstat(bucket, &opened) != 0 || ::fstatat(root_.get(), name.bucket.c_str(), &present, 0) != 0 ||
        opened.st_ino != present.st_ino) {
      return no_such_bucket(name.bucket);
    }
    TERRAPIN_TRY_STATUS(clear_way(name, bucket));
    TERRAPIN_TRY(placed, try_place(name, bucket, file, folder));
    if (placed == Placed::kInTheWay)
      return fail(ErrorCode::kIo, "{}: something in the bucket's folder is in the way", s3_uri(name));
  }
  file.moved();
  return sync_folder(folder.get(), s3_uri(name));
}

Result<ObjectInfo> FolderStore::publish(const ObjectName& name, int bucket, TemporaryFile& file,
                                        ObjectRecord record, const PutCondition& condition) {
  const std::int64_t microseconds = to_microseconds(clock_.now());
  const timespec time{static_cast<time_t>(microseconds / 1'000'000),
                      static_cast<long>(microseconds % 1'000'000 * 1000)};
  const timespec times[2] = {time, time};
  if (::futimens(file.get(), times) != 0) return system_failure(errno, s3_uri(name));
  ObjectFile object;
  if (::fstat(file.get(), &object.status) != 0) return system_failure(errno, s3_uri(name));
  const auto published = [&]() -> Status {
    TERRAPIN_TRY_STATUS(records_.write(file.get(), object.status, name, record));
    TERRAPIN_TRY_STATUS(sync_file(file.get(), s3_uri(name)));
    const std::lock_guard lock(key_lock(name));
    TERRAPIN_TRY_STATUS(check_condition(bucket, name, condition));
    return place(name, bucket, file);
  }();
  if (!published) {
    records_.forget(object.status, name);
    return tl::unexpected<Error>(published.error());
  }
  return info_of(object, name, std::move(record));
}

Result<ObjectInfo> FolderStore::put(const ObjectName& name, const ByteSource& body,
                                    const ObjectHeaders& headers, const PutCondition& condition) {
  TERRAPIN_TRY(const Descriptor bucket, open_bucket_of(name));
  TERRAPIN_TRY(TemporaryFile file, make_temporary());
  ObjectRecord record;
  record.headers = headers;
  TERRAPIN_TRY(record.etag, write_hashing(body, file.get(), s3_uri(name)));
  return publish(name, bucket.get(), file, std::move(record), condition);
}

Result<ObjectInfo> FolderStore::copy(const ObjectName& from, const ObjectName& to,
                                     const std::optional<ObjectHeaders>& headers) {
  TERRAPIN_TRY(const Descriptor source_bucket, open_bucket_of(from));
  TERRAPIN_TRY(const Descriptor bucket, open_bucket_of(to));
  TERRAPIN_TRY(ObjectFile source, open_object_file(source_bucket.get(), from, rule_));
  TERRAPIN_TRY(ObjectRecord record, record_of(source, from, Holding::kNothing));
  TERRAPIN_TRY(TemporaryFile file, make_temporary());
  TERRAPIN_TRY_STATUS(append_file(source.file.get(), source.status.st_size, file.get(), s3_uri(to)));
  // The ETag and the checksum of checksums of an upload in parts say nothing of a copy in one piece.
  if (record.etag.find('-') != std::string::npos) {
    TERRAPIN_TRY(record.etag, md5_of_file(file.get(), s3_uri(to)));
  }
  record.upload_id.clear();
  record.part_sizes.clear();
  if (headers) record.headers = *headers;
  std::erase_if(record.headers.checksums,
                [](const auto& checksum) { return checksum.second.find('-') != std::string::npos; });
  return publish(to, bucket.get(), file, std::move(record), {});
}

void FolderStore::remove_empty_folders(int bucket, std::string folder) {
  while (!folder.empty()) {
    const auto [above, name] = split_path(folder);
    const Descriptor parent = open_beneath(bucket, above.empty() ? "." : above, O_RDONLY | O_DIRECTORY);
    if (!parent.is_open() || ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0) return;
    folder = above;
  }
}

Status FolderStore::remove(const ObjectName& name, const RemoveCondition& condition) {
  TERRAPIN_TRY(const Descriptor bucket, open_bucket_of(name));
  const KeyPath path = key_path(name.key, rule_);
  const std::lock_guard lock(key_lock(name));
  if (condition.if_match) {
    PutCondition present;
    if (*condition.if_match == "*") {
      TERRAPIN_TRY_STATUS(open_object_file(bucket.get(), name, rule_));
    } else {
      present.if_match = condition.if_match;
    }
    TERRAPIN_TRY_STATUS(check_condition(bucket.get(), name, present));
  }
  const std::shared_lock structure(structure_lock(name.bucket));
  // The escaped twin first: a crash in between must not bring an older object back.
  for (const std::string* candidate : {&path.escaped, &path.plain}) {
    if (candidate->empty()) continue;
    const auto [folder_path, file_name] = split_path(*candidate);
    const Descriptor folder =
        open_beneath(bucket.get(), folder_path.empty() ? "." : folder_path, O_RDONLY | O_DIRECTORY);
    if (!folder.is_open()) {
      const int number = errno;
      if (number == ENOENT || number == ENOTDIR || number == ELOOP || number == ENAMETOOLONG) continue;
      return system_failure(number, s3_uri(name));
    }
    struct stat status {};
    if (::fstatat(folder.get(), file_name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode)) {
      continue;
    }
    if (::unlinkat(folder.get(), file_name.c_str(), 0) != 0) {
      if (errno == ENOENT) continue;
      return system_failure(errno, s3_uri(name));
    }
    TERRAPIN_TRY_STATUS(sync_folder(folder.get(), s3_uri(name)));
    records_.forget(status, name);
    remove_empty_folders(bucket.get(), folder_path);
  }
  return {};
}

Result<ListPage> FolderStore::list(const std::string& bucket, const ListQuery& query) {
  TERRAPIN_TRY(const Descriptor folder, open_bucket(bucket));
  if (query.max_keys < 0 || query.max_keys > 1000)
    return fail(ErrorCode::kInvalidArgument, "max_keys {}: 0 to 1000 are allowed", query.max_keys);
  std::vector<std::size_t> unhashed;
  std::size_t count = 0;
  const auto describe = [&](const std::string& path, const std::string& key) -> std::optional<ObjectInfo> {
    const ObjectName name{bucket, key};
    ObjectFile object;
    object.file = open_beneath(folder.get(), path, O_RDONLY | O_NONBLOCK);
    if (!object.file.is_open() || ::fstat(object.file.get(), &object.status) != 0 ||
        !S_ISREG(object.status.st_mode)) {
      auto moved = open_object_file(folder.get(), name, rule_);  // it may have taken its other name
      if (!moved) return std::nullopt;
      object = std::move(*moved);
    }
    auto record = records_.read(object.file.get(), object.status, name, false);
    if (!record) unhashed.push_back(count);
    ++count;
    return info_of(object, name, record ? std::move(*record) : ObjectRecord());
  };
  const auto read = [&](int opened) {
    const std::shared_lock structure(structure_lock(bucket));
    return cache_.read(opened);
  };
  TERRAPIN_TRY(ListPage page, list_folder(folder.get(), query, rule_, read, describe));
  // Files that a person put there are hashed once, on all cores.
  std::vector<Status> hashed(unhashed.size());
  parallel_for(static_cast<std::int64_t>(unhashed.size()), available_cores(), [&](std::int64_t i) {
    ObjectInfo& info = page.objects[unhashed[static_cast<std::size_t>(i)]];
    hashed[static_cast<std::size_t>(i)] = [&]() -> Status {
      auto present = head_in(folder.get(), {bucket, info.key}, Holding::kNothing);
      if (!present && present.error().code != ErrorCode::kNotFound)
        return tl::unexpected<Error>(present.error());
      info = present ? std::move(*present) : ObjectInfo();
      info.headers = {};
      return {};
    }();
  });
  for (Status& status : hashed) {
    TERRAPIN_TRY_STATUS(std::move(status));
  }
  if (!unhashed.empty()) std::erase_if(page.objects, [](const ObjectInfo& info) { return info.key.empty(); });
  return page;
}

Status FolderStore::set_tags(const ObjectName& name, const std::map<std::string, std::string>& tags) {
  TERRAPIN_TRY(const Descriptor bucket, open_bucket_of(name));
  const std::lock_guard lock(key_lock(name));
  TERRAPIN_TRY(ObjectFile object, open_object_file(bucket.get(), name, rule_));
  TERRAPIN_TRY(ObjectRecord record, record_of(object, name, Holding::kKeyLock));
  record.headers.tags = tags;
  TERRAPIN_TRY_STATUS(records_.write(object.file.get(), object.status, name, record));
  return sync_file(object.file.get(), s3_uri(name));
}

// ---- uploads ----

Result<std::string> FolderStore::start_upload(const ObjectName& name, const ObjectHeaders& headers,
                                              const UploadChecksum& checksum) {
  const std::shared_lock structure(structure_lock(name.bucket));
  TERRAPIN_TRY_STATUS(open_bucket_of(name));
  return uploads_.start(name, headers, checksum);
}

Result<PartInfo> FolderStore::put_part(const ObjectName& name, const std::string& upload_id, int number,
                                       const ByteSource& body,
                                       const std::map<std::string, std::string>& checksums) {
  TERRAPIN_TRY_STATUS(open_bucket_of(name));
  return uploads_.put_part(name, upload_id, number, body, checksums);
}

Result<std::vector<PartInfo>> FolderStore::list_parts(const ObjectName& name, const std::string& upload_id,
                                                      int after_number, int max_parts) {
  TERRAPIN_TRY_STATUS(open_bucket_of(name));
  return uploads_.list_parts(name, upload_id, after_number, max_parts);
}

Result<UploadInfo> FolderStore::head_upload(const ObjectName& name, const std::string& upload_id) {
  TERRAPIN_TRY_STATUS(open_bucket_of(name));
  return uploads_.head(name, upload_id);
}

Result<UploadChecksum> FolderStore::upload_checksum(const ObjectName& name, const std::string& upload_id) {
  TERRAPIN_TRY(const UploadInfo upload, head_upload(name, upload_id));
  return upload.checksum;
}

Result<std::vector<UploadInfo>> FolderStore::list_uploads(const std::string& bucket,
                                                          const std::string& prefix) {
  TERRAPIN_TRY_STATUS(open_bucket(bucket));
  return uploads_.list(bucket, prefix);
}

Result<ObjectInfo> FolderStore::complete_upload(const ObjectName& name, const std::string& upload_id,
                                                const std::vector<ChosenPart>& parts,
                                                const Completion& completion) {
  TERRAPIN_TRY(const Descriptor bucket, open_bucket_of(name));
  if (uploads_.head(name, upload_id)) {
    // What cannot succeed now is not put together first; what counts is the check when it takes its place.
    const std::lock_guard lock(key_lock(name));
    TERRAPIN_TRY_STATUS(check_condition(bucket.get(), name, completion.condition));
  }
  const fs::path path = temporary_ / std::to_string(next_temporary_.fetch_add(1));
  auto completed =
      uploads_.complete(name, upload_id, parts, path, [&](FolderUploads::Whole& whole) -> Result<ObjectInfo> {
        TemporaryFile file(whole.path, std::move(whole.file));
        whole.headers.checksums = completion.checksums;
        return publish(name, bucket.get(), file,
                       {whole.etag, upload_id, std::move(whole.headers), std::move(whole.part_sizes)},
                       completion.condition);
      });
  if (completed || completed.error().code != ErrorCode::kNotFound) return completed;
  // Said again by a client that did not hear the answer: the object is the answer.
  auto object = open_object_file(bucket.get(), name, rule_);
  if (!object) return completed;
  auto record = records_.read(object->file.get(), object->status, name, true);
  if (!record || record->upload_id.empty() || record->upload_id != upload_id) return completed;
  return info_of(*object, name, std::move(*record));
}

Status FolderStore::abort_upload(const ObjectName& name, const std::string& upload_id) {
  TERRAPIN_TRY_STATUS(open_bucket_of(name));
  return uploads_.abort(name, upload_id);
}

// ---- opening ----

Status check_format(const fs::path& reserved) {
  const fs::path path = reserved / "format";
  auto text = read_text_file(path, 1024);
  if (!text && text.error().code == ErrorCode::kNotFound) return write_file_atomically(path, kFormat);
  if (!text) return tl::unexpected<Error>(std::move(text.error()));
  if (*text == kFormat) return {};
  return fail(ErrorCode::kUnsupported, "{}: says '{}', this program reads '{}'", path.string(),
              text->substr(0, text->find('\n')), kFormat.substr(0, kFormat.size() - 1));
}

Result<bool> folds_case(const fs::path& temporary) {
  const fs::path lower = temporary / "case-probe", upper = temporary / "CASE-PROBE";
  const Descriptor file(::open(lower.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  if (!file.is_open()) return system_failure(errno, lower.string());
  const bool folds = ::access(upper.c_str(), F_OK) == 0;
  ::unlink(lower.c_str());
  return folds;
}

// Removes what processes that are gone left behind: each holds a lock on its own folder.
void remove_leftovers(const fs::path& all) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (fs::directory_iterator entry(all, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    folders.push_back(entry->path());
  }
  for (const fs::path& path : folders) {
    const Descriptor folder(::open(path.c_str(), kOpenFolder | O_NOFOLLOW));
    if (folder.is_open() && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0) fs::remove_all(path, error);
  }
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_folder_store(const fs::path& root, const Clock& clock,
                                                       const FolderStoreOptions& options) {
  std::error_code error;
  const fs::path reserved = fs::absolute(root, error) / kReserved;
  const fs::path all_temporary = reserved / "temporary";
  fs::create_directories(all_temporary, error);
  if (!error) fs::create_directories(reserved / "uploads", error);
  if (error) return system_failure(error.value(), reserved.string());
  TERRAPIN_TRY_STATUS(check_format(reserved));

  // Openings exclude one another: none sees another's folder before its lock.
  const Descriptor opening(::open(all_temporary.c_str(), kOpenFolder));
  if (!opening.is_open() || ::flock(opening.get(), LOCK_EX) != 0)
    return system_failure(errno, all_temporary.string());
  remove_leftovers(all_temporary);
  const fs::path temporary = all_temporary / crypto::random_text(16);
  fs::create_directory(temporary, error);
  if (error) return system_failure(error.value(), temporary.string());
  Descriptor temporary_lock(::open(temporary.c_str(), kOpenFolder));
  if (!temporary_lock.is_open() || ::flock(temporary_lock.get(), LOCK_EX | LOCK_NB) != 0)
    return system_failure(errno, temporary.string());

  bool folds = false;
  if (options.folds_case) {
    folds = *options.folds_case;
  } else {
    TERRAPIN_TRY(folds, folds_case(temporary));
  }
  const fs::path absolute_root = fs::absolute(root, error).lexically_normal();
  Descriptor root_folder(::open(absolute_root.c_str(), kOpenFolder));
  if (!root_folder.is_open()) return system_failure(errno, absolute_root.string());
  return std::make_unique<FolderStore>(
      absolute_root, std::move(root_folder), temporary, std::move(temporary_lock),
      folds ? NameRule::kFoldingCase : NameRule::kExact, options.use_attributes, clock);
}

}  // namespace terrapin::storage
