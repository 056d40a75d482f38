#include "api/aws_chunked.h"

#include <gtest/gtest.h>

#include <random>

#include "api/sigv4_body.h"
#include "unit/api/sigv4_requests.h"
#include "unit/base/hostile_bytes.h"

namespace terrapin::api {
namespace {

using test::make_request;
using test::noon;

AwsResult<ChunkedBody> decode(std::string_view encoded, const ChunkedOptions& options,
                              std::string* seen = nullptr) {
  return decode_aws_chunked(bytes_source(encoded), options, [&](std::span<const std::uint8_t> bytes) {
    if (seen != nullptr) seen->append(bytes.begin(), bytes.end());
  });
}

std::string code_of(std::string_view encoded, const ChunkedOptions& options) {
  const auto decoded = decode(encoded, options);
  return decoded ? "" : decoded.error().code;
}

ChunkedOptions plain(std::int64_t bytes, bool trailers = true) {
  ChunkedOptions options;
  options.trailers = trailers;
  options.decoded_bytes = bytes;
  return options;
}

std::string put_chunk(std::string_view data, const std::string& signature) {
  return fmt::format("{:x};chunk-signature={}\r\n{}\r\n", data.size(), signature, data);
}

http::Request published(const std::string& kind, const std::string& names, const std::string& signature,
                        test::Fields more, const std::string& body) {
  test::Fields fields = {
      {"Host", "s3.amazonaws.com"},
      {"x-amz-date", "20130524T000000Z"},
      {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
      {"x-amz-content-sha256", kind},
      {"Content-Encoding", "aws-chunked"},
      {"x-amz-decoded-content-length", "66560"},
      {"Authorization",
       fmt::format("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                   "SignedHeaders={},Signature={}",
                   names, signature)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return make_request("PUT", "/examplebucket/chunkObject.txt", fields, body);
}

AwsResult<VerifiedBody> verify(const http::Request& request) {
  const ManualClock clock(noon());
  const auto verified = verify_signature(request, Protocol::kS3, "s3", Place{}, test::finder(), clock);
  if (!verified) return tl::unexpected(verified.error());
  return verify_body(request, *verified);
}

// "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks", Amazon S3
// API Reference.
TEST(AwsChunked, PublishedExample) {
  const std::string first(65536, 'a'), second(1024, 'a');
  const std::string body =
      put_chunk(first, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") +
      put_chunk(second, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") +
      put_chunk("", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
  const auto request = published(
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
      "x-amz-storage-class",
      "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", {{"Content-Length", "66824"}},
      body);
  const auto verified = verify(request);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(*read_all_text(*verified->content, 1 << 20), first + second);
  for (const std::size_t at :
       {std::size_t{3}, std::size_t{20}, std::size_t{100}, body.size() - 1100, body.size() - 10}) {
    auto changed = request;
    changed.body[at] ^= 1;
    EXPECT_FALSE(verify(changed)) << at;
  }
  // Without its second chunk, or with the chunks in another order.
  auto shorter = request;
  shorter.body.erase(shorter.body.begin() + 65536 + 90, shorter.body.begin() + 65536 + 90 + 1024);
  EXPECT_FALSE(verify(shorter));
}

// The same with a trailing checksum: "... (Chunked Uploads), trailing headers".
TEST(AwsChunked, PublishedExampleWithTrailer) {
  const std::string first(65536, 'a'), second(1024, 'a');
  const auto body = [&](const std::string& checksum, const std::string& signature) {
    return put_chunk(first, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2") +
           put_chunk(second, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7") +
           "0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
           "x-amz-checksum-crc32c:" + checksum + "\r\nx-amz-trailer-signature:" + signature + "\r\n\r\n";
  };
  const auto request = [&](const std::string& content) {
    return published("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                     "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
                     "x-amz-storage-class;x-amz-trailer",
                     "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
                     {{"x-amz-trailer", "x-amz-checksum-crc32c"}}, content);
  };
  const std::string signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
  const auto verified = verify(request(body("sOO8/Q==", signature)));
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->checksums.at("crc32c"), "sOO8/Q==");
  EXPECT_EQ(verified->content->size(), 66560);
  EXPECT_EQ(verify(request(body("AAAA/Q==", signature))).error().code, "SignatureDoesNotMatch");
  EXPECT_EQ(verify(request(body("sOO8/Q==", std::string(64, '0')))).error().code, "SignatureDoesNotMatch");
}

TEST(AwsChunked, UnsignedChunksAndTrailers) {
  const std::string encoded =
      "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-Amz-Checksum-Crc32: DUoRhQ==\r\n\r\n";
  std::string seen;
  const auto decoded = decode(encoded, plain(11), &seen);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(seen, "hello world");
  ASSERT_EQ(decoded->trailers.size(), 1U);
  EXPECT_EQ(decoded->trailers[0].first, "x-amz-checksum-crc32");
  EXPECT_EQ(decoded->trailers[0].second, "DUoRhQ==");
  // The content reads anywhere.
  for (std::int64_t from = 0; from <= 11; ++from)
    for (std::int64_t count = 0; from + count <= 11; ++count) {
      Bytes part(static_cast<std::size_t>(count));
      ASSERT_TRUE(decoded->content->read(from, part));
      EXPECT_EQ(std::string(part.begin(), part.end()),
                seen.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(count)));
    }
  Bytes over(1);
  EXPECT_FALSE(decoded->content->read(11, over));
  EXPECT_EQ(decode("0\r\n\r\n", plain(0))->content->size(), 0);
  EXPECT_EQ(decode("0\r\n", plain(0))->content->size(), 0);
}

TEST(AwsChunked, MalformedFramingIsRefused) {
  EXPECT_EQ(code_of("", plain(0)), "IncompleteBody");
  EXPECT_EQ(code_of("5\r\nhello\r\n", plain(5)), "IncompleteBody");            // no last chunk
  EXPECT_EQ(code_of("5\r\nhel", plain(5)), "IncompleteBody");                  // ends in a chunk
  EXPECT_EQ(code_of("5\r\nhelloX\r\n0\r\n\r\n", plain(5)), "IncompleteBody");  // no line end after it
  EXPECT_EQ(code_of("5\r\nhello\r\n0\r\n\r\n", plain(6)), "IncompleteBody");   // fewer than announced
  EXPECT_EQ(code_of("5\r\nhello\r\n0\r\n\r\n", plain(4)), "IncompleteBody");   // more than announced
  EXPECT_EQ(code_of("g\r\n\r\n", plain(0)), "IncompleteBody");
  EXPECT_EQ(code_of("-1\r\n\r\n", plain(0)), "IncompleteBody");
  EXPECT_EQ(code_of("5;x=y\r\nhello\r\n0\r\n\r\n", plain(5)), "IncompleteBody");
  EXPECT_EQ(code_of("7fffffffffffffff\r\n", plain(5)), "IncompleteBody");
  EXPECT_EQ(code_of("ffffffffffffffffffff\r\n", plain(5)), "IncompleteBody");
  EXPECT_EQ(code_of(std::string(5000, '0') + "\r\n", plain(0)), "IncompleteBody");
  EXPECT_EQ(code_of("0\r\n\r\nmore", plain(0)), "IncompleteBody");
  EXPECT_EQ(code_of("0\r\na:b\r\n\r\n", plain(0, false)), "IncompleteBody");  // trailers nobody announced
  EXPECT_EQ(code_of("0\r\nnocolon\r\n\r\n", plain(0)), "MalformedTrailerError");
  EXPECT_EQ(code_of("0\r\n:x\r\n\r\n", plain(0)), "MalformedTrailerError");
  EXPECT_EQ(code_of("0\r\nx-amz-trailer-signature:00\r\n\r\n", plain(0)), "MalformedTrailerError");
  std::string many = "0\r\n";
  for (int i = 0; i < 17; ++i) many += fmt::format("a{}:b\r\n", i);
  EXPECT_EQ(code_of(many + "\r\n", plain(0)), "MalformedTrailerError");
}

TEST(AwsChunked, SignedChunksMustNotBeTiny) {
  ChunkSigning signing;
  signing.scope = {"20130524", "us-east-1", "s3"};
  signing.key = storage::signing_key(test::kSecret, signing.scope);
  signing.time = "20130524T000000Z";
  signing.seed = std::string(64, 'a');
  std::string previous = signing.seed;
  const auto chunk = [&](const std::string& data) {
    previous = storage::signature(
        signing.key, fmt::format("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{}", signing.time,
                                 signing.scope.text(), previous, test::sha256(""), test::sha256(data)));
    return put_chunk(data, previous);
  };
  ChunkedOptions options;
  options.signing = signing;
  options.decoded_bytes = 8192 + 8191;
  const auto chunks = [&](const std::vector<std::string>& contents) {
    std::string encoded;
    for (const std::string& content : contents) encoded += chunk(content);
    return encoded;
  };
  const std::string good = chunks({std::string(8192, 'x'), std::string(8191, 'y'), ""});
  EXPECT_EQ(code_of(good, options), "");
  EXPECT_EQ(code_of(good.substr(0, good.size() - 90), options), "IncompleteBody");
  previous = signing.seed;
  EXPECT_EQ(code_of(chunks({std::string(8191, 'x'), std::string(8192, 'y'), ""}), options),
            "InvalidChunkSizeError");
  options.trailers = true;
  EXPECT_EQ(code_of(good, options), "MalformedTrailerError");  // its signature is missing
}

TEST(AwsChunked, TrailersMustBeThoseAnnounced) {
  const auto request = [&](const std::string& announced, const std::string& trailers) {
    return test::signed_request(make_request("PUT", "/b/k",
                                             {{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
                                              {"x-amz-decoded-content-length", "5"},
                                              {"x-amz-trailer", announced}},
                                             "5\r\nhello\r\n0\r\n" + trailers + "\r\n"));
  };
  const std::string right = "x-amz-checksum-crc32:NhCmhg==\r\n";
  EXPECT_TRUE(verify(request("x-amz-checksum-crc32", right)));
  EXPECT_TRUE(verify(request("X-Amz-Checksum-CRC32", right)));
  EXPECT_EQ(verify(request("x-amz-checksum-crc32", "")).error().code, "MalformedTrailerError");
  EXPECT_EQ(verify(request("x-amz-checksum-sha1", right)).error().code, "MalformedTrailerError");
  EXPECT_EQ(verify(request("x-amz-checksum-crc32", right + right)).error().code, "MalformedTrailerError");
  EXPECT_EQ(verify(request("x-amz-checksum-crc32", "x-amz-checksum-crc32:AAAAAA==\r\n")).error().code,
            "BadDigest");
  EXPECT_EQ(verify(request("x-amz-meta-x", "x-amz-meta-x:1\r\n")).error().code, "InvalidRequest");
  auto no_length = test::signed_request(make_request(
      "PUT", "/b/k", {{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}}, "0\r\n\r\n"));
  EXPECT_EQ(verify(no_length).error().code, "MissingContentLength");
}

TEST(AwsChunked, EncodingOfTheObjectItself) {
  EXPECT_EQ(without_aws_chunked("aws-chunked"), "");
  EXPECT_EQ(without_aws_chunked("aws-chunked,gzip"), "gzip");
  EXPECT_EQ(without_aws_chunked("gzip , AWS-Chunked, br"), "gzip, br");
  EXPECT_EQ(without_aws_chunked("gzip"), "gzip");
}

TEST(AwsChunked, RandomSplitsDecodeToWhatWentIn) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::string content(random() % 3000, ' '), encoded;
    for (char& c : content) c = static_cast<char>(random());
    for (std::size_t at = 0; at < content.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 700, content.size() - at);
      encoded += fmt::format("{:X}\r\n{}\r\n", count, content.substr(at, count));
      at += count;
    }
    encoded += "0\r\n\r\n";
    std::string seen;
    const auto decoded = decode(encoded, plain(static_cast<std::int64_t>(content.size())), &seen);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(seen, content);
    EXPECT_EQ(*read_all_text(*decoded->content, 1 << 20), content);
  }
}

TEST(AwsChunked, HostileBytesAreDecodedOrRefused) {
  const std::string encoded =
      "400\r\n" + std::string(1024, 'x') + "\r\n3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
  Random random(5);
  terrapin::test::HostileRounds rounds(5000);
  int decoded_rounds = 0;
  while (rounds.next() >= 0) {
    const Bytes bytes = terrapin::test::damaged(Bytes(encoded.begin(), encoded.end()), random);
    std::string seen;
    const auto decoded = decode_aws_chunked(
        bytes_source(bytes), plain(1027),
        [&](std::span<const std::uint8_t> part) { seen.append(part.begin(), part.end()); });
    if (!decoded) continue;
    ++decoded_rounds;
    EXPECT_EQ(*read_all_text(*decoded->content, 1 << 20), seen);
  }
  EXPECT_GT(decoded_rounds, 0);
}

}  // namespace
}  // namespace terrapin::api
