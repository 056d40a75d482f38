#include <algorithm>
#include <cmath>

#include "artifacts/json_fields.h"
#include "artifacts/model_package.h"

namespace terrapin::artifacts {
namespace {

constexpr const char* kFormat = "terrapin-model";
// Above any photo side that the decoders accept.
constexpr std::int64_t kMaxSide = 1'000'000'000;

nlohmann::json network_to_json(const NetworkSpec& network) {
  return {{"backbone", network.backbone},
          {"algorithm", network.algorithm},
          {"num_classes", network.num_classes},
          {"auxiliary_head", network.auxiliary_head},
          {"skip_channels", network.skip_channels}};
}

Result<NetworkSpec> network_from_json(const nlohmann::json& json) {
  ObjectReader reader(json, "network");
  NetworkSpec network;
  network.backbone = reader.text("backbone");
  network.algorithm = reader.text("algorithm");
  network.num_classes = static_cast<int>(reader.integer("num_classes", 1, 255));
  network.auxiliary_head = reader.flag("auxiliary_head");
  network.skip_channels = static_cast<int>(reader.integer("skip_channels", 0, 4096));
  TERRAPIN_TRY_STATUS(reader.finish());
  if (network.backbone.empty()) return fail(ErrorCode::kCorrupt, "field 'network.backbone' is empty");
  if (network.algorithm.empty()) return fail(ErrorCode::kCorrupt, "field 'network.algorithm' is empty");
  return network;
}

nlohmann::json preprocessing_to_json(const Preprocessing& preprocessing) {
  return {{"mean", preprocessing.mean},
          {"std", preprocessing.std},
          {"long_side", preprocessing.long_side},
          {"size_multiple", preprocessing.size_multiple},
          {"size_offset", preprocessing.size_offset}};
}

Status read_triple(ObjectReader& reader, const std::string& name, bool positive, std::array<double, 3>& out) {
  const nlohmann::json& values = reader.array(name, 3);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i].is_number() ? values[i].get<double>() : std::nan("");
    if (!std::isfinite(value) || (positive && value <= 0)) {
      return fail(ErrorCode::kCorrupt, "field '{}[{}]' is {}, expected a {}number", reader.path_of(name), i,
                  shown(values[i]), positive ? "positive " : "");
    }
    out[i] = value;
  }
  return {};
}

Result<Preprocessing> preprocessing_from_json(const nlohmann::json& json) {
  ObjectReader reader(json, "preprocessing");
  Preprocessing preprocessing;
  TERRAPIN_TRY_STATUS(read_triple(reader, "mean", false, preprocessing.mean));
  TERRAPIN_TRY_STATUS(read_triple(reader, "std", true, preprocessing.std));
  preprocessing.long_side = reader.integer("long_side", 0, kMaxSide);
  preprocessing.size_multiple = reader.integer("size_multiple", 1, 4096);
  preprocessing.size_offset = reader.integer("size_offset", 0, 4096);
  TERRAPIN_TRY_STATUS(reader.finish());
  return preprocessing;
}

// round(value * numerator / denominator), halves up; all non-negative.
std::int64_t scaled(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
  return (2 * value * numerator + denominator) / (2 * denominator);
}

std::int64_t input_side(const Preprocessing& preprocessing, std::int64_t side) {
  const std::int64_t multiple = std::max<std::int64_t>(preprocessing.size_multiple, 1);
  const std::int64_t rest = std::max<std::int64_t>(side - preprocessing.size_offset, 0);
  return std::max<std::int64_t>(scaled(rest, 1, multiple), 1) * multiple + preprocessing.size_offset;
}

}  // namespace

imaging::Size network_input_size(const Preprocessing& preprocessing, imaging::Size photo) {
  imaging::Size size{std::max<std::int64_t>(photo.width, 1), std::max<std::int64_t>(photo.height, 1)};
  const std::int64_t longest = std::max(size.width, size.height);
  if (preprocessing.long_side > 0) {
    size.width = scaled(size.width, preprocessing.long_side, longest);
    size.height = scaled(size.height, preprocessing.long_side, longest);
  }
  return {input_side(preprocessing, size.width), input_side(preprocessing, size.height)};
}

nlohmann::json to_json(const ModelSpec& spec) {
  return {{"format", kFormat},
          {"version", ModelSpec::kVersion},
          {"network", network_to_json(spec.network)},
          {"preprocessing", preprocessing_to_json(spec.preprocessing)},
          {"classes", to_json(spec.classes)},
          {"hyperparameters", spec.hyperparameters},
          {"training", spec.training}};
}

Result<ModelSpec> model_spec_from_json(const nlohmann::json& json) {
  // Format and version first: a newer version may have any other field.
  ObjectReader reader(json, "");
  const std::string format = reader.text("format");
  const std::int64_t version = reader.integer("version", 1, 1'000'000);
  if (format == kFormat && version > ModelSpec::kVersion) {
    return fail(ErrorCode::kUnsupported, "the model has format version {}, this program reads up to {}",
                version, ModelSpec::kVersion);
  }
  const nlohmann::json& network = reader.object("network");
  const nlohmann::json& preprocessing = reader.object("preprocessing");
  const nlohmann::json& classes = reader.array("classes");
  ModelSpec spec;
  spec.hyperparameters = reader.object("hyperparameters");
  spec.training = reader.object("training");
  TERRAPIN_TRY_STATUS(reader.finish());
  if (format != kFormat) {
    return fail(ErrorCode::kCorrupt, "field 'format' is '{}', expected '{}'", format, kFormat);
  }
  TERRAPIN_TRY(spec.network, network_from_json(network));
  TERRAPIN_TRY(spec.preprocessing, preprocessing_from_json(preprocessing));
  TERRAPIN_TRY(spec.classes, class_list_from_json(classes));
  for (const auto& [name, value] : spec.hyperparameters.items()) {
    if (!value.is_string()) {
      return fail(ErrorCode::kCorrupt, "field 'hyperparameters.{}' is {}, expected a string", name,
                  shown(value));
    }
  }
  if (spec.classes.size() != spec.network.num_classes) {
    return fail(ErrorCode::kCorrupt, "network.num_classes is {} but classes lists {}",
                spec.network.num_classes, spec.classes.size());
  }
  return spec;
}

}  // namespace terrapin::artifacts
