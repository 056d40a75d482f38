#include "api/sagemaker/operations/training_codec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/sagemaker/model_validation.h"
#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "base/json_text.h"
#include "storage/object_store.h"

namespace terrapin::api {
namespace {

using control::DataChannel;
using control::DataSource;
using control::TrainingJobSpec;
using nlohmann::json;

constexpr std::string_view kBuiltIn = "semantic-segmentation";
constexpr std::int64_t kMostInstances = 1000;
constexpr const char* kCheckpointPath = "/opt/ml/checkpoints";
// What a training process may be told by its environment: nothing that a loader or a library acts on.
constexpr std::string_view kVariables[] = {"OMP_DYNAMIC", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_SCHEDULE",
                                           "OMP_WAIT_POLICY"};
// Given back as they are: they watch a training, and change nothing of it.
constexpr const char* kKept[] = {"DebugHookConfig",  "DebugRuleConfigurations", "EnableManagedSpotTraining",
                                 "ExperimentConfig", "ProfilerConfig",          "ProfilerRuleConfigurations",
                                 "ResourceConfig",   "StoppingCondition"};
constexpr const char* kWatching[] = {"DebugHookConfig", "DebugRuleConfigurations", "ProfilerConfig",
                                     "ProfilerRuleConfigurations", "ExperimentConfig"};

struct Refusal {
  const char *member, *instead;
};
constexpr Refusal kRefused[] = {
    {"EnableInterContainerTrafficEncryption", "Jobs run on one machine here; leave it out."},
    {"EnableNetworkIsolation",
     "The process of a job is not cut off from the network here, so nothing that relies on it may run; leave "
     "it out, "
     "or isolate the whole server."},
    {"InfraCheckConfig", "Leave it out."},
    {"MlflowConfig", "Leave it out; metrics are in DescribeTrainingJob and in output.tar.gz."},
    {"ModelPackageConfig", "Leave it out and use CreateModel with the job's model.tar.gz."},
    {"RemoteDebugConfig", "Leave it out; the job's folder is on the server itself."},
    {"RetryStrategy", "Leave it out and start a failed job again, with CheckpointConfig where it left off."},
    {"ServerlessJobConfig", "Use AlgorithmSpecification and ResourceConfig."},
    {"SessionChainingConfig", "Leave it out."},
    {"TensorBoardOutputConfig", "Leave it out; report.html in output.tar.gz shows the curves."},
    {"VpcConfig", "Jobs have the network of this server; leave it out, or restrict the server itself."},
};

// false, "" and what holds nothing else ask for nothing.
bool asks_for_something(const json& value) {  // NOLINT(misc-no-recursion)
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  if (value.is_object() || value.is_array())
    return std::any_of(value.begin(), value.end(), [](const json& one) { return asks_for_something(one); });
  return !value.is_null();
}

AwsResult<std::string> s3_place(const std::string& uri, const std::string& member) {
  // The model lets https:// through.
  const auto name = storage::parse_s3_uri(uri);
  if (!name) return invalid("{}: {}", member, name.error().message);
  return uri;
}

AwsResult<DataSource> data_source(const json& from, const std::string& place) {
  DataSource source;
  const std::string type = from.at("S3DataType");
  if (type == "ManifestFile") {
    source.kind = DataSource::Kind::kManifest;
  } else if (type == "AugmentedManifestFile") {
    source.kind = DataSource::Kind::kAugmentedManifest;
  } else if (type != "S3Prefix") {
    return invalid("{}.S3DataType '{}' is not served; use S3Prefix, ManifestFile or AugmentedManifestFile.",
                   place, type);
  }
  TERRAPIN_AWS_TRY(source.uri, s3_place(from.at("S3Uri"), place + ".S3Uri"));
  source.attributes = from.value("AttributeNames", std::vector<std::string>());
  if (source.kind == DataSource::Kind::kAugmentedManifest && source.attributes.empty()) {
    return invalid(
        "{}.AttributeNames is needed with S3DataType AugmentedManifestFile, for example [\"source-ref\", "
        "\"label-ref\"].",
        place);
  }
  if (source.kind != DataSource::Kind::kAugmentedManifest && !source.attributes.empty()) {
    return invalid("{}.AttributeNames goes with S3DataType AugmentedManifestFile only; S3DataType is {}.",
                   place, type);
  }
  for (const char* member : {"HubAccessConfig", "ModelAccessConfig", "InstanceGroupNames"}) {
    if (from.contains(member) && asks_for_something(from[member]))
      return invalid("{}.{} is not served; leave it out.", place, member);
  }
  return source;
}

AwsResult<DataChannel> channel_of(const json& from) {
  DataChannel channel;
  channel.name = from.at("ChannelName");
  const std::string place = fmt::format("InputDataConfig channel '{}'", channel.name);
  if (channel.name == "." || channel.name == "..")
    return invalid("InputDataConfig: '{}' is no name of a channel; write a word such as train.",
                   channel.name);
  const json& data = from.at("DataSource");
  if (!data.contains("S3DataSource")) {
    return invalid(
        "{}: DataSource needs S3DataSource; other sources are not served. Copy the data to a bucket.", place);
  }
  TERRAPIN_AWS_TRY(channel.source, data_source(data["S3DataSource"], place + ": S3DataSource"));
  channel.distribution = text_member(data["S3DataSource"], "S3DataDistributionType");
  channel.content_type = text_member(from, "ContentType");
  channel.input_mode = text_member(from, "InputMode");
  channel.record_wrapper = text_member(from, "RecordWrapperType");
  channel.compression = text_member(from, "CompressionType");
  if (channel.compression == "Gzip") {
    return invalid("{}: CompressionType 'Gzip' is not served; upload the files unpacked and use None.",
                   place);
  }
  if (from.contains("ShuffleConfig")) channel.shuffle_seed = from["ShuffleConfig"].at("Seed");
  return channel;
}

AwsResult<void> check_algorithm(const json& algorithm) {
  const std::string image = text_member(algorithm, "TrainingImage");
  if (algorithm.contains("AlgorithmName")) {
    return invalid(
        "Could not find algorithm \"{}\". Served is the built-in algorithm: TrainingImage with any "
        "registry's image "
        "named {}.",
        text_member(algorithm, "AlgorithmName"), kBuiltIn);
  }
  if (image.empty()) {
    return invalid("AlgorithmSpecification needs TrainingImage: any registry's image named {}.", kBuiltIn);
  }
  TERRAPIN_AWS_TRY_STATUS(check_built_in_image(image));
  if (algorithm.contains("MetricDefinitions") && !algorithm["MetricDefinitions"].empty()) {
    return invalid(
        "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request "
        "without "
        "specifying metric definitions.");
  }
  for (const char* member : {"ContainerEntrypoint", "ContainerArguments"}) {
    if (algorithm.contains(member))
      return invalid(
          "AlgorithmSpecification.{} is not served: the built-in algorithm has its own. Leave it out.",
          member);
  }
  if (algorithm.contains("TrainingImageConfig") &&
      text_member(algorithm["TrainingImageConfig"], "TrainingRepositoryAccessMode") != "Platform") {
    return invalid(
        "AlgorithmSpecification.TrainingImageConfig is not served: no registry is asked. Leave it out.");
  }
  return {};
}

AwsResult<void> read_resources(const json& input, TrainingJobSpec& spec) {
  if (!input.contains("ResourceConfig"))
    return invalid("ResourceConfig is needed, with InstanceType and InstanceCount.");
  const json& resources = input["ResourceConfig"];
  TERRAPIN_AWS_TRY_STATUS(refuse_member(
      resources, "VolumeKmsKeyId", "Disks are the server's own, encrypted or not as it is; leave it out."));
  TERRAPIN_AWS_TRY_STATUS(refuse_member(resources, "InstanceGroups",
                                        "Use InstanceType and InstanceCount of one kind of machine."));
  TERRAPIN_AWS_TRY_STATUS(refuse_member(resources, "InstancePlacementConfig", "Leave it out."));
  TERRAPIN_AWS_TRY_STATUS(refuse_member(resources, "TrainingPlanArn", "Leave it out."));
  if (!resources.contains("InstanceType") || !resources.contains("InstanceCount"))
    return invalid("ResourceConfig needs InstanceType and InstanceCount.");
  spec.instance_type = resources.at("InstanceType");
  const auto count = resources.at("InstanceCount").get<std::int64_t>();
  if (count < 1) {
    return tl::unexpected<AwsError>(constraint_error(std::to_string(count), "resourceConfig.instanceCount",
                                                     "have value greater than or equal to 1"));
  }
  if (count > kMostInstances) {
    return invalid(
        "ResourceConfig.InstanceCount {} is more than this service starts; at most {} are allowed.", count,
        kMostInstances);
  }
  for (const DataChannel& channel : spec.channels) {
    if (count == 1 || channel.distribution != "ShardedByS3Key") continue;
    return invalid(
        "InputDataConfig channel '{}': S3DataDistributionType 'ShardedByS3Key' is not served with "
        "InstanceCount {}: all instances draw from the same order of all photos. Use FullyReplicated.",
        channel.name, count);
  }
  spec.instance_count = static_cast<int>(count);
  spec.volume_gb = resources.value("VolumeSizeInGB", std::int64_t{1});
  return {};
}

AwsResult<void> read_environment(const json& input, TrainingJobSpec& spec) {
  spec.environment = input.value("Environment", std::map<std::string, std::string>());
  for (const auto& [name, value] : spec.environment) {
    if (std::find(std::begin(kVariables), std::end(kVariables), name) != std::end(kVariables)) continue;
    return invalid(
        "Environment '{}' is not served: the built-in algorithm is told by HyperParameters. Allowed are {}.",
        name, fmt::join(kVariables, ", "));
  }
  return {};
}

AwsResult<void> read_checkpoints(const json& input, TrainingJobSpec& spec) {
  if (!input.contains("CheckpointConfig")) return {};
  const json& checkpoints = input["CheckpointConfig"];
  const std::string path = checkpoints.value("LocalPath", std::string(kCheckpointPath));
  if (path != kCheckpointPath && path != std::string(kCheckpointPath) + "/") {
    return invalid("CheckpointConfig.LocalPath '{}' is not served: the built-in algorithm writes to {}.",
                   path, kCheckpointPath);
  }
  TERRAPIN_AWS_TRY(spec.checkpoint_uri, s3_place(checkpoints.at("S3Uri"), "CheckpointConfig.S3Uri"));
  return {};
}

json channel_json(const DataChannel& channel) {
  const char* type = channel.source.kind == DataSource::Kind::kPrefix     ? "S3Prefix"
                     : channel.source.kind == DataSource::Kind::kManifest ? "ManifestFile"
                                                                          : "AugmentedManifestFile";
  json source{
      {"S3DataType", type},
      {"S3Uri", channel.source.uri},
      {"S3DataDistributionType", channel.distribution.empty() ? "FullyReplicated" : channel.distribution}};
  if (!channel.source.attributes.empty()) source["AttributeNames"] = channel.source.attributes;
  json made{{"ChannelName", channel.name},
            {"DataSource", {{"S3DataSource", std::move(source)}}},
            {"CompressionType", channel.compression.empty() ? "None" : channel.compression},
            {"RecordWrapperType", channel.record_wrapper.empty() ? "None" : channel.record_wrapper}};
  if (!channel.content_type.empty()) made["ContentType"] = channel.content_type;
  if (!channel.input_mode.empty()) made["InputMode"] = channel.input_mode;
  if (channel.shuffle_seed >= 0) made["ShuffleConfig"] = {{"Seed", channel.shuffle_seed}};
  return made;
}

json algorithm_json(const TrainingJobSpec& spec) {
  return {{"TrainingImage", spec.image},
          {"TrainingInputMode", spec.input_mode},
          {"MetricDefinitions", metric_definitions()},
          {"EnableSageMakerMetricsTimeSeries", false}};
}

json transitions_json(const control::TrainingJobState& state) {
  json list = json::array();
  for (const control::TrainingTransition& one : state.transitions) {
    json made{{"Status", control::training_step_name(one.step)},
              {"StartTime", epoch_seconds(one.start)},
              {"StatusMessage", one.message}};
    if (one.end) made["EndTime"] = epoch_seconds(*one.end);
    list.push_back(std::move(made));
  }
  return list;
}

std::string arn_of(const control::TrainingJob& job, const Place& place) {
  return control_arn(place, control::kTrainingJobKind, job.spec.name);
}

}  // namespace

json metric_definitions() {
  json definitions = json::array();
  for (const std::string& name : control::training_metric_names())
    definitions.push_back({{"Name", name}, {"Regex", name + "=(\\S+)"}});
  return definitions;
}

AwsResult<void> refuse_member(const json& input, const char* member, const char* instead) {
  const auto found = input.find(member);
  if (found == input.end() || !asks_for_something(*found)) return {};
  return invalid("{} is not served. {}", member, instead);
}

AwsResult<void> check_built_in_image(const std::string& image) {
  std::string name = image.substr(0, image.find('@'));
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string::npos ? 0 : slash);
  name = name.substr(0, colon);
  const std::string last = slash == std::string::npos ? name : name.substr(slash + 1);
  if (last == kBuiltIn) return {};
  const std::size_t host_end = name.find('/');
  const std::string host = host_end == std::string::npos ? std::string() : name.substr(0, host_end);
  const std::string repository = host_end == std::string::npos ? name : name.substr(host_end + 1);
  return invalid(
      "Cannot find repository: {} in registry ID: {}. No registry is asked here: served is the built-in "
      "algorithm, as "
      "any registry's image named {}.",
      repository, host.substr(0, host.find('.')), kBuiltIn);
}

AwsResult<std::vector<DataChannel>> training_channels(const json& list) {
  std::vector<DataChannel> channels;
  for (const json& one : list) {
    TERRAPIN_AWS_TRY(DataChannel channel, channel_of(one));
    for (const DataChannel& other : channels)
      if (other.name == channel.name)
        return invalid("InputDataConfig has two channels '{}'; every name can be given once.", channel.name);
    channels.push_back(std::move(channel));
  }
  return channels;
}

AwsResult<TrainingJobSpec> training_job_spec(const json& input) {
  TrainingJobSpec spec;
  spec.name = input.at("TrainingJobName");
  spec.role = input.at("RoleArn");
  for (const Refusal& one : kRefused) {
    TERRAPIN_AWS_TRY_STATUS(refuse_member(input, one.member, one.instead));
  }
  if (!input.contains("AlgorithmSpecification")) return invalid("AlgorithmSpecification is needed.");
  const json& algorithm = input["AlgorithmSpecification"];
  TERRAPIN_AWS_TRY_STATUS(check_algorithm(algorithm));
  spec.image = algorithm.at("TrainingImage");
  spec.input_mode = algorithm.at("TrainingInputMode");
  spec.hyperparameters = input.value("HyperParameters", std::map<std::string, std::string>());
  TERRAPIN_AWS_TRY_STATUS(read_environment(input, spec));
  TERRAPIN_AWS_TRY(spec.channels, training_channels(input.value("InputDataConfig", json::array())));
  const json& output = input.at("OutputDataConfig");
  TERRAPIN_AWS_TRY_STATUS(
      refuse_member(output, "KmsKeyId",
                    "Objects are stored as the server stores them; leave it out, or encrypt its disk."));
  if (text_member(output, "CompressionType") == "NONE") {
    return invalid(
        "OutputDataConfig.CompressionType 'NONE' is not served: a model is one model.tar.gz. Use GZIP.");
  }
  TERRAPIN_AWS_TRY(spec.output_uri, s3_place(output.at("S3OutputPath"), "OutputDataConfig.S3OutputPath"));
  TERRAPIN_AWS_TRY_STATUS(read_checkpoints(input, spec));
  TERRAPIN_AWS_TRY_STATUS(read_resources(input, spec));
  if (input.contains("StoppingCondition")) {
    const json& stopping = input["StoppingCondition"];
    spec.max_run_s = stopping.value("MaxRuntimeInSeconds", spec.max_run_s);
    const bool spot = input.value("EnableManagedSpotTraining", false);
    if (stopping.contains("MaxWaitTimeInSeconds")) {
      const auto wait = stopping["MaxWaitTimeInSeconds"].get<std::int64_t>();
      if (!spot)
        return invalid(
            "StoppingCondition.MaxWaitTimeInSeconds goes with EnableManagedSpotTraining only; leave it out.");
      if (wait < spec.max_run_s)
        return invalid(
            "StoppingCondition.MaxWaitTimeInSeconds {} is less than MaxRuntimeInSeconds {}; it must be at "
            "least as "
            "long.",
            wait, spec.max_run_s);
    }
  }
  json kept = json::object();
  for (const char* member : kKept)
    if (input.contains(member)) kept[member] = input[member];
  spec.kept = json_text(kept);
  for (const char* member : kWatching)
    if (input.contains(member))
      spec.notes.push_back(fmt::format("{} is kept with the job and has no effect here", member));
  return spec;
}

json training_job_description(const control::TrainingJob& job, const Place& place) {
  const TrainingJobSpec& spec = job.spec;
  const control::TrainingJobState& state = job.state;
  json answer = json::parse(spec.kept.empty() ? "{}" : spec.kept, nullptr, false);
  if (!answer.is_object()) answer = json::object();
  answer["TrainingJobName"] = spec.name;
  answer["TrainingJobArn"] = arn_of(job, place);
  answer["TrainingJobStatus"] = control::batch_status_name(state.status);
  answer["SecondaryStatus"] = control::training_step_name(state.transitions.back().step);
  answer["SecondaryStatusTransitions"] = transitions_json(state);
  answer["AlgorithmSpecification"] = algorithm_json(spec);
  answer["RoleArn"] = spec.role;
  answer["HyperParameters"] = spec.hyperparameters;
  json channels = json::array();
  for (const DataChannel& channel : spec.channels) channels.push_back(channel_json(channel));
  if (!channels.empty()) answer["InputDataConfig"] = std::move(channels);
  answer["OutputDataConfig"] = {
      {"KmsKeyId", ""}, {"S3OutputPath", spec.output_uri}, {"CompressionType", "GZIP"}};
  json& resources = answer["ResourceConfig"];
  if (!resources.is_object()) resources = json::object();
  resources["InstanceType"] = spec.instance_type;
  resources["InstanceCount"] = spec.instance_count;
  resources["VolumeSizeInGB"] = spec.volume_gb;
  json& stopping = answer["StoppingCondition"];
  if (!stopping.is_object()) stopping = json::object();
  stopping["MaxRuntimeInSeconds"] = spec.max_run_s;
  if (!spec.checkpoint_uri.empty())
    answer["CheckpointConfig"] = {{"S3Uri", spec.checkpoint_uri}, {"LocalPath", kCheckpointPath}};
  if (!spec.environment.empty()) answer["Environment"] = spec.environment;
  answer["EnableNetworkIsolation"] = false;
  answer["EnableInterContainerTrafficEncryption"] = false;
  if (!answer.contains("EnableManagedSpotTraining")) answer["EnableManagedSpotTraining"] = false;
  answer["CreationTime"] = epoch_seconds(job.resource.created);
  answer["LastModifiedTime"] = epoch_seconds(job.resource.modified);
  if (state.started) answer["TrainingStartTime"] = epoch_seconds(*state.started);
  if (state.ended) {
    answer["TrainingEndTime"] = epoch_seconds(*state.ended);
    answer["TrainingTimeInSeconds"] = state.seconds();
    answer["BillableTimeInSeconds"] = state.seconds() * spec.instance_count;
  }
  if (!state.failure_reason.empty()) answer["FailureReason"] = state.failure_reason;
  if (!state.model_uri.empty()) answer["ModelArtifacts"] = {{"S3ModelArtifacts", state.model_uri}};
  json metrics = json::array();
  for (const control::MetricValue& one : state.metrics)
    metrics.push_back(
        {{"MetricName", one.name}, {"Value", one.value}, {"Timestamp", epoch_seconds(one.time)}});
  if (!metrics.empty()) answer["FinalMetricDataList"] = std::move(metrics);
  if (job.resource.parent.size() > 0)
    answer["TuningJobArn"] = control_arn(place, control::kTuningJobKind, job.resource.parent);
  return answer;
}

json training_job_summary(const control::TrainingJob& job, const Place& place) {
  json summary{{"TrainingJobName", job.spec.name},
               {"TrainingJobArn", arn_of(job, place)},
               {"CreationTime", epoch_seconds(job.resource.created)},
               {"LastModifiedTime", epoch_seconds(job.resource.modified)},
               {"TrainingJobStatus", control::batch_status_name(job.state.status)},
               {"SecondaryStatus", control::training_step_name(job.state.transitions.back().step)}};
  if (job.state.ended) summary["TrainingEndTime"] = epoch_seconds(*job.state.ended);
  return summary;
}

}  // namespace terrapin::api
