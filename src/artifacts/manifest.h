// Ground Truth manifests: JSON Lines, one data object a line. Manifest keys live only in this folder.
// Format page: docs/formats/manifest.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/class_list.h"
#include "base/result.h"

namespace terrapin::artifacts {

// Behind an attribute's name: the member of a line that holds what is known of it.
inline constexpr const char* kMetadataSuffix = "-metadata";

struct ColorMapEntry {
  int index = 0;
  std::string class_name;
  imaging::Rgb color;
  std::optional<double> confidence;
};
// Every class of the list with its colour.
std::vector<ColorMapEntry> color_map_of(const ClassList& classes);

// What one labeling job said of one line.
struct LabelReference {
  std::string attribute;  // "labelturtles-ref"
  std::string mask_uri;   // s3:// or a path; empty when the line failed
  std::optional<std::string> failure_reason;
  std::vector<ColorMapEntry> color_map;  // sorted by index; empty if the metadata carries none
  bool human_annotated = true;
  std::string job_name, creation_date;  // as written; empty if absent
};

struct ManifestRecord {
  std::int64_t line_number = 0;  // 1-based
  std::string source_uri;        // value of "source-ref"
  // Every attribute that ends in "-ref" except source-ref, in line order; those whose metadata states another
  // type than groundtruth/semantic-segmentation are no masks and are left out.
  std::vector<LabelReference> labels;
  nlohmann::ordered_json json;  // the whole line, unknown keys included
};

// Parses one line (without its newline). Errors name the key and what is allowed; the caller adds file and
// line.
Result<ManifestRecord> parse_manifest_line(const std::string& line, std::int64_t line_number);

// Streams a manifest: memory does not grow with its length. Blank lines are skipped; \n or \r\n; a line over
// 100,000 characters is an error of that line. Not thread-safe.
class ManifestReader {
 public:
  static Result<ManifestReader> open(const std::filesystem::path& path);
  // The next record, or nullopt at the end. An error concerns that line only: the next call goes on.
  Result<std::optional<ManifestRecord>> next();
  std::int64_t line_number() const { return line_number_; }

 private:
  std::filesystem::path path_;
  std::ifstream stream_;
  std::int64_t line_number_ = 0;
};

// The line Ground Truth would write for a labelled object.
std::string format_manifest_line(const std::string& source_uri, const std::string& attribute,
                                 const std::string& mask_uri, const ClassList& classes, double confidence,
                                 bool human_annotated, const std::string& creation_date,
                                 const std::string& job_name);

// s3://bucket/key -> <dir of bucket>/key. Plain paths (absolute, or relative to `base`) and file:// pass.
// A key that leaves its folder ("..", absolute, a symbolic link that leads out) is kInvalidArgument; an
// unknown bucket lists those known. The file need not exist.
struct S3Roots {
  std::map<std::string, std::filesystem::path> buckets;
  // Parses "bucket=dir".
  Status add(const std::string& specification);
  Result<std::filesystem::path> resolve(const std::string& uri, const std::filesystem::path& base) const;
};

}  // namespace terrapin::artifacts
