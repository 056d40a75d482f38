#include "api/s3/s3_call.h"

#include <algorithm>
#include <charconv>

#include "api/s3/s3_checksum.h"
#include "api/s3/s3_dates.h"
#include "base/logging.h"
#include "base/percent.h"
#include "base/text.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "http/target.h"

namespace terrapin::api::s3 {
namespace {

constexpr std::size_t kMostMetadataBytes = 2048;
constexpr std::size_t kMostTags = 10;

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(trimmed(text.substr(0, comma)));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return parts;
}

bool etag_matches(std::string_view list, const std::string& etag) {
  for (const std::string& part : split_list(list)) {
    std::string_view one = part;
    if (one == "*") return true;
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one.size() >= 2 && one.front() == '"' && one.back() == '"') one = one.substr(1, one.size() - 2);
    if (one == etag) return true;
  }
  return false;
}

Timestamp whole_seconds(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

bool parse_count(std::string_view text, std::int64_t& value) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// A header's value may come out of a query: no line ends, valid UTF-8.
S3Status check_header_value(std::string_view name, std::string_view value) {
  const bool plain = std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
  if (plain && is_utf8(value)) return {};
  return refuse_saying("InvalidArgument",
                       fmt::format("The value of {} must be UTF-8 without control characters", name),
                       {{"ArgumentName", std::string(name)}});
}

// The one ETag of an If-Match without its quotes, or "*".
S3Result<std::string> one_etag(std::string_view text, std::string_view of_what) {
  std::string_view etag = trimmed(text);
  if (etag.find(',') != std::string_view::npos)
    return not_served(fmt::format("If-Match with several ETags on {}", of_what), "give one ETag");
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

constexpr std::string_view kMetadataPrefix = "x-amz-meta-";

S3Status add_metadata(std::map<std::string, std::string>& metadata, const std::string& field,
                      const std::string& value) {
  const std::string name = lower_case(field);
  if (!name.starts_with(kMetadataPrefix)) return {};
  const std::string key = name.substr(kMetadataPrefix.size());
  if (key.empty()) return {};
  S3_TRY_STATUS(check_header_value(name, value));
  std::string& known = metadata[key];
  known = known.empty() ? value : known + "," + value;
  return {};
}

}  // namespace

bool Call::presigned() const {
  return query("X-Amz-Signature").has_value() || query("Signature").has_value();
}

std::optional<std::string> Call::query(std::string_view name) const {
  const auto value = request().query_value(name);
  if (!value) return std::nullopt;
  return std::string(*value);
}

std::optional<std::string> Call::header(std::string_view name) const {
  if (auto value = request().headers.joined(name)) return value;
  if (!name.starts_with("x-amz-") || !presigned()) return std::nullopt;
  for (const auto& [parameter, value] : request().query)
    if (same_ignoring_case(parameter, name)) return value;
  return std::nullopt;
}

tl::unexpected<S3Error> store_failure(const Call& call, const storage::ObjectName& name, const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      if (!name.bucket.empty() && !call.store.head_bucket(name.bucket))
        return refuse("NoSuchBucket", {{"BucketName", name.bucket}});
      return refuse("NoSuchKey", {{"Key", name.key}});
    case ErrorCode::kInvalidArgument:
      return refuse_saying("InvalidArgument", error.message);
    case ErrorCode::kDenied:
      return refuse("AccessDenied");
    case ErrorCode::kTooLarge:
      return refuse("EntityTooLarge");
    case ErrorCode::kNoSpace:
      return refuse("InsufficientStorage");
    case ErrorCode::kUnsupported:
      return refuse_saying("NotImplemented", error.message);
    case ErrorCode::kConflict:
      return refuse("PreconditionFailed");
    default:
      // The cause is for the log: it may name paths.
      spdlog::error("S3 {} {}: {}", call.request().method, call.exchange.request_id, error.message);
      return refuse("InternalError");
  }
}

tl::unexpected<S3Error> upload_failure(const Call& call, const std::string& upload_id, const Error& error) {
  if (error.code != ErrorCode::kNotFound) return store_failure(call, call.name(), error);
  if (!call.store.head_bucket(call.bucket)) return refuse("NoSuchBucket", {{"BucketName", call.bucket}});
  return refuse("NoSuchUpload", {{"UploadId", upload_id}});
}

http::Response xml_response(XmlWriter& xml, int status) {
  return http::Response::text(status, "application/xml", xml.take());
}

http::Response empty_response(int status) {
  http::Response response;
  response.status = status;
  return response;
}

std::string quoted(const std::string& etag) {
  return '"' + etag + '"';
}

// A canonical user ID has 64 hexadecimal digits.
std::string owner_id(const Place& place) {
  return crypto::hex(crypto::hash(crypto::HashKind::kSha256, "owner " + place.account_id));
}

void write_owner(XmlWriter& xml, const Place& place, std::string_view element) {
  xml.open(element);
  xml.element("ID", owner_id(place));
  xml.element("DisplayName", place.account_id);
  xml.close();
}

S3Status check_write_headers(const Call& call) {
  const auto encryption = call.header("x-amz-server-side-encryption");
  if (encryption && *encryption != "AES256") {
    return not_served(fmt::format("x-amz-server-side-encryption: {}", *encryption),
                      "AES256 or none is allowed");
  }
  for (const char* name :
       {"x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
        "x-amz-website-redirect-location", "x-amz-write-offset-bytes"}) {
    if (call.header(name)) return not_served(name);
  }
  const auto acl = call.header("x-amz-acl");
  if (acl && *acl != "private" && *acl != "bucket-owner-full-control")
    return refuse("AccessControlListNotSupported");
  for (const char* name : {"x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-full-control",
                           "x-amz-grant-read-acp", "x-amz-grant-write-acp"}) {
    if (call.header(name)) return refuse("AccessControlListNotSupported");
  }
  const auto storage_class = call.header("x-amz-storage-class");
  if (storage_class && *storage_class != "STANDARD")
    return refuse("InvalidStorageClass", {{"StorageClassRequested", *storage_class}});
  return {};
}

S3Status check_object_key(const std::string& key) {
  if (key.size() > storage::kLongestKey) {
    return refuse("KeyTooLongError", {{"Size", std::to_string(key.size())},
                                      {"MaxSizeAllowed", std::to_string(storage::kLongestKey)}});
  }
  if (!storage::check_key(key)) return refuse("InvalidURI");
  return {};
}

S3Result<storage::ObjectHeaders> object_headers(const Call& call) {
  storage::ObjectHeaders headers;
  const auto take = [&](const char* name, std::string& field) -> S3Status {
    const auto value = call.header(name);
    if (!value || value->empty()) return {};
    S3_TRY_STATUS(check_header_value(name, *value));
    field = *value;
    return {};
  };
  S3_TRY_STATUS(take("content-type", headers.content_type));
  S3_TRY_STATUS(take("content-encoding", headers.content_encoding));
  S3_TRY_STATUS(take("content-disposition", headers.content_disposition));
  S3_TRY_STATUS(take("content-language", headers.content_language));
  S3_TRY_STATUS(take("cache-control", headers.cache_control));
  S3_TRY_STATUS(take("expires", headers.expires));
  // aws-chunked is how the bytes came, not what they are.
  std::string encoding;
  for (const std::string& one : split_list(headers.content_encoding)) {
    if (same_ignoring_case(one, "aws-chunked") || one.empty()) continue;
    encoding += (encoding.empty() ? "" : ", ") + one;
  }
  headers.content_encoding = encoding;
  for (const auto& [name, value] : call.request().headers.fields()) {
    S3_TRY_STATUS(add_metadata(headers.metadata, name, value));
  }
  if (call.presigned()) {
    for (const auto& [name, value] : call.request().query) {
      // The gateway may have made headers of them already.
      if (call.request().headers.find(name)) continue;
      S3_TRY_STATUS(add_metadata(headers.metadata, name, value));
    }
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers.metadata) bytes += name.size() + value.size();
  if (bytes > kMostMetadataBytes) {
    return refuse("MetadataTooLarge",
                  {{"Size", std::to_string(bytes)}, {"MaxSizeAllowed", std::to_string(kMostMetadataBytes)}});
  }
  S3_TRY(headers.tags, tags_of_header(call));
  headers.checksums = call.exchange.checksums;
  return headers;
}

S3Result<std::map<std::string, std::string>> checked_tags(const TagSet& tags) {
  if (tags.size() > kMostTags) {
    return refuse_saying("BadRequest", fmt::format("Object tags cannot be greater than {}", kMostTags));
  }
  std::map<std::string, std::string> result;
  // Lengths count characters.
  const auto length = [](std::string_view text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  };
  for (const auto& [key, value] : tags) {
    if (key.empty() || length(key) > 128 || !is_utf8(key) || key.starts_with("aws:"))
      return refuse_saying("InvalidTag", "The TagKey you have provided is invalid", {{"TagKey", key}});
    if (length(value) > 256 || !is_utf8(value))
      return refuse_saying("InvalidTag", "The TagValue you have provided is invalid", {{"TagKey", key}});
    if (!result.emplace(key, value).second)
      return refuse_saying("InvalidTag", "Cannot provide multiple Tags with the same key", {{"TagKey", key}});
  }
  return result;
}

S3Result<std::map<std::string, std::string>> tags_of_header(const Call& call) {
  const auto text = call.header("x-amz-tagging");
  if (!text) return std::map<std::string, std::string>();
  auto tags = http::parse_query(*text);
  if (!tags) {
    return refuse_saying("InvalidArgument",
                         "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
                         "parameters without tag name duplicates.",
                         {{"ArgumentName", "x-amz-tagging"}});
  }
  return checked_tags(*tags);
}

S3Result<storage::PutCondition> put_condition(const Call& call) {
  storage::PutCondition condition;
  if (const auto none = call.header("if-none-match")) {
    if (trimmed(*none) != "*") return not_served("If-None-Match with an ETag on a write", "\"*\" is allowed");
    condition.if_none_match = true;
  }
  if (const auto match = call.header("if-match")) {
    S3_TRY(condition.if_match, one_etag(*match, "a write"));
    if (condition.if_match == "*") return not_served("If-Match: * on a write", "give one ETag");
  }
  return condition;
}

S3Status remove_object(const Call& call, const storage::ObjectName& name,
                       const std::optional<std::string>& if_match) {
  storage::RemoveCondition condition;
  if (if_match) {
    S3_TRY(condition.if_match, one_etag(*if_match, "a removal"));
  }
  const auto removed = call.store.remove(name, condition);
  if (removed) return {};
  if (condition.if_match && removed.error().code == ErrorCode::kConflict)
    return refuse("PreconditionFailed", {{"Condition", "If-Match"}});
  return store_failure(call, name, removed.error());
}

tl::unexpected<S3Error> condition_failure(const storage::PutCondition& condition) {
  return refuse("PreconditionFailed",
                {{"Condition", condition.if_none_match ? "If-None-Match" : "If-Match"}});
}

ConditionResult check_read_conditions(const Call& call, const storage::ObjectInfo& info,
                                      std::string_view prefix) {
  const std::string start(prefix);
  const Timestamp modified = whole_seconds(info.modified);
  const auto date = [&](const char* name) -> std::optional<Timestamp> {
    const auto text = call.header(start + name);
    return text ? parse_http_date(trimmed(*text)) : std::nullopt;
  };
  if (const auto match = call.header(start + "if-match")) {
    if (!etag_matches(*match, info.etag)) return {Verdict::kFailed, start + "If-Match"};
  } else if (const auto unmodified = date("if-unmodified-since")) {
    if (modified > *unmodified) return {Verdict::kFailed, start + "If-Unmodified-Since"};
  }
  if (const auto none = call.header(start + "if-none-match")) {
    if (etag_matches(*none, info.etag)) return {Verdict::kNotModified, start + "If-None-Match"};
  } else if (const auto since = date("if-modified-since")) {
    if (modified <= *since) return {Verdict::kNotModified, start + "If-Modified-Since"};
  }
  return {};
}

S3Result<std::optional<ByteRange>> requested_range(const Call& call, const storage::ObjectInfo& info) {
  const auto header = call.header("range");
  if (!header) return std::optional<ByteRange>();
  if (const auto only_if = call.header("if-range")) {
    const std::string_view text = trimmed(*only_if);
    const auto date = parse_http_date(text);
    const bool same = date ? whole_seconds(info.modified) == *date : text == quoted(info.etag);
    if (!same) return std::optional<ByteRange>();
  }
  std::string_view text = trimmed(*header);
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit) || text.find(',') != std::string_view::npos) return std::optional<ByteRange>();
  text = trimmed(text.substr(kUnit.size()));
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::optional<ByteRange>();
  const std::string_view left = text.substr(0, dash), right = text.substr(dash + 1);
  const auto unsatisfiable = [&]() {
    auto refused = refuse("InvalidRange",
                          {{"RangeRequested", *header}, {"ActualObjectSize", std::to_string(info.size)}});
    refused.value().headers.set("Content-Range", fmt::format("bytes */{}", info.size));
    return refused;
  };
  std::int64_t first = 0, last = 0;
  if (left.empty()) {
    if (!parse_count(right, last)) return std::optional<ByteRange>();
    if (last == 0 || info.size == 0) return unsatisfiable();
    const std::int64_t count = std::min(last, info.size);
    return std::optional<ByteRange>(ByteRange{info.size - count, count});
  }
  if (!parse_count(left, first)) return std::optional<ByteRange>();
  last = info.size - 1;
  if (!right.empty()) {
    std::int64_t given = 0;
    if (!parse_count(right, given) || given < first) return std::optional<ByteRange>();
    last = std::min(last, given);
  }
  if (first >= info.size) return unsatisfiable();
  return std::optional<ByteRange>(ByteRange{first, last - first + 1});
}

void add_checksums(http::Headers& headers, const std::map<std::string, std::string>& checksums) {
  bool any = false, composite = false;
  for (const std::string& name : checksum_names()) {
    const auto found = checksums.find(name);
    if (found == checksums.end()) continue;
    headers.set("x-amz-checksum-" + name, found->second);
    any = true;
    composite = composite || found->second.find('-') != std::string::npos;
  }
  if (any) headers.set("x-amz-checksum-type", composite ? "COMPOSITE" : "FULL_OBJECT");
}

void write_checksums(XmlWriter& xml, const std::map<std::string, std::string>& checksums) {
  bool any = false, composite = false;
  for (const std::string& name : checksum_names()) {
    const auto found = checksums.find(name);
    if (found == checksums.end()) continue;
    xml.element(checksum_element(name), found->second);
    any = true;
    composite = composite || found->second.find('-') != std::string::npos;
  }
  if (any) xml.element("ChecksumType", composite ? "COMPOSITE" : "FULL_OBJECT");
}

S3Result<int> part_number(const Call& call) {
  const std::string text = call.query_or_empty("partNumber");
  std::int64_t number = 0;
  if (parse_count(text, number) && number >= 1 && number <= storage::kMostParts)
    return static_cast<int>(number);
  return refuse_saying("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive",
                       {{"ArgumentName", "partNumber"}, {"ArgumentValue", text}});
}

S3Result<int> count_parameter(const Call& call, std::string_view name, int fallback, int most) {
  const auto text = call.query(name);
  if (!text || text->empty()) return fallback;
  std::int64_t value = 0;
  if (!parse_count(*text, value) || value > 2'147'483'647) {
    const std::string_view argument = name == "max-keys" ? "maxKeys" : name;  // as S3 words it
    return refuse_saying("InvalidArgument",
                         fmt::format("Argument {} must be an integer between 0 and 2147483647", argument),
                         {{"ArgumentName", std::string(name)}, {"ArgumentValue", *text}});
  }
  return static_cast<int>(std::min<std::int64_t>(value, most));
}

S3Result<bool> wants_url_encoding(const Call& call) {
  const auto type = call.query("encoding-type");
  if (!type || type->empty()) return false;
  if (*type == "url") return true;
  return refuse_saying("InvalidArgument", "Invalid Encoding Method specified in Request",
                       {{"ArgumentName", "encoding-type"}, {"ArgumentValue", *type}});
}

std::string encoded_name(const std::string& name, bool url) {
  return url ? percent_encode(name, true) : name;
}

S3Result<storage::ObjectName> copy_source(const Call& call) {
  std::string text = call.header("x-amz-copy-source").value_or(std::string());
  const auto invalid = [&](const char* message) {
    return refuse_saying("InvalidArgument", message,
                         {{"ArgumentName", "x-amz-copy-source"}, {"ArgumentValue", text}});
  };
  std::string_view rest = text;
  const std::size_t version = rest.find("?versionId=");
  if (version != std::string_view::npos) {
    if (rest.substr(version + 11) != "null") return invalid("Invalid version id specified");
    rest = rest.substr(0, version);
  }
  auto decoded = percent_decode(rest);
  if (!decoded) return invalid("Copy Source must be URL-encoded");
  std::string_view path = *decoded;
  if (path.starts_with('/')) path.remove_prefix(1);
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size())
    return invalid("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
  storage::ObjectName name{std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
  if (!storage::check_bucket_name(name.bucket))
    return refuse("InvalidBucketName", {{"BucketName", name.bucket}});
  S3_TRY_STATUS(check_object_key(name.key));
  if (!call.may_use(name.bucket)) return refuse("AccessDenied");
  const auto owner = call.header("x-amz-source-expected-bucket-owner");
  if (owner && *owner != call.place.account_id) return refuse("AccessDenied");
  return name;
}

}  // namespace terrapin::api::s3
