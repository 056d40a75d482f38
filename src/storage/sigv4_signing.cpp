#include "storage/sigv4_signing.h"

#include <algorithm>

#include "crypto/hash.h"

namespace terrapin::storage {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

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

std::string uri_encode(std::string_view text, bool keep_slashes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (c == '/' && keep_slashes)) {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result += '%';
      result += kDigits[byte >> 4];
      result += kDigits[byte & 15];
    }
  }
  return result;
}

std::string uri_decode(std::string_view text, bool plus_is_space) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
      result += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      result += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return result;
}

std::string canonical_path(std::string_view encoded_path, PathRule rule) {
  if (rule == PathRule::kS3) return uri_encode(uri_decode(encoded_path, false), true);
  return uri_encode(without_dot_parts(encoded_path), true);
}

std::string canonical_query(std::string_view raw_query, std::string_view left_out) {
  EncodedParameters parameters;
  while (!raw_query.empty()) {
    const std::size_t end = raw_query.find('&');
    const std::string_view part = raw_query.substr(0, end);
    raw_query = end == std::string_view::npos ? std::string_view() : raw_query.substr(end + 1);
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const std::string name = uri_decode(part.substr(0, equals), true);
    if (!left_out.empty() && name == left_out) continue;
    std::string value;
    if (equals != std::string_view::npos)
      value = uri_encode(uri_decode(part.substr(equals + 1), true), false);
    parameters.emplace_back(uri_encode(name, false), std::move(value));
  }
  return sorted_text(std::move(parameters));
}

std::string canonical_query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  EncodedParameters encoded;
  for (const auto& [name, value] : parameters)
    encoded.emplace_back(uri_encode(name, false), uri_encode(value, false));
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
