// Links to one object, for one account, for a short time: base64url of what is granted, a dot, base64url of
// its HMAC-SHA-256.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"

namespace terrapin::portal {

struct ImageGrant {
  std::string uri;  // s3://
  std::string job_name, assignment_id, account_id;
  Timestamp expires;  // whole seconds
};

// Thread-safe.
class ImageLinks {
 public:
  explicit ImageLinks(Bytes key) : key_(std::move(key)) {}
  std::string sign(const ImageGrant& grant) const;
  // kDenied if we did not sign it for this account, or it has expired.
  Result<ImageGrant> verify(std::string_view token, const std::string& account_id, Timestamp now) const;

 private:
  std::string seal(std::string_view payload) const;
  const Bytes key_;
};

}  // namespace terrapin::portal
