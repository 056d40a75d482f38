// What botocore really sends (sigv4_record.py), and what anybody on the way might make of it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/sigv4_body.h"
#include "unit/api/sigv4_requests.h"

namespace terrapin::api {
namespace {

struct Recorded {
  std::string name, service;
  http::Request request;
  std::optional<std::string> content;
  Timestamp time;
};

std::string from_base64(const nlohmann::json& text) {
  Bytes bytes;
  EXPECT_TRUE(crypto::decode_base64(text.get<std::string>(), bytes));
  return {bytes.begin(), bytes.end()};
}

std::vector<Recorded> recorded() {
  std::vector<Recorded> result;
  const auto lines = read_text_lines(
      std::filesystem::path(TERRAPIN_SOURCE_DIR) / "tests/unit/api/sigv4_recorded.jsonl", 16 << 20);
  EXPECT_TRUE(lines);
  for (const TextLine& line : *lines) {
    const auto recorded = nlohmann::json::parse(line.text);
    Recorded each;
    each.name = recorded["client"].get<std::string>() + " " + recorded["name"].get<std::string>();
    each.service = recorded["service"];
    test::Fields fields;
    for (const auto& field : recorded["headers"]) fields.emplace_back(field[0], field[1]);
    each.request =
        test::make_request(recorded["method"], recorded["target"], fields, from_base64(recorded["body"]));
    if (recorded.contains("content")) each.content = from_base64(recorded["content"]);
    std::string date;
    if (const auto header = each.request.headers.find("x-amz-date")) date = *header;
    if (const auto query = each.request.query_value("X-Amz-Date")) date = *query;
    for (const std::size_t at : {4, 7}) date.insert(at, "-");
    for (const std::size_t at : {13, 16}) date.insert(at, ":");
    each.time = *parse_iso_text(date);
    result.push_back(std::move(each));
  }
  return result;
}

AwsResult<VerifiedSignature> verify_recorded(const Recorded& each, const http::Request& request) {
  const ManualClock clock(each.time);
  const Protocol protocol = each.service == "s3"                  ? Protocol::kS3
                            : each.service == "sagemaker"         ? Protocol::kJson
                            : each.service == "sagemaker-runtime" ? Protocol::kRestJson
                                                                  : Protocol::kQuery;
  const std::string scope = each.service == "sagemaker-runtime" ? "sagemaker" : each.service;
  return verify_signature(request, protocol, scope, Place{}, test::finder(), clock);
}

TEST(RecordedRequests, AreAccepted) {
  const auto all = recorded();
  EXPECT_GE(all.size(), 100U);
  int contents = 0, gzips = 0;
  for (const Recorded& each : all) {
    const auto verified = verify_recorded(each, each.request);
    ASSERT_TRUE(verified) << each.name << ": " << verified.error().message << "\n"
                          << test::detail(verified.error(), "CanonicalRequest");
    EXPECT_EQ(verified->key.id, test::kKeyId);
    if (each.service != "s3") continue;
    const auto body = verify_body(each.request, *verified);
    ASSERT_TRUE(body) << each.name << ": " << body.error().message;
    if (!each.content) continue;
    ++contents;
    EXPECT_EQ(*read_all_text(*body->content, 1 << 20), *each.content) << each.name;
    if (each.name.find("gzip") == std::string::npos) continue;
    EXPECT_EQ(body->checksums.count("crc32"), 1U);
    // botocore before 1.36 replaces the object's own encoding instead of adding to it.
    const bool kept = *each.request.headers.find("content-encoding") == "gzip,aws-chunked";
    const http::Request plain = plain_request(each.request, *verified);
    EXPECT_EQ(plain.headers.find("content-encoding").value_or(""), kept ? "gzip" : "");
    gzips += kept ? 1 : 0;
  }
  EXPECT_GE(contents, 30);
  EXPECT_EQ(gzips, 1);
}

TEST(RecordedRequests, AreRefusedWithAnySignedPartChanged) {
  const auto all = recorded();
  for (const Recorded& each : all) {
    std::string names;
    if (const auto header = each.request.headers.find("authorization")) {
      const std::size_t at = header->find("SignedHeaders=") + 14;
      names = header->substr(at, header->find(',', at) - at);
    } else {
      names = *each.request.query_value("X-Amz-SignedHeaders");
    }
    names = ";" + names + ";";
    const auto& fields = each.request.headers.fields();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (names.find(";" + lower_case(fields[i].first) + ";") == std::string::npos) continue;
      http::Request changed = each.request;
      changed.headers = {};
      for (std::size_t k = 0; k < fields.size(); ++k)
        changed.headers.add(fields[k].first, k == i ? fields[k].second + "0" : fields[k].second);
      EXPECT_FALSE(verify_recorded(each, changed)) << each.name << " " << fields[i].first;
    }
    http::Request changed = each.request;
    changed.method = changed.method == "GET" ? "HEAD" : "GET";
    EXPECT_FALSE(verify_recorded(each, changed)) << each.name;
    changed = each.request;
    changed.path += "x";
    EXPECT_FALSE(verify_recorded(each, changed)) << each.name;
    changed = each.request;
    changed.target += changed.target.find('?') == std::string::npos ? "?acl" : "&acl";
    EXPECT_FALSE(verify_recorded(each, changed)) << each.name;
    // Every bit of the body counts, unless the client chose to leave it out.
    const auto verified = verify_recorded(each, each.request);
    for (std::size_t at = 0; at < each.request.body.size() && verified->payload != PayloadKind::kUnsigned;
         at += 1 + at / 4) {
      changed = each.request;
      changed.body[at] ^= 0x10;
      const auto again = verify_recorded(each, changed);
      EXPECT_FALSE(again && verify_body(changed, *again)) << each.name << " body at " << at;
    }
  }
}

}  // namespace
}  // namespace terrapin::api
