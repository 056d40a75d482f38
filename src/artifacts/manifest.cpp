#include "artifacts/manifest.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "artifacts/json_fields.h"
#include "artifacts/manifest_write.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/utf8.h"

namespace terrapin::artifacts {
namespace {

constexpr std::int64_t kMaxLineCharacters = 100'000;
constexpr std::size_t kMaxLineBytes = 4 * kMaxLineCharacters;  // UTF-8
constexpr const char* kSourceKey = "source-ref";
constexpr const char* kMaskType = "groundtruth/semantic-segmentation";

tl::unexpected<Error> line_too_long() {
  return fail(ErrorCode::kTooLarge, "the line is longer than {} characters", kMaxLineCharacters);
}

// A member that must be a string if it is there.
Result<std::string> optional_text(const nlohmann::json& json, const std::string& owner, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return std::string();
  if (!found->is_string()) {
    return fail(ErrorCode::kCorrupt, "key '{}.{}' is {}, expected a string", owner, key, shown(*found));
  }
  return found->get<std::string>();
}

Result<ColorMapEntry> parse_color_map_entry(const std::string& where, const std::string& key,
                                            const nlohmann::json& json) {
  const auto index = parse_count(key, 255);
  if (!index) {
    return fail(ErrorCode::kCorrupt, "key '{}' has the index '{}', expected 0 to 254 (or 255, ignore)", where,
                key);
  }
  const std::string owner = where + "." + key;
  if (!json.is_object()) {
    return fail(ErrorCode::kCorrupt, "key '{}' is {}, expected an object", owner, shown(json));
  }
  ColorMapEntry entry;
  entry.index = static_cast<int>(*index);
  TERRAPIN_TRY(entry.class_name, optional_text(json, owner, "class-name"));
  if (entry.class_name.empty()) {
    return fail(ErrorCode::kCorrupt, "key '{}.class-name' is missing or empty", owner);
  }
  TERRAPIN_TRY(const std::string color_text, optional_text(json, owner, "hex-color"));
  auto color = imaging::parse_hex_color(color_text);
  if (!color) {
    return fail(ErrorCode::kCorrupt, "key '{}.hex-color': {}", owner, color.error().message);
  }
  entry.color = *color;
  if (const auto found = json.find("confidence"); found != json.end()) {
    if (!found->is_number()) {
      return fail(ErrorCode::kCorrupt, "key '{}.confidence' is {}, expected a number", owner, shown(*found));
    }
    entry.confidence = found->get<double>();
  }
  return entry;
}

Result<std::vector<ColorMapEntry>> parse_color_map(const std::string& where, const nlohmann::json& json) {
  if (!json.is_object()) {
    return fail(ErrorCode::kCorrupt, "key '{}' is {}, expected an object", where, shown(json));
  }
  std::vector<ColorMapEntry> entries;
  std::set<int> indices;
  std::set<std::string> names;
  for (const auto& [key, value] : json.items()) {
    TERRAPIN_TRY(ColorMapEntry entry, parse_color_map_entry(where, key, value));
    if (!indices.insert(entry.index).second) {
      return fail(ErrorCode::kCorrupt, "key '{}' has the index {} twice", where, entry.index);
    }
    if (!names.insert(entry.class_name).second) {
      return fail(ErrorCode::kCorrupt, "key '{}' has the class-name '{}' twice", where, entry.class_name);
    }
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const ColorMapEntry& a, const ColorMapEntry& b) { return a.index < b.index; });
  return entries;
}

// What the attribute says; nullopt when it is no mask (a verification's choice, an annotation of another
// kind).
Result<std::optional<LabelReference>> parse_label(const nlohmann::ordered_json& line,
                                                  const std::string& attribute) {
  using None = std::optional<LabelReference>;
  LabelReference label;
  label.attribute = attribute;
  const std::string metadata_key = attribute + kMetadataSuffix;
  nlohmann::json metadata = nlohmann::json::object();
  if (const auto found = line.find(metadata_key); found != line.end()) {
    metadata = *found;
    if (!metadata.is_object()) {
      return fail(ErrorCode::kCorrupt, "key '{}' is {}, expected an object", metadata_key, shown(metadata));
    }
  }
  const auto value = line.find(attribute);
  if (const auto reason = metadata.find("failure-reason"); reason != metadata.end()) {
    label.failure_reason = reason->is_string() ? reason->get<std::string>() : shown(*reason);
  } else if (value == line.end() || !value->is_string()) {
    return None();
  }
  TERRAPIN_TRY(const std::string type, optional_text(metadata, metadata_key, "type"));
  if (!type.empty() && !same_ignoring_case(type, kMaskType)) return None();
  if (!label.failure_reason) {
    label.mask_uri = value->get<std::string>();
    if (label.mask_uri.empty()) {
      return fail(ErrorCode::kCorrupt, "key '{}' is empty, expected where the mask lies", attribute);
    }
  }
  if (const auto map = metadata.find("internal-color-map"); map != metadata.end()) {
    TERRAPIN_TRY(label.color_map, parse_color_map(metadata_key + ".internal-color-map", *map));
  }
  TERRAPIN_TRY(const std::string human, optional_text(metadata, metadata_key, "human-annotated"));
  if (!human.empty() && human != "yes" && human != "no") {
    return fail(ErrorCode::kCorrupt, "key '{}.human-annotated' is '{}', expected 'yes' or 'no'", metadata_key,
                human);
  }
  label.human_annotated = human != "no";
  TERRAPIN_TRY(label.job_name, optional_text(metadata, metadata_key, "job-name"));
  TERRAPIN_TRY(label.creation_date, optional_text(metadata, metadata_key, "creation-date"));
  return None(std::move(label));
}

}  // namespace

std::vector<ColorMapEntry> color_map_of(const ClassList& classes) {
  std::vector<ColorMapEntry> color_map;
  for (const ClassEntry& entry : classes.classes) {
    color_map.push_back({static_cast<int>(color_map.size()), entry.name, entry.color, {}});
  }
  return color_map;
}

Result<ManifestRecord> parse_manifest_line(const std::string& line, std::int64_t line_number) {
  if (count_characters(line) > kMaxLineCharacters) return line_too_long();
  ManifestRecord record;
  record.line_number = line_number;
  TERRAPIN_TRY(record.json, parse_ordered_json(line));
  if (!record.json.is_object()) {
    return fail(ErrorCode::kCorrupt, "the line is {}, expected a JSON object", shown(record.json));
  }
  const auto source = record.json.find(kSourceKey);
  if (source == record.json.end()) {
    return fail(ErrorCode::kCorrupt, "key '{}' is missing, expected where the photo lies", kSourceKey);
  }
  if (!source->is_string() || source->get_ref<const std::string&>().empty()) {
    return fail(ErrorCode::kCorrupt, "key '{}' is {}, expected where the photo lies (a string)", kSourceKey,
                shown(*source));
  }
  record.source_uri = source->get<std::string>();
  for (const auto& [key, value] : record.json.items()) {
    std::string attribute = key;
    if (key.ends_with(kMetadataSuffix)) {
      // A failed object may carry metadata without the attribute itself.
      attribute = key.substr(0, key.size() - std::string(kMetadataSuffix).size());
      if (record.json.contains(attribute)) continue;
    }
    if (!attribute.ends_with("-ref") || attribute == kSourceKey) continue;
    TERRAPIN_TRY(std::optional<LabelReference> label, parse_label(record.json, attribute));
    if (label) record.labels.push_back(std::move(*label));
  }
  return record;
}

Result<ManifestReader> ManifestReader::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(ErrorCode::kInvalidArgument, "{}: a folder, expected a manifest file", path.string());
  }
  ManifestReader reader;
  reader.path_ = path;
  reader.stream_.open(path, std::ios::binary);
  if (!reader.stream_) {
    const bool exists = std::filesystem::exists(path, ignored);
    return fail(exists ? ErrorCode::kIo : ErrorCode::kNotFound, "{}: {}", path.string(),
                exists ? "cannot be opened" : "no such manifest file");
  }
  return reader;
}

Result<std::optional<ManifestRecord>> ManifestReader::next() {
  std::string line;
  for (;;) {
    line.clear();
    bool too_long = false, any = false;
    // Read by hand: getline would load a line of any length.
    std::streambuf& buffer = *stream_.rdbuf();
    for (int c = buffer.sbumpc(); c != std::streambuf::traits_type::eof(); c = buffer.sbumpc()) {
      any = true;
      if (c == '\n') break;
      if (line.size() < kMaxLineBytes + 1) {
        line.push_back(static_cast<char>(c));
      } else {
        too_long = true;
      }
    }
    if (!any) return std::optional<ManifestRecord>();
    ++line_number_;
    const std::string where = fmt::format("{}:{}", path_.string(), line_number_);
    if (too_long) return with_context(line_too_long().value(), where);
    if (line_number_ == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    auto record = parse_manifest_line(line, line_number_);
    if (!record) return with_context(std::move(record.error()), where);
    return std::optional<ManifestRecord>(std::move(*record));
  }
}

std::string format_manifest_line(const std::string& source_uri, const std::string& attribute,
                                 const std::string& mask_uri, const ClassList& classes, double confidence,
                                 bool human_annotated, const std::string& creation_date,
                                 const std::string& job_name) {
  return fmt::format("{{{}:{},{}:{},{}:{}}}", json_string(kSourceKey), json_string(source_uri),
                     json_string(attribute), json_string(mask_uri), json_string(attribute + kMetadataSuffix),
                     mask_metadata_json({classes, std::nullopt},
                                        {confidence, human_annotated, creation_date, job_name, ""}));
}

}  // namespace terrapin::artifacts
