#include "api/sigv4.h"

#include <gtest/gtest.h>

#include "api/sigv4_body.h"
#include "unit/api/sigv4_requests.h"

namespace terrapin::api {
namespace {

using test::detail;
using test::Fields;
using test::kKeyId;
using test::make_request;
using test::noon;
using test::signed_request;
using test::SigningOptions;

constexpr const char* kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kHost = "examplebucket.s3.amazonaws.com";

AwsResult<VerifiedSignature> verify(const http::Request& request, Protocol protocol = Protocol::kS3,
                                    const std::string& service = "s3", Timestamp now = noon()) {
  const ManualClock clock(now);
  return verify_signature(request, protocol, service, Place{}, test::finder(), clock);
}

std::string authorization(const std::string& names, const std::string& signature) {
  return fmt::format(
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={},"
      "Signature={}",
      names, signature);
}

// The examples of "Signature Calculations for the Authorization Header", Amazon S3 API Reference.
TEST(SigV4, PublishedGetObject) {
  const auto request = make_request(
      "GET", "/test.txt",
      {{"Host", kHost},
       {"Range", "bytes=0-9"},
       {"x-amz-content-sha256", kEmptyHash},
       {"x-amz-date", "20130524T000000Z"},
       {"Authorization", authorization("host;range;x-amz-content-sha256;x-amz-date",
                                       "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")}});
  const auto verified = verify(request);
  ASSERT_TRUE(verified) << verified.error().message << detail(verified.error(), "CanonicalRequest");
  EXPECT_EQ(verified->key.id, kKeyId);
  EXPECT_EQ(verified->payload, PayloadKind::kHash);
}

TEST(SigV4, PublishedPutObject) {
  const auto request = make_request(
      "PUT", "/test%24file.text",
      {{"Host", kHost},
       {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
       {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
       {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
       {"x-amz-date", "20130524T000000Z"},
       {"Authorization", authorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                                       "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")}},
      "Welcome to Amazon S3.");
  const auto verified = verify(request);
  ASSERT_TRUE(verified) << verified.error().message << detail(verified.error(), "CanonicalRequest");
  EXPECT_TRUE(verify_body(request, *verified));
  auto changed = request;
  changed.body.back() = '!';
  const auto refused = verify_body(changed, *verified);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "XAmzContentSHA256Mismatch");
  EXPECT_EQ(refused.error().status, 400);
}

TEST(SigV4, PublishedSubresourceAndList) {
  const auto lifecycle = make_request(
      "GET", "/?lifecycle",
      {{"Host", kHost},
       {"x-amz-content-sha256", kEmptyHash},
       {"x-amz-date", "20130524T000000Z"},
       {"Authorization", authorization("host;x-amz-content-sha256;x-amz-date",
                                       "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")}});
  EXPECT_TRUE(verify(lifecycle));
  const auto list = make_request(
      "GET", "/?max-keys=2&prefix=J",
      {{"Host", kHost},
       {"x-amz-content-sha256", kEmptyHash},
       {"x-amz-date", "20130524T000000Z"},
       {"Authorization", authorization("host;x-amz-content-sha256;x-amz-date",
                                       "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")}});
  EXPECT_TRUE(verify(list));
}

std::string presigned_target(
    const std::string& expires = "86400",
    const std::string& signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404") {
  return "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-"
         "east-1%2Fs3"
         "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=" +
         expires + "&X-Amz-SignedHeaders=host&X-Amz-Signature=" + signature;
}

// "Authenticating Requests: Using Query Parameters", same reference.
TEST(SigV4, PublishedPresignedGet) {
  const auto request = make_request("GET", presigned_target(), {{"Host", kHost}});
  const auto verified = verify(request);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->form, SignatureForm::kQuery);
  EXPECT_EQ(verified->payload, PayloadKind::kUnsigned);
  EXPECT_TRUE(verify(request, Protocol::kS3, "s3", noon() + std::chrono::seconds(86400)));
  const auto late = verify(request, Protocol::kS3, "s3", noon() + std::chrono::seconds(86401));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, "AccessDenied");
  EXPECT_EQ(late.error().status, 403);
  EXPECT_EQ(late.error().message, "Request has expired");
  EXPECT_EQ(detail(late.error(), "Expires"), "2013-05-25T00:00:00Z");
  EXPECT_FALSE(verify(request, Protocol::kS3, "s3", noon() - std::chrono::minutes(16)));
  auto put = request;
  put.method = "PUT";
  EXPECT_EQ(verify(put).error().code, "SignatureDoesNotMatch");
}

TEST(SigV4, PresignedParametersAreChecked) {
  for (const char* expires : {"0", "-1", "604801", "99999999999999999999", "ten", "", "1x"}) {
    const auto refused = verify(make_request("GET", presigned_target(expires), {{"Host", kHost}}));
    ASSERT_FALSE(refused) << expires;
    EXPECT_EQ(refused.error().code, "AuthorizationQueryParametersError") << expires;
    EXPECT_EQ(refused.error().status, 400);
  }
  // In range, but another than was signed.
  EXPECT_EQ(verify(make_request("GET", presigned_target("604800"), {{"Host", kHost}})).error().code,
            "SignatureDoesNotMatch");
  const std::string target = presigned_target();
  for (const char* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires",
                           "X-Amz-SignedHeaders", "X-Amz-Signature"}) {
    std::string without = target;
    without.replace(without.find(name), 6, "Y-Amz-");
    EXPECT_EQ(verify(make_request("GET", without, {{"Host", kHost}})).error().code,
              "AuthorizationQueryParametersError")
        << name;
  }
  EXPECT_EQ(verify(make_request("GET", target + "&X-Amz-Security-Token=abc", {{"Host", kHost}})).error().code,
            "InvalidToken");
  EXPECT_EQ(verify(make_request("GET", target, {{"Host", kHost}, {"x-amz-acl", "public-read"}})).error().code,
            "AccessDenied");
  // A second signature in the same request.
  const auto both =
      verify(make_request("GET", target, {{"Host", kHost}, {"Authorization", authorization("host", "00")}}));
  EXPECT_EQ(both.error().code, "InvalidArgument");
}

TEST(SigV4, AnyChangeOfTheRequestIsNoticed) {
  const Fields fields = {{"Content-Type", "text/plain"}, {"x-amz-meta-a", "one"}};
  const auto request = signed_request(make_request("PUT", "/b/k?partNumber=1&uploadId=u", fields, "body"));
  ASSERT_TRUE(verify(request));
  const auto refused = [&](const http::Request& changed) {
    const auto verified = verify(changed);
    return !verified && verified.error().status == 403 &&
           (verified.error().code == "SignatureDoesNotMatch" || verified.error().code == "AccessDenied");
  };
  auto changed = request;
  changed.method = "POST";
  EXPECT_TRUE(refused(changed));
  changed = request;
  changed.path = "/b/K";
  EXPECT_TRUE(refused(changed));
  changed = request;
  changed.target = "/b/k?partNumber=2&uploadId=u";
  EXPECT_TRUE(refused(changed));
  for (const char* name : {"host", "content-type", "x-amz-meta-a"}) {
    changed = request;
    changed.headers.set(name, "other");
    EXPECT_TRUE(refused(changed)) << name;
    changed = request;
    changed.headers.add(name, "second");
    EXPECT_TRUE(refused(changed)) << name;
  }
  changed = request;
  changed.headers.set("x-amz-content-sha256", test::sha256("other"));
  EXPECT_TRUE(refused(changed));
  changed = request;
  changed.headers.add("x-amz-meta-b", "slipped in");
  EXPECT_EQ(verify(changed).error().code, "AccessDenied");
  EXPECT_EQ(detail(verify(changed).error(), "HeadersNotSigned"), "x-amz-meta-b");
  // What is not part of the signature may change on the way.
  changed = request;
  changed.headers.add("User-Agent", "proxy");
  EXPECT_TRUE(verify(changed));
}

TEST(SigV4, CanonicalForms) {
  using storage::canonical_path;
  using storage::canonical_query;
  using storage::PathRule;
  EXPECT_EQ(canonical_path("/a//b/../c/./%7e%e2%82%ac+!", PathRule::kS3), "/a//b/../c/./~%E2%82%AC%2B%21");
  EXPECT_EQ(canonical_path("/a//b/../c/./d%20e/", PathRule::kEncodedTwice), "/a/c/d%2520e/");
  EXPECT_EQ(canonical_path("/", PathRule::kEncodedTwice), "/");
  EXPECT_EQ(canonical_path("/..", PathRule::kEncodedTwice), "/");
  EXPECT_EQ(canonical_query("b=2&a=1&acl"), "a=1&acl=&b=2");
  EXPECT_EQ(canonical_query("a=x+y&a=%2b&a=%c3%a9&A=1&a-b=1"), "A=1&a=%2B&a=%C3%A9&a=x%20y&a-b=1");
  EXPECT_EQ(canonical_query("k=v=w&&"), "k=v%3Dw");
  EXPECT_EQ(canonical_query("X-Amz-Signature=1&a=2", "X-Amz-Signature"), "a=2");
  EXPECT_EQ(storage::folded_value("  a   b \t c "), "a b c");
}

TEST(SigV4, ScopeMustNameThisPlace) {
  SigningOptions options;
  options.region = "eu-west-1";
  const auto region = verify(signed_request(make_request("GET", "/b", {}), options));
  ASSERT_FALSE(region);
  EXPECT_EQ(region.error().status, 400);
  EXPECT_EQ(region.error().code, "AuthorizationHeaderMalformed");
  EXPECT_EQ(region.error().message,
            "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'");
  EXPECT_EQ(detail(region.error(), "Region"), "us-east-1");
  const auto as_json = verify(signed_request(make_request("POST", "/", {}), options), Protocol::kJson, "s3");
  EXPECT_EQ(as_json.error().code, "InvalidSignatureException");
  options = {};
  options.service = "sns";
  EXPECT_EQ(verify(signed_request(make_request("GET", "/b", {}), options)).error().code,
            "AuthorizationHeaderMalformed");
  options = {};
  auto request = signed_request(make_request("GET", "/b", {{"X-Amz-Date", "20130523T235959Z"}}), options);
  EXPECT_NE(verify(request).error().message.find("Invalid credential date"), std::string::npos);
  // STS answers for its global region too.
  options.service = "sts";
  const ManualClock clock(noon());
  EXPECT_TRUE(verify_signature(signed_request(make_request("POST", "/", {}, "Action=x"), options),
                               Protocol::kQuery, "sts", Place{"eu-central-1", "1"}, test::finder(), clock));
}

TEST(SigV4, ClockMayDifferByFifteenMinutes) {
  const auto request = signed_request(make_request("GET", "/b", {}));
  for (const int minutes : {-15, 15})
    EXPECT_TRUE(verify(request, Protocol::kS3, "s3", noon() + std::chrono::minutes(minutes)));
  for (const int seconds : {-901, 901}) {
    const Timestamp now = noon() + std::chrono::seconds(seconds);
    const auto refused = verify(request, Protocol::kS3, "s3", now);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "RequestTimeTooSkewed");
    EXPECT_EQ(refused.error().status, 403);
    SigningOptions options;
    options.service = "sagemaker";
    const auto by_json = verify(signed_request(make_request("POST", "/", {}, "{}"), options), Protocol::kJson,
                                "sagemaker", now);
    ASSERT_FALSE(by_json);
    EXPECT_EQ(by_json.error().code, "InvalidSignatureException");
    EXPECT_EQ(by_json.error().status, 400);
    EXPECT_NE(by_json.error().message.find(seconds > 0 ? "Signature expired: 20130524T000000Z"
                                                       : "Signature not yet current"),
              std::string::npos);
  }
  // Date alone will do; neither will not.
  auto dated = make_request("GET", "/b", {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}});
  dated = signed_request(dated);
  auto fields = dated.headers.fields();
  http::Headers without;
  for (const auto& [name, value] : fields)
    if (name != "X-Amz-Date" && name != "Date") without.add(name, value);
  dated.headers = without;
  EXPECT_EQ(verify(dated).error().message, "AWS authentication requires a valid Date or x-amz-date header");
}

TEST(SigV4, RefusalsNameTheirReason) {
  SigningOptions options;
  options.key_id = "AKIAUNKNOWN";
  const auto unknown = signed_request(make_request("GET", "/b", {}), options);
  EXPECT_EQ(verify(unknown).error().code, "InvalidAccessKeyId");
  EXPECT_EQ(verify(unknown).error().status, 403);
  options = {};
  options.secret = "wrong";
  const auto wrong = verify(signed_request(make_request("GET", "/b", {}), options));
  EXPECT_EQ(wrong.error().code, "SignatureDoesNotMatch");
  EXPECT_EQ(wrong.error().status, 403);
  EXPECT_NE(detail(wrong.error(), "StringToSign"), "");
  options.service = "sagemaker";
  const auto by_json =
      verify(signed_request(make_request("POST", "/", {}, "{}"), options), Protocol::kJson, "sagemaker");
  EXPECT_EQ(by_json.error().code, "InvalidSignatureException");
  options = {};
  options.service = "sagemaker";
  options.key_id = "AKIAUNKNOWN";
  const auto token =
      verify(signed_request(make_request("POST", "/", {}, "{}"), options), Protocol::kJson, "sagemaker");
  EXPECT_EQ(token.error().code, "UnrecognizedClientException");
  EXPECT_EQ(token.error().message, "The security token included in the request is invalid.");
  options.service = "sts";
  const auto query =
      verify(signed_request(make_request("POST", "/", {}, ""), options), Protocol::kQuery, "sts");
  EXPECT_EQ(query.error().code, "InvalidClientTokenId");
  EXPECT_EQ(query.error().status, 403);

  EXPECT_EQ(verify(make_request("GET", "/b", {{"Host", "h"}})).error().code, "AccessDenied");
  EXPECT_EQ(verify(make_request("POST", "/", {{"Host", "h"}}), Protocol::kJson, "sagemaker").error().code,
            "MissingAuthenticationTokenException");
  EXPECT_EQ(verify(make_request("GET", "/b", {{"Authorization", "AWS AKID:sig"}})).error().code,
            "InvalidRequest");
  EXPECT_EQ(verify(make_request("GET", "/b", {{"Authorization", "Bearer x"}})).error().code,
            "InvalidArgument");
  EXPECT_EQ(verify(make_request("GET", "/b?AWSAccessKeyId=a&Signature=b&Expires=9", {})).error().code,
            "InvalidRequest");
  for (const char* header :
       {"AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential=a", "AWS4-HMAC-SHA256 ,,,==,",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=/20130524/us-east-1/s3/aws4_request, SignedHeaders=, Signature="}) {
    const auto refused = verify(make_request("GET", "/b", {{"Host", "h"}, {"Authorization", header}}));
    ASSERT_FALSE(refused) << header;
    EXPECT_EQ(refused.error().code, "AuthorizationHeaderMalformed") << header;
    const auto other = verify(make_request("GET", "/b", {{"Host", "h"}, {"Authorization", header}}),
                              Protocol::kJson, "sagemaker");
    EXPECT_EQ(other.error().code, "IncompleteSignatureException") << header;
    EXPECT_EQ(other.error().status, 400);
  }
  const auto session = signed_request(make_request("GET", "/b", {{"x-amz-security-token", "abc"}}));
  EXPECT_EQ(verify(session).error().code, "InvalidToken");
  EXPECT_TRUE(verify(signed_request(make_request("GET", "/b", {{"x-amz-security-token", ""}}))));

  options = {};
  options.leave_unsigned = {"host"};
  EXPECT_EQ(verify(signed_request(make_request("GET", "/b", {}), options)).error().code, "AccessDenied");
  const auto no_hash = signed_request(make_request("GET", "/b", {{"x-amz-content-sha256", "shrug"}}));
  EXPECT_EQ(verify(no_hash).error().code, "InvalidArgument");
}

TEST(SigV4, BodyOfJsonRequestsIsPartOfTheSignature) {
  SigningOptions options;
  options.service = "sagemaker";
  auto request = signed_request(
      make_request("POST", "/", {{"X-Amz-Target", "SageMaker.ListTags"}}, "{\"a\":1}"), options);
  ASSERT_TRUE(verify(request, Protocol::kJson, "sagemaker"));
  auto spooled = request;
  spooled.spooled = bytes_source(request.body);
  spooled.body.clear();
  EXPECT_TRUE(verify(spooled, Protocol::kJson, "sagemaker"));
  request.body[5] = '2';
  EXPECT_EQ(verify(request, Protocol::kJson, "sagemaker").error().code, "InvalidSignatureException");
  // A header cannot excuse the body from it.
  auto unsigned_body = signed_request(
      make_request("POST", "/", {{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}, "{\"a\":1}"), options);
  EXPECT_FALSE(verify(unsigned_body, Protocol::kJson, "sagemaker"));
}

TEST(SigV4, FailureToReadKeysIsNotARefusal) {
  const ManualClock clock(noon());
  const auto broken = [](const std::string&) -> Result<std::optional<identity::AccessKey>> {
    return fail(ErrorCode::kCorrupt, "/secret/path: broken");
  };
  const auto refused = verify_signature(signed_request(make_request("GET", "/b", {})), Protocol::kS3, "s3",
                                        Place{}, broken, clock);
  EXPECT_EQ(refused.error().status, 500);
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);
}

TEST(SigV4Body, ChecksumsAndMd5) {
  const std::string body = "hello";
  const auto check = [&](const Fields& fields, const std::string& target = "/b/k",
                         const std::string& method = "PUT") {
    const auto request = signed_request(make_request(method, target, fields, body));
    const auto verified = verify(request);
    return verify_body(request, *verified);
  };
  const std::vector<std::pair<std::string, std::string>> right = {
      {"crc32", "NhCmhg=="},
      {"crc32c", "mnG7TA=="},
      {"sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="},
      {"sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}};
  for (const auto& [name, value] : right) {
    const auto verified = check({{"x-amz-checksum-" + name, value}});
    ASSERT_TRUE(verified) << name << verified.error().message;
    EXPECT_EQ(verified->checksums.at(name), value);
    std::string wrong = value;
    wrong[0] = wrong[0] == 'A' ? 'B' : 'A';
    EXPECT_EQ(check({{"x-amz-checksum-" + name, wrong}}).error().code, "BadDigest") << name;
    EXPECT_EQ(check({{"x-amz-checksum-" + name, "shrug"}}).error().code, "InvalidRequest") << name;
  }
  EXPECT_EQ(check({{"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="}}).error().code, "BadDigest");
  EXPECT_EQ(
      check({{"x-amz-checksum-crc32", "NhCmhg=="}, {"x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="}})
          .error()
          .code,
      "InvalidRequest");
  EXPECT_EQ(check({{"x-amz-checksum-xyz", "NhCmhg=="}}).error().code, "InvalidRequest");
  EXPECT_EQ(check({{"x-amz-sdk-checksum-algorithm", "CRC32"}}).error().code, "InvalidRequest");
  EXPECT_EQ(
      check({{"x-amz-sdk-checksum-algorithm", "SHA1"}, {"x-amz-checksum-crc32", "NhCmhg=="}}).error().code,
      "InvalidRequest");
  EXPECT_TRUE(check({{"x-amz-sdk-checksum-algorithm", "CRC32"}, {"x-amz-checksum-crc32", "NhCmhg=="}}));
  EXPECT_TRUE(check({{"x-amz-checksum-mode", "ENABLED"}, {"x-amz-checksum-algorithm", "CRC32"}}));
  // The checksum of a whole object, which this body does not hold.
  EXPECT_TRUE(check({{"x-amz-checksum-crc32", "AAAAAA=="}}, "/b/k?uploadId=u", "POST"));

  EXPECT_TRUE(check({{"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg=="}}));
  EXPECT_EQ(check({{"Content-MD5", "AAAAKrxLKna5cZ2REBfFkg=="}}).error().code, "BadDigest");
  EXPECT_EQ(check({{"Content-MD5", "XUFAKrxL"}}).error().code, "InvalidDigest");
  EXPECT_EQ(check({{"Content-MD5", "!"}}).error().code, "InvalidDigest");
}

}  // namespace
}  // namespace terrapin::api
