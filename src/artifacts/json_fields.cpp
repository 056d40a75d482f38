#include "artifacts/json_fields.h"

#include <cmath>
#include <vector>

namespace terrapin::artifacts {
namespace {

constexpr int kMaxDepth = 64;

struct TooDeep {};  // ends the parse at once; never leaves parse_strictly

template <class Json>
Result<Json> parse_strictly(std::string_view text) {
  std::vector<std::set<std::string>> open_objects;
  std::optional<std::string> repeated;
  // `depth`: how many objects and arrays are open around what the event speaks of.
  const auto watch = [&](int depth, typename Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::array_start:
        if (depth >= kMaxDepth) throw TooDeep();
        break;
      case Json::parse_event_t::object_start:
        if (depth >= kMaxDepth) throw TooDeep();
        open_objects.emplace_back();
        break;
      case Json::parse_event_t::object_end:
        open_objects.pop_back();
        break;
      case Json::parse_event_t::key: {
        const auto& key = parsed.template get_ref<const std::string&>();
        if (!open_objects.back().insert(key).second && !repeated) repeated = key;
        break;
      }
      default:
        break;
    }
    return true;
  };
  try {
    Json json = Json::parse(text.begin(), text.end(), watch);
    if (repeated) return fail(ErrorCode::kCorrupt, "the JSON key '{}' occurs twice in one object", *repeated);
    return json;
  } catch (const TooDeep&) {
    return fail(ErrorCode::kCorrupt, "the JSON nests objects and arrays deeper than {} levels", kMaxDepth);
  } catch (const nlohmann::json::parse_error& error) {
    return fail(ErrorCode::kCorrupt, "not valid JSON at byte {}", error.byte);
  } catch (const nlohmann::json::exception& error) {  // numbers beyond double
    return fail(ErrorCode::kCorrupt, "not valid JSON: {}", error.what());
  }
}

const nlohmann::json& empty_object() {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  return kEmpty;
}
const nlohmann::json& empty_array() {
  static const nlohmann::json kEmpty = nlohmann::json::array();
  return kEmpty;
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text) {
  return parse_strictly<nlohmann::json>(text);
}

Result<nlohmann::ordered_json> parse_ordered_json(std::string_view text) {
  return parse_strictly<nlohmann::ordered_json>(text);
}

std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

std::optional<std::int64_t> parse_count(std::string_view text, std::int64_t max) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (value > max) return std::nullopt;
  return value;
}

ObjectReader::ObjectReader(const nlohmann::json& json, std::string where)
    : json_(json), where_(std::move(where)) {
  if (!json.is_object()) {
    error_ = Error{ErrorCode::kCorrupt, fmt::format("{} is {}, expected an object",
                                                    where_.empty() ? "the document" : where_, shown(json))};
  }
}

std::string ObjectReader::path_of(const std::string& name) const {
  return where_.empty() ? name : where_ + "." + name;
}

const nlohmann::json* ObjectReader::find(const std::string& name) {
  asked_.insert(name);
  if (error_) return nullptr;
  const auto found = json_.find(name);
  if (found == json_.end()) {
    error_ = Error{ErrorCode::kCorrupt, fmt::format("field '{}' is missing", path_of(name))};
    return nullptr;
  }
  return &*found;
}

void ObjectReader::refuse(const std::string& name, const nlohmann::json& value, const std::string& allowed) {
  if (error_) return;
  error_ = Error{ErrorCode::kCorrupt,
                 fmt::format("field '{}' is {}, expected {}", path_of(name), shown(value), allowed)};
}

std::string ObjectReader::text(const std::string& name) {
  const nlohmann::json* value = find(name);
  if (!value) return {};
  if (!value->is_string()) {
    refuse(name, *value, "a string");
    return {};
  }
  return value->get<std::string>();
}

std::int64_t ObjectReader::integer(const std::string& name, std::int64_t min, std::int64_t max) {
  const nlohmann::json* value = find(name);
  if (!value) return min;
  // An unsigned value above the signed range would turn negative on conversion.
  const bool huge = value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{1} << 62;
  if (!value->is_number_integer() || huge || value->get<std::int64_t>() < min ||
      value->get<std::int64_t>() > max) {
    refuse(name, *value, fmt::format("an integer from {} to {}", min, max));
    return min;
  }
  return value->get<std::int64_t>();
}

double ObjectReader::number(const std::string& name, double min, double max) {
  const nlohmann::json* value = find(name);
  if (!value) return min;
  if (!value->is_number() || !(value->get<double>() >= min && value->get<double>() <= max)) {
    refuse(name, *value, fmt::format("a number from {} to {}", min, max));
    return min;
  }
  return value->get<double>();
}

bool ObjectReader::flag(const std::string& name) {
  const nlohmann::json* value = find(name);
  if (!value) return false;
  if (!value->is_boolean()) {
    refuse(name, *value, "true or false");
    return false;
  }
  return value->get<bool>();
}

const nlohmann::json& ObjectReader::object(const std::string& name) {
  const nlohmann::json* value = find(name);
  if (!value) return empty_object();
  if (!value->is_object()) {
    refuse(name, *value, "an object");
    return empty_object();
  }
  return *value;
}

const nlohmann::json& ObjectReader::array(const std::string& name, std::int64_t count) {
  const nlohmann::json* value = find(name);
  if (!value) return empty_array();
  if (!value->is_array() || (count >= 0 && value->size() != static_cast<std::size_t>(count))) {
    refuse(name, *value, count < 0 ? std::string("an array") : fmt::format("an array of {} values", count));
    return empty_array();
  }
  return *value;
}

Status ObjectReader::finish() {
  if (error_) return tl::unexpected<Error>(*error_);
  for (const auto& [name, value] : json_.items()) {
    if (!asked_.contains(name)) {
      return fail(ErrorCode::kCorrupt, "unknown field '{}', expected one of: {}", path_of(name),
                  fmt::join(asked_, ", "));
    }
  }
  return {};
}

}  // namespace terrapin::artifacts
