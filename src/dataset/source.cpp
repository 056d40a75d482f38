#include "dataset/source.h"

#include "artifacts/manifest_survey.h"
#include "dataset/folders.h"

namespace terrapin::dataset {
namespace {

using artifacts::ManifestReader;

std::string stem_of(const std::string& uri) {
  const std::size_t slash = uri.find_last_of('/');
  return std::filesystem::path(slash == std::string::npos ? uri : uri.substr(slash + 1)).stem().string();
}

class ManifestSource : public InputSource {
 public:
  ManifestSource(std::filesystem::path manifest, InputOptions options, ManifestReader reader)
      : options_(std::move(options)), reader_(std::move(reader)) {
    kind = InputKind::kManifest;
    path = std::move(manifest);
  }

  Status learn() {
    TERRAPIN_TRY(const artifacts::ManifestSurvey survey,
                 artifacts::survey_manifest(path, options_.attribute, artifacts::BadLines::kPassOver));
    count = survey.lines, attribute = survey.attribute;
    learned_ = survey.classes;
    classes = learned_.classes(), color_map = learned_.color_map();
    return {};
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
    if (const auto conflict = learned_.conflict(label->color_map, entry.line)) {
      return problem("class-conflict", entry.key, conflict->value, conflict->message);
    }
    auto photo = options_.roots.resolve(record.source_uri, base);
    if (!photo) return problem("bad-reference", record.source_uri, record.source_uri, photo.error().message);
    auto mask = options_.roots.resolve(label->mask_uri, base);
    if (!mask) return problem("bad-reference", label->mask_uri, label->mask_uri, mask.error().message);
    entry.photo = std::move(*photo), entry.mask = std::move(*mask);
  }

  InputOptions options_;
  ManifestReader reader_;
  artifacts::ClassCollector learned_;  // constant after learn
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
