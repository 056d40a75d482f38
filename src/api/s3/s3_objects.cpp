#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

#include "api/s3/s3_checksum.h"
#include "api/s3/s3_dates.h"
#include "api/s3/s3_operations.h"
#include "base/text.h"
#include "base/utf8.h"
#include "http/media_type.h"

namespace terrapin::api::s3 {
namespace {

using storage::ObjectHeaders;
using storage::ObjectInfo;

constexpr std::int64_t kMostBytes = std::int64_t{5} << 30;  // of one PUT

// Types that a browser shows without running anything in them.
bool is_passive(const std::string& content_type) {
  const auto type = http::media_type_essence(content_type);
  if (!type) return false;
  if (type->starts_with("audio/") || type->starts_with("video/")) return true;
  if (type->starts_with("image/"))
    return type->find("xml") == std::string::npos && type->find("svg") == std::string::npos;
  constexpr std::array<std::string_view, 6> kPassive{"text/plain",          "text/csv",
                                                     "application/json",    "application/octet-stream",
                                                     "binary/octet-stream", "application/pdf"};
  return std::find(kPassive.begin(), kPassive.end(), *type) != kPassive.end();
}

// "inline; filename=x" -> "attachment; filename=x".
std::string as_attachment(const std::string& disposition) {
  const std::size_t semicolon = disposition.find(';');
  return semicolon == std::string::npos ? "attachment" : "attachment" + disposition.substr(semicolon);
}

// What the object's bytes are served with; nothing a page could run in our name.
S3Result<http::Headers> served_headers(const Call& call, const ObjectInfo& info) {
  ObjectHeaders headers = info.headers;
  const auto override_with = [&](const char* parameter, std::string& field) -> S3Status {
    const auto value = call.query(parameter);
    if (!value || value->empty()) return {};
    const bool plain = std::none_of(value->begin(), value->end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (!plain || !is_utf8(*value)) {
      return refuse_saying("InvalidArgument", fmt::format("{} must not hold control characters", parameter),
                           {{"ArgumentName", parameter}});
    }
    field = *value;
    return {};
  };
  S3_TRY_STATUS(override_with("response-content-type", headers.content_type));
  S3_TRY_STATUS(override_with("response-content-encoding", headers.content_encoding));
  S3_TRY_STATUS(override_with("response-content-disposition", headers.content_disposition));
  S3_TRY_STATUS(override_with("response-content-language", headers.content_language));
  S3_TRY_STATUS(override_with("response-cache-control", headers.cache_control));
  S3_TRY_STATUS(override_with("response-expires", headers.expires));
  // Only links are followed by browsers: a program signs its headers and gets what was stored.
  const bool link = call.presigned() || !call.request().headers.find("authorization");
  if (link && !is_passive(headers.content_type))
    headers.content_disposition = as_attachment(headers.content_disposition);

  http::Headers result;
  result.set("Content-Type", headers.content_type);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) result.set(name, value);
  };
  add("Content-Encoding", headers.content_encoding);
  add("Content-Disposition", headers.content_disposition);
  add("Content-Language", headers.content_language);
  add("Cache-Control", headers.cache_control);
  add("Expires", headers.expires);
  for (const auto& [name, value] : headers.metadata) result.set("x-amz-meta-" + name, value);
  if (!headers.tags.empty()) result.set("x-amz-tagging-count", std::to_string(headers.tags.size()));
  result.set("X-Content-Type-Options", "nosniff");
  result.set("Content-Security-Policy", "sandbox");
  return result;
}

void add_validators(http::Headers& headers, const ObjectInfo& info) {
  headers.set("ETag", quoted(info.etag));
  headers.set("Last-Modified", http_date(info.modified));
  headers.set("Accept-Ranges", "bytes");
}

int parts_of(const std::string& etag) {
  const std::size_t dash = etag.find('-');
  int parts = 0;
  if (dash != std::string::npos) std::from_chars(etag.data() + dash + 1, etag.data() + etag.size(), parts);
  return parts;
}

// Where part `number` lies, counted from 1 without the gaps that numbers of uploads may have; an object in
// one piece is its first part.
S3Result<ByteRange> range_of_part(const ObjectInfo& info, int number) {
  const int parts = parts_of(info.etag);
  if (number > std::max(parts, 1)) {
    return refuse("InvalidPartNumber", {{"PartNumberRequested", std::to_string(number)},
                                        {"ActualPartCount", std::to_string(std::max(parts, 1))}});
  }
  if (parts <= 1) return ByteRange{0, info.size};
  if (static_cast<int>(info.part_sizes.size()) != parts)
    return not_served("partNumber of an object whose parts were not recorded", "ask for ranges of bytes");
  const auto before = info.part_sizes.begin() + (number - 1);
  return ByteRange{std::accumulate(info.part_sizes.begin(), before, std::int64_t{0}), *before};
}

S3Result<http::Response> serve(const Call& call, const ObjectInfo& info, const ByteSourcePtr& content) {
  const ConditionResult conditions = check_read_conditions(call, info, "");
  if (conditions.verdict == Verdict::kFailed)
    return refuse("PreconditionFailed", {{"Condition", conditions.condition}});
  http::Response response;
  if (conditions.verdict == Verdict::kNotModified) {
    response.status = 304;
    add_validators(response.headers, info);
    return response;
  }
  S3_TRY(response.headers, served_headers(call, info));
  add_validators(response.headers, info);
  S3_TRY(std::optional<ByteRange> range, requested_range(call, info));
  if (call.query("partNumber")) {
    S3_TRY(const int number, part_number(call));
    if (call.header("range"))
      return refuse_saying("InvalidRequest",
                           "Cannot specify both Range header and partNumber query parameter");
    S3_TRY(const ByteRange part, range_of_part(info, number));
    if (part.count > 0) range = part;
    if (const int parts = parts_of(info.etag); parts > 0)
      response.headers.set("x-amz-mp-parts-count", std::to_string(parts));
  }
  if (!range && call.header("x-amz-checksum-mode").value_or("") == "ENABLED")
    add_checksums(response.headers, info.headers.checksums);
  if (range) {
    response.status = 206;
    response.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", range->first,
                                                      range->first + range->count - 1, info.size));
    response.source = slice_source(content, range->first, range->count);
  } else {
    response.source = content;
  }
  return response;
}

S3Result<http::Response> copy_object(const Call& call) {
  S3_TRY(const storage::ObjectName source, copy_source(call));
  S3_TRY(const storage::PutCondition condition, put_condition(call));
  const std::string metadata_directive = call.header("x-amz-metadata-directive").value_or("COPY");
  const std::string tagging_directive = call.header("x-amz-tagging-directive").value_or("COPY");
  for (const auto& [name, value] : {std::pair("x-amz-metadata-directive", metadata_directive),
                                    std::pair("x-amz-tagging-directive", tagging_directive)}) {
    if (value == "COPY" || value == "REPLACE") continue;
    return refuse_saying("InvalidArgument", "Unknown metadata directive.",
                         {{"ArgumentName", name}, {"ArgumentValue", value}});
  }
  std::optional<std::string> wanted;
  if (const auto algorithm = call.header("x-amz-checksum-algorithm")) {
    wanted = checksum_of_algorithm(*algorithm);
    if (!wanted) return not_served("x-amz-checksum-algorithm: " + *algorithm);
  }
  const bool replace_all = metadata_directive == "REPLACE", replace_tags = tagging_directive == "REPLACE";
  if (source == call.name() && !replace_all && !replace_tags && !wanted) {
    return refuse_saying(
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without "
        "changing the object's metadata, storage class, website redirect location or encryption "
        "attributes.");
  }
  // Read once: what the conditions and headers were held against is what is copied.
  const auto open = call.store.get(source);
  if (!open) return store_failure(call, source, open.error());
  const ConditionResult read = check_read_conditions(call, open->info, "x-amz-copy-source-");
  if (read.verdict != Verdict::kGo) return refuse("PreconditionFailed", {{"Condition", read.condition}});

  ObjectHeaders headers = open->info.headers;
  if (replace_all) {
    S3_TRY(headers, object_headers(call));
    headers.tags = open->info.headers.tags;
    headers.checksums = open->info.headers.checksums;
  }
  if (replace_tags) {
    S3_TRY(headers.tags, tags_of_header(call));
  }
  // The checksum of checksums says nothing of a copy in one piece.
  for (const auto& [name, value] : headers.checksums)
    if (!wanted && value.find('-') != std::string::npos) wanted = name;  // the same of its bytes instead
  std::erase_if(headers.checksums,
                [](const auto& entry) { return entry.second.find('-') != std::string::npos; });
  if (wanted && !headers.checksums.contains(*wanted)) {
    const auto value = checksum_of(*wanted, *open->content);
    if (!value) return store_failure(call, source, value.error());
    headers.checksums = {{*wanted, *value}};
  }
  const bool as_it_is = !replace_all && !replace_tags && !wanted && !condition.if_none_match &&
                        !condition.if_match && !call.header("x-amz-copy-source-if-match") &&
                        !call.header("x-amz-copy-source-if-unmodified-since");
  const auto copied = as_it_is ? call.store.copy(source, call.name(), std::nullopt)
                               : call.store.put(call.name(), *open->content, headers, condition);
  if (!copied) {
    if (copied.error().code == ErrorCode::kConflict) return condition_failure(condition);
    return store_failure(call, call.name(), copied.error());
  }
  XmlWriter xml;
  xml.open("CopyObjectResult", true);
  xml.element("LastModified", s3_date(copied->modified));
  xml.element("ETag", quoted(copied->etag));
  write_checksums(xml, copied->headers.checksums);
  return xml_response(xml);
}

}  // namespace

S3Result<http::Response> put_object(const Call& call) {
  S3_TRY_STATUS(check_write_headers(call));
  if (call.header("x-amz-copy-source")) return copy_object(call);
  if (call.body->size() > kMostBytes) {
    return refuse("EntityTooLarge", {{"ProposedSize", std::to_string(call.body->size())},
                                     {"MaxSizeAllowed", std::to_string(kMostBytes)}});
  }
  S3_TRY(const ObjectHeaders headers, object_headers(call));
  S3_TRY(const storage::PutCondition condition, put_condition(call));
  const auto stored = call.store.put(call.name(), *call.body, headers, condition);
  if (!stored) {
    if (stored.error().code == ErrorCode::kConflict) return condition_failure(condition);
    return store_failure(call, call.name(), stored.error());
  }
  http::Response response = empty_response(200);
  response.headers.set("ETag", quoted(stored->etag));
  add_checksums(response.headers, headers.checksums);
  return response;
}

S3Result<http::Response> get_object(const Call& call) {
  const auto open = call.store.get(call.name());
  if (!open) return store_failure(call, call.name(), open.error());
  return serve(call, open->info, open->content);
}

S3Result<http::Response> head_object(const Call& call) {
  // The server takes the length from the source and sends no byte of it.
  return get_object(call);
}

S3Result<http::Response> delete_object(const Call& call) {
  for (const char* name : {"x-amz-if-match-last-modified-time", "x-amz-if-match-size"})
    if (call.header(name)) return not_served(fmt::format("{} on a removal", name));
  S3_TRY_STATUS(remove_object(call, call.name(), call.header("if-match")));
  return empty_response(204);
}

S3Result<http::Response> get_object_attributes(const Call& call) {
  const auto wanted = call.header("x-amz-object-attributes");
  if (!wanted) {
    return refuse_saying("InvalidRequest",
                         "The x-amz-object-attributes header specifying the attributes to be "
                         "retrieved is either missing or empty");
  }
  const auto info = call.store.head(call.name());
  if (!info) return store_failure(call, call.name(), info.error());
  XmlWriter xml;
  xml.open("GetObjectAttributesResponse", true);
  std::string_view rest = *wanted;
  bool etag = false, checksum = false, parts = false, storage_class = false, size = false;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view one = trimmed(rest.substr(0, comma), " ");
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    bool* asked = one == "ETag"           ? &etag
                  : one == "Checksum"     ? &checksum
                  : one == "ObjectParts"  ? &parts
                  : one == "StorageClass" ? &storage_class
                  : one == "ObjectSize"   ? &size
                                          : nullptr;
    if (asked == nullptr) {
      return refuse_saying(
          "InvalidArgument", "Invalid attribute name specified.",
          {{"ArgumentName", "x-amz-object-attributes"}, {"ArgumentValue", std::string(one)}});
    }
    *asked = true;
  }
  if (etag) xml.element("ETag", info->etag);
  if (checksum && !info->headers.checksums.empty()) {
    xml.open("Checksum");
    write_checksums(xml, info->headers.checksums);
    xml.close();
  }
  if (parts && parts_of(info->etag) > 0) {
    xml.open("ObjectParts");
    xml.element("PartsCount", static_cast<std::int64_t>(parts_of(info->etag)));
    xml.close();
  }
  if (storage_class) xml.element("StorageClass", "STANDARD");
  if (size) xml.element("ObjectSize", info->size);
  http::Response response = xml_response(xml);
  response.headers.set("Last-Modified", http_date(info->modified));
  return response;
}

S3Result<http::Response> get_object_tagging(const Call& call) {
  const auto info = call.store.head(call.name());
  if (!info) return store_failure(call, call.name(), info.error());
  XmlWriter xml;
  xml.open("Tagging", true);
  xml.open("TagSet");
  for (const auto& [key, value] : info->headers.tags) {
    xml.open("Tag");
    xml.element("Key", key);
    xml.element("Value", value);
    xml.close();
  }
  return xml_response(xml);
}

S3Result<http::Response> put_object_tagging(const Call& call) {
  S3_TRY(const TagSet given, read_tagging(*call.body));
  S3_TRY(const auto tags, checked_tags(given));
  const auto stored = call.store.set_tags(call.name(), tags);
  if (!stored) return store_failure(call, call.name(), stored.error());
  return empty_response(200);
}

S3Result<http::Response> delete_object_tagging(const Call& call) {
  const auto stored = call.store.set_tags(call.name(), {});
  if (!stored) return store_failure(call, call.name(), stored.error());
  return empty_response(204);
}

S3Result<http::Response> get_object_acl(const Call& call) {
  const auto info = call.store.head(call.name());
  if (!info) return store_failure(call, call.name(), info.error());
  XmlWriter xml;
  write_access_control(xml, call.place);
  return xml_response(xml);
}

S3Result<http::Response> put_object_acl(const Call& call) {
  S3_TRY_STATUS(check_write_headers(call));
  if (!call.header("x-amz-acl")) return refuse("AccessControlListNotSupported");
  if (call.key.empty()) return empty_response(200);
  const auto info = call.store.head(call.name());
  if (!info) return store_failure(call, call.name(), info.error());
  return empty_response(200);
}

}  // namespace terrapin::api::s3
