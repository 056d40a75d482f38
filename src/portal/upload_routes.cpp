// Buckets and objects as requesters use them in a browser.
#include "portal/fields.h"
#include "portal/implementation.h"
#include "portal/object_answer.h"

namespace terrapin::portal {
namespace {

constexpr std::size_t kMaxTypeBytes = 255;

storage::ObjectName name_in_path(const Call& call) {
  return {call.parameter("bucket"), call.parameter("key")};
}

}  // namespace

Status Portal::Implementation::require_bucket(const Call& call, const std::string& bucket) const {
  TERRAPIN_TRY_STATUS(storage::check_bucket_name(bucket));
  TERRAPIN_TRY(const bool may, context_.may_read(identity::principal_of(call.account()), bucket));
  if (may) return {};
  return fail(ErrorCode::kDenied, "you may not use bucket '{}'", bucket);
}

Result<storage::OpenObject> Portal::Implementation::open_object(const Call& call,
                                                                const std::string& uri) const {
  TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
  TERRAPIN_TRY_STATUS(require_bucket(call, name.bucket));
  TERRAPIN_TRY_STATUS(storage::check_key(name.key));
  return context_.objects.get(name);
}

Result<storage::ObjectInfo> Portal::Implementation::object_info(const Call& call,
                                                                const std::string& uri) const {
  TERRAPIN_TRY(const storage::ObjectName name, storage::parse_s3_uri(uri));
  TERRAPIN_TRY_STATUS(require_bucket(call, name.bucket));
  TERRAPIN_TRY_STATUS(storage::check_key(name.key));
  return context_.objects.head(name);
}

Portal::Implementation::Handled Portal::Implementation::buckets(Call& call) {
  TERRAPIN_TRY(const auto all, context_.objects.list_buckets());
  const std::string principal = identity::principal_of(call.account());
  json list = json::array();
  for (const storage::BucketInfo& bucket : all) {
    TERRAPIN_TRY(const bool may, context_.may_read(principal, bucket.name));
    if (may) list.push_back(json{{"name", bucket.name}, {"created", time_text(bucket.created)}});
  }
  return json_answer(200, json{{"buckets", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::make_bucket(Call& call) {
  Fields fields(call.body);
  const std::string name = fields.text("name");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(require_bucket(call, name));
  TERRAPIN_TRY_STATUS(context_.objects.create_bucket(name));
  return json_answer(201, json{{"name", name}});
}

Portal::Implementation::Handled Portal::Implementation::list_objects(Call& call) {
  QueryFields query(call.request);
  const auto bucket = query.text("bucket");
  storage::ListQuery wanted;
  wanted.delimiter = "/";
  wanted.prefix = query.text("prefix").value_or("");
  wanted.start_after = query.text("after").value_or("");
  wanted.max_keys = static_cast<int>(query.integer_or("limit", 200, 1, 1000));
  TERRAPIN_TRY_STATUS(query.finish());
  if (!bucket) return fail(ErrorCode::kInvalidArgument, "the query needs 'bucket'");
  TERRAPIN_TRY_STATUS(require_bucket(call, *bucket));
  for (const std::string* key : {&wanted.prefix, &wanted.start_after}) {
    if (key->empty()) continue;
    TERRAPIN_TRY_STATUS(storage::check_key(*key));
  }
  TERRAPIN_TRY(const storage::ListPage page, context_.objects.list(*bucket, wanted));
  json objects = json::array();
  for (const storage::ObjectInfo& object : page.objects)
    objects.push_back(
        json{{"key", object.key}, {"size", object.size}, {"modified", time_text(object.modified)}});
  return json_answer(200, json{{"folders", page.prefixes},
                               {"objects", std::move(objects)},
                               {"next", page.truncated ? json(page.next_start_after) : json()}});
}

Portal::Implementation::Handled Portal::Implementation::put_object(Call& call) {
  const storage::ObjectName name = name_in_path(call);
  TERRAPIN_TRY_STATUS(require_bucket(call, name.bucket));
  TERRAPIN_TRY_STATUS(storage::check_key(name.key));
  const std::string type(call.request.headers.find("Content-Type").value_or("application/octet-stream"));
  if (type.size() > kMaxTypeBytes)
    return fail(ErrorCode::kInvalidArgument, "the Content-Type has {} bytes: allowed are {}", type.size(),
                kMaxTypeBytes);
  const ByteSourcePtr body = call.request.body_source();
  TERRAPIN_TRY(const storage::ObjectInfo stored, context_.objects.put(name, *body, type));
  return json_answer(201, json{{"uri", storage::s3_uri(name)}, {"etag", stored.etag}});
}

Portal::Implementation::Handled Portal::Implementation::get_object(Call& call) {
  const storage::ObjectName name = name_in_path(call);
  TERRAPIN_TRY_STATUS(require_bucket(call, name.bucket));
  TERRAPIN_TRY_STATUS(storage::check_key(name.key));
  TERRAPIN_TRY(const storage::OpenObject object, context_.objects.get(name));
  return object_answer(call.request, object, {"private, no-cache", true, name.key});
}

}  // namespace terrapin::portal
