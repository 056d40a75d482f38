#include "api/sigv2_link.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "api/errors.h"
#include "base/base64.h"
#include "base/percent.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "storage/object_store.h"

namespace terrapin::api {
namespace {

// Of an object, and signed with it. Those of buckets are not served through links.
constexpr std::array<std::string_view, 14> kSubresources = {
    "acl",
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
};

bool is_subresource(std::string_view name) {
  return std::find(kSubresources.begin(), kSubresources.end(), name) != kSubresources.end();
}

struct Link {
  std::string key_id, expires, signature;
  std::string content_md5, content_type;
  std::map<std::string, std::string> members;       // x-amz-*, names lower case
  std::map<std::string, std::string> subresources;  // name -> "name" or "name=value"
};

class LinkRefusals {
 public:
  explicit LinkRefusals(std::string resource) : resource_(std::move(resource)) {}
  tl::unexpected<AwsError> saying(int status, std::string code, std::string message,
                                  std::vector<std::pair<std::string, std::string>> details = {}) const {
    return tl::unexpected(
        AwsError{status, std::move(code), std::move(message), resource_, std::move(details)});
  }
  tl::unexpected<AwsError> denied(std::string message,
                                  std::vector<std::pair<std::string, std::string>> details = {}) const {
    return saying(403, "AccessDenied", std::move(message), std::move(details));
  }

 private:
  std::string resource_;
};

// "/bucket/key" with something behind the second slash.
bool names_object(std::string_view path) {
  if (!path.starts_with('/')) return false;
  const std::size_t slash = path.find('/', 1);
  return slash != std::string_view::npos && slash > 1 && slash + 1 < path.size();
}

AwsResult<Link> read_link(const http::Request& request, const LinkRefusals& refuse) {
  Link link;
  for (const auto& [field, value] : request.headers.fields()) {
    const std::string name = lower_case(field);
    if (!name.starts_with("x-amz-")) continue;
    std::string& known = link.members[name];
    known += (known.empty() ? "" : ",") + std::string(trimmed(value));
  }
  bool typed = false, digested = false;
  if (const auto type = request.headers.find("content-type")) {
    link.content_type = *type;
    typed = true;
  }
  if (const auto md5 = request.headers.find("content-md5")) {
    link.content_md5 = *md5;
    digested = true;
  }
  std::string_view rest = request.target;
  const std::size_t question = rest.find('?');
  rest = question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
  std::set<std::string> seen;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string name = percent_decode_loosely(pair.substr(0, equals), true);
    const std::string value = equals == std::string_view::npos
                                  ? std::string()
                                  : percent_decode_loosely(pair.substr(equals + 1), true);
    const std::string lower = lower_case(name);
    const bool member = lower.starts_with("x-amz-");
    // Whoever reads one of two would not know which of them was meant.
    if (!seen.insert(lower).second || (member && link.members.contains(lower))) {
      return refuse.saying(400, "InvalidRequest",
                           fmt::format("The parameter '{}' stands twice in the request.", name));
    }
    if (member) {
      link.members[lower] = trimmed(value);
    } else if (name == "AWSAccessKeyId") {
      link.key_id = value;
    } else if (name == "Expires") {
      link.expires = value;
    } else if (name == "Signature") {
      link.signature = value;
    } else if (lower == "content-type") {
      if (!typed) link.content_type = value;
    } else if (lower == "content-md5") {
      if (!digested) link.content_md5 = value;
    } else if (is_subresource(name)) {
      link.subresources[name] = equals == std::string_view::npos ? name : name + "=" + value;
    } else {
      return refuse.denied("There were parameters present in the request which were not signed",
                           {{"ParametersNotSigned", name}});
    }
  }
  return link;
}

// `resource`: "/bucket/key", percent-encoded as it came.
std::string string_to_sign(const http::Request& request, const std::string& resource, const Link& link) {
  std::string text =
      request.method + "\n" + link.content_md5 + "\n" + link.content_type + "\n" + link.expires + "\n";
  for (const auto& [name, value] : link.members) text += name + ":" + value + "\n";
  text += resource;
  char separator = '?';
  for (const auto& [name, parameter] : link.subresources) {
    text += separator + parameter;
    separator = '&';
  }
  return text;
}

// Chunks with signatures have none of this kind to begin with.
AwsResult<PayloadKind> payload_of(const Link& link, const LinkRefusals& refuse, std::string& hash) {
  const auto found = link.members.find(std::string(kContentHash));
  if (found == link.members.end() || found->second == storage::kUnsignedPayload)
    return PayloadKind::kUnsigned;
  if (found->second == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return PayloadKind::kUnsignedChunksTrailer;
  hash = lower_case(found->second);
  if (hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos)
    return PayloadKind::kHash;
  return refuse.saying(400, "InvalidArgument",
                       "x-amz-content-sha256 of a link must be UNSIGNED-PAYLOAD, "
                       "STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a valid sha256 value.",
                       {{"ArgumentName", std::string(kContentHash)}, {"ArgumentValue", found->second}});
}

}  // namespace

bool claims_sigv2_link(const http::Request& request) {
  return request.query_value("AWSAccessKeyId") && request.query_value("Signature");
}

AwsResult<VerifiedSignature> verify_sigv2_link(const http::Request& request, const std::string& host_bucket,
                                               const KeyFinder& find_key, const Clock& clock) {
  const LinkRefusals refuse(request.path);
  const std::string resource = host_bucket.empty() ? request.path : "/" + host_bucket + request.path;
  constexpr std::array<std::string_view, 4> kMethods = {"GET", "HEAD", "PUT", "DELETE"};
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end() ||
      !names_object(resource) || (!host_bucket.empty() && !storage::check_bucket_name(host_bucket))) {
    return refuse.saying(400, "InvalidRequest",
                         "The authorization mechanism you have provided is not supported. Please use "
                         "AWS4-HMAC-SHA256.");
  }
  const auto read = read_link(request, refuse);
  if (!read) return tl::unexpected(read.error());
  const Link& link = *read;
  if (link.expires.empty()) {
    return refuse.denied(
        "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters");
  }
  std::int64_t expires = 0;
  const auto number =
      std::from_chars(link.expires.data(), link.expires.data() + link.expires.size(), expires);
  if (number.ec != std::errc() || number.ptr != link.expires.data() + link.expires.size() || expires < 0) {
    return refuse.denied(
        fmt::format("Invalid date (should be seconds since epoch): {}", link.expires.substr(0, 100)));
  }
  const Timestamp now = clock.now();
  if (to_microseconds(now) / 1'000'000 > expires) {
    return refuse.denied("Request has expired",
                         {{"Expires", link.expires}, {"ServerTime", iso_text(now) + "Z"}});
  }
  if (const auto token = link.members.find("x-amz-security-token");
      token != link.members.end() && !token->second.empty())
    return refuse.saying(400, "InvalidToken", "The provided token is malformed or otherwise invalid.");

  auto key = find_key(link.key_id);
  if (!key) return tl::unexpected(internal_failure(Protocol::kS3, key.error(), "(signature)"));
  if (!*key) {
    return refuse.saying(403, "InvalidAccessKeyId",
                         "The AWS Access Key Id you provided does not exist in our records.",
                         {{"AWSAccessKeyId", link.key_id}});
  }
  const std::string to_sign = string_to_sign(request, resource, link);
  if (!crypto::equal_in_constant_time(base64(crypto::hmac_sha1((*key)->secret, to_sign)), link.signature)) {
    return refuse.saying(
        403, "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check "
        "your key and signing method.",
        {{"AWSAccessKeyId", link.key_id}, {"StringToSign", to_sign}, {"SignatureProvided", link.signature}});
  }
  VerifiedSignature verified;
  const auto payload = payload_of(link, refuse, verified.payload_hash);
  if (!payload) return tl::unexpected(payload.error());
  verified.payload = *payload;
  verified.form = SignatureForm::kQueryVersion2;
  verified.key = std::move(**key);
  verified.signature = link.signature;
  return verified;
}

}  // namespace terrapin::api
