#include "artifacts/manifest_write.h"

#include <nlohmann/json.hpp>

#include "artifacts/json_fields.h"
#include "base/json_text.h"

namespace terrapin::artifacts {
namespace {

using OrderedJson = nlohmann::ordered_json;

void add_origin(OrderedJson& metadata, const char* type, const std::string& creation_date,
                const std::string& job_name) {
  metadata["type"] = type;
  metadata["creation-date"] = creation_date;
  metadata["job-name"] = job_name;
}

}  // namespace

std::string json_string(const std::string& text) {
  return json_text(OrderedJson(text));
}

std::string mask_metadata_json(const LabelCategories& categories, const MaskMetadata& metadata) {
  OrderedJson color_map = OrderedJson::object();
  const auto add = [&](int index, const ClassEntry& entry) {
    OrderedJson item = OrderedJson::object();
    item["class-name"] = entry.name;
    item["hex-color"] = imaging::to_hex(entry.color);
    item["confidence"] = metadata.confidence;
    color_map[std::to_string(index)] = std::move(item);
  };
  for (int index = 0; index < categories.classes.size(); ++index)
    add(index, categories.classes.classes[static_cast<std::size_t>(index)]);
  if (categories.void_label) add(imaging::Mask::kIgnore, *categories.void_label);
  OrderedJson json = OrderedJson::object();
  json["internal-color-map"] = std::move(color_map);
  json["type"] = "groundtruth/semantic-segmentation";
  json["human-annotated"] = metadata.human_annotated ? "yes" : "no";
  json["creation-date"] = metadata.creation_date;
  json["job-name"] = metadata.job_name;
  if (!metadata.adjustment_status.empty()) json["adjustment-status"] = metadata.adjustment_status;
  return json_text(json);
}

std::string verification_metadata_json(const VerificationMetadata& metadata) {
  OrderedJson json = OrderedJson::object();
  json["class-name"] = metadata.class_name;
  json["confidence"] = metadata.confidence;
  json["human-annotated"] = "yes";
  add_origin(json, "groundtruth/label-verification", metadata.creation_date, metadata.job_name);
  if (!metadata.worker_feedback.empty()) {
    OrderedJson feedback = OrderedJson::array();
    for (const std::string& text : metadata.worker_feedback) {
      OrderedJson item = OrderedJson::object();
      item["comment"] = text;
      feedback.push_back(std::move(item));
    }
    json["worker-feedback"] = std::move(feedback);
  }
  return json_text(json);
}

std::string failure_metadata_json(const std::string& reason, int retry_count,
                                  const std::string& creation_date, const std::string& job_name) {
  OrderedJson json = OrderedJson::object();
  json["failure-reason"] = reason;
  json["retry-count"] = retry_count;
  json["human-annotated"] = "yes";
  add_origin(json, "groundtruth/semantic-segmentation", creation_date, job_name);
  return json_text(json);
}

Result<std::string> with_label(const std::string& line, const std::string& attribute,
                               const std::string& value_json, const std::string& metadata_json) {
  TERRAPIN_TRY(OrderedJson json, parse_ordered_json(line));
  if (!json.is_object()) return fail(ErrorCode::kCorrupt, "'{}' is not a JSON object", line.substr(0, 100));
  const std::string metadata_key = attribute + kMetadataSuffix;
  std::string kept = line;
  if (json.contains(attribute) || json.contains(metadata_key)) {
    json.erase(attribute);
    json.erase(metadata_key);
    kept = json_text(json);
  }
  const std::size_t end = kept.find_last_of('}');
  kept.resize(end);
  while (!kept.empty() && (kept.back() == ' ' || kept.back() == '\t')) kept.pop_back();
  std::string_view comma = json.empty() ? "" : ",";
  if (!value_json.empty()) {
    kept += fmt::format("{}{}:{}", comma, json_string(attribute), value_json);
    comma = ",";
  }
  return fmt::format("{}{}{}:{}}}", kept, comma, json_string(metadata_key), metadata_json);
}

}  // namespace terrapin::artifacts
