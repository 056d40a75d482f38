#include "dataset/transform_check.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/digest.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "dataset/voc.h"

namespace terrapin::dataset {
namespace {

using imaging::Mask;
using imaging::Rgb;

struct KnownColor {
  Rgb color;
  int index;
  std::string name;
};

std::string list_known(const std::vector<KnownColor>& known, bool as_color) {
  std::string text;
  for (std::size_t i = 0; i < known.size() && i < 12; ++i) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ",
                        as_color ? imaging::to_hex(known[i].color) : std::to_string(known[i].index),
                        known[i].name);
  }
  if (known.size() > 12) text += fmt::format(" and {} more", known.size() - 12);
  return text;
}

// The line's own colour map, else the classes of the input.
std::vector<KnownColor> known_colors(const SourceEntry& entry, const CheckOptions& options) {
  std::vector<KnownColor> known;
  for (const auto& own : entry.color_map) known.push_back({own.color, own.index, own.class_name});
  if (!known.empty()) return known;
  for (int i = 0; i < options.classes.size(); ++i) {
    const auto& own = options.classes.classes[static_cast<std::size_t>(i)];
    known.push_back({own.color, i, own.name});
  }
  return known;
}

struct Stray {
  std::int64_t count = 0, x = 0, y = 0;
};

std::optional<int> index_of(Rgb color, const std::vector<KnownColor>& known) {
  for (const KnownColor& candidate : known) {
    if (candidate.color == color) return candidate.index;
  }
  if (color == kVocVoid) return Mask::kIgnore;
  return std::nullopt;
}

Problem unknown_color(Rgb color, const Stray& stray, const std::vector<KnownColor>& known) {
  const std::string hex = imaging::to_hex(color);
  if (known.empty()) {
    return {"unknown-color", 0, "", hex, "the mask holds colours, and nothing says which class a colour is"};
  }
  return {"unknown-color", 0, "", hex,
          fmt::format("colour {} ({} pixels, first at {},{}) is not in the colour map; known: {}", hex,
                      stray.count, stray.x, stray.y, list_known(known, true))};
}

// Colours to indices. One problem, of the colour met first.
std::optional<Problem> map_colors(const imaging::Image& colors, const std::vector<KnownColor>& known,
                                  Mask& mask) {
  mask = Mask(colors.size());
  std::map<Rgb, Stray> strays;
  std::optional<Rgb> first_stray, last;
  std::optional<int> last_index;
  for (std::int64_t y = 0; y < colors.height(); ++y) {
    for (std::int64_t x = 0; x < colors.width(); ++x) {
      const Rgb color = colors.at(x, y);
      if (!last || *last != color) last = color, last_index = index_of(color, known);
      if (last_index) {
        mask.set(x, y, static_cast<std::uint8_t>(*last_index));
        continue;
      }
      if (!first_stray) first_stray = color;
      if (strays.size() >= 4096 && !strays.contains(color)) continue;  // a photo in the place of a mask
      Stray& stray = strays[color];
      if (stray.count++ == 0) stray.x = x, stray.y = y;
    }
  }
  if (!first_stray) return std::nullopt;
  return unknown_color(*first_stray, strays[*first_stray], known);
}

std::array<Stray, 256> count_labels(const Mask& mask) {
  std::array<Stray, 256> counts{};
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    const std::uint8_t* row = mask.row(y);
    for (std::int64_t x = 0; x < mask.width(); ++x) {
      Stray& label = counts[row[x]];
      if (label.count++ == 0) label.x = x, label.y = y;
    }
  }
  return counts;
}

// labelmap.txt says colours; a palette file's own indices mean nothing then.
std::optional<Problem> map_palette(const imaging::Palette& palette, const std::vector<KnownColor>& known,
                                   Mask& mask) {
  const auto counts = count_labels(mask);
  std::array<std::uint8_t, 256> table{};
  for (std::size_t value = 0; value < 256; ++value) {
    if (counts[value].count == 0) continue;
    const Rgb color = value < palette.size() ? palette[value] : Rgb{};
    const std::optional<int> index = index_of(color, known);
    if (!index && value != Mask::kIgnore) return unknown_color(color, counts[value], known);
    table[value] = static_cast<std::uint8_t>(index.value_or(Mask::kIgnore));
  }
  for (std::uint8_t& label : mask.bytes()) label = table[label];
  return std::nullopt;
}

std::optional<Problem> check_labels(const Mask& mask, const std::vector<KnownColor>& known) {
  if (known.empty()) return std::nullopt;
  const auto counts = count_labels(mask);
  for (std::size_t value = 0; value < 255; ++value) {
    if (counts[value].count == 0) continue;
    if (std::any_of(known.begin(), known.end(),
                    [&](const auto& k) { return k.index == static_cast<int>(value); }))
      continue;
    return Problem{
        "unknown-label", 0, "", std::to_string(value),
        fmt::format("pixel value {} ({} pixels, first at {},{}) is no class; known: {}; 255 is ignored",
                    value, counts[value].count, counts[value].x, counts[value].y, list_known(known, false))};
  }
  return std::nullopt;
}

// A decoder's message may begin with the path, which the report names itself.
std::string without_path(std::string message, const std::filesystem::path& path) {
  const std::string prefix = path.string() + ": ";
  if (message.starts_with(prefix)) message.erase(0, prefix.size());
  return message;
}

}  // namespace

CheckedPair check_pair(const SourceEntry& entry, const CheckOptions& options) {
  CheckedPair pair;
  if (entry.problem) {
    pair.problems.push_back(*entry.problem);
    return pair;
  }
  auto report = [&](const char* kind, const std::filesystem::path& file, const std::string& value,
                    const std::string& message) {
    pair.problems.push_back({kind, entry.line, file.string(), value, without_path(message, file)});
  };
  bool photo_good = false, mask_good = false;

  std::error_code error;
  if (!std::filesystem::exists(entry.photo, error)) {
    report("missing-photo", entry.photo, entry.key, "the photo does not exist");
  } else if (auto bytes = read_file(entry.photo); !bytes) {
    report("unreadable-photo", entry.photo, "", bytes.error().message);
  } else if (bytes->empty()) {
    report("unreadable-photo", entry.photo, "0 bytes", "the photo is an empty file");
  } else {
    pair.photo_bytes = std::move(*bytes);
    auto info = imaging::read_photo_info(pair.photo_bytes);
    auto photo = imaging::decode_photo(pair.photo_bytes);
    if (!info || !photo) {
      report("unreadable-photo", entry.photo, "", info ? photo.error().message : info.error().message);
    } else {
      pair.info = *info, pair.photo = std::move(*photo);
      pair.digest = sha256_hex(pair.photo_bytes);
      photo_good = true;
    }
  }

  const std::vector<KnownColor> known = known_colors(entry, options);
  if (!std::filesystem::exists(entry.mask, error)) {
    report("missing-mask", entry.mask, "", "the mask does not exist");
  } else if (auto bytes = read_file(entry.mask); !bytes) {
    report("unreadable-mask", entry.mask, "", bytes.error().message);
  } else if (bytes->empty()) {
    report("unreadable-mask", entry.mask, "0 bytes", "the mask is an empty file");
  } else if (auto file = imaging::decode_mask(*bytes); !file) {
    report("unreadable-mask", entry.mask, "", file.error().message);
  } else {
    pair.mask_bytes = std::move(*bytes);
    std::optional<Problem> problem;
    if (file->colors) {
      problem = map_colors(*file->colors, known, pair.mask);
    } else {
      pair.mask = std::move(*file->labels);
      pair.mask_palette = std::move(file->palette);
      if (entry.label_map) {
        if (const Status mapped = entry.label_map->apply(pair.mask); !mapped) {
          problem = Problem{"unknown-label", 0, "", "", mapped.error().message};
        }
      } else if (options.palette_decides && !pair.mask_palette.empty()) {
        problem = map_palette(pair.mask_palette, known, pair.mask);
      }
      if (!problem) problem = check_labels(pair.mask, known);
    }
    if (problem) {
      report(problem->kind.c_str(), entry.mask, problem->value, problem->message);
    } else {
      mask_good = true;
    }
  }
  if (photo_good && !pair.mask.empty() && pair.photo.size() != pair.mask.size()) {
    const auto p = pair.photo.size(), m = pair.mask.size();
    report("size-mismatch", entry.mask, fmt::format("{}x{}", m.width, m.height),
           fmt::format("the mask is {}x{} but the photo is {}x{}", m.width, m.height, p.width, p.height));
    mask_good = false;
  }
  pair.usable = photo_good && mask_good;
  return pair;
}

std::optional<Problem> orientation_note(const SourceEntry& entry, const imaging::PhotoInfo& info) {
  if (info.exif_orientation == 1) return {};
  return Problem{"exif-orientation",
                 entry.line,
                 entry.key,
                 std::to_string(info.exif_orientation),
                 fmt::format("EXIF orientation {}; masks and training use the stored pixels, as they are",
                             info.exif_orientation),
                 false};
}

Result<artifacts::ClassList> discover_classes(InputSource& source, bool show_progress) {
  TERRAPIN_TRY_STATUS(source.rewind());
  int highest = 0;
  imaging::Palette palette;
  ProgressBar progress("reading masks", source.count, show_progress);
  const int threads = available_cores();
  std::int64_t done = 0;
  for (bool more = true; more;) {
    std::vector<SourceEntry> chunk;
    while (chunk.size() < static_cast<std::size_t>(threads) * 16) {
      TERRAPIN_TRY(auto entry, source.next());
      if (!entry) {
        more = false;
        break;
      }
      ++done;
      if (!entry->problem) chunk.push_back(std::move(*entry));
    }
    std::vector<int> highest_of(chunk.size(), 0);
    std::vector<imaging::Palette> palette_of(chunk.size());
    parallel_for(static_cast<std::int64_t>(chunk.size()), threads, [&](std::int64_t i) {
      const auto at = static_cast<std::size_t>(i);
      if (interrupted()) return;
      auto file = imaging::read_mask(chunk[at].mask);
      if (!file || !file->labels) return;
      if (chunk[at].label_map && !chunk[at].label_map->apply(*file->labels)) return;
      palette_of[at] = std::move(file->palette);
      const auto counts = count_labels(*file->labels);
      for (int value = 0; value < 255; ++value) {
        if (counts[static_cast<std::size_t>(value)].count > 0) highest_of[at] = value;
      }
    });
    if (interrupted()) return fail(ErrorCode::kCancelled, "interrupted");
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      highest = std::max(highest, highest_of[i]);
      if (palette.empty()) palette = palette_of[i];
    }
    progress.update(done);
  }
  progress.finish();
  // Two classes at least: a set of empty masks still has something to find.
  auto classes = artifacts::ClassList::with_default_names(std::max(highest, 1) + 1);
  const auto count = static_cast<std::size_t>(classes.size());
  if (palette.size() >= count &&
      std::set<Rgb>(palette.begin(), palette.begin() + static_cast<std::ptrdiff_t>(count)).size() == count) {
    for (std::size_t i = 0; i < count; ++i) classes.classes[i].color = palette[i];
  }
  TERRAPIN_TRY_STATUS(source.rewind());
  return classes;
}

}  // namespace terrapin::dataset
