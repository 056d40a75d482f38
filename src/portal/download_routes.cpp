// A job's results to take away.
#include <unordered_map>

#include "artifacts/label_map.h"
#include "base/json_text.h"
#include "portal/dataset_tar.h"
#include "portal/implementation.h"
#include "portal/object_answer.h"

namespace terrapin::portal {
namespace {

// Sizes of masks by URI: a folder is listed once instead of asking for each of its files.
class MaskSizes {
 public:
  explicit MaskSizes(storage::ObjectStore& objects) : objects_(objects) {}

  Result<std::int64_t> of(const storage::ObjectName& name) {
    const std::string folder = name.key.substr(0, name.key.rfind('/') + 1);
    if (listed_.insert(name.bucket + "/" + folder).second) {
      TERRAPIN_TRY_STATUS(storage::for_each_object(
          objects_, name.bucket, folder, [&](const storage::ObjectInfo& object) -> Status {
            sizes_[storage::s3_uri({name.bucket, object.key})] = object.size;
            return {};
          }));
    }
    const auto known = sizes_.find(storage::s3_uri(name));
    if (known != sizes_.end()) return known->second;
    TERRAPIN_TRY(const storage::ObjectInfo fresh, objects_.head(name));  // made since
    return fresh.size;
  }

 private:
  storage::ObjectStore& objects_;
  std::set<std::string> listed_;
  std::unordered_map<std::string, std::int64_t> sizes_;
};

TarFile file_in_memory(const std::string& name, const std::string& text) {
  const ByteSourcePtr source = bytes_source(text);
  return {name, source->size(), [source]() -> Result<ByteSourcePtr> { return source; }};
}

}  // namespace

Portal::Implementation::Handled Portal::Implementation::download(Call& call) {
  QueryFields query(call.request);
  const std::string what = query.text("what").value_or("");
  TERRAPIN_TRY_STATUS(query.finish());
  if (what != "manifest" && what != "dataset")
    return fail(ErrorCode::kInvalidArgument, "'what' is '{}': allowed are manifest, dataset", what);
  TERRAPIN_TRY(const labeling::JobRecord record, context_.jobs.describe(call.parameter("name")));
  if (what == "dataset") return download_dataset(call, record);
  TERRAPIN_TRY(const std::string uri, labeling::manifest_uri_now(record));
  TERRAPIN_TRY(const storage::OpenObject manifest, open_object(call, uri));
  TERRAPIN_TRY(http::Response response,
               object_answer(call.request, manifest,
                             {"private, no-cache", true, record.spec.name + "-manifest.jsonl"}));
  if (response.status == 200 || response.status == 206)
    response.headers.set("Content-Type", "application/jsonl");
  return response;
}

Portal::Implementation::Handled Portal::Implementation::download_dataset(Call& call,
                                                                         const labeling::JobRecord& record) {
  TERRAPIN_TRY(const std::string manifest_uri, labeling::manifest_uri_now(record));
  TERRAPIN_TRY(const storage::OpenObject manifest, open_object(call, manifest_uri));
  TERRAPIN_TRY(const artifacts::LabelCategories categories, context_.jobs.categories(record.spec.name));
  std::vector<TarFile> files;
  files.push_back({"output.manifest", manifest.content->size(),
                   [content = manifest.content]() -> Result<ByteSourcePtr> { return content; }});
  // Masks hold class indices already: the map says so to whoever trains on the files as they are.
  files.push_back(
      file_in_memory("label_map.json", json_text(artifacts::LabelMap::identity().to_json()) + "\n"));
  const nlohmann::ordered_json classes{
      {"format", "terrapin-classes"}, {"version", 1}, {"classes", artifacts::to_json(categories.classes)}};
  files.push_back(file_in_memory("classes.json", json_text(classes, 2) + "\n"));
  MaskSizes sizes(context_.objects);
  // Every object in turn, so that those which are labeled meanwhile move no page.
  labeling::ObjectFilter filter;
  filter.limit = 1000;
  std::set<std::string> buckets;  // that may be read
  for (;;) {
    TERRAPIN_TRY(const auto page, context_.jobs.objects(record.spec.name, filter));
    for (const labeling::ObjectRecord& object : page) {
      if (object.state != labeling::ObjectState::kLabeled || object.mask_uri.empty()) continue;
      TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(object.mask_uri));
      if (buckets.insert(name.bucket).second) {
        TERRAPIN_TRY_STATUS(require_bucket(call, name.bucket));
      }
      TERRAPIN_TRY(const std::int64_t size, sizes.of(name));
      files.push_back({fmt::format("masks/{}.png", object.index), size,
                       [&objects = context_.objects, name]() -> Result<ByteSourcePtr> {
                         TERRAPIN_TRY(const storage::OpenObject mask, objects.get(name));
                         return mask.content;
                       }});
    }
    if (page.size() < 1000) break;
    filter.offset += 1000;
  }
  http::Response response =
      http::Response::from(200, "application/x-tar", std::make_shared<TarSource>(std::move(files)));
  response.headers.set("Content-Disposition", attachment(record.spec.name + "-dataset.tar"));
  response.headers.set("Content-Security-Policy", "sandbox; default-src 'none'");
  return response;
}

}  // namespace terrapin::portal
