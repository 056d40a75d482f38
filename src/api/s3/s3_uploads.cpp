#include <algorithm>
#include <charconv>
#include <map>

#include "api/s3/s3_checksum.h"
#include "api/s3/s3_dates.h"
#include "api/s3/s3_operations.h"

namespace terrapin::api::s3 {
namespace {

using storage::ChosenPart;
using storage::PartInfo;
using storage::UploadChecksum;
using storage::UploadInfo;

constexpr std::int64_t kMostPartBytes = std::int64_t{5} << 30;
constexpr int kMostListed = 1000;

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

constexpr const char* kOfWhole = "FULL_OBJECT";
constexpr const char* kOfParts = "COMPOSITE";

const char* checksum_type(const UploadChecksum& checksum) {
  return checksum.of_whole ? kOfWhole : kOfParts;
}

// x-amz-checksum-algorithm and x-amz-checksum-type of a new upload. CRCs of parts can be joined to that of
// the whole, other digests cannot; of CRC64NVME only the whole is served, as AWS does.
S3Result<UploadChecksum> wanted_checksum(const Call& call) {
  const auto algorithm = call.header("x-amz-checksum-algorithm");
  const auto type = call.header("x-amz-checksum-type");
  if (type && *type != kOfWhole && *type != kOfParts)
    return refuse_saying("InvalidRequest", "Value for x-amz-checksum-type header is invalid.");
  if (!algorithm) {
    if (!type) return UploadChecksum();
    return refuse_saying(
        "InvalidRequest",
        "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.");
  }
  const auto name = checksum_of_algorithm(*algorithm);
  if (!name) return not_served("x-amz-checksum-algorithm: " + *algorithm);
  const bool only_whole = *name == "crc64nvme";
  const bool of_whole = type ? *type == kOfWhole : only_whole;
  if (of_whole ? !joins_parts(*name) : only_whole) {
    return refuse_saying("InvalidRequest",
                         fmt::format("The {} checksum type cannot be used with the {} checksum algorithm.",
                                     of_whole ? kOfWhole : kOfParts, *name));
  }
  return UploadChecksum{*name, of_whole};
}

tl::unexpected<S3Error> another_checksum(const std::string& expected, const std::string& actual) {
  return refuse_saying(
      "InvalidRequest",
      fmt::format("Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                  expected, actual.empty() ? "null" : actual));
}

// What is kept of a part: the checksum that its upload is for. Where the whole's is asked for the service
// computes what the client left out; for a checksum of checksums the client must say each.
S3Result<std::map<std::string, std::string>> part_checksums(
    const Call& call, const UploadChecksum& upload, const std::map<std::string, std::string>& declared,
    const ByteSource& body, bool may_compute) {
  if (upload.name.empty() || declared.contains(upload.name)) return declared;
  if (!declared.empty()) return another_checksum(upload.name, declared.begin()->first);
  if (!may_compute) return another_checksum(upload.name, "");
  const auto value = checksum_of(upload.name, body);
  if (!value) return store_failure(call, call.name(), value.error());
  return std::map<std::string, std::string>{{upload.name, *value}};
}

S3Result<http::Response> upload_part_copy(const Call& call, int number) {
  S3_TRY(const storage::ObjectName source, copy_source(call));
  const auto open = call.store.get(source);
  if (!open) return store_failure(call, source, open.error());
  const ConditionResult read = check_read_conditions(call, open->info, "x-amz-copy-source-");
  if (read.verdict != Verdict::kGo) return refuse("PreconditionFailed", {{"Condition", read.condition}});
  S3_TRY(const ByteSourcePtr bytes, copied_bytes(call, *open));
  if (bytes->size() > kMostPartBytes) return refuse("EntityTooLarge");
  const auto upload = call.store.upload_checksum(call.name(), upload_id(call));
  if (!upload) return upload_failure(call, upload_id(call), upload.error());
  S3_TRY(const auto checksums, part_checksums(call, *upload, {}, *bytes, true));
  const auto part = call.store.put_part(call.name(), upload_id(call), number, *bytes, checksums);
  if (!part) return upload_failure(call, upload_id(call), part.error());
  XmlWriter xml;
  xml.open("CopyPartResult", true);
  xml.element("LastModified", s3_date(part->modified));
  xml.element("ETag", quoted(part->etag));
  for (const auto& [name, value] : checksums) xml.element(checksum_element(name), value);
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

// What the completing request says of the whole, held against what is known of the parts: the checksum that
// the object keeps. A part's value counts only if it was verified when the part came.
S3Result<std::map<std::string, std::string>> whole_checksums(const Call& call, UploadChecksum upload,
                                                             const std::vector<CompletedPart>& named,
                                                             const std::vector<const PartInfo*>& stored) {
  std::map<std::string, std::string> declared;
  for (const std::string& name : checksum_names())
    if (auto value = call.header("x-amz-checksum-" + name)) declared.emplace(name, std::move(*value));
  const auto type = call.header("x-amz-checksum-type");
  if (upload.name.empty()) {
    // Nothing was agreed; a value that can be verified is kept all the same.
    if (declared.empty()) return declared;
    upload = {declared.begin()->first, type.value_or(kOfWhole) == kOfWhole};
  }
  if (type && *type != checksum_type(upload)) {
    return refuse_saying(
        "InvalidRequest",
        fmt::format("The upload was created using the {} checksum mode. The complete request "
                    "must use the same checksum mode.",
                    checksum_type(upload)));
  }
  for (const auto& [name, value] : declared)
    if (name != upload.name) return another_checksum(upload.name, name);
  std::vector<std::pair<std::string, std::int64_t>> sized;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const bool said = std::any_of(named[i].checksums.begin(), named[i].checksums.end(),
                                  [&](const auto& one) { return one.first == upload.name; });
    if (!said && !upload.of_whole) {
      return refuse_saying(
          "InvalidRequest",
          fmt::format("The upload was created using a {} checksum. The complete request must "
                      "include the checksum for each part. It was missing for part {} in the "
                      "request.",
                      upload.name, named[i].number));
    }
    const auto found = stored[i]->checksums.find(upload.name);
    if (found == stored[i]->checksums.end()) break;
    values.push_back(found->second);
    sized.emplace_back(found->second, stored[i]->size);
  }
  const auto value = declared.find(upload.name);
  if (values.size() != stored.size()) {
    if (value == declared.end()) return std::map<std::string, std::string>();
    return refuse_saying("InvalidRequest",
                         fmt::format("The parts were uploaded without {}: x-amz-checksum-{} of the whole "
                                     "cannot be verified.",
                                     checksum_element(upload.name), upload.name));
  }
  const auto computed =
      upload.of_whole ? joined_checksum(upload.name, sized) : composite_checksum(upload.name, values);
  if (!computed) {
    return refuse_saying("InvalidRequest",
                         fmt::format("A {} of the parts is not valid", checksum_element(upload.name)));
  }
  if (value != declared.end() && value->second != *computed &&
      value->second + fmt::format("-{}", stored.size()) != *computed) {
    return refuse_saying("BadDigest", fmt::format("The {} you specified did not match what we received.",
                                                  "x-amz-checksum-" + upload.name));
  }
  return std::map<std::string, std::string>{{upload.name, *computed}};
}

// The parts that the request chooses, out of those that are there, ascending.
S3Result<std::vector<const PartInfo*>> chosen_parts(const Call& call, const std::vector<CompletedPart>& named,
                                                    const std::vector<PartInfo>& present) {
  std::vector<const PartInfo*> chosen;
  auto part = present.begin();
  for (const CompletedPart& wanted : named) {
    while (part != present.end() && part->number < wanted.number) ++part;
    bool same = part != present.end() && part->number == wanted.number && part->etag == wanted.etag;
    for (const auto& [name, value] : wanted.checksums) {
      if (!same) break;
      const auto found = part->checksums.find(name);
      same = found != part->checksums.end() && found->second == value;
    }
    if (!same) {
      return refuse("InvalidPart", {{"UploadId", upload_id(call)},
                                    {"PartNumber", std::to_string(wanted.number)},
                                    {"ETag", wanted.etag}});
    }
    chosen.push_back(&*part);
  }
  return chosen;
}

void write_upload_checksum(XmlWriter& xml, const UploadChecksum& checksum) {
  if (checksum.name.empty()) return;
  xml.element("ChecksumAlgorithm", checksum_algorithm(checksum.name));
  xml.element("ChecksumType", checksum_type(checksum));
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
  S3_TRY(const UploadChecksum checksum, wanted_checksum(call));
  const auto id = call.store.start_upload(call.name(), headers, checksum);
  if (!id) return store_failure(call, call.name(), id.error());
  XmlWriter xml;
  xml.open("InitiateMultipartUploadResult", true);
  xml.element("Bucket", call.bucket);
  xml.element("Key", call.key);
  xml.element("UploadId", *id);
  http::Response response = xml_response(xml);
  if (!checksum.name.empty()) {
    response.headers.set("x-amz-checksum-algorithm", checksum_algorithm(checksum.name));
    response.headers.set("x-amz-checksum-type", checksum_type(checksum));
  }
  return response;
}

S3Result<http::Response> upload_part(const Call& call) {
  S3_TRY_STATUS(check_write_headers(call));
  S3_TRY(const int number, part_number(call));
  if (call.header("x-amz-copy-source")) return upload_part_copy(call, number);
  if (call.body->size() > kMostPartBytes) return refuse("EntityTooLarge");
  const auto upload = call.store.upload_checksum(call.name(), upload_id(call));
  if (!upload) return upload_failure(call, upload_id(call), upload.error());
  S3_TRY(const auto checksums,
         part_checksums(call, *upload, call.exchange.checksums, *call.body, upload->of_whole));
  const auto part = call.store.put_part(call.name(), upload_id(call), number, *call.body, checksums);
  if (!part) return upload_failure(call, upload_id(call), part.error());
  http::Response response = empty_response(200);
  response.headers.set("ETag", quoted(part->etag));
  for (const auto& [name, value] : checksums) response.headers.set("x-amz-checksum-" + name, value);
  return response;
}

S3Result<http::Response> list_parts(const Call& call) {
  S3_TRY(const int most, count_parameter(call, "max-parts", kMostListed, kMostListed));
  S3_TRY(const int after, count_parameter(call, "part-number-marker", 0, 2'147'483'647));
  S3_TRY(const bool url, wants_url_encoding(call));
  auto parts = call.store.list_parts(call.name(), upload_id(call), after, most + 1);
  if (!parts) return upload_failure(call, upload_id(call), parts.error());
  const auto checksum = call.store.upload_checksum(call.name(), upload_id(call));
  if (!checksum) return upload_failure(call, upload_id(call), checksum.error());
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
  write_upload_checksum(xml, *checksum);
  for (const PartInfo& part : *parts) {
    xml.open("Part");
    xml.element("PartNumber", static_cast<std::int64_t>(part.number));
    xml.element("LastModified", s3_date(part.modified));
    xml.element("ETag", quoted(part.etag));
    xml.element("Size", part.size);
    for (const auto& [name, value] : part.checksums) xml.element(checksum_element(name), value);
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
    write_upload_checksum(xml, upload->checksum);
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
  storage::Completion completion;
  S3_TRY(completion.condition, put_condition(call));
  std::vector<ChosenPart> chosen;
  for (const CompletedPart& part : named) {
    if (!chosen.empty() && part.number <= chosen.back().number)
      return refuse("InvalidPartOrder", {{"UploadId", upload_id(call)}});
    chosen.push_back({part.number, part.etag, {part.checksums.begin(), part.checksums.end()}});
  }
  // A client that says it again because it did not hear the answer finds no upload: the store knows.
  const auto upload = call.store.upload_checksum(call.name(), upload_id(call));
  if (!upload && upload.error().code != ErrorCode::kNotFound)
    return upload_failure(call, upload_id(call), upload.error());
  const auto present = upload ? all_parts(call) : Result<std::vector<PartInfo>>();
  if (!present && present.error().code != ErrorCode::kNotFound)
    return upload_failure(call, upload_id(call), present.error());
  if (upload && present) {
    S3_TRY(const auto stored, chosen_parts(call, named, *present));
    std::int64_t total = 0;
    for (const PartInfo* part : stored) total += part->size;
    const auto declared = call.header("x-amz-mp-object-size");
    if (declared && *declared != std::to_string(total)) {
      return refuse_saying(
          "InvalidRequest",
          fmt::format("The provided 'x-amz-mp-object-size' header value {} does not match what was "
                      "computed: {}",
                      *declared, total));
    }
    S3_TRY(completion.checksums, whole_checksums(call, *upload, named, stored));
  }
  const auto whole = call.store.complete_upload(call.name(), upload_id(call), chosen, completion);
  if (!whole) {
    if (whole.error().code == ErrorCode::kConflict) return condition_failure(completion.condition);
    if (whole.error().code == ErrorCode::kInvalidArgument) {
      return whole.error().message.starts_with("EntityTooSmall")
                 ? refuse("EntityTooSmall", {{"MinSizeAllowed", "5242880"}})
                 : refuse("InvalidPart", {{"UploadId", upload_id(call)}});
    }
    // Of the upload, or of the object that If-Match asks for.
    if (upload && completion.condition.if_match && whole.error().code == ErrorCode::kNotFound &&
        call.store.upload_checksum(call.name(), upload_id(call))) {
      return store_failure(call, call.name(), whole.error());
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
  write_checksums(xml, whole->headers.checksums);
  return xml_response(xml);
}

S3Result<http::Response> abort_multipart_upload(const Call& call) {
  if (call.header("x-amz-if-match-initiated-time")) return not_served("x-amz-if-match-initiated-time");
  const auto aborted = call.store.abort_upload(call.name(), upload_id(call));
  if (!aborted) return upload_failure(call, upload_id(call), aborted.error());
  return empty_response(204);
}

}  // namespace terrapin::api::s3
