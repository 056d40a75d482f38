// Amazon S3's REST interface over any ObjectStore. docs/formats/s3-interface.md lists what is served.
#pragma once

#include <string>
#include <vector>

#include "api/exchange.h"
#include "base/clock.h"
#include "http/message.h"
#include "storage/object_store.h"

namespace terrapin::api {

struct S3Options {
  // Origins ("https://label.example.org") whose pages may read and write objects; nothing else passes CORS.
  std::vector<std::string> allowed_origins;
};

// Thread-safe.
class S3Service {
 public:
  S3Service(storage::ObjectStore& store, const Clock& clock, Place place, S3Options options = {});

  // Answers a request whose signature, framing, checksums and Content-MD5 were checked before. Every failure
  // is an answer of S3's form.
  http::Response handle(const Exchange& exchange);

 private:
  http::Response answer(const Exchange& exchange);
  bool allows_origin(std::string_view origin) const;
  http::Response preflight(const Exchange& exchange) const;

  storage::ObjectStore& store_;
  const Clock& clock_;
  const Place place_;
  const S3Options options_;
};

}  // namespace terrapin::api
