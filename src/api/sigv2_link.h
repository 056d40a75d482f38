// Links to objects signed with AWS Signature Version 2 in the query, which boto3 makes unless it is told
// otherwise: AWSAccessKeyId, Expires, Signature.
#pragma once

#include "api/sigv4.h"

namespace terrapin::api {

// Has the request the parameters of such a link? Nothing of them is checked.
bool claims_sigv2_link(const http::Request& request);

// Checks the signature (HMAC-SHA1 over the method, bucket and key, the sub-resources and every x-amz-*
// member, from headers and query alike), its expiry and what such a link may ask for: GET, HEAD, PUT and
// DELETE of an object. A parameter that takes no part in the signature is refused, so that nobody who holds a
// link can make it ask for something else. The bucket is `host_bucket`, or the path's first part if that is
// empty; a link that was made for the one form is good for the same object in the other. The caller must read
// bucket and key in the same way.
AwsResult<VerifiedSignature> verify_sigv2_link(const http::Request& request, const std::string& host_bucket,
                                               const KeyFinder& find_key, const Clock& clock);

}  // namespace terrapin::api
