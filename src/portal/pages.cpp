#include "portal/pages.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "portal/pages_data.h"

namespace terrapin::portal {
namespace {

// Pages run only what came from this server, talk only to it, and nobody frames them.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src "
    "'self'; "
    "worker-src 'self'; frame-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'";
// The requester's template: its own opaque origin, no network, no cookies; what it shows it was handed.
constexpr const char* kFramePolicy =
    "sandbox allow-scripts allow-forms; default-src 'none'; script-src 'self' 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src blob: data:; media-src blob: data:; font-src data:; worker-src "
    "blob:; "
    "connect-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'";
constexpr std::string_view kAssets = "/_/assets/";
constexpr std::int64_t kLargestFile = 16 << 20;

std::string type_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".json", "application/json"},
      {".woff2", "font/woff2"}};
  for (const auto& [ending, type] : kTypes)
    if (name.ends_with(ending)) return std::string(type);
  return "application/octet-stream";
}

// The file behind an address: "index.html" for every page.
std::string name_of(std::string_view path) {
  if (path.starts_with(kAssets)) return "assets/" + std::string(path.substr(kAssets.size()));
  if (path == "/_/frame") return "frame.html";
  if (path == "/_/frame.js") return "frame.js";
  if (path.ends_with("/crowd-html-elements.js")) return "crowd-html-elements.js";
  return "index.html";
}

bool is_file_name(std::string_view name) {
  if (name.starts_with("assets/")) name.remove_prefix(7);
  return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
}

bool accepts_gzip(const http::Request& request) {
  const std::string field = request.headers.joined("Accept-Encoding").value_or("");
  const std::size_t at = field.find("gzip");
  return at != std::string::npos &&
         field.substr(at, field.find(',', at) - at).find("q=0") == std::string::npos;
}

bool names_etag(const http::Request& request, const std::string& etag) {
  const auto field = request.headers.joined("If-None-Match");
  return field && (*field == "*" || field->find('"' + etag + '"') != std::string::npos);
}

}  // namespace

Pages Pages::built_in() {
  auto pages = from_pack(pages_pack());
  return pages ? std::move(*pages) : Pages();
}

Result<Pages> Pages::from_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / "index.html", error)) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: holds no index.html; `node web/build.mjs` makes such a folder", folder.string());
  }
  Pages pages;
  pages.folder_ = folder;
  return pages;
}

Result<Pages> Pages::from_pack(std::span<const std::uint8_t> pack) {
  Pages pages;
  if (pack.empty()) return pages;
  std::uint64_t index_bytes = 0;
  if (pack.size() < 8) return fail(ErrorCode::kCorrupt, "the pages' pack is cut");
  for (std::size_t i = 0; i < 8; ++i) index_bytes |= std::uint64_t{pack[i]} << (8 * i);
  if (index_bytes > pack.size() - 8) return fail(ErrorCode::kCorrupt, "the pages' pack is cut in its index");
  const std::string_view text(reinterpret_cast<const char*>(pack.data()) + 8, index_bytes);
  const auto contents = pack.subspan(8 + index_bytes);
  const auto index = nlohmann::json::parse(text, nullptr, false);
  if (!index.is_array()) return fail(ErrorCode::kCorrupt, "the pages' index is no JSON list");
  for (const auto& entry : index) {
    const auto number = [&entry](const char* member) -> std::uint64_t {
      return entry.is_object() && entry.contains(member) && entry[member].is_number_unsigned()
                 ? entry[member].get<std::uint64_t>()
                 : UINT64_MAX;
    };
    const std::uint64_t offset = number("offset"), bytes = number("bytes"), gzip = number("gzip_bytes");
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() ||
        offset > contents.size() || bytes > contents.size() - offset ||
        gzip > contents.size() - offset - bytes) {
      return fail(ErrorCode::kCorrupt, "the pages' index names bytes that are not there");
    }
    const std::string name = entry["name"].get<std::string>();
    PageFile file;
    file.type = type_of(name);
    const auto plain = contents.subspan(offset, bytes), small = contents.subspan(offset + bytes, gzip);
    file.etag = sha256_hex(plain).substr(0, 32);
    file.plain.assign(plain.begin(), plain.end());
    file.gzip.assign(small.begin(), small.end());
    pages.files_[name] = std::move(file);
  }
  return pages;
}

const std::vector<std::string_view>& Pages::patterns() {
  static const std::vector<std::string_view> kPatterns = {"/_/",
                                                          "/_/sign-in",
                                                          "/_/join",
                                                          "/_/reset",
                                                          "/_/jobs",
                                                          "/_/history",
                                                          "/_/account",
                                                          "/_/task/{id}",
                                                          "/_/console",
                                                          "/_/console/{rest+}",
                                                          "/_/frame",
                                                          "/_/frame.js",
                                                          "/_/assets/{name}",
                                                          "/_/crowd-html-elements.js",
                                                          "/crowd-html-elements.js"};
  return kPatterns;
}

Result<PageFile> Pages::find(const std::string& name) const {
  const auto missing = [&name] {
    return fail(ErrorCode::kNotFound, "there is no file {} of the pages", name);
  };
  if (!is_file_name(name)) return missing();
  if (folder_.empty()) {
    const auto found = files_.find(name);
    if (found == files_.end()) return missing();
    return found->second;
  }
  auto text = read_text_file(folder_ / name, kLargestFile);
  if (!text) return missing();
  PageFile file;
  file.type = type_of(name);
  file.plain.assign(text->begin(), text->end());
  file.etag = sha256_hex(file.plain).substr(0, 32);
  return file;
}

http::Response Pages::answer(const http::Request& request) const {
  const std::string name = name_of(request.path);
  const Result<PageFile> found = find(name);
  if (!found) {
    if (name != "index.html")
      return http::Response::text(404, "text/plain; charset=utf-8", found.error().message + "\n");
    return http::Response::text(
        200, "text/plain; charset=utf-8",
        "Terrapin's labeling service. This program was built without its pages (they need Node "
        "18 and npm when it is built).\n");
  }
  const bool gzip = !found->gzip.empty() && accepts_gzip(request);
  http::Response response = http::Response::bytes(200, found->type, gzip ? found->gzip : found->plain);
  if (gzip) response.headers.set("Content-Encoding", "gzip");
  // A compressed answer is another representation.
  const std::string etag = found->etag + (gzip ? "-gzip" : "");
  if (names_etag(request, etag)) {
    response = http::Response();
    response.status = 304;
  }
  response.headers.set("ETag", '"' + etag + '"');
  response.headers.set("Vary", "Accept-Encoding");
  const bool named_by_hash = name.starts_with("assets/") && folder_.empty();
  response.headers.set("Cache-Control", named_by_hash ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.set("Content-Security-Policy", name == "frame.html" ? kFramePolicy : kPagePolicy);
  // Scripts that the document of a frame loads: its origin is opaque.
  if (name == "frame.js" || name == "crowd-html-elements.js")
    response.headers.set("Cross-Origin-Resource-Policy", "cross-origin");
  return response;
}

}  // namespace terrapin::portal
