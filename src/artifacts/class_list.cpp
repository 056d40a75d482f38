#include "artifacts/class_list.h"

#include <algorithm>

#include "artifacts/json_fields.h"
#include "imaging/image.h"

namespace terrapin::artifacts {

imaging::Palette ClassList::palette() const {
  imaging::Palette colors;
  colors.reserve(classes.size());
  for (const ClassEntry& entry : classes) colors.push_back(entry.color);
  return colors;
}

int ClassList::index_of(std::string_view name) const {
  const auto found = std::find_if(classes.begin(), classes.end(),
                                  [&](const ClassEntry& entry) { return entry.name == name; });
  return found == classes.end() ? -1 : static_cast<int>(found - classes.begin());
}

namespace {

std::string default_name(int index) {
  return index == 0 ? "BACKGROUND" : fmt::format("class {}", index);
}

}  // namespace

ClassList ClassList::with_default_names(int count) {
  const imaging::Palette colors = imaging::default_palette(count);
  ClassList list;
  for (int index = 0; index < count; ++index) {
    list.classes.push_back({default_name(index), colors[static_cast<std::size_t>(index)]});
  }
  return list;
}

nlohmann::json to_json(const ClassList& classes) {
  nlohmann::json json = nlohmann::json::array();
  for (const ClassEntry& entry : classes.classes) {
    json.push_back({{"name", entry.name}, {"color", imaging::to_hex(entry.color)}});
  }
  return json;
}

Result<ClassList> class_list_from_json(const nlohmann::json& json) {
  // Index 255 means "ignore", so 255 classes (0..254) fill a mask.
  if (!json.is_array() || json.empty() || json.size() > imaging::Mask::kIgnore) {
    return fail(ErrorCode::kCorrupt, "classes is {}, expected an array of 1 to 255 classes", shown(json));
  }
  ClassList list;
  for (std::size_t index = 0; index < json.size(); ++index) {
    ObjectReader reader(json[index], fmt::format("classes[{}]", index));
    const std::string name = reader.text("name");
    const std::string color_text = reader.text("color");
    TERRAPIN_TRY_STATUS(reader.finish());
    if (name.empty()) return fail(ErrorCode::kCorrupt, "classes[{}].name is empty", index);
    if (const int first = list.index_of(name); first >= 0) {
      return fail(ErrorCode::kCorrupt, "classes[{}].name is '{}', the name of classes[{}] already", index,
                  name, first);
    }
    auto color = imaging::parse_hex_color(color_text);
    if (!color) {
      return fail(ErrorCode::kCorrupt, "classes[{}].color: {}", index, color.error().message);
    }
    list.classes.push_back({name, *color});
  }
  return list;
}

Status require_same_names(const ClassList& a, std::string_view origin_a, const ClassList& b,
                          std::string_view origin_b) {
  for (int index = 0; index < std::min(a.size(), b.size()); ++index) {
    const std::string& name_a = a.classes[static_cast<std::size_t>(index)].name;
    const std::string& name_b = b.classes[static_cast<std::size_t>(index)].name;
    const std::string unnamed = default_name(index);
    if (name_a == name_b || name_a == unnamed || name_b == unnamed) continue;
    return fail(ErrorCode::kInvalidArgument,
                "class {} is \"{}\" in {} but \"{}\" in {}: both must use one list of classes", index, name_a,
                origin_a, name_b, origin_b);
  }
  return {};
}

}  // namespace terrapin::artifacts
