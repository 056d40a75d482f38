#include "storage/remote_store.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <mutex>
#include <pugixml.hpp>

#include "base/base64.h"
#include "base/percent.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "storage/s3_client.h"
#include "storage/sigv4_signing.h"

namespace terrapin::storage {
namespace {

constexpr std::int64_t kMaxXmlBytes = 64 << 20;
constexpr std::int64_t kMaxSingleCopyBytes = std::int64_t{5} << 30;
constexpr std::int64_t kMinPartBytes = 5 << 20;
constexpr int kPageSize = 1000;

std::string without_quotes(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

Timestamp whole_seconds(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

// "Fri, 24 May 2013 00:00:00 GMT"; the epoch for anything else.
Timestamp http_time(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29) return {};
  const std::size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return {};
  const auto time = parse_iso_text(fmt::format("{}-{:02}-{}T{}", text.substr(12, 4), month / 3 + 1,
                                               text.substr(5, 2), text.substr(17, 8)));
  return time ? *time : Timestamp();
}
Timestamp iso_time(const std::string& text) {
  const auto time = parse_iso_text(text);
  return time ? whole_seconds(*time) : Timestamp();
}

std::int64_t number_in(std::string_view text, std::int64_t otherwise) {
  std::int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? value : otherwise;
}

class Xml {
 public:
  // kCorrupt if it is no XML or its root is another element.
  static Result<Xml> read(const S3Answer& answer, const char* root, const std::string& what) {
    TERRAPIN_TRY(const std::string text, read_all_text(*answer.content, kMaxXmlBytes));
    Xml xml;
    xml.document_ = std::make_unique<pugi::xml_document>();
    const auto parsed = xml.document_->load_buffer(text.data(), text.size(),
                                                   pugi::parse_default | pugi::parse_ws_pcdata_single);
    if (!parsed || std::string_view(xml.root().name()) != root)
      return fail(ErrorCode::kIo, "{}: the service's answer is not the XML element {}", what, root);
    return xml;
  }
  pugi::xml_node root() const { return document_->document_element(); }

 private:
  std::unique_ptr<pugi::xml_document> document_;
};

std::string text_of(pugi::xml_node node, const char* child) {
  return node.child(child).text().get();
}

std::string xml_of(const pugi::xml_document& document) {
  struct Writer final : pugi::xml_writer {
    std::string text;
    void write(const void* data, std::size_t size) override {
      text.append(static_cast<const char*>(data), size);
    }
  } writer;
  document.save(writer, "", pugi::format_raw | pugi::format_no_declaration, pugi::encoding_utf8);
  return writer.text;
}

struct Refusal {
  std::string code, message, region;
};
Refusal refusal_of(const S3Answer& answer) {
  Refusal refusal;
  const auto text = read_all_text(*answer.content, kMaxXmlBytes);
  pugi::xml_document document;
  if (text && document.load_buffer(text->data(), text->size())) {
    const pugi::xml_node error = document.child("Error");
    refusal = {text_of(error, "Code"), text_of(error, "Message"), text_of(error, "Region")};
  }
  if (refusal.code.empty()) refusal.code = fmt::format("HTTP {}", answer.status);
  if (const auto region = answer.header("x-amz-bucket-region"); region && refusal.region.empty())
    refusal.region = *region;
  return refusal;
}

ErrorCode code_of(const Refusal& refusal, int status) {
  static const std::map<std::string, ErrorCode> kCodes = {
      {"NoSuchKey", ErrorCode::kNotFound},
      {"NoSuchBucket", ErrorCode::kNotFound},
      {"NoSuchUpload", ErrorCode::kNotFound},
      {"BucketAlreadyExists", ErrorCode::kAlreadyExists},
      {"BucketAlreadyOwnedByYou", ErrorCode::kAlreadyExists},
      {"BucketNotEmpty", ErrorCode::kConflict},
      {"PreconditionFailed", ErrorCode::kConflict},
      {"ConditionalRequestConflict", ErrorCode::kConflict},
      {"OperationAborted", ErrorCode::kConflict},
      {"InvalidPart", ErrorCode::kInvalidArgument},
      {"InvalidPartOrder", ErrorCode::kInvalidArgument},
      {"EntityTooSmall", ErrorCode::kInvalidArgument},
      {"InvalidArgument", ErrorCode::kInvalidArgument},
      {"InvalidBucketName", ErrorCode::kInvalidArgument},
      {"InvalidTag", ErrorCode::kInvalidArgument},
      {"KeyTooLongError", ErrorCode::kInvalidArgument},
      {"MetadataTooLarge", ErrorCode::kInvalidArgument},
      {"BadDigest", ErrorCode::kInvalidArgument},
      {"EntityTooLarge", ErrorCode::kTooLarge},
      {"InsufficientStorage", ErrorCode::kNoSpace},
      {"QuotaExceeded", ErrorCode::kNoSpace},
      {"XMinioStorageFull", ErrorCode::kNoSpace},
      {"NotImplemented", ErrorCode::kUnsupported},
  };
  const auto found = kCodes.find(refusal.code);
  if (found != kCodes.end()) return found->second;
  if (status == 404) return ErrorCode::kNotFound;
  if (status == 412) return ErrorCode::kConflict;
  if (status == 507) return ErrorCode::kNoSpace;
  return ErrorCode::kIo;
}

void add_header(S3Fields& fields, const char* name, const std::string& value) {
  if (!value.empty()) fields.emplace_back(name, value);
}

std::string tag_text(const std::map<std::string, std::string>& tags) {
  std::string text;
  for (const auto& [name, value] : tags) {
    if (!text.empty()) text += '&';
    text += percent_encode(name, false) + "=" + percent_encode(value, false);
  }
  return text;
}

S3Fields fields_of(const ObjectHeaders& headers) {
  S3Fields fields;
  add_header(fields, "content-type", headers.content_type);
  add_header(fields, "content-encoding", headers.content_encoding);
  add_header(fields, "content-disposition", headers.content_disposition);
  add_header(fields, "content-language", headers.content_language);
  add_header(fields, "cache-control", headers.cache_control);
  add_header(fields, "expires", headers.expires);
  for (const auto& [name, value] : headers.metadata)
    fields.emplace_back("x-amz-meta-" + lower_case(name), value);
  add_header(fields, "x-amz-tagging", tag_text(headers.tags));
  return fields;
}

// Of one upload: a checksum over the parts' checksums ("...-3") is no checksum of the bytes.
void add_checksum(S3Fields& fields, const std::map<std::string, std::string>& checksums) {
  for (const auto& [name, value] : checksums) {
    if (value.find('-') != std::string::npos) continue;
    fields.emplace_back("x-amz-checksum-" + name, value);
    return;  // S3 takes one
  }
}

std::string upper_case(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

const char* checksum_type(bool of_whole) {
  return of_whole ? "FULL_OBJECT" : "COMPOSITE";
}

// Of an upload, as lists tell it.
UploadChecksum checksum_in(pugi::xml_node node) {
  return {lower_case(text_of(node, "ChecksumAlgorithm")), text_of(node, "ChecksumType") == "FULL_OBJECT"};
}

// ChecksumCRC32 and its like of a part.
std::map<std::string, std::string> checksums_in(pugi::xml_node node) {
  static constexpr std::string_view kStart = "Checksum";
  std::map<std::string, std::string> checksums;
  for (const pugi::xml_node child : node.children()) {
    const std::string_view name = child.name();
    if (!name.starts_with(kStart) || name == "ChecksumType" || name == "ChecksumAlgorithm") continue;
    checksums[lower_case(std::string(name.substr(kStart.size())))] = child.text().get();
  }
  return checksums;
}

ObjectInfo info_of(const S3Answer& answer, const std::string& key) {
  ObjectInfo info;
  info.key = key;
  info.headers.content_type.clear();
  for (const auto& [name, value] : answer.headers) {
    static constexpr std::string_view kMeta = "x-amz-meta-", kChecksum = "x-amz-checksum-";
    if (name == "content-length") info.size = number_in(value, 0);
    if (name == "etag") info.etag = without_quotes(value);
    if (name == "last-modified") info.modified = http_time(value);
    if (name == "content-type") info.headers.content_type = value;
    if (name == "content-encoding") info.headers.content_encoding = value;
    if (name == "content-disposition") info.headers.content_disposition = value;
    if (name == "content-language") info.headers.content_language = value;
    if (name == "cache-control") info.headers.cache_control = value;
    if (name == "expires") info.headers.expires = value;
    if (name.starts_with(kMeta)) info.headers.metadata[name.substr(kMeta.size())] = value;
    if (name.starts_with(kChecksum) && name != "x-amz-checksum-type")
      info.headers.checksums[name.substr(kChecksum.size())] = value;
  }
  if (info.headers.content_type.empty()) info.headers.content_type = "binary/octet-stream";
  return info;
}

// Names in lists come percent-encoded when the service says so: XML cannot hold every key.
class Names {
 public:
  explicit Names(pugi::xml_node root) : encoded_(text_of(root, "EncodingType") == "url") {}
  std::string in(pugi::xml_node node, const char* child) const {
    const std::string text = text_of(node, child);
    return encoded_ ? percent_decode_loosely(text, true) : text;
  }

 private:
  bool encoded_;
};

// The ETag that S3 gives an object of these parts; empty if a part's is not its MD5.
std::string etag_of_parts(const std::vector<ChosenPart>& parts) {
  Bytes digests;
  for (const ChosenPart& part : parts) {
    const std::string& etag = part.etag;
    if (etag.size() != 32 || etag.find_first_not_of("0123456789abcdef") != std::string::npos) return "";
    for (std::size_t i = 0; i < 32; i += 2) {
      int byte = 0;
      std::from_chars(etag.data() + i, etag.data() + i + 2, byte, 16);
      digests.push_back(static_cast<std::uint8_t>(byte));
    }
  }
  return fmt::format("{}-{}", crypto::hex(crypto::hash(crypto::HashKind::kMd5, digests)), parts.size());
}

// Part of another source that outlives it.
class BodySlice final : public ByteSource {
 public:
  BodySlice(const ByteSource& whole, std::int64_t offset, std::int64_t size)
      : whole_(whole), offset_(offset), size_(size) {}
  std::int64_t size() const override { return size_; }
  Status read(std::int64_t offset, std::span<std::uint8_t> out) const override {
    return whole_.read(offset_ + offset, out);
  }

 private:
  const ByteSource& whole_;
  std::int64_t offset_, size_;
};

class RemoteStore final : public ObjectStore {
 public:
  RemoteStore(std::unique_ptr<S3Client> client, const RemoteStoreOptions& options)
      : client_(std::move(client)),
        prefix_(options.bucket_prefix),
        region_(options.region),
        part_above_bytes_(options.part_above_bytes) {}

  Status create_bucket(const std::string& bucket) override {
    TERRAPIN_TRY(S3Request request, at_bucket("PUT", bucket));
    // AWS answers 200 when us-east-1 is asked for a bucket that is there.
    S3Request probe = request;
    probe.method = "HEAD";
    TERRAPIN_TRY(const S3Answer present, client_->send(probe));
    if (present.ok()) return fail(ErrorCode::kAlreadyExists, "bucket '{}' exists", bucket);
    ByteSourcePtr body = bytes_source(std::string_view());
    if (region_ != "us-east-1") {
      pugi::xml_document document;
      auto root = document.append_child("CreateBucketConfiguration");
      root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
      root.append_child("LocationConstraint").text() = region_.c_str();
      body = bytes_source(xml_of(document));
    }
    request.body = body.get();
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    const bool ours_twice = answer.attempts > 1 && refusal_of(answer).code == "BucketAlreadyOwnedByYou";
    if (!answer.ok() && !ours_twice) return refuse(answer, request);
    return {};
  }

  Status delete_bucket(const std::string& bucket) override {
    TERRAPIN_TRY(const S3Request request, at_bucket("DELETE", bucket));
    // S3 itself would let unfinished uploads go with their bucket.
    TERRAPIN_TRY(const auto uploads, uploads_of(bucket, "", 1));
    if (!uploads.empty())
      return fail(ErrorCode::kConflict, "bucket '{}' holds an unfinished upload of '{}'", bucket,
                  uploads[0].key);
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    const bool gone_before = answer.attempts > 1 && answer.status == 404;
    if (!answer.ok() && !gone_before) return refuse(answer, request);
    const std::lock_guard lock(mutex_);
    created_.erase(bucket);
    return {};
  }

  Result<BucketInfo> head_bucket(const std::string& bucket) override {
    TERRAPIN_TRY(const S3Request request, at_bucket("HEAD", bucket));
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    {
      const std::lock_guard lock(mutex_);
      const auto known = created_.find(bucket);
      if (known != created_.end()) return BucketInfo{bucket, known->second};
    }
    // Only the list tells when a bucket was made; who may not see the list learns the epoch.
    if (!list_buckets()) return BucketInfo{bucket, {}};
    const std::lock_guard lock(mutex_);
    const auto known = created_.find(bucket);
    return BucketInfo{bucket, known != created_.end() ? known->second : Timestamp()};
  }

  Result<std::vector<BucketInfo>> list_buckets() override {
    std::vector<BucketInfo> buckets;
    S3Request request;
    request.method = "GET";
    for (;;) {
      TERRAPIN_TRY(const S3Answer answer, client_->send(request));
      if (!answer.ok()) return refuse(answer, request);
      TERRAPIN_TRY(const Xml xml, Xml::read(answer, "ListAllMyBucketsResult", client_->endpoint()));
      for (const pugi::xml_node node : xml.root().child("Buckets").children("Bucket")) {
        const std::string name = text_of(node, "Name");
        if (!name.starts_with(prefix_) || !check_bucket_name(name.substr(prefix_.size()))) continue;
        buckets.push_back({name.substr(prefix_.size()), iso_time(text_of(node, "CreationDate"))});
      }
      const std::string token = text_of(xml.root(), "ContinuationToken");
      if (token.empty()) break;
      request.query = {{"continuation-token", token}};
    }
    std::sort(buckets.begin(), buckets.end(),
              [](const BucketInfo& a, const BucketInfo& b) { return a.name < b.name; });
    const std::lock_guard lock(mutex_);
    created_.clear();
    for (const BucketInfo& bucket : buckets) created_[bucket.name] = bucket.created;
    return buckets;
  }

  using ObjectStore::put;
  Result<ObjectInfo> put(const ObjectName& name, const ByteSource& body, const ObjectHeaders& headers,
                         const PutCondition& condition) override {
    if (body.size() > part_above_bytes_) return put_in_parts(name, body, headers, condition);
    TERRAPIN_TRY(S3Request request, at_object("PUT", name));
    request.headers = fields_of(headers);
    add_checksum(request.headers, headers.checksums);
    add_condition(request, condition);
    request.body = &body;
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    return stored(answer, name.key, body.size(), headers);
  }

  Result<OpenObject> get(const ObjectName& name) override {
    TERRAPIN_TRY(S3Request request, at_object("GET", name));
    request.headers = {{"x-amz-checksum-mode", "ENABLED"}};
    TERRAPIN_TRY(S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    OpenObject open{info_of(answer, name.key), answer.content};
    open.info.size = answer.content->size();
    if (const auto count = answer.header("x-amz-tagging-count"); count && *count != "0") {
      TERRAPIN_TRY(open.info.headers.tags, tags_of(name));
    }
    return open;
  }

  Result<ObjectInfo> head(const ObjectName& name) override {
    TERRAPIN_TRY(S3Request request, at_object("HEAD", name));
    request.headers = {{"x-amz-checksum-mode", "ENABLED"}};
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    ObjectInfo info = info_of(answer, name.key);
    // Not every service counts tags in the answer to HEAD; one that did once always does.
    const auto count = answer.header("x-amz-tagging-count");
    if (count) counts_tags_ = true;
    if (count ? *count != "0" : !counts_tags_) {
      TERRAPIN_TRY(info.headers.tags, tags_of(name));
    }
    return info;
  }

  using ObjectStore::remove;
  Status remove(const ObjectName& name, const RemoveCondition& condition) override {
    TERRAPIN_TRY(S3Request request, at_object("DELETE", name));
    if (condition.if_match) {
      request.headers.emplace_back("if-match",
                                   *condition.if_match == "*" ? "*" : "\"" + *condition.if_match + "\"");
      request.repeatable = false;  // a second attempt would not find what the first one removed
    }
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (answer.ok()) return {};
    // Some services say of a missing key that it is missing.
    if (!condition.if_match && answer.status == 404 && refusal_of(answer).code == "NoSuchKey") return {};
    return refuse(answer, request);
  }

  Result<ObjectInfo> copy(const ObjectName& from, const ObjectName& to,
                          const std::optional<ObjectHeaders>& headers) override {
    TERRAPIN_TRY(const S3Request source, at_object("GET", from));
    TERRAPIN_TRY(S3Request request, at_object("PUT", to));
    std::optional<ObjectHeaders> replaced = headers;
    if (from == to && !replaced) {
      // S3 refuses to copy an object onto itself when nothing changes.
      TERRAPIN_TRY(ObjectInfo present, head(from));
      replaced = std::move(present.headers);
    }
    if (replaced) {
      request.headers = fields_of(*replaced);
      request.headers.emplace_back("x-amz-metadata-directive", "REPLACE");
      request.headers.emplace_back("x-amz-tagging-directive", "REPLACE");
    }
    request.headers.emplace_back("x-amz-copy-source",
                                 "/" + source.bucket + "/" + percent_encode(source.key, true));
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) {
      const std::string code = refusal_of(answer).code;
      if (code != "InvalidRequest" && code != "EntityTooLarge") return refuse(answer, request);
      TERRAPIN_TRY(const ObjectInfo present, head(from));
      if (present.size <= kMaxSingleCopyBytes) return refuse(answer, request);
      TERRAPIN_TRY(const OpenObject open, get(from));
      return put_in_parts(to, *open.content, replaced ? *replaced : open.info.headers, {});
    }
    // A copy may fail after its 200.
    auto xml = Xml::read(answer, "CopyObjectResult", where(request));
    if (!xml) return refuse(answer, request);
    return head(to);
  }

  Result<ListPage> list(const std::string& bucket, const ListQuery& query) override {
    TERRAPIN_TRY(S3Request request, at_bucket("GET", bucket));
    ListPage page;
    std::string token, last;
    const int most = std::clamp(query.max_keys, 0, kPageSize);
    for (;;) {
      const int wanted = most - static_cast<int>(page.objects.size() + page.prefixes.size());
      request.query = {{"list-type", "2"},
                       {"encoding-type", "url"},
                       {"max-keys", std::to_string(wanted)},
                       {"prefix", query.prefix}};
      if (!query.delimiter.empty()) request.query.emplace_back("delimiter", query.delimiter);
      if (!token.empty()) {
        request.query.emplace_back("continuation-token", token);
      } else if (!query.start_after.empty()) {
        request.query.emplace_back("start-after", query.start_after);
      }
      TERRAPIN_TRY(const S3Answer answer, client_->send(request));
      if (!answer.ok()) return refuse(answer, request);
      TERRAPIN_TRY(const Xml xml, Xml::read(answer, "ListBucketResult", where(request)));
      const Names names(xml.root());
      for (const pugi::xml_node node : xml.root().children("Contents")) {
        ObjectInfo info;
        info.key = names.in(node, "Key");
        info.size = number_in(text_of(node, "Size"), 0);
        info.etag = without_quotes(text_of(node, "ETag"));
        info.modified = iso_time(text_of(node, "LastModified"));
        // Services differ in whether a group is after a start in its midst.
        if (info.key <= query.start_after) continue;
        last = std::max(last, info.key);
        page.objects.push_back(std::move(info));
      }
      for (const pugi::xml_node node : xml.root().children("CommonPrefixes")) {
        std::string prefix = names.in(node, "Prefix");
        if (prefix <= query.start_after) continue;
        last = std::max(last, prefix);
        page.prefixes.push_back(std::move(prefix));
      }
      page.truncated = text_of(xml.root(), "IsTruncated") == "true";
      token = text_of(xml.root(), "NextContinuationToken");
      const bool full = static_cast<int>(page.objects.size() + page.prefixes.size()) >= most;
      if (!page.truncated || full || token.empty()) break;
    }
    if (page.truncated) page.next_start_after = last;
    return page;
  }

  Status set_tags(const ObjectName& name, const std::map<std::string, std::string>& tags) override {
    TERRAPIN_TRY(S3Request request, at_object("PUT", name));
    request.query = {{"tagging", ""}};
    pugi::xml_document document;
    auto set = document.append_child("Tagging").append_child("TagSet");
    for (const auto& [key, value] : tags) {
      auto tag = set.append_child("Tag");
      tag.append_child("Key").text() = key.c_str();
      tag.append_child("Value").text() = value.c_str();
    }
    return send_xml(request, document);
  }

  using ObjectStore::start_upload;
  Result<std::string> start_upload(const ObjectName& name, const ObjectHeaders& headers,
                                   const UploadChecksum& checksum) override {
    TERRAPIN_TRY(S3Request request, at_object("POST", name));
    request.query = {{"uploads", ""}};
    request.headers = fields_of(headers);
    if (!checksum.name.empty()) {
      request.headers.emplace_back("x-amz-checksum-algorithm", upper_case(checksum.name));
      request.headers.emplace_back("x-amz-checksum-type", checksum_type(checksum.of_whole));
    }
    request.repeatable = false;  // twice would leave one behind
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    TERRAPIN_TRY(const Xml xml, Xml::read(answer, "InitiateMultipartUploadResult", where(request)));
    std::string id = text_of(xml.root(), "UploadId");
    if (id.empty()) return fail(ErrorCode::kIo, "{}: the service gave no UploadId", where(request));
    return id;
  }

  using ObjectStore::put_part;
  Result<PartInfo> put_part(const ObjectName& name, const std::string& upload_id, int number,
                            const ByteSource& body,
                            const std::map<std::string, std::string>& checksums) override {
    TERRAPIN_TRY(S3Request request, at_object("PUT", name));
    TERRAPIN_TRY_STATUS(check_part(number));
    request.query = {{"partNumber", std::to_string(number)}, {"uploadId", upload_id}};
    add_checksum(request.headers, checksums);
    request.body = &body;
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    const ObjectInfo info = stored(answer, name.key, body.size(), {});
    return PartInfo{number, info.size, info.etag, info.modified, checksums};
  }

  Result<std::vector<PartInfo>> list_parts(const ObjectName& name, const std::string& upload_id,
                                           int after_number, int max_parts) override {
    TERRAPIN_TRY(S3Request request, at_object("GET", name));
    std::vector<PartInfo> parts;
    std::string marker = std::to_string(after_number);
    for (;;) {
      const int wanted = std::min(kPageSize, max_parts - static_cast<int>(parts.size()));
      request.query = {{"uploadId", upload_id},
                       {"max-parts", std::to_string(std::max(wanted, 1))},
                       {"part-number-marker", marker}};
      TERRAPIN_TRY(const S3Answer answer, client_->send(request));
      if (!answer.ok()) return refuse(answer, request);
      TERRAPIN_TRY(const Xml xml, Xml::read(answer, "ListPartsResult", where(request)));
      for (const pugi::xml_node node : xml.root().children("Part")) {
        if (static_cast<int>(parts.size()) >= max_parts) break;
        parts.push_back({static_cast<int>(number_in(text_of(node, "PartNumber"), 0)),
                         number_in(text_of(node, "Size"), 0), without_quotes(text_of(node, "ETag")),
                         iso_time(text_of(node, "LastModified")), checksums_in(node)});
      }
      const std::string next = text_of(xml.root(), "NextPartNumberMarker");
      if (text_of(xml.root(), "IsTruncated") != "true" || static_cast<int>(parts.size()) >= max_parts ||
          next.empty() || next == marker)
        return parts;
      marker = next;
    }
  }

  Result<UploadChecksum> upload_checksum(const ObjectName& name, const std::string& upload_id) override {
    TERRAPIN_TRY(S3Request request, at_object("GET", name));
    request.query = {{"uploadId", upload_id}, {"max-parts", "1"}};
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    TERRAPIN_TRY(const Xml xml, Xml::read(answer, "ListPartsResult", where(request)));
    return checksum_in(xml.root());
  }

  Result<UploadInfo> head_upload(const ObjectName& name, const std::string& upload_id) override {
    TERRAPIN_TRY_STATUS(list_parts(name, upload_id, 0, 1));
    TERRAPIN_TRY(const auto uploads, uploads_of(name.bucket, name.key, -1));
    for (const UploadInfo& upload : uploads)
      if (upload.key == name.key && upload.upload_id == upload_id) return upload;
    return fail(ErrorCode::kNotFound, "there is no upload '{}' of {}", upload_id, s3_uri(name));
  }

  Result<std::vector<UploadInfo>> list_uploads(const std::string& bucket,
                                               const std::string& prefix) override {
    return uploads_of(bucket, prefix, -1);
  }

  using ObjectStore::complete_upload;
  Result<ObjectInfo> complete_upload(const ObjectName& name, const std::string& upload_id,
                                     const std::vector<ChosenPart>& parts,
                                     const Completion& completion) override {
    return complete(name, upload_id, parts, completion);
  }

  Status abort_upload(const ObjectName& name, const std::string& upload_id) override {
    TERRAPIN_TRY(S3Request request, at_object("DELETE", name));
    request.query = {{"uploadId", upload_id}};
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    const bool gone_before = answer.attempts > 1 && answer.status == 404;
    if (!answer.ok() && !gone_before) return refuse(answer, request);
    return {};
  }

  std::string description() const override { return client_->endpoint(); }

 private:
  Result<S3Request> at_bucket(const char* method, const std::string& bucket) const {
    TERRAPIN_TRY_STATUS(check_bucket_name(bucket));
    if (!prefix_.empty()) {
      TERRAPIN_TRY_STATUS(check_bucket_name(prefix_ + bucket));
    }
    S3Request request;
    request.method = method;
    request.bucket = prefix_ + bucket;
    return request;
  }
  Result<S3Request> at_object(const char* method, const ObjectName& name) const {
    TERRAPIN_TRY(S3Request request, at_bucket(method, name.bucket));
    TERRAPIN_TRY_STATUS(check_key(name.key));
    request.key = name.key;
    return request;
  }
  static Status check_part(int number) {
    if (number >= 1 && number <= kMostParts) return {};
    return fail(ErrorCode::kInvalidArgument, "part number {}: allowed are 1 to {}", number, kMostParts);
  }

  std::string where(const S3Request& request) const {
    std::string text = client_->endpoint() + "/" + request.bucket;
    if (!request.key.empty()) text += "/" + request.key;
    return text;
  }

  // "EntityTooSmall: Your proposed upload ... (https://s3.example.org/photos/key)"
  tl::unexpected<Error> refuse(const S3Answer& answer, const S3Request& request) const {
    const Refusal refusal = refusal_of(answer);
    std::string text = refusal.code;
    if (!refusal.message.empty()) text += ": " + refusal.message;
    if (!refusal.region.empty() && refusal.region != region_)
      text += fmt::format(" (the bucket is in the region {}, not {})", refusal.region, region_);
    return fail(code_of(refusal, answer.status), "{} ({} {})", text, request.method, where(request));
  }

  static void add_condition(S3Request& request, const PutCondition& condition) {
    if (condition.if_none_match) request.headers.emplace_back("if-none-match", "*");
    if (condition.if_match) request.headers.emplace_back("if-match", "\"" + *condition.if_match + "\"");
    // What the first attempt changed would make the second one fail.
    if (condition.if_none_match || condition.if_match) request.repeatable = false;
  }

  static ObjectInfo stored(const S3Answer& answer, const std::string& key, std::int64_t size,
                           const ObjectHeaders& headers) {
    ObjectInfo info;
    info.key = key;
    info.size = size;
    if (const auto etag = answer.header("etag")) info.etag = without_quotes(*etag);
    if (const auto date = answer.header("date")) info.modified = http_time(*date);
    info.headers = headers;
    return info;
  }

  Status send_xml(S3Request& request, const pugi::xml_document& document) const {
    const std::string text = xml_of(document);
    const ByteSourcePtr body = bytes_source(text);
    request.body = body.get();
    request.headers.emplace_back("content-type", "application/xml");
    request.headers.emplace_back("content-md5", base64(crypto::hash(crypto::HashKind::kMd5, text)));
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    if (!answer.ok()) return refuse(answer, request);
    return {};
  }

  Result<std::map<std::string, std::string>> tags_of(const ObjectName& name) const {
    TERRAPIN_TRY(S3Request request, at_object("GET", name));
    request.query = {{"tagging", ""}};
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    std::map<std::string, std::string> tags;
    if (!answer.ok()) {
      const std::string code = refusal_of(answer).code;
      // Nobody who may not see tags, and no service without them, has any to show.
      if (code == "AccessDenied" || code == "NotImplemented" || code == "NoSuchTagSet" ||
          answer.status == 501)
        return tags;
      return refuse(answer, request);
    }
    TERRAPIN_TRY(const Xml xml, Xml::read(answer, "Tagging", where(request)));
    for (const pugi::xml_node node : xml.root().child("TagSet").children("Tag"))
      tags[text_of(node, "Key")] = text_of(node, "Value");
    return tags;
  }

  // `most` -1: all.
  Result<std::vector<UploadInfo>> uploads_of(const std::string& bucket, const std::string& prefix,
                                             int most) const {
    TERRAPIN_TRY(S3Request request, at_bucket("GET", bucket));
    std::vector<UploadInfo> uploads;
    std::string key_marker, id_marker;
    for (;;) {
      request.query = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix}};
      if (!key_marker.empty()) request.query.emplace_back("key-marker", key_marker);
      if (!id_marker.empty()) request.query.emplace_back("upload-id-marker", id_marker);
      TERRAPIN_TRY(const S3Answer answer, client_->send(request));
      if (!answer.ok()) return refuse(answer, request);
      TERRAPIN_TRY(const Xml xml, Xml::read(answer, "ListMultipartUploadsResult", where(request)));
      const Names names(xml.root());
      for (const pugi::xml_node node : xml.root().children("Upload"))
        uploads.push_back({names.in(node, "Key"),
                           text_of(node, "UploadId"),
                           iso_time(text_of(node, "Initiated")),
                           {},
                           checksum_in(node)});
      const std::string next = names.in(xml.root(), "NextKeyMarker");
      const bool more = text_of(xml.root(), "IsTruncated") == "true" && !next.empty() &&
                        (most < 0 || static_cast<int>(uploads.size()) < most);
      if (!more) break;
      key_marker = next;
      id_marker = text_of(xml.root(), "NextUploadIdMarker");
    }
    std::stable_sort(uploads.begin(), uploads.end(), [](const UploadInfo& a, const UploadInfo& b) {
      return std::tie(a.key, a.started) < std::tie(b.key, b.started);
    });
    return uploads;
  }

  Result<ObjectInfo> complete(const ObjectName& name, const std::string& upload_id,
                              const std::vector<ChosenPart>& parts, const Completion& completion) {
    TERRAPIN_TRY(S3Request request, at_object("POST", name));
    if (parts.empty())
      return fail(ErrorCode::kInvalidArgument, "{}: an upload is completed with at least one part",
                  s3_uri(name));
    pugi::xml_document document;
    auto root = document.append_child("CompleteMultipartUpload");
    root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
    int before = 0;
    for (const ChosenPart& chosen : parts) {
      TERRAPIN_TRY_STATUS(check_part(chosen.number));
      if (chosen.number <= before)
        return fail(ErrorCode::kInvalidArgument, "InvalidPartOrder: part {} stands after part {}",
                    chosen.number, before);
      before = chosen.number;
      auto part = root.append_child("Part");
      part.append_child("PartNumber").text() = chosen.number;
      part.append_child("ETag").text() = ("\"" + chosen.etag + "\"").c_str();
      for (const auto& [checksum, value] : chosen.checksums)
        part.append_child(("Checksum" + upper_case(checksum)).c_str()).text() = value.c_str();
    }
    const ByteSourcePtr body = bytes_source(xml_of(document));
    request.query = {{"uploadId", upload_id}};
    request.headers = {{"content-type", "application/xml"}};
    for (const auto& [checksum, value] : completion.checksums) {
      const bool of_whole = value.find('-') == std::string::npos;
      request.headers.emplace_back("x-amz-checksum-" + checksum, value);
      request.headers.emplace_back("x-amz-checksum-type", checksum_type(of_whole));
      break;  // S3 takes one
    }
    add_condition(request, completion.condition);
    request.repeatable = true;  // what an attempt before this one did shows below
    request.body = body.get();
    TERRAPIN_TRY(const S3Answer answer, client_->send(request));
    // It may fail after its 200, which only keeps the connection open.
    const bool done = answer.ok() && Xml::read(answer, "CompleteMultipartUploadResult", where(request));
    const bool done_before = !done && answer.attempts > 1;
    if (!done && !done_before) return refuse(answer, request);
    auto info = head(name);
    if (done_before && (!info || info->etag != etag_of_parts(parts))) return refuse(answer, request);
    return info;
  }

  Result<ObjectInfo> put_in_parts(const ObjectName& name, const ByteSource& body,
                                  const ObjectHeaders& headers, const PutCondition& condition) {
    TERRAPIN_TRY(const std::string id, start_upload(name, headers));
    const auto send_all = [&]() -> Result<ObjectInfo> {
      // At least 5 MiB, at most 10,000 of them, none above the limit that brought us here.
      const std::int64_t part_bytes =
          std::max({kMinPartBytes, std::min<std::int64_t>(part_above_bytes_, 64 << 20),
                    (body.size() + kMostParts - 1) / kMostParts});
      std::vector<ChosenPart> parts;
      for (std::int64_t at = 0; at < body.size(); at += part_bytes) {
        const BodySlice slice(body, at, std::min(part_bytes, body.size() - at));
        TERRAPIN_TRY(const PartInfo part, put_part(name, id, static_cast<int>(parts.size()) + 1, slice));
        parts.push_back({part.number, part.etag});
      }
      return complete(name, id, parts, {condition, {}});
    };
    auto info = send_all();
    if (!info) (void)abort_upload(name, id);  // the error that matters is the first one
    return info;
  }

  const std::unique_ptr<S3Client> client_;
  const std::string prefix_, region_;
  const std::int64_t part_above_bytes_;
  std::atomic<bool> counts_tags_{false};
  std::mutex mutex_;
  std::map<std::string, Timestamp> created_;  // guarded by mutex_
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_remote_store(const RemoteStoreOptions& options) {
  if (!options.bucket_prefix.empty()) {
    const auto checked = check_bucket_name(options.bucket_prefix + "abc");
    if (!checked)
      return fail(ErrorCode::kInvalidArgument,
                  "bucket prefix '{}': allowed is what a bucket's name may begin with",
                  options.bucket_prefix);
  }
  TERRAPIN_TRY(auto client, S3Client::open(options));
  return std::make_unique<RemoteStore>(std::move(client), options);
}

}  // namespace terrapin::storage
