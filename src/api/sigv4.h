// Who signed a request: AWS Signature Version 4, in the Authorization header or in the query; links to
// objects also with Version 2 (sigv2_link.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/errors.h"
#include "api/exchange.h"
#include "base/clock.h"
#include "http/message.h"
#include "identity/access_keys.h"
#include "storage/sigv4_signing.h"

namespace terrapin::api {

// The header that says what is signed of the body.
inline constexpr std::string_view kContentHash = "x-amz-content-sha256";

// What a request says of its signature; nothing of it is checked.
enum class SignatureForm {
  kNone,
  kHeader,         // Authorization: AWS4-HMAC-SHA256 ...
  kQuery,          // X-Amz-Signature=...
  kQueryVersion2,  // AWSAccessKeyId=...&Signature=...
  kOther,          // some other scheme, or two at once: verify_signature refuses it
};
struct SignatureClaim {
  SignatureForm form = SignatureForm::kNone;
  std::string service;  // of the credential scope; empty if it cannot be read
  std::string key_id;   // empty with it
};
SignatureClaim signature_claim(const http::Request& request);

// The key with that id, with its secret; nullopt if there is none.
using KeyFinder = std::function<Result<std::optional<identity::AccessKey>>(const std::string& id)>;

// What the signature says of the body.
enum class PayloadKind {
  kHash,                   // payload_hash is its SHA-256
  kUnsigned,               // nothing
  kSignedChunks,           // aws-chunked, a signature a chunk
  kSignedChunksTrailer,    // the same with signed trailers
  kUnsignedChunksTrailer,  // aws-chunked without signatures
};

struct VerifiedSignature {
  identity::AccessKey key;
  SignatureForm form = SignatureForm::kHeader;
  PayloadKind payload = PayloadKind::kHash;
  std::string payload_hash;  // lower-case hexadecimal, for kHash
  // With which the chunks of the body are signed.
  Bytes signing_key;
  storage::CredentialScope scope;
  std::string time, signature;
};

// Checks the signature of `request` for `service` ("s3", "sagemaker", ...) in the region of `place`: scope,
// SignedHeaders (host and every x-amz-* header must be among them), time (15 minutes either way, or the
// expiry of a presigned request), secret. Refusals have the code, status and text that AWS gives in that
// protocol. For S3 the body is not read: verify_body (sigv4_body.h) holds it against `payload` afterwards;
// for the others its hash is part of the signature checked here. `host_bucket`: what the caller will take for
// the bucket because the host names it, "" if it reads the path; links of Version 2 sign it.
AwsResult<VerifiedSignature> verify_signature(const http::Request& request, Protocol protocol,
                                              const std::string& service, const Place& place,
                                              const KeyFinder& find_key, const Clock& clock,
                                              const std::string& host_bucket = {});

}  // namespace terrapin::api
