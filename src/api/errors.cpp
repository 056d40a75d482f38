#include "api/errors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/logging.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"

namespace terrapin::api {
namespace {

constexpr std::string_view kXmlStart = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Bytes of the UTF-8 character that begins at text[at]; 0 if none does.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    const unsigned point = (first & 0x0fU) << 12 | (byte(1) & 0x3fU) << 6 | (byte(2) & 0x3fU);
    const bool allowed = point >= 0x800 && (point < 0xd800 || point > 0xdfff) && point < 0xfffe;
    return allowed ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    const unsigned point = (first & 7U) << 18 | (byte(1) & 0x3fU) << 12;
    return point >= 0x10000 && point <= 0x10ffff ? 4 : 0;
  }
  return 0;
}

void append_element(std::string& xml, std::string_view name, std::string_view value) {
  xml.append("<").append(name).append(">").append(xml_text(value)).append("</").append(name).append(">");
}

}  // namespace

std::string xml_text(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = character_bytes(text, i);
    const char c = text[i];
    const bool control = static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
    if (bytes == 0 || control) {
      result += kReplacement;
    } else if (bytes > 1) {
      result.append(text, i, bytes);
    } else if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '"') {
      result += "&quot;";
    } else if (c == '\r') {
      result += "&#13;";
    } else {
      result += c;
    }
    i += std::max<std::size_t>(bytes, 1);
  }
  return result;
}

http::Response s3_error(const AwsError& error, const std::string& request_id) {
  std::string xml(kXmlStart);
  xml += "<Error>";
  append_element(xml, "Code", error.code);
  append_element(xml, "Message", error.message);
  for (const auto& [name, value] : error.details) append_element(xml, name, value);
  if (!error.resource.empty()) append_element(xml, "Resource", error.resource);
  append_element(xml, "RequestId", request_id);
  xml += "</Error>";
  auto response = http::Response::text(error.status, "application/xml", xml);
  set_request_id(Protocol::kS3, response, request_id);
  return response;
}

http::Response json_error(const AwsError& error, const std::string& request_id) {
  const bool capital = error.code == "ResourceNotFound" || error.code == "ResourceInUse" ||
                       error.code == "ResourceLimitExceeded" || error.code == "ConflictException";
  const nlohmann::json document{{"__type", error.code}, {capital ? "Message" : "message", error.message}};
  auto response = http::Response::text(error.status, "application/x-amz-json-1.1", json_text(document));
  set_request_id(Protocol::kJson, response, request_id);
  return response;
}

http::Response rest_json_error(const AwsError& error, const std::string& request_id) {
  const nlohmann::json document{{"message", error.message}};
  auto response = http::Response::json(error.status, json_text(document));
  response.headers.set("x-amzn-ErrorType", error.code);
  set_request_id(Protocol::kRestJson, response, request_id);
  return response;
}

http::Response query_error(const AwsError& error, const std::string& request_id) {
  std::string xml = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>";
  append_element(xml, "Type", error.status < 500 ? "Sender" : "Receiver");
  append_element(xml, "Code", error.code);
  append_element(xml, "Message", error.message);
  xml += "</Error>";
  append_element(xml, "RequestId", request_id);
  xml += "</ErrorResponse>";
  auto response = http::Response::text(error.status, "text/xml", xml);
  set_request_id(Protocol::kQuery, response, request_id);
  return response;
}

http::Response error_answer(Protocol protocol, const AwsError& error, const std::string& request_id) {
  switch (protocol) {
    case Protocol::kS3:
      return s3_error(error, request_id);
    case Protocol::kJson:
      return json_error(error, request_id);
    case Protocol::kRestJson:
      return rest_json_error(error, request_id);
    case Protocol::kQuery:
      return query_error(error, request_id);
  }
  return s3_error(error, request_id);
}

void set_request_id(Protocol protocol, http::Response& response, const std::string& request_id) {
  response.headers.set(protocol == Protocol::kS3 ? "x-amz-request-id" : "x-amzn-RequestId", request_id);
}

std::string new_request_id(Protocol protocol) {
  if (protocol != Protocol::kS3) return crypto::random_uuid();
  std::string text = crypto::hex(crypto::random_bytes(8));
  for (char& c : text)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

AwsError internal_failure(Protocol protocol, const Error& error, const std::string& request_id) {
  spdlog::error("request {}: {}", request_id, error.message);
  AwsError result;
  result.status = error.code == ErrorCode::kNoSpace ? 507 : 500;
  result.code = protocol == Protocol::kS3 ? "InternalError" : "InternalFailure";
  if (protocol == Protocol::kS3 && error.code == ErrorCode::kNoSpace) result.code = "InsufficientStorage";
  result.message = error.code == ErrorCode::kNoSpace ? "There is no space left to store the request."
                                                     : "We encountered an internal error. Please try again.";
  return result;
}

}  // namespace terrapin::api
