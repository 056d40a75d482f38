// One line of a manifest. What was read and printed again reads the same.
#include "artifacts/manifest.h"

#include "fuzz/fuzz_target.h"

using namespace terrapin;

TERRAPIN_FUZZ_TARGET(manifest) {
  const auto record = artifacts::parse_manifest_line(std::string(text_of(input)), 1);
  if (!record) {
    require(!record.error().message.empty(), "a refusal says why");
    return;
  }
  const auto again = artifacts::parse_manifest_line(record->json.dump(), 1);
  require(again.has_value(), "a printed line is a line");
  require(again->json == record->json, "with the same keys and values");
  require(again->source_uri == record->source_uri && again->labels.size() == record->labels.size(),
          "and the same meaning");
  for (std::size_t i = 0; i < record->labels.size(); ++i) {
    const auto &one = record->labels[i], &other = again->labels[i];
    require(one.attribute == other.attribute && one.mask_uri == other.mask_uri &&
                one.failure_reason == other.failure_reason && one.color_map.size() == other.color_map.size(),
            "and the same labels");
    for (const auto& entry : one.color_map) require(entry.index >= 0 && entry.index <= 255, "class indices");
  }
}
