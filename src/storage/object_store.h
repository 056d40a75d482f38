// Objects: byte strings named by bucket and key. Backends: a local folder that a person can read
// (docs/formats/object-folder.md), a remote S3 service.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "base/clock.h"
#include "base/result.h"

namespace terrapin::storage {

struct ObjectName {
  std::string bucket, key;
  friend bool operator==(const ObjectName&, const ObjectName&) = default;
};
// "s3://bucket/some/key" <-> {bucket, key}; the key may be empty. kInvalidArgument names the text.
Result<ObjectName> parse_s3_uri(std::string_view uri);
std::string s3_uri(const ObjectName& name);

constexpr std::size_t kLongestKey = 1024;  // bytes
constexpr int kMostParts = 10'000;         // of a multipart upload

// S3's rule: 3..63 characters a-z 0-9 . -, first and last a letter or digit, no "..", no IPv4 address.
// kInvalidArgument names the bucket.
Status check_bucket_name(std::string_view bucket);
// 1..1024 bytes of UTF-8 without a zero byte. kInvalidArgument names the key.
Status check_key(std::string_view key);

// What the writer said of an object, kept and given back as it is.
struct ObjectHeaders {
  std::string content_type = "binary/octet-stream";
  std::string content_encoding, content_disposition, content_language, cache_control, expires;
  std::map<std::string, std::string> metadata;   // x-amz-meta-*, names lower case, without the prefix
  std::map<std::string, std::string> checksums;  // "crc32" -> base64, as the client sent and we verified
  std::map<std::string, std::string> tags;
};

struct ObjectInfo {
  std::string key;
  std::int64_t size = 0;
  std::string etag;  // without quotes: MD5 of the bytes in hex, or "<md5 of part md5s>-<parts>"
  Timestamp modified;
  ObjectHeaders headers;                      // not filled in by list()
  std::vector<std::int64_t> part_sizes = {};  // of an upload in parts, where the backend knows them
};

struct BucketInfo {
  std::string name;
  Timestamp created;
};

// Held against the object that is there at the moment of the change; a difference is kConflict with nothing
// changed.
struct PutCondition {
  bool if_none_match = false;  // only if the key is free ("If-None-Match: *")
  std::optional<std::string>
      if_match;  // only if the present object has this ETag; kNotFound if there is none
};

// Held against the object at the moment of its removal; a difference is kConflict with nothing removed.
struct RemoveCondition {
  std::optional<std::string> if_match;  // only an object with this ETag, "*": any; kNotFound if there is none
};

struct ListQuery {
  std::string prefix;
  std::string delimiter;    // empty: no grouping
  std::string start_after;  // keys and groups up to and including this one are left out
  int max_keys = 1000;      // objects and groups together, 0..1000
};
struct ListPage {
  std::vector<ObjectInfo> objects;    // ascending by the bytes of the key
  std::vector<std::string> prefixes;  // common prefixes, ascending, with the delimiter at their end
  bool truncated = false;
  std::string next_start_after;  // where the next page begins, if truncated
};

// The checksum that an upload in parts keeps for its object.
struct UploadChecksum {
  std::string name;       // as in ObjectHeaders::checksums; empty: none
  bool of_whole = false;  // of all bytes; false: the checksum of the parts' checksums, "<base64>-<parts>"
  friend bool operator==(const UploadChecksum&, const UploadChecksum&) = default;
};
struct PartInfo {
  int number = 0;  // 1..10,000
  std::int64_t size = 0;
  std::string etag;
  Timestamp modified;
  std::map<std::string, std::string> checksums = {};  // as put_part was told
};
struct UploadInfo {
  std::string key, upload_id;
  Timestamp started;
  ObjectHeaders headers;
  UploadChecksum checksum = {};
};
// A part that takes part in the whole.
struct ChosenPart {
  int number = 0;
  std::string etag;
  std::map<std::string, std::string> checksums = {};
};
struct Completion {
  PutCondition condition;
  std::map<std::string, std::string> checksums;  // of the object, kept with it
};

struct OpenObject {
  ObjectInfo info;
  ByteSourcePtr content;  // stays that of `info` when the object is replaced or removed
};

// Any method may be called from any thread. Everywhere: kNotFound for a missing bucket, key or upload
// (the message names it), kInvalidArgument for a name that may not be, kNoSpace when the disk is full, kIo
// when the backend refuses. What a method reports as done survives a crash.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // kAlreadyExists if it is there.
  virtual Status create_bucket(const std::string& bucket) = 0;
  // kConflict if it holds an object or an unfinished upload.
  virtual Status delete_bucket(const std::string& bucket) = 0;
  virtual Result<BucketInfo> head_bucket(const std::string& bucket) = 0;
  virtual Result<std::vector<BucketInfo>> list_buckets() = 0;  // ascending

  // Stores `body`, replacing what was there: a reader sees the old object or the new one, never a mixture,
  // also after a crash. On failure the old object is still in place.
  virtual Result<ObjectInfo> put(const ObjectName& name, const ByteSource& body, const ObjectHeaders& headers,
                                 const PutCondition& condition) = 0;
  Result<ObjectInfo> put(const ObjectName& name, const ByteSource& body,
                         const std::string& content_type = "binary/octet-stream") {
    ObjectHeaders headers;
    headers.content_type = content_type;
    return put(name, body, headers, {});
  }
  virtual Result<OpenObject> get(const ObjectName& name) = 0;
  virtual Result<ObjectInfo> head(const ObjectName& name) = 0;
  // Removing what is not there is a success, unless the condition asks for it.
  virtual Status remove(const ObjectName& name, const RemoveCondition& condition) = 0;
  Status remove(const ObjectName& name) { return remove(name, RemoveCondition()); }
  // Copies bytes; headers stay those of the source unless `headers` is given. Also onto itself.
  virtual Result<ObjectInfo> copy(const ObjectName& from, const ObjectName& to,
                                  const std::optional<ObjectHeaders>& headers) = 0;
  virtual Result<ListPage> list(const std::string& bucket, const ListQuery& query) = 0;
  // Replaces the tags of an object.
  virtual Status set_tags(const ObjectName& name, const std::map<std::string, std::string>& tags) = 0;

  // Uploads in parts: nothing shows under the key before complete_upload.
  virtual Result<std::string> start_upload(const ObjectName& name, const ObjectHeaders& headers,
                                           const UploadChecksum& checksum) = 0;
  Result<std::string> start_upload(const ObjectName& name, const ObjectHeaders& headers) {
    return start_upload(name, headers, UploadChecksum());
  }
  // `checksums`: of `body`, verified before; kept with the part.
  virtual Result<PartInfo> put_part(const ObjectName& name, const std::string& upload_id, int number,
                                    const ByteSource& body,
                                    const std::map<std::string, std::string>& checksums) = 0;
  Result<PartInfo> put_part(const ObjectName& name, const std::string& upload_id, int number,
                            const ByteSource& body) {
    return put_part(name, upload_id, number, body, {});
  }
  // The parts with a number above `after_number`, ascending, at most `max_parts`.
  virtual Result<std::vector<PartInfo>> list_parts(const ObjectName& name, const std::string& upload_id,
                                                   int after_number, int max_parts) = 0;
  virtual Result<UploadInfo> head_upload(const ObjectName& name, const std::string& upload_id) = 0;
  // What start_upload was told.
  virtual Result<UploadChecksum> upload_checksum(const ObjectName& name, const std::string& upload_id) = 0;
  // Ascending by key, then by start.
  virtual Result<std::vector<UploadInfo>> list_uploads(const std::string& bucket,
                                                       const std::string& prefix) = 0;
  // `parts`: ascending by number. kInvalidArgument if one was not uploaded or has another ETag, or a part but
  // the last is under 5 MiB ("EntityTooSmall" begins the message). On failure, also of the condition, the
  // upload is still there.
  virtual Result<ObjectInfo> complete_upload(const ObjectName& name, const std::string& upload_id,
                                             const std::vector<ChosenPart>& parts,
                                             const Completion& completion) = 0;
  Result<ObjectInfo> complete_upload(const ObjectName& name, const std::string& upload_id,
                                     const std::vector<ChosenPart>& parts) {
    return complete_upload(name, upload_id, parts, Completion());
  }
  virtual Status abort_upload(const ObjectName& name, const std::string& upload_id) = 0;

  // For people: "folder /srv/terrapin/objects", "https://s3.example.org".
  virtual std::string description() const = 0;
};

// Calls visit for every object under the prefix, page by page, ascending; stops at the first failure.
Status for_each_object(ObjectStore& store, const std::string& bucket, const std::string& prefix,
                       const std::function<Status(const ObjectInfo&)>& visit);

}  // namespace terrapin::storage
