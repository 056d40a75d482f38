#include "artifacts/label_categories.h"

#include <set>

#include "artifacts/json_fields.h"
#include "base/json_text.h"

namespace terrapin::artifacts {
namespace {

// Characters, not bytes: continuation bytes of UTF-8 are not counted.
std::int64_t character_count(const std::string& text) {
  std::int64_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

constexpr imaging::Rgb kVoidColor{128, 128, 128};

Result<bool> is_void(const nlohmann::json& entry, const std::string& where) {
  if (!entry.is_object()) return false;
  const auto found = entry.find("void");
  if (found == entry.end()) return false;
  if (!found->is_boolean())
    return fail(ErrorCode::kInvalidArgument, "{}.void is {}, not true or false", where, json_text(*found));
  return found->get<bool>();
}

std::string place_of(std::size_t index) {
  return fmt::format("labels[{}]", index);
}

// The place of the void label in the list; nullopt: there is none.
Result<std::optional<std::size_t>> void_place(const nlohmann::json& labels) {
  std::optional<std::size_t> place;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    TERRAPIN_TRY(const bool here, is_void(labels[i], place_of(i)));
    if (!here) continue;
    if (place)
      return fail(ErrorCode::kInvalidArgument, "{} and {} are both void; one label may be", place_of(*place),
                  place_of(i));
    place = i;
  }
  return place;
}

nlohmann::ordered_json label_json(const ClassEntry& entry) {
  nlohmann::ordered_json label = nlohmann::ordered_json::object();
  label["label"] = entry.name;
  label["hex-color"] = imaging::to_hex(entry.color);
  return label;
}

}  // namespace

Result<LabelCategories> parse_label_categories(std::string_view text) {
  auto parsed_json = parse_json(text);
  if (!parsed_json) return fail(ErrorCode::kInvalidArgument, "{}", parsed_json.error().message);
  const nlohmann::json& json = *parsed_json;
  if (!json.is_object())
    return fail(ErrorCode::kInvalidArgument,
                "is not a JSON object of the form {{\"document-version\": \"2018-11-28\", \"labels\": "
                "[{{\"label\": \"...\"}}]}}");
  const auto version = json.find("document-version");
  if (version != json.end() && *version != "2018-11-28")
    return fail(ErrorCode::kInvalidArgument, "document-version is {}; \"2018-11-28\" is known",
                json_text(*version));
  const auto labels = json.find("labels");
  if (labels == json.end() || !labels->is_array() || labels->empty())
    return fail(ErrorCode::kInvalidArgument, "has no \"labels\", an array of 1 to {} labels", kMaxLabels);
  TERRAPIN_TRY(const std::optional<std::size_t> void_at, void_place(*labels));
  const std::size_t count = labels->size() - (void_at ? 1 : 0);
  if (count > kMaxLabels)
    return fail(ErrorCode::kInvalidArgument,
                "has {} labels; a mask of one byte a pixel holds at most {} beside BACKGROUND and ignore",
                count, kMaxLabels);
  if (count == 0)
    return fail(ErrorCode::kInvalidArgument, "has no label beside the void one; 1 to {} are allowed",
                kMaxLabels);

  LabelCategories result;
  ClassList& classes = result.classes;
  const imaging::Palette palette = imaging::default_palette(static_cast<int>(count) + 1);
  classes.classes.push_back({"BACKGROUND", palette[0]});
  std::set<std::string> names{"BACKGROUND"};
  std::set<imaging::Rgb> colors{palette[0]};
  for (std::size_t i = 0; i < labels->size(); ++i) {
    const nlohmann::json& entry = (*labels)[i];
    const std::string where = place_of(i);
    const nlohmann::json* name = &entry;
    const bool here_void = void_at == i;
    imaging::Rgb color = here_void ? kVoidColor : palette[classes.classes.size()];
    if (entry.is_object()) {
      const auto found = entry.find("label");
      if (found == entry.end()) return fail(ErrorCode::kInvalidArgument, "{} has no \"label\"", where);
      name = &*found;
      const auto hex = entry.find("hex-color");
      if (hex != entry.end()) {
        if (!hex->is_string())
          return fail(ErrorCode::kInvalidArgument, "{}.hex-color is {}, not a text like \"#2ca02c\"", where,
                      json_text(*hex));
        auto parsed = imaging::parse_hex_color(hex->get_ref<const std::string&>());
        if (!parsed) return with_context(std::move(parsed.error()), where + ".hex-color");
        color = *parsed;
      }
    }
    if (!name->is_string())
      return fail(ErrorCode::kInvalidArgument, "{} is {}, not a text", where, json_text(*name));
    const std::string label = name->get<std::string>();
    if (label.empty() || character_count(label) > kMaxLabelCharacters)
      return fail(ErrorCode::kInvalidArgument, "{} has {} characters; 1 to {} are allowed", where,
                  character_count(label), kMaxLabelCharacters);
    if (!names.insert(label).second)
      return fail(ErrorCode::kInvalidArgument, "{} is '{}' again; labels are unique and none is BACKGROUND",
                  where, label);
    if (!colors.insert(color).second)
      return fail(ErrorCode::kInvalidArgument,
                  "{}: the colour {} is taken; colours are unique and none is BACKGROUND's #ffffff", where,
                  imaging::to_hex(color));
    if (here_void) {
      result.void_label = ClassEntry{label, color};
    } else {
      classes.classes.push_back({label, color});
    }
  }
  return result;
}

std::string format_label_categories(const LabelCategories& categories) {
  nlohmann::ordered_json labels = nlohmann::ordered_json::array();
  const std::vector<ClassEntry>& classes = categories.classes.classes;
  for (std::size_t i = 1; i < classes.size(); ++i) labels.push_back(label_json(classes[i]));
  if (categories.void_label) {
    labels.push_back(label_json(*categories.void_label));
    labels.back()["void"] = true;
  }
  nlohmann::ordered_json document = nlohmann::ordered_json::object();
  document["document-version"] = "2018-11-28";
  document["labels"] = std::move(labels);
  return json_text(document, 2) + "\n";
}

}  // namespace terrapin::artifacts
