// An augmented manifest read as a training channel.
#include <algorithm>
#include <set>

#include "artifacts/channels.h"
#include "artifacts/manifest_survey.h"

namespace terrapin::artifacts {
namespace {

std::string unique_name(const std::string& stem, std::set<std::string>& taken) {
  std::string name = stem;
  for (int copy = 2; !taken.insert(name).second; ++copy) name = fmt::format("{}_{}", stem, copy);
  return name;
}

}  // namespace

Result<ManifestIndex> index_manifest(const std::filesystem::path& manifest, const std::string& attribute,
                                     const S3Roots& roots) {
  TERRAPIN_TRY(const ManifestSurvey survey, survey_manifest(manifest, attribute, BadLines::kRefuse));
  TERRAPIN_TRY(ManifestReader reader, ManifestReader::open(manifest));
  ManifestIndex result;
  result.attribute = survey.attribute;
  result.classes = survey.classes.classes();
  // The union serves every line, those without a map too.
  const std::vector<ColorMapEntry> color_map = survey.classes.color_map();
  std::set<std::string> names;
  for (;;) {
    TERRAPIN_TRY(const std::optional<ManifestRecord> record, reader.next());
    if (!record) break;
    const auto label = std::find_if(
        record->labels.begin(), record->labels.end(),
        [&](const LabelReference& candidate) { return candidate.attribute == result.attribute; });
    if (label == record->labels.end()) {
      ++result.unlabeled_lines;
      continue;
    }
    if (label->failure_reason) {
      ++result.failed_lines;
      continue;
    }
    const std::string where = fmt::format("{}:{}", manifest.string(), record->line_number);
    if (const auto conflict = survey.classes.conflict(label->color_map, record->line_number)) {
      return fail(ErrorCode::kInvalidArgument, "{}: {}; all lines must agree", where, conflict->message);
    }
    Sample sample;
    for (const auto& [uri, path] :
         {std::pair(&record->source_uri, &sample.photo), std::pair(&label->mask_uri, &sample.mask)}) {
      auto resolved = roots.resolve(*uri, manifest.parent_path());
      if (!resolved) return with_context(std::move(resolved.error()), where);
      *path = std::move(*resolved);
    }
    sample.name = unique_name(sample.photo.stem().string(), names);
    sample.color_map = color_map;
    result.index.samples.push_back(std::move(sample));
  }
  if (result.index.samples.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{}: every line of '{}' failed ({} lines), nothing to read",
                manifest.string(), result.attribute, result.failed_lines);
  }
  return result;
}

}  // namespace terrapin::artifacts
