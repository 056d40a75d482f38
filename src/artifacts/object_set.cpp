#include "artifacts/object_set.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>

#include "base/digest.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/text.h"
#include "imaging/codecs.h"

namespace terrapin::artifacts {
namespace {

namespace fs = std::filesystem;
using imaging::Mask;

constexpr std::int64_t kMaxTableBytes = 64 << 20;

// A photo of the folder, its part decided, and the mask files that mark its objects.
struct Entry {
  std::string name;
  fs::path photo;
  std::vector<fs::path> masks;
};

enum class Style { kOneEach, kInstances, kClasses };

int digest_byte(const std::string& text) {
  const std::string hex =
      sha256_hex({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}).substr(0, 2);
  return std::stoi(hex, nullptr, 16);
}

// `group`: photos of one source stay together.
ObjectPart part_of(const std::optional<std::string>& split, const std::string& group) {
  const int digest = digest_byte(group);
  if (split ? *split != "train" : digest % 8 == 0) return ObjectPart::kUnseen;
  return digest / 8 % 16 == 0 ? ObjectPart::kWatch : ObjectPart::kLearn;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
  return cells;
}

// Rows as column name -> cell.
Result<std::vector<std::map<std::string, std::string>>> read_table(const fs::path& path,
                                                                   const std::vector<std::string>& needed) {
  TERRAPIN_TRY(const auto lines, read_text_lines(path, kMaxTableBytes));
  if (lines.empty())
    return fail(ErrorCode::kCorrupt, "{} is empty: expected a line of column names", path.string());
  const std::vector<std::string> columns = cells_of(lines.front().text);
  for (const std::string& name : needed) {
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) {
      return fail(ErrorCode::kCorrupt, "{}: no column '{}' in its first line", path.string(), name);
    }
  }
  std::vector<std::map<std::string, std::string>> rows;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> cells = cells_of(lines[i].text);
    if (cells.size() != columns.size()) {
      return fail(ErrorCode::kCorrupt, "{}, line {}: {} cells, expected {}", path.string(), lines[i].number,
                  cells.size(), columns.size());
    }
    std::map<std::string, std::string> row;
    for (std::size_t c = 0; c < cells.size(); ++c) row[columns[c]] = cells[c];
    rows.push_back(std::move(row));
  }
  return rows;
}

// Nothing may be learned from a photo (or a source of photos) that is also measured on.
Status check_one_side(const std::vector<std::map<std::string, std::string>>& rows, const fs::path& table,
                      const std::string& group_column) {
  std::map<std::string, std::string> splits;
  for (const auto& row : rows) {
    const auto group = row.find(group_column);
    if (group == row.end()) return {};
    const std::string& split = row.at("split");
    const auto [known, is_new] = splits.emplace(group->second, split);
    if (!is_new && (known->second == "train") != (split == "train")) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: {} '{}' is in the splits '{}' and '{}': learned from or not", table.string(),
                  group_column, group->second, known->second, split);
    }
  }
  return {};
}

Result<std::map<std::string, fs::path>> photos_by_name(const fs::path& folder) {
  TERRAPIN_TRY(const auto files, list_files(folder / "images", /*recursive=*/false));
  std::map<std::string, fs::path> photos;
  for (const fs::path& file : files) {
    const auto [other, is_new] = photos.emplace(file.stem().string(), file);
    if (!is_new) {
      return fail(ErrorCode::kInvalidArgument, "{} and {} have one name: a mask belongs to one photo",
                  other->second.string(), file.string());
    }
  }
  return photos;
}

Result<fs::path> photo_named(const std::map<std::string, fs::path>& photos, const std::string& name,
                             const fs::path& folder) {
  const auto found = photos.find(name);
  if (found != photos.end()) return found->second;
  return fail(ErrorCode::kNotFound, "{} holds no photo named '{}'", (folder / "images").string(), name);
}

Result<std::vector<Entry>> entries_of_objects(const fs::path& folder, ObjectPart part,
                                              const std::map<std::string, fs::path>& photos) {
  TERRAPIN_TRY(const auto rows, read_table(folder / "objects.tsv", {"split", "image", "object"}));
  TERRAPIN_TRY_STATUS(check_one_side(rows, folder / "objects.tsv", "image"));
  std::map<std::string, Entry> entries;
  for (const auto& row : rows) {
    if (part_of(row.at("split"), row.at("image")) != part) continue;
    Entry& entry = entries[row.at("image")];
    if (entry.masks.empty()) {
      entry.name = row.at("image");
      TERRAPIN_TRY(entry.photo, photo_named(photos, entry.name, folder));
    }
    entry.masks.push_back(folder / "objects" / (row.at("object") + ".png"));
  }
  std::vector<Entry> result;
  for (auto& [name, entry] : entries) result.push_back(std::move(entry));
  return result;
}

Result<std::vector<Entry>> entries_of_masks(const fs::path& folder, const fs::path& masks, ObjectPart part,
                                            const std::map<std::string, fs::path>& photos) {
  std::vector<Entry> entries;
  std::error_code ignored;
  if (fs::exists(folder / "splits.tsv", ignored)) {
    TERRAPIN_TRY(const auto rows, read_table(folder / "splits.tsv", {"split", "name"}));
    TERRAPIN_TRY_STATUS(check_one_side(rows, folder / "splits.tsv", "name"));
    TERRAPIN_TRY_STATUS(check_one_side(rows, folder / "splits.tsv", "source"));
    for (const auto& row : rows) {
      const std::string& name = row.at("name");
      const auto source = row.find("source");
      if (part_of(row.at("split"), source == row.end() ? name : source->second) != part) continue;
      TERRAPIN_TRY(const fs::path photo, photo_named(photos, name, folder));
      entries.push_back({name, photo, {masks / (name + ".png")}});
    }
    return entries;
  }
  for (const auto& [name, photo] : photos) {
    if (part_of(std::nullopt, name) == part) entries.push_back({name, photo, {masks / (name + ".png")}});
  }
  return entries;
}

class Scanner {
 public:
  Scanner(Style style, const ObjectSetOptions& options) : style_(style), options_(options) {}

  Result<MarkedPhoto> scan(const Entry& entry) const {
    MarkedPhoto photo{entry.name, entry.photo, {}, {}};
    for (const fs::path& path : entry.masks) {
      TERRAPIN_TRY(const Mask mask, imaging::read_label_mask(path));
      if (photo.size.width != 0 && mask.size() != photo.size) {
        return fail(ErrorCode::kCorrupt, "{} is {} x {}, the photo's other masks are {} x {}", path.string(),
                    mask.width(), mask.height(), photo.size.width, photo.size.height);
      }
      photo.size = mask.size();
      if (style_ == Style::kClasses) {
        add_regions(mask, path, photo);
      } else {
        add_labels(mask, path, photo);
      }
    }
    if (!photo.objects.empty()) {
      TERRAPIN_TRY_STATUS(check_size(photo));
    }
    return photo;
  }

 private:
  static Status check_size(const MarkedPhoto& photo) {
    TERRAPIN_TRY(const Bytes bytes, read_file(photo.photo));
    const auto info = imaging::read_photo_info(bytes);
    if (!info) return with_context(Error(info.error()), photo.photo.string());
    if (info->size == photo.size) return {};
    return fail(ErrorCode::kInvalidArgument, "{} is {} x {}, its mask {} is {} x {}", photo.photo.string(),
                info->size.width, info->size.height, photo.objects.front().mask.string(), photo.size.width,
                photo.size.height);
  }

  bool large_enough(const MarkedObject& object, imaging::Size size) const {
    return object.area >= options_.min_area &&
           static_cast<double>(object.area) >= options_.min_area_share * static_cast<double>(size.area()) &&
           std::min(object.box.width, object.box.height) >= options_.min_side;
  }

  void keep(MarkedObject object, MarkedPhoto& photo) const {
    if (large_enough(object, photo.size)) photo.objects.push_back(std::move(object));
  }

  void add_labels(const Mask& mask, const fs::path& path, MarkedPhoto& photo) const {
    std::int64_t counts[256] = {};
    for (const std::uint8_t label : mask.bytes()) ++counts[label];
    for (int label = 1; label < 255; ++label) {
      if (counts[label] == 0) continue;
      MarkedObject object;
      object.name =
          style_ == Style::kOneEach ? path.stem().string() : fmt::format("{}:{}", photo.name, label);
      object.mask = path;
      object.label = static_cast<std::uint8_t>(label);
      object.area = counts[label];
      object.box = imaging::box_of(mask, object.label);
      keep(std::move(object), photo);
    }
  }

  void add_regions(const Mask& mask, const fs::path& path, MarkedPhoto& photo) const {
    const auto add = [&](const Mask& raster, MarkedObject::Kind kind, const char* word) {
      for (const imaging::Region& region : imaging::connected_regions(raster).regions) {
        if (region.label == 0 || region.label == Mask::kIgnore) continue;
        MarkedObject object{
            kind,         fmt::format("{}:{}{},{}", photo.name, word, region.first.x, region.first.y),
            path,         region.label,
            region.first, region.box,
            region.area};
        if (kind == MarkedObject::Kind::kWhole && !is_whole(region, photo)) continue;
        keep(std::move(object), photo);
      }
    };
    add(mask, MarkedObject::Kind::kRegion, "");
    Mask any = mask;
    for (std::uint8_t& label : any.bytes()) label = label == 0 || label == Mask::kIgnore ? 0 : 1;
    add(any, MarkedObject::Kind::kWhole, "whole ");
  }

  // What fills the photo from side to side is a scene, not an object; what is one part already is there.
  static bool is_whole(const imaging::Region& region, const MarkedPhoto& photo) {
    const imaging::Box& box = region.box;
    const int touched = (box.x == 0) + (box.y == 0) + (box.x + box.width == photo.size.width) +
                        (box.y + box.height == photo.size.height);
    const bool known = std::any_of(photo.objects.begin(), photo.objects.end(), [&](const MarkedObject& part) {
      return part.box == region.box && part.area == region.area;
    });
    return touched <= 2 && !known;
  }

  const Style style_;
  const ObjectSetOptions& options_;
};

}  // namespace

const char* object_part_name(ObjectPart part) {
  switch (part) {
    case ObjectPart::kLearn:
      return "learn";
    case ObjectPart::kWatch:
      return "watch";
    case ObjectPart::kUnseen:
      return "unseen";
  }
  return "";
}

std::int64_t ObjectSet::object_count() const {
  std::int64_t count = 0;
  for (const MarkedPhoto& photo : photos) count += static_cast<std::int64_t>(photo.objects.size());
  return count;
}

Result<ObjectSet> scan_objects(const fs::path& folder, const ObjectSetOptions& options) {
  std::error_code ignored;
  if (!fs::is_directory(folder / "images", ignored)) {
    return fail(ErrorCode::kNotFound,
                "{} is no folder of marked objects: it needs images/ and one of objects/ (with objects.tsv), "
                "instances/ or masks/",
                folder.string());
  }
  TERRAPIN_TRY(const auto photos, photos_by_name(folder));
  std::vector<Entry> entries;
  Style style = Style::kClasses;
  if (fs::is_directory(folder / "objects", ignored)) {
    style = Style::kOneEach;
    TERRAPIN_TRY(entries, entries_of_objects(folder, options.part, photos));
  } else if (fs::is_directory(folder / "instances", ignored)) {
    style = Style::kInstances;
    TERRAPIN_TRY(entries, entries_of_masks(folder, folder / "instances", options.part, photos));
  } else if (fs::is_directory(folder / "masks", ignored)) {
    TERRAPIN_TRY(entries, entries_of_masks(folder, folder / "masks", options.part, photos));
  } else {
    return fail(ErrorCode::kNotFound, "{} holds none of objects/, instances/ and masks/", folder.string());
  }

  const Scanner scanner(style, options);
  std::vector<MarkedPhoto> found(entries.size());
  std::vector<std::optional<Error>> errors(entries.size());
  std::mutex mutex;
  std::int64_t done = 0;  // guarded by mutex
  parallel_for(static_cast<std::int64_t>(entries.size()), options.threads, [&](std::int64_t i) {
    auto photo = scanner.scan(entries[static_cast<std::size_t>(i)]);
    if (photo) {
      found[static_cast<std::size_t>(i)] = std::move(*photo);
    } else {
      errors[static_cast<std::size_t>(i)] = photo.error();
    }
    const std::lock_guard lock(mutex);
    if (options.progress) options.progress(++done, static_cast<std::int64_t>(entries.size()));
  });
  for (const auto& error : errors) {
    if (error) return tl::unexpected<Error>(*error);
  }
  ObjectSet set;
  const fs::path plain = folder.filename().empty() ? folder.parent_path() : folder;
  set.name = plain.filename().string();
  for (MarkedPhoto& photo : found) {
    if (!photo.objects.empty()) set.photos.push_back(std::move(photo));
  }
  return set;
}

Result<Mask> read_object(const MarkedObject& object) {
  TERRAPIN_TRY(Mask mask, imaging::read_label_mask(object.mask));
  const bool in_raster = object.inside.x >= 0 && object.inside.x < mask.width() && object.inside.y >= 0 &&
                         object.inside.y < mask.height();
  if (!in_raster)
    return fail(ErrorCode::kCorrupt, "{} has changed since it was read first", object.mask.string());
  Mask truth(mask.size());
  for (std::size_t i = 0; i < mask.bytes().size(); ++i) {
    if (mask.bytes()[i] == Mask::kIgnore) truth.bytes()[i] = Mask::kIgnore;
  }
  if (object.kind == MarkedObject::Kind::kLabel) {
    for (std::size_t i = 0; i < mask.bytes().size(); ++i) {
      if (mask.bytes()[i] == object.label) truth.bytes()[i] = 1;
    }
    return truth;
  }
  if (object.kind == MarkedObject::Kind::kWhole) {
    for (std::uint8_t& label : mask.bytes()) label = label == 0 || label == Mask::kIgnore ? 0 : 1;
  }
  const Mask region = imaging::region_at(mask, object.inside);
  for (std::size_t i = 0; i < region.bytes().size(); ++i) {
    if (region.bytes()[i] == 1) truth.bytes()[i] = 1;
  }
  return truth;
}

}  // namespace terrapin::artifacts
