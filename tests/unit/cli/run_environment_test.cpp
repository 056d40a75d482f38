#include "cli/service/run_environment.h"

#include <gtest/gtest.h>

#include <map>

#include "base/files.h"
#include "flow/program.h"

namespace terrapin::cli {
namespace {

std::map<std::string, std::string> environment(const std::vector<std::string>& inherited) {
  RunEnvironment own;
  own.proxy_url = "http://127.0.0.1:4711";
  own.bundle = "/b.pem";
  own.authority = "/a.pem";
  own.key_id = "TPIA1";
  own.secret = "secret";
  own.region = "eu-west-1";
  std::map<std::string, std::string> all;
  for (const std::string& variable : run_environment(inherited, own)) {
    const std::size_t equals = variable.find('=');
    EXPECT_TRUE(all.emplace(variable.substr(0, equals), variable.substr(equals + 1)).second) << variable;
  }
  return all;
}

TEST(RunEnvironment, SpeaksToThisServiceAlone) {
  auto all = environment(
      {"PATH=/bin", "EMPTY=", "EQUALS=a=b", "HTTPS_PROXY=http://corporate:3128", "AWS_ACCESS_KEY_ID=AKIAREAL",
       "AWS_SECRET_ACCESS_KEY=real", "AWS_REGION=us-west-2", "AWS_PROFILE=work", "AWS_SESSION_TOKEN=t",
       "AWS_SECURITY_TOKEN=t", "AWS_ENDPOINT_URL=https://elsewhere", "AWS_ENDPOINT_URL_S3=https://elsewhere",
       "AWS_ROLE_ARN=arn", "AWS_WEB_IDENTITY_TOKEN_FILE=f",
       "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.2/", "AWS_USE_FIPS_ENDPOINT=true",
       "AWS_PAGER=less", "NO_PROXY=.amazonaws.com,intra.example.org"});
  for (const char* name : {"HTTPS_PROXY", "https_proxy"}) EXPECT_EQ(all[name], "http://127.0.0.1:4711");
  for (const char* name : {"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"})
    EXPECT_EQ(all[name], "/b.pem");
  EXPECT_EQ(all["NODE_EXTRA_CA_CERTS"], "/a.pem");
  EXPECT_EQ(all["AWS_ACCESS_KEY_ID"], "TPIA1");
  EXPECT_EQ(all["AWS_SECRET_ACCESS_KEY"], "secret");
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) EXPECT_EQ(all[name], "eu-west-1");
  EXPECT_EQ(all["AWS_EC2_METADATA_DISABLED"], "true");
  for (const char* name : {"NO_PROXY", "no_proxy"})
    EXPECT_EQ(all[name], "intra.example.org,localhost,127.0.0.1,::1");
  EXPECT_EQ(all["PATH"], "/bin");
  EXPECT_EQ(all["EMPTY"], "");
  EXPECT_EQ(all["EQUALS"], "a=b");
  EXPECT_EQ(all["AWS_PAGER"], "less");
  for (const char* name : {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ENDPOINT_URL",
                           "AWS_ENDPOINT_URL_S3", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
                           "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_USE_FIPS_ENDPOINT"})
    EXPECT_FALSE(all.contains(name)) << name;
}

TEST(RunEnvironment, NamesThatTheProxyMustSeeLeaveNoProxy) {
  const std::string own = "localhost,127.0.0.1,::1";
  for (const char* text : {"", "*", "com", ".com", "amazonaws.com", ".amazonaws.com", "*.amazonaws.com",
                           "s3.amazonaws.com", "AmazonAWS.com:443", " , ,", "sts.eu-west-1.amazonaws.com"})
    EXPECT_EQ(without_aws_names(text), own) << text;
  EXPECT_EQ(without_aws_names("example.com, aws.example.com xamazonaws.com"),
            "example.com,aws.example.com,xamazonaws.com," + own);
  EXPECT_EQ(without_aws_names("127.0.0.1,10.0.0.0/8"), "127.0.0.1,10.0.0.0/8,localhost,::1");
}

TEST(RunEnvironment, TrustsWhatProgramsTrusted) {
  const flow::TemporaryFolder folder;
  const std::string one = (folder.path() / "one.pem").string(), two = (folder.path() / "two.pem").string();
  ASSERT_TRUE(write_file_atomically(one, "ONE"));
  ASSERT_TRUE(write_file_atomically(two, "TWO"));
  const auto both =
      trusted_certificates({"AWS_CA_BUNDLE=" + one, "REQUESTS_CA_BUNDLE=" + two, "SSL_CERT_FILE=" + one});
  ASSERT_TRUE(both);
  EXPECT_EQ(*both, "ONE\nTWO\n");
  const auto missing = trusted_certificates({"SSL_CERT_FILE=" + one + ".not"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("SSL_CERT_FILE"), std::string::npos);
  EXPECT_TRUE(trusted_certificates({"SSL_CERT_FILE="}));
}

}  // namespace
}  // namespace terrapin::cli
