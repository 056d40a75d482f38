#include "networks/assist_model.h"

#include <cmath>

#include "artifacts/json_fields.h"
#include "base/json_text.h"
#include "networks/pretrained.h"

namespace terrapin::networks {
namespace {

constexpr const char* kFormat = "terrapin-assist";
constexpr const char* kMetadata = "assist";
constexpr const char* kFileName = "assist.safetensors";

nlohmann::json spec_fields(const AssistSpec& spec) {
  return {{"backbone", "mobilenet-v2"},
          {"width", spec.width},
          {"side", spec.side},
          {"margin", spec.margin},
          {"max_stretch", spec.max_stretch},
          {"point_radius", spec.point_radius}};
}

Result<AssistModel> parse(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail(ErrorCode::kCorrupt, "its metadata '{}' is no JSON object", kMetadata);
  artifacts::ObjectReader reader(json, "");
  const std::string format = reader.text("format");
  const std::int64_t version = reader.integer("version", 1, 1'000'000);
  if (format == kFormat && version > AssistSpec::kVersion) {
    return fail(ErrorCode::kUnsupported,
                "the assistance model has format version {}, this program reads up to {}", version,
                AssistSpec::kVersion);
  }
  if (format != kFormat)
    return fail(ErrorCode::kCorrupt, "field 'format' is '{}', expected '{}'", format, kFormat);
  AssistModel model;
  artifacts::ObjectReader network(reader.object("network"), "network");
  const std::string backbone = network.text("backbone");
  model.spec.width = static_cast<int>(network.integer("width", 8, 256));
  model.spec.side = network.integer("side", 65, 1025);
  model.spec.margin = network.number("margin", 0, 2);
  model.spec.max_stretch = network.number("max_stretch", 1, 16);
  model.spec.point_radius = network.number("point_radius", 0.5, 64);
  TERRAPIN_TRY_STATUS(network.finish());
  model.training = reader.object("training");
  TERRAPIN_TRY_STATUS(reader.finish());
  if (backbone != "mobilenet-v2") {
    return fail(ErrorCode::kUnsupported, "field 'network.backbone' is '{}', expected 'mobilenet-v2'",
                backbone);
  }
  if (auto status = check_assist_spec(model.spec); !status) {
    status.error().code = ErrorCode::kCorrupt;
    return tl::unexpected<Error>(std::move(status.error()));
  }
  return model;
}

}  // namespace

nlohmann::json to_json(const AssistSpec& spec) {
  return spec_fields(spec);
}

Status check_assist_spec(const AssistSpec& spec) {
  if (spec.width < 8 || spec.width > 256 || spec.width % 4 != 0) {
    return fail(ErrorCode::kInvalidArgument, "width {} is not a multiple of 4 in 8..256", spec.width);
  }
  if (spec.side < 65 || spec.side > 1025 || spec.side % 16 != 1) {
    return fail(ErrorCode::kInvalidArgument, "side {} is not 16 k + 1 in 65..1025", spec.side);
  }
  if (!(spec.margin >= 0 && spec.margin <= 2)) {
    return fail(ErrorCode::kInvalidArgument, "margin {} is outside 0..2", spec.margin);
  }
  if (!(spec.max_stretch >= 1 && spec.max_stretch <= 16)) {
    return fail(ErrorCode::kInvalidArgument, "max_stretch {} is outside 1..16", spec.max_stretch);
  }
  if (!(spec.point_radius >= 0.5 && spec.point_radius <= 64)) {
    return fail(ErrorCode::kInvalidArgument, "point_radius {} is outside 0.5..64", spec.point_radius);
  }
  return {};
}

Status write_assist_model(const std::filesystem::path& path, const AssistModel& model) {
  if (auto status = check_assist_spec(model.spec); !status)
    return with_context(status.error(), path.string());
  if (auto status = artifacts::check_tensors(model.weights); !status) {
    return with_context(status.error(), path.string());
  }
  artifacts::TensorFile file = model.weights;
  file.metadata.clear();
  file.metadata[kMetadata] = json_text(nlohmann::json{{"format", kFormat},
                                                      {"version", AssistSpec::kVersion},
                                                      {"network", to_json(model.spec)},
                                                      {"training", model.training}});
  return artifacts::write_safetensors(path, file);
}

std::filesystem::path assist_model_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? path / kFileName : path;
}

Result<AssistModel> read_assist_model(const std::filesystem::path& given) {
  const std::filesystem::path path = assist_model_file(given);
  TERRAPIN_TRY(artifacts::TensorFile file, artifacts::read_safetensors(path));
  const auto metadata = file.metadata.find(kMetadata);
  if (metadata == file.metadata.end()) {
    return fail(
        ErrorCode::kInvalidArgument,
        "{} is no assistance model: its header has no metadata '{}' (terrapin train-assist makes one)",
        path.string(), kMetadata);
  }
  auto model = parse(metadata->second);
  if (!model) return with_context(model.error(), path.string());
  file.metadata.clear();
  model->weights = std::move(file);
  return model;
}

std::filesystem::path shipped_assist_model() {
  return shipped_weights_folder() / "assist-mobilenet-v2.safetensors";
}

}  // namespace terrapin::networks
