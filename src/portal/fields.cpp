#include "portal/fields.h"

namespace terrapin::portal {

using nlohmann::json;

Fields::Fields(const json& object) : object_(object) {
  if (!object.is_object()) refuse("the body must be a JSON object");
}

void Fields::refuse(const std::string& message) {
  if (problem_.empty()) problem_ = message;
}

const json* Fields::find(const char* name, bool needed) {
  known_.insert(name);
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  if (found != object_.end() && !found->is_null()) return &*found;
  if (needed) refuse(fmt::format("'{}' is missing", name));
  return nullptr;
}

std::optional<std::string> Fields::checked(const char* name, const json& value) {
  if (!value.is_string()) {
    refuse(fmt::format("'{}' must be a string", name));
    return std::nullopt;
  }
  const auto& text = value.get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) {
    refuse(fmt::format("'{}' must not hold a zero character", name));
    return std::nullopt;
  }
  return text;
}

std::string Fields::text(const char* name) {
  const json* value = find(name, true);
  return value ? checked(name, *value).value_or("") : std::string();
}

std::string Fields::text_or(const char* name, const std::string& otherwise) {
  const json* value = find(name, false);
  return value ? checked(name, *value).value_or("") : otherwise;
}

bool Fields::flag_or(const char* name, bool otherwise) {
  const json* value = find(name, false);
  if (value && !value->is_boolean()) refuse(fmt::format("'{}' must be true or false", name));
  return value && value->is_boolean() ? value->get<bool>() : otherwise;
}

std::int64_t Fields::integer(const char* name, std::int64_t least, std::int64_t most) {
  (void)find(name, true);
  return integer_or(name, least, least, most);
}

std::int64_t Fields::integer_or(const char* name, std::int64_t otherwise, std::int64_t least,
                                std::int64_t most) {
  const json* value = find(name, false);
  if (!value) return otherwise;
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<std::uint64_t>() <= INT64_MAX) &&
                    value->get<std::int64_t>() >= least && value->get<std::int64_t>() <= most;
  if (!fits) refuse(fmt::format("'{}' must be an integer of {} to {}", name, least, most));
  return fits ? value->get<std::int64_t>() : otherwise;
}

double Fields::number_or(const char* name, double otherwise, double least, double most) {
  const json* value = find(name, false);
  if (!value) return otherwise;
  const bool fits = value->is_number() && value->get<double>() >= least && value->get<double>() <= most;
  if (!fits) refuse(fmt::format("'{}' must be a number of {} to {}", name, least, most));
  return fits ? value->get<double>() : otherwise;
}

std::vector<std::string> Fields::texts_or(const char* name, const std::vector<std::string>& otherwise) {
  const json* value = find(name, false);
  if (!value) return otherwise;
  if (!value->is_array()) {
    refuse(fmt::format("'{}' must be a list of strings", name));
    return otherwise;
  }
  std::vector<std::string> texts;
  for (const json& one : *value) texts.push_back(checked(name, one).value_or(""));
  return texts;
}

const json* Fields::list(const char* name) {
  const json* value = find(name, true);
  if (value && !value->is_array()) refuse(fmt::format("'{}' must be a list", name));
  return value && value->is_array() ? value : nullptr;
}

const json* Fields::object_or_none(const char* name) {
  const json* value = find(name, false);
  if (value && !value->is_object()) refuse(fmt::format("'{}' must be an object", name));
  return value && value->is_object() ? value : nullptr;
}

Status Fields::finish() {
  if (object_.is_object()) {
    for (const auto& [name, value] : object_.items()) {
      if (!known_.contains(name)) refuse(fmt::format("'{}' is no member here", name));
    }
  }
  if (problem_.empty()) return {};
  return fail(ErrorCode::kInvalidArgument, "{}", problem_);
}

}  // namespace terrapin::portal
