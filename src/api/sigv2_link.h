// Links to objects signed with AWS Signature Version 2 in the query, which boto3 makes unless it is told
// otherwise: AWSAccessKeyId, Expires, Signature.
#pragma once

#include "api/sigv4.h"

namespace terrapin::api {

// Has the request the parameters of such a link? Nothing of them is checked.
bool claims_sigv2_link(const http::Request& request);

// Checks the signature (HMAC-SHA1 over the method, the path, the sub-resources and every x-amz-* member, from
// headers and query alike), its expiry and what such a link may ask for: GET, HEAD, PUT and DELETE of an
// object named in the path. A parameter that takes no part in the signature is refused, so that nobody who
// holds a link can make it ask for something else. Host names take no part: the caller must not read a bucket
// from it.
AwsResult<VerifiedSignature> verify_sigv2_link(const http::Request& request, const KeyFinder& find_key,
                                               const Clock& clock);

}  // namespace terrapin::api
