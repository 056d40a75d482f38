// AWS Signature Version 4: the texts that are signed and how. Shared by who checks signatures (api) and who
// makes them (the remote object store).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/files.h"

namespace terrapin::storage {

inline constexpr std::string_view kSigV4Algorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// S3 signs the path in its one canonical encoding; every other service first removes "." , ".." and repeated
// slashes, then encodes the encoded path once more.
enum class PathRule { kS3, kEncodedTwice };
std::string canonical_path(std::string_view encoded_path, PathRule rule);

// "b=2&a=1&acl" -> "a=1&acl=&b=2"; '+' counts as a space, as whoever reads the query takes it. The parameter
// `left_out` (X-Amz-Signature of presigned requests) does not take part.
std::string canonical_query(std::string_view raw_query, std::string_view left_out = {});
// The same of decoded names and values.
std::string canonical_query(const std::vector<std::pair<std::string, std::string>>& parameters);

// Without white space at both ends, runs of it inside as one space.
std::string folded_value(std::string_view value);

struct SignedRequest {
  std::string method, path, query;  // path and query canonical
  // Names lower case, in the order in which SignedHeaders lists them; values folded.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string payload_hash;  // x-amz-content-sha256
};
std::string signed_header_names(const SignedRequest& request);  // "host;x-amz-date"
std::string canonical_request(const SignedRequest& request);

struct CredentialScope {
  std::string date, region, service;  // date: "20130524"
  std::string text() const;           // "20130524/us-east-1/s3/aws4_request"
};

Bytes signing_key(std::string_view secret, const CredentialScope& scope);
// `time`: "20130524T000000Z".
std::string string_to_sign(std::string_view time, const CredentialScope& scope, std::string_view canonical);
std::string signature(const Bytes& key, std::string_view text_to_sign);  // lower-case hexadecimal

std::string basic_time_text(Timestamp time);  // "20130524T000000Z"

}  // namespace terrapin::storage
