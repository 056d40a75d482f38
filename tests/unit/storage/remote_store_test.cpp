#include "storage/remote_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <thread>

#include "unit/base/temporary_folder.h"
#include "unit/http/certificate.h"
#include "unit/storage/remote_store_fake.h"

namespace terrapin::storage {
namespace {

using test::FakeS3;
using test::query_of;
using test::SeenRequest;

std::unique_ptr<ObjectStore> open(const RemoteStoreOptions& options) {
  auto store = open_remote_store(options);
  EXPECT_TRUE(store) << store.error().message;
  return std::move(*store);
}

std::string text_of(const OpenObject& open) {
  return *read_all_text(*open.content, 64 << 20);
}

const std::vector<std::string> kAwkwardKeys = {"plain.jpg",
                                               "a b/c+d/e&f=g?h#i%20j",
                                               "h\xc3\xa9llo/\xe6\x97\xa5\xe6\x9c\xac.png",
                                               "../../etc/passwd",
                                               "a/./b/../c//d/",
                                               "/leading",
                                               "~!*'();:@,$[]{}|\\^`\"<>",
                                               "tab\tline\nbell\x07",
                                               "%41%zz%",
                                               std::string(1024, 'k')};

TEST(RemoteStore, EveryKeyIsSignedAndArrivesAsItIs) {
  FakeS3 fake;
  const auto store = open(fake.options());
  for (const std::string& key : kAwkwardKeys) {
    const ObjectName name{"photos", key};
    const auto put = store->put(name, *bytes_source("bytes of " + key));
    ASSERT_TRUE(put) << key << ": " << put.error().message;
    EXPECT_EQ(fake.objects().count("/photos/" + key), 1U) << key;
    EXPECT_EQ(put->etag.size(), 32U);
    EXPECT_GT(to_microseconds(put->modified), 0);
    const auto got = store->get(name);
    ASSERT_TRUE(got) << key << ": " << got.error().message;
    EXPECT_EQ(text_of(*got), "bytes of " + key);
    EXPECT_EQ(got->info.etag, put->etag);
    EXPECT_EQ(iso_text(got->info.modified), "2013-05-24T00:00:01");
    EXPECT_EQ(store->head(name)->size, static_cast<std::int64_t>(9 + key.size()));
    ASSERT_TRUE(store->remove(name));
    EXPECT_EQ(store->get(name).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store->head(name).error().code, ErrorCode::kNotFound);
    EXPECT_TRUE(store->remove(name));
  }
}

TEST(RemoteStore, QueriesAreSignedToo) {
  FakeS3 fake;
  const auto store = open(fake.options());
  fake.set_script([](const SeenRequest&, int) {
    return FakeS3::xml("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
  });
  for (const std::string& key : kAwkwardKeys) {
    const auto page = store->list("photos", {key, "/", key, 7});
    ASSERT_TRUE(page) << key << ": " << page.error().message;
    EXPECT_EQ(query_of(fake.seen().back(), "prefix"), key);
    EXPECT_EQ(query_of(fake.seen().back(), "start-after"), key);
    EXPECT_EQ(query_of(fake.seen().back(), "max-keys"), "7");
  }
}

TEST(RemoteStore, HeadersGoOverAndComeBack) {
  FakeS3 fake;
  const auto store = open(fake.options());
  ObjectHeaders headers;
  headers.content_type = "image/png; charset=\"x\"";
  headers.content_encoding = "gzip";
  headers.content_disposition = "attachment; filename=\"a  b.png\"";
  headers.content_language = "de, en";
  headers.cache_control = "max-age=3";
  headers.expires = "Thu, 01 Jan 2026 00:00:00 GMT";
  headers.metadata = {{"worker", "anna"}, {"empty", ""}, {"spaces", "a   b"}};
  headers.checksums = {{"crc32", "NhCmhg=="}};
  headers.tags = {{"a", "b c"}, {"k&=", ""}};
  PutCondition condition;
  condition.if_match = "abc";
  const auto put = store->put({"photos", "k"}, *bytes_source("hello"), headers, condition);
  ASSERT_TRUE(put) << put.error().message;
  const SeenRequest sent = fake.seen().back();
  EXPECT_EQ(sent.headers.find("content-type"), "image/png; charset=\"x\"");
  EXPECT_EQ(sent.headers.find("content-encoding"), "gzip");
  EXPECT_EQ(sent.headers.find("content-disposition"), "attachment; filename=\"a  b.png\"");
  EXPECT_EQ(sent.headers.find("content-language"), "de, en");
  EXPECT_EQ(sent.headers.find("cache-control"), "max-age=3");
  EXPECT_EQ(sent.headers.find("expires"), "Thu, 01 Jan 2026 00:00:00 GMT");
  EXPECT_EQ(sent.headers.find("x-amz-meta-worker"), "anna");
  EXPECT_EQ(sent.headers.find("x-amz-meta-empty"), "");
  EXPECT_EQ(sent.headers.find("x-amz-meta-spaces"), "a   b");
  EXPECT_EQ(sent.headers.find("x-amz-checksum-crc32"), "NhCmhg==");
  EXPECT_EQ(sent.headers.find("x-amz-tagging"), "a=b%20c&k%26%3D=");
  EXPECT_EQ(sent.headers.find("if-match"), "\"abc\"");

  fake.set_script([&](const SeenRequest& request, int) -> std::optional<http::Response> {
    if (query_of(request, "tagging") != "(none)")
      return FakeS3::xml("<Tagging><TagSet><Tag><Key>a</Key><Value> </Value></Tag></TagSet></Tagging>");
    http::Response response = http::Response::text(200, headers.content_type, "hello");
    response.headers.set("Content-Encoding", "gzip");
    response.headers.set("x-amz-meta-Worker", "anna");
    response.headers.set("x-amz-checksum-crc32", "NhCmhg==");
    response.headers.set("x-amz-checksum-type", "FULL_OBJECT");
    response.headers.set("ETag", "\"5d41402abc4b2a76b9719d911017c592-2\"");
    response.headers.set("x-amz-tagging-count", "1");
    return response;
  });
  const auto got = store->get({"photos", "k"});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(text_of(*got), "hello");
  EXPECT_EQ(got->info.headers.content_encoding, "gzip");
  EXPECT_EQ(got->info.headers.metadata, (std::map<std::string, std::string>{{"worker", "anna"}}));
  EXPECT_EQ(got->info.headers.checksums, (std::map<std::string, std::string>{{"crc32", "NhCmhg=="}}));
  EXPECT_EQ(got->info.headers.tags, (std::map<std::string, std::string>{{"a", " "}}));
  EXPECT_EQ(got->info.etag, "5d41402abc4b2a76b9719d911017c592-2");
  EXPECT_EQ(store->head({"photos", "k"})->headers.tags.size(), 1U);
}

TEST(RemoteStore, AValueCannotBecomeAnotherHeader) {
  FakeS3 fake;
  const auto store = open(fake.options());
  ObjectHeaders headers;
  headers.metadata = {{"a", "x\r\nx-amz-acl: public-read"}};
  EXPECT_EQ(store->put({"photos", "k"}, *bytes_source("x"), headers, {}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_TRUE(fake.seen().empty());
}

TEST(RemoteStore, BusyServicesAreAskedAgain) {
  FakeS3 fake;
  const auto store = open(fake.options());
  fake.set_script([](const SeenRequest&, int number) -> std::optional<http::Response> {
    if (number == 1) return FakeS3::refusal(503, "SlowDown");
    if (number == 2) return FakeS3::refusal(500, "InternalError");
    return std::nullopt;
  });
  ASSERT_TRUE(store->put({"photos", "k"}, *bytes_source("hello")));
  EXPECT_EQ(fake.seen().size(), 3U);
  EXPECT_EQ(fake.objects().at("/photos/k"), "hello");

  fake.set_script([](const SeenRequest&, int) { return FakeS3::refusal(503, "SlowDown"); });
  const auto refused = store->get({"photos", "k"});
  EXPECT_EQ(fake.seen().size(), 5U);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  EXPECT_TRUE(refused.error().message.starts_with("SlowDown: words of SlowDown")) << refused.error().message;
  EXPECT_NE(refused.error().message.find("/photos/k"), std::string::npos);
}

// The first attempt may have stored the object: asking again would say that the condition failed.
TEST(RemoteStore, ConditionalPutsAreNotRepeatedBlindly) {
  FakeS3 fake;
  const auto store = open(fake.options());
  PutCondition free;
  free.if_none_match = true;
  fake.set_script([](const SeenRequest&, int) { return FakeS3::refusal(500, "InternalError"); });
  EXPECT_EQ(store->put({"photos", "k"}, *bytes_source("x"), {}, free).error().code, ErrorCode::kIo);
  EXPECT_EQ(fake.seen().size(), 1U);
  EXPECT_EQ(fake.seen()[0].headers.find("if-none-match"), "*");
  fake.set_script([](const SeenRequest&, int number) -> std::optional<http::Response> {
    if (number == 1) return FakeS3::refusal(503, "SlowDown");  // surely not stored
    return FakeS3::refusal(412, "PreconditionFailed");
  });
  EXPECT_EQ(store->put({"photos", "k"}, *bytes_source("x"), {}, free).error().code, ErrorCode::kConflict);
  EXPECT_EQ(fake.seen().size(), 2U);
  fake.set_script([](const SeenRequest&, int) { return FakeS3::refusal(500, "InternalError"); });
  EXPECT_FALSE(store->start_upload({"photos", "k"}, {}));
  EXPECT_EQ(fake.seen().size(), 1U);
}

TEST(RemoteStore, AServiceThatIsNotThereIsNamed) {
  RemoteStoreOptions options;
  {
    FakeS3 fake;
    options = fake.options();
  }
  options.attempts = 2;
  const auto store = open(options);
  const auto refused = store->get({"photos", "k"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  EXPECT_NE(refused.error().message.find(options.endpoint), std::string::npos) << refused.error().message;
}

TEST(RemoteStore, WrongCredentialsAreTheServicesWords) {
  FakeS3 fake;
  auto options = fake.options();
  options.credentials.secret_key = "another";
  const auto wrong = open(options)->get({"photos", "k"});
  EXPECT_EQ(wrong.error().code, ErrorCode::kIo);
  EXPECT_TRUE(wrong.error().message.starts_with("SignatureDoesNotMatch")) << wrong.error().message;
  EXPECT_EQ(wrong.error().message.find("another"), std::string::npos);
  options = fake.options();
  options.region = "eu-west-1";
  const auto region = open(options)->get({"photos", "k"});
  EXPECT_TRUE(region.error().message.starts_with("AuthorizationHeaderMalformed")) << region.error().message;
  EXPECT_NE(region.error().message.find("the region us-east-1, not eu-west-1"), std::string::npos);
  options = fake.options();
  options.credentials.session_token = "token";
  EXPECT_TRUE(open(options)->get({"photos", "k"}).error().message.starts_with("InvalidToken"));
}

TEST(RemoteStore, RedirectsAreNotFollowed) {
  FakeS3 other, fake;
  const auto store = open(fake.options());
  fake.set_script([&](const SeenRequest&, int) {
    auto response = FakeS3::refusal(307, "TemporaryRedirect");
    response.headers.set("Location", other.server().url() + "/photos/k");
    response.headers.set("x-amz-bucket-region", "eu-north-1");
    return response;
  });
  const auto refused = store->get({"photos", "k"});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("eu-north-1"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(other.seen().empty());
}

TEST(RemoteStore, LargeObjectsAreReadIntoAFileThatGoesAway) {
  FakeS3 fake;
  const terrapin::test::TemporaryFolder folder;
  auto options = fake.options();
  options.memory_bytes = 1000;
  options.spool_folder = folder.path();
  auto store = open(options);
  std::string large(3'000'001, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 + i / 257);
  ASSERT_TRUE(store->put({"photos", "large"}, *bytes_source(large)));
  const auto got = store->get({"photos", "large"});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(text_of(*got) == large);
  Bytes part(5);
  ASSERT_TRUE(got->content->read(2'999'990, part));
  EXPECT_EQ(std::string(part.begin(), part.end()), large.substr(2'999'990, 5));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  options.spool_folder = folder / "missing";
  EXPECT_EQ(open(options)->get({"photos", "large"}).error().code, ErrorCode::kIo);
  // The old bytes stay when the object is replaced.
  ASSERT_TRUE(store->put({"photos", "large"}, *bytes_source("new")));
  EXPECT_TRUE(text_of(*got) == large);
}

TEST(RemoteStore, FailuresAfterTwoHundredAreFailures) {
  FakeS3 fake;
  const auto store = open(fake.options());
  fake.set_script([](const SeenRequest&, int) {
    auto response = FakeS3::refusal(200, "NoSuchKey");
    return response;
  });
  EXPECT_EQ(store->copy({"photos", "a"}, {"photos", "b"}, {}).error().code, ErrorCode::kNotFound);
  fake.set_script([](const SeenRequest&, int) {
    auto response = FakeS3::refusal(200, "EntityTooSmall");
    return response;
  });
  const auto refused = store->complete_upload({"photos", "a"}, "u", {{1, std::string(32, '0')}});
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(refused.error().message.starts_with("EntityTooSmall"));
  fake.set_script(
      [](const SeenRequest&, int) { return http::Response::text(200, "text/html", "<html>proxy</html>"); });
  EXPECT_EQ(store->list("photos", {}).error().code, ErrorCode::kIo);
  EXPECT_EQ(store->start_upload({"photos", "a"}, {}).error().code, ErrorCode::kIo);
}

TEST(RemoteStore, AnUploadCompletedByALostAttemptIsComplete) {
  FakeS3 fake;
  const auto store = open(fake.options());
  const std::string etag = "\"" + crypto::hex(crypto::hash(crypto::HashKind::kMd5, Bytes(16, 0))) + "-1\"";
  const auto script = [](const std::string& present) {
    return [present](const SeenRequest& request, int number) -> std::optional<http::Response> {
      if (number == 1) return FakeS3::refusal(500, "InternalError");
      if (request.method == "POST") return FakeS3::refusal(404, "NoSuchUpload");
      http::Response response = http::Response::text(200, "image/png", "x");
      response.headers.set("ETag", present);
      response.headers.set("x-amz-tagging-count", "0");
      return response;
    };
  };
  fake.set_script(script(etag));
  const auto done = store->complete_upload({"photos", "a"}, "u", {{1, std::string(32, '0')}});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->size, 1);
  fake.set_script(script("\"another\""));
  EXPECT_EQ(store->complete_upload({"photos", "a"}, "u", {{1, std::string(32, '0')}}).error().code,
            ErrorCode::kNotFound);
  fake.set_script([](const SeenRequest&, int) { return FakeS3::refusal(404, "NoSuchUpload"); });
  EXPECT_EQ(store->complete_upload({"photos", "a"}, "u", {{1, std::string(32, '0')}}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(store->abort_upload({"photos", "a"}, "u").error().code, ErrorCode::kNotFound);
}

TEST(RemoteStore, ListsGoOnWhereAServiceRepeatsItself) {
  FakeS3 fake;
  const auto store = open(fake.options());
  fake.set_script([](const SeenRequest& request, int number) {
    EXPECT_EQ(query_of(request, "encoding-type"), "url");
    if (number == 1) {
      EXPECT_EQ(query_of(request, "start-after"), "a/");
      return FakeS3::xml(
          "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
          "<NextContinuationToken>t+/=</NextContinuationToken>"
          "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes></ListBucketResult>");
    }
    EXPECT_EQ(query_of(request, "continuation-token"), "t+/=");
    EXPECT_EQ(query_of(request, "max-keys"), "2");
    return FakeS3::xml(
        "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>u</NextContinuationToken>"
        "<Contents><Key>b+%2B%01</Key><Size>5</Size><ETag>&quot;e&quot;</ETag>"
        "<LastModified>2013-05-24T00:00:01.750Z</LastModified></Contents>"
        "<CommonPrefixes><Prefix>c%2F</Prefix></CommonPrefixes></ListBucketResult>");
  });
  const auto page = store->list("photos", {"", "/", "a/", 2});
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].key, "b +\x01");
  EXPECT_EQ(page->objects[0].etag, "e");
  EXPECT_EQ(page->objects[0].size, 5);
  EXPECT_EQ(iso_text(page->objects[0].modified, 3), "2013-05-24T00:00:01.000");
  EXPECT_EQ(page->prefixes, std::vector<std::string>{"c/"});
  EXPECT_TRUE(page->truncated);
  EXPECT_EQ(page->next_start_after, "c/");
  EXPECT_EQ(fake.seen().size(), 2U);
}

TEST(RemoteStore, BucketsHaveThePrefix) {
  FakeS3 fake;
  auto options = fake.options();
  options.bucket_prefix = "team-";
  const auto store = open(options);
  fake.set_script([](const SeenRequest& request, int) -> std::optional<http::Response> {
    if (request.path == "/")
      return FakeS3::xml(
          "<ListAllMyBucketsResult><Buckets>"
          "<Bucket><Name>team-photos</Name><CreationDate>2020-01-02T03:04:05.000Z</CreationDate></Bucket>"
          "<Bucket><Name>other</Name><CreationDate>2020-01-02T03:04:05.000Z</CreationDate></Bucket>"
          "<Bucket><Name>team-archive</Name><CreationDate>2020-01-02T03:04:05.000Z</CreationDate></Bucket>"
          "</Buckets></ListAllMyBucketsResult>");
    if (request.method == "HEAD") return http::Response::text(200, "text/plain", "");
    return std::nullopt;
  });
  const auto buckets = store->list_buckets();
  ASSERT_TRUE(buckets) << buckets.error().message;
  ASSERT_EQ(buckets->size(), 2U);
  EXPECT_EQ((*buckets)[0].name, "archive");
  EXPECT_EQ((*buckets)[1].name, "photos");
  EXPECT_EQ(iso_text(store->head_bucket("photos")->created), "2020-01-02T03:04:05");
  EXPECT_EQ(store->create_bucket("photos").error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(fake.seen().back().path, "/team-photos");
  EXPECT_EQ(store->create_bucket("Bad_Name").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store->create_bucket(std::string(60, 'a')).error().code, ErrorCode::kInvalidArgument);
}

TEST(RemoteStore, BucketsAreMadeAndRemoved) {
  FakeS3 fake;
  const auto store = open(fake.options());
  fake.set_script([](const SeenRequest& request, int) -> std::optional<http::Response> {
    if (request.method == "HEAD") return http::Response::text(404, "text/plain", "");
    return http::Response::text(200, "text/plain", "");
  });
  ASSERT_TRUE(store->create_bucket("photos"));
  EXPECT_EQ(fake.seen().back().method, "PUT");
  EXPECT_EQ(fake.seen().back().body, "");
  fake.set_script([](const SeenRequest&, int) {
    return FakeS3::xml(
        "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId></Upload></"
        "ListMultipartUploadsResult>");
  });
  EXPECT_EQ(store->delete_bucket("photos").error().code, ErrorCode::kConflict);
  EXPECT_EQ(fake.seen().size(), 1U);
  fake.set_script([](const SeenRequest& request, int) {
    if (request.method == "DELETE") return FakeS3::refusal(409, "BucketNotEmpty");
    return FakeS3::xml("<ListMultipartUploadsResult></ListMultipartUploadsResult>");
  });
  EXPECT_EQ(store->delete_bucket("photos").error().code, ErrorCode::kConflict);
  EXPECT_EQ(fake.seen().size(), 2U);
}

TEST(RemoteStore, BodiesAboveTheLimitGoInParts) {
  FakeS3 fake;
  auto options = fake.options();
  options.part_above_bytes = 1000;
  const auto store = open(options);
  const std::string body((5 << 20) + 17, 'b');
  std::map<std::string, std::string> parts;
  std::string completed;
  bool fails = false;
  fake.set_script([&](const SeenRequest& request, int) -> std::optional<http::Response> {
    if (request.method == "POST" && query_of(request, "uploads") == "")
      return FakeS3::xml(
          "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
    if (request.method == "PUT") {
      if (fails) return FakeS3::refusal(403, "AccessDenied");
      parts[query_of(request, "partNumber")] = request.body;
      auto response = http::Response::text(200, "text/plain", "");
      response.headers.set("ETag", "\"" + std::string(32, '0') + "\"");
      return response;
    }
    if (request.method == "POST") {
      completed = request.body;
      EXPECT_EQ(request.headers.find("if-none-match"), "*");
      return FakeS3::xml("<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>");
    }
    if (request.method == "DELETE") return http::Response::text(204, "text/plain", "");
    auto response = http::Response::text(200, "image/png", parts["1"] + parts["2"]);
    response.headers.set("x-amz-tagging-count", "0");
    return response;
  });
  PutCondition free;
  free.if_none_match = true;
  const auto put = store->put({"photos", "k"}, *bytes_source(body), {}, free);
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(parts["1"].size(), std::size_t{5} << 20);
  EXPECT_TRUE(parts["1"] + parts["2"] == body);
  EXPECT_EQ(completed,
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<Part><PartNumber>1</PartNumber><ETag>\"00000000000000000000000000000000\"</ETag></Part>"
            "<Part><PartNumber>2</PartNumber><ETag>\"00000000000000000000000000000000\"</ETag></Part>"
            "</CompleteMultipartUpload>");
  fails = true;
  EXPECT_EQ(store->put({"photos", "k"}, *bytes_source(body)).error().code, ErrorCode::kIo);
  EXPECT_EQ(fake.seen().back().method, "DELETE");
  EXPECT_EQ(query_of(fake.seen().back(), "uploadId"), "u1");
}

TEST(RemoteStore, PartsAndUploadsAreListedToTheEnd) {
  FakeS3 fake;
  const auto store = open(fake.options());
  fake.set_script([](const SeenRequest& request, int number) {
    EXPECT_EQ(query_of(request, "part-number-marker"), number == 1 ? "3" : "4");
    if (number == 1)
      return FakeS3::xml(
          "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>4</NextPartNumberMarker>"
          "<Part><PartNumber>4</PartNumber><Size>1</Size><ETag>\"a\"</ETag></Part></ListPartsResult>");
    return FakeS3::xml(
        "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>9</PartNumber><Size>2</Size>"
        "<ETag>\"b\"</ETag></Part></ListPartsResult>");
  });
  const auto parts = store->list_parts({"photos", "k"}, "u", 3, 10);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 2U);
  EXPECT_EQ((*parts)[1].number, 9);
  EXPECT_EQ((*parts)[1].etag, "b");
  fake.set_script([](const SeenRequest& request, int number) {
    if (number == 1)
      return FakeS3::xml(
          "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
          "<NextKeyMarker>a%20b</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>"
          "<Upload><Key>a%20b</Key><UploadId>1</UploadId><Initiated>2020-01-02T03:04:05.000Z</Initiated></"
          "Upload>"
          "</ListMultipartUploadsResult>");
    EXPECT_EQ(query_of(request, "key-marker"), "a b");
    EXPECT_EQ(query_of(request, "upload-id-marker"), "1");
    return FakeS3::xml(
        "<ListMultipartUploadsResult><Upload><Key>c</Key><UploadId>2</UploadId></Upload></"
        "ListMultipartUploadsResult>");
  });
  const auto uploads = store->list_uploads("photos", "");
  ASSERT_TRUE(uploads);
  ASSERT_EQ(uploads->size(), 2U);
  EXPECT_EQ((*uploads)[0].key, "a b");
  EXPECT_EQ((*uploads)[1].upload_id, "2");
}

TEST(RemoteStore, ManyThreadsShareItsConnections) {
  FakeS3 fake;
  auto options = fake.options();
  options.max_connections = 2;
  const auto store = open(options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const ObjectName name{"photos", fmt::format("{}", t)};
        const std::string text = fmt::format("{} {}", t, i);
        EXPECT_TRUE(store->put(name, *bytes_source(text)));
        const auto got = store->get(name);
        EXPECT_EQ(got ? text_of(*got) : got.error().message, text);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(RemoteStore, TlsAuthoritiesAreChecked) {
  const terrapin::test::TemporaryFolder folder;
  const auto files = terrapin::testing::make_certificate(folder.path(), "server", "127.0.0.1");
  const auto others = terrapin::testing::make_certificate(folder.path(), "other", "127.0.0.1");
  http::ServerOptions server;
  server.tls_certificate = files.certificate;
  server.tls_key = files.key;
  FakeS3 fake(server);
  auto options = fake.options();
  ASSERT_TRUE(options.endpoint.starts_with("https://"));
  options.attempts = 1;
  options.authorities = files.certificate;
  const auto put = open(options)->put({"photos", "k"}, *bytes_source("x"));
  EXPECT_TRUE(put) << put.error().message;
  options.authorities = others.certificate;
  EXPECT_EQ(open(options)->put({"photos", "k"}, *bytes_source("y")).error().code, ErrorCode::kIo);
  options.authorities.clear();
  EXPECT_EQ(open(options)->put({"photos", "k"}, *bytes_source("y")).error().code, ErrorCode::kIo);
  EXPECT_EQ(fake.objects().at("/photos/k"), "x");
}

TEST(RemoteStore, BucketsMayBePartOfTheHost) {
  FakeS3 fake;
  auto options = fake.options();
  options.endpoint = fmt::format("http://localhost:{}", fake.server().port());
  options.path_style = false;
  const auto store = open(options);
  const auto put = store->put({"photos", "a/b c"}, *bytes_source("x"));
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(fake.seen().back().host, fmt::format("photos.localhost:{}", fake.server().port()));
  EXPECT_EQ(fake.seen().back().path, "/a/b c");
}

TEST(RemoteStoreOptions, AreReadFromAUrl) {
  const auto aws = parse_remote_store_url("s3://?region=eu-central-1&prefix=team-");
  ASSERT_TRUE(aws) << aws.error().message;
  EXPECT_EQ(aws->endpoint, "");
  EXPECT_EQ(aws->region, "eu-central-1");
  EXPECT_EQ(aws->bucket_prefix, "team-");
  EXPECT_FALSE(aws->path_style);
  const auto own = parse_remote_store_url("https://s3.example.org:9000/?style=virtual");
  ASSERT_TRUE(own);
  EXPECT_EQ(own->endpoint, "https://s3.example.org:9000");
  EXPECT_FALSE(own->path_style);
  EXPECT_TRUE(parse_remote_store_url("http://127.0.0.1:9000")->path_style);
  for (const char* url : {"ftp://x", "s3://bucket", "https://", "https://host/path", "https://user:pw@host",
                          "https://host?style=other", "https://host?regoin=x", "nothing"}) {
    const auto refused = parse_remote_store_url(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.error().message.find("pw"), std::string::npos);
  }
  RemoteStoreOptions options;
  EXPECT_EQ(open_remote_store(options).error().code, ErrorCode::kInvalidArgument);  // no credentials
  options.credentials = {"a", "b", ""};
  EXPECT_EQ(open(options)->description(), "https://s3.us-east-1.amazonaws.com");
  options.endpoint = "https://HOST.example.org:443/";
  EXPECT_EQ(open(options)->description(), "https://host.example.org");
  for (const char* endpoint : {"host", "ftp://host", "https://host/path", "https://", "https://a b"}) {
    options.endpoint = endpoint;
    EXPECT_EQ(open_remote_store(options).error().code, ErrorCode::kInvalidArgument) << endpoint;
  }
  options.endpoint.clear();
  options.bucket_prefix = "Bad_";
  EXPECT_EQ(open_remote_store(options).error().code, ErrorCode::kInvalidArgument);
}

TEST(RemoteStoreOptions, CredentialsComeFromTheEnvironmentOrAFile) {
  ::unsetenv("AWS_SESSION_TOKEN");
  ::setenv("AWS_ACCESS_KEY_ID", "id1", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "secret1", 1);
  const auto environment = remote_credentials({});
  ASSERT_TRUE(environment);
  EXPECT_EQ(environment->access_key, "id1");
  EXPECT_EQ(environment->secret_key, "secret1");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(remote_credentials({}).error().code, ErrorCode::kInvalidArgument);
  ::unsetenv("AWS_ACCESS_KEY_ID");

  const terrapin::test::TemporaryFolder folder;
  const auto path = folder / "credentials";
  ASSERT_TRUE(
      write_file_atomically(path,
                            "# mine\n[default]\naws_access_key_id = id2\r\naws_secret_access_key=sec=ret2\n\n"
                            "[ other ]\naws_access_key_id=id3\n"));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(remote_credentials(path).error().code, ErrorCode::kDenied);
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const auto file = remote_credentials(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->access_key, "id2");
  EXPECT_EQ(file->secret_key, "sec=ret2");
  EXPECT_EQ(remote_credentials(path, "other").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(remote_credentials(path, "missing").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(remote_credentials(folder / "none").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace terrapin::storage
