#include "control/training_spec.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "jobs/json_members.h"

namespace terrapin::control {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

Result<DataSource::Kind> parse_kind(const std::string& name) {
  for (const auto kind :
       {DataSource::Kind::kPrefix, DataSource::Kind::kManifest, DataSource::Kind::kAugmentedManifest})
    if (name == data_source_kind_name(kind)) return kind;
  return fail(ErrorCode::kCorrupt, "'{}' is no kind of data source", name);
}

ordered_json channel_json(const DataChannel& channel) {
  ordered_json made{{"name", channel.name},
                    {"kind", data_source_kind_name(channel.source.kind)},
                    {"uri", channel.source.uri},
                    {"attributes", channel.source.attributes},
                    {"content_type", channel.content_type},
                    {"input_mode", channel.input_mode},
                    {"distribution", channel.distribution},
                    {"record_wrapper", channel.record_wrapper},
                    {"compression", channel.compression}};
  if (channel.shuffle_seed >= 0) made["shuffle_seed"] = channel.shuffle_seed;
  return made;
}

Result<DataChannel> parse_channel(const json& from) {
  DataChannel channel;
  channel.name = jobs::text_of(from, "name");
  if (channel.name.empty()) return fail(ErrorCode::kCorrupt, "a channel of a training job has no name");
  TERRAPIN_TRY(channel.source.kind, parse_kind(jobs::text_of(from, "kind")));
  channel.source.uri = jobs::text_of(from, "uri");
  channel.source.attributes = jobs::texts_of(from, "attributes");
  channel.content_type = jobs::text_of(from, "content_type");
  channel.input_mode = jobs::text_of(from, "input_mode");
  channel.distribution = jobs::text_of(from, "distribution");
  channel.record_wrapper = jobs::text_of(from, "record_wrapper");
  channel.compression = jobs::text_of(from, "compression");
  channel.shuffle_seed = jobs::integer_of(from, "shuffle_seed", -1);
  return channel;
}

}  // namespace

const char* data_source_kind_name(DataSource::Kind kind) {
  switch (kind) {
    case DataSource::Kind::kPrefix:
      return "prefix";
    case DataSource::Kind::kManifest:
      return "manifest";
    case DataSource::Kind::kAugmentedManifest:
      return "augmented-manifest";
  }
  return "prefix";
}

std::string training_spec_text(const TrainingJobSpec& spec) {
  ordered_json channels = ordered_json::array();
  for (const DataChannel& channel : spec.channels) channels.push_back(channel_json(channel));
  const ordered_json made{{"version", 1},
                          {"name", spec.name},
                          {"image", spec.image},
                          {"input_mode", spec.input_mode},
                          {"role", spec.role},
                          {"hyperparameters", spec.hyperparameters},
                          {"environment", spec.environment},
                          {"channels", std::move(channels)},
                          {"output_uri", spec.output_uri},
                          {"checkpoint_uri", spec.checkpoint_uri},
                          {"instance_type", spec.instance_type},
                          {"instance_count", spec.instance_count},
                          {"volume_gb", spec.volume_gb},
                          {"max_run_s", spec.max_run_s},
                          {"allowed_buckets", spec.allowed_buckets},
                          {"notes", spec.notes},
                          {"kept", spec.kept}};
  return json_text(made);
}

Result<TrainingJobSpec> parse_training_spec(const std::string& text) {
  TERRAPIN_TRY(const json from, jobs::parse_object(text, "the description of a training job"));
  TrainingJobSpec spec;
  spec.name = jobs::text_of(from, "name");
  if (spec.name.empty())
    return fail(ErrorCode::kCorrupt, "the description of a training job has no \"name\"");
  spec.image = jobs::text_of(from, "image");
  spec.input_mode = jobs::text_of(from, "input_mode");
  spec.role = jobs::text_of(from, "role");
  spec.hyperparameters = jobs::text_map_of(from, "hyperparameters");
  spec.environment = jobs::text_map_of(from, "environment");
  if (const auto channels = from.find("channels"); channels != from.end() && channels->is_array()) {
    for (const json& channel : *channels) {
      if (!channel.is_object())
        return fail(ErrorCode::kCorrupt, "a channel of the training job '{}' is no object", spec.name);
      TERRAPIN_TRY(DataChannel parsed, parse_channel(channel));
      spec.channels.push_back(std::move(parsed));
    }
  }
  spec.output_uri = jobs::text_of(from, "output_uri");
  spec.checkpoint_uri = jobs::text_of(from, "checkpoint_uri");
  spec.instance_type = jobs::text_of(from, "instance_type");
  spec.instance_count = static_cast<int>(jobs::integer_of(from, "instance_count", 1));
  spec.volume_gb = jobs::integer_of(from, "volume_gb", 1);
  spec.max_run_s = jobs::integer_of(from, "max_run_s", 0);
  spec.allowed_buckets = jobs::texts_of(from, "allowed_buckets");
  spec.notes = jobs::texts_of(from, "notes");
  spec.kept = jobs::text_of(from, "kept");
  return spec;
}

std::string training_output_uri(const TrainingJobSpec& spec, const std::string& file) {
  std::string uri = spec.output_uri;
  while (uri.ends_with('/')) uri.pop_back();
  return fmt::format("{}/{}/output/{}", uri, spec.name, file);
}

}  // namespace terrapin::control
