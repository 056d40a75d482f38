// The host names under which AWS's clients look for the services that are served here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace terrapin::api {

inline constexpr const char* kAwsDomain = "amazonaws.com";

// S3's names in a region; "<bucket>." before one of them names a bucket.
// "s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", ...
std::vector<std::string> s3_hosts(const std::string& region);

// The bucket of a Host header such as "photos.localhost:8080" whose name ends in one of `bases`
// ("localhost"), in lower case; "" if it names none.
std::string bucket_of_host(std::string_view host, const std::vector<std::string>& bases);

// Is `host` (lower case, no port) one that this place answers for: S3's with or without a bucket, SageMaker's
// and its runtime's, STS's, IAM's and CloudWatch Logs' of that region. Other regions, other services and
// everything that only looks alike are not.
bool is_aws_host(std::string_view host, const std::string& region);

// "S3, SageMaker, ... of region eu-west-1", for people.
std::string aws_hosts_words(const std::string& region);

}  // namespace terrapin::api
