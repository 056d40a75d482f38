#include "storage/folder_store_record.h"

#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/digest.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/text.h"
#include "storage/folder_store_files.h"

namespace terrapin::storage {
namespace {

constexpr const char* kAttribute = "user.terrapin.object";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kBeside = "beside";
constexpr std::string_view kUnknownType = "binary/octet-stream";
constexpr std::int64_t kLongestRecord = 1 << 20;

// "1 <size> <mtime ns> <etag> [<upload id>]", a line end, then the headers and sizes of parts as JSON,
// nothing for none, or "beside".
std::string first_line(const struct stat& status, const ObjectRecord& record) {
  return fmt::format("{} {} {} {} {}\n", kVersion, static_cast<std::int64_t>(status.st_size),
                     modified_ns(status), record.etag, record.upload_id);
}

std::optional<std::string> attribute_of(int file) {
  std::string value(4096, '\0');
  for (;;) {
    const ssize_t size = ::fgetxattr(file, kAttribute, value.data(), value.size());
    if (size >= 0) {
      value.resize(static_cast<std::size_t>(size));
      return value;
    }
    if (errno != ERANGE || value.size() > 65536) return std::nullopt;
    value.resize(value.size() * 4);
  }
}

struct ParsedRecord {
  ObjectRecord record;
  std::string_view rest;  // of the text given to parse
};

std::optional<ParsedRecord> parse(std::string_view text, const struct stat& status) {
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos) return std::nullopt;
  std::array<std::string_view, 5> fields;
  std::string_view line = text.substr(0, line_end);
  for (std::string_view& field : fields) {
    const std::size_t space = line.find(' ');
    field = line.substr(0, space);
    line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  }
  const auto is_number = [](std::string_view field, std::int64_t expected) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    return error == std::errc() && end == field.data() + field.size() && value == expected;
  };
  if (fields[0] != kVersion || !is_number(fields[1], status.st_size) ||
      !is_number(fields[2], modified_ns(status)) || fields[3].empty()) {
    return std::nullopt;
  }
  ParsedRecord parsed;
  parsed.record.etag = fields[3];
  parsed.record.upload_id = fields[4];
  parsed.rest = text.substr(line_end + 1);
  return parsed;
}

void put_if(nlohmann::json& json, const char* name, const std::string& value) {
  if (!value.empty()) json[name] = value;
}
void put_if(nlohmann::json& json, const char* name, const std::map<std::string, std::string>& values) {
  if (!values.empty()) json[name] = values;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kTypes{{
    {"jpg", "image/jpeg"},      {"jpeg", "image/jpeg"},     {"png", "image/png"},
    {"webp", "image/webp"},     {"gif", "image/gif"},       {"bmp", "image/bmp"},
    {"tif", "image/tiff"},      {"tiff", "image/tiff"},     {"svg", "image/svg+xml"},
    {"avif", "image/avif"},     {"heic", "image/heic"},     {"json", "application/json"},
    {"txt", "text/plain"},      {"csv", "text/csv"},        {"html", "text/html"},
    {"htm", "text/html"},       {"xml", "application/xml"}, {"pdf", "application/pdf"},
    {"zip", "application/zip"}, {"gz", "application/gzip"}, {"tar", "application/x-tar"},
    {"js", "text/javascript"},  {"css", "text/css"},        {"md", "text/markdown"},
}};

constexpr const char* kParts = "parts";

nlohmann::json json_of(const ObjectHeaders& headers) {
  nlohmann::json json = nlohmann::json::object();
  if (headers.content_type != kUnknownType) json["content_type"] = headers.content_type;
  put_if(json, "content_encoding", headers.content_encoding);
  put_if(json, "content_disposition", headers.content_disposition);
  put_if(json, "content_language", headers.content_language);
  put_if(json, "cache_control", headers.cache_control);
  put_if(json, "expires", headers.expires);
  put_if(json, "metadata", headers.metadata);
  put_if(json, "checksums", headers.checksums);
  put_if(json, "tags", headers.tags);
  return json;
}

// Pairs of how many parts follow one another with one size, and that size: most uploads are two pairs.
nlohmann::json json_of(const std::vector<std::int64_t>& part_sizes) {
  nlohmann::json runs = nlohmann::json::array();
  for (std::size_t begin = 0; begin < part_sizes.size();) {
    std::size_t end = begin + 1;
    while (end < part_sizes.size() && part_sizes[end] == part_sizes[begin]) ++end;
    runs.push_back({end - begin, part_sizes[begin]});
    begin = end;
  }
  return runs;
}

// Empty unless the sizes are those of a file of `whole` bytes.
std::vector<std::int64_t> part_sizes_of(const nlohmann::json& runs, std::int64_t whole) {
  std::vector<std::int64_t> sizes;
  if (!runs.is_array()) return {};
  for (const nlohmann::json& run : runs) {
    if (!run.is_array() || run.size() != 2 || !run[0].is_number_unsigned() || !run[1].is_number_unsigned())
      return {};
    const auto count = run[0].get<std::uint64_t>(), size = run[1].get<std::uint64_t>();
    if (count > std::size_t{kMostParts} - sizes.size() || size > static_cast<std::uint64_t>(whole)) return {};
    for (std::uint64_t i = 0; i < count; ++i) {
      whole -= static_cast<std::int64_t>(size);
      if (whole < 0) return {};
      sizes.push_back(static_cast<std::int64_t>(size));
    }
  }
  return whole == 0 ? sizes : std::vector<std::int64_t>();
}

Result<ObjectHeaders> headers_of(const nlohmann::json& json) {
  ObjectHeaders headers;
  if (!json.is_object()) return fail(ErrorCode::kCorrupt, "the headers of an object must be a JSON object");
  for (const auto& [name, value] : json.items()) {
    std::string* text_field = name == "content_type"          ? &headers.content_type
                              : name == "content_encoding"    ? &headers.content_encoding
                              : name == "content_disposition" ? &headers.content_disposition
                              : name == "content_language"    ? &headers.content_language
                              : name == "cache_control"       ? &headers.cache_control
                              : name == "expires"             ? &headers.expires
                                                              : nullptr;
    std::map<std::string, std::string>* map_field = name == "metadata"    ? &headers.metadata
                                                    : name == "checksums" ? &headers.checksums
                                                    : name == "tags"      ? &headers.tags
                                                                          : nullptr;
    if (text_field != nullptr && value.is_string()) {
      *text_field = value.get<std::string>();
    } else if (map_field != nullptr && value.is_object()) {
      for (const auto& [key, entry] : value.items())
        if (entry.is_string()) map_field->emplace(key, entry.get<std::string>());
    } else {
      return fail(ErrorCode::kCorrupt, "the headers of an object hold '{}', which is unknown or mistyped",
                  name);
    }
  }
  return headers;
}

}  // namespace

std::string headers_to_json(const ObjectHeaders& headers) {
  const nlohmann::json json = json_of(headers);
  return json.empty() ? std::string() : json_text(json);
}

Result<ObjectHeaders> headers_from_json(std::string_view text) {
  if (text.empty()) return ObjectHeaders();
  return headers_of(nlohmann::json::parse(text, nullptr, false));
}

std::string guessed_content_type(std::string_view key) {
  const std::size_t dot = key.rfind('.');
  if (dot != std::string_view::npos && key.find('/', dot) == std::string_view::npos) {
    const std::string extension = lower_case(std::string(key.substr(dot + 1)));
    for (const auto& [name, type] : kTypes)
      if (name == extension) return std::string(type);
  }
  return std::string(kUnknownType);
}

ObjectRecords::ObjectRecords(std::filesystem::path beside, bool use_attributes)
    : beside_(std::move(beside)), use_attributes_(use_attributes) {
  std::error_code error;
  any_beside_ = std::filesystem::exists(beside_, error);
}

// The name holds what the record must match: writing the record of new bytes leaves that of the old ones.
std::filesystem::path ObjectRecords::path_beside(const struct stat& status, const ObjectName& name) const {
  const std::string identity =
      fmt::format("{} {} {}\n{}", static_cast<std::uint64_t>(status.st_ino),
                  static_cast<std::int64_t>(status.st_size), modified_ns(status), name.key);
  const std::string digest =
      sha256_hex(std::span(reinterpret_cast<const std::uint8_t*>(identity.data()), identity.size()));
  return beside_ / name.bucket / digest.substr(0, 2) / digest;
}

std::optional<ObjectRecord> ObjectRecords::read(int file, const struct stat& status, const ObjectName& name,
                                                bool with_headers) const {
  std::optional<std::string> text;
  if (use_attributes_) text = attribute_of(file);
  std::optional<ParsedRecord> parsed;
  if (text) parsed = parse(*text, status);
  const bool look_beside = !parsed || (with_headers && parsed->rest == kBeside);
  if (look_beside && any_beside_.load(std::memory_order_relaxed)) {
    if (auto beside = read_text_file(path_beside(status, name), kLongestRecord)) {
      text = std::move(*beside);
      parsed = parse(*text, status);
    }
  }
  if (!parsed) return std::nullopt;
  if (!with_headers) return std::move(parsed->record);
  const auto headers = [&]() -> Result<ObjectHeaders> {
    if (parsed->rest == kBeside) return fail(ErrorCode::kNotFound, "lost");
    if (parsed->rest.empty()) return ObjectHeaders();
    auto json = nlohmann::json::parse(parsed->rest, nullptr, false);
    if (json.is_object() && json.contains(kParts)) {
      parsed->record.part_sizes = part_sizes_of(json[kParts], status.st_size);
      json.erase(kParts);
    }
    return headers_of(json);
  }();
  if (headers) {
    parsed->record.headers = *headers;
  } else {
    // The ETag still holds for these bytes; what the writer said of them is lost.
    parsed->record.headers.content_type = guessed_content_type(name.key);
  }
  return std::move(parsed->record);
}

Status ObjectRecords::write(int file, const struct stat& status, const ObjectName& name,
                            const ObjectRecord& record) {
  const std::string line = first_line(status, record);
  nlohmann::json json = json_of(record.headers);
  if (!record.part_sizes.empty()) json[kParts] = json_of(record.part_sizes);
  const std::string text = line + (json.empty() ? std::string() : json_text(json));
  if (static_cast<std::int64_t>(text.size()) > kLongestRecord)
    return fail(ErrorCode::kInvalidArgument, "{}: more than {} bytes of headers", s3_uri(name),
                kLongestRecord);
  if (use_attributes_ && ::fsetxattr(file, kAttribute, text.data(), text.size(), 0) == 0) return {};
  any_beside_ = true;
  TERRAPIN_TRY_STATUS(write_file_atomically(path_beside(status, name), std::string_view(text)));
  if (!use_attributes_) return {};
  // An older attribute must not speak for the new record.
  const std::string mark = line + std::string(kBeside);
  if (::fsetxattr(file, kAttribute, mark.data(), mark.size(), 0) != 0) ::fremovexattr(file, kAttribute);
  return {};
}

void ObjectRecords::forget(const struct stat& status, const ObjectName& name) {
  if (!any_beside_.load(std::memory_order_relaxed)) return;
  std::error_code error;
  std::filesystem::remove(path_beside(status, name), error);
}

void ObjectRecords::forget_bucket(const std::string& bucket) {
  std::error_code error;
  std::filesystem::remove_all(beside_ / bucket, error);
}

}  // namespace terrapin::storage
