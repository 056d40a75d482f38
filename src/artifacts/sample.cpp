// The pixels of a sample, checked.
#include <algorithm>
#include <array>

#include "artifacts/channels.h"
#include "imaging/codecs.h"

namespace terrapin::artifacts {
namespace {

constexpr std::uint8_t kIgnore = imaging::Mask::kIgnore;

std::string known_entries(std::vector<ColorMapEntry> color_map, bool colors) {
  std::sort(color_map.begin(), color_map.end(),
            [](const ColorMapEntry& a, const ColorMapEntry& b) { return a.index < b.index; });
  std::vector<std::string> known;
  for (const ColorMapEntry& entry : color_map) {
    known.push_back(fmt::format(
        "{} ({})", colors ? imaging::to_hex(entry.color) : std::to_string(entry.index), entry.class_name));
  }
  return fmt::format("{}", fmt::join(known, ", "));
}

Result<imaging::Mask> map_colors(const imaging::Image& colors, std::vector<ColorMapEntry> color_map) {
  std::sort(color_map.begin(), color_map.end(),
            [](const ColorMapEntry& a, const ColorMapEntry& b) { return a.color < b.color; });
  for (std::size_t i = 1; i < color_map.size(); ++i) {
    if (color_map[i].color == color_map[i - 1].color) {
      return fail(ErrorCode::kInvalidArgument,
                  "the mask holds colours, but its colour map gives {} to both '{}' and '{}'",
                  imaging::to_hex(color_map[i].color), color_map[i - 1].class_name, color_map[i].class_name);
    }
  }
  imaging::Mask mask(colors.size());
  // Masks are patches of one colour: the last answer is nearly always the next.
  imaging::Rgb last;
  int last_index = -1;
  for (std::int64_t y = 0; y < colors.height(); ++y) {
    std::uint8_t* out = mask.row(y);
    for (std::int64_t x = 0; x < colors.width(); ++x) {
      const imaging::Rgb color = colors.at(x, y);
      if (last_index < 0 || color != last) {
        const auto found = std::lower_bound(
            color_map.begin(), color_map.end(), color,
            [](const ColorMapEntry& entry, const imaging::Rgb& value) { return entry.color < value; });
        if (found == color_map.end() || found->color != color) {
          return fail(ErrorCode::kInvalidArgument, "unknown colour {} at ({}, {}), the colour map knows {}",
                      imaging::to_hex(color), x, y, known_entries(color_map, true));
        }
        last = color;
        last_index = found->index;
      }
      out[x] = static_cast<std::uint8_t>(last_index);
    }
  }
  return mask;
}

// Indices must be the colour map's, and the palette of the file must not tell another story: a mask saved
// again by a program that reorders palettes would otherwise train the wrong classes silently.
Status check_indices(const imaging::Mask& mask, const imaging::Palette& palette,
                     const std::vector<ColorMapEntry>& color_map) {
  if (color_map.empty()) return {};
  std::array<std::int64_t, 256> first;
  first.fill(-1);
  const auto& labels = mask.bytes();
  for (std::size_t i = labels.size(); i-- > 0;) first[labels[i]] = static_cast<std::int64_t>(i);
  for (std::size_t label = 0; label < first.size(); ++label) {
    if (first[label] < 0 || label == kIgnore) continue;
    const std::int64_t x = first[label] % mask.width(), y = first[label] / mask.width();
    const auto own = std::find_if(color_map.begin(), color_map.end(), [&](const ColorMapEntry& entry) {
      return entry.index == static_cast<int>(label);
    });
    if (own == color_map.end()) {
      return fail(ErrorCode::kInvalidArgument, "unknown class index {} at ({}, {}), the colour map knows {}",
                  label, x, y, known_entries(color_map, false));
    }
    if (label >= palette.size() || palette[label] == own->color) continue;
    const auto other = std::find_if(color_map.begin(), color_map.end(), [&](const ColorMapEntry& entry) {
      return entry.color == palette[label];
    });
    if (other != color_map.end()) {
      return fail(
          ErrorCode::kCorrupt,
          "class index {} at ({}, {}) is '{}' in the colour map, but the mask's palette paints it {}, the "
          "colour of '{}': indices and colours disagree",
          label, x, y, own->class_name, imaging::to_hex(palette[label]), other->class_name);
    }
  }
  return {};
}

Result<imaging::Mask> labels_of(imaging::MaskFile& file, const Sample& sample, const LabelMap& label_map) {
  imaging::Mask mask;
  if (file.labels) {
    mask = std::move(*file.labels);
    TERRAPIN_TRY_STATUS(check_indices(mask, file.palette, sample.color_map));
  } else if (file.colors) {
    if (sample.color_map.empty()) {
      return fail(
          ErrorCode::kInvalidArgument,
          "the mask holds RGB colours and no colour map is known; expected a grey or palette PNG of class "
          "indices, or a manifest with an internal-color-map");
    }
    TERRAPIN_TRY(mask, map_colors(*file.colors, sample.color_map));
  }
  TERRAPIN_TRY_STATUS(label_map.apply(mask));
  return mask;
}

}  // namespace

Result<imaging::Mask> read_sample_mask(const Sample& sample, const LabelMap& label_map) {
  TERRAPIN_TRY(imaging::MaskFile file, imaging::read_mask(sample.mask));
  auto mask = labels_of(file, sample, label_map);
  if (!mask) return with_context(std::move(mask.error()), sample.mask.string());
  return mask;
}

Result<LabeledPhoto> read_sample(const Sample& sample, const LabelMap& label_map) {
  LabeledPhoto result;
  TERRAPIN_TRY(result.photo, imaging::read_photo(sample.photo));
  TERRAPIN_TRY(result.mask, read_sample_mask(sample, label_map));
  const imaging::Size photo = result.photo.size(), mask = result.mask.size();
  if (photo != mask) {
    const bool turned = photo == imaging::Size{mask.height, mask.width};
    return fail(ErrorCode::kInvalidArgument, "{}: the mask is {}x{} but its photo {} is {}x{}{}",
                sample.mask.string(), mask.width, mask.height, sample.photo.string(), photo.width,
                photo.height, turned ? "; masks follow the stored pixels, before any EXIF rotation" : "");
  }
  return result;
}

}  // namespace terrapin::artifacts
