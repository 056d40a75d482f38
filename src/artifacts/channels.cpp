#include "artifacts/channels.h"

#include <algorithm>
#include <map>

#include "artifacts/json_fields.h"
#include "base/files.h"

namespace terrapin::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr const char* kClassesFormat = "terrapin-classes";
constexpr int kClassesVersion = 1;
constexpr std::int64_t kMaxClassesBytes = 1 << 20;
constexpr std::size_t kNamed = 10;  // names in a message; the count says the rest

using Stems = std::map<std::string, fs::path>;

// Files of the folder whose extension is one of `extensions` (lower case), by relative path without
// extension.
Result<Stems> stems_of(const fs::path& folder, const std::vector<std::string>& extensions, const char* what) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail(ErrorCode::kNotFound, "{}: no such folder, expected the {}s", folder.string(), what);
  }
  TERRAPIN_TRY(const auto files, list_files(folder, true));
  Stems stems;
  for (const fs::path& file : files) {
    std::string extension = file.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (std::find(extensions.begin(), extensions.end(), extension) == extensions.end()) continue;
    const std::string stem = file.lexically_relative(folder).replace_extension().generic_string();
    const auto [at, fresh] = stems.emplace(stem, file);
    if (!fresh) {
      return fail(ErrorCode::kInvalidArgument, "{}: two {}s are named '{}': {} and {}", folder.string(), what,
                  stem, at->second.filename().string(), file.filename().string());
    }
  }
  if (stems.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{}: no {} in this folder ({} other files), expected {}",
                folder.string(), what, files.size(), fmt::join(extensions, ", "));
  }
  return stems;
}

// "7 photos of A without a mask in B: x.jpg, y.jpg, ..." or nothing.
std::string describe_unpaired(const Stems& stems, const Stems& others, const char* what, const char* other,
                              const fs::path& folder, const fs::path& other_folder) {
  std::vector<std::string> names;
  std::size_t count = 0;
  for (const auto& [stem, path] : stems) {
    if (others.contains(stem)) continue;
    if (++count <= kNamed) names.push_back(path.lexically_relative(folder).generic_string());
  }
  if (count == 0) return {};
  return fmt::format("{} {}{} of {} without a {} of the same name in {}: {}{}", count, what,
                     count == 1 ? "" : "s", folder.string(), other, other_folder.string(),
                     fmt::join(names, ", "), count > kNamed ? ", ..." : "");
}

Result<SampleIndex> open_split(const fs::path& folder, const std::string& split,
                               const std::string& map_fallback) {
  TERRAPIN_TRY(SampleIndex index, index_channel(folder / split, folder / (split + "_annotation")));
  std::error_code ignored;
  for (const std::string& name : {split, map_fallback}) {
    const fs::path path = folder / "label_map" / (name + "_label_map.json");
    if (!fs::exists(path, ignored)) continue;
    TERRAPIN_TRY(index.label_map, LabelMap::read(path));
    break;
  }
  return index;
}

}  // namespace

Result<SampleIndex> index_channel(const fs::path& photos, const fs::path& annotations) {
  TERRAPIN_TRY(const Stems photo_of, stems_of(photos, {".jpg", ".jpeg", ".png", ".webp"}, "photo"));
  TERRAPIN_TRY(const Stems mask_of, stems_of(annotations, {".png"}, "mask"));
  const std::string photos_left = describe_unpaired(photo_of, mask_of, "photo", "mask", photos, annotations);
  const std::string masks_left = describe_unpaired(mask_of, photo_of, "mask", "photo", annotations, photos);
  if (!photos_left.empty() || !masks_left.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{}{}{}", photos_left,
                photos_left.empty() || masks_left.empty() ? "" : "; ", masks_left);
  }
  SampleIndex index;
  index.samples.reserve(photo_of.size());
  for (const auto& [stem, photo] : photo_of) index.samples.push_back({stem, photo, mask_of.at(stem), {}});
  return index;
}

Result<DatasetFolder> open_dataset_folder(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail(ErrorCode::kNotFound, "{}: no such dataset folder", folder.string());
  }
  for (const char* part : {"train", "train_annotation", "validation", "validation_annotation"}) {
    if (!fs::is_directory(folder / part, ignored)) {
      return fail(
          ErrorCode::kNotFound,
          "{}: no folder '{}'; a dataset has train, train_annotation, validation, validation_annotation",
          folder.string(), part);
    }
  }
  DatasetFolder dataset;
  TERRAPIN_TRY(dataset.train, open_split(folder, "train", "train"));
  TERRAPIN_TRY(dataset.validation, open_split(folder, "validation", "validation"));
  if (fs::is_directory(folder / "test", ignored)) {
    TERRAPIN_TRY(dataset.test, open_split(folder, "test", "validation"));
  }
  if (fs::exists(folder / "classes.json", ignored)) {
    TERRAPIN_TRY(dataset.classes, read_classes_file(folder / "classes.json"));
  }
  return dataset;
}

Result<ClassList> read_classes_file(const fs::path& path) {
  TERRAPIN_TRY(const std::string text, read_text_file(path, kMaxClassesBytes));
  const auto parse = [&]() -> Result<ClassList> {
    TERRAPIN_TRY(const nlohmann::json json, parse_json(text));
    ObjectReader reader(json, "");
    const std::string format = reader.text("format");
    const std::int64_t version = reader.integer("version", 1, 1'000'000);
    if (format == kClassesFormat && version > kClassesVersion) {
      return fail(ErrorCode::kUnsupported, "the file has format version {}, this program reads up to {}",
                  version, kClassesVersion);
    }
    const nlohmann::json& classes = reader.array("classes");
    TERRAPIN_TRY_STATUS(reader.finish());
    if (format != kClassesFormat) {
      return fail(ErrorCode::kCorrupt, "field 'format' is '{}', expected '{}'", format, kClassesFormat);
    }
    return class_list_from_json(classes);
  };
  auto classes = parse();
  if (!classes) return with_context(std::move(classes.error()), path.string());
  return classes;
}

Status write_classes_file(const fs::path& path, const ClassList& classes) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  json["format"] = kClassesFormat;
  json["version"] = kClassesVersion;
  json["classes"] = to_json(classes);
  return write_file_atomically(
      path, json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace terrapin::artifacts
