#include "labeling/tasks/answer.h"

#include <map>
#include <nlohmann/json.hpp>

#include "artifacts/json_fields.h"
#include "base/json_text.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "imaging/codecs.h"

namespace terrapin::labeling {
namespace {

using nlohmann::json;

Result<json> answer_object(const std::string& text) {
  auto answer = artifacts::parse_json(text);
  if (!answer) return fail(ErrorCode::kInvalidArgument, "the answer: {}", answer.error().message);
  if (!answer->is_object()) return fail(ErrorCode::kInvalidArgument, "the answer is not a JSON object");
  return std::move(*answer);
}

// A member of the answer or of one of the form's elements in it.
const json* find_anywhere(const json& answer, const char* key) {
  if (const auto found = answer.find(key); found != answer.end()) return &*found;
  for (const auto& [name, value] : answer.items()) {
    if (!value.is_object()) continue;
    if (const auto found = value.find(key); found != value.end()) return &*found;
  }
  return nullptr;
}

std::uint32_t packed(imaging::Rgb color) {
  return static_cast<std::uint32_t>(color.red) << 16 | static_cast<std::uint32_t>(color.green) << 8 |
         color.blue;
}

using ColorTable = std::map<std::uint32_t, std::uint8_t>;

Result<ColorTable> color_table(const json& mappings, const artifacts::ClassList& classes) {
  constexpr std::uint32_t kWhite = 0xffffff;
  ColorTable table{{kWhite, 0}};
  if (!mappings.is_object())
    return fail(ErrorCode::kInvalidArgument, "labelMappings is not an object of label and colour");
  for (const auto& [label, value] : mappings.items()) {
    const int index = classes.index_of(label);
    if (index < 0)
      return fail(ErrorCode::kInvalidArgument, "labelMappings: '{}' is not a label of this job", label);
    const auto color = value.is_object() ? value.find("color") : value.end();
    if (!value.is_object() || color == value.end() || !color->is_string())
      return fail(ErrorCode::kInvalidArgument, "labelMappings.{} has no \"color\" like \"#2ca02c\"", label);
    auto rgb = imaging::parse_hex_color(color->get_ref<const std::string&>());
    if (!rgb) return with_context(std::move(rgb.error()), fmt::format("labelMappings.{}.color", label));
    const auto [entry, fresh] = table.emplace(packed(*rgb), static_cast<std::uint8_t>(index));
    if (!fresh && entry->second != index)
      return fail(ErrorCode::kInvalidArgument,
                  "labelMappings.{}: the colour {} is that of another label or of the background", label,
                  imaging::to_hex(*rgb));
  }
  return table;
}

tl::unexpected<Error> unknown_color(std::int64_t x, std::int64_t y, imaging::Rgb color) {
  return fail(ErrorCode::kInvalidArgument,
              "labeledImage: pixel ({}, {}) has the colour {}, which labelMappings does not name", x, y,
              imaging::to_hex(color));
}

Result<imaging::Mask> mask_of_colors(const imaging::Image& image, const ColorTable& table) {
  imaging::Mask mask(image.size());
  std::uint32_t last = 0xffffffff;
  std::uint8_t label = 0;
  for (std::int64_t y = 0; y < image.height(); ++y) {
    const std::uint8_t* in = image.row(y);
    std::uint8_t* out = mask.row(y);
    for (std::int64_t x = 0; x < image.width(); ++x) {
      const std::uint32_t color = packed({in[x * 3], in[x * 3 + 1], in[x * 3 + 2]});
      if (color != last) {
        const auto found = table.find(color);
        if (found == table.end()) return unknown_color(x, y, image.at(x, y));
        last = color;
        label = found->second;
      }
      out[x] = label;
    }
  }
  return mask;
}

// Grey and palette files: a pixel's colour is its palette entry, or grey of its value.
Result<imaging::Mask> mask_of_palette(imaging::Mask labels, const imaging::Palette& palette,
                                      const ColorTable& table) {
  std::array<int, 256> index{};
  for (std::size_t value = 0; value < index.size(); ++value) {
    const auto grey = static_cast<std::uint8_t>(value);
    const imaging::Rgb color = palette.empty()          ? imaging::Rgb{grey, grey, grey}
                               : value < palette.size() ? palette[value]
                                                        : imaging::Rgb{};
    const auto found = table.find(packed(color));
    index[value] = found == table.end() ? -1 : found->second;
  }
  for (std::int64_t y = 0; y < labels.size().height; ++y) {
    std::uint8_t* row = labels.row(y);
    for (std::int64_t x = 0; x < labels.size().width; ++x) {
      const int label = index[row[x]];
      if (label < 0) {
        const imaging::Rgb color =
            row[x] < palette.size() ? palette[row[x]] : imaging::Rgb{row[x], row[x], row[x]};
        return unknown_color(x, y, color);
      }
      row[x] = static_cast<std::uint8_t>(label);
    }
  }
  return labels;
}

}  // namespace

Result<MaskAnswer> read_mask_answer(const std::string& answer_json, const artifacts::ClassList& classes,
                                    imaging::Size photo, std::int64_t max_pixels) {
  TERRAPIN_TRY(const json answer, answer_object(answer_json));
  const json* image = find_anywhere(answer, "labeledImage");
  const json* mappings = find_anywhere(answer, "labelMappings");
  if (image == nullptr || !image->is_object() || !image->contains("pngImageData") ||
      !image->at("pngImageData").is_string())
    return fail(ErrorCode::kInvalidArgument,
                "the answer has no labeledImage.pngImageData, the mask as a base64 PNG");
  if (mappings == nullptr) return fail(ErrorCode::kInvalidArgument, "the answer has no labelMappings");
  TERRAPIN_TRY(const ColorTable table, color_table(*mappings, classes));

  if (const json* properties = find_anywhere(answer, "inputImageProperties"); properties != nullptr) {
    if (!properties->is_object() || properties->value("width", json(photo.width)) != json(photo.width) ||
        properties->value("height", json(photo.height)) != json(photo.height))
      return fail(ErrorCode::kInvalidArgument, "inputImageProperties is {}; the photo is {} x {} pixels",
                  artifacts::shown(*properties), photo.width, photo.height);
  }
  Bytes png;
  if (!crypto::decode_base64(image->at("pngImageData").get_ref<const std::string&>(), png))
    return fail(ErrorCode::kInvalidArgument, "labeledImage.pngImageData is not base64");
  auto info = imaging::read_photo_info(png);
  if (!info || info->type != imaging::FileType::kPng)
    return fail(ErrorCode::kInvalidArgument, "labeledImage.pngImageData is not a PNG{}{}", info ? "" : ": ",
                info ? "" : info.error().message);
  if (info->size != photo)
    return fail(ErrorCode::kInvalidArgument, "labeledImage has {} x {} pixels, the photo {} x {}",
                info->size.width, info->size.height, photo.width, photo.height);
  auto file = imaging::decode_mask(png, {.max_pixels = max_pixels});
  if (!file) {
    if (file.error().code == ErrorCode::kTooLarge) return tl::unexpected<Error>(std::move(file.error()));
    return fail(ErrorCode::kInvalidArgument, "labeledImage.pngImageData: {}", file.error().message);
  }
  MaskAnswer result;
  TERRAPIN_TRY(result.mask, file->colors ? mask_of_colors(*file->colors, table)
                                         : mask_of_palette(std::move(*file->labels), file->palette, table));
  if (const json* modified = find_anywhere(answer, "initialValueModified");
      modified != nullptr && modified->is_boolean())
    result.initial_value_modified = modified->get<bool>();
  return result;
}

Result<ChoiceAnswer> read_choice_answer(const std::string& answer_json, const artifacts::ClassList& classes) {
  TERRAPIN_TRY(const json answer, answer_object(answer_json));
  const json* label = find_anywhere(answer, "label");
  if (label == nullptr) {
    const json* labels = find_anywhere(answer, "labels");
    if (labels != nullptr && labels->is_array() && labels->size() == 1) label = &labels->front();
  }
  if (label == nullptr || !label->is_string())
    return fail(ErrorCode::kInvalidArgument, "the answer has no \"label\", the worker's choice");
  ChoiceAnswer result;
  result.label = label->get<std::string>();
  result.index = classes.index_of(result.label) - 1;
  if (result.index < 0) {
    std::string allowed;
    for (std::size_t i = 1; i < classes.classes.size(); ++i)
      allowed += (i > 1 ? ", " : "") + classes.classes[i].name;
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a label of this job; allowed: {}", result.label,
                allowed);
  }
  for (const char* key : {"workerComment", "feedback", "comments", "issues"})
    if (const json* text = find_anywhere(answer, key); text != nullptr && text->is_string())
      result.feedback = text->get<std::string>();
  const std::int64_t characters = count_characters(result.feedback);
  if (characters > kMostFeedbackCharacters)
    return fail(ErrorCode::kInvalidArgument, "the comment has {} characters: allowed are at most {}",
                characters, kMostFeedbackCharacters);
  return result;
}

}  // namespace terrapin::labeling
