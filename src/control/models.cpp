#include "control/models.h"

#include "artifacts/json_fields.h"
#include "base/json_text.h"

namespace terrapin::control {
namespace {

using nlohmann::json;

constexpr std::string_view kOurs = "semantic-segmentation";

Result<std::int64_t> whole_number(const std::string& name, const std::string& value, std::int64_t least,
                                  std::int64_t most) {
  const auto number = artifacts::parse_count(value, most);
  if (!number || *number < least)
    return fail(ErrorCode::kInvalidArgument,
                "the environment variable {} is '{}'; allowed are whole numbers from {} to {}", name, value,
                least, most);
  return *number;
}

}  // namespace

bool is_segmentation_image(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const std::size_t slash = image.rfind('/');
  std::string_view last = slash == std::string_view::npos ? image : image.substr(slash + 1);
  return last.substr(0, last.find(':')) == kOurs;
}

std::string model_spec_text(const ModelSpec& spec) {
  return json_text(json{{"version", 1},
                        {"role", spec.role},
                        {"image", spec.container.image},
                        {"data", spec.container.data},
                        {"data_as_source", spec.container.data_as_source},
                        {"hostname", spec.container.hostname},
                        {"environment", spec.container.environment},
                        {"in_list", spec.in_list}});
}

Result<ModelSpec> parse_model_spec(const std::string& name, const std::string& text) {
  TERRAPIN_TRY(const json document, artifacts::parse_json(text));
  artifacts::ObjectReader reader(document, "the spec of model " + name);
  reader.integer("version", 1, 1);
  ModelSpec spec;
  spec.name = name;
  spec.role = reader.text("role");
  spec.container.image = reader.text("image");
  spec.container.data = reader.text("data");
  spec.container.data_as_source = reader.flag("data_as_source");
  spec.container.hostname = reader.text("hostname");
  for (const auto& [key, value] : reader.object("environment").items())
    if (value.is_string()) spec.container.environment[key] = value.get<std::string>();
  spec.in_list = reader.flag("in_list");
  TERRAPIN_TRY_STATUS(reader.finish());
  return spec;
}

Result<ServerSettings> server_settings(const std::map<std::string, std::string>& environment) {
  ServerSettings settings;
  for (const auto& [name, value] : environment) {
    if (name == "TERRAPIN_LONG_SIDE") {
      TERRAPIN_TRY(settings.long_side, whole_number(name, value, 0, 65'536));
    } else if (name == "TERRAPIN_MAX_BATCH") {
      TERRAPIN_TRY(const std::int64_t number, whole_number(name, value, 1, 256));
      settings.max_batch = static_cast<int>(number);
    } else if (name.starts_with("TERRAPIN_")) {
      return fail(ErrorCode::kInvalidArgument,
                  "the environment variable {} means nothing to a model server; TERRAPIN_LONG_SIDE and "
                  "TERRAPIN_MAX_BATCH do",
                  name);
    }
  }
  return settings;
}

Result<Model> Models::create(const ModelSpec& spec, const std::string& owner,
                             const std::map<std::string, std::string>& tags) {
  const ModelContainer& container = spec.container;
  if (!is_segmentation_image(container.image))
    return fail(ErrorCode::kInvalidArgument,
                "The image '{}' cannot be had here: served is the built-in algorithm, any registry address "
                "whose repository ends in '{}'.",
                container.image, kOurs);
  TERRAPIN_TRY_STATUS(server_settings(container.environment));
  const auto where = storage::parse_s3_uri(container.data);
  const auto found = where && !where->key.empty()
                         ? objects_.head(*where)
                         : Result<storage::ObjectInfo>(fail(ErrorCode::kInvalidArgument,
                                                            "allowed is s3://BUCKET/KEY of a model.tar.gz"));
  if (!found) {
    const ErrorCode code = found.error().code;
    if (code != ErrorCode::kNotFound && code != ErrorCode::kInvalidArgument)
      return tl::unexpected<Error>(found.error());
    return fail(ErrorCode::kInvalidArgument,
                "Could not access model data at {}. Please ensure that the object exists: {}.",
                container.data, found.error().message);
  }
  Resource row;
  row.kind = kModelKind;
  row.name = spec.name;
  row.owner = owner;
  row.spec = model_spec_text(spec);
  row.state = "{}";
  row.tags = tags;
  TERRAPIN_TRY(row, resources_.create(std::move(row)));
  return Model{spec, std::move(row)};
}

Result<Model> Models::find(const std::string& name) {
  TERRAPIN_TRY(Resource row, resources_.find(kModelKind, name));
  TERRAPIN_TRY(ModelSpec spec, parse_model_spec(row.name, row.spec));
  return Model{std::move(spec), std::move(row)};
}

Status Models::remove(const std::string& name) {
  return resources_.remove(kModelKind, name);
}

}  // namespace terrapin::control
