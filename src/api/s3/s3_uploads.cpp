#include <algorithm>
#include <charconv>
#include <map>

#include "api/s3/s3_checksum.h"
#include "api/s3/s3_dates.h"
#include "api/s3/s3_operations.h"

namespace terrapin::api::s3 {
namespace {

using storage::PartInfo;
using storage::UploadInfo;

constexpr std::int64_t kMostPartBytes = std::int64_t{5} << 30;
constexpr int kMostParts = 10'000;
constexpr int kMostListed = 1000;

S3Result<int> part_number(const Call& call) {
  const std::string text = call.query_or_empty("partNumber");
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 1 && number <= kMostParts)
    return number;
  return refuse_saying("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive",
                       {{"ArgumentName", "partNumber"}, {"ArgumentValue", text}});
}

// Of the query's upload; AWS's clients send the ID as it was given.
std::string upload_id(const Call& call) {
  return call.query_or_empty("uploadId");
}

S3Result<ByteSourcePtr> copied_bytes(const Call& call, const storage::OpenObject& source) {
  const auto range = call.header("x-amz-copy-source-range");
  if (!range) return source.content;
  const std::int64_t size = source.info.size;
  std::int64_t first = -1, last = -1;
  constexpr std::string_view kUnit = "bytes=";
  if (range->starts_with(kUnit)) {
    const char* end = range->data() + range->size();
    const auto [dash, error] = std::from_chars(range->data() + kUnit.size(), end, first);
    if (error == std::errc() && dash != end && *dash == '-') {
      const auto [stop, last_error] = std::from_chars(dash + 1, end, last);
      if (last_error != std::errc() || stop != end) last = -1;
    }
  }
  const Fields fields{{"ArgumentName", "x-amz-copy-source-range"}, {"ArgumentValue", *range}};
  if (first < 0 || last < first) {
    return refuse_saying(
        "InvalidArgument",
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and "
        "last are the zero-based offsets of the first and last bytes to copy",
        fields);
  }
  if (last >= size) {
    return refuse_saying("InvalidArgument",
                         fmt::format("Range specified is not valid for source object of size: {}", size),
                         fields);
  }
  return slice_source(source.content, first, last - first + 1);
}

S3Result<http::Response> upload_part_copy(const Call& call, int number) {
  S3_TRY(const storage::ObjectName source, copy_source(call));
  const auto open = call.store.get(source);
  if (!open) return store_failure(call, source, open.error());
  const ConditionResult read = check_read_conditions(call, open->info, "x-amz-copy-source-");
  if (read.verdict != Verdict::kGo) return refuse("PreconditionFailed", {{"Condition", read.condition}});
  S3_TRY(const ByteSourcePtr bytes, copied_bytes(call, *open));
  if (bytes->size() > kMostPartBytes) return refuse("EntityTooLarge");
  const auto part = call.store.put_part(call.name(), upload_id(call), number, *bytes);
  if (!part) return upload_failure(call, upload_id(call), part.error());
  XmlWriter xml;
  xml.open("CopyPartResult", true);
  xml.element("LastModified", s3_date(part->modified));
  xml.element("ETag", quoted(part->etag));
  return xml_response(xml);
}

// All parts of the upload, in the store's pages.
Result<std::vector<PartInfo>> all_parts(const Call& call) {
  std::vector<PartInfo> parts;
  for (;;) {
    const int after = parts.empty() ? 0 : parts.back().number;
    TERRAPIN_TRY(std::vector<PartInfo> more,
                 call.store.list_parts(call.name(), upload_id(call), after, kMostListed));
    const bool last = static_cast<int>(more.size()) < kMostListed;
    parts.insert(parts.end(), more.begin(), more.end());
    if (last) return parts;
  }
}

// What the client says of the whole, held against what it says of the parts; the answer goes into the reply.
S3Result<std::map<std::string, std::string>> whole_checksums(const Call& call,
                                                             const std::vector<CompletedPart>& parts,
                                                             const std::map<int, std::int64_t>& sizes) {
  std::map<std::string, std::string> result;
  const bool full = call.header("x-amz-checksum-type").value_or("") == "FULL_OBJECT";
  for (const std::string& name : checksum_names()) {
    std::vector<std::string> values;
    std::vector<std::pair<std::string, std::int64_t>> sized;
    for (const CompletedPart& part : parts) {
      for (const auto& [checksum, value] : part.checksums) {
        if (checksum != name) continue;
        values.push_back(value);
        const auto size = sizes.find(part.number);
        sized.emplace_back(value, size == sizes.end() ? 0 : size->second);
      }
    }
    const auto declared = call.header("x-amz-checksum-" + name);
    if (values.size() != parts.size()) continue;
    const auto computed = full || (declared && declared->find('-') == std::string::npos)
                              ? joined_checksum(name, sized)
                              : composite_checksum(name, values);
    if (!computed) {
      return refuse_saying("InvalidRequest",
                           fmt::format("A {} of the parts is not valid", checksum_element(name)));
    }
    if (declared && *declared != *computed && *declared + fmt::format("-{}", parts.size()) != *computed) {
      return refuse_saying("BadDigest", fmt::format("The {} you specified did not match what we received.",
                                                    "x-amz-checksum-" + name));
    }
    result[name] = *computed;
  }
  return result;
}

void write_initiator(XmlWriter& xml, const Place& place) {
  write_owner(xml, place, "Initiator");
  write_owner(xml, place);
  xml.element("StorageClass", "STANDARD");
}

}  // namespace

S3Result<http::Response> create_multipart_upload(const Call& call) {
  S3_TRY_STATUS(check_write_headers(call));
  S3_TRY(storage::ObjectHeaders headers, object_headers(call));
  headers.checksums.clear();  // of this request's empty body
  const auto algorithm = call.header("x-amz-checksum-algorithm");
  if (algorithm && !checksum_of_algorithm(*algorithm))
    return not_served("x-amz-checksum-algorithm: " + *algorithm);
  const auto id = call.store.start_upload(call.name(), headers);
  if (!id) return store_failure(call, call.name(), id.error());
  XmlWriter xml;
  xml.open("InitiateMultipartUploadResult", true);
  xml.element("Bucket", call.bucket);
  xml.element("Key", call.key);
  xml.element("UploadId", *id);
  http::Response response = xml_response(xml);
  if (algorithm) {
    response.headers.set("x-amz-checksum-algorithm", *algorithm);
    response.headers.set(
        "x-amz-checksum-type",
        call.header("x-amz-checksum-type").value_or(*algorithm == "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE"));
  }
  return response;
}

S3Result<http::Response> upload_part(const Call& call) {
  S3_TRY_STATUS(check_write_headers(call));
  S3_TRY(const int number, part_number(call));
  if (call.header("x-amz-copy-source")) return upload_part_copy(call, number);
  if (call.body->size() > kMostPartBytes) return refuse("EntityTooLarge");
  const auto part = call.store.put_part(call.name(), upload_id(call), number, *call.body);
  if (!part) return upload_failure(call, upload_id(call), part.error());
  http::Response response = empty_response(200);
  response.headers.set("ETag", quoted(part->etag));
  for (const std::string& name : checksum_names()) {
    const auto found = call.exchange.checksums.find(name);
    if (found != call.exchange.checksums.end()) response.headers.set("x-amz-checksum-" + name, found->second);
  }
  return response;
}

S3Result<http::Response> list_parts(const Call& call) {
  S3_TRY(const int most, count_parameter(call, "max-parts", kMostListed, kMostListed));
  S3_TRY(const int after, count_parameter(call, "part-number-marker", 0, 2'147'483'647));
  S3_TRY(const bool url, wants_url_encoding(call));
  auto parts = call.store.list_parts(call.name(), upload_id(call), after, most + 1);
  if (!parts) return upload_failure(call, upload_id(call), parts.error());
  const bool truncated = static_cast<int>(parts->size()) > most && most > 0;
  if (static_cast<int>(parts->size()) > most) parts->resize(static_cast<std::size_t>(most));
  XmlWriter xml;
  xml.open("ListPartsResult", true);
  xml.element("Bucket", call.bucket);
  xml.element("Key", encoded_name(call.key, url));
  xml.element("UploadId", upload_id(call));
  write_initiator(xml, call.place);
  xml.element("PartNumberMarker", static_cast<std::int64_t>(after));
  xml.element("NextPartNumberMarker", static_cast<std::int64_t>(parts->empty() ? 0 : parts->back().number));
  xml.element("MaxParts", static_cast<std::int64_t>(most));
  xml.element("IsTruncated", truncated);
  for (const PartInfo& part : *parts) {
    xml.open("Part");
    xml.element("PartNumber", static_cast<std::int64_t>(part.number));
    xml.element("LastModified", s3_date(part.modified));
    xml.element("ETag", quoted(part.etag));
    xml.element("Size", part.size);
    xml.close();
  }
  return xml_response(xml);
}

S3Result<http::Response> list_multipart_uploads(const Call& call) {
  S3_TRY(const int most, count_parameter(call, "max-uploads", kMostListed, kMostListed));
  S3_TRY(const bool url, wants_url_encoding(call));
  const std::string prefix = call.query_or_empty("prefix"), delimiter = call.query_or_empty("delimiter");
  const std::string key_marker = call.query_or_empty("key-marker");
  const std::string id_marker = key_marker.empty() ? std::string() : call.query_or_empty("upload-id-marker");
  const auto uploads = call.store.list_uploads(call.bucket, prefix);
  if (!uploads) return store_failure(call, {call.bucket, ""}, uploads.error());
  std::vector<const UploadInfo*> shown;
  std::vector<std::string> groups;
  bool truncated = false, seen_id = false;
  std::string next_key, next_id;
  for (const UploadInfo& upload : *uploads) {
    const std::size_t found =
        delimiter.empty() ? std::string::npos : upload.key.find(delimiter, prefix.size());
    const std::string group =
        found == std::string::npos ? std::string() : upload.key.substr(0, found + delimiter.size());
    const std::string& item = group.empty() ? upload.key : group;
    if (item < key_marker) continue;
    if (item == key_marker && !key_marker.empty()) {
      // Uploads of one key go on after the ID named.
      if (id_marker.empty() || !group.empty()) continue;
      const bool now = upload.upload_id == id_marker;
      if (now || !seen_id) {
        seen_id = seen_id || now;
        continue;
      }
    }
    if (!group.empty() && !groups.empty() && groups.back() == group) continue;
    if (static_cast<int>(shown.size() + groups.size()) == most) {
      truncated = most > 0;
      break;
    }
    next_key = item;
    next_id = group.empty() ? upload.upload_id : std::string();
    if (group.empty()) {
      shown.push_back(&upload);
    } else {
      groups.push_back(group);
    }
  }
  XmlWriter xml;
  xml.open("ListMultipartUploadsResult", true);
  xml.element("Bucket", call.bucket);
  xml.element("KeyMarker", encoded_name(key_marker, url));
  xml.element("UploadIdMarker", id_marker);
  if (truncated) {
    xml.element("NextKeyMarker", encoded_name(next_key, url));
    xml.element("NextUploadIdMarker", next_id);
  }
  if (!prefix.empty()) xml.element("Prefix", encoded_name(prefix, url));
  if (!delimiter.empty()) xml.element("Delimiter", encoded_name(delimiter, url));
  if (url) xml.element("EncodingType", "url");
  xml.element("MaxUploads", static_cast<std::int64_t>(most));
  xml.element("IsTruncated", truncated);
  for (const UploadInfo* upload : shown) {
    xml.open("Upload");
    xml.element("Key", encoded_name(upload->key, url));
    xml.element("UploadId", upload->upload_id);
    write_initiator(xml, call.place);
    xml.element("Initiated", s3_date(upload->started));
    xml.close();
  }
  for (const std::string& group : groups) {
    xml.open("CommonPrefixes");
    xml.element("Prefix", encoded_name(group, url));
    xml.close();
  }
  return xml_response(xml);
}

S3Result<http::Response> complete_multipart_upload(const Call& call) {
  S3_TRY_STATUS(check_write_headers(call));
  S3_TRY(const std::vector<CompletedPart> named, read_completed_parts(*call.body));
  S3_TRY(const storage::PutCondition condition, put_condition(call));
  std::vector<std::pair<int, std::string>> chosen;
  for (const CompletedPart& part : named) {
    if (!chosen.empty() && part.number <= chosen.back().first)
      return refuse("InvalidPartOrder", {{"UploadId", upload_id(call)}});
    chosen.emplace_back(part.number, part.etag);
  }
  if (condition.if_none_match || condition.if_match) {
    const auto present = call.store.head(call.name());
    if (!present && present.error().code != ErrorCode::kNotFound)
      return store_failure(call, call.name(), present.error());
    if (condition.if_none_match && present) return condition_failure(condition);
    if (condition.if_match && !present) return store_failure(call, call.name(), present.error());
    if (condition.if_match && present->etag != *condition.if_match) return condition_failure(condition);
  }
  // A client that says it again because it did not hear the answer finds no parts: the store knows.
  const auto present = all_parts(call);
  if (!present && present.error().code != ErrorCode::kNotFound)
    return upload_failure(call, upload_id(call), present.error());
  std::map<std::string, std::string> checksums;
  if (present) {
    std::map<int, std::int64_t> sizes;
    std::int64_t total = 0;
    auto part = present->begin();
    for (const auto& [number, etag] : chosen) {
      while (part != present->end() && part->number < number) ++part;
      if (part == present->end() || part->number != number || part->etag != etag) {
        return refuse(
            "InvalidPart",
            {{"UploadId", upload_id(call)}, {"PartNumber", std::to_string(number)}, {"ETag", etag}});
      }
      sizes[number] = part->size;
      total += part->size;
    }
    const auto declared = call.header("x-amz-mp-object-size");
    if (declared && *declared != std::to_string(total)) {
      return refuse_saying(
          "InvalidRequest",
          fmt::format("The provided 'x-amz-mp-object-size' header value {} does not match what was "
                      "computed: {}",
                      *declared, total));
    }
    S3_TRY(checksums, whole_checksums(call, named, sizes));
  }
  const auto whole = call.store.complete_upload(call.name(), upload_id(call), chosen);
  if (!whole) {
    if (whole.error().code == ErrorCode::kInvalidArgument) {
      return whole.error().message.starts_with("EntityTooSmall")
                 ? refuse("EntityTooSmall", {{"MinSizeAllowed", "5242880"}})
                 : refuse("InvalidPart", {{"UploadId", upload_id(call)}});
    }
    return upload_failure(call, upload_id(call), whole.error());
  }
  XmlWriter xml;
  xml.open("CompleteMultipartUploadResult", true);
  const std::string host(call.request().headers.find("host").value_or(""));
  xml.element("Location",
              fmt::format("{}://{}{}/{}", call.request().secure ? "https" : "http", host,
                          call.virtual_host ? "" : "/" + call.bucket, encoded_name(call.key, true)));
  xml.element("Bucket", call.bucket);
  xml.element("Key", call.key);
  xml.element("ETag", quoted(whole->etag));
  for (const auto& [name, value] : checksums) xml.element(checksum_element(name), value);
  if (!checksums.empty()) {
    xml.element("ChecksumType",
                checksums.begin()->second.find('-') == std::string::npos ? "FULL_OBJECT" : "COMPOSITE");
  }
  return xml_response(xml);
}

S3Result<http::Response> abort_multipart_upload(const Call& call) {
  if (call.header("x-amz-if-match-initiated-time")) return not_served("x-amz-if-match-initiated-time");
  const auto aborted = call.store.abort_upload(call.name(), upload_id(call));
  if (!aborted) return upload_failure(call, upload_id(call), aborted.error());
  return empty_response(204);
}

}  // namespace terrapin::api::s3
