#include "api/s3/s3_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/s3/s3_call.h"
#include "api/s3/s3_operations.h"
#include "base/percent.h"
#include "base/text.h"
#include "http/target.h"

namespace terrapin::api {
namespace {

using namespace s3;  // NOLINT(google-build-using-namespace): the operations' own words

enum class Level { kService, kBucket, kObject };

struct Row {
  const char* method;
  Level level;
  const char* parameter;  // that must be in the query; null: the plain request
  Operation operation;
};

// The first row that matches answers: parameters before plain requests.
constexpr Row kRows[] = {
    {"GET", Level::kService, nullptr, &list_buckets},
    {"GET", Level::kBucket, "location", &get_bucket_location},
    {"GET", Level::kBucket, "uploads", &list_multipart_uploads},
    {"POST", Level::kBucket, "delete", &delete_objects},
    {"GET", Level::kBucket, nullptr, &list_objects},
    {"HEAD", Level::kBucket, nullptr, &head_bucket},
    {"PUT", Level::kBucket, nullptr, &create_bucket},
    {"DELETE", Level::kBucket, nullptr, &delete_bucket},
    {"POST", Level::kObject, "uploads", &create_multipart_upload},
    {"PUT", Level::kObject, "uploadId", &upload_part},
    {"GET", Level::kObject, "uploadId", &list_parts},
    {"POST", Level::kObject, "uploadId", &complete_multipart_upload},
    {"DELETE", Level::kObject, "uploadId", &abort_multipart_upload},
    {"GET", Level::kObject, "attributes", &get_object_attributes},
    {"GET", Level::kObject, "tagging", &get_object_tagging},
    {"PUT", Level::kObject, "tagging", &put_object_tagging},
    {"DELETE", Level::kObject, "tagging", &delete_object_tagging},
    {"GET", Level::kObject, "acl", &get_object_acl},
    {"PUT", Level::kObject, "acl", &put_object_acl},
    {"GET", Level::kObject, nullptr, &get_object},
    {"HEAD", Level::kObject, nullptr, &head_object},
    {"PUT", Level::kObject, nullptr, &put_object},
    {"DELETE", Level::kObject, nullptr, &delete_object},
};

// Parameters that ask for something else than the plain request.
constexpr std::string_view kBucketSettings[] = {
    "accelerate",          "acl",         "analytics",         "cors",          "encryption",
    "intelligent-tiering", "inventory",   "lifecycle",         "logging",       "metrics",
    "notification",        "object-lock", "ownershipControls", "policy",        "policyStatus",
    "publicAccessBlock",   "replication", "requestPayment",    "session",       "tagging",
    "versioning",          "versions",    "website",           "metadataTable", "metadataConfiguration"};
constexpr std::string_view kObjectSettings[] = {"legal-hold", "retention",    "restore",   "select",
                                                "torrent",    "renameObject", "encryption"};

const Row* find_row(const Call& call, Level level) {
  const Row* plain = nullptr;
  for (const Row& row : kRows) {
    if (row.level != level || call.request().method != row.method) continue;
    if (row.parameter == nullptr) {
      plain = &row;
    } else if (call.query(row.parameter)) {
      return &row;
    }
  }
  return plain;
}

S3Result<http::Response> route(const Call& call) {
  const Level level = call.bucket.empty() ? Level::kService
                      : call.key.empty()  ? Level::kBucket
                                          : Level::kObject;
  const Row* row = find_row(call, level);
  if (row == nullptr || row->parameter == nullptr) {
    if (level == Level::kBucket) {
      for (const std::string_view setting : kBucketSettings)
        if (call.query(setting)) return bucket_setting(call, setting);
    }
    if (level == Level::kObject) {
      for (const std::string_view setting : kObjectSettings)
        if (call.query(setting)) return not_served(fmt::format("?{} of an object", setting));
    }
  }
  if (row == nullptr) {
    return refuse("MethodNotAllowed", {{"Method", call.request().method},
                                       {"ResourceType", level == Level::kObject   ? "OBJECT"
                                                        : level == Level::kBucket ? "BUCKET"
                                                                                  : "SERVICE"}});
  }
  return row->operation(call);
}

// Bucket and key out of host and path.
S3Status locate(Call& call) {
  std::string_view path = call.request().path;
  if (path.starts_with('/')) path.remove_prefix(1);
  call.bucket = call.exchange.host_bucket;
  call.virtual_host = !call.bucket.empty();
  if (!call.virtual_host) {
    const std::size_t slash = path.find('/');
    const auto bucket = percent_decode(path.substr(0, slash));
    if (!bucket) return refuse("InvalidURI");
    call.bucket = *bucket;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (call.bucket.empty() && !path.empty()) return refuse("InvalidBucketName", {{"BucketName", ""}});
  }
  const auto key = percent_decode(path);
  if (!key) return refuse("InvalidURI");
  call.key = *key;
  return {};
}

S3Status check_access(const Call& call) {
  const Exchange& exchange = call.exchange;
  if (!exchange.caller || exchange.caller->scope == identity::Scope::kInvoke) return refuse("AccessDenied");
  if (call.bucket.empty()) return {};
  if (!storage::check_bucket_name(call.bucket))
    return refuse("InvalidBucketName", {{"BucketName", call.bucket}});
  if (!call.may_use(call.bucket)) return refuse("AccessDenied");
  const auto owner = call.header("x-amz-expected-bucket-owner");
  if (owner && *owner != call.place.account_id) return refuse("AccessDenied");
  const auto version = call.query("versionId");
  if (version && !version->empty() && *version != "null") {
    return refuse_saying("InvalidArgument", "Invalid version id specified",
                         {{"ArgumentName", "versionId"}, {"ArgumentValue", *version}});
  }
  if (!call.key.empty()) return check_object_key(call.key);
  return {};
}

constexpr const char* kExposedHeaders =
    "ETag, Content-Length, Content-Range, Content-Type, Accept-Ranges, Last-Modified, x-amz-request-id, "
    "x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, x-amz-checksum-sha1, "
    "x-amz-checksum-sha256";

}  // namespace

S3Service::S3Service(storage::ObjectStore& store, const Clock& clock, Place place, S3Options options)
    : store_(store), clock_(clock), place_(std::move(place)), options_(std::move(options)) {}

bool S3Service::allows_origin(std::string_view origin) const {
  return std::find(options_.allowed_origins.begin(), options_.allowed_origins.end(), origin) !=
         options_.allowed_origins.end();
}

http::Response S3Service::preflight(const Exchange& exchange) const {
  const http::Headers& headers = exchange.request.headers;
  const std::string resource = exchange.request.path;
  const auto origin = headers.find("origin");
  const auto method = headers.find("access-control-request-method");
  if (!origin) return error_response(refuse("BadRequest").value(), resource, exchange.request_id, false);
  const bool known = method && (*method == "GET" || *method == "HEAD" || *method == "PUT" ||
                                *method == "POST" || *method == "DELETE");
  if (!known || !allows_origin(*origin))
    return error_response(refuse("AccessForbidden").value(), resource, exchange.request_id, false);
  http::Response response;
  response.headers.set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE");
  if (const auto asked = headers.joined("access-control-request-headers"))
    response.headers.set("Access-Control-Allow-Headers", *asked);
  response.headers.set("Access-Control-Max-Age", "3000");
  return response;
}

http::Response S3Service::answer(const Exchange& exchange) {
  Call call{exchange, store_, clock_, place_,
            {},       {},     false,  exchange.body ? exchange.body : bytes_source(std::string_view())};
  const bool head = exchange.request.method == "HEAD";
  const auto result = [&]() -> S3Result<http::Response> {
    S3_TRY_STATUS(locate(call));
    S3_TRY_STATUS(check_access(call));
    return route(call);
  }();
  if (result) return *result;
  const std::string resource =
      call.bucket.empty() ? "/" : "/" + call.bucket + (call.key.empty() ? "" : "/" + call.key);
  return error_response(result.error(), resource, exchange.request_id, head);
}

http::Response S3Service::handle(const Exchange& exchange) {
  http::Response response = exchange.request.method == "OPTIONS" ? preflight(exchange) : answer(exchange);
  response.headers.set("x-amz-request-id", exchange.request_id);
  if (const auto origin = exchange.request.headers.find("origin")) {
    response.headers.add("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
    if (allows_origin(*origin)) {
      response.headers.set("Access-Control-Allow-Origin", std::string(*origin));
      response.headers.set("Access-Control-Expose-Headers", kExposedHeaders);
    }
  }
  return response;
}

}  // namespace terrapin::api
