#include "artifacts/manifest_survey.h"

namespace terrapin::artifacts {

std::optional<ClassCollector::Conflict> ClassCollector::conflict(const std::vector<ColorMapEntry>& color_map,
                                                                 std::int64_t line) const {
  for (const ColorMapEntry& own : color_map) {
    if (const auto at = by_index_.find(own.index); at != by_index_.end() && at->second.line < line) {
      const auto& [first, first_line] = at->second;
      if (own.class_name != first.class_name) {
        return Conflict{own.class_name, fmt::format("class {} is '{}' here and '{}' on line {}", own.index,
                                                    own.class_name, first.class_name, first_line)};
      }
      if (own.color != first.color) {
        const std::string hex = imaging::to_hex(own.color);
        return Conflict{hex, fmt::format("class {} '{}' has the colour {} here and {} on line {}", own.index,
                                         own.class_name, hex, imaging::to_hex(first.color), first_line)};
      }
    }
    const auto named = index_of_.find(own.class_name);
    if (named == index_of_.end() || named->second == own.index) continue;
    if (const std::int64_t first_line = by_index_.at(named->second).line; first_line < line) {
      return Conflict{own.class_name, fmt::format("class '{}' has the index {} here and {} on line {}",
                                                  own.class_name, own.index, named->second, first_line)};
    }
  }
  return std::nullopt;
}

void ClassCollector::add(const std::vector<ColorMapEntry>& color_map, std::int64_t line) {
  if (conflict(color_map, line)) return;
  for (const ColorMapEntry& entry : color_map) {
    by_index_.try_emplace(entry.index, Seen{entry, line});
    index_of_.try_emplace(entry.class_name, entry.index);
  }
}

ClassList ClassCollector::classes() const {
  int count = 0;
  for (const auto& [index, seen] : by_index_) {
    if (index != imaging::Mask::kIgnore) count = index + 1;
  }
  ClassList list = ClassList::with_default_names(count);
  for (int index = 0; index < count; ++index) {
    ClassEntry& entry = list.classes[static_cast<std::size_t>(index)];
    if (const auto seen = by_index_.find(index); seen != by_index_.end()) {
      entry = {seen->second.entry.class_name, seen->second.entry.color};
    } else {
      while (index_of_.contains(entry.name)) entry.name += " (unnamed)";
    }
  }
  return list;
}

std::vector<ColorMapEntry> ClassCollector::color_map() const {
  std::vector<ColorMapEntry> all;
  for (const auto& [index, seen] : by_index_) {
    all.push_back({index, seen.entry.class_name, seen.entry.color, {}});
  }
  return all;
}

Result<ManifestSurvey> survey_manifest(const std::filesystem::path& manifest, const std::string& wanted,
                                       BadLines bad_lines) {
  struct Attribute {
    std::int64_t lines = 0;
    ClassCollector classes;
  };
  TERRAPIN_TRY(ManifestReader reader, ManifestReader::open(manifest));
  ManifestSurvey survey;
  std::map<std::string, Attribute> attributes;
  for (;; ++survey.lines) {
    auto record = reader.next();
    if (!record && bad_lines == BadLines::kPassOver) continue;
    if (!record) return tl::unexpected<Error>(std::move(record.error()));
    if (!*record) break;
    for (const LabelReference& label : (*record)->labels) {
      Attribute& attribute = attributes[label.attribute];
      ++attribute.lines;
      if (!label.failure_reason) attribute.classes.add(label.color_map, (*record)->line_number);
    }
  }
  if (survey.lines == 0) {
    return fail(ErrorCode::kInvalidArgument, "{}: the manifest has no lines", manifest.string());
  }
  if (attributes.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: no line has a label attribute; one that ends in '-ref' beside 'source-ref' is needed",
                manifest.string());
  }
  std::string known;
  for (const auto& [name, attribute] : attributes) {
    known += fmt::format("{}'{}' ({} lines)", known.empty() ? "" : ", ", name, attribute.lines);
  }
  if (wanted.empty() && attributes.size() > 1) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: several label attributes: {}; choose one with --label-attribute", manifest.string(),
                known);
  }
  const auto chosen = wanted.empty() ? attributes.begin() : attributes.find(wanted);
  if (chosen == attributes.end()) {
    return fail(ErrorCode::kInvalidArgument, "{}: no line has the label attribute '{}'; there are: {}",
                manifest.string(), wanted, known);
  }
  survey.attribute = chosen->first;
  survey.classes = std::move(chosen->second.classes);
  return survey;
}

}  // namespace terrapin::artifacts
