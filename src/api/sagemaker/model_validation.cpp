#include "api/sagemaker/model_validation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "api/models/pattern.h"
#include "base/json_text.h"

namespace terrapin::api {

// Generated from models/*.json.
std::string_view sagemaker_model_text();
std::string_view logs_model_text();

namespace {

using nlohmann::json;

constexpr std::size_t kShownValueBytes = 256;
constexpr std::size_t kShownFaults = 20;
// A text that is too long already is held against its pattern only up to here.
constexpr std::size_t kMatchedCharacters = 8192;

enum class Type { kStructure, kList, kMap, kString, kInteger, kLong, kFloat, kBoolean, kTimestamp };

struct Shape {
  Type type = Type::kString;
  std::map<std::string, const Shape*, std::less<>> members;  // kStructure
  std::set<std::string, std::less<>> required;
  const Shape* element = nullptr;  // of a list; a map's values
  const Shape* key = nullptr;
  std::optional<double> least, most;
  std::string pattern_text;
  std::optional<Pattern> pattern;
  std::vector<std::string> values;  // of an enumeration
  bool sensitive = false;
};

std::string lower_first(std::string_view name) {
  std::string result(name);
  if (!result.empty() && result[0] >= 'A' && result[0] <= 'Z') result[0] = static_cast<char>(result[0] + 32);
  return result;
}

std::string joined(std::string_view path, std::string_view part) {
  return path.empty() ? std::string(part) : fmt::format("{}.{}", path, part);
}

// At most kShownValueBytes, never half a character.
std::string shortened(std::string_view text) {
  if (text.size() <= kShownValueBytes) return std::string(text);
  std::size_t end = kShownValueBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string shown(const json& value) {
  if (value.is_string()) return shortened(value.get_ref<const std::string&>());
  if (value.is_array()) {
    std::string text = "[";
    for (const json& element : value) {
      if (text.size() > 1) text += ", ";
      text += shown(element);
      if (text.size() > kShownValueBytes) break;
    }
    return shortened(text + "]");
  }
  return shortened(json_text(value));
}

// What Coral's parser calls a token.
const char* token_name(const json& value) {
  if (value.is_string()) return "STRING_VALUE";
  if (value.is_number_float()) return "DECIMAL_VALUE";
  if (value.is_number()) return "NUMBER_VALUE";
  return value.is_boolean() && value.get<bool>() ? "TRUE_VALUE" : "FALSE_VALUE";
}

std::string number_text(double value) {
  return std::floor(value) == value && std::abs(value) < 1e15
             ? std::to_string(static_cast<std::int64_t>(value))
             : fmt::format("{}", value);
}

// Collects what is wrong with a value.
class Check {
 public:
  std::vector<std::string> faults;  // at most kShownFaults of them
  std::size_t count = 0;
  std::string type_fault;  // the first

  void value(const Shape& shape, const json& value, const std::string& path) {  // NOLINT(misc-no-recursion)
    if (!type_fault.empty()) return;
    switch (shape.type) {
      case Type::kStructure:
        return structure(shape, value, path);
      case Type::kList:
        return list(shape, value, path);
      case Type::kMap:
        return map(shape, value, path);
      case Type::kString:
        return text(shape, value, path);
      case Type::kInteger:
      case Type::kLong:
        return integer(shape, value, path);
      case Type::kFloat:
        if (!value.is_number()) return mistyped(value, "a Float", path);
        return bounds(shape, value, value.get<double>(), path);
      case Type::kTimestamp:
        if (!value.is_number()) return mistyped(value, "milliseconds since epoch", path);
        // Microseconds since 1970 must fit 64 bits.
        if (std::abs(value.get<double>()) > 9e12) {
          fault(shape, value, path, "be a time in seconds since 1970");
        }
        return;
      case Type::kBoolean:
        if (!value.is_boolean()) return mistyped(value, "a Boolean", path);
        return;
    }
  }

 private:
  void add(std::string text) {
    ++count;
    if (faults.size() < kShownFaults) faults.push_back(std::move(text));
  }
  void fault(const Shape& shape, const json& value, const std::string& path, const std::string& constraint) {
    add(fmt::format("Value '{}' at '{}' failed to satisfy constraint: Member must {}",
                    shape.sensitive ? "***Sensitive Data Redacted***" : shown(value), path, constraint));
  }
  void missing(const std::string& path) {
    add(fmt::format("Value null at '{}' failed to satisfy constraint: Member must not be null", path));
  }
  void mistyped(const json& value, const char* wanted, const std::string& path) {
    std::string place = path.empty() ? "the request" : fmt::format("'{}'", path);
    if (value.is_object()) {
      type_fault = fmt::format("Start of structure or map found where not expected, at {}: {} is expected",
                               place, wanted);
    } else if (value.is_array()) {
      type_fault =
          fmt::format("Start of list found where not expected, at {}: {} is expected", place, wanted);
    } else {
      type_fault = fmt::format("{} can not be converted to {}, at {}", token_name(value), wanted, place);
    }
  }

  void structure(const Shape& shape, const json& value,
                 const std::string& path) {  // NOLINT(misc-no-recursion)
    if (!value.is_object()) return mistyped(value, "a structure", path);
    for (const std::string& name : shape.required) {
      const auto found = value.find(name);
      if (found == value.end() || found->is_null()) missing(joined(path, lower_first(name)));
    }
    for (const auto& [name, member] : value.items()) {
      const auto known = shape.members.find(name);
      if (known == shape.members.end()) {
        std::string allowed;
        for (const auto& [other, unused] : shape.members) allowed += (allowed.empty() ? "" : ", ") + other;
        add(fmt::format("Unknown member \"{}\"{}; allowed: {}", shortened(name),
                        path.empty() ? "" : " at '" + path + "'", allowed.empty() ? "none" : allowed));
      } else if (!member.is_null()) {
        this->value(*known->second, member, joined(path, lower_first(name)));
      }
    }
  }

  void list(const Shape& shape, const json& value, const std::string& path) {  // NOLINT(misc-no-recursion)
    if (!value.is_array()) return mistyped(value, "a list", path);
    length(shape, value, value.size(), path);
    if (shape.most && static_cast<double>(value.size()) > *shape.most) return;
    std::size_t number = 0;
    for (const json& element : value) {
      const std::string place = fmt::format("{}.{}.member", path, ++number);
      if (element.is_null()) {
        missing(place);
      } else {
        this->value(*shape.element, element, place);
      }
    }
  }

  void map(const Shape& shape, const json& value, const std::string& path) {  // NOLINT(misc-no-recursion)
    if (!value.is_object()) return mistyped(value, "a map", path);
    length(shape, value, value.size(), path);
    if (shape.most && static_cast<double>(value.size()) > *shape.most) return;
    for (const auto& [key, element] : value.items()) {
      const std::string place = fmt::format("{}.{}", path, shortened(key));
      this->value(*shape.key, json(key), place + ".key");
      if (element.is_null()) {
        missing(place + ".value");
      } else {
        this->value(*shape.element, element, place + ".value");
      }
    }
  }

  void text(const Shape& shape, const json& value, const std::string& path) {
    if (!value.is_string()) return mistyped(value, "a String", path);
    const std::string& bytes = value.get_ref<const std::string&>();
    if (!shape.values.empty() &&
        std::find(shape.values.begin(), shape.values.end(), bytes) == shape.values.end()) {
      std::string allowed;
      for (const std::string& one : shape.values) allowed += (allowed.empty() ? "" : ", ") + one;
      fault(shape, value, path, "satisfy enum value set: [" + allowed + "]");
      return;
    }
    if (bytes.find('\0') != std::string::npos) fault(shape, value, path, "not contain the character U+0000");
    const std::u32string characters = code_points(bytes);
    const bool fits = length(shape, value, characters.size(), path);
    if (shape.pattern && (fits || characters.size() <= kMatchedCharacters) &&
        !shape.pattern->matches(std::u32string_view(characters))) {
      fault(shape, value, path, "satisfy regular expression pattern: " + shape.pattern_text);
    }
  }

  void integer(const Shape& shape, const json& value, const std::string& path) {
    const bool narrow = shape.type == Type::kInteger;
    const char* wanted = narrow ? "an Integer" : "a Long";
    if (!value.is_number_integer()) return mistyped(value, wanted, path);
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return mistyped(value, wanted, path);
    }
    const auto number = value.get<std::int64_t>();
    if (narrow && (number > std::numeric_limits<std::int32_t>::max() ||
                   number < std::numeric_limits<std::int32_t>::min())) {
      return mistyped(value, wanted, path);
    }
    bounds(shape, value, static_cast<double>(number), path);
  }

  void bounds(const Shape& shape, const json& value, double number, const std::string& path) {
    if (shape.most && number > *shape.most) {
      fault(shape, value, path, "have value less than or equal to " + number_text(*shape.most));
    }
    if (shape.least && number < *shape.least) {
      fault(shape, value, path, "have value greater than or equal to " + number_text(*shape.least));
    }
  }
  bool length(const Shape& shape, const json& value, std::size_t size, const std::string& path) {
    const auto number = static_cast<double>(size);
    if (shape.most && number > *shape.most) {
      fault(shape, value, path, "have length less than or equal to " + number_text(*shape.most));
      return false;
    }
    if (shape.least && number < *shape.least) {
      fault(shape, value, path, "have length greater than or equal to " + number_text(*shape.least));
      return false;
    }
    return true;
  }
};

std::string summary(const Check& check) {
  std::string text =
      fmt::format("{} validation error{} detected: ", check.count, check.count == 1 ? "" : "s");
  for (std::size_t i = 0; i < check.faults.size(); ++i) text += (i == 0 ? "" : "; ") + check.faults[i];
  if (check.count > check.faults.size()) {
    text += fmt::format("; and {} more", check.count - check.faults.size());
  }
  return text;
}

bool nests_too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxRequestDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// Members that are null go; checked values only, so the depth is bounded.
void drop_nulls(json& value) {  // NOLINT(misc-no-recursion)
  if (value.is_object()) {
    for (auto at = value.begin(); at != value.end();) {
      if (at->is_null()) {
        at = value.erase(at);
      } else {
        drop_nulls(*at);
        ++at;
      }
    }
  } else if (value.is_array()) {
    for (json& element : value) drop_nulls(element);
  }
}

std::optional<Type> type_named(const std::string& name) {
  static const std::map<std::string, Type> kTypes = {
      {"structure", Type::kStructure}, {"list", Type::kList},       {"map", Type::kMap},
      {"string", Type::kString},       {"integer", Type::kInteger}, {"long", Type::kLong},
      {"float", Type::kFloat},         {"double", Type::kFloat},    {"boolean", Type::kBoolean},
      {"timestamp", Type::kTimestamp}};
  const auto found = kTypes.find(name);
  return found == kTypes.end() ? std::nullopt : std::optional<Type>(found->second);
}

}  // namespace

struct ServiceModel::Document {
  struct Operation {
    const Shape* input = nullptr;
    const Shape* output = nullptr;  // null: none
  };
  std::map<std::string, Shape, std::less<>> shapes;
  std::map<std::string, Operation, std::less<>> operations;
};

ServiceModel::ServiceModel(std::unique_ptr<const Document> document) : document_(std::move(document)) {}
ServiceModel::ServiceModel(ServiceModel&&) noexcept = default;
ServiceModel& ServiceModel::operator=(ServiceModel&&) noexcept = default;
ServiceModel::~ServiceModel() = default;

Result<ServiceModel> ServiceModel::parse(std::string_view text) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object() || !root.contains("shapes") || !root.contains("operations")) {
    return fail(ErrorCode::kCorrupt, "service model: no JSON object with \"shapes\" and \"operations\"");
  }
  auto document = std::make_unique<Document>();
  for (const auto& [name, unused] : root["shapes"].items()) document->shapes[name];
  const auto named = [&](const json& reference) -> const Shape* {
    const auto found = document->shapes.find(reference.value("shape", std::string()));
    return found == document->shapes.end() ? nullptr : &found->second;
  };
  for (const auto& [name, from] : root["shapes"].items()) {
    Shape& shape = document->shapes[name];
    const std::optional<Type> type = type_named(from.value("type", std::string()));
    if (!type) return fail(ErrorCode::kCorrupt, "service model: shape {} has no known type", name);
    shape.type = *type;
    if (from.contains("min")) shape.least = from["min"].get<double>();
    if (from.contains("max")) shape.most = from["max"].get<double>();
    shape.sensitive = from.value("sensitive", false);
    for (const json& value : from.value("enum", json::array())) shape.values.push_back(value);
    for (const json& member : from.value("required", json::array())) shape.required.insert(member);
    const json members = from.value("members", json::object());
    for (const auto& [member, reference] : members.items()) {
      if ((shape.members[member] = named(reference)) == nullptr) {
        return fail(ErrorCode::kCorrupt, "service model: member {}.{} names no shape", name, member);
      }
    }
    const auto part = [&](const char* key, const Shape*& target) {
      if (from.contains(key)) target = named(from[key]);
      return target != nullptr;
    };
    if ((shape.type == Type::kList && !part("member", shape.element)) ||
        (shape.type == Type::kMap && (!part("key", shape.key) || !part("value", shape.element)))) {
      return fail(ErrorCode::kCorrupt, "service model: shape {} does not say what it holds", name);
    }
    if (from.contains("pattern")) {
      shape.pattern_text = from["pattern"];
      auto pattern = Pattern::compile(shape.pattern_text);
      if (!pattern)
        return fail(ErrorCode::kCorrupt, "service model: shape {}: {}", name, pattern.error().message);
      shape.pattern = std::move(*pattern);
    }
  }
  static const Shape kNothing{Type::kStructure, {}, {}, nullptr, nullptr, {}, {}, {}, {}, {}, false};
  for (const auto& [name, from] : root["operations"].items()) {
    Document::Operation operation{&kNothing, nullptr};
    if (from.contains("input")) operation.input = named(from["input"]);
    if (from.contains("output")) operation.output = named(from["output"]);
    if (operation.input == nullptr || (from.contains("output") && operation.output == nullptr)) {
      return fail(ErrorCode::kCorrupt, "service model: operation {} names no shape", name);
    }
    document->operations[name] = operation;
  }
  return ServiceModel(std::move(document));
}

const ServiceModel& ServiceModel::sagemaker() {
  // A compiled-in model that cannot be read is a mistake of the program: value() ends it at first use.
  static const ServiceModel kModel = parse(sagemaker_model_text()).value();
  return kModel;
}

const ServiceModel& ServiceModel::logs() {
  static const ServiceModel kModel = parse(logs_model_text()).value();
  return kModel;
}

bool ServiceModel::has_operation(std::string_view operation) const {
  return document_->operations.find(operation) != document_->operations.end();
}

std::vector<std::string> ServiceModel::operations() const {
  std::vector<std::string> names;
  for (const auto& [name, unused] : document_->operations) names.push_back(name);
  return names;
}

AwsResult<json> ServiceModel::read_request(std::string_view operation, std::string_view text) const {
  const auto serialization = [](std::string message) {
    return tl::unexpected<AwsError>(AwsError{400, "SerializationException", std::move(message), {}});
  };
  if (static_cast<std::int64_t>(text.size()) > kMaxRequestBytes) {
    return serialization(
        fmt::format("The request has {} bytes; at most {} are read", text.size(), kMaxRequestBytes));
  }
  if (nests_too_deep(text)) {
    return serialization(fmt::format("The request nests deeper than {} levels", kMaxRequestDepth));
  }
  json request = text.empty() ? json::object() : json::parse(text, nullptr, false);
  if (request.is_discarded()) return serialization("The request is not valid JSON in UTF-8");
  const auto found = document_->operations.find(operation);
  if (found == document_->operations.end()) {
    return tl::unexpected<AwsError>(AwsError{400, "UnknownOperationException", std::string(operation), {}});
  }
  Check check;
  check.value(*found->second.input, request, "");
  if (!check.type_fault.empty()) return serialization(check.type_fault);
  if (check.count > 0) {
    return tl::unexpected<AwsError>(AwsError{400, "ValidationException", summary(check), {}});
  }
  drop_nulls(request);
  return request;
}

std::vector<std::string> ServiceModel::faults_of_answer(std::string_view operation,
                                                        const json& answer) const {
  const auto found = document_->operations.find(operation);
  if (found == document_->operations.end()) return {fmt::format("no operation {}", operation)};
  if (found->second.output == nullptr) {
    return answer.is_null() ? std::vector<std::string>{} : std::vector<std::string>{"has no answer"};
  }
  Check check;
  check.value(*found->second.output, answer, "");
  if (!check.type_fault.empty()) check.faults.push_back(check.type_fault);
  return check.faults;
}

AwsError constraint_error(std::string_view value, std::string_view member_path, std::string_view constraint) {
  return {400,
          "ValidationException",
          fmt::format("1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: Member "
                      "must {}",
                      shortened(value), member_path, constraint),
          {}};
}

}  // namespace terrapin::api
