#include "api/gateway.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "unit/api/sigv4_requests.h"

namespace terrapin::api {
namespace {

using test::Fields;
using test::make_request;
using test::noon;
using test::signed_request;
using test::SigningOptions;

struct Seen {
  std::string service, body, owner, request_id, encoding, metadata;
  std::map<std::string, std::string> checksums;
  bool has_caller = false;
  int calls = 0;
};

class GatewayTest : public ::testing::Test {
 protected:
  Gateway gateway(identity::Scope scope = identity::Scope::kAdmin) {
    Gateway gate({Place{}, test::finder(scope), &clock_});
    for (const char* name : {"s3", "sagemaker", "sagemaker-runtime"})
      gate.add(name, [this, name](const Exchange& exchange) {
        ++seen_.calls;
        seen_.service = name;
        seen_.body = *read_all_text(*exchange.body, 1 << 20);
        seen_.has_caller = exchange.caller.has_value();
        seen_.owner = exchange.caller ? exchange.caller->owner : "";
        seen_.request_id = exchange.request_id;
        seen_.checksums = exchange.checksums;
        seen_.encoding = exchange.request.headers.find("content-encoding").value_or("none");
        seen_.metadata = exchange.request.headers.find("x-amz-meta-a").value_or("none");
        return http::Response::text(200, "text/plain", "ok");
      });
    return gate;
  }
  static http::Request for_service(const std::string& service, http::Request request) {
    SigningOptions options;
    options.service = service;
    return signed_request(std::move(request), options);
  }
  ManualClock clock_{noon()};
  Seen seen_;
};

std::string body_of(const http::Response& response) {
  return {response.body.begin(), response.body.end()};
}
nlohmann::json json_of(const http::Response& response) {
  return nlohmann::json::parse(body_of(response));
}
std::string element(const http::Response& response, const char* path) {
  pugi::xml_document document;
  EXPECT_TRUE(document.load_string(body_of(response).c_str())) << body_of(response);
  return document.select_node(path).node().text().get();
}

TEST_F(GatewayTest, ScopeAndPathChooseTheService) {
  const Gateway gate = gateway();
  const auto s3 = *gate.handle(signed_request(make_request("PUT", "/b/k", {}, "hello")));
  EXPECT_EQ(s3.status, 200);
  EXPECT_EQ(seen_.service, "s3");
  EXPECT_EQ(seen_.body, "hello");
  EXPECT_EQ(seen_.owner, "ada");
  EXPECT_EQ(s3.headers.find("x-amz-request-id"), seen_.request_id);
  EXPECT_EQ(seen_.request_id.size(), 16U);

  const auto json = *gate.handle(
      for_service("sagemaker", make_request("POST", "/", {{"X-Amz-Target", "SageMaker.ListTags"}}, "{}")));
  EXPECT_EQ(json.status, 200);
  EXPECT_EQ(seen_.service, "sagemaker");
  EXPECT_EQ(json.headers.find("x-amzn-RequestId"), seen_.request_id);
  EXPECT_EQ(seen_.request_id.size(), 36U);

  EXPECT_EQ(gate.handle(for_service("sagemaker", make_request("POST", "/endpoints/t/invocations", {}, "x")))
                ->status,
            200);
  EXPECT_EQ(seen_.service, "sagemaker-runtime");
  // The path alone does not: an object of a bucket called endpoints.
  EXPECT_EQ(gate.handle(signed_request(make_request("GET", "/endpoints/t/invocations", {})))->status, 200);
  EXPECT_EQ(seen_.service, "s3");
  EXPECT_EQ(seen_.calls, 4);
}

TEST_F(GatewayTest, WithoutASignatureNothingReachesAService) {
  const Gateway gate = gateway();
  const auto s3 = *gate.handle(make_request("GET", "/b/k", {{"Host", "h"}}));
  EXPECT_EQ(s3.status, 403);
  EXPECT_EQ(*s3.headers.find("content-type"), "application/xml");
  EXPECT_EQ(element(s3, "/Error/Code"), "AccessDenied");
  EXPECT_EQ(element(s3, "/Error/Resource"), "/b/k");
  EXPECT_EQ(element(s3, "/Error/RequestId"), *s3.headers.find("x-amz-request-id"));
  const auto json = *gate.handle(make_request("POST", "/", {{"X-Amz-Target", "SageMaker.ListTags"}}, "{}"));
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(json_of(json)["__type"], "MissingAuthenticationTokenException");
  EXPECT_EQ(json_of(json)["message"], "Missing Authentication Token");
  const auto sts = *gate.handle(make_request(
      "POST", "/", {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}}, "Action=x"));
  EXPECT_EQ(sts.status, 403);
  EXPECT_EQ(element(sts, "/ErrorResponse/Error/Code"), "MissingAuthenticationToken");
  EXPECT_EQ(seen_.calls, 0);
  // Browsers ask first, without credentials.
  EXPECT_EQ(gate.handle(make_request("OPTIONS", "/b/k", {{"Origin", "http://x"}}))->status, 200);
  EXPECT_EQ(seen_.calls, 1);
  EXPECT_FALSE(seen_.has_caller);
  // Also about a link, whose signature is another method's.
  EXPECT_EQ(gate.handle(make_request("OPTIONS",
                                     "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F"
                                     "20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=00",
                                     {{"Origin", "http://x"}}))
                ->status,
            200);
  EXPECT_EQ(seen_.calls, 2);
  EXPECT_FALSE(seen_.has_caller);
}

TEST_F(GatewayTest, RefusalsSpeakTheServicesProtocol) {
  const Gateway gate = gateway();
  SigningOptions options;
  options.secret = "wrong";
  const auto s3 = *gate.handle(signed_request(make_request("GET", "/b/<k>", {}), options));
  EXPECT_EQ(s3.status, 403);
  EXPECT_EQ(element(s3, "/Error/Code"), "SignatureDoesNotMatch");
  EXPECT_EQ(element(s3, "/Error/AWSAccessKeyId"), test::kKeyId);
  EXPECT_EQ(element(s3, "/Error/Resource"), "/b/<k>");
  options.service = "sagemaker";
  const auto runtime =
      *gate.handle(signed_request(make_request("POST", "/endpoints/t/invocations", {}, "x"), options));
  EXPECT_EQ(runtime.status, 403);
  EXPECT_EQ(*runtime.headers.find("x-amzn-ErrorType"), "InvalidSignatureException");
  EXPECT_TRUE(json_of(runtime).contains("message"));
  const auto body = *gate.handle(
      signed_request(make_request("PUT", "/b/k", {{"Content-MD5", "AAAAKrxLKna5cZ2REBfFkg=="}}, "hello")));
  EXPECT_EQ(body.status, 400);
  EXPECT_EQ(element(body, "/Error/Code"), "BadDigest");
  EXPECT_EQ(element(body, "/Error/Resource"), "/b/k");
  EXPECT_EQ(seen_.calls, 0);
}

TEST_F(GatewayTest, UnknownServicesAreToldWhatIsServed) {
  const Gateway gate = gateway();
  const auto json = *gate.handle(
      for_service("dynamodb", make_request("POST", "/", {{"X-Amz-Target", "DynamoDB_20120810.X"}}, "{}")));
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(json_of(json)["message"],
            "The service 'dynamodb' is not served here; served are iam, s3, sagemaker, sts.");
  const auto form = *gate.handle(for_service(
      "ec2", make_request("POST", "/", {{"Content-Type", "application/x-www-form-urlencoded"}}, "Action=x")));
  EXPECT_EQ(element(form, "/ErrorResponse/Error/Code"), "InvalidAction");
  const auto rest = *gate.handle(for_service("lambda", make_request("GET", "/2015-03-31/functions", {})));
  EXPECT_NE(element(rest, "/Error/Message").find("served are iam, s3, sagemaker, sts"), std::string::npos);
  // Logs is not registered here.
  EXPECT_EQ(
      gate.handle(for_service("logs", make_request("POST", "/", {{"X-Amz-Target", "Logs_20140328.X"}}, "{}")))
          ->status,
      400);
  EXPECT_EQ(seen_.calls, 0);
}

TEST_F(GatewayTest, TransferEncodingIsGoneWhenAServiceSeesTheRequest) {
  const Gateway gate = gateway();
  const auto request =
      signed_request(make_request("PUT", "/b/k",
                                  {{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
                                   {"x-amz-decoded-content-length", "5"},
                                   {"x-amz-trailer", "x-amz-checksum-crc32"},
                                   {"Content-Encoding", "aws-chunked"},
                                   {"x-amz-meta-a", "one"}},
                                  "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"));
  ASSERT_EQ(gate.handle(request)->status, 200);
  EXPECT_EQ(seen_.body, "hello");
  EXPECT_EQ(seen_.encoding, "none");
  EXPECT_EQ(seen_.metadata, "one");
  EXPECT_EQ(seen_.checksums.at("crc32"), "NhCmhg==");
}

TEST_F(GatewayTest, MembersInAPresignedQueryCountAsHeaders) {
  const Gateway gate = gateway();
  const storage::CredentialScope scope{"20130524", "us-east-1", "s3"};
  const std::string query =
      storage::canonical_query({{"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
                                {"X-Amz-Credential", std::string(test::kKeyId) + "/" + scope.text()},
                                {"X-Amz-Date", "20130524T000000Z"},
                                {"X-Amz-Expires", "60"},
                                {"X-Amz-SignedHeaders", "host"},
                                {"x-amz-checksum-crc32", "NhCmhg=="},
                                {"x-amz-sdk-checksum-algorithm", "CRC32"},
                                {"x-amz-meta-a", "two"}});
  storage::SignedRequest text{"PUT", "/b/k", query, {{"host", "h"}}, "UNSIGNED-PAYLOAD"};
  const std::string signature = storage::signature(
      storage::signing_key(test::kSecret, scope),
      storage::string_to_sign("20130524T000000Z", scope, storage::canonical_request(text)));
  const std::string target = "/b/k?" + query + "&X-Amz-Signature=" + signature;
  EXPECT_EQ(gate.handle(make_request("PUT", target, {{"Host", "h"}}, "hello"))->status, 200);
  EXPECT_EQ(seen_.metadata, "two");
  EXPECT_EQ(seen_.checksums.at("crc32"), "NhCmhg==");
  EXPECT_EQ(seen_.body, "hello");
  const auto wrong = *gate.handle(make_request("PUT", target, {{"Host", "h"}}, "jello"));
  EXPECT_EQ(element(wrong, "/Error/Code"), "BadDigest");
  EXPECT_EQ(seen_.calls, 1);
}

TEST_F(GatewayTest, InvokeKeysOnlyInvoke) {
  const Gateway gate = gateway(identity::Scope::kInvoke);
  const auto s3 = *gate.handle(signed_request(make_request("GET", "/b/k", {})));
  EXPECT_EQ(s3.status, 403);
  EXPECT_EQ(element(s3, "/Error/Code"), "AccessDenied");
  const auto json = *gate.handle(
      for_service("sagemaker", make_request("POST", "/", {{"X-Amz-Target", "SageMaker.ListTags"}}, "{}")));
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(json_of(json)["__type"], "AccessDeniedException");
  EXPECT_EQ(seen_.calls, 0);
  EXPECT_EQ(gate.handle(for_service("sagemaker", make_request("POST", "/endpoints/t/invocations", {}, "x")))
                ->status,
            200);
}

TEST_F(GatewayTest, IamNamesRolesAndDoesNothingElse) {
  const Gateway gate = gateway();
  const Fields form{{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  const auto ask = [&](const std::string& body) {
    return *gate.handle(for_service("iam", make_request("POST", "/", form, body)));
  };
  const auto role = ask("Action=GetRole&Version=2010-05-08&RoleName=Sage-Maker%40x");
  EXPECT_EQ(role.status, 200);
  const std::string start = "/GetRoleResponse/GetRoleResult/Role/";
  EXPECT_EQ(element(role, (start + "Arn").c_str()), "arn:aws:iam::111122223333:role/Sage-Maker@x");
  EXPECT_EQ(element(role, (start + "RoleName").c_str()), "Sage-Maker@x");
  EXPECT_EQ(element(role, (start + "Path").c_str()), "/");
  EXPECT_EQ(element(role, (start + "RoleId").c_str()).size(), 21U);
  EXPECT_EQ(element(role, (start + "AssumeRolePolicyDocument").c_str()).substr(0, 22),
            "%7B%22Version%22%3A%22");
  // IAM has one address for all regions.
  SigningOptions elsewhere;
  elsewhere.service = "iam";
  elsewhere.region = "eu-west-1";
  EXPECT_EQ(gate.handle(signed_request(
                            make_request("POST", "/", form, "Action=GetRole&Version=2010-05-08&RoleName=a"),
                            elsewhere))
                ->status,
            403);

  struct Case {
    const char *body, *code;
    int status;
  };
  for (const auto& [body, code, status] :
       std::vector<Case>{{"Action=GetRole&Version=2010-05-08", "ValidationError", 400},
                         {"Action=GetRole&Version=2010-05-08&RoleName=", "ValidationError", 400},
                         {"Action=GetRole&Version=2010-05-08&RoleName=a%2Fb", "ValidationError", 400},
                         {"Action=GetRole&Version=2010-05-08&RoleName=%3Cb%3E", "ValidationError", 400},
                         {"Action=CreateRole&Version=2010-05-08&RoleName=a", "AccessDenied", 403},
                         {"Action=ListUsers&Version=2010-05-08", "AccessDenied", 403},
                         {"Action=Get&Version=2010-05-08", "InvalidAction", 400},
                         {"Action=GetRole%20GetUser&Version=2010-05-08", "InvalidAction", 400},
                         {"Action=GetRole&Version=2011-06-15&RoleName=a", "InvalidAction", 400},
                         {"Version=2010-05-08", "MissingAction", 400}}) {
    const auto refused = ask(body);
    EXPECT_EQ(refused.status, status) << body;
    EXPECT_EQ(element(refused, "/ErrorResponse/Error/Code"), code) << body;
  }
  const auto long_name = ask("Action=GetRole&Version=2010-05-08&RoleName=" + std::string(65, 'a'));
  EXPECT_NE(element(long_name, "/ErrorResponse/Error/Message").find("less than or equal to 64"),
            std::string::npos);
  EXPECT_EQ(ask("Action=GetRole&Version=2010-05-08&RoleName=" + std::string(64, 'a')).status, 200);

  const Gateway invoking = gateway(identity::Scope::kInvoke);
  const auto denied = *invoking.handle(
      for_service("iam", make_request("POST", "/", form, "Action=GetRole&Version=2010-05-08&RoleName=a")));
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(element(denied, "/ErrorResponse/Error/Code"), "AccessDenied");
}

TEST_F(GatewayTest, StsSaysWhoTheCallerIs) {
  const Gateway gate = gateway();
  const Fields form = {{"Content-Type", "application/x-www-form-urlencoded"}};
  const auto known = *gate.handle(
      for_service("sts", make_request("POST", "/", form, "Action=GetCallerIdentity&Version=2011-06-15")));
  EXPECT_EQ(known.status, 200);
  const char* path = "/GetCallerIdentityResponse/GetCallerIdentityResult/";
  EXPECT_EQ(element(known, (path + std::string("Arn")).c_str()), "arn:aws:iam::111122223333:user/ada");
  EXPECT_EQ(element(known, (path + std::string("Account")).c_str()), "111122223333");
  const auto other = *gate.handle(
      for_service("sts", make_request("POST", "/", form, "Action=AssumeRole&Version=2011-06-15")));
  EXPECT_EQ(other.status, 400);
  EXPECT_EQ(element(other, "/ErrorResponse/Error/Code"), "InvalidAction");
  EXPECT_EQ(element(*gate.handle(for_service("sts", make_request("POST", "/", form, ""))),
                    "/ErrorResponse/Error/Code"),
            "MissingAction");
}

TEST(Errors, ModelsSpellTheMessageMember) {
  const auto small = json_error({400, "ValidationException", "no \xff utf", {}}, "id");
  EXPECT_EQ(json_of(small)["message"], "no \xef\xbf\xbd utf");
  EXPECT_EQ(*small.headers.find("content-type"), "application/x-amz-json-1.1");
  EXPECT_EQ(json_of(json_error({400, "ResourceNotFound", "x", {}}, "id"))["Message"], "x");
  EXPECT_EQ(json_of(json_error({400, "ResourceInUse", "x", {}}, "id"))["Message"], "x");
}

TEST(Errors, FailuresOfOursTellNothing) {
  const AwsError hidden = internal_failure(Protocol::kS3, Error{ErrorCode::kIo, "/srv/x: broken"}, "id");
  EXPECT_EQ(hidden.status, 500);
  EXPECT_EQ(hidden.code, "InternalError");
  EXPECT_EQ(hidden.message.find("srv"), std::string::npos);
  EXPECT_EQ(internal_failure(Protocol::kJson, Error{ErrorCode::kNoSpace, "x"}, "id").status, 507);
}

// What http::ServerOptions::admit hands over: the head without the body.
http::Request head_of(http::Request request) {
  request.body.clear();
  return request;
}

TEST_F(GatewayTest, LargeBodiesNeedASignatureThatHolds) {
  const Gateway gate = gateway();
  const auto admit = [&](const http::Request& request) { return gate.admit(head_of(request)); };
  const http::Request put = make_request("PUT", "/b/k", {}, "hello");
  EXPECT_GT(admit(signed_request(put)).max_body_bytes, std::int64_t{5} << 30);

  const auto refused = [&](const http::Request& request, int status, const std::string& code) {
    const http::Admission admission = admit(request);
    EXPECT_EQ(admission.max_body_bytes, kMaxUnprovedBytes) << code;
    ASSERT_TRUE(admission.refusal) << code;
    EXPECT_EQ(admission.refusal->status, status) << code;
    EXPECT_NE(body_of(*admission.refusal).find(code), std::string::npos) << body_of(*admission.refusal);
  };
  refused(make_request("PUT", "/b/k", {{"Host", "h"}}, "hello"), 403, "AccessDenied");
  SigningOptions options;
  options.key_id = "AKIAUNKNOWN";
  refused(signed_request(put, options), 403, "InvalidAccessKeyId");
  options = {};
  options.secret = "wrong";
  refused(signed_request(put, options), 403, "SignatureDoesNotMatch");
  options = {};
  options.time = "20130523T000000Z";
  refused(signed_request(put, options), 403, "RequestTimeTooSkewed");
  refused(make_request("PUT", "/b/k", {{"Host", "h"}, {"Authorization", "Basic x"}}, "hello"), 400,
          "InvalidArgument");
  refused(for_service("ec2", make_request("POST", "/", {}, "x")), 400, "not served here");
  EXPECT_EQ(seen_.calls, 0);

  const Gateway invoke = gateway(identity::Scope::kInvoke);
  EXPECT_EQ(invoke.admit(head_of(signed_request(put))).max_body_bytes, kMaxUnprovedBytes);
}

TEST_F(GatewayTest, BodiesThatAreSignedThemselvesNeedAKnownKey) {
  const Gateway gate = gateway();
  const http::Request list = make_request("POST", "/", {{"X-Amz-Target", "SageMaker.ListTags"}}, "{}");
  const http::Admission known = gate.admit(head_of(for_service("sagemaker", list)));
  EXPECT_EQ(known.max_body_bytes, kMaxJsonBytes);
  EXPECT_EQ(known.refusal->status, 413);
  const http::Request photo = make_request("POST", "/endpoints/e/invocations", {}, "photo");
  EXPECT_EQ(gate.admit(head_of(for_service("sagemaker", photo))).max_body_bytes, kMaxInvocationBytes);
  EXPECT_EQ(gateway(identity::Scope::kInvoke).admit(head_of(for_service("sagemaker", photo))).max_body_bytes,
            kMaxInvocationBytes);
  SigningOptions options;
  options.service = "sagemaker";
  options.key_id = "AKIAUNKNOWN";
  for (const http::Request& request : {list, signed_request(list, options)}) {
    const http::Admission admission = gate.admit(head_of(request));
    EXPECT_EQ(admission.max_body_bytes, kMaxUnprovedBytes);
    ASSERT_TRUE(admission.refusal);
    EXPECT_EQ(admission.refusal->status, 400);
  }
}

}  // namespace
}  // namespace terrapin::api
