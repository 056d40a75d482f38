#include <algorithm>
#include <iterator>

#include "api/s3/s3_dates.h"
#include "api/s3/s3_operations.h"
#include "base/base64.h"
#include "base/parallel.h"
#include "base/text.h"
#include "crypto/hash.h"

namespace terrapin::api::s3 {
namespace {

using storage::ListPage;
using storage::ListQuery;

constexpr int kMostKeys = 1000;

// Tokens of list answers: a name, so that a list goes on where it was whatever changed.
std::string to_token(std::string_view name) {
  return base64(std::span(reinterpret_cast<const std::uint8_t*>(name.data()), name.size()));
}
S3Result<std::string> from_token(const std::string& token) {
  Bytes bytes;
  if (!crypto::decode_base64(token, bytes)) {
    return refuse_saying("InvalidArgument", "The continuation token provided is incorrect",
                         {{"ArgumentName", "continuation-token"}});
  }
  return std::string(bytes.begin(), bytes.end());
}

void write_page(XmlWriter& xml, const Call& call, const ListPage& page, bool url, bool with_owner) {
  for (const storage::ObjectInfo& object : page.objects) {
    xml.open("Contents");
    xml.element("Key", encoded_name(object.key, url));
    xml.element("LastModified", s3_date(object.modified));
    xml.element("ETag", quoted(object.etag));
    xml.element("Size", object.size);
    if (with_owner) write_owner(xml, call.place);
    xml.element("StorageClass", "STANDARD");
    xml.close();
  }
  for (const std::string& prefix : page.prefixes) {
    xml.open("CommonPrefixes");
    xml.element("Prefix", encoded_name(prefix, url));
    xml.close();
  }
}

// A setting that a bucket here never has.
struct UnsetSetting {
  std::string_view name, code;
  bool may_delete;  // removing what is not there is a success, as with AWS
};
constexpr UnsetSetting kUnset[] = {
    {"cors", "NoSuchCORSConfiguration", true},
    {"encryption", "ServerSideEncryptionConfigurationNotFoundError", true},
    {"lifecycle", "NoSuchLifecycleConfiguration", true},
    {"object-lock", "ObjectLockConfigurationNotFoundError", false},
    {"policy", "NoSuchBucketPolicy", true},
    {"policyStatus", "NoSuchBucketPolicy", false},
    {"replication", "ReplicationConfigurationNotFoundError", true},
    {"tagging", "NoSuchTagSet", true},
    {"website", "NoSuchWebsiteConfiguration", true},
};
// A setting whose document is empty where nothing was set.
constexpr std::pair<std::string_view, std::string_view> kEmpty[] = {
    {"accelerate", "AccelerateConfiguration"},
    {"logging", "BucketLoggingStatus"},
    {"notification", "NotificationConfiguration"},
    {"versioning", "VersioningConfiguration"},
};

}  // namespace

void write_access_control(XmlWriter& xml, const Place& place) {
  xml.open("AccessControlPolicy", true);
  write_owner(xml, place);
  xml.open("AccessControlList");
  xml.open("Grant");
  // The grantee's type is an attribute in AWS's document; clients that read it take the ID.
  write_owner(xml, place, "Grantee");
  xml.element("Permission", "FULL_CONTROL");
}

S3Result<http::Response> list_buckets(const Call& call) {
  S3_TRY(const int most, count_parameter(call, "max-buckets", 10'000, 10'000));
  S3_TRY(const std::string after, from_token(call.query_or_empty("continuation-token")));
  const std::string prefix = call.query_or_empty("prefix");
  const std::string region = call.query_or_empty("bucket-region");
  auto buckets = call.store.list_buckets();
  if (!buckets) return store_failure(call, {}, buckets.error());
  std::erase_if(*buckets, [&](const storage::BucketInfo& bucket) {
    return !call.may_use(bucket.name) || bucket.name <= after || !bucket.name.starts_with(prefix) ||
           (!region.empty() && region != call.place.region);
  });
  XmlWriter xml;
  xml.open("ListAllMyBucketsResult", true);
  write_owner(xml, call.place);
  xml.open("Buckets");
  for (std::size_t i = 0; i < std::min(buckets->size(), static_cast<std::size_t>(most)); ++i) {
    xml.open("Bucket");
    xml.element("Name", (*buckets)[i].name);
    xml.element("CreationDate", s3_date((*buckets)[i].created));
    xml.element("BucketRegion", call.place.region);
    xml.close();
  }
  xml.close();
  if (!prefix.empty()) xml.element("Prefix", prefix);
  if (most > 0 && buckets->size() > static_cast<std::size_t>(most))
    xml.element("ContinuationToken", to_token((*buckets)[static_cast<std::size_t>(most) - 1].name));
  return xml_response(xml);
}

S3Result<http::Response> create_bucket(const Call& call) {
  S3_TRY_STATUS(check_write_headers(call));
  // Workers' pages load a script from there: a signed link with that path must never show anything else.
  if (call.bucket == "crowd-html-elements.js")
    return refuse("InvalidBucketName", {{"BucketName", call.bucket}});
  if (!same_ignoring_case(call.header("x-amz-bucket-object-lock-enabled").value_or("false"), "false"))
    return not_served("x-amz-bucket-object-lock-enabled");
  const auto ownership = call.header("x-amz-object-ownership");
  if (ownership && *ownership != "BucketOwnerEnforced")
    return not_served("x-amz-object-ownership: " + *ownership, "BucketOwnerEnforced or none is allowed");
  S3_TRY(const std::string constraint, read_location_constraint(*call.body));
  if (!constraint.empty() && constraint != call.place.region) {
    return refuse_saying(
        "IllegalLocationConstraintException",
        fmt::format("The {} location constraint is incompatible for the region specific endpoint "
                    "this request was sent to.",
                    constraint));
  }
  const auto created = call.store.create_bucket(call.bucket);
  // us-east-1 has always said yes to one's own bucket again; the other regions say no.
  const bool again = !created && created.error().code == ErrorCode::kAlreadyExists;
  if (again && call.place.region != "us-east-1")
    return refuse("BucketAlreadyOwnedByYou", {{"BucketName", call.bucket}});
  if (!created && created.error().code == ErrorCode::kInvalidArgument)
    return refuse("InvalidBucketName", {{"BucketName", call.bucket}});
  if (!created && !again) return store_failure(call, {call.bucket, ""}, created.error());
  http::Response response = empty_response(200);
  response.headers.set("Location", "/" + call.bucket);
  return response;
}

S3Result<http::Response> delete_bucket(const Call& call) {
  const auto removed = call.store.delete_bucket(call.bucket);
  if (removed) return empty_response(204);
  if (removed.error().code == ErrorCode::kConflict)
    return refuse("BucketNotEmpty", {{"BucketName", call.bucket}, {"Detail", removed.error().message}});
  return store_failure(call, {call.bucket, ""}, removed.error());
}

S3Result<http::Response> head_bucket(const Call& call) {
  const auto bucket = call.store.head_bucket(call.bucket);
  if (!bucket) return store_failure(call, {call.bucket, ""}, bucket.error());
  http::Response response = empty_response(200);
  response.headers.set("Content-Type", "application/xml");
  response.headers.set("x-amz-bucket-region", call.place.region);
  return response;
}

S3Result<http::Response> get_bucket_location(const Call& call) {
  const auto bucket = call.store.head_bucket(call.bucket);
  if (!bucket) return store_failure(call, {call.bucket, ""}, bucket.error());
  XmlWriter xml;
  // The root holds the text itself, and nothing for the first region.
  xml.open_text("LocationConstraint", call.place.region == "us-east-1" ? "" : call.place.region);
  return xml_response(xml);
}

S3Result<http::Response> bucket_setting(const Call& call, std::string_view setting) {
  const auto bucket = call.store.head_bucket(call.bucket);
  if (!bucket) return store_failure(call, {call.bucket, ""}, bucket.error());
  const std::string& method = call.request().method;
  const std::string what = fmt::format("{} ?{} of a bucket", method, setting);
  XmlWriter xml;
  const auto* unset = std::find_if(std::begin(kUnset), std::end(kUnset),
                                   [&](const UnsetSetting& one) { return one.name == setting; });
  if (unset != std::end(kUnset)) {
    if (method == "GET") return refuse(unset->code, {{"BucketName", call.bucket}});
    if (method == "DELETE" && unset->may_delete) return empty_response(204);
    return not_served(what);
  }
  if (method == "PUT" && setting == "acl") return put_object_acl(call);
  if (method != "GET") return not_served(what);
  for (const auto& [name, element] : kEmpty) {
    if (name != setting) continue;
    xml.open(element, true);
    return xml_response(xml);
  }
  if (setting == "acl") {
    write_access_control(xml, call.place);
  } else if (setting == "requestPayment") {
    xml.open("RequestPaymentConfiguration", true);
    xml.element("Payer", "BucketOwner");
  } else if (setting == "ownershipControls") {
    xml.open("OwnershipControls", true);
    xml.open("Rule");
    xml.element("ObjectOwnership", "BucketOwnerEnforced");
  } else if (setting == "publicAccessBlock") {
    xml.open("PublicAccessBlockConfiguration", true);
    for (const char* name :
         {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"})
      xml.element(name, true);
  } else {
    return not_served(what);
  }
  return xml_response(xml);
}

S3Result<http::Response> list_objects(const Call& call) {
  const std::string type = call.query_or_empty("list-type");
  if (!type.empty() && type != "2")
    return refuse_saying("InvalidArgument", "Invalid List Type specified in Request",
                         {{"ArgumentName", "list-type"}, {"ArgumentValue", type}});
  const bool second = type == "2";
  S3_TRY(const bool url, wants_url_encoding(call));
  ListQuery query;
  query.prefix = call.query_or_empty("prefix");
  query.delimiter = call.query_or_empty("delimiter");
  S3_TRY(query.max_keys, count_parameter(call, "max-keys", kMostKeys, kMostKeys));
  const std::string marker = call.query_or_empty(second ? "start-after" : "marker");
  const auto token = second ? call.query("continuation-token") : std::nullopt;
  query.start_after = marker;
  if (token) {
    if (token->empty()) {
      return refuse_saying("InvalidArgument", "The continuation token provided is incorrect",
                           {{"ArgumentName", "continuation-token"}});
    }
    S3_TRY(query.start_after, from_token(*token));
  }
  const auto page = call.store.list(call.bucket, query);
  if (!page) return store_failure(call, {call.bucket, ""}, page.error());
  XmlWriter xml;
  xml.open("ListBucketResult", true);
  xml.element("Name", call.bucket);
  xml.element("Prefix", encoded_name(query.prefix, url));
  if (second) {
    if (token) xml.element("ContinuationToken", *token);
    if (!marker.empty()) xml.element("StartAfter", encoded_name(marker, url));
    xml.element("KeyCount", static_cast<std::int64_t>(page->objects.size() + page->prefixes.size()));
    if (page->truncated) xml.element("NextContinuationToken", to_token(page->next_start_after));
  } else {
    xml.element("Marker", encoded_name(marker, url));
    // Without a delimiter the last key says as much; clients know.
    if (page->truncated && !query.delimiter.empty())
      xml.element("NextMarker", encoded_name(page->next_start_after, url));
  }
  xml.element("MaxKeys", static_cast<std::int64_t>(query.max_keys));
  if (!query.delimiter.empty()) xml.element("Delimiter", encoded_name(query.delimiter, url));
  if (url) xml.element("EncodingType", "url");
  xml.element("IsTruncated", page->truncated);
  write_page(xml, call, *page, url, !second || call.query_or_empty("fetch-owner") == "true");
  return xml_response(xml);
}

S3Result<http::Response> delete_objects(const Call& call) {
  if (!call.header("content-md5") && call.exchange.checksums.empty()) {
    return refuse_saying("InvalidRequest",
                         "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
  }
  S3_TRY(const DeleteRequest request, read_delete(*call.body));
  if (const auto bucket = call.store.head_bucket(call.bucket); !bucket)
    return store_failure(call, {call.bucket, ""}, bucket.error());
  // Each removal waits for the disk: together they wait once.
  std::vector<S3Status> results(request.objects.size());
  parallel_for(static_cast<std::int64_t>(results.size()),
               static_cast<int>(std::min<std::size_t>(16, results.size())), [&](std::int64_t i) {
                 const DeleteRequest::Object& object = request.objects[static_cast<std::size_t>(i)];
                 results[static_cast<std::size_t>(i)] = [&]() -> S3Status {
                   if (!object.version_id.empty() && object.version_id != "null")
                     return refuse_saying("InvalidArgument", "Invalid version id specified");
                   if (object.conditional) return not_served("Size or LastModifiedTime of a removal");
                   S3_TRY_STATUS(check_object_key(object.key));
                   return remove_object(call, {call.bucket, object.key}, object.etag);
                 }();
               });
  XmlWriter xml;
  xml.open("DeleteResult", true);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] && request.quiet) continue;
    xml.open(results[i] ? "Deleted" : "Error");
    xml.element("Key", request.objects[i].key);
    if (!results[i]) {
      xml.element("Code", results[i].error().code);
      xml.element("Message", results[i].error().message);
    }
    xml.close();
  }
  return xml_response(xml);
}

}  // namespace terrapin::api::s3
