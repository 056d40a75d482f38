#include "http/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "http/token.h"

namespace terrapin::http {
namespace {

bool is_servers(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Date"}) {
    if (same_ignoring_case(name, own)) return true;
  }
  return false;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void add_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  const std::size_t start = head.size();
  head.append(value);
  std::replace_if(
      head.begin() + static_cast<std::ptrdiff_t>(start), head.end(),
      [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  head.append("\r\n");
}

bool has_no_content(int status) {
  return status == 204 || status == 304;
}

}  // namespace

bool has_body(const Response& response, bool to_head) {
  return !to_head && !has_no_content(response.status);
}

std::int64_t body_bytes(const Response& response) {
  return response.source ? response.source->size() : static_cast<std::int64_t>(response.body.size());
}

std::string response_head(const Response& response, const Framing& framing, std::string_view date) {
  std::string head;
  head.reserve(256);
  fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\n", response.status,
                 reason_phrase(response.status));
  for (const auto& [name, value] : response.headers.fields()) {
    if (is_token(name) && !is_servers(name)) add_field(head, name, value);
  }
  add_field(head, "Date", date);
  if (!has_no_content(response.status)) {
    const auto stated = response.headers.find("Content-Length");
    if (framing.to_head && stated && is_number(*stated)) {
      add_field(head, "Content-Length", *stated);
    } else {
      fmt::format_to(std::back_inserter(head), "Content-Length: {}\r\n", body_bytes(response));
    }
  }
  if (!framing.keep_alive) {
    head.append("Connection: close\r\n");
  } else if (framing.http_1_0) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("\r\n");
  return head;
}

}  // namespace terrapin::http
