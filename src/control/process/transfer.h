// Objects to files of a job's work folder and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/training_spec.h"
#include "storage/object_store.h"

namespace terrapin::control {

// An object of a source, and the name that its file gets: relative, without "." and "..".
struct SourceObject {
  storage::ObjectName object;
  std::filesystem::path file;
  std::int64_t size = -1;  // -1: not known yet
};

struct Transferred {
  std::int64_t objects = 0, bytes = 0;
};

// One job's transfers. Errors: kCancelled once the process was told to stop, kDenied for a bucket that the
// job may not use, kNotFound and kInvalidArgument naming the object, kNoSpace for a full disk.
class Transfer {
 public:
  // `allowed_buckets`: the only ones; empty: all. `threads`: objects at a time.
  Transfer(storage::ObjectStore& objects, std::vector<std::string> allowed_buckets, int threads = 8)
      : objects_(objects), allowed_(std::move(allowed_buckets)), threads_(threads) {}

  // Calls `visit` with groups of at most 1,000 objects, in the order of the source: of a prefix or a
  // manifest. A prefix "s3://b/train" without a final '/' means the folder train/ and the object train where
  // one of the two is there, else every key that begins so. Stops at the first failure.
  using Visit = std::function<Status(const std::vector<SourceObject>&)>;
  Status for_each(const DataSource& source, const Visit& visit);

  // A prefix or a manifest into `folder`. kNotFound if there is no object.
  Result<Transferred> download(const DataSource& source, const std::filesystem::path& folder);
  // An augmented manifest as <folder>/<its name>.manifest, what its attributes refer to as
  // <objects_folder>/<bucket>/<key>, as artifacts::S3Roots reads them; the buckets are added to `buckets`.
  Result<Transferred> download_augmented(const DataSource& source, const std::filesystem::path& folder,
                                         const std::filesystem::path& objects_folder,
                                         std::set<std::string>& buckets);
  // One object; an existing file is kAlreadyExists.
  Result<std::int64_t> download_object(const storage::ObjectName& object, const std::filesystem::path& file);
  Result<std::string> read_text(const storage::ObjectName& object, std::int64_t max_bytes);

  // A reader of the bucket sees the whole object or none.
  Status upload(const std::filesystem::path& file, const storage::ObjectName& object,
                const std::string& content_type);

 private:
  Status check(const storage::ObjectName& object) const;
  Result<Transferred> download_group(const std::vector<SourceObject>& group,
                                     const std::filesystem::path& folder, bool keep_existing);

  storage::ObjectStore& objects_;
  const std::vector<std::string> allowed_;
  const int threads_;
};

// A folder's files in a bucket, the changed ones alone each time. Not thread-safe.
class FolderMirror {
 public:
  FolderMirror(Transfer& transfer, std::filesystem::path folder, std::string uri)
      : transfer_(transfer), folder_(std::move(folder)), uri_(std::move(uri)) {}
  // Brings earlier files here; none is no error.
  Result<Transferred> restore();
  // Uploads what is new or has changed since the last call.
  Result<Transferred> save();

 private:
  struct Seen {
    std::filesystem::file_time_type time;
    std::uintmax_t size = 0;
    bool operator==(const Seen&) const = default;
  };
  Transfer& transfer_;
  const std::filesystem::path folder_;
  const std::string uri_;
  std::map<std::string, Seen> saved_;
};

// The file name of a relative object name. kInvalidArgument naming it if it would leave its folder or is no
// file name here.
Result<std::filesystem::path> local_file(const std::string& relative);

}  // namespace terrapin::control
