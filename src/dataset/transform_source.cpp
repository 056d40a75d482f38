#include "dataset/transform_source.h"

#include <map>

#include "dataset/transform_folders.h"

namespace terrapin::dataset {
namespace {

using artifacts::ColorMapEntry;
using artifacts::ManifestReader;

std::string stem_of(const std::string& uri) {
  const std::size_t slash = uri.find_last_of('/');
  return std::filesystem::path(slash == std::string::npos ? uri : uri.substr(slash + 1)).stem().string();
}

// What pass one learns of one label attribute.
struct AttributeFacts {
  struct Class {
    ColorMapEntry entry;
    std::int64_t line = 0;  // that named it first
  };
  std::int64_t lines = 0;
  std::map<int, Class> classes;
};

class ManifestSource : public InputSource {
 public:
  ManifestSource(std::filesystem::path manifest, InputOptions options, ManifestReader reader)
      : options_(std::move(options)), reader_(std::move(reader)) {
    kind = InputKind::kManifest;
    path = std::move(manifest);
  }

  Status learn() {
    std::map<std::string, AttributeFacts> attributes;
    while (true) {
      auto record = reader_.next();
      if (!record) {
        ++count;
        continue;
      }
      if (!*record) break;
      ++count;
      for (const artifacts::LabelReference& label : (*record)->labels) {
        AttributeFacts& facts = attributes[label.attribute];
        ++facts.lines;
        for (const ColorMapEntry& entry : label.color_map) {
          facts.classes.try_emplace(entry.index, AttributeFacts::Class{entry, (*record)->line_number});
        }
      }
    }
    if (count == 0) return fail(ErrorCode::kInvalidArgument, "{}: the manifest has no lines", path.string());
    std::string known;
    for (const auto& [name, facts] : attributes) {
      known += fmt::format("{}'{}' ({} lines)", known.empty() ? "" : ", ", name, facts.lines);
    }
    if (attributes.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: no line has a label attribute; one that ends in '-ref' beside 'source-ref' is needed",
                  path.string());
    }
    if (options_.attribute.empty() && attributes.size() > 1) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: several label attributes: {}; choose one with --label-attribute", path.string(),
                  known);
    }
    attribute = options_.attribute.empty() ? attributes.begin()->first : options_.attribute;
    const auto chosen = attributes.find(attribute);
    if (chosen == attributes.end()) {
      return fail(ErrorCode::kInvalidArgument, "{}: no line has the label attribute '{}'; there are: {}",
                  path.string(), attribute, known);
    }
    facts_ = chosen->second;
    // The parser admits indices 0 to 255; an entry for 255 only says how "ignore" is drawn.
    int highest = -1;
    for (const auto& [index, known_class] : facts_.classes) highest = index < 255 ? index : highest;
    if (highest >= 0) {
      classes = artifacts::ClassList::with_default_names(highest + 1);
      for (const auto& [index, known_class] : facts_.classes) {
        if (index > highest) continue;
        classes.classes[static_cast<std::size_t>(index)] = {known_class.entry.class_name,
                                                            known_class.entry.color};
      }
    }
    return rewind();
  }

  Status rewind() override {
    TERRAPIN_TRY(reader_, ManifestReader::open(path));
    return {};
  }

  Result<std::optional<SourceEntry>> next() override {
    auto record = reader_.next();
    SourceEntry entry;
    entry.line = reader_.line_number();
    if (!record) {
      // The reader's message may already name file and line; the report does so itself.
      std::string message = record.error().message;
      const std::string prefix = fmt::format("{}:{}: ", path.string(), entry.line);
      if (message.starts_with(prefix)) message.erase(0, prefix.size());
      entry.problem = Problem{"bad-line", entry.line, "", "", message};
      return std::optional(std::move(entry));
    }
    if (!*record) return std::optional<SourceEntry>();
    fill(entry, **record);
    return std::optional(std::move(entry));
  }

 private:
  void fill(SourceEntry& entry, const artifacts::ManifestRecord& record) const {
    const std::filesystem::path base = path.parent_path();
    entry.key = record.source_uri;
    entry.stem = stem_of(entry.key);
    auto problem = [&](const char* kind_word, const std::string& file, const std::string& value,
                       const std::string& message) {
      entry.problem = Problem{kind_word, entry.line, file, value, message};
    };
    const artifacts::LabelReference* label = nullptr;
    for (const auto& candidate : record.labels) {
      if (candidate.attribute == attribute) label = &candidate;
    }
    if (label == nullptr) {
      return problem("no-label", entry.key, attribute,
                     fmt::format("the line has no attribute '{}'", attribute));
    }
    if (label->failure_reason) {
      return problem("failed-line", entry.key, *label->failure_reason,
                     fmt::format("labeling failed: {}", *label->failure_reason));
    }
    if (label->mask_uri.empty()) {
      return problem("no-label", entry.key, attribute,
                     fmt::format("attribute '{}' names no mask", attribute));
    }
    entry.color_map = label->color_map;
    for (const ColorMapEntry& own : entry.color_map) {
      const AttributeFacts::Class& first = facts_.classes.at(own.index);
      if (own.class_name != first.entry.class_name) {
        return problem("class-conflict", entry.key, own.class_name,
                       fmt::format("class {} is '{}' here and '{}' on line {}", own.index, own.class_name,
                                   first.entry.class_name, first.line));
      }
    }
    auto photo = options_.roots.resolve(record.source_uri, base);
    if (!photo) return problem("bad-reference", record.source_uri, record.source_uri, photo.error().message);
    auto mask = options_.roots.resolve(label->mask_uri, base);
    if (!mask) return problem("bad-reference", label->mask_uri, label->mask_uri, mask.error().message);
    entry.photo = std::move(*photo), entry.mask = std::move(*mask);
  }

  InputOptions options_;
  ManifestReader reader_;
  AttributeFacts facts_;  // constant after learn
};

}  // namespace

const char* input_kind_name(InputKind kind) {
  switch (kind) {
    case InputKind::kManifest:
      return "manifest";
    case InputKind::kVocFolder:
      return "voc";
    case InputKind::kPlainFolder:
      return "folder";
    case InputKind::kChannels:
      return "channels";
  }
  return "";
}

Result<std::unique_ptr<InputSource>> open_input(const std::filesystem::path& path,
                                                const InputOptions& options) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return fail(ErrorCode::kNotFound, "{}: not found", path.string());
  if (std::filesystem::is_directory(path, error)) {
    TERRAPIN_TRY(auto source, open_folder_input(path));
    if (source->count == 0) {
      return fail(
          ErrorCode::kInvalidArgument, "{}: no photo with a mask was found{}", path.string(),
          source->problems.empty() ? std::string() : "; first: " + describe(source->problems.front()));
    }
    return source;
  }
  TERRAPIN_TRY(ManifestReader reader, ManifestReader::open(path));
  auto source = std::make_unique<ManifestSource>(path, options, std::move(reader));
  TERRAPIN_TRY_STATUS(source->learn());
  return std::unique_ptr<InputSource>(std::move(source));
}

}  // namespace terrapin::dataset
