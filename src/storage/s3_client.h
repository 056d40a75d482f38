// Signed requests to an S3 service, with connections that are used again and attempts that are repeated.
// libcurl shows in s3_client.cpp alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"
#include "storage/remote_store.h"

namespace terrapin::storage {

using S3Fields = std::vector<std::pair<std::string, std::string>>;

struct S3Request {
  std::string method;
  std::string bucket, key;  // theirs; empty: the service, the bucket
  S3Fields query, headers;  // not encoded; header names lower case
  const ByteSource* body = nullptr;
  // May the request be sent again when nobody knows whether it was carried out?
  bool repeatable = true;
};

struct S3Answer {
  int status = 0;
  S3Fields headers;       // names lower case
  ByteSourcePtr content;  // never null
  int attempts = 1;
  bool ok() const { return status >= 200 && status < 300; }
  std::optional<std::string_view> header(std::string_view name) const;
};

// Thread-safe.
class S3Client {
 public:
  static Result<std::unique_ptr<S3Client>> open(const RemoteStoreOptions& options);
  ~S3Client();
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;

  // The service's last answer, whatever its status. kIo if there is none; the body's own error if it cannot
  // be read; kNoSpace if the answer cannot be kept; kInvalidArgument for a header value with a line end.
  Result<S3Answer> send(const S3Request& request) const;

  const std::string& endpoint() const;  // "https://s3.example.org:9000"

 private:
  class Implementation;
  explicit S3Client(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace terrapin::storage
