#include "api/aws_hosts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "storage/object_store.h"

namespace terrapin::api {
namespace {

// "{}" stands for the region. From the rule sets of botocore 1.43, partition aws.
constexpr const char* kS3Hosts[] = {"s3.amazonaws.com", "s3.{}.amazonaws.com", "s3-{}.amazonaws.com",
                                    "s3.dualstack.{}.amazonaws.com"};
constexpr const char* kOtherHosts[] = {"api.sagemaker.{}.amazonaws.com",
                                       "runtime.sagemaker.{}.amazonaws.com",
                                       "sts.amazonaws.com",
                                       "sts.{}.amazonaws.com",
                                       "iam.amazonaws.com",
                                       "logs.{}.amazonaws.com"};

std::string in_region(const char* pattern, const std::string& region) {
  return fmt::format(fmt::runtime(pattern), region);
}

}  // namespace

std::vector<std::string> s3_hosts(const std::string& region) {
  std::vector<std::string> names;
  for (const char* pattern : kS3Hosts) names.push_back(in_region(pattern, region));
  return names;
}

std::string bucket_of_host(std::string_view host, const std::vector<std::string>& bases) {
  std::string name = lower_case(std::string(host));
  if (!name.starts_with('[')) name = name.substr(0, name.find(':'));
  for (const std::string& base : bases) {
    const std::string end = "." + lower_case(base);
    if (name.size() > end.size() && name.ends_with(end)) return name.substr(0, name.size() - end.size());
  }
  return {};
}

bool is_aws_host(std::string_view host, const std::string& region) {
  const bool named = std::any_of(std::begin(kOtherHosts), std::end(kOtherHosts),
                                 [&](const char* pattern) { return host == in_region(pattern, region); });
  if (named) return true;
  const std::vector<std::string> bases = s3_hosts(region);
  return std::any_of(bases.begin(), bases.end(), [&](const std::string& base) {
    if (host == base) return true;
    if (host.size() <= base.size() + 1 || !host.ends_with("." + base)) return false;
    return storage::check_bucket_name(std::string(host.substr(0, host.size() - base.size() - 1))).has_value();
  });
}

std::string aws_hosts_words(const std::string& region) {
  return fmt::format(
      "the hosts of S3, SageMaker, its runtime, STS, IAM and CloudWatch Logs in region {}, port 443", region);
}

}  // namespace terrapin::api
