#include "api/aws_hosts.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <vector>

namespace terrapin::api {
namespace {

// The list once more, as expressions, for region eu-west-1.
bool twin(const std::string& host) {
  static const std::regex s3(
      "(?:(.+)\\.)?(?:s3|s3\\.eu-west-1|s3-eu-west-1|s3\\.dualstack\\.eu-west-1)\\.amazonaws\\.com");
  static const std::regex others(
      "(?:(?:api|runtime)\\.sagemaker\\.eu-west-1|sts|sts\\.eu-west-1|iam|logs\\.eu-west-1)\\.amazonaws\\."
      "com");
  static const std::regex bucket("[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]");
  static const std::regex twisted(".*\\.\\..*|[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+");
  if (std::regex_match(host, others)) return true;
  std::smatch found;
  if (!std::regex_match(host, found, s3)) return false;
  const std::string name = found[1];
  return !found[1].matched || (std::regex_match(name, bucket) && !std::regex_match(name, twisted));
}

TEST(AwsHosts, NameBuckets) {
  const std::vector<std::string> bases = {"localhost", "S3.amazonaws.com"};
  for (const auto& [host, bucket] :
       std::vector<std::pair<std::string, std::string>>{{"photos.localhost", "photos"},
                                                        {"Photos.LOCALHOST:8080", "photos"},
                                                        {"a.b.s3.amazonaws.com", "a.b"},
                                                        {"localhost", ""},
                                                        {".localhost", ""},
                                                        {"photoslocalhost", ""},
                                                        {"photos.s3.amazonaws.com.evil.org", ""},
                                                        {"[::1]:80", ""},
                                                        {"", ""}})
    EXPECT_EQ(bucket_of_host(host, bases), bucket) << host;
  EXPECT_EQ(bucket_of_host("photos.localhost", {}), "");
}

TEST(AwsHosts, ThoseOfTheRegion) {
  for (const char* host :
       {"s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", "s3-eu-west-1.amazonaws.com",
        "s3.dualstack.eu-west-1.amazonaws.com", "photos.s3.amazonaws.com",
        "photos.s3.eu-west-1.amazonaws.com", "a.b.s3.dualstack.eu-west-1.amazonaws.com",
        "s3s.s3.amazonaws.com", "sagemaker-eu-west-1-111122223333.s3.eu-west-1.amazonaws.com",
        "api.sagemaker.eu-west-1.amazonaws.com", "runtime.sagemaker.eu-west-1.amazonaws.com",
        "sts.amazonaws.com", "sts.eu-west-1.amazonaws.com", "iam.amazonaws.com",
        "logs.eu-west-1.amazonaws.com"}) {
    EXPECT_TRUE(is_aws_host(host, "eu-west-1")) << host;
    EXPECT_TRUE(twin(host)) << host;
  }
}

TEST(AwsHosts, NothingElse) {
  for (const char* host : {"",
                           "amazonaws.com",
                           "localhost",
                           "127.0.0.1",
                           "169.254.169.254",
                           "[::1]",
                           "s3.amazonaws.com.evil.org",
                           "amazonaws.com.evil.org",
                           "xs3.amazonaws.com",
                           "evil.org/s3.amazonaws.com",
                           "evil.org#.s3.amazonaws.com",
                           "s3.us-east-1.amazonaws.com",
                           "photos.s3.us-east-1.amazonaws.com",
                           "api.sagemaker.us-east-1.amazonaws.com",
                           "api.sagemaker.amazonaws.com",
                           "x.api.sagemaker.eu-west-1.amazonaws.com",
                           "ec2.eu-west-1.amazonaws.com",
                           "iam.eu-west-1.amazonaws.com",
                           "s3.amazonaws.com.",
                           ".s3.amazonaws.com",
                           "a..b.s3.amazonaws.com",
                           "ab.s3.amazonaws.com",
                           "-ab.s3.amazonaws.com",
                           "A.s3.amazonaws.com",
                           "s3-control.eu-west-1.amazonaws.com",
                           "s3-accelerate.amazonaws.com",
                           "s3.eu-west-1.amazonaws.com.cn",
                           "a_b.s3.amazonaws.com",
                           "10.0.0.1.s3.amazonaws.com",
                           "a\r\nb.s3.amazonaws.com"}) {
    EXPECT_FALSE(is_aws_host(host, "eu-west-1")) << host;
  }
  EXPECT_FALSE(is_aws_host(std::string("s3\0.s3.amazonaws.com", 20), "eu-west-1"));
}

TEST(AwsHosts, AgreesWithItsTwin) {
  const std::vector<std::string> parts = {
      "s3",        "sts",       "iam", "logs",   "api", "runtime",   "sagemaker", "eu-west-1",
      "dualstack", "amazonaws", "com", "photos", "a-b", "us-east-1", "-x",        ""};
  std::mt19937 random(7);
  int allowed = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string host;
    const int count = static_cast<int>(random() % 4);
    for (int i = 0; i <= count; ++i) host += (i > 0 ? "." : "") + parts[random() % parts.size()];
    if (random() % 8 != 0) host += ".amazonaws.com";
    const bool expected = twin(host);
    ASSERT_EQ(is_aws_host(host, "eu-west-1"), expected) << host;
    allowed += expected ? 1 : 0;
  }
  EXPECT_GT(allowed, 200);
}

TEST(AwsHosts, S3BasesAreAnsweredFor) {
  for (const std::string& base : s3_hosts("us-east-1")) {
    EXPECT_TRUE(is_aws_host(base, "us-east-1")) << base;
    EXPECT_TRUE(is_aws_host("bucket." + base, "us-east-1")) << base;
  }
}

}  // namespace
}  // namespace terrapin::api
