#include "api/sagemaker/operations/transform_codec.h"

#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/training_codec.h"
#include "base/json_text.h"
#include "storage/object_store.h"

namespace terrapin::api {
namespace {

using control::DataSource;
using control::TransformSpec;
using nlohmann::json;

// Given back as they are.
constexpr const char* kKeptMembers[] = {
    "BatchStrategy",  "DataProcessing",    "Environment",    "ExperimentConfig", "MaxConcurrentTransforms",
    "MaxPayloadInMB", "ModelClientConfig", "TransformInput", "TransformOutput",  "TransformResources"};

AwsResult<std::string> s3_place(const json& from, const char* member, const char* path) {
  // The model lets https:// through.
  const std::string uri = from.at(member);
  const auto name = storage::parse_s3_uri(uri);
  if (!name) return invalid("{}: {}", path, name.error().message);
  return uri;
}

AwsResult<void> read_input(const json& input, TransformSpec& spec) {
  const json& data = input.at("DataSource").at("S3DataSource");
  const std::string type = data.at("S3DataType");
  if (type == "ManifestFile") {
    spec.source.kind = DataSource::Kind::kManifest;
  } else if (type != "S3Prefix") {
    return invalid(
        "TransformInput.DataSource.S3DataSource.S3DataType '{}' is not served; use S3Prefix or ManifestFile.",
        type);
  }
  TERRAPIN_AWS_TRY(spec.source.uri, s3_place(data, "S3Uri", "TransformInput.DataSource.S3DataSource.S3Uri"));
  spec.content_type = text_member(input, "ContentType");
  const std::string split = text_member(input, "SplitType");
  if (!split.empty() && split != "None") {
    return invalid(
        "TransformInput.SplitType '{}' is not served: every object is one photo. Use None, with one photo in "
        "an object.",
        split);
  }
  if (text_member(input, "CompressionType") == "Gzip") {
    return invalid(
        "TransformInput.CompressionType 'Gzip' is not served: JPEG and PNG are compressed already. Upload "
        "the photos as they are and use None.");
  }
  return {};
}

AwsResult<void> read_output(const json& output, TransformSpec& spec) {
  TERRAPIN_AWS_TRY_STATUS(
      refuse_member(output, "KmsKeyId",
                    "Objects are stored as the server stores them; leave it out, or encrypt its disk."));
  TERRAPIN_AWS_TRY(spec.output_uri, s3_place(output, "S3OutputPath", "TransformOutput.S3OutputPath"));
  spec.accept = text_member(output, "Accept");
  spec.join_lines = text_member(output, "AssembleWith") == "Line";
  return {};
}

AwsResult<void> check_processing(const json& input) {
  if (!input.contains("DataProcessing")) return {};
  const json& processing = input["DataProcessing"];
  for (const char* filter : {"InputFilter", "OutputFilter"}) {
    const std::string path = text_member(processing, filter);
    if (!path.empty() && path != "$")
      return invalid("DataProcessing.{} '{}' is not served: a photo and its mask have no parts. Use $.",
                     filter, path);
  }
  if (text_member(processing, "JoinSource") == "Input") {
    return invalid(
        "DataProcessing.JoinSource 'Input' is not served: a photo and its mask cannot be joined. Use None.");
  }
  return {};
}

}  // namespace

AwsResult<TransformSpec> transform_spec(const json& input, const control::ModelSpec& model) {
  TransformSpec spec;
  spec.name = input.at("TransformJobName");
  spec.model = model.name;
  spec.model_uri = model.container.data;
  spec.environment = model.container.environment;
  for (const auto& [name, value] : input.value("Environment", std::map<std::string, std::string>()))
    spec.environment[name] = value;
  if (const auto settings = control::server_settings(spec.environment); !settings)
    return invalid("Environment: {}", settings.error().message);
  TERRAPIN_AWS_TRY_STATUS(read_input(input.at("TransformInput"), spec));
  TERRAPIN_AWS_TRY_STATUS(read_output(input.at("TransformOutput"), spec));
  TERRAPIN_AWS_TRY_STATUS(check_processing(input));
  TERRAPIN_AWS_TRY_STATUS(refuse_member(input, "DataCaptureConfig",
                                        "Photos and masks lie in their buckets already; leave it out."));
  if (text_member(input, "BatchStrategy") == "MultiRecord") {
    return invalid(
        "BatchStrategy 'MultiRecord' goes with a SplitType only: every object is one photo. Use "
        "SingleRecord; the model server predicts several photos together by itself.");
  }
  const json& resources = input.at("TransformResources");
  TERRAPIN_AWS_TRY_STATUS(refuse_member(
      resources, "VolumeKmsKeyId", "Disks are the server's own, encrypted or not as it is; leave it out."));
  TERRAPIN_AWS_TRY_STATUS(refuse_member(resources, "TransformAmiVersion", "Leave it out."));
  spec.instance_type = resources.at("InstanceType");
  spec.instance_count = resources.at("InstanceCount");
  if (spec.instance_count > 1)
    spec.notes.push_back(fmt::format(
        "TransformResources.InstanceCount is {}: one machine does all of it here", spec.instance_count));
  spec.max_concurrent = input.value("MaxConcurrentTransforms", 0);
  spec.max_payload_mb = input.value("MaxPayloadInMB", std::int64_t{0});
  if (input.contains("ModelClientConfig")) {
    const json& client = input["ModelClientConfig"];
    spec.timeout_s = client.value("InvocationsTimeoutInSeconds", spec.timeout_s);
    spec.retries = client.value("InvocationsMaxRetries", spec.retries);
  }
  if (input.contains("ExperimentConfig"))
    spec.notes.emplace_back("ExperimentConfig is kept with the job and has no effect here");
  json kept = json::object();
  for (const char* member : kKeptMembers)
    if (input.contains(member)) kept[member] = input[member];
  spec.kept = json_text(kept);
  if (const Status checked = control::check_transform_spec(spec); !checked)
    return invalid("{}.", checked.error().message);
  return spec;
}

json transform_job_description(const control::TransformJob& job, const Place& place) {
  json answer = json::parse(job.spec.kept.empty() ? "{}" : job.spec.kept, nullptr, false);
  if (!answer.is_object()) answer = json::object();
  answer.update(transform_job_summary(job, place));
  answer.erase("LastModifiedTime");
  answer["ModelName"] = job.spec.model;
  if (job.state.started) answer["TransformStartTime"] = epoch_seconds(*job.state.started);
  json& data_processing = answer["DataProcessing"];
  if (!data_processing.is_object()) data_processing = json::object();
  data_processing.update({{"InputFilter", "$"}, {"OutputFilter", "$"}, {"JoinSource", "None"}});
  return answer;
}

json transform_job_summary(const control::TransformJob& job, const Place& place) {
  json summary{{"TransformJobName", job.spec.name},
               {"TransformJobArn", control_arn(place, control::kTransformJobKind, job.spec.name)},
               {"CreationTime", epoch_seconds(job.resource.created)},
               {"LastModifiedTime", epoch_seconds(job.resource.modified)},
               {"TransformJobStatus", control::batch_status_name(job.state.status)}};
  if (job.state.ended) summary["TransformEndTime"] = epoch_seconds(*job.state.ended);
  if (!job.state.failure_reason.empty()) summary["FailureReason"] = job.state.failure_reason;
  return summary;
}

}  // namespace terrapin::api
