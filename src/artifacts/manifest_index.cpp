// An augmented manifest read as a training channel.
#include <algorithm>
#include <set>

#include "artifacts/channels.h"

namespace terrapin::artifacts {
namespace {

namespace fs = std::filesystem;

// Classes gathered over the lines of one manifest, each with the line that named it first.
class ClassCollector {
 public:
  // A line's map may list only the classes of its photo; what it says must agree with every line before.
  Status add(const std::vector<ColorMapEntry>& entries, std::int64_t line) {
    for (const ColorMapEntry& entry : entries) {
      const auto [at, fresh] = by_index_.emplace(entry.index, Seen{entry, line});
      const ColorMapEntry& first = at->second.entry;
      if (!fresh && (first.class_name != entry.class_name || first.color != entry.color)) {
        return fail(
            ErrorCode::kInvalidArgument,
            "internal-color-map: index {} is '{}' {} on line {} but '{}' {} on line {}; all lines must agree",
            entry.index, first.class_name, imaging::to_hex(first.color), at->second.line, entry.class_name,
            imaging::to_hex(entry.color), line);
      }
      const auto [name, fresh_name] = index_of_.emplace(entry.class_name, std::pair(entry.index, line));
      if (!fresh_name && name->second.first != entry.index) {
        return fail(ErrorCode::kInvalidArgument,
                    "internal-color-map: class '{}' has index {} on line {} but index {} on line {}; all "
                    "lines must agree",
                    entry.class_name, name->second.first, name->second.second, entry.index, line);
      }
    }
    return {};
  }

  // Positions are indices: a gap gets a default name and colour. 255 is "ignore", never a class.
  ClassList classes() const {
    int count = 0;
    for (const auto& [index, seen] : by_index_) {
      if (index != imaging::Mask::kIgnore) count = index + 1;
    }
    ClassList list = ClassList::with_default_names(count);
    for (const auto& [index, seen] : by_index_) {
      if (index < count) {
        list.classes[static_cast<std::size_t>(index)] = {seen.entry.class_name, seen.entry.color};
      }
    }
    return list;
  }

  std::vector<ColorMapEntry> entries() const {
    std::vector<ColorMapEntry> all;
    for (const auto& [index, seen] : by_index_)
      all.push_back({index, seen.entry.class_name, seen.entry.color, {}});
    return all;
  }

 private:
  struct Seen {
    ColorMapEntry entry;
    std::int64_t line;
  };
  std::map<int, Seen> by_index_;
  std::map<std::string, std::pair<int, std::int64_t>> index_of_;  // name -> index, line
};

// The label attributes of a manifest, sorted.
Result<std::set<std::string>> attributes_of(const fs::path& manifest) {
  TERRAPIN_TRY(ManifestReader reader, ManifestReader::open(manifest));
  std::set<std::string> attributes;
  for (;;) {
    TERRAPIN_TRY(const std::optional<ManifestRecord> record, reader.next());
    if (!record) return attributes;
    for (const LabelReference& label : record->labels) attributes.insert(label.attribute);
  }
}

Result<std::string> choose_attribute(const fs::path& manifest, const std::string& wanted) {
  TERRAPIN_TRY(const std::set<std::string> attributes, attributes_of(manifest));
  if (attributes.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: no line carries a label; expected a key that ends in '-ref' beside 'source-ref'",
                manifest.string());
  }
  if (wanted.empty() && attributes.size() == 1) return *attributes.begin();
  if (attributes.contains(wanted)) return wanted;
  if (wanted.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{}: several label attributes, name one of: {}",
                manifest.string(), fmt::join(attributes, ", "));
  }
  return fail(ErrorCode::kInvalidArgument,
              "{}: no line carries the label attribute '{}', expected one of: {}", manifest.string(), wanted,
              fmt::join(attributes, ", "));
}

std::string unique_name(const std::string& stem, std::set<std::string>& taken) {
  std::string name = stem;
  for (int copy = 2; !taken.insert(name).second; ++copy) name = fmt::format("{}_{}", stem, copy);
  return name;
}

}  // namespace

Result<ManifestIndex> index_manifest(const fs::path& manifest, const std::string& attribute,
                                     const S3Roots& roots) {
  ManifestIndex result;
  TERRAPIN_TRY(result.attribute, choose_attribute(manifest, attribute));
  TERRAPIN_TRY(ManifestReader reader, ManifestReader::open(manifest));
  ClassCollector collector;
  std::set<std::string> names;
  const fs::path base = manifest.parent_path();
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
    if (auto agreed = collector.add(label->color_map, record->line_number); !agreed) {
      return with_context(std::move(agreed.error()), manifest.string());
    }
    Sample sample;
    for (const auto& [uri, path] :
         {std::pair(&record->source_uri, &sample.photo), std::pair(&label->mask_uri, &sample.mask)}) {
      auto resolved = roots.resolve(*uri, base);
      if (!resolved) {
        return with_context(std::move(resolved.error()),
                            fmt::format("{}:{}", manifest.string(), record->line_number));
      }
      *path = std::move(*resolved);
    }
    sample.name = unique_name(sample.photo.stem().string(), names);
    result.index.samples.push_back(std::move(sample));
  }
  if (result.index.samples.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{}: every line of '{}' failed ({} lines), nothing to read",
                manifest.string(), result.attribute, result.failed_lines);
  }
  // The union serves every line, those without a map too.
  const std::vector<ColorMapEntry> entries = collector.entries();
  for (Sample& sample : result.index.samples) sample.color_map = entries;
  result.classes = collector.classes();
  return result;
}

}  // namespace terrapin::artifacts
