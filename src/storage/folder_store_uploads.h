// Unfinished multipart uploads: one folder each, with a description and a file for every part.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/folder_store_files.h"
#include "storage/object_store.h"

namespace terrapin::storage {

// Thread-safe; an upload's changes are ordered.
class FolderUploads {
 public:
  // `temporary`: a folder of this process on the same file system.
  FolderUploads(std::filesystem::path folder, std::filesystem::path temporary, const Clock& clock)
      : folder_(std::move(folder)), temporary_(std::move(temporary)), clock_(clock) {}

  Result<std::string> start(const ObjectName& name, const ObjectHeaders& headers,
                            const UploadChecksum& checksum);
  Result<PartInfo> put_part(const ObjectName& name, const std::string& id, int number, const ByteSource& body,
                            const std::map<std::string, std::string>& checksums);
  Result<std::vector<PartInfo>> list_parts(const ObjectName& name, const std::string& id, int after_number,
                                           int max_parts);
  Result<UploadInfo> head(const ObjectName& name, const std::string& id);
  Result<std::vector<UploadInfo>> list(const std::string& bucket, const std::string& prefix);
  bool any(const std::string& bucket) const;
  void forget_bucket(const std::string& bucket);
  Status abort(const ObjectName& name, const std::string& id);

  struct Whole {
    Descriptor file;  // all parts in order, not yet synced
    std::filesystem::path path;
    std::string etag;
    ObjectHeaders headers;
    std::vector<std::int64_t> part_sizes;
  };
  // Puts the parts together as the temporary file `path` and hands it to `publish`; when that succeeds the
  // upload is gone.
  Result<ObjectInfo> complete(const ObjectName& name, const std::string& id,
                              const std::vector<ChosenPart>& parts, const std::filesystem::path& path,
                              const std::function<Result<ObjectInfo>(Whole&)>& publish);

 private:
  struct Part {
    PartInfo info;
    std::filesystem::path path;
  };
  std::filesystem::path path_of(const ObjectName& name, const std::string& id) const;
  Result<UploadInfo> read(const std::string& bucket, const std::string& id) const;
  Result<std::vector<Part>> parts_of(const ObjectName& name, const std::string& id) const;
  Status remove(const ObjectName& name, const std::string& id);
  std::mutex& lock_of(const std::string& id) { return locks_[std::hash<std::string>()(id) % locks_.size()]; }

  const std::filesystem::path folder_, temporary_;
  const Clock& clock_;
  std::array<std::mutex, 64> locks_;
};

}  // namespace terrapin::storage
