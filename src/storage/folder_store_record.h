// What is known of an object beyond its bytes, kept on the file as an extended attribute or in a file of its
// own. docs/formats/object-folder.md.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/object_store.h"

namespace terrapin::storage {

struct ObjectRecord {
  std::string etag;
  std::string upload_id;  // of the multipart upload that made it; else empty
  ObjectHeaders headers;
  std::vector<std::int64_t> part_sizes = {};  // of that upload
};

std::string headers_to_json(const ObjectHeaders& headers);
// kCorrupt.
Result<ObjectHeaders> headers_from_json(std::string_view text);
// By the key's extension: "image/jpeg", "application/json"; "binary/octet-stream" if unknown.
std::string guessed_content_type(std::string_view key);

// Thread-safe.
class ObjectRecords {
 public:
  // `beside`: the folder for records that do not fit on the file.
  ObjectRecords(std::filesystem::path beside, bool use_attributes);

  // The record of the open file, if it was written for the bytes that the file holds: size and time of
  // change, as in `status`, must be those of the record. nullopt: none, or one for other bytes.
  std::optional<ObjectRecord> read(int file, const struct stat& status, const ObjectName& name,
                                   bool with_headers) const;
  // `status`: of the file when complete, its time of change set. The attribute becomes durable with the
  // file's fsync, a record beside at once.
  Status write(int file, const struct stat& status, const ObjectName& name, const ObjectRecord& record);
  // After the file of that status is gone.
  void forget(const struct stat& status, const ObjectName& name);
  void forget_bucket(const std::string& bucket);

 private:
  std::filesystem::path path_beside(const struct stat& status, const ObjectName& name) const;
  const std::filesystem::path beside_;
  const bool use_attributes_;
  std::atomic<bool> any_beside_;
};

}  // namespace terrapin::storage
