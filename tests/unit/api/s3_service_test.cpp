// Every S3 operation over a local folder, driven without sockets.
#include "api/s3/s3_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <pugixml.hpp>
#include <set>

#include "api/aws_hosts.h"
#include "api/s3/s3_checksum.h"
#include "base/base64.h"
#include "base/percent.h"
#include "base/random.h"
#include "crypto/hash.h"
#include "http/target.h"
#include "storage/folder_store.h"
#include "unit/base/temporary_folder.h"

namespace terrapin::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string md5_hex(std::string_view text) {
  return crypto::hex(crypto::hash(crypto::HashKind::kMd5, text));
}
std::string md5_base64(std::string_view text) {
  return base64(crypto::hash(crypto::HashKind::kMd5, text));
}
std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
  // The text of the first element of that name, anywhere.
  std::string element(const std::string& name) const {
    pugi::xml_document document;
    document.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_ws_pcdata_single);
    return document.find_node([&](const pugi::xml_node& node) { return node.name() == name; }).child_value();
  }
  std::vector<std::string> elements(const std::string& parent, const std::string& name) const {
    pugi::xml_document document;
    document.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_ws_pcdata_single);
    std::vector<std::string> texts;
    for (const auto& child : document.document_element().children(parent.c_str()))
      texts.emplace_back(child.child_value(name.c_str()));
    return texts;
  }
  std::string code() const { return element("Code"); }
};

// What a test sends; `path` percent-encoded with its query.
struct Ask {
  std::string method, target, body;
  http::Headers headers;
};

class S3Test : public ::testing::Test {
 protected:
  S3Test() : S3Test(S3Options{{"https://portal.test"}}) {}
  explicit S3Test(const S3Options& options)
      : store_(storage::open_folder_store(folder_ / "objects", clock_).value()),
        service_(*store_, clock_, Place{}, options) {
    caller_->id = "TPIA0000000000000000";
    EXPECT_TRUE(store_->create_bucket("photos"));
  }

  Answer send(const Ask& ask) {
    http::Request request;
    request.method = ask.method;
    request.target = ask.target;
    const auto target = http::parse_target(ask.target);
    EXPECT_TRUE(target) << ask.target;
    request.path = target->path;
    request.query = target->query;
    request.headers = ask.headers;
    if (!request.headers.find("host")) request.headers.set("Host", "127.0.0.1:8080");
    if (!unsigned_by_header_) request.headers.set("Authorization", "AWS4-HMAC-SHA256 ...");
    // As the gateway reads it, where subdomains of localhost are buckets.
    const std::string host_bucket = bucket_of_host(request.headers.find("host").value_or(""), {"localhost"});
    const Exchange exchange{request,    bytes_source(ask.body), "s3", "REQUEST1", caller_, checksums_,
                            host_bucket};
    const http::Response response = service_.handle(exchange);
    Answer answer{response.status, response.headers, {}};
    answer.body = response.source ? read_all_text(*response.source, 1 << 30).value()
                                  : std::string(response.body.begin(), response.body.end());
    EXPECT_EQ(answer.header("x-amz-request-id"), "REQUEST1");
    return answer;
  }
  Answer get(const std::string& target, http::Headers headers = {}) {
    return send({"GET", target, "", headers});
  }
  Answer head(const std::string& target, http::Headers headers = {}) {
    return send({"HEAD", target, "", headers});
  }
  Answer put(const std::string& target, const std::string& body, http::Headers headers = {}) {
    return send({"PUT", target, body, headers});
  }
  Answer post(const std::string& target, const std::string& body, http::Headers headers = {}) {
    return send({"POST", target, body, headers});
  }
  Answer remove(const std::string& target, http::Headers headers = {}) {
    return send({"DELETE", target, "", headers});
  }
  Answer delete_many(const std::string& xml) {
    return post("/photos?delete", xml, {{"Content-MD5", md5_base64(xml)}});
  }

  terrapin::test::TemporaryFolder folder_;
  ManualClock clock_{from_microseconds(784'887'151'500'000)};  // Tue, 15 Nov 1994 08:12:31.5 GMT
  std::unique_ptr<storage::ObjectStore> store_;
  S3Service service_;
  std::optional<identity::AccessKey> caller_{identity::AccessKey{}};
  std::map<std::string, std::string> checksums_;
  bool unsigned_by_header_ = false;
};

// ---- buckets ----

TEST_F(S3Test, BucketsLiveAndDie) {
  const Answer made = put("/second.bucket", "");
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(made.header("Location"), "/second.bucket");
  EXPECT_EQ(put("/second.bucket", "").status, 200) << "us-east-1 takes one's own bucket again";
  const Answer list = get("/");
  EXPECT_EQ(list.status, 200);
  EXPECT_EQ(list.header("Content-Type"), "application/xml");
  EXPECT_THAT(list.body,
              HasSubstr("<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
  EXPECT_THAT(list.body,
              HasSubstr("<Name>photos</Name><CreationDate>1994-11-15T08:12:31.000Z</CreationDate>"));
  EXPECT_THAT(list.body, HasSubstr("<Name>second.bucket</Name>"));
  EXPECT_EQ(list.element("ID").size(), 64U);
  EXPECT_EQ(head("/second.bucket").status, 200);
  EXPECT_EQ(head("/second.bucket").header("x-amz-bucket-region"), "us-east-1");
  EXPECT_EQ(remove("/second.bucket").status, 204);
  EXPECT_EQ(head("/second.bucket").status, 404);
  EXPECT_EQ(head("/second.bucket").body, "");
  EXPECT_EQ(remove("/second.bucket").code(), "NoSuchBucket");
  put("/photos/x", "1");
  EXPECT_EQ(remove("/photos").code(), "BucketNotEmpty");
  EXPECT_EQ(remove("/photos").status, 409);
}

TEST_F(S3Test, ListsBucketsInPages) {
  for (int i = 0; i < 5; ++i) put(fmt::format("/more-{}", i), "");
  const Answer first = get("/?max-buckets=2&prefix=more");
  EXPECT_THAT(first.body, HasSubstr("<Name>more-1</Name>"));
  EXPECT_EQ(first.body.find("more-2"), std::string::npos);
  const std::string token = first.element("ContinuationToken");
  const Answer rest = get("/?prefix=more&continuation-token=" + percent_encode(token));
  EXPECT_THAT(rest.body, HasSubstr("<Name>more-2</Name>"));
  EXPECT_THAT(rest.body, HasSubstr("<Name>more-4</Name>"));
  EXPECT_EQ(rest.body.find("more-1"), std::string::npos);
  EXPECT_EQ(rest.element("ContinuationToken"), "");
}

TEST_F(S3Test, RefusesBucketsThatS3Refuses) {
  for (const char* name : {"_", "_portal", "Upper", "ab", "a..b", "10.0.0.1", "under_score"}) {
    const Answer refused = put(std::string("/") + name, "");
    EXPECT_EQ(refused.code(), "InvalidBucketName") << name;
    EXPECT_EQ(refused.element("BucketName"), name);
    EXPECT_EQ(get(std::string("/") + name + "/key").code(), "InvalidBucketName");
  }
  const std::string here =
      "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>";
  EXPECT_EQ(put("/located", here).status, 200);
  std::string there = here;
  there.replace(there.find("us-east-1"), 9, "eu-west-1");
  EXPECT_EQ(put("/elsewhere", there).code(), "IllegalLocationConstraintException");
  EXPECT_EQ(put("/locked", "", {{"x-amz-bucket-object-lock-enabled", "true"}}).code(), "NotImplemented");
}

TEST_F(S3Test, AnswersForSettingsThatAreNotSet) {
  const std::vector<std::pair<std::string, std::string>> unset{
      {"cors", "NoSuchCORSConfiguration"},
      {"policy", "NoSuchBucketPolicy"},
      {"lifecycle", "NoSuchLifecycleConfiguration"},
      {"tagging", "NoSuchTagSet"},
      {"website", "NoSuchWebsiteConfiguration"},
      {"replication", "ReplicationConfigurationNotFoundError"},
      {"encryption", "ServerSideEncryptionConfigurationNotFoundError"},
      {"object-lock", "ObjectLockConfigurationNotFoundError"}};
  for (const auto& [setting, code] : unset) {
    EXPECT_EQ(get("/photos?" + setting).code(), code);
    EXPECT_EQ(get("/photos?" + setting).status, 404);
    const Answer change = put("/photos?" + setting, "<X/>");
    EXPECT_EQ(change.status, 501);
    EXPECT_THAT(change.element("Message"), HasSubstr(setting));
  }
  EXPECT_EQ(remove("/photos?policy").status, 204);
  EXPECT_EQ(remove("/photos?versions").status, 501);
  EXPECT_EQ(head("/photos").status, 200) << "removing a setting must not remove the bucket";
  EXPECT_THAT(get("/photos?versioning").body, HasSubstr("<VersioningConfiguration xmlns="));
  EXPECT_EQ(get("/photos?location").element("LocationConstraint"), "");
  EXPECT_EQ(get("/photos?acl").element("Permission"), "FULL_CONTROL");
  EXPECT_EQ(get("/photos?ownershipControls").element("ObjectOwnership"), "BucketOwnerEnforced");
  EXPECT_EQ(get("/photos?publicAccessBlock").element("BlockPublicAcls"), "true");
  EXPECT_EQ(get("/photos?inventory").status, 501);
  EXPECT_EQ(get("/nowhere?location").code(), "NoSuchBucket");
  EXPECT_EQ(get("/nowhere?versioning").element("BucketName"), "nowhere");
}

// ---- access ----

TEST_F(S3Test, HoldsCallersToTheirScopeAndBuckets) {
  put("/other", "");
  put("/photos/k", "x");
  put("/other/k", "x");
  caller_->buckets = {"photos"};
  EXPECT_EQ(get("/photos/k").status, 200);
  for (const Ask& ask :
       {Ask{"GET", "/other/k", "", {}}, Ask{"PUT", "/other/k", "y", {}}, Ask{"GET", "/other", "", {}},
        Ask{"DELETE", "/other/k", "", {}}, Ask{"PUT", "/photos/c", "", {{"x-amz-copy-source", "/other/k"}}},
        Ask{"PUT", "/new-bucket", "", {}}}) {
    const Answer refused = send(ask);
    EXPECT_EQ(refused.status, 403) << ask.method << ask.target;
    EXPECT_EQ(refused.code(), "AccessDenied");
    EXPECT_EQ(refused.element("Message"), "Access Denied");
  }
  EXPECT_EQ(get("/").body.find("other"), std::string::npos);
  caller_->buckets.clear();
  caller_->scope = identity::Scope::kRequester;
  EXPECT_EQ(get("/other/k").status, 200);
  caller_->scope = identity::Scope::kInvoke;
  EXPECT_EQ(get("/photos/k").code(), "AccessDenied");
  EXPECT_EQ(get("/").code(), "AccessDenied");
  caller_.reset();
  EXPECT_EQ(get("/photos/k").code(), "AccessDenied");
  EXPECT_EQ(head("/photos/k").status, 403);
  EXPECT_EQ(head("/photos/k").body, "");
}

TEST_F(S3Test, HoldsRequestsToTheExpectedOwner) {
  put("/photos/k", "x");
  EXPECT_EQ(get("/photos/k", {{"x-amz-expected-bucket-owner", "111122223333"}}).status, 200);
  EXPECT_EQ(get("/photos/k", {{"x-amz-expected-bucket-owner", "999999999999"}}).code(), "AccessDenied");
}

TEST_F(S3Test, AnswersPreflightsFromTheListOnly) {
  caller_.reset();
  const auto preflight = [&](const std::string& origin, const std::string& method) {
    return send({"OPTIONS",
                 "/photos/k",
                 "",
                 {{"Origin", origin},
                  {"Access-Control-Request-Method", method},
                  {"Access-Control-Request-Headers", "x-amz-date,authorization"}}});
  };
  const Answer allowed = preflight("https://portal.test", "PUT");
  EXPECT_EQ(allowed.status, 200);
  EXPECT_EQ(allowed.header("Access-Control-Allow-Origin"), "https://portal.test");
  EXPECT_THAT(allowed.header("Access-Control-Allow-Methods"), HasSubstr("PUT"));
  EXPECT_EQ(allowed.header("Access-Control-Allow-Headers"), "x-amz-date,authorization");
  EXPECT_THAT(allowed.header("Vary"), HasSubstr("Origin"));
  for (const char* origin :
       {"https://evil.test", "https://portal.test.evil.test", "null", "http://portal.test"}) {
    const Answer refused = preflight(origin, "GET");
    EXPECT_EQ(refused.status, 403) << origin;
    EXPECT_EQ(refused.code(), "AccessForbidden");
    EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), "");
  }
  EXPECT_EQ(preflight("https://portal.test", "PATCH").status, 403);
  EXPECT_EQ(send({"OPTIONS", "/photos/k", "", {}}).status, 400);
  caller_ = identity::AccessKey{};
  put("/photos/k", "x");
  EXPECT_EQ(get("/photos/k", {{"Origin", "https://portal.test"}}).header("Access-Control-Allow-Origin"),
            "https://portal.test");
  EXPECT_EQ(get("/photos/k", {{"Origin", "https://evil.test"}}).header("Access-Control-Allow-Origin"), "");
}

// ---- objects ----

TEST_F(S3Test, StoresAndServesAnObject) {
  checksums_ = {{"crc32", "i9aeUg=="}};
  const Answer stored = put("/photos/2021/a.png", "bytes",
                            {{"Content-Type", "image/png"},
                             {"Content-Encoding", "aws-chunked,gzip"},
                             {"Cache-Control", "max-age=5"},
                             {"Content-Disposition", "inline; filename=\"a.png\""},
                             {"Content-Language", "de"},
                             {"Expires", "Thu, 01 Dec 1994 16:00:00 GMT"},
                             {"X-Amz-Meta-Worker", "anna"},
                             {"x-amz-meta-b", "1"},
                             {"x-amz-meta-b", "2"},
                             {"x-amz-tagging", "a=1&b=two%20words"},
                             {"x-amz-storage-class", "STANDARD"},
                             {"x-amz-server-side-encryption", "AES256"},
                             {"x-amz-acl", "private"},
                             {"Content-MD5", md5_base64("bytes")}});
  EXPECT_EQ(stored.status, 200) << stored.body;
  EXPECT_EQ(stored.header("ETag"), quoted(md5_hex("bytes")));
  EXPECT_EQ(stored.header("x-amz-checksum-crc32"), "i9aeUg==");
  checksums_.clear();
  for (const bool body : {true, false}) {
    const Answer got = body ? get("/photos/2021/a.png") : head("/photos/2021/a.png");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, "bytes");
    EXPECT_EQ(got.header("ETag"), quoted(md5_hex("bytes")));
    EXPECT_EQ(got.header("Last-Modified"), "Tue, 15 Nov 1994 08:12:31 GMT");
    EXPECT_EQ(got.header("Content-Type"), "image/png");
    EXPECT_EQ(got.header("Content-Encoding"), "gzip");
    EXPECT_EQ(got.header("Cache-Control"), "max-age=5");
    EXPECT_EQ(got.header("Content-Disposition"), "inline; filename=\"a.png\"");
    EXPECT_EQ(got.header("Content-Language"), "de");
    EXPECT_EQ(got.header("Expires"), "Thu, 01 Dec 1994 16:00:00 GMT");
    EXPECT_EQ(got.header("x-amz-meta-worker"), "anna");
    EXPECT_EQ(got.header("x-amz-meta-b"), "1,2");
    EXPECT_EQ(got.header("x-amz-tagging-count"), "2");
    EXPECT_EQ(got.header("Accept-Ranges"), "bytes");
    EXPECT_EQ(got.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(got.header("Content-Security-Policy"), "sandbox");
    EXPECT_EQ(got.header("x-amz-checksum-crc32"), "");
  }
  const Answer checked = get("/photos/2021/a.png", {{"x-amz-checksum-mode", "ENABLED"}});
  EXPECT_EQ(checked.header("x-amz-checksum-crc32"), "i9aeUg==");
  EXPECT_EQ(checked.header("x-amz-checksum-type"), "FULL_OBJECT");
}

TEST_F(S3Test, TellsWhatIsMissing) {
  const Answer no_key = get("/photos/a%20b/c");
  EXPECT_EQ(no_key.status, 404);
  EXPECT_EQ(no_key.code(), "NoSuchKey");
  EXPECT_EQ(no_key.element("Message"), "The specified key does not exist.");
  EXPECT_EQ(no_key.element("Key"), "a b/c");
  EXPECT_EQ(no_key.element("Resource"), "/photos/a b/c");
  EXPECT_EQ(no_key.element("RequestId"), "REQUEST1");
  EXPECT_EQ(get("/nowhere/k").code(), "NoSuchBucket");
  EXPECT_EQ(put("/nowhere/k", "x").element("BucketName"), "nowhere");
  EXPECT_EQ(remove("/nowhere/k").code(), "NoSuchBucket");
  EXPECT_EQ(remove("/photos/k").status, 204);
  EXPECT_EQ(head("/photos/k").status, 404);
  EXPECT_EQ(head("/photos/k").body, "");
  EXPECT_EQ(get("/photos/k?versionId=abc").code(), "InvalidArgument");
  EXPECT_EQ(send({"PATCH", "/photos/k", "", {}}).code(), "MethodNotAllowed");
  EXPECT_EQ(post("/photos/k", "").status, 405);
  EXPECT_EQ(post("/photos/k?restore", "").status, 501);
  EXPECT_EQ(get("//k").code(), "InvalidBucketName");
}

TEST_F(S3Test, KeepsEveryKey) {
  const std::vector<std::string> keys{"a",
                                      "a/b",
                                      "//",
                                      "a//b",
                                      "..",
                                      "../../x",
                                      "./.",
                                      "a+b",
                                      "a b",
                                      "a%2Fb",
                                      "a%b",
                                      "ü/日本",
                                      "🐢",
                                      "?x=1",
                                      "#",
                                      "a&b=<c>\"'",
                                      "a\nb",
                                      "\x01",
                                      "trail/",
                                      "/lead",
                                      "_",
                                      std::string(1024, 'k'),
                                      "a;b,c:d@e$f!g*h(i)j",
                                      "uploads",
                                      "delete",
                                      " "};
  for (const std::string& key : keys)
    EXPECT_EQ(put("/photos/" + percent_encode(key), "bytes of " + key).status, 200) << key;
  for (const std::string& key : keys)
    EXPECT_EQ(get("/photos/" + percent_encode(key)).body, "bytes of " + key);
  // Slashes and a literal plus need no code.
  EXPECT_EQ(get("/photos/a/b").body, "bytes of a/b");
  EXPECT_EQ(get("/photos//lead").body, "bytes of /lead");
  EXPECT_EQ(get("/photos/../../x").body, "bytes of ../../x");
  EXPECT_EQ(get("/photos/a+b").body, "bytes of a+b");
  std::vector<std::string> sorted = keys, decoded;
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& text : get("/photos?list-type=2&encoding-type=url").elements("Contents", "Key"))
    decoded.push_back(percent_decode(text).value());
  EXPECT_EQ(decoded, sorted);
  EXPECT_THAT(get("/photos?prefix=a%26").body, HasSubstr("<Key>a&amp;b=&lt;c&gt;&quot;'</Key>"));
  EXPECT_THAT(get("/photos?prefix=%01").body, HasSubstr("<Key>\xef\xbf\xbd</Key>"));
  for (const std::string& key : keys) EXPECT_EQ(remove("/photos/" + percent_encode(key)).status, 204);
  EXPECT_EQ(remove("/photos").status, 204);

  put("/photos", "");
  EXPECT_EQ(put("/photos/" + std::string(1025, 'k'), "x").code(), "KeyTooLongError");
  EXPECT_EQ(put("/photos/%FF", "x").code(), "InvalidURI");
  EXPECT_EQ(put("/photos/a%00b", "x").code(), "InvalidURI");
  EXPECT_EQ(put("/photos/%zz", "x").code(), "InvalidURI");
}

TEST_F(S3Test, OverwritesAndKeepsEmptyObjects) {
  put("/photos/k", "first, longer");
  put("/photos/k", "");
  const Answer empty = get("/photos/k");
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.body, "");
  EXPECT_EQ(empty.header("ETag"), quoted("d41d8cd98f00b204e9800998ecf8427e"));
  EXPECT_EQ(empty.header("Content-Type"), "binary/octet-stream");
  EXPECT_EQ(get("/photos/k", {{"Range", "bytes=0-"}}).status, 416);
}

TEST_F(S3Test, ServesRanges) {
  put("/photos/k", "0123456789");
  struct Case {
    const char *range, *body, *content_range;
    int status;
  };
  for (const Case& c : std::initializer_list<Case>{{"bytes=0-3", "0123", "bytes 0-3/10", 206},
                                                   {"bytes=4-", "456789", "bytes 4-9/10", 206},
                                                   {"bytes=-3", "789", "bytes 7-9/10", 206},
                                                   {"bytes=-99", "0123456789", "bytes 0-9/10", 206},
                                                   {"bytes=8-99", "89", "bytes 8-9/10", 206},
                                                   {"bytes=9-9", "9", "bytes 9-9/10", 206},
                                                   {"bytes=5-4", "0123456789", "", 200},
                                                   {"bytes=0-1,3-4", "0123456789", "", 200},
                                                   {"items=0-1", "0123456789", "", 200},
                                                   {"bytes=a-b", "0123456789", "", 200},
                                                   {"bytes=--1", "0123456789", "", 200},
                                                   {"bytes=", "0123456789", "", 200}}) {
    for (const char* method : {"GET", "HEAD"}) {
      const Answer got = send({method, "/photos/k", "", {{"Range", c.range}}});
      EXPECT_EQ(got.status, c.status) << c.range;
      EXPECT_EQ(got.body, c.body) << c.range;
      EXPECT_EQ(got.header("Content-Range"), c.content_range) << c.range;
    }
  }
  for (const char* range : {"bytes=10-", "bytes=10-12", "bytes=-0", "bytes=9223372036854775807-"}) {
    const Answer refused = get("/photos/k", {{"Range", range}});
    EXPECT_EQ(refused.status, 416) << range;
    EXPECT_EQ(refused.code(), "InvalidRange");
    EXPECT_EQ(refused.header("Content-Range"), "bytes */10");
    EXPECT_EQ(refused.element("ActualObjectSize"), "10");
  }
  const std::string etag = quoted(md5_hex("0123456789"));
  EXPECT_EQ(get("/photos/k", {{"Range", "bytes=0-1"}, {"If-Range", etag}}).status, 206);
  EXPECT_EQ(get("/photos/k", {{"Range", "bytes=0-1"}, {"If-Range", "\"other\""}}).status, 200);
  EXPECT_EQ(get("/photos/k", {{"Range", "bytes=0-1"}, {"If-Range", "Tue, 15 Nov 1994 08:12:31 GMT"}}).status,
            206);
  EXPECT_EQ(get("/photos/k", {{"Range", "bytes=0-1"}, {"If-Range", "Tue, 15 Nov 1994 08:12:30 GMT"}}).status,
            200);
  EXPECT_EQ(get("/photos/k?partNumber=1").header("Content-Range"), "bytes 0-9/10");
  EXPECT_EQ(get("/photos/k?partNumber=2").code(), "InvalidPartNumber");
}

TEST_F(S3Test, HoldsReadsToTheirConditionsInAwsOrder) {
  put("/photos/k", "x");
  const std::string etag = quoted(md5_hex("x")), other = "\"other\"";
  const std::string then = "Tue, 15 Nov 1994 08:12:31 GMT", before = "Tue, 15 Nov 1994 08:12:30 GMT";
  const auto status = [&](http::Headers headers) { return get("/photos/k", std::move(headers)).status; };
  EXPECT_EQ(status({{"If-Match", etag}}), 200);
  EXPECT_EQ(status({{"If-Match", "*"}}), 200);
  EXPECT_EQ(status({{"If-Match", other + ", " + etag}}), 200);
  EXPECT_EQ(status({{"If-Match", other}}), 412);
  EXPECT_EQ(status({{"If-None-Match", etag}}), 304);
  EXPECT_EQ(status({{"If-None-Match", "W/" + etag}}), 304);
  EXPECT_EQ(status({{"If-None-Match", other}}), 200);
  EXPECT_EQ(status({{"If-Modified-Since", then}}), 304);
  EXPECT_EQ(status({{"If-Modified-Since", before}}), 200);
  EXPECT_EQ(status({{"If-Unmodified-Since", then}}), 200);
  EXPECT_EQ(status({{"If-Unmodified-Since", before}}), 412);
  EXPECT_EQ(status({{"If-Modified-Since", "yesterday"}}), 200);
  // The ETag speaks before the date.
  EXPECT_EQ(status({{"If-Match", etag}, {"If-Unmodified-Since", before}}), 200);
  EXPECT_EQ(status({{"If-None-Match", etag}, {"If-Modified-Since", before}}), 304);
  EXPECT_EQ(status({{"If-None-Match", other}, {"If-Modified-Since", then}}), 200);
  const Answer unchanged = get("/photos/k", {{"If-None-Match", etag}});
  EXPECT_EQ(unchanged.body, "");
  EXPECT_EQ(unchanged.header("ETag"), etag);
  const Answer failed = get("/photos/k", {{"If-Match", other}});
  EXPECT_EQ(failed.code(), "PreconditionFailed");
  EXPECT_EQ(failed.element("Condition"), "If-Match");
  EXPECT_EQ(head("/photos/k", {{"If-Match", other}}).body, "");
}

TEST_F(S3Test, HoldsWritesToTheirConditions) {
  EXPECT_EQ(put("/photos/k", "0", {{"If-Match", quoted(md5_hex("x"))}}).code(), "NoSuchKey");
  EXPECT_EQ(put("/photos/k", "1", {{"If-None-Match", "*"}}).status, 200);
  const Answer taken = put("/photos/k", "2", {{"If-None-Match", "*"}});
  EXPECT_EQ(taken.status, 412);
  EXPECT_EQ(taken.element("Condition"), "If-None-Match");
  EXPECT_EQ(put("/photos/k", "3", {{"If-Match", quoted(md5_hex("1"))}}).status, 200);
  EXPECT_EQ(put("/photos/k", "4", {{"If-Match", quoted(md5_hex("1"))}}).element("Condition"), "If-Match");
  EXPECT_EQ(put("/photos/k", "5", {{"If-None-Match", "\"abc\""}}).code(), "NotImplemented");
  EXPECT_EQ(get("/photos/k").body, "3");
  EXPECT_EQ(remove("/photos/k", {{"If-Match", "\"x\""}}).code(), "PreconditionFailed");
}

TEST_F(S3Test, RefusesByNameWhatItDoesNotServe) {
  const std::vector<std::tuple<std::string, std::string, std::string>> refused{
      {"x-amz-server-side-encryption", "aws:kms", "NotImplemented"},
      {"x-amz-server-side-encryption-customer-algorithm", "AES256", "NotImplemented"},
      {"x-amz-storage-class", "GLACIER", "InvalidStorageClass"},
      {"x-amz-acl", "public-read", "AccessControlListNotSupported"},
      {"x-amz-grant-read", "uri=x", "AccessControlListNotSupported"},
      {"x-amz-object-lock-mode", "GOVERNANCE", "NotImplemented"},
      {"x-amz-website-redirect-location", "/x", "NotImplemented"}};
  for (const auto& [name, value, code] : refused) {
    const Answer answer = put("/photos/k", "x", {{name, value}});
    EXPECT_EQ(answer.code(), code) << name;
    if (code == "NotImplemented") {
      EXPECT_THAT(answer.element("Message"), HasSubstr(name));
    }
    EXPECT_EQ(post("/photos/k?uploads", "", {{name, value}}).code(), code);
  }
  EXPECT_EQ(put("/photos/k", "x", {{"x-amz-meta-a", std::string(2048, 'x')}}).code(), "MetadataTooLarge");
  EXPECT_EQ(put("/photos/k", "x", {{"x-amz-meta-a", "\xff"}}).code(), "InvalidArgument");
  EXPECT_EQ(put("/photos/k", "x", {{"x-amz-tagging", "a=1&a=2"}}).code(), "InvalidTag");
  EXPECT_EQ(put("/photos/k", "x", {{"x-amz-tagging", "a=%zz"}}).code(), "InvalidArgument");
  EXPECT_EQ(head("/photos/k").status, 404);
}

TEST_F(S3Test, OverridesHeadersOnReading) {
  put("/photos/k", "x", {{"Content-Type", "text/plain"}});
  const Answer got = get(
      "/photos/k?response-content-type=image%2Fpng&response-content-disposition=attachment%3B%20filename%3Dx&"
      "response-cache-control=no-store&response-content-language=fr&response-content-encoding=br&"
      "response-expires=0");
  EXPECT_EQ(got.header("Content-Type"), "image/png");
  EXPECT_EQ(got.header("Content-Disposition"), "attachment; filename=x");
  EXPECT_EQ(got.header("Cache-Control"), "no-store");
  EXPECT_EQ(got.header("Content-Language"), "fr");
  EXPECT_EQ(got.header("Content-Encoding"), "br");
  EXPECT_EQ(got.header("Expires"), "0");
  EXPECT_EQ(get("/photos/k?response-content-type=a%0D%0ASet-Cookie:%20x").code(), "InvalidArgument");
}

TEST_F(S3Test, LinksNeverShowActiveContent) {
  for (const char* type : {"text/html", "image/svg+xml", "text/xml", "application/xhtml+xml",
                           "text/javascript", "application/javascript", "", "nonsense",
                           "TEXT/HTML; charset=utf-8", "text/x-anything", "application/x-shockwave-flash"}) {
    put("/photos/page", "<script>",
        {{"Content-Type", type}, {"Content-Disposition", "inline; filename=\"p\""}});
    unsigned_by_header_ = true;
    const Answer link = get("/photos/page?X-Amz-Signature=abc");
    const bool unknown = std::string_view(type).empty();  // stored as binary/octet-stream
    EXPECT_EQ(link.header("Content-Disposition"),
              unknown ? "inline; filename=\"p\"" : "attachment; filename=\"p\"")
        << type;
    EXPECT_EQ(link.header("Content-Security-Policy"), "sandbox");
    unsigned_by_header_ = false;
    EXPECT_EQ(get("/photos/page").header("Content-Disposition"), "inline; filename=\"p\"");
  }
  put("/photos/photo", "x", {{"Content-Type", "image/jpeg"}});
  unsigned_by_header_ = true;
  EXPECT_EQ(get("/photos/photo?X-Amz-Signature=abc").header("Content-Disposition"), "");
  EXPECT_EQ(get("/photos/photo?X-Amz-Signature=abc&response-content-type=text/html"
                "&response-content-disposition=inline")
                .header("Content-Disposition"),
            "attachment");
}

TEST_F(S3Test, ReadsHeadersThatSdksPutIntoPresignedQueries) {
  const std::string signature = "X-Amz-Signature=abc";
  EXPECT_EQ(put("/photos/k?" + signature + "&x-amz-meta-who=anna&x-amz-tagging=a%3D1", "x").status, 200);
  EXPECT_EQ(get("/photos/k").header("x-amz-meta-who"), "anna");
  EXPECT_EQ(get("/photos/k").header("x-amz-tagging-count"), "1");
  EXPECT_EQ(put("/photos/k?" + signature + "&x-amz-acl=public-read", "x").code(),
            "AccessControlListNotSupported");
  EXPECT_EQ(put("/photos/k?" + signature + "&x-amz-meta-a=x%0D%0Ay", "x").code(), "InvalidArgument");
  EXPECT_EQ(put("/photos/k?x-amz-acl=public-read", "x").status, 200) << "a plain query is no header";
}

TEST_F(S3Test, AnswersOnVirtualHosts) {
  put("/photos/a/b", "x");
  const auto at = [&](const std::string& host, const std::string& target) {
    return get(target, {{"Host", host}});
  };
  EXPECT_EQ(at("photos.localhost:8080", "/a/b").body, "x");
  EXPECT_EQ(at("PHOTOS.LocalHost", "/a/b").body, "x");
  EXPECT_EQ(at("photos.localhost", "/?list-type=2").element("Key"), "a/b");
  EXPECT_EQ(at("localhost:8080", "/photos/a/b").body, "x");
  EXPECT_EQ(at("photos.elsewhere.test", "/photos/a/b").body, "x") << "no base name: the path speaks";
  EXPECT_EQ(at("nowhere.localhost", "/a/b").code(), "NoSuchBucket");
  EXPECT_EQ(at("_.localhost", "/a").code(), "InvalidBucketName");
  EXPECT_EQ(at("[::1]:8080", "/photos/a/b").body, "x");
  EXPECT_EQ(send({"PUT", "/", "", {{"Host", "fresh.localhost"}}}).status, 200);
  EXPECT_EQ(head("/fresh").status, 200);
}

// ---- copies ----

TEST_F(S3Test, CopiesObjects) {
  put("/photos/a b+c", "bytes",
      {{"Content-Type", "image/png"}, {"x-amz-meta-a", "1"}, {"x-amz-tagging", "t=1"}});
  const Answer copied = put("/photos/copy", "", {{"x-amz-copy-source", "photos/a%20b%2Bc"}});
  EXPECT_EQ(copied.status, 200) << copied.body;
  EXPECT_EQ(copied.element("ETag"), quoted(md5_hex("bytes")));
  EXPECT_EQ(copied.element("LastModified"), "1994-11-15T08:12:31.000Z");
  EXPECT_EQ(get("/photos/copy").body, "bytes");
  EXPECT_EQ(get("/photos/copy").header("Content-Type"), "image/png");
  EXPECT_EQ(get("/photos/copy").header("x-amz-meta-a"), "1");
  EXPECT_EQ(get("/photos/copy").header("x-amz-tagging-count"), "1");

  put("/photos/copy2", "",
      {{"x-amz-copy-source", "/photos/copy?versionId=null"},
       {"x-amz-metadata-directive", "REPLACE"},
       {"x-amz-meta-b", "2"},
       {"Content-Type", "text/plain"},
       {"x-amz-tagging-directive", "REPLACE"}});
  EXPECT_EQ(get("/photos/copy2").header("Content-Type"), "text/plain");
  EXPECT_EQ(get("/photos/copy2").header("x-amz-meta-a"), "");
  EXPECT_EQ(get("/photos/copy2").header("x-amz-meta-b"), "2");
  EXPECT_EQ(get("/photos/copy2").header("x-amz-tagging-count"), "");

  const Answer itself = put("/photos/copy", "", {{"x-amz-copy-source", "/photos/copy"}});
  EXPECT_EQ(itself.code(), "InvalidRequest");
  EXPECT_THAT(itself.element("Message"), HasSubstr("illegal"));
  EXPECT_EQ(put("/photos/copy", "",
                {{"x-amz-copy-source", "/photos/copy"}, {"x-amz-metadata-directive", "REPLACE"}})
                .status,
            200);
  EXPECT_EQ(get("/photos/copy").body, "bytes");
  EXPECT_EQ(get("/photos/copy").header("Content-Type"), "binary/octet-stream");

  EXPECT_EQ(put("/photos/x", "", {{"x-amz-copy-source", "/photos/missing"}}).element("Key"), "missing");
  EXPECT_EQ(put("/photos/x", "", {{"x-amz-copy-source", "/nowhere/k"}}).code(), "NoSuchBucket");
  EXPECT_EQ(put("/photos/x", "", {{"x-amz-copy-source", "photos"}}).code(), "InvalidArgument");
  EXPECT_EQ(put("/photos/x", "", {{"x-amz-copy-source", "/photos/copy?versionId=7"}}).code(),
            "InvalidArgument");
  EXPECT_EQ(
      put("/photos/x", "", {{"x-amz-copy-source", "/photos/copy"}, {"x-amz-metadata-directive", "MERGE"}})
          .code(),
      "InvalidArgument");
}

TEST_F(S3Test, HoldsCopiesToTheirConditions) {
  put("/photos/from", "x");
  const std::string etag = quoted(md5_hex("x"));
  const auto copy = [&](const std::string& name, const std::string& value) {
    return put("/photos/to", "", {{"x-amz-copy-source", "/photos/from"}, {name, value}}).status;
  };
  EXPECT_EQ(copy("x-amz-copy-source-if-match", etag), 200);
  EXPECT_EQ(copy("x-amz-copy-source-if-match", "\"y\""), 412);
  EXPECT_EQ(copy("x-amz-copy-source-if-none-match", etag), 412);
  EXPECT_EQ(copy("x-amz-copy-source-if-none-match", "\"y\""), 200);
  EXPECT_EQ(copy("x-amz-copy-source-if-modified-since", "Tue, 15 Nov 1994 08:12:31 GMT"), 412);
  EXPECT_EQ(copy("x-amz-copy-source-if-unmodified-since", "Tue, 15 Nov 1994 08:12:30 GMT"), 412);
  EXPECT_EQ(copy("If-None-Match", "*"), 412);
  remove("/photos/to");
  EXPECT_EQ(copy("If-None-Match", "*"), 200);
}

TEST_F(S3Test, ComputesAChecksumForACopy) {
  put("/photos/from", "123456789");
  const Answer copied =
      put("/photos/to", "", {{"x-amz-copy-source", "/photos/from"}, {"x-amz-checksum-algorithm", "CRC32C"}});
  EXPECT_EQ(copied.element("ChecksumCRC32C"), "4waSgw==");
  EXPECT_EQ(get("/photos/to", {{"x-amz-checksum-mode", "ENABLED"}}).header("x-amz-checksum-crc32c"),
            "4waSgw==");
}

// ---- removing many ----

TEST_F(S3Test, RemovesMany) {
  for (const char* key : {"a", "b%2Fc", "d%20%26%20e", "%20"}) put(std::string("/photos/") + key, "x");
  const Answer removed = delete_many(
      "<?xml version=\"1.0\"?><Delete "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object>"
      "<Object><Key>b/c</Key><VersionId>null</VersionId></Object>\n <Object><Key>d &amp; "
      "<![CDATA[e]]></Key></Object>"
      "<Object><Key> </Key></Object><Object><Key>missing</Key></Object>"
      "<Object><Key>x</Key><VersionId>3</VersionId></Object></Delete>");
  EXPECT_EQ(removed.status, 200);
  EXPECT_THAT(removed.elements("Deleted", "Key"), ElementsAre("a", "b/c", "d & e", " ", "missing"));
  EXPECT_THAT(removed.elements("Error", "Code"), ElementsAre("InvalidArgument"));
  EXPECT_THAT(get("/photos").elements("Contents", "Key"), ElementsAre());
}

TEST_F(S3Test, RemovesAThousandQuietly) {
  std::string xml = "<Delete><Quiet>true</Quiet>";
  for (int i = 0; i < 1000; ++i) {
    if (i % 10 == 0) put(fmt::format("/photos/k{}", i), "x");
    xml += fmt::format("<Object><Key>k{}</Key></Object>", i);
  }
  put("/photos/stays", "x");
  const Answer removed = delete_many(xml + "</Delete>");
  EXPECT_EQ(removed.status, 200);
  EXPECT_EQ(removed.elements("Deleted", "Key").size(), 0U);
  EXPECT_THAT(get("/photos").elements("Contents", "Key"), ElementsAre("stays"));
  EXPECT_EQ(delete_many(xml + "<Object><Key>one more</Key></Object></Delete>").code(), "MalformedXML");
}

TEST_F(S3Test, RefusesHostileDocuments) {
  put("/photos/a", "x");
  put("/photos/ab", "x");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  for (const std::string& xml :
       {std::string(), std::string("<"), std::string("<Delete>"), std::string("<Delete></Delete>"),
        std::string("<Remove><Object><Key>a</Key></Object></Remove>"),
        std::string("<Delete><Object/></Delete>"),
        std::string("<!DOCTYPE x [<!ENTITY e \"a\">]><Delete><Object><Key>&e;</Key></Object></Delete>"),
        std::string("<Delete><Object><Key>a&#0;b</Key></Object></Delete>"),
        std::string("<Delete><Object><Key>a&#x00;b</Key></Object></Delete>"),
        std::string("<Delete><Object><Key>a\0b</Key></Object></Delete>", 48),
        "<Delete><Object><Key>a</Key></Object>" + deep + "</Delete>", deep}) {
    const Answer refused = delete_many(xml);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(refused.code(), "MalformedXML") << xml.substr(0, 80);
  }
  std::string closed = "<Delete><Object><Key>a</Key></Object>" + deep;
  for (int i = 0; i < 100'000; ++i) closed += "</a>";
  EXPECT_EQ(delete_many(closed + "</Delete>").code(), "MalformedXML");
  EXPECT_EQ(delete_many(std::string(3 << 20, ' ')).code(), "MaxMessageLengthExceeded");
  EXPECT_EQ(post("/photos?delete", "<Delete><Object><Key>a</Key></Object></Delete>").code(),
            "InvalidRequest");
  // Neither an entity of our own nor a comment changes which key is meant.
  EXPECT_THAT(
      delete_many("<Delete><Object><Key>&unknown;</Key></Object></Delete>").elements("Deleted", "Key"),
      ElementsAre("&unknown;"));
  EXPECT_THAT(
      delete_many("<Delete><Object><Key>a<!-- x -->b</Key></Object></Delete>").elements("Deleted", "Key"),
      ElementsAre("ab"));
  EXPECT_EQ(head("/photos/a").status, 200);
  EXPECT_EQ(head("/photos/ab").status, 404);
}

// ---- lists ----

TEST_F(S3Test, ListsInBothVersions) {
  for (const char* key : {"a", "b/1", "b/2", "c"}) put(std::string("/photos/") + key, key);
  const Answer v1 = get("/photos?delimiter=/&max-keys=2");
  EXPECT_EQ(v1.element("Name"), "photos");
  EXPECT_EQ(v1.element("IsTruncated"), "true");
  EXPECT_EQ(v1.element("NextMarker"), "b/");
  EXPECT_EQ(v1.element("MaxKeys"), "2");
  EXPECT_EQ(v1.element("Delimiter"), "/");
  EXPECT_THAT(v1.elements("Contents", "Key"), ElementsAre("a"));
  EXPECT_THAT(v1.elements("Contents", "ETag"), ElementsAre(quoted(md5_hex("a"))));
  EXPECT_THAT(v1.elements("Contents", "Size"), ElementsAre("1"));
  EXPECT_THAT(v1.elements("Contents", "StorageClass"), ElementsAre("STANDARD"));
  EXPECT_THAT(v1.elements("Contents", "LastModified"), ElementsAre("1994-11-15T08:12:31.000Z"));
  EXPECT_THAT(v1.elements("CommonPrefixes", "Prefix"), ElementsAre("b/"));
  EXPECT_EQ(v1.element("ID").size(), 64U);
  const Answer v1_rest = get("/photos?delimiter=/&marker=b/");
  EXPECT_THAT(v1_rest.elements("Contents", "Key"), ElementsAre("c"));
  EXPECT_EQ(v1_rest.element("Marker"), "b/");
  EXPECT_EQ(v1_rest.element("IsTruncated"), "false");

  const Answer v2 = get("/photos?list-type=2&max-keys=3");
  EXPECT_THAT(v2.elements("Contents", "Key"), ElementsAre("a", "b/1", "b/2"));
  EXPECT_EQ(v2.element("KeyCount"), "3");
  EXPECT_EQ(v2.element("Owner"), "");
  const std::string token = v2.element("NextContinuationToken");
  const Answer v2_rest = get("/photos?list-type=2&continuation-token=" + percent_encode(token));
  EXPECT_THAT(v2_rest.elements("Contents", "Key"), ElementsAre("c"));
  EXPECT_EQ(v2_rest.element("ContinuationToken"), token);
  EXPECT_THAT(get("/photos?list-type=2&start-after=b/1").elements("Contents", "Key"),
              ElementsAre("b/2", "c"));
  EXPECT_THAT(get("/photos?list-type=2&prefix=b/").elements("Contents", "Key"), ElementsAre("b/1", "b/2"));
  EXPECT_THAT(get("/photos?list-type=2&fetch-owner=true").body, HasSubstr("<Owner><ID>"));
  EXPECT_EQ(get("/photos?max-keys=0").element("IsTruncated"), "false");
  EXPECT_EQ(get("/photos?max-keys=5000").element("MaxKeys"), "1000");
  EXPECT_EQ(get("/photos?max-keys=-1").code(), "InvalidArgument");
  EXPECT_EQ(get("/photos?max-keys=x").code(), "InvalidArgument");
  EXPECT_EQ(get("/photos?list-type=3").code(), "InvalidArgument");
  EXPECT_EQ(get("/photos?encoding-type=base64").code(), "InvalidArgument");
  EXPECT_EQ(get("/photos?list-type=2&continuation-token=%25").code(), "InvalidArgument");
  EXPECT_EQ(get("/nowhere").code(), "NoSuchBucket");
}

TEST_F(S3Test, PagesOf2500KeysAreTheNaiveAnswer) {
  std::set<std::string> keys;
  Random random(17);
  const auto draw = [&](std::size_t n) {
    return static_cast<std::size_t>(random.below(static_cast<std::int64_t>(n)));
  };
  const std::vector<std::string> parts{"a", "b", "c-1", "c", "c.", "d e", "é", "%", "+"};
  while (keys.size() < 2500) {
    std::string key = parts[draw(parts.size())];
    for (std::size_t depth = draw(4); depth > 0; --depth) key += "/" + parts[draw(parts.size())];
    keys.insert(key + std::to_string(draw(10)));
  }
  // Straight into the folder, as a person would: the file system is the bucket.
  for (const std::string& key : keys) {
    const std::filesystem::path path = folder_.path() / "objects/photos" / key;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << "x";
  }
  for (int round = 0; round < 40; ++round) {
    const bool second = round % 2 == 0;
    const std::string prefix = round % 3 == 0 ? "" : parts[draw(parts.size())] + (round % 3 == 1 ? "/" : "");
    const std::string delimiter = round % 4 == 0 ? "" : round % 4 == 3 ? "1" : "/";
    const int max_keys = 1 + static_cast<int>(draw(300));
    std::vector<std::string> expected_keys, expected_groups;
    for (const std::string& key : keys) {
      if (!key.starts_with(prefix)) continue;
      const std::size_t found = delimiter.empty() ? std::string::npos : key.find(delimiter, prefix.size());
      if (found == std::string::npos) {
        expected_keys.push_back(key);
      } else if (const std::string group = key.substr(0, found + delimiter.size());
                 expected_groups.empty() || expected_groups.back() != group) {
        expected_groups.push_back(group);
      }
    }
    std::vector<std::string> actual_keys, actual_groups;
    std::string more;
    int pages = 0;
    for (; pages < 3000; ++pages) {
      const Answer page = get(fmt::format("/photos?encoding-type=url&max-keys={}&prefix={}&delimiter={}{}{}",
                                          max_keys, percent_encode(prefix), percent_encode(delimiter),
                                          second ? "&list-type=2" : "", more));
      ASSERT_EQ(page.status, 200) << page.body;
      const auto page_keys = page.elements("Contents", "Key"),
                 groups = page.elements("CommonPrefixes", "Prefix");
      EXPECT_LE(page_keys.size() + groups.size(), static_cast<std::size_t>(max_keys));
      for (const std::string& key : page_keys) actual_keys.push_back(percent_decode(key).value());
      for (const std::string& group : groups) actual_groups.push_back(percent_decode(group).value());
      if (page.element("IsTruncated") != "true") break;
      // The names in the answer are encoded; the marker is the name itself.
      more = second ? "&continuation-token=" + percent_encode(page.element("NextContinuationToken"))
                    : "&marker=" + (delimiter.empty() ? page_keys.back() : page.element("NextMarker"));
    }
    EXPECT_EQ(actual_keys, expected_keys) << prefix << " " << delimiter;
    EXPECT_EQ(actual_groups, expected_groups) << prefix << " " << delimiter;
  }
}

// ---- tags, attributes, access control ----

TEST_F(S3Test, ChangesTags) {
  put("/photos/k", "x");
  EXPECT_EQ(get("/photos/k?tagging").body.find("<Tag>"), std::string::npos);
  const std::string xml =
      "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag><Key>a &amp; "
      "b</Key><Value>1</Value>"
      "</Tag><Tag><Key>c</Key><Value></Value></Tag></TagSet></Tagging>";
  EXPECT_EQ(put("/photos/k?tagging", xml).status, 200);
  const Answer got = get("/photos/k?tagging");
  EXPECT_THAT(got.body,
              HasSubstr("<Tag><Key>a &amp; b</Key><Value>1</Value></Tag><Tag><Key>c</Key><Value></Value>"));
  EXPECT_EQ(get("/photos/k").body, "x");
  std::string many = "<Tagging><TagSet>";
  for (int i = 0; i < 11; ++i) many += fmt::format("<Tag><Key>k{}</Key><Value>v</Value></Tag>", i);
  EXPECT_EQ(put("/photos/k?tagging", many + "</TagSet></Tagging>").status, 400);
  EXPECT_EQ(put("/photos/k?tagging", "<Tagging/>").code(), "MalformedXML");
  EXPECT_EQ(put("/photos/missing?tagging", xml).code(), "NoSuchKey");
  EXPECT_EQ(remove("/photos/k?tagging").status, 204);
  EXPECT_EQ(get("/photos/k?tagging").body.find("<Tag>"), std::string::npos);
  EXPECT_EQ(get("/photos/k").status, 200) << "removing tags must not remove the object";
}

TEST_F(S3Test, TellsAttributes) {
  checksums_ = {{"sha256", "abc="}};
  put("/photos/k", "12345");
  checksums_.clear();
  const Answer got = get("/photos/k?attributes",
                         {{"x-amz-object-attributes", "ETag, ObjectSize,StorageClass,Checksum,ObjectParts"}});
  EXPECT_EQ(got.element("ETag"), md5_hex("12345"));
  EXPECT_EQ(got.element("ObjectSize"), "5");
  EXPECT_EQ(got.element("StorageClass"), "STANDARD");
  EXPECT_EQ(got.element("ChecksumSHA256"), "abc=");
  EXPECT_EQ(get("/photos/k?attributes").code(), "InvalidRequest");
  EXPECT_EQ(get("/photos/k?attributes", {{"x-amz-object-attributes", "Colour"}}).code(), "InvalidArgument");
}

TEST_F(S3Test, HasOneAccessControlList) {
  put("/photos/k", "x");
  EXPECT_EQ(get("/photos/k?acl").element("Permission"), "FULL_CONTROL");
  EXPECT_EQ(put("/photos/k?acl", "", {{"x-amz-acl", "private"}}).status, 200);
  EXPECT_EQ(put("/photos/k?acl", "", {{"x-amz-acl", "public-read"}}).code(), "AccessControlListNotSupported");
  EXPECT_EQ(put("/photos?acl", "", {{"x-amz-acl", "public-read"}}).code(), "AccessControlListNotSupported");
  EXPECT_EQ(get("/photos/missing?acl").code(), "NoSuchKey");
  EXPECT_EQ(get("/photos/k").body, "x");
}

// ---- uploads ----

class S3UploadTest : public S3Test {
 protected:
  std::string start(const std::string& key = "k", http::Headers headers = {}) {
    const Answer started = post("/photos/" + key + "?uploads", "", std::move(headers));
    EXPECT_EQ(started.status, 200) << started.body;
    EXPECT_EQ(started.element("Bucket"), "photos");
    return started.element("UploadId");
  }
  static std::string complete_xml(const std::vector<std::pair<int, std::string>>& parts,
                                  const std::string& checksums = "") {
    std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (const auto& [number, etag] : parts)
      xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>&quot;{}&quot;</ETag>{}</Part>", number,
                         etag, checksums);
    return xml + "</CompleteMultipartUpload>";
  }
  Answer complete(const std::string& id, const std::vector<std::pair<int, std::string>>& parts,
                  http::Headers headers = {}) {
    return post("/photos/k?uploadId=" + id, complete_xml(parts), std::move(headers));
  }
};

TEST_F(S3UploadTest, PutsPartsTogether) {
  const std::string id = start("k", {{"Content-Type", "video/mp4"}, {"x-amz-meta-a", "1"}});
  const std::string one(5 << 20, '1'), two = "two";
  EXPECT_EQ(put("/photos/k?partNumber=2&uploadId=" + id, two).header("ETag"), quoted(md5_hex(two)));
  EXPECT_EQ(put("/photos/k?partNumber=1&uploadId=" + id, one, {{"Content-MD5", md5_base64(one)}}).status,
            200);
  EXPECT_EQ(get("/photos/k").code(), "NoSuchKey");

  const Answer parts = get("/photos/k?uploadId=" + id);
  EXPECT_THAT(parts.elements("Part", "PartNumber"), ElementsAre("1", "2"));
  EXPECT_THAT(parts.elements("Part", "Size"), ElementsAre("5242880", "3"));
  EXPECT_EQ(parts.element("IsTruncated"), "false");
  const Answer first = get("/photos/k?max-parts=1&uploadId=" + id);
  EXPECT_EQ(first.element("IsTruncated"), "true");
  EXPECT_EQ(first.element("NextPartNumberMarker"), "1");
  EXPECT_THAT(get("/photos/k?part-number-marker=1&uploadId=" + id).elements("Part", "PartNumber"),
              ElementsAre("2"));

  EXPECT_EQ(complete(id, {{2, md5_hex(two)}, {1, md5_hex(one)}}).code(), "InvalidPartOrder");
  const Answer wrong = complete(id, {{1, md5_hex(two)}});
  EXPECT_EQ(wrong.code(), "InvalidPart");
  EXPECT_EQ(wrong.element("PartNumber"), "1");
  EXPECT_EQ(complete(id, {{1, md5_hex(one)}, {2, md5_hex(two)}}, {{"x-amz-mp-object-size", "7"}}).code(),
            "InvalidRequest");
  EXPECT_EQ(complete(id, {{1, md5_hex(one)}, {2, md5_hex(two)}}, {{"If-Match", "\"x\""}}).code(),
            "NoSuchKey");
  const Answer whole = complete(id, {{1, md5_hex(one)}, {2, md5_hex(two)}},
                                {{"x-amz-mp-object-size", "5242883"}, {"If-None-Match", "*"}});
  EXPECT_EQ(whole.status, 200) << whole.body;
  EXPECT_TRUE(whole.element("ETag").ends_with("-2\""));
  EXPECT_EQ(whole.element("Location"), "http://127.0.0.1:8080/photos/k");
  const Answer got = get("/photos/k");
  EXPECT_TRUE(got.body == one + two);
  EXPECT_EQ(got.header("Content-Type"), "video/mp4");
  EXPECT_EQ(got.header("x-amz-meta-a"), "1");
  EXPECT_EQ(got.header("ETag"), whole.element("ETag"));
  EXPECT_EQ(get("/photos/k?attributes", {{"x-amz-object-attributes", "ObjectParts"}}).element("PartsCount"),
            "2");
  EXPECT_EQ(get("/photos/k?uploadId=" + id).code(), "NoSuchUpload");
  // Said twice, as a client does that did not hear the answer.
  EXPECT_EQ(complete(id, {{1, md5_hex(one)}, {2, md5_hex(two)}}).element("ETag"), whole.element("ETag"));
  const std::string other = start();
  put("/photos/k?partNumber=1&uploadId=" + other, two);
  EXPECT_EQ(complete(other, {{1, md5_hex(two)}}, {{"If-None-Match", "*"}}).code(), "PreconditionFailed");
}

TEST_F(S3UploadTest, RefusesWhatS3Refuses) {
  const std::string id = start();
  for (const char* number : {"0", "10001", "x", "", "-1", "1.5"})
    EXPECT_EQ(put(fmt::format("/photos/k?partNumber={}&uploadId={}", number, id), "x").code(),
              "InvalidArgument");
  put("/photos/k?partNumber=1&uploadId=" + id, "small");
  put("/photos/k?partNumber=2&uploadId=" + id, "last");
  EXPECT_EQ(complete(id, {{1, md5_hex("small")}, {2, md5_hex("last")}}).code(), "EntityTooSmall");
  EXPECT_EQ(complete(id, {}).code(), "MalformedXML");
  EXPECT_EQ(put("/photos/other?partNumber=1&uploadId=" + id, "x").code(), "NoSuchUpload");
  const Answer unknown = put("/photos/k?partNumber=1&uploadId=..%2F..%2Fx", "x");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.element("UploadId"), "../../x");
  EXPECT_EQ(remove("/photos/k?uploadId=" + id).status, 204);
  EXPECT_EQ(remove("/photos/k?uploadId=" + id).code(), "NoSuchUpload");
  EXPECT_EQ(post("/nowhere/k?uploads", "").code(), "NoSuchBucket");
}

TEST_F(S3UploadTest, CopiesIntoParts) {
  put("/photos/from", "0123456789");
  const std::string id = start();
  const auto copy = [&](const std::string& range) {
    http::Headers headers{{"x-amz-copy-source", "/photos/from"}};
    if (!range.empty()) headers.set("x-amz-copy-source-range", range);
    return put("/photos/k?partNumber=1&uploadId=" + id, "", headers);
  };
  EXPECT_EQ(copy("").element("ETag"), quoted(md5_hex("0123456789")));
  EXPECT_EQ(copy("bytes=2-4").element("ETag"), quoted(md5_hex("234")));
  for (const char* range : {"bytes=2-", "bytes=-3", "2-4", "bytes=4-2", "bytes=0-10", "bytes=0-3x"})
    EXPECT_EQ(copy(range).code(), "InvalidArgument") << range;
  EXPECT_EQ(complete(id, {{1, md5_hex("234")}}).status, 200);
  EXPECT_EQ(get("/photos/k").body, "234");
}

TEST_F(S3UploadTest, ListsUploads) {
  const std::string a1 = start("a"), b = start("d/b");
  clock_.advance(std::chrono::seconds(1));
  const std::string a2 = start("a"), c = start("d/c");
  start("e%20f");
  const Answer all = get("/photos?uploads");
  EXPECT_THAT(all.elements("Upload", "Key"), ElementsAre("a", "a", "d/b", "d/c", "e f"));
  EXPECT_THAT(all.elements("Upload", "UploadId"), ::testing::Contains(a1));
  const Answer grouped = get("/photos?uploads&delimiter=/");
  EXPECT_THAT(grouped.elements("Upload", "Key"), ElementsAre("a", "a", "e f"));
  EXPECT_THAT(grouped.elements("CommonPrefixes", "Prefix"), ElementsAre("d/"));
  std::vector<std::string> ids;
  std::string markers;
  for (int page = 0; page < 10; ++page) {
    const Answer one = get("/photos?uploads&max-uploads=1" + markers);
    for (const std::string& id : one.elements("Upload", "UploadId")) ids.push_back(id);
    if (one.element("IsTruncated") != "true") break;
    markers = "&key-marker=" + percent_encode(one.element("NextKeyMarker")) +
              "&upload-id-marker=" + one.element("NextUploadIdMarker");
  }
  ASSERT_EQ(ids.size(), 5U);
  EXPECT_THAT((std::vector<std::string>(ids.begin(), ids.begin() + 4)), ElementsAre(a1, a2, b, c));
  EXPECT_THAT(get("/photos?uploads&prefix=d/&encoding-type=url").elements("Upload", "Key"),
              ElementsAre("d/b", "d/c"));
  EXPECT_EQ(remove("/photos").code(), "BucketNotEmpty");
}

TEST_F(S3UploadTest, AnswersWithTheChecksumOfTheWhole) {
  const std::string id = start("k", {{"x-amz-checksum-algorithm", "CRC32"}});
  checksums_["crc32"] = s3::checksum_of("crc32", *bytes_source(std::string_view("last"))).value();
  EXPECT_EQ(put("/photos/k?partNumber=1&uploadId=" + id, "last").header("x-amz-checksum-crc32"),
            checksums_["crc32"]);
  const std::string xml =
      complete_xml({{1, md5_hex("last")}}, "<ChecksumCRC32>" + checksums_["crc32"] + "</ChecksumCRC32>");
  checksums_.clear();
  EXPECT_EQ(post("/photos/k?uploadId=" + id, xml,
                 {{"x-amz-checksum-type", "COMPOSITE"}, {"x-amz-checksum-crc32", "AAAAAA==-1"}})
                .code(),
            "BadDigest");
  EXPECT_EQ(post("/photos/k?uploadId=" + id, xml,
                 {{"x-amz-checksum-type", "FULL_OBJECT"}, {"x-amz-checksum-crc32", "AAAAAA=="}})
                .code(),
            "InvalidRequest");
  const Answer whole = post("/photos/k?uploadId=" + id, xml);
  EXPECT_TRUE(whole.element("ChecksumCRC32").ends_with("-1")) << whole.body;
  EXPECT_EQ(whole.element("ChecksumType"), "COMPOSITE");
}

TEST(S3Checksums, JoinedEqualsTheChecksumOfAllBytes) {
  Random random(3);
  for (const std::string name : {"crc32", "crc32c", "crc64nvme"}) {
    for (int round = 0; round < 20; ++round) {
      std::string whole;
      std::vector<std::pair<std::string, std::int64_t>> parts;
      for (std::int64_t part = 0; part < 1 + round % 4; ++part) {
        std::string bytes(static_cast<std::size_t>(random.below(5000)), '\0');
        for (char& c : bytes) c = static_cast<char>(random.next_u32());
        whole += bytes;
        parts.emplace_back(s3::checksum_of(name, *bytes_source(bytes)).value(), bytes.size());
      }
      EXPECT_EQ(s3::joined_checksum(name, parts), s3::checksum_of(name, *bytes_source(whole)).value())
          << name;
    }
  }
  EXPECT_FALSE(s3::joined_checksum("sha256", {}));
  EXPECT_FALSE(s3::joined_checksum("crc32", {{"AAAA", 1}}));
}

}  // namespace
}  // namespace terrapin::api
