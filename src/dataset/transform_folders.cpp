#include "dataset/transform_folders.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "artifacts/channels.h"
#include "base/files.h"
#include "dataset/voc.h"
#include "imaging/codecs.h"

namespace terrapin::dataset {
namespace {

namespace fs = std::filesystem;

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool has_extension(const fs::path& path, std::initializer_list<const char*> extensions) {
  const std::string own = lower_case(path.extension().string());
  return std::any_of(extensions.begin(), extensions.end(), [&](const char* e) { return own == e; });
}

class FolderSource : public InputSource {
 public:
  FolderSource(const fs::path& folder, InputKind which) {
    path = folder;
    kind = which;
  }
  Result<std::optional<SourceEntry>> next() override {
    if (at_ == entries.size()) return std::optional<SourceEntry>();
    return std::optional(entries[at_++]);
  }
  Status rewind() override {
    at_ = 0;
    return {};
  }
  std::vector<SourceEntry> entries;

  // Adds the pairs of two folders below `path`, by relative path without extension. With
  // `photos_may_lack_masks` (VOC has many photos that nobody segmented) those are counted in a note instead
  // of reported.
  Status add_pairs(const std::string& photos, const std::string& masks, std::optional<Split> split,
                   std::shared_ptr<const artifacts::LabelMap> label_map, bool photos_may_lack_masks) {
    TERRAPIN_TRY(const auto photo_files, list_files(path / photos, true));
    TERRAPIN_TRY(const auto mask_files, list_files(path / masks, true));
    auto stem_in = [](const fs::path& root, const fs::path& file) {
      return file.lexically_relative(root).replace_extension().generic_string();
    };
    std::map<std::string, fs::path> mask_of;
    for (const fs::path& file : mask_files) {
      if (has_extension(file, {".png"})) mask_of.emplace(stem_in(path / masks, file), file);
    }
    std::map<std::string, fs::path> seen;
    std::int64_t unlabelled = 0;
    for (const fs::path& file : photo_files) {
      if (!has_extension(file, {".jpg", ".jpeg", ".png", ".webp"})) continue;
      const std::string stem = stem_in(path / photos, file);
      const std::string key = file.lexically_relative(path).generic_string();
      if (const auto [first, fresh] = seen.try_emplace(stem, file); !fresh) {
        problems.push_back({"same-stem", 0, key, stem,
                            fmt::format("{} has the same name; a mask belongs to one photo",
                                        first->second.lexically_relative(path).generic_string())});
        continue;
      }
      const auto mask = mask_of.find(stem);
      if (mask == mask_of.end()) {
        if (photos_may_lack_masks) {
          ++unlabelled;
        } else {
          problems.push_back(
              {"photo-without-mask", 0, key, stem, fmt::format("there is no {}/{}.png", masks, stem)});
        }
        continue;
      }
      SourceEntry entry;
      entry.key = key;
      entry.stem = fs::path(stem).filename().string();
      entry.photo = file, entry.mask = mask->second;
      entry.split = split;
      entry.label_map = label_map;
      entries.push_back(std::move(entry));
    }
    for (const auto& [stem, file] : mask_of) {
      if (!seen.contains(stem)) {
        problems.push_back({"mask-without-photo", 0, file.lexically_relative(path).generic_string(), stem,
                            fmt::format("there is no photo {}/{} (.jpg, .jpeg, .png, .webp)", photos, stem)});
      }
    }
    if (unlabelled > 0) notes.push_back(fmt::format("{} photos without a mask were passed over", unlabelled));
    return {};
  }

 private:
  std::size_t at_ = 0;
};

Status read_classes(FolderSource& source) {
  std::error_code error;
  if (fs::exists(source.path / "classes.json", error)) {
    TERRAPIN_TRY(source.classes, artifacts::read_classes_file(source.path / "classes.json"));
  } else if (fs::exists(source.path / "labelmap.txt", error)) {
    TERRAPIN_TRY(source.classes, read_label_colors(source.path / "labelmap.txt"));
    source.palette_decides = true;
  }
  return {};
}

// classes.txt: one name a line, or "index<TAB>name...". Colours come from the masks.
Result<std::vector<std::string>> read_class_names(const fs::path& path) {
  TERRAPIN_TRY(const std::string text, read_text_file(path, 1 << 20));
  std::vector<std::string> names;
  std::istringstream lines(text);
  std::string line;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) {
      names.push_back(line);
      continue;
    }
    if (line.substr(0, tab) != std::to_string(names.size())) {
      return fail(ErrorCode::kInvalidArgument, "{}: line {}: class index {} where {} is due", path.string(),
                  number, line.substr(0, tab), names.size());
    }
    names.push_back(line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1));
  }
  if (names.empty() || names.size() > 255) {
    return fail(ErrorCode::kInvalidArgument, "{}: {} classes; allowed are 1 to 255", path.string(),
                names.size());
  }
  return names;
}

imaging::Palette first_palette(const FolderSource& source) {
  for (std::size_t i = 0; i < std::min<std::size_t>(source.entries.size(), 20); ++i) {
    const auto mask = imaging::read_mask(source.entries[i].mask);
    if (mask && mask->labels && !mask->palette.empty()) return mask->palette;
  }
  return {};
}

Result<std::unique_ptr<InputSource>> open_voc(const fs::path& folder) {
  auto source = std::make_unique<FolderSource>(folder, InputKind::kVocFolder);
  TERRAPIN_TRY_STATUS(source->add_pairs("JPEGImages", "SegmentationClass", std::nullopt, nullptr, true));
  TERRAPIN_TRY_STATUS(read_classes(*source));
  if (source->classes.classes.empty()) {
    const imaging::Palette palette = first_palette(*source), voc = voc_palette();
    const std::size_t compared = std::min<std::size_t>(palette.size(), 21);
    const bool grey_or_colour = palette.empty();  // RGB masks of VOC carry its colours too
    if (grey_or_colour ||
        std::equal(palette.begin(), palette.begin() + static_cast<std::ptrdiff_t>(compared), voc.begin())) {
      source->classes = voc_classes();
    }
  }
  std::map<std::string, std::vector<std::size_t>> by_stem;
  for (std::size_t i = 0; i < source->entries.size(); ++i) by_stem[source->entries[i].stem].push_back(i);
  std::set<std::string> listed;
  for (const auto& [file, split] :
       {std::pair{"train.txt", Split::kTrain}, std::pair{"val.txt", Split::kValidation},
        std::pair{"test.txt", Split::kTest}}) {
    const fs::path list = folder / "ImageSets" / "Segmentation" / file;
    std::error_code error;
    if (!fs::exists(list, error)) continue;
    source->has_split = true;
    TERRAPIN_TRY(const std::string text, read_text_file(list, 1 << 30));
    std::istringstream words(text);
    std::string line;
    for (std::int64_t number = 1; std::getline(words, line); ++number) {
      line.erase(line.find_last_not_of(" \r\t") + 1);
      if (line.empty()) continue;
      const std::string place = fmt::format("ImageSets/Segmentation/{}", file);
      const auto found = by_stem.find(line);
      if (found == by_stem.end()) {
        source->problems.push_back({"split-unknown-name", number, place, line,
                                    fmt::format("'{}' has no photo and mask of that name", line)});
      } else if (!listed.insert(line).second && source->entries[found->second.front()].split != split) {
        source->problems.push_back({"split-conflict", number, place, line,
                                    fmt::format("'{}' is also in {}; the first counts", line,
                                                split_name(*source->entries[found->second.front()].split)),
                                    false});
      } else {
        for (const std::size_t i : found->second) source->entries[i].split = split;
      }
    }
  }
  source->count = static_cast<std::int64_t>(source->entries.size());
  return std::unique_ptr<InputSource>(std::move(source));
}

Result<std::unique_ptr<InputSource>> open_plain(const fs::path& folder) {
  auto source = std::make_unique<FolderSource>(folder, InputKind::kPlainFolder);
  TERRAPIN_TRY_STATUS(source->add_pairs("images", "masks", std::nullopt, nullptr, false));
  TERRAPIN_TRY_STATUS(read_classes(*source));
  std::error_code error;
  if (source->classes.classes.empty() && fs::exists(folder / "classes.txt", error)) {
    TERRAPIN_TRY(const auto names, read_class_names(folder / "classes.txt"));
    source->classes = artifacts::ClassList::with_default_names(static_cast<int>(names.size()));
    const imaging::Palette palette = first_palette(*source);
    for (std::size_t i = 0; i < names.size(); ++i) {
      source->classes.classes[i].name = names[i];
      if (palette.size() >= names.size()) source->classes.classes[i].color = palette[i];
    }
  }
  if (fs::exists(folder / "splits.tsv", error)) {
    TERRAPIN_TRY(const SplitTable table, read_split_table(folder / "splits.tsv"));
    source->has_split = true;
    std::map<std::string, const SplitTable::Row*> rows;
    for (const SplitTable::Row& row : table.rows) {
      const auto [first, fresh] = rows.try_emplace(table.has_name ? row.name : row.source, &row);
      if (!fresh && first->second->split != row.split) {
        source->problems.push_back(
            {"split-conflict", row.line, "splits.tsv", first->first,
             fmt::format("'{}' is also in {} (line {}); the first counts", first->first,
                         split_name(first->second->split), first->second->line),
             false});
      }
    }
    std::set<std::string> used;
    for (SourceEntry& entry : source->entries) {
      const auto row = rows.find(entry.stem);
      if (row == rows.end()) continue;
      used.insert(row->first);
      entry.split = row->second->split;
      if (table.has_name && table.has_source) entry.group = row->second->source;
    }
    for (const auto& [name, row] : rows) {
      if (!used.contains(name)) {
        source->problems.push_back({"split-unknown-name", row->line, "splits.tsv", name,
                                    fmt::format("'{}' has no photo and mask of that name", name)});
      }
    }
  }
  source->count = static_cast<std::int64_t>(source->entries.size());
  return std::unique_ptr<InputSource>(std::move(source));
}

Result<std::unique_ptr<InputSource>> open_channels(const fs::path& folder) {
  auto source = std::make_unique<FolderSource>(folder, InputKind::kChannels);
  source->has_split = true;
  TERRAPIN_TRY_STATUS(read_classes(*source));
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    const std::string name = split_name(split);
    std::error_code error;
    const bool photos = fs::is_directory(folder / name, error);
    const bool masks = fs::is_directory(folder / (name + "_annotation"), error);
    if (!photos && !masks && split == Split::kTest) continue;
    if (!photos || !masks) {
      source->problems.push_back({"missing-channel", 0, photos ? name + "_annotation" : name, "",
                                  "the folder is missing; train, train_annotation, validation and "
                                  "validation_annotation are needed"});
      continue;
    }
    std::shared_ptr<const artifacts::LabelMap> label_map;
    const fs::path map_file = folder / "label_map" / (name + "_label_map.json");
    if (fs::exists(map_file, error)) {
      TERRAPIN_TRY(artifacts::LabelMap read, artifacts::LabelMap::read(map_file));
      label_map = std::make_shared<const artifacts::LabelMap>(std::move(read));
    }
    TERRAPIN_TRY_STATUS(source->add_pairs(name, name + "_annotation", split, label_map, false));
  }
  source->count = static_cast<std::int64_t>(source->entries.size());
  return std::unique_ptr<InputSource>(std::move(source));
}

}  // namespace

bool is_channel_folder(const fs::path& folder) {
  std::error_code error;
  return fs::is_directory(folder / "train", error) && fs::is_directory(folder / "train_annotation", error);
}

Result<std::unique_ptr<InputSource>> open_folder_input(const fs::path& folder) {
  std::error_code error;
  if (is_channel_folder(folder)) return open_channels(folder);
  if (is_voc_folder(folder)) return open_voc(folder);
  if (fs::is_directory(folder / "images", error) && fs::is_directory(folder / "masks", error))
    return open_plain(folder);
  return fail(ErrorCode::kInvalidArgument,
              "{}: not a dataset; known are a manifest file, a VOC folder (JPEGImages, SegmentationClass), a "
              "folder with "
              "images and masks, and channel folders (train, train_annotation, ...)",
              folder.string());
}

}  // namespace terrapin::dataset
