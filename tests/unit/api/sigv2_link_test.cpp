#include "api/sigv2_link.h"

#include <gtest/gtest.h>

#include "api/gateway.h"
#include "api/sigv4_body.h"
#include "base/base64.h"
#include "base/percent.h"
#include "unit/api/sigv4_requests.h"

namespace terrapin::api {
namespace {

using test::Fields;
using test::kKeyId;
using test::kSecret;
using test::make_request;

constexpr std::int64_t kExpires = 1'175'139'620;

AwsResult<VerifiedSignature> verify_link(const http::Request& request, std::int64_t now_s = kExpires - 60,
                                         const std::string& host_bucket = {}) {
  const ManualClock clock(from_microseconds(now_s * 1'000'000));
  return verify_signature(request, Protocol::kS3, "s3", Place{}, test::finder(), clock, host_bucket);
}
AwsResult<VerifiedSignature> verify_in(const std::string& host_bucket, const http::Request& request) {
  return verify_link(request, kExpires - 60, host_bucket);
}

// A link as a client makes it: `signed_query` holds what takes part in the signature, in order.
std::string link(const std::string& method, const std::string& path, const std::string& signed_query = {},
                 const std::string& members = {}, const std::string& type = {},
                 const std::string& query = {}) {
  const std::string to_sign = fmt::format("{}\n\n{}\n{}\n{}{}{}", method, type, kExpires, members, path,
                                          signed_query.empty() ? "" : "?" + signed_query);
  return fmt::format("{}?{}AWSAccessKeyId={}&Expires={}&Signature={}", path,
                     query.empty() ? (signed_query.empty() ? "" : signed_query + "&") : query + "&", kKeyId,
                     kExpires, percent_encode(base64(crypto::hmac_sha1(kSecret, to_sign))));
}

// The example of "Query String Request Authentication Alternative", Amazon S3 Developer Guide, with its
// bucket in the path.
TEST(SigV2Link, Published) {
  const auto request =
      make_request("GET",
                   "/johnsmith/photos/"
                   "puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&"
                   "Expires=1175139620",
                   {{"Host", "s3.amazonaws.com"}});
  const auto verified = verify_link(request);
  ASSERT_TRUE(verified) << verified.error().message << test::detail(verified.error(), "StringToSign");
  EXPECT_EQ(verified->form, SignatureForm::kQueryVersion2);
  EXPECT_EQ(verified->payload, PayloadKind::kUnsigned);
  EXPECT_EQ(verified->key.id, kKeyId);
  EXPECT_TRUE(verify_link(request, kExpires));
  const auto late = verify_link(request, kExpires + 1);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, "AccessDenied");
  EXPECT_EQ(late.error().message, "Request has expired");
}

// The same example as it stands there: the bucket is named by the host, and signed all the same.
TEST(SigV2Link, PublishedWithTheBucketInTheHost) {
  const auto request = make_request("GET",
                                    "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature="
                                    "NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620",
                                    {{"Host", "johnsmith.s3.amazonaws.com"}});
  EXPECT_TRUE(verify_in("johnsmith", request));
  for (const char* other : {"", "johnsmiths", "john", "johnsmith/photos", "johnsmith.s3"})
    EXPECT_FALSE(verify_in(other, request)) << other;
}

TEST(SigV2Link, AHostCannotNameAnotherObject) {
  const std::string target = link("GET", "/photos/a/b");
  const std::string query = target.substr(target.find('?'));
  EXPECT_TRUE(verify_in("photos", make_request("GET", "/a/b" + query, {})));
  // "/photos" + "/photos/a/b", and what only looks like "/photos/a/b" when it is put together.
  EXPECT_EQ(verify_in("photos", make_request("GET", target, {})).error().code, "SignatureDoesNotMatch");
  EXPECT_EQ(verify_in("photos/a", make_request("GET", "/b" + query, {})).error().code, "InvalidRequest");
  EXPECT_EQ(verify_in("photos", make_request("GET", "/" + query, {})).error().code, "InvalidRequest");
}

TEST(SigV2Link, IsGoodForWhatWasSignedOnly) {
  const std::string target = link("GET", "/photos/a");
  ASSERT_TRUE(verify_link(make_request("GET", target, {})));
  ASSERT_TRUE(verify_link(make_request("GET", target, {{"Range", "bytes=0-1"}, {"If-None-Match", "x"}})));
  struct Change {
    std::string method, target;
    Fields headers;
  };
  std::string path = target, expiry = target, other_key = target;
  path.replace(path.find("/a?"), 3, "/b?");
  expiry.replace(expiry.find("1175139620"), 10, "1999999999");
  for (const Change& change : {Change{"PUT", target, {}}, Change{"DELETE", target, {}},
                               Change{"HEAD", target, {}}, Change{"GET", path, {}}, Change{"GET", expiry, {}},
                               Change{"GET", target + "&acl", {}}, Change{"GET", target + "&tagging=", {}},
                               Change{"GET", target + "&response-content-type=text/html", {}},
                               Change{"GET", target + "&x-amz-checksum-mode=ENABLED", {}},
                               Change{"GET", target, {{"x-amz-checksum-mode", "ENABLED"}}},
                               Change{"GET", target, {{"Content-Type", "text/plain"}}},
                               Change{"GET", target + "&content-type=a", {}},
                               Change{"GET", target, {{"Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="}}}}) {
    const auto refused = verify_link(make_request(change.method, change.target, change.headers));
    ASSERT_FALSE(refused) << change.method << " " << change.target;
    EXPECT_EQ(refused.error().code, "SignatureDoesNotMatch") << change.method << " " << change.target;
    EXPECT_EQ(refused.error().status, 403);
  }
  // What takes no part in the signature would be anybody's to add.
  for (const char* added : {"&attributes", "&cors", "&max-keys=1", "&delete", "&policy", "&versioning"}) {
    const auto refused = verify_link(make_request("GET", target + added, {}));
    ASSERT_FALSE(refused) << added;
    EXPECT_EQ(refused.error().code, "AccessDenied") << added;
  }
}

// A link to upload must not become a copy of another object.
TEST(SigV2Link, NobodyAddsWhatStandsForAHeader) {
  const std::string target = link("PUT", "/photos/a");
  ASSERT_TRUE(verify_link(make_request("PUT", target, {})));
  for (const char* name : {"x-amz-copy-source", "X-Amz-Copy-Source", "x-amz-tagging", "x-amz-meta-a"}) {
    EXPECT_EQ(verify_link(make_request("PUT", target + "&" + name + "=%2Fphotos%2Fsecret", {})).error().code,
              "SignatureDoesNotMatch");
    EXPECT_EQ(verify_link(make_request("PUT", target, {{name, "/photos/secret"}})).error().code,
              "SignatureDoesNotMatch");
  }
  const std::string with_copy =
      link("PUT", "/photos/a", "", "x-amz-copy-source:/photos/b\n", "", "x-amz-copy-source=%2Fphotos%2Fb");
  EXPECT_TRUE(verify_link(make_request("PUT", with_copy, {})));
  EXPECT_EQ(verify_link(make_request("PUT", with_copy + "&X-Amz-Copy-Source=%2Fphotos%2Fc", {})).error().code,
            "InvalidRequest");
  EXPECT_EQ(verify_link(make_request("PUT", with_copy, {{"x-amz-copy-source", "/photos/c"}})).error().code,
            "InvalidRequest");
}

TEST(SigV2Link, SignsSubresourcesAndMembersInTheirOrder) {
  EXPECT_TRUE(verify_link(make_request("GET", link("GET", "/photos/a", "acl"), {})));
  EXPECT_TRUE(verify_link(make_request("PUT", link("PUT", "/photos/a", "partNumber=2&uploadId=u"), {})));
  EXPECT_TRUE(verify_link(make_request(
      "PUT", link("PUT", "/photos/a", "partNumber=2&uploadId=u", "", "", "uploadId=u&partNumber=2"), {})));
  // Values take part as they are meant, not as they are written.
  EXPECT_TRUE(verify_link(make_request("GET",
                                       link("GET", "/photos/a", "response-content-type=text/plain; a=b", "",
                                            "", "response-content-type=text%2Fplain%3B%20a%3Db"),
                                       {})));
  const std::string put = link("PUT", "/photos/a", "", "x-amz-meta-a:1\nx-amz-tagging:k=v\n", "image/png",
                               "x-amz-tagging=k%3Dv&content-type=image%2Fpng&x-amz-meta-a=1");
  const auto request = make_request("PUT", put, {});
  const auto verified = verify_link(request);
  ASSERT_TRUE(verified) << test::detail(verified.error(), "StringToSign");
  ASSERT_TRUE(needs_plain_request(request, *verified));
  const http::Request plain = plain_request(request, *verified);
  EXPECT_EQ(plain.headers.find("content-type"), "image/png");
  EXPECT_EQ(plain.headers.find("x-amz-tagging"), "k=v");
  EXPECT_EQ(plain.headers.find("x-amz-meta-a"), "1");
}

TEST(SigV2Link, IsForObjectsAndFourMethods) {
  for (const char* path : {"/", "/photos", "/photos/", "//key"}) {
    const auto refused = verify_link(make_request("GET", link("GET", path), {}));
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, "InvalidRequest") << path;
  }
  for (const char* method : {"POST", "PATCH", "OPTIONS"})
    EXPECT_EQ(verify_link(make_request(method, link(method, "/photos/a"), {})).error().code,
              "InvalidRequest");
  // Beside another signature it counts for nothing.
  const std::string target = link("GET", "/photos/a");
  EXPECT_FALSE(verify_link(make_request("GET", target, {{"Authorization", "AWS a:b"}})));
  EXPECT_FALSE(verify_link(make_request("GET", target + "&X-Amz-Algorithm=AWS4-HMAC-SHA256", {})));
}

TEST(SigV2Link, ParametersAreChecked) {
  const std::string target = link("GET", "/photos/a");
  const auto with = [&](const std::string& old, const std::string& text) {
    std::string changed = target;
    changed.replace(changed.find(old), old.size(), text);
    return verify_link(make_request("GET", changed, {}));
  };
  for (const char* expires : {"", "x", "-1", "1x", "99999999999999999999999", "1.5"})
    EXPECT_EQ(with("1175139620", expires).error().code, "AccessDenied") << expires;
  EXPECT_EQ(with("Expires=", "expired=").error().code, "AccessDenied");
  EXPECT_EQ(with(kKeyId, "TPIANOBODY").error().code, "InvalidAccessKeyId");
  EXPECT_EQ(verify_link(make_request("GET", target + "&Expires=1999999999", {})).error().code,
            "InvalidRequest");
  EXPECT_EQ(verify_link(make_request("GET", target + "&x-amz-security-token=abc", {})).error().code,
            "InvalidToken");
}

// The hash that the client signed is that of the body.
TEST(SigV2Link, HoldsTheBodyAgainstItsHash) {
  const std::string hash = test::sha256("content");
  const std::string target = link("PUT", "/photos/a", "", "x-amz-content-sha256:" + hash + "\n");
  auto request = make_request("PUT", target, {{"x-amz-content-sha256", hash}}, "content");
  const auto verified = verify_link(request);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_TRUE(verify_body(request, *verified));
  request.body.back() = '!';
  EXPECT_EQ(verify_body(request, *verified).error().code, "XAmzContentSHA256Mismatch");
  for (const char* kind : {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "nonsense"}) {
    const std::string other = link("PUT", "/photos/a", "", fmt::format("x-amz-content-sha256:{}\n", kind));
    EXPECT_EQ(verify_link(make_request("PUT", other, {{"x-amz-content-sha256", kind}})).error().code,
              "InvalidArgument");
  }
}

TEST(SigV2Link, NoOtherServiceTakesIt) {
  const ManualClock clock(from_microseconds((kExpires - 60) * 1'000'000));
  const auto refused = verify_signature(make_request("POST", link("POST", "/a/b"), {}), Protocol::kJson,
                                        "sagemaker", Place{}, test::finder(), clock);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "IncompleteSignatureException");
}

}  // namespace
}  // namespace terrapin::api
