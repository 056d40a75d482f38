#include "storage/sigv4_signing.h"

#include <algorithm>

#include "base/percent.h"
#include "crypto/hash.h"

namespace terrapin::storage {
namespace {

std::string without_dot_parts(std::string_view path) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    begin = end + 1;
  }
  std::string result;
  for (const std::string_view part : parts) result.append("/").append(part);
  if (result.empty() || path.ends_with('/')) result += '/';
  return result;
}

using EncodedParameters = std::vector<std::pair<std::string, std::string>>;
std::string sorted_text(EncodedParameters parameters) {
  std::sort(parameters.begin(), parameters.end());
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(value);
  }
  return text;
}

}  // namespace

std::string canonical_path(std::string_view encoded_path, PathRule rule) {
  if (rule == PathRule::kS3) return percent_encode(percent_decode_loosely(encoded_path, false), true);
  return percent_encode(without_dot_parts(encoded_path), true);
}

std::string canonical_query(std::string_view raw_query, std::string_view left_out) {
  EncodedParameters parameters;
  while (!raw_query.empty()) {
    const std::size_t end = raw_query.find('&');
    const std::string_view part = raw_query.substr(0, end);
    raw_query = end == std::string_view::npos ? std::string_view() : raw_query.substr(end + 1);
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const std::string name = percent_decode_loosely(part.substr(0, equals), true);
    if (!left_out.empty() && name == left_out) continue;
    std::string value;
    if (equals != std::string_view::npos)
      value = percent_encode(percent_decode_loosely(part.substr(equals + 1), true), false);
    parameters.emplace_back(percent_encode(name, false), std::move(value));
  }
  return sorted_text(std::move(parameters));
}

std::string canonical_query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  EncodedParameters encoded;
  for (const auto& [name, value] : parameters)
    encoded.emplace_back(percent_encode(name, false), percent_encode(value, false));
  return sorted_text(std::move(encoded));
}

std::string folded_value(std::string_view value) {
  std::string result;
  bool gap = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t') {
      gap = true;
    } else {
      if (gap && !result.empty()) result += ' ';
      gap = false;
      result += c;
    }
  }
  return result;
}

std::string signed_header_names(const SignedRequest& request) {
  std::string names;
  for (const auto& [name, value] : request.headers) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

std::string canonical_request(const SignedRequest& request) {
  std::string text = request.method + "\n" + request.path + "\n" + request.query + "\n";
  for (const auto& [name, value] : request.headers) text.append(name).append(":").append(value).append("\n");
  return text + "\n" + signed_header_names(request) + "\n" + request.payload_hash;
}

std::string CredentialScope::text() const {
  return date + "/" + region + "/" + service + "/aws4_request";
}

Bytes signing_key(std::string_view secret, const CredentialScope& scope) {
  const std::string start = "AWS4" + std::string(secret);
  Bytes key = crypto::hmac_sha256(Bytes(start.begin(), start.end()), scope.date);
  key = crypto::hmac_sha256(key, scope.region);
  key = crypto::hmac_sha256(key, scope.service);
  return crypto::hmac_sha256(key, "aws4_request");
}

std::string string_to_sign(std::string_view time, const CredentialScope& scope, std::string_view canonical) {
  return fmt::format("{}\n{}\n{}\n{}", kSigV4Algorithm, time, scope.text(),
                     crypto::hex(crypto::hash(crypto::HashKind::kSha256, canonical)));
}

std::string signature(const Bytes& key, std::string_view text_to_sign) {
  return crypto::hex(crypto::hmac_sha256(key, text_to_sign));
}

std::string basic_time_text(Timestamp time) {
  std::string text = iso_text(time);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

}  // namespace terrapin::storage
