#include "api/errors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/logging.h"
#include "base/markup.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"

namespace terrapin::api {
namespace {

constexpr std::string_view kXmlStart = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

void append_element(std::string& xml, std::string_view name, std::string_view value) {
  xml.append("<").append(name).append(">").append(markup_text(value)).append("</").append(name).append(">");
}

}  // namespace

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

http::Response query_error(const AwsError& error, const std::string& request_id, const char* name_space) {
  std::string xml = fmt::format("<ErrorResponse xmlns=\"{}\"><Error>", name_space);
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

AwsError no_space(Protocol protocol) {
  AwsError result;
  result.status = 507;
  result.code = protocol == Protocol::kS3 ? "InsufficientStorage" : "InternalFailure";
  result.message = "There is no space left to store the request.";
  return result;
}

AwsError internal_failure(Protocol protocol, const Error& error, const std::string& request_id) {
  spdlog::error("request {}: {}", request_id, error.message);
  if (error.code == ErrorCode::kNoSpace) return no_space(protocol);
  AwsError result;
  result.status = 500;
  result.code = protocol == Protocol::kS3 ? "InternalError" : "InternalFailure";
  result.message = "We encountered an internal error. Please try again.";
  return result;
}

}  // namespace terrapin::api
