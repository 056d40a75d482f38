// Stands in for the objects: a few values in memory.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/object_store.h"

namespace terrapin::test {

inline tl::unexpected<Error> not_in_this_fake() {
  return fail(ErrorCode::kUnsupported, "the fake does not do this");
}

inline std::string text_of(const Bytes& bytes) {
  return std::string(bytes.begin(), bytes.end());
}

class FakeObjects final : public storage::ObjectStore {
 public:
  void add(const std::string& uri, const std::string& bytes, const std::string& type) {
    objects_[uri] = {bytes, type};
  }
  std::set<std::string> buckets{"photos", "secrets", "out"};
  std::string etag_end;
  std::string type_of(const std::string& uri) { return objects_.at(uri).second; }
  std::string text_of(const std::string& uri) { return objects_.at(uri).first; }
  bool has(const std::string& uri) const { return objects_.contains(uri); }
  std::vector<std::string> uris() const {
    std::vector<std::string> all;
    for (const auto& [uri, object] : objects_) all.push_back(uri);
    return all;
  }
  Result<storage::OpenObject> get(const storage::ObjectName& name) override {
    const auto found = objects_.find(storage::s3_uri(name));
    if (found == objects_.end()) return fail(ErrorCode::kNotFound, "there is no object '{}'", name.key);
    storage::OpenObject object;
    object.info.key = name.key;
    object.info.size = static_cast<std::int64_t>(found->second.first.size());
    object.info.etag = "etag-" + name.key + etag_end;
    object.info.headers.content_type = found->second.second;
    object.content = bytes_source(std::string_view(found->second.first));
    return object;
  }
  Status create_bucket(const std::string& bucket) override {
    if (buckets.insert(bucket).second) return {};
    return fail(ErrorCode::kAlreadyExists, "there is a bucket '{}'", bucket);
  }
  Status delete_bucket(const std::string&) override { return not_in_this_fake(); }
  Result<storage::BucketInfo> head_bucket(const std::string&) override { return not_in_this_fake(); }
  Result<std::vector<storage::BucketInfo>> list_buckets() override {
    std::vector<storage::BucketInfo> all;
    for (const std::string& bucket : buckets) all.push_back({bucket, {}});
    return all;
  }
  Result<storage::ObjectInfo> put(const storage::ObjectName& name, const ByteSource& body,
                                  const storage::ObjectHeaders& headers,
                                  const storage::PutCondition&) override {
    if (!buckets.contains(name.bucket)) return fail(ErrorCode::kNotFound, "no bucket '{}'", name.bucket);
    add(storage::s3_uri(name), read_all_text(body, 1 << 24).value(), headers.content_type);
    storage::ObjectInfo info;
    info.etag = "etag-" + name.key;
    return info;
  }
  Result<storage::ObjectInfo> head(const storage::ObjectName& name) override {
    TERRAPIN_TRY(const storage::OpenObject object, get(name));
    return object.info;
  }
  std::set<std::string> stuck_buckets;  // nothing can be removed from them
  Status remove(const storage::ObjectName& name, const storage::RemoveCondition&) override {
    if (stuck_buckets.contains(name.bucket)) return fail(ErrorCode::kDenied, "'{}' is stuck", name.bucket);
    objects_.erase(storage::s3_uri(name));
    return {};
  }
  Result<storage::ObjectInfo> copy(const storage::ObjectName&, const storage::ObjectName&,
                                   const std::optional<storage::ObjectHeaders>&) override {
    return not_in_this_fake();
  }
  Result<storage::ListPage> list(const std::string& bucket, const storage::ListQuery& query) override {
    if (!buckets.contains(bucket)) return fail(ErrorCode::kNotFound, "no bucket '{}'", bucket);
    last_list = query;
    storage::ListPage page;
    for (const auto& [uri, object] : objects_) {
      const storage::ObjectName name = storage::parse_s3_uri(uri).value();
      if (name.bucket != bucket || !name.key.starts_with(query.prefix) || name.key <= query.start_after)
        continue;
      storage::ObjectInfo info;
      info.key = name.key;
      info.size = static_cast<std::int64_t>(object.first.size());
      page.objects.push_back(info);
    }
    return page;
  }
  storage::ListQuery last_list;
  Status set_tags(const storage::ObjectName&, const std::map<std::string, std::string>&) override {
    return not_in_this_fake();
  }
  Result<std::string> start_upload(const storage::ObjectName&, const storage::ObjectHeaders&,
                                   const storage::UploadChecksum&) override {
    return not_in_this_fake();
  }
  Result<storage::PartInfo> put_part(const storage::ObjectName&, const std::string&, int, const ByteSource&,
                                     const std::map<std::string, std::string>&) override {
    return not_in_this_fake();
  }
  Result<std::vector<storage::PartInfo>> list_parts(const storage::ObjectName&, const std::string&, int,
                                                    int) override {
    return not_in_this_fake();
  }
  Result<storage::UploadChecksum> upload_checksum(const storage::ObjectName&, const std::string&) override {
    return not_in_this_fake();
  }
  Result<storage::UploadInfo> head_upload(const storage::ObjectName&, const std::string&) override {
    return not_in_this_fake();
  }
  Result<std::vector<storage::UploadInfo>> list_uploads(const std::string&, const std::string&) override {
    return not_in_this_fake();
  }
  Result<storage::ObjectInfo> complete_upload(const storage::ObjectName&, const std::string&,
                                              const std::vector<storage::ChosenPart>&,
                                              const storage::Completion&) override {
    return not_in_this_fake();
  }
  Status abort_upload(const storage::ObjectName&, const std::string&) override { return not_in_this_fake(); }
  std::string description() const override { return "fake"; }

 private:
  std::map<std::string, std::pair<std::string, std::string>> objects_;
};

}  // namespace terrapin::test
