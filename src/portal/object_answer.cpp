#include "portal/object_answer.h"

#include <algorithm>
#include <charconv>

#include "base/percent.h"
#include "base/text.h"
#include "http/media_type.h"
#include "http/target.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

// Types that a browser shows without running anything. Pictures are told by their bytes, the rest by what the
// writer said; whatever else is a download.
struct Shown {
  std::string type;
  bool in_page = false;
};

Result<Shown> how_to_show(const storage::OpenObject& object) {
  Bytes head(static_cast<std::size_t>(std::min<std::int64_t>(object.info.size, 12)));
  if (!head.empty()) {
    TERRAPIN_TRY_STATUS(object.content->read(0, head));
  }
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  if (bytes.starts_with("\xff\xd8\xff")) return Shown{"image/jpeg", true};
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return Shown{"image/png", true};
  if (bytes.starts_with("RIFF") && bytes.substr(std::min<std::size_t>(8, bytes.size())) == "WEBP")
    return Shown{"image/webp", true};
  const std::string type = http::media_type_essence(object.info.headers.content_type).value_or("");
  for (const char* inert : {"text/plain", "text/csv", "application/json"})
    if (type == inert) return Shown{type + "; charset=utf-8", true};
  return Shown{"application/octet-stream", false};
}

enum class RangeKind { kWhole, kPart, kUnsatisfiable };
struct Range {
  RangeKind kind = RangeKind::kWhole;
  std::int64_t first = 0, last = 0;
};

bool read_number(std::string_view text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 0 && text.front() != '-';
}

// One range (RFC 9110, 14.1.2); several, or what is no range, are answered with the whole.
Range parse_range(std::string_view text, std::int64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return {};
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view from = text.substr(0, dash), to = text.substr(dash + 1);
  Range range{RangeKind::kPart, 0, size - 1};
  if (from.empty()) {
    std::int64_t count = 0;
    if (to.empty() || !read_number(to, count)) return {};
    if (count == 0 || size == 0) return {RangeKind::kUnsatisfiable, 0, 0};
    range.first = std::max<std::int64_t>(0, size - count);
    return range;
  }
  if (!read_number(from, range.first)) return {};
  std::int64_t last = size - 1;
  if (!to.empty() && (!read_number(to, last) || last < range.first)) return {};
  if (range.first >= size) return {RangeKind::kUnsatisfiable, 0, 0};
  range.last = std::min(last, size - 1);
  return range;
}

bool names_tag(std::string_view field, std::string_view tag) {
  while (!field.empty()) {
    const std::size_t end = std::min(field.find(','), field.size());
    std::string_view one = trimmed(field.substr(0, end));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag || one == "*") return true;
    field.remove_prefix(std::min(end + 1, field.size()));
  }
  return false;
}

}  // namespace

std::string attachment(const std::string& file_name) {
  std::string name;
  for (const char c : file_name.substr(file_name.rfind('/') + 1))
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '"' && c != '\\') name += c;
  if (name.empty()) return "attachment";
  return "attachment; filename*=UTF-8''" + percent_encode(name);
}

void set_content_headers(http::Response& response, const std::string& tag, const std::string& cache_control) {
  response.headers.set("ETag", tag);
  response.headers.set("Cache-Control", cache_control);
  response.headers.set("Content-Security-Policy", "sandbox; default-src 'none'");
}

bool answered_unchanged(const http::Request& request, const std::string& tag, http::Response& response) {
  const auto field = request.headers.joined("If-None-Match");
  if (!field || !names_tag(*field, tag)) return false;
  response.status = 304;
  return true;
}

Result<http::Response> object_answer(const http::Request& request, const storage::OpenObject& object,
                                     const ObjectAnswer& how) {
  TERRAPIN_TRY(const Shown shown, how_to_show(object));
  const std::string tag = "\"" + object.info.etag + "\"";
  http::Response response;
  set_content_headers(response, tag, how.cache_control);
  response.headers.set("Accept-Ranges", "bytes");
  if (answered_unchanged(request, tag, response)) return response;
  response.headers.set("Content-Type", shown.type);
  response.headers.set("Content-Disposition",
                       shown.in_page && !how.as_download ? "inline" : attachment(how.file_name));
  const std::int64_t size = object.info.size;
  Range range;
  const auto condition = request.headers.find("If-Range");
  if (const auto field = request.headers.find("Range"); field && (!condition || *condition == tag))
    range = parse_range(*field, size);
  if (range.kind == RangeKind::kUnsatisfiable) {
    http::Response refused =
        refusal(416, "RangeNotSatisfiable", fmt::format("the object has {} bytes", size));
    refused.headers.set("Content-Range", fmt::format("bytes */{}", size));
    return refused;
  }
  response.source = object.content;
  if (range.kind == RangeKind::kPart) {
    response.status = 206;
    response.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.last, size));
    response.source = slice_source(object.content, range.first, range.last - range.first + 1);
  }
  return response;
}

}  // namespace terrapin::portal
