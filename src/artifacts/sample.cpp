#include "artifacts/sample.h"

#include <algorithm>
#include <array>
#include <map>

namespace terrapin::artifacts {
namespace {

using imaging::Mask;
using imaging::Rgb;
using Fault = tl::unexpected<SampleFault>;

constexpr std::size_t kNamedClasses = 12;  // classes in a message; the count says the rest

template <class... Args>
Fault fault(FaultKind kind, std::string value, fmt::format_string<Args...> format, Args&&... args) {
  return Fault(SampleFault{kind, std::move(value), fmt::format(format, std::forward<Args>(args)...)});
}

enum class Show { kColors, kIndices };

std::string known_classes(std::span<const ColorMapEntry> color_map, Show show) {
  std::string text;
  for (std::size_t i = 0; i < std::min(color_map.size(), kNamedClasses); ++i) {
    const ColorMapEntry& entry = color_map[i];
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ",
                        show == Show::kColors ? imaging::to_hex(entry.color) : std::to_string(entry.index),
                        entry.class_name);
  }
  if (color_map.size() > kNamedClasses) text += fmt::format(" and {} more", color_map.size() - kNamedClasses);
  return text;
}

struct Seen {
  std::int64_t count = 0, x = 0, y = 0;  // of the first pixel
};

Fault unknown_color(Rgb color, const Seen& seen, std::span<const ColorMapEntry> color_map) {
  const std::string hex = imaging::to_hex(color);
  return fault(FaultKind::kUnknownColor, hex,
               "colour {} ({} pixels, first at {},{}) is not in the colour map; known: {}", hex, seen.count,
               seen.x, seen.y, known_classes(color_map, Show::kColors));
}

Fault unknown_label(std::size_t label, const Seen& seen, const std::string& known) {
  return fault(FaultKind::kUnknownLabel, std::to_string(label),
               "pixel value {} ({} pixels, first at {},{}) is no class; known: {}; 255 is ignored", label,
               seen.count, seen.x, seen.y, known);
}

std::array<Seen, 256> count_labels(const Mask& mask) {
  std::array<Seen, 256> counts{};
  for (std::int64_t y = 0; y < mask.height(); ++y) {
    const std::uint8_t* row = mask.row(y);
    for (std::int64_t x = 0; x < mask.width(); ++x) {
      Seen& label = counts[row[x]];
      if (label.count++ == 0) label.x = x, label.y = y;
    }
  }
  return counts;
}

// Colour -> index, for masks whose colours name the classes.
tl::expected<std::map<Rgb, std::uint8_t>, SampleFault> index_of_color(const LabelRules& rules) {
  std::map<Rgb, std::uint8_t> index_of;
  for (const ColorMapEntry& entry : rules.color_map) {
    if (index_of.try_emplace(entry.color, static_cast<std::uint8_t>(entry.index)).second) continue;
    const auto first = std::find_if(rules.color_map.begin(), rules.color_map.end(),
                                    [&](const ColorMapEntry& other) { return other.color == entry.color; });
    const std::string hex = imaging::to_hex(entry.color);
    return fault(FaultKind::kAmbiguousColor, hex,
                 "the mask's colours name its classes, but the colour map gives {} to both '{}' and '{}'",
                 hex, first->class_name, entry.class_name);
  }
  if (rules.ignored_color) index_of.try_emplace(*rules.ignored_color, Mask::kIgnore);
  return index_of;
}

tl::expected<Mask, SampleFault> map_colors(const imaging::Image& colors, const LabelRules& rules) {
  if (rules.color_map.empty()) {
    return fault(FaultKind::kUnknownColor, colors.empty() ? "" : imaging::to_hex(colors.at(0, 0)),
                 "the mask holds RGB colours and no colour map is known; expected a grey or palette PNG of "
                 "class indices. Colours need the internal-color-map of a manifest, or the classes.json or "
                 "labelmap.txt of a folder that is transformed");
  }
  const auto index_of = index_of_color(rules);
  if (!index_of) return Fault(index_of.error());
  Mask mask(colors.size());
  // Masks are patches of one colour: the last answer is nearly always the next.
  auto last = index_of->end();
  for (std::int64_t y = 0; y < colors.height(); ++y) {
    std::uint8_t* out = mask.row(y);
    for (std::int64_t x = 0; x < colors.width(); ++x) {
      const Rgb color = colors.at(x, y);
      if (last == index_of->end() || last->first != color) last = index_of->find(color);
      if (last == index_of->end()) {
        Seen seen{0, x, y};
        for (std::int64_t v = y; v < colors.height(); ++v) {
          for (std::int64_t u = 0; u < colors.width(); ++u) seen.count += colors.at(u, v) == color ? 1 : 0;
        }
        return unknown_color(color, seen, rules.color_map);
      }
      out[x] = last->second;
    }
  }
  return mask;
}

// The file's own indices mean nothing, only their colours.
std::optional<SampleFault> map_palette(Mask& mask, const imaging::Palette& palette, const LabelRules& rules) {
  const auto index_of = index_of_color(rules);
  if (!index_of) return index_of.error();
  const auto counts = count_labels(mask);
  std::array<std::uint8_t, 256> table{};
  for (std::size_t value = 0; value < table.size(); ++value) {
    if (counts[value].count == 0) continue;
    const Rgb color = value < palette.size() ? palette[value] : Rgb{};
    const auto found = index_of->find(color);
    if (found == index_of->end() && value != Mask::kIgnore) {
      return unknown_color(color, counts[value], rules.color_map).value();
    }
    table[value] = found == index_of->end() ? Mask::kIgnore : found->second;
  }
  for (std::uint8_t& label : mask.bytes()) label = table[label];
  return std::nullopt;
}

// Indices must be the colour map's, and the palette of the file must not tell another story: a mask saved
// again by a program that reorders palettes would otherwise train the wrong classes silently.
std::optional<SampleFault> check_indices(const Mask& mask, const imaging::Palette& palette,
                                         std::span<const ColorMapEntry> color_map) {
  const auto counts = count_labels(mask);
  for (std::size_t label = 0; label < Mask::kIgnore; ++label) {
    if (counts[label].count == 0) continue;
    const auto own = std::find_if(color_map.begin(), color_map.end(), [&](const ColorMapEntry& entry) {
      return entry.index == static_cast<int>(label);
    });
    if (own == color_map.end()) {
      return unknown_label(label, counts[label], known_classes(color_map, Show::kIndices)).value();
    }
    if (label >= palette.size() || palette[label] == own->color) continue;
    const auto other = std::find_if(color_map.begin(), color_map.end(), [&](const ColorMapEntry& entry) {
      return entry.color == palette[label];
    });
    if (other == color_map.end()) continue;  // someone's own colours say nothing
    const std::string hex = imaging::to_hex(palette[label]);
    return fault(FaultKind::kPaletteConflict, hex,
                 "pixel value {} ({} pixels, first at {},{}) is '{}' in the colour map, but the mask's "
                 "palette paints it {}, the colour of '{}': indices and colours disagree",
                 label, counts[label].count, counts[label].x, counts[label].y, own->class_name, hex,
                 other->class_name)
        .value();
  }
  return std::nullopt;
}

std::optional<SampleFault> check_classes_of(const Mask& mask, const ClassList& classes) {
  const auto counts = count_labels(mask);
  for (auto label = static_cast<std::size_t>(classes.size()); label < Mask::kIgnore; ++label) {
    if (counts[label].count == 0) continue;
    return unknown_label(label, counts[label], known_classes(color_map_of(classes), Show::kIndices)).value();
  }
  return std::nullopt;
}

}  // namespace

const char* fault_name(FaultKind kind) {
  switch (kind) {
    case FaultKind::kUnknownColor:
      return "unknown-color";
    case FaultKind::kUnknownLabel:
      return "unknown-label";
    case FaultKind::kAmbiguousColor:
      return "ambiguous-color";
    case FaultKind::kPaletteConflict:
      return "palette-conflict";
    case FaultKind::kSizeMismatch:
      return "size-mismatch";
  }
  return "";
}

tl::expected<Mask, SampleFault> read_labels(imaging::MaskFile file, const LabelRules& rules) {
  Mask mask;
  if (file.colors) {
    auto mapped = map_colors(*file.colors, rules);
    if (!mapped) return mapped;
    mask = std::move(*mapped);
  } else {
    mask = std::move(*file.labels);
    std::optional<SampleFault> found;
    if (rules.palette_decides && !file.palette.empty()) {
      found = map_palette(mask, file.palette, rules);
    } else if (!rules.color_map.empty()) {
      found = check_indices(mask, file.palette, rules.color_map);
    }
    if (found) return Fault(std::move(*found));
  }
  if (rules.label_map) {
    if (const Status mapped = rules.label_map->apply(mask); !mapped) {
      const auto value = rules.label_map->first_unknown(mask);
      return fault(FaultKind::kUnknownLabel, value ? std::to_string(*value) : "", "{}",
                   mapped.error().message);
    }
  }
  if (rules.classes) {
    if (auto found = check_classes_of(mask, *rules.classes)) return Fault(std::move(*found));
  }
  return mask;
}

std::optional<SampleFault> compare_sizes(imaging::Size photo, imaging::Size mask) {
  if (photo == mask) return std::nullopt;
  return SampleFault{FaultKind::kSizeMismatch, fmt::format("{}x{}", mask.width, mask.height),
                     fmt::format("the mask is {}x{} but the photo is {}x{}", mask.width, mask.height,
                                 photo.width, photo.height)};
}

Result<Mask> read_sample_mask(const Sample& sample, const LabelMap& label_map) {
  TERRAPIN_TRY(imaging::MaskFile file, imaging::read_mask(sample.mask));
  auto mask = read_labels(std::move(file), {.color_map = sample.color_map, .label_map = &label_map});
  if (mask) return std::move(*mask);
  // A palette conflict: some program broke the file.
  const bool corrupt = mask.error().kind == FaultKind::kPaletteConflict;
  return fail(corrupt ? ErrorCode::kCorrupt : ErrorCode::kInvalidArgument, "{}: {}", sample.mask.string(),
              mask.error().message);
}

Result<LabeledPhoto> read_sample(const Sample& sample, const LabelMap& label_map) {
  LabeledPhoto result;
  TERRAPIN_TRY(result.photo, imaging::read_photo(sample.photo));
  TERRAPIN_TRY(result.mask, read_sample_mask(sample, label_map));
  const imaging::Size photo = result.photo.size(), mask = result.mask.size();
  if (const auto differ = compare_sizes(photo, mask)) {
    const bool turned = photo == imaging::Size{mask.height, mask.width};
    return fail(ErrorCode::kInvalidArgument, "{}: {} ({}){}", sample.mask.string(), differ->message,
                sample.photo.string(),
                turned ? "; masks follow the stored pixels, before any EXIF rotation" : "");
  }
  return result;
}

}  // namespace terrapin::artifacts
