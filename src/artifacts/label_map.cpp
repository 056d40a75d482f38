#include "artifacts/label_map.h"

#include <cmath>
#include <set>
#include <string>

#include "artifacts/json_fields.h"
#include "base/files.h"

namespace terrapin::artifacts {
namespace {

constexpr int kIgnore = imaging::Mask::kIgnore;
constexpr std::int64_t kMaxFileBytes = 1 << 20;

// A pixel value given as 5 or "5".
std::optional<std::int64_t> pixel_value(const nlohmann::json& json) {
  if (json.is_string()) return parse_count(json.get_ref<const std::string&>(), 255);
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > 255) return std::nullopt;
  return json.get<std::int64_t>();
}

std::optional<double> scale_value(const nlohmann::json& json) {
  double scale = 0;
  if (json.is_number()) {
    scale = json.get<double>();
  } else if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    const auto parsed = nlohmann::json::parse(text, nullptr, false);  // JSON's number syntax, any locale
    if (!parsed.is_number()) return std::nullopt;
    scale = parsed.get<double>();
  }
  if (!(scale >= 1 && scale <= 255)) return std::nullopt;
  return scale;
}

}  // namespace

LabelMap LabelMap::identity() {
  return *from_json(nlohmann::json::object({{"scale", "1"}}));
}

Result<LabelMap> LabelMap::from_json(const nlohmann::json& json) {
  if (!json.is_object() || json.size() != 1 || (!json.contains("scale") && !json.contains("map"))) {
    return fail(
        ErrorCode::kCorrupt,
        "label map is {}, expected {{\"scale\": \"3\"}} or {{\"map\": {{\"class index\": pixel value}}}}",
        shown(json));
  }
  LabelMap result;
  result.json_ = json;
  result.table_.fill(-1);
  result.table_[kIgnore] = kIgnore;
  if (json.contains("scale")) {
    const auto scale = scale_value(json["scale"]);
    if (!scale) {
      return fail(ErrorCode::kCorrupt, "label map: \"scale\" is {}, expected a number from 1 to 255",
                  shown(json["scale"]));
    }
    for (int value = 0; value < kIgnore; ++value) {
      result.table_[static_cast<std::size_t>(value)] = static_cast<std::int16_t>(std::floor(value / *scale));
    }
    return result;
  }
  const nlohmann::json& map = json["map"];
  if (!map.is_object() || map.empty()) {
    return fail(ErrorCode::kCorrupt, "label map: \"map\" is {}, expected {{\"class index\": pixel value}}",
                shown(map));
  }
  std::array<bool, 256> taken{};
  std::set<std::int64_t> indices;
  for (const auto& [key, encoded] : map.items()) {
    const auto index = parse_count(key, 255);
    if (!index) {
      return fail(ErrorCode::kCorrupt,
                  "label map: key '{}' of \"map\" is not a class index, expected 0 to 254 (or 255, ignore)",
                  key);
    }
    if (!indices.insert(*index).second) {
      return fail(ErrorCode::kCorrupt, "label map: class index {} occurs twice in \"map\"", *index);
    }
    const auto value = pixel_value(encoded);
    if (!value) {
      return fail(ErrorCode::kCorrupt,
                  "label map: class {} is encoded as {}, expected a pixel value from 0 to 255", key,
                  shown(encoded));
    }
    const auto slot = static_cast<std::size_t>(*value);
    if (taken[slot]) {
      return fail(ErrorCode::kCorrupt, "label map: pixel value {} stands for class {} and for class {}",
                  *value, result.table_[slot], key);
    }
    taken[slot] = true;
    result.table_[slot] = static_cast<std::int16_t>(*index);
  }
  return result;
}

Result<LabelMap> LabelMap::read(const std::filesystem::path& path) {
  TERRAPIN_TRY(const std::string text, read_text_file(path, kMaxFileBytes));
  auto json = parse_json(text);
  if (!json) return with_context(std::move(json.error()), path.string());
  auto map = from_json(*json);
  if (!map) return with_context(std::move(map.error()), path.string());
  return map;
}

nlohmann::json LabelMap::to_json() const {
  return json_;
}

std::optional<std::uint8_t> LabelMap::first_unknown(const imaging::Mask& mask) const {
  std::array<bool, 256> used{};
  for (const std::uint8_t value : mask.bytes()) used[value] = true;
  for (std::size_t value = 0; value < used.size(); ++value) {
    if (used[value] && table_[value] < 0) return static_cast<std::uint8_t>(value);
  }
  return std::nullopt;
}

Status LabelMap::apply(imaging::Mask& mask) const {
  // Looked for first: on failure the mask is untouched.
  if (const std::optional<std::uint8_t> value = first_unknown(mask)) {
    std::string known;
    for (std::size_t other = 0; other < table_.size(); ++other) {
      if (table_[other] >= 0) known += (known.empty() ? "" : ", ") + std::to_string(other);
    }
    std::int64_t position = 0;
    while (mask.bytes()[static_cast<std::size_t>(position)] != *value) ++position;
    return fail(ErrorCode::kInvalidArgument,
                "pixel value {} at ({}, {}) is not in the label map, which knows the pixel values {}", *value,
                position % mask.width(), position / mask.width(), known);
  }
  if (is_identity()) return {};
  for (std::uint8_t& value : mask.bytes()) value = static_cast<std::uint8_t>(table_[value]);
  return {};
}

bool LabelMap::is_identity() const {
  for (std::size_t value = 0; value < table_.size(); ++value) {
    if (table_[value] != static_cast<std::int16_t>(value)) return false;
  }
  return true;
}

}  // namespace terrapin::artifacts
