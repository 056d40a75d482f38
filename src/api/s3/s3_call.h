// One S3 request, taken apart, and what the operations share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/exchange.h"
#include "api/s3/s3_error.h"
#include "api/s3/s3_xml.h"
#include "storage/object_store.h"

namespace terrapin::api::s3 {

struct Call {
  const Exchange& exchange;
  storage::ObjectStore& store;
  const Clock& clock;
  const Place& place;
  std::string bucket, key;  // decoded; empty where the path ends before
  bool virtual_host = false;
  ByteSourcePtr body;  // never null

  const http::Request& request() const { return exchange.request; }
  // Signed in the query: what a browser follows as a link.
  bool presigned() const;
  // A header field; those that begin with x-amz- also from a presigned query, where SDKs put them.
  std::optional<std::string> header(std::string_view name) const;
  std::optional<std::string> query(std::string_view name) const;
  std::string query_or_empty(std::string_view name) const { return query(name).value_or(std::string()); }
  storage::ObjectName name() const { return {bucket, key}; }
  // May the caller use that bucket?
  bool may_use(const std::string& other) const { return exchange.caller->may_use_bucket(other); }
};

using Operation = S3Result<http::Response> (*)(const Call&);

// A failure of the store, told for `name`: a missing bucket is NoSuchBucket, a missing object NoSuchKey.
tl::unexpected<S3Error> store_failure(const Call& call, const storage::ObjectName& name, const Error& error);
// The same for an upload: NoSuchUpload.
tl::unexpected<S3Error> upload_failure(const Call& call, const std::string& upload_id, const Error& error);

http::Response xml_response(XmlWriter& xml, int status = 200);
http::Response empty_response(int status);
std::string quoted(const std::string& etag);
std::string owner_id(const Place& place);
void write_owner(XmlWriter& xml, const Place& place, std::string_view element = "Owner");

// Refuses headers that ask for what is not served, by name: encryption with keys, ACLs but private, storage
// classes but STANDARD, locks, redirects.
S3Status check_write_headers(const Call& call);
// KeyTooLongError, InvalidURI.
S3Status check_object_key(const std::string& key);

// What a PUT, POST ?uploads or a copy with REPLACE says of the object.
S3Result<storage::ObjectHeaders> object_headers(const Call& call);
// x-amz-tagging.
S3Result<std::map<std::string, std::string>> tags_of_header(const Call& call);
S3Result<std::map<std::string, std::string>> checked_tags(const TagSet& tags);
// If-None-Match: * and If-Match of a write.
S3Result<storage::PutCondition> put_condition(const Call& call);
// Removes an object, under the condition of an If-Match if there is one.
S3Status remove_object(const Call& call, const storage::ObjectName& name,
                       const std::optional<std::string>& if_match);
// What a store's refusal of a condition is in S3's words.
tl::unexpected<S3Error> condition_failure(const storage::PutCondition& condition);

// Conditions on reading, with RFC 9110's precedence; `prefix` is "" or "x-amz-copy-source-".
enum class Verdict { kGo, kNotModified, kFailed };
struct ConditionResult {
  Verdict verdict = Verdict::kGo;
  std::string condition;  // that failed: "If-Match"
};
ConditionResult check_read_conditions(const Call& call, const storage::ObjectInfo& info,
                                      std::string_view prefix);

struct ByteRange {
  std::int64_t first = 0, count = 0;
};
// The Range header held against a size: nullopt for none or one to be ignored (not of bytes, several,
// malformed); InvalidRange when nothing of it exists.
S3Result<std::optional<ByteRange>> requested_range(const Call& call, const storage::ObjectInfo& info);

// x-amz-checksum-* of an answer, and the same as elements.
void add_checksums(http::Headers& headers, const std::map<std::string, std::string>& checksums);
void write_checksums(XmlWriter& xml, const std::map<std::string, std::string>& checksums);

// partNumber of the query; InvalidArgument.
S3Result<int> part_number(const Call& call);

// "integer between 0 and `most`" of a query parameter; InvalidArgument names it.
S3Result<int> count_parameter(const Call& call, std::string_view name, int fallback, int most);
// Whether names in the answer are percent-encoded (encoding-type=url).
S3Result<bool> wants_url_encoding(const Call& call);
std::string encoded_name(const std::string& name, bool url);

// x-amz-copy-source, checked against the caller's buckets.
S3Result<storage::ObjectName> copy_source(const Call& call);

}  // namespace terrapin::api::s3
