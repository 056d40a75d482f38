// Holds the body of an S3 request against everything that the client said of it.
#pragma once

#include <map>
#include <string>

#include "api/exchange.h"
#include "api/sigv4.h"
#include "base/byte_source.h"
#include "http/message.h"

namespace terrapin::api {

struct VerifiedBody {
  ByteSourcePtr content;                         // decoded
  std::map<std::string, std::string> checksums;  // "crc32" -> base64: declared and found right
};

// Removes aws-chunked framing and checks, in one pass: the SHA-256 of the signature or the signatures of the
// chunks, x-amz-checksum-{crc32,crc32c,crc64nvme,sha1,sha256} as a header, as a trailer or, presigned, in the
// query, and Content-MD5. (The checksum that CompleteMultipartUpload carries is of the object, not of the
// body: it is left to the service.) Refusals: XAmzContentSHA256Mismatch, BadDigest, InvalidDigest,
// InvalidRequest, MissingContentLength, MalformedTrailerError and those of decode_aws_chunked.
AwsResult<VerifiedBody> verify_body(const http::Request& request, const VerifiedSignature& signature);

// True if the service must see other headers than were sent: aws-chunked leaves Content-Encoding, and the
// x-amz-* members that a presigned link has in its query count as headers.
bool needs_plain_request(const http::Request& request, const VerifiedSignature& signature);
// The request with those headers, without its body.
http::Request plain_request(const http::Request& request, const VerifiedSignature& signature);

}  // namespace terrapin::api
