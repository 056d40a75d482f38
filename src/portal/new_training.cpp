#include "portal/new_training.h"

#include <algorithm>

#include "portal/fields.h"
#include "storage/object_store.h"

namespace terrapin::portal {
namespace {

using control::DataChannel;
using control::DataSource;
using nlohmann::json;

constexpr std::size_t kMaxName = 63, kMaxHyperparameters = 100, kMaxChannels = 20, kMaxAttributes = 16;
constexpr std::int64_t kMaxRunSeconds = 28 * 86'400;

Status check_uri(const std::string& member, const std::string& uri) {
  const auto name = storage::parse_s3_uri(uri);
  if (!name) return fail(ErrorCode::kInvalidArgument, "'{}': {}", member, name.error().message);
  return {};
}

Result<DataSource::Kind> parse_source_kind(const std::string& kind) {
  if (kind == "prefix") return DataSource::Kind::kPrefix;
  if (kind == "manifest") return DataSource::Kind::kManifest;
  if (kind == "augmented-manifest") return DataSource::Kind::kAugmentedManifest;
  return fail(ErrorCode::kInvalidArgument, "'kind' is '{}': allowed are prefix, manifest, augmented-manifest",
              kind);
}

bool is_channel_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                  c == '-' || c == '_';
         });
}

Result<DataChannel> channel_of(const json& from) {
  Fields fields(from);
  DataChannel channel;
  channel.name = fields.text("name");
  channel.source.uri = fields.text("uri");
  channel.content_type = fields.text_or("content_type", "");
  channel.source.attributes = fields.texts_or("attributes", {});
  const std::string kind = fields.text_or("kind", "prefix");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(channel.source.kind, parse_source_kind(kind));
  if (!is_channel_name(channel.name))
    return fail(ErrorCode::kInvalidArgument,
                "'name' is '{}': allowed are 1 to 64 letters, digits, dots, hyphens and underscores",
                channel.name);
  TERRAPIN_TRY_STATUS(check_uri("uri", channel.source.uri));
  const bool augmented = channel.source.kind == DataSource::Kind::kAugmentedManifest;
  if (augmented && (channel.source.attributes.empty() || channel.source.attributes.size() > kMaxAttributes))
    return fail(
        ErrorCode::kInvalidArgument,
        "'attributes' has {} members: an augmented manifest needs 1 to {}, the photo's and the label's, such "
        "as source-ref and turtles-ref",
        channel.source.attributes.size(), kMaxAttributes);
  if (!augmented && !channel.source.attributes.empty())
    return fail(ErrorCode::kInvalidArgument, "'attributes' goes with an augmented manifest only");
  return channel;
}

Result<std::vector<DataChannel>> channels_of(const json& list) {
  if (list.empty() || list.size() > kMaxChannels)
    return fail(ErrorCode::kInvalidArgument, "'channels' has {} members: allowed are 1 to {}", list.size(),
                kMaxChannels);
  std::vector<DataChannel> channels;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto channel = channel_of(list[i]);
    if (!channel) return fail(ErrorCode::kInvalidArgument, "'channels[{}]': {}", i, channel.error().message);
    for (const DataChannel& other : channels)
      if (other.name == channel->name)
        return fail(ErrorCode::kInvalidArgument, "'channels[{}]': there are two channels '{}'", i,
                    channel->name);
    channels.push_back(std::move(*channel));
  }
  return channels;
}

Result<std::map<std::string, std::string>> hyperparameters_of(const json& object) {
  if (object.size() > kMaxHyperparameters)
    return fail(ErrorCode::kInvalidArgument, "'hyperparameters' has {} members: allowed are at most {}",
                object.size(), kMaxHyperparameters);
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string())
      return fail(ErrorCode::kInvalidArgument, "'hyperparameters': '{}' must be a string", name);
    values[name] = value.get<std::string>();
  }
  return values;
}

}  // namespace

Status check_control_name(const char* member, const std::string& name) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (!name.empty() && name.size() <= kMaxName && plain(name.front()) && plain(name.back()) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; }))
    return {};
  return fail(ErrorCode::kInvalidArgument,
              "'{}' is '{}': allowed are 1 to {} letters, digits and hyphens between them", member, name,
              kMaxName);
}

Result<std::string> free_name(const std::string& base,
                              const std::function<Status(const std::string&)>& find) {
  constexpr int kMostTries = 1000;
  for (int number = 1; number <= kMostTries; ++number) {
    const std::string end = number == 1 ? "" : fmt::format("-{}", number);
    std::string name = base.substr(0, kMaxName - end.size());
    while (name.ends_with('-')) name.pop_back();
    name += end;
    const Status there = find(name);
    if (there) continue;
    if (there.error().code == ErrorCode::kNotFound) return name;
    return tl::unexpected<Error>(there.error());
  }
  return fail(ErrorCode::kAlreadyExists, "every name from '{}' to '{}-{}' is taken", base, base, kMostTries);
}

Result<NewTraining> new_training_of(const json& body) {
  Fields fields(body);
  NewTraining training;
  control::TrainingJobSpec& spec = training.spec;
  spec.image = kAlgorithmImage;
  spec.name = fields.text("name");
  spec.output_uri = fields.text("output_uri");
  spec.checkpoint_uri = fields.text_or("checkpoint_uri", "");
  spec.instance_type = fields.text_or("instance_type", "local");
  spec.max_run_s = fields.integer_or("max_run_s", spec.max_run_s, 1, kMaxRunSeconds);
  training.labeling_job = fields.text_or("labeling_job", "");
  training.validation_percent = static_cast<double>(
      fields.integer_or("validation_percent", static_cast<int>(kValidationPercent), 1, 90));
  const json* values = fields.object_or_none("hyperparameters");
  const bool channels_given = fields.has("channels");
  const json* channels = channels_given ? fields.list("channels") : nullptr;
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(check_control_name("name", spec.name));
  TERRAPIN_TRY_STATUS(check_uri("output_uri", spec.output_uri));
  if (!spec.checkpoint_uri.empty()) {
    TERRAPIN_TRY_STATUS(check_uri("checkpoint_uri", spec.checkpoint_uri));
  }
  if (training.labeling_job.empty() != channels_given)
    return fail(ErrorCode::kInvalidArgument, "give either 'labeling_job' or 'channels'");
  if (channels != nullptr) {
    TERRAPIN_TRY(spec.channels, channels_of(*channels));
  }
  if (values != nullptr) {
    TERRAPIN_TRY(spec.hyperparameters, hyperparameters_of(*values));
  }
  return training;
}

}  // namespace terrapin::portal
