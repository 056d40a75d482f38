// Requests as clients send them, and a client that signs them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/sigv4.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "http/message.h"
#include "http/target.h"
#include "storage/sigv4_signing.h"

namespace terrapin::api::test {

inline constexpr const char* kKeyId = "AKIAIOSFODNN7EXAMPLE";
inline constexpr const char* kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

using Fields = std::vector<std::pair<std::string, std::string>>;

inline http::Request make_request(std::string method, std::string target, const Fields& fields,
                                  std::string_view body = {}) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  auto parsed = http::parse_target(request.target);
  request.path = parsed->path;
  request.query = parsed->query;
  for (const auto& [name, value] : fields) request.headers.add(name, value);
  request.body.assign(body.begin(), body.end());
  return request;
}

inline KeyFinder finder(identity::Scope scope = identity::Scope::kAdmin) {
  return [scope](const std::string& id) -> Result<std::optional<identity::AccessKey>> {
    if (id != kKeyId) return std::optional<identity::AccessKey>();
    return std::optional(identity::AccessKey{kKeyId, kSecret, scope, "ada", {}, {}});
  };
}

inline Timestamp noon() {
  return *parse_iso_text("2013-05-24T00:00:00");
}

inline std::string sha256(std::string_view text) {
  return crypto::hex(crypto::hash(crypto::HashKind::kSha256, text));
}

struct SigningOptions {
  std::string service = "s3", region = "us-east-1", time = "20130524T000000Z", secret = kSecret,
              key_id = kKeyId;
  std::vector<std::string> leave_unsigned;
};

// Adds X-Amz-Date, Authorization and, for S3, x-amz-content-sha256 unless they are there; signs every header.
inline http::Request signed_request(http::Request request, const SigningOptions& options = {}) {
  const bool s3 = options.service == "s3";
  if (!request.headers.find("host")) request.headers.add("Host", "127.0.0.1:9000");
  if (!request.headers.find("x-amz-date")) request.headers.add("X-Amz-Date", options.time);
  if (s3 && !request.headers.find("x-amz-content-sha256"))
    request.headers.add("x-amz-content-sha256", sha256(request.text()));
  storage::SignedRequest text;
  text.method = request.method;
  text.path =
      storage::canonical_path(request.path, s3 ? storage::PathRule::kS3 : storage::PathRule::kEncodedTwice);
  const std::size_t question = request.target.find('?');
  if (question != std::string::npos)
    text.query = storage::canonical_query(request.target.substr(question + 1));
  for (const auto& [name, value] : request.headers.fields()) {
    const std::string lower = lower_case(name);
    if (std::count(options.leave_unsigned.begin(), options.leave_unsigned.end(), lower) == 0)
      text.headers.emplace_back(lower, storage::folded_value(value));
  }
  std::sort(text.headers.begin(), text.headers.end());
  const auto hash = request.headers.find("x-amz-content-sha256");
  text.payload_hash = hash ? std::string(*hash) : sha256(request.text());
  const storage::CredentialScope scope{options.time.substr(0, 8), options.region, options.service};
  const std::string signature =
      storage::signature(storage::signing_key(options.secret, scope),
                         storage::string_to_sign(options.time, scope, storage::canonical_request(text)));
  request.headers.add(
      "Authorization",
      fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", options.key_id,
                  scope.text(), storage::signed_header_names(text), signature));
  return request;
}

inline std::string detail(const AwsError& error, std::string_view name) {
  for (const auto& [key, value] : error.details)
    if (key == name) return value;
  return "";
}

}  // namespace terrapin::api::test
