#include "proxy/connect_request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace terrapin::proxy {
namespace {

// What a client sent, for an answer: without control characters, and not long.
std::string shown(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text.size() > 200 ? result + "..." : result;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

ConnectAnswer judge_connect(std::string_view head, const std::function<bool(const std::string& host)>& allows,
                            const std::string& allowed_words) {
  const auto broken = [](std::string_view what) {
    return ConnectAnswer{400, "", fmt::format("not a request of HTTP/1.1: '{}'", shown(what))};
  };
  const auto refused = [&](std::string_view what, std::string_view why) {
    return ConnectAnswer{403, "", fmt::format("{}: {}. Allowed are {}.", shown(what), why, allowed_words)};
  };
  const std::size_t line_end = head.find("\r\n");
  if (line_end == std::string_view::npos) return broken(head);
  const std::string_view line = head.substr(0, line_end);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return broken(line);
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
                         version = line.substr(last + 1);
  const bool plain = std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!is_token(method) || target.empty() || !plain || (version != "HTTP/1.1" && version != "HTTP/1.0"))
    return broken(line);
  if (method != "CONNECT")
    return refused(target, fmt::format("{} without TLS is not passed on, only CONNECT", method));
  const std::size_t colon = target.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return broken(line);
  const std::string host = lower_case(std::string(target.substr(0, colon)));
  const std::string_view port = target.substr(colon + 1);
  if (!allows(host)) return refused(host, "this host is not answered for");
  if (port != "443") return refused(target, fmt::format("port {} is not answered for, only 443", port));
  return {200, host, ""};
}

}  // namespace terrapin::proxy
