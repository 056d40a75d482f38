// What a labeling job writes into the lines of a manifest. Format page: docs/formats/manifest.md.
#pragma once

#include <string>
#include <vector>

#include "artifacts/label_categories.h"
#include "base/result.h"

namespace terrapin::artifacts {

struct MaskMetadata {
  double confidence = 0;  // 0..1, the same for every class of the line
  bool human_annotated = true;
  std::string creation_date;      // YYYY-MM-DDTHH:MM:SS.ffffff
  std::string job_name;           // "labeling-job/labelturtles"
  std::string adjustment_status;  // "adjusted", "unadjusted" or "" for none
};
// The value of "<attribute>-metadata" for a mask: every class with its colour, the void one as "255".
std::string mask_metadata_json(const LabelCategories& categories, const MaskMetadata& metadata);

struct VerificationMetadata {
  std::string class_name;
  double confidence = 0;
  std::string creation_date, job_name;
  std::vector<std::string> worker_feedback;  // empty: left out
};
std::string verification_metadata_json(const VerificationMetadata& metadata);

std::string failure_metadata_json(const std::string& reason, int retry_count,
                                  const std::string& creation_date, const std::string& job_name);

// The line (without its newline) with "<attribute>" and "<attribute>-metadata" set to these JSON texts; an
// empty `value_json` sets the metadata alone. Every other byte of the line stays as it was, unless it held
// one of the two keys: then it is written anew, with the other members in their order. kCorrupt if the line
// is no JSON object.
Result<std::string> with_label(const std::string& line, const std::string& attribute,
                               const std::string& value_json, const std::string& metadata_json);

// JSON text of a string.
std::string json_string(const std::string& text);

}  // namespace terrapin::artifacts
