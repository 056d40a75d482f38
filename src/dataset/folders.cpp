#include "dataset/folders.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "artifacts/channels.h"
#include "base/files.h"
#include "base/text.h"
#include "dataset/voc.h"
#include "imaging/codecs.h"

namespace terrapin::dataset {
namespace {

namespace fs = std::filesystem;

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
    TERRAPIN_TRY(const artifacts::PairedFolders paired, artifacts::pair_folders(path / photos, path / masks));
    auto key_of = [&](const fs::path& file) { return file.lexically_relative(path).generic_string(); };
    auto problem = [&](const char* kind_word, const std::string& file, const std::string& value,
                       const std::string& message) {
      problems.push_back({kind_word, 0, file, value, message});
    };
    if (paired.photo_files == 0 && paired.mask_files == 0) {
      problem("missing-channel", photos, "", "no photo in this folder (.jpg, .jpeg, .png, .webp)");
    }
    for (const artifacts::PairedFolders::Twin& twin : paired.twins) {
      problem("same-stem", key_of(twin.second), twin.stem,
              fmt::format("{} has the same name; {}", key_of(twin.first),
                          twin.is_mask ? "a photo has one mask" : "a mask belongs to one photo"));
    }
    for (const auto& [stem, file] : paired.photos_alone) {
      if (photos_may_lack_masks) break;
      problem("photo-without-mask", key_of(file), stem, fmt::format("there is no {}/{}.png", masks, stem));
    }
    for (const auto& [stem, file] : paired.masks_alone) {
      problem("mask-without-photo", key_of(file), stem,
              fmt::format("there is no photo {}/{} (.jpg, .jpeg, .png, .webp)", photos, stem));
    }
    if (photos_may_lack_masks && !paired.photos_alone.empty()) {
      notes.push_back(fmt::format("{} photos without a mask were passed over", paired.photos_alone.size()));
    }
    for (const artifacts::Sample& sample : paired.samples) {
      SourceEntry entry;
      entry.key = key_of(sample.photo);
      entry.stem = fs::path(sample.name).filename().string();
      entry.photo = sample.photo, entry.mask = sample.mask;
      entry.split = split;
      entry.label_map = label_map;
      entries.push_back(std::move(entry));
    }
    return {};
  }

 private:
  std::size_t at_ = 0;
};

// The classes and colours that a folder names for itself.
Status read_classes(FolderSource& source) {
  std::error_code error;
  if (fs::exists(source.path / "classes.json", error)) {
    TERRAPIN_TRY(source.classes, artifacts::read_classes_file(source.path / "classes.json"));
  } else if (fs::exists(source.path / "labelmap.txt", error)) {
    TERRAPIN_TRY(source.classes, read_label_colors(source.path / "labelmap.txt"));
    source.palette_decides = true;
  }
  source.color_map = artifacts::color_map_of(source.classes);
  return {};
}

// classes.txt: one name a line, or "index<TAB>name...". In default colours: it names none.
Result<artifacts::ClassList> read_class_names(const fs::path& path) {
  TERRAPIN_TRY(const std::vector<TextLine> lines, read_text_lines(path, 1 << 20));
  artifacts::ClassList classes;
  for (const auto& [number, line] : lines) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos && line.substr(0, tab) != std::to_string(classes.size())) {
      return fail(ErrorCode::kInvalidArgument, "{}: line {}: class index {} where {} is due", path.string(),
                  number, line.substr(0, tab), classes.size());
    }
    const std::size_t start = tab == std::string::npos ? 0 : tab + 1;
    const std::string name = line.substr(start, line.find('\t', start) - start);
    if (name.empty()) {
      return fail(ErrorCode::kInvalidArgument, "{}: line {}: the class has no name", path.string(), number);
    }
    if (const int first = classes.index_of(name); first >= 0) {
      return fail(ErrorCode::kInvalidArgument, "{}: line {}: '{}' is the name of class {} already",
                  path.string(), number, name, first);
    }
    classes.classes.push_back({name, {}});
  }
  if (classes.size() < 1 || classes.size() > 255) {
    return fail(ErrorCode::kInvalidArgument, "{}: {} classes; allowed are 1 to 255", path.string(),
                classes.size());
  }
  const imaging::Palette colors = imaging::default_palette(classes.size());
  for (std::size_t i = 0; i < colors.size(); ++i) classes.classes[i].color = colors[i];
  return classes;
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
  source->ignored_color = kVocVoid;
  if (source->classes.classes.empty()) {
    const imaging::Palette palette = first_palette(*source), voc = voc_palette();
    const std::size_t compared = std::min<std::size_t>(palette.size(), 21);
    const bool grey_or_colour = palette.empty();  // RGB masks of VOC carry its colours too
    if (grey_or_colour ||
        std::equal(palette.begin(), palette.begin() + static_cast<std::ptrdiff_t>(compared), voc.begin())) {
      source->classes = voc_classes();
      source->color_map = artifacts::color_map_of(source->classes);
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
    TERRAPIN_TRY(source->classes, read_class_names(folder / "classes.txt"));
    const imaging::Palette palette = first_palette(*source);
    const auto count = static_cast<std::size_t>(source->classes.size());
    for (std::size_t i = 0; i < count && palette.size() >= count; ++i) {
      source->classes.classes[i].color = palette[i];
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
  // As training reads them: classes.json names the classes, masks hold indices.
  std::error_code error;
  if (fs::exists(folder / "classes.json", error)) {
    TERRAPIN_TRY(source->classes, artifacts::read_classes_file(folder / "classes.json"));
  }
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    const std::string name = split_name(split);
    const bool photos = fs::is_directory(folder / name, error);
    const bool masks = fs::is_directory(folder / (name + "_annotation"), error);
    if (!photos && !masks && split == Split::kTest) continue;
    if (!photos || !masks) {
      source->problems.push_back({"missing-channel", 0, photos ? name + "_annotation" : name, "",
                                  "the folder is missing; train, train_annotation, validation and "
                                  "validation_annotation are needed"});
      continue;
    }
    TERRAPIN_TRY(artifacts::LabelMap read, artifacts::read_split_label_map(folder, name));
    const auto label_map = std::make_shared<const artifacts::LabelMap>(std::move(read));
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
