// One request to an AWS service after its signature was checked, and how failures are told.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "identity/access_keys.h"

namespace terrapin::api {

// A failure in AWS's words. `code`: "NoSuchBucket", "ValidationException", ...
struct AwsError {
  int status = 400;
  std::string code, message;
  std::string resource;                                           // S3: the path
  std::vector<std::pair<std::string, std::string>> details = {};  // S3: further elements of the answer
};
template <class T>
using AwsResult = tl::expected<T, AwsError>;

inline tl::unexpected<AwsError> refuse(int status, std::string code, std::string message,
                                       std::vector<std::pair<std::string, std::string>> details = {}) {
  return tl::unexpected(AwsError{status, std::move(code), std::move(message), {}, std::move(details)});
}

// What every service knows of the place it answers for.
struct Place {
  std::string region = "us-east-1", account_id = "111122223333";
};

struct Exchange {
  const http::Request& request;
  ByteSourcePtr body;  // decoded: without aws-chunked framing, checksums and trailers verified
  std::string
      service;  // of the credential scope: "s3", "sagemaker", "sts"; "s3" for requests without a signature
  std::string request_id;
  // nullopt: unsigned (only S3 paths and CORS preflights get so far, and only the services that allow it
  // answer).
  std::optional<identity::AccessKey> caller;
  // Checksums that the client declared and that were verified: "crc32" -> base64.
  std::map<std::string, std::string> checksums;
  // The bucket that the host names ("photos.s3.amazonaws.com"), as it was signed; "": the path names it.
  std::string host_bucket = {};
};

}  // namespace terrapin::api
