#include "artifacts/channels.h"

#include <algorithm>
#include <map>

#include "artifacts/json_fields.h"
#include "base/files.h"
#include "base/json_text.h"
#include "base/text.h"

namespace terrapin::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr const char* kClassesFormat = "terrapin-classes";
constexpr int kClassesVersion = 1;
constexpr std::int64_t kMaxClassesBytes = 1 << 20;
constexpr std::size_t kNamedFiles = 10;  // names in a message; the count says the rest

using Stems = std::map<std::string, fs::path>;

// Files of the folder whose extension is one of `extensions` (lower case), by relative path without
// extension.
struct Listing {
  Stems stems;
  std::vector<PairedFolders::Twin> twins;
  std::size_t others = 0;
};

Result<Listing> list_stems(const fs::path& folder, std::initializer_list<std::string_view> extensions,
                           bool is_mask) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail(ErrorCode::kNotFound, "{}: no such folder, expected the {}s", folder.string(),
                is_mask ? "mask" : "photo");
  }
  TERRAPIN_TRY(const auto files, list_files(folder, true));
  Listing listing;
  for (const fs::path& file : files) {
    const std::string extension = lower_case(file.extension().string());
    if (std::find(extensions.begin(), extensions.end(), extension) == extensions.end()) {
      ++listing.others;
      continue;
    }
    const std::string stem = file.lexically_relative(folder).replace_extension().generic_string();
    const auto [at, fresh] = listing.stems.emplace(stem, file);
    if (!fresh) listing.twins.push_back({stem, at->second, file, is_mask});
  }
  return listing;
}

// "7 photos of A without a mask of the same name in B: x.jpg, y.jpg, ..." or nothing.
std::string describe_alone(const Stems& alone, const char* what, const char* other, const fs::path& folder,
                           const fs::path& other_folder) {
  if (alone.empty()) return {};
  std::vector<std::string> names;
  for (const auto& [stem, path] : alone) {
    if (names.size() < kNamedFiles) names.push_back(path.lexically_relative(folder).generic_string());
  }
  return fmt::format("{} {}{} of {} without a {} of the same name in {}: {}{}", alone.size(), what,
                     alone.size() == 1 ? "" : "s", folder.string(), other, other_folder.string(),
                     fmt::join(names, ", "), alone.size() > kNamedFiles ? ", ..." : "");
}

Result<SampleIndex> open_split(const fs::path& folder, const std::string& split) {
  TERRAPIN_TRY(SampleIndex index, index_channel(folder / split, folder / (split + "_annotation")));
  TERRAPIN_TRY(index.label_map, read_split_label_map(folder, split));
  return index;
}

std::string classes_text(const ClassList& classes) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  json["format"] = kClassesFormat;
  json["version"] = kClassesVersion;
  json["classes"] = to_json(classes);
  return json_text(json, 2) + "\n";
}

Result<ClassList> parse_classes(const std::string& text) {
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
}

}  // namespace

Result<PairedFolders> pair_folders(const fs::path& photos, const fs::path& annotations) {
  TERRAPIN_TRY(Listing photo_files, list_stems(photos, {".jpg", ".jpeg", ".png", ".webp"}, false));
  TERRAPIN_TRY(Listing mask_files, list_stems(annotations, {".png"}, true));
  PairedFolders paired;
  paired.photo_files = photo_files.stems.size() + photo_files.twins.size();
  paired.mask_files = mask_files.stems.size() + mask_files.twins.size();
  paired.other_photos = photo_files.others, paired.other_masks = mask_files.others;
  paired.twins = std::move(photo_files.twins);
  paired.twins.insert(paired.twins.end(), mask_files.twins.begin(), mask_files.twins.end());
  paired.masks_alone = std::move(mask_files.stems);
  for (const auto& [stem, photo] : photo_files.stems) {
    const auto mask = paired.masks_alone.find(stem);
    if (mask == paired.masks_alone.end()) {
      paired.photos_alone.emplace(stem, photo);
      continue;
    }
    paired.samples.push_back({stem, photo, mask->second, {}});
    paired.masks_alone.erase(mask);
  }
  return paired;
}

Result<SampleIndex> index_channel(const fs::path& photos, const fs::path& annotations) {
  TERRAPIN_TRY(PairedFolders paired, pair_folders(photos, annotations));
  if (!paired.twins.empty()) {
    const PairedFolders::Twin& twin = paired.twins.front();
    return fail(ErrorCode::kInvalidArgument, "{}: two {}s are named '{}': {} and {}",
                (twin.is_mask ? annotations : photos).string(), twin.is_mask ? "mask" : "photo", twin.stem,
                twin.first.filename().string(), twin.second.filename().string());
  }
  if (paired.photo_files == 0) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: no photo in this folder ({} other files), expected .jpg, .jpeg, .png, .webp",
                photos.string(), paired.other_photos);
  }
  if (paired.mask_files == 0) {
    return fail(ErrorCode::kInvalidArgument, "{}: no mask in this folder ({} other files), expected .png",
                annotations.string(), paired.other_masks);
  }
  const std::string photos_left = describe_alone(paired.photos_alone, "photo", "mask", photos, annotations);
  const std::string masks_left = describe_alone(paired.masks_alone, "mask", "photo", annotations, photos);
  if (!photos_left.empty() || !masks_left.empty()) {
    return fail(ErrorCode::kInvalidArgument, "{}{}{}", photos_left,
                photos_left.empty() || masks_left.empty() ? "" : "; ", masks_left);
  }
  SampleIndex index;
  index.samples = std::move(paired.samples);
  return index;
}

Result<LabelMap> read_split_label_map(const fs::path& folder, const std::string& split) {
  std::error_code ignored;
  const fs::path maps = folder / "label_map";
  fs::path path = maps / (split + "_label_map.json");
  if (split == "test" && !fs::exists(path, ignored)) path = maps / "validation_label_map.json";
  if (!fs::exists(path, ignored)) return LabelMap::identity();
  return LabelMap::read(path);
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
  TERRAPIN_TRY(dataset.train, open_split(folder, "train"));
  TERRAPIN_TRY(dataset.validation, open_split(folder, "validation"));
  if (fs::is_directory(folder / "test", ignored)) {
    TERRAPIN_TRY(dataset.test, open_split(folder, "test"));
  }
  if (fs::exists(folder / "classes.json", ignored)) {
    TERRAPIN_TRY(dataset.classes, read_classes_file(folder / "classes.json"));
  }
  return dataset;
}

Result<ClassList> read_classes_file(const fs::path& path) {
  TERRAPIN_TRY(const std::string text, read_text_file(path, kMaxClassesBytes));
  auto classes = parse_classes(text);
  if (!classes) return with_context(std::move(classes.error()), path.string());
  return classes;
}

Status check_classes(const ClassList& classes) {
  // What would not be read back is not written. Through the text: it replaces bytes that are no UTF-8, and
  // names may become equal by that.
  const auto again = parse_classes(classes_text(classes));
  if (!again) return fail(ErrorCode::kInvalidArgument, "{}", again.error().message);
  return {};
}

Status write_classes_file(const fs::path& path, const ClassList& classes) {
  if (auto checked = check_classes(classes); !checked) {
    return with_context(std::move(checked.error()), path.string());
  }
  return write_file_atomically(path, classes_text(classes));
}

}  // namespace terrapin::artifacts
