#include "control/endpoint_configs.h"

#include <algorithm>
#include <limits>
#include <set>

#include "artifacts/json_fields.h"
#include "base/json_text.h"

namespace terrapin::control {
namespace {

using artifacts::ObjectReader;
using nlohmann::json;

constexpr std::int64_t kMostCount = 1'000'000;

std::vector<std::string> texts(const json& list) {
  std::vector<std::string> all;
  for (const json& one : list)
    if (one.is_string()) all.push_back(one.get<std::string>());
  return all;
}

json variant_json(const VariantSpec& variant) {
  return {{"name", variant.name},
          {"model", variant.model},
          {"instance_type", variant.instance_type},
          {"count", variant.count},
          {"weight", variant.weight},
          {"startup_timeout_s", variant.startup_timeout_s},
          {"download_timeout_s", variant.download_timeout_s},
          {"volume_gb", variant.volume_gb},
          {"routing", variant.routing}};
}

Result<VariantSpec> parse_variant(const json& document) {
  ObjectReader reader(document, "variant");
  VariantSpec variant;
  variant.name = reader.text("name");
  variant.model = reader.text("model");
  variant.instance_type = reader.text("instance_type");
  variant.count = static_cast<int>(reader.integer("count", 0, kMostCount));
  variant.weight = reader.number("weight", 0, std::numeric_limits<float>::max());
  variant.startup_timeout_s = static_cast<int>(reader.integer("startup_timeout_s", 0, kMostCount));
  variant.download_timeout_s = static_cast<int>(reader.integer("download_timeout_s", 0, kMostCount));
  variant.volume_gb = static_cast<int>(reader.integer("volume_gb", 0, kMostCount));
  variant.routing = reader.text("routing");
  TERRAPIN_TRY_STATUS(reader.finish());
  return variant;
}

}  // namespace

bool CaptureSpec::wants(const char* mode) const {
  return std::any_of(modes.begin(), modes.end(),
                     [&](const std::string& one) { return one == mode || one == "InputAndOutput"; });
}

json capture_json(const std::optional<CaptureSpec>& capture) {
  if (!capture) return nullptr;
  return {{"enabled", capture->enabled},         {"percent", capture->percent},
          {"destination", capture->destination}, {"modes", capture->modes},
          {"csv_types", capture->csv_types},     {"json_types", capture->json_types}};
}

Result<std::optional<CaptureSpec>> parse_capture(const json& document) {
  if (document.is_null()) return std::optional<CaptureSpec>();
  ObjectReader reader(document, "capture");
  CaptureSpec capture;
  capture.enabled = reader.flag("enabled");
  capture.percent = static_cast<int>(reader.integer("percent", 0, 100));
  capture.destination = reader.text("destination");
  capture.modes = texts(reader.array("modes"));
  capture.csv_types = texts(reader.array("csv_types"));
  capture.json_types = texts(reader.array("json_types"));
  TERRAPIN_TRY_STATUS(reader.finish());
  return std::optional<CaptureSpec>(std::move(capture));
}

json async_json(const std::optional<AsyncSpec>& asynchronous) {
  if (!asynchronous) return nullptr;
  return {{"output", asynchronous->output},
          {"failure", asynchronous->failure},
          {"max_concurrent", asynchronous->max_concurrent}};
}

Result<std::optional<AsyncSpec>> parse_async(const json& document) {
  if (document.is_null()) return std::optional<AsyncSpec>();
  ObjectReader reader(document, "async");
  AsyncSpec asynchronous;
  asynchronous.output = reader.text("output");
  asynchronous.failure = reader.text("failure");
  asynchronous.max_concurrent = static_cast<int>(reader.integer("max_concurrent", 0, kMostCount));
  TERRAPIN_TRY_STATUS(reader.finish());
  return std::optional<AsyncSpec>(std::move(asynchronous));
}

std::string endpoint_config_text(const EndpointConfigSpec& spec) {
  json variants = json::array();
  for (const VariantSpec& variant : spec.variants) variants.push_back(variant_json(variant));
  return json_text(
      json{{"version", 1},
           {"role", spec.role},
           {"variants", std::move(variants)},
           {"options", {{"capture", capture_json(spec.capture)}, {"async", async_json(spec.asynchronous)}}}});
}

Result<EndpointConfigSpec> parse_endpoint_config(const std::string& name, const std::string& text) {
  TERRAPIN_TRY(const json document, artifacts::parse_json(text));
  ObjectReader reader(document, "the spec of endpoint configuration " + name);
  reader.integer("version", 1, 1);
  EndpointConfigSpec spec;
  spec.name = name;
  spec.role = reader.text("role");
  const json& variants = reader.array("variants");
  const json& options = reader.object("options");
  TERRAPIN_TRY_STATUS(reader.finish());
  for (const json& one : variants) {
    TERRAPIN_TRY(VariantSpec variant, parse_variant(one));
    spec.variants.push_back(std::move(variant));
  }
  TERRAPIN_TRY(spec.capture, parse_capture(options.value("capture", json())));
  TERRAPIN_TRY(spec.asynchronous, parse_async(options.value("async", json())));
  return spec;
}

Result<EndpointConfig> EndpointConfigs::create(const EndpointConfigSpec& spec, const std::string& owner,
                                               const std::map<std::string, std::string>& tags) {
  std::set<std::string> names;
  double weights = 0;
  for (const VariantSpec& variant : spec.variants) {
    if (!names.insert(variant.name).second)
      return fail(ErrorCode::kInvalidArgument,
                  "The variant '{}' is there twice; every production variant needs a name of its own.",
                  variant.name);
    TERRAPIN_TRY_STATUS(slots_.of(variant.instance_type));
    const auto model = models_.find(variant.model);
    if (!model && model.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kNotFound, "{}", variant.model);
    if (!model) return tl::unexpected<Error>(model.error());
    weights += variant.weight;
  }
  if (weights <= 0)
    return fail(ErrorCode::kInvalidArgument,
                "The weights of the production variants are all 0; at least one must be above.");
  Resource row;
  row.kind = kEndpointConfigKind;
  row.name = spec.name;
  row.owner = owner;
  row.spec = endpoint_config_text(spec);
  row.state = "{}";
  row.tags = tags;
  TERRAPIN_TRY(row, resources_.create(std::move(row)));
  return EndpointConfig{spec, std::move(row)};
}

Result<EndpointConfig> EndpointConfigs::find(const std::string& name) {
  TERRAPIN_TRY(Resource row, resources_.find(kEndpointConfigKind, name));
  TERRAPIN_TRY(EndpointConfigSpec spec, parse_endpoint_config(row.name, row.spec));
  return EndpointConfig{std::move(spec), std::move(row)};
}

Status EndpointConfigs::remove(const std::string& name) {
  return resources_.remove(kEndpointConfigKind, name);
}

}  // namespace terrapin::control
