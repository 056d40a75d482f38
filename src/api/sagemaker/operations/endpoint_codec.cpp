#include "api/sagemaker/operations/endpoint_codec.h"

#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "base/text.h"

namespace terrapin::api {
namespace {

using control::DeployedVariant;
using control::Deployment;
using control::Instance;
using nlohmann::json;

struct Unserved {
  const char *member, *why;
};

// A promise that is not kept is refused; a member that says "no" is fine.
AwsResult<void> refuse_unserved(const json& input, const std::string& where,
                                std::initializer_list<Unserved> members) {
  for (const auto& [member, why] : members) {
    const auto found = input.find(member);
    if (found == input.end() || *found == false || (found->is_array() && found->empty())) continue;
    return invalid("{}{} is not served: {}.", where, member, why);
  }
  return {};
}

// "s3://bucket/..." of a member that may say https as well.
AwsResult<void> check_s3(const std::string& uri, const std::string& member) {
  if (const auto name = storage::parse_s3_uri(uri); !name)
    return invalid("{} '{}' is no place of this object store; allowed is s3://BUCKET/KEY.", member, uri);
  return {};
}

AwsResult<control::ModelContainer> container_of(const json& input, const std::string& where) {
  TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
      input, where,
      {{"ModelPackageName", "there is no model registry here; give Image and ModelDataUrl"},
       {"InferenceSpecificationName", "there is no model registry here; give Image and ModelDataUrl"},
       {"AdditionalModelDataSources", "the built-in algorithm reads one model.tar.gz"},
       {"ContainerMetricsConfig", "model servers publish no metrics of their own"},
       {"ImageConfig", "images are not pulled here; the built-in algorithm is part of the program"},
       {"MultiModelConfig", "a server serves one model; make a variant for each"}}));
  if (input.value("Mode", "SingleModel") != "SingleModel")
    return invalid("{}Mode 'MultiModel' is not served: a server serves one model; make a variant for each.",
                   where);
  control::ModelContainer container;
  container.image = text_member(input, "Image");
  if (container.image.empty())
    return invalid(
        "{}Image is missing: name the built-in algorithm's, any registry address that ends in "
        "semantic-segmentation.",
        where);
  container.hostname = text_member(input, "ContainerHostname");
  const json environment = input.value("Environment", json::object());
  for (const auto& [name, value] : environment.items())
    container.environment[name] = value.get<std::string>();
  container.data = text_member(input, "ModelDataUrl");
  if (const auto source = input.find("ModelDataSource");
      source != input.end() && source->contains("S3DataSource")) {
    const json& place = source->at("S3DataSource");
    if (!container.data.empty())
      return invalid("{0}ModelDataUrl and {0}ModelDataSource are both given; one of them is allowed.", where);
    TERRAPIN_AWS_TRY_STATUS(
        refuse_unserved(place, where + "ModelDataSource.S3DataSource.",
                        {{"HubAccessConfig", "there is no hub here"},
                         {"ModelAccessConfig", "models here have no license to be accepted"},
                         {"ManifestS3Uri", "the model is one object"},
                         {"ManifestEtag", "the model is one object"},
                         {"ETag", "the object is taken as it is when a server starts"}}));
    if (place.at("S3DataType") != "S3Object" || place.at("CompressionType") != "Gzip")
      return invalid(
          "{}ModelDataSource.S3DataSource with S3DataType '{}' and CompressionType '{}' is not served; "
          "S3Object and "
          "Gzip are: a model.tar.gz.",
          where, place.at("S3DataType").get<std::string>(), place.at("CompressionType").get<std::string>());
    container.data = text_member(place, "S3Uri");
    container.data_as_source = true;
  }
  if (container.data.empty())
    return invalid(
        "{}ModelDataUrl is missing: name the model.tar.gz that a training made, as s3://BUCKET/KEY.", where);
  TERRAPIN_AWS_TRY_STATUS(check_s3(container.data, where + "ModelDataUrl"));
  return container;
}

json container_json(const control::ModelContainer& container) {
  json result{{"Image", container.image}, {"Mode", "SingleModel"}, {"Environment", container.environment}};
  const json source{{"S3Uri", container.data}, {"S3DataType", "S3Object"}, {"CompressionType", "Gzip"}};
  if (!container.data_as_source) result["ModelDataUrl"] = container.data;
  result["ModelDataSource"] = {{"S3DataSource", source}};
  if (!container.hostname.empty()) result["ContainerHostname"] = container.hostname;
  return result;
}

AwsResult<control::VariantSpec> variant_of(const json& input, const std::string& where) {
  TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
      input, where,
      {{"ServerlessConfig", "model servers stay up; give InstanceType and InitialInstanceCount"},
       {"AcceleratorType", "there are no elastic accelerators; name an instance type with a GPU"},
       {"CoreDumpConfig", "model servers leave no core dumps"},
       {"EnableSSMAccess", "model servers are processes of this machine; look at their logs"},
       {"InferenceAmiVersion", "model servers are processes of this machine, not virtual machines"},
       {"ManagedInstanceScaling", "change the number of servers with UpdateEndpointWeightsAndCapacities"},
       {"CapacityReservationConfig", "there are no reservations here"},
       {"InstancePools", "give InstanceType and InitialInstanceCount"}}));
  control::VariantSpec variant;
  variant.name = input.at("VariantName");
  variant.model = text_member(input, "ModelName");
  variant.instance_type = text_member(input, "InstanceType");
  if (variant.model.empty()) return invalid("{}ModelName is missing: name a model of CreateModel.", where);
  if (variant.instance_type.empty())
    return invalid("{}InstanceType is missing: name one, such as ml.c5.xlarge.", where);
  variant.count = static_cast<int>(input.value("InitialInstanceCount", std::int64_t{1}));
  if (input.value("InitialInstanceCount", std::int64_t{1}) > 1000)
    return invalid("{}InitialInstanceCount {} is more than this service starts; at most 1000 are allowed.",
                   where, input.at("InitialInstanceCount").get<std::int64_t>());
  variant.weight = input.value("InitialVariantWeight", 1.0);
  variant.startup_timeout_s =
      static_cast<int>(input.value("ContainerStartupHealthCheckTimeoutInSeconds", std::int64_t{0}));
  variant.download_timeout_s =
      static_cast<int>(input.value("ModelDataDownloadTimeoutInSeconds", std::int64_t{0}));
  variant.volume_gb = static_cast<int>(input.value("VolumeSizeInGB", std::int64_t{0}));
  variant.routing = text_member(input.value("RoutingConfig", json::object()), "RoutingStrategy");
  return variant;
}

json variant_json(const control::VariantSpec& variant) {
  json result{{"VariantName", variant.name},
              {"ModelName", variant.model},
              {"InstanceType", variant.instance_type},
              {"InitialInstanceCount", variant.count},
              {"InitialVariantWeight", variant.weight}};
  if (variant.startup_timeout_s > 0)
    result["ContainerStartupHealthCheckTimeoutInSeconds"] = variant.startup_timeout_s;
  if (variant.download_timeout_s > 0)
    result["ModelDataDownloadTimeoutInSeconds"] = variant.download_timeout_s;
  if (variant.volume_gb > 0) result["VolumeSizeInGB"] = variant.volume_gb;
  if (!variant.routing.empty()) result["RoutingConfig"] = {{"RoutingStrategy", variant.routing}};
  return result;
}

AwsResult<control::CaptureSpec> capture_of(const json& input) {
  TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
      input, "DataCaptureConfig.",
      {{"KmsKeyId", "there is no key management here; objects lie as the object store keeps them"}}));
  control::CaptureSpec capture;
  capture.enabled = input.value("EnableCapture", false);
  capture.percent = static_cast<int>(input.at("InitialSamplingPercentage").get<std::int64_t>());
  capture.destination = input.at("DestinationS3Uri");
  TERRAPIN_AWS_TRY_STATUS(check_s3(capture.destination, "DataCaptureConfig.DestinationS3Uri"));
  for (const json& option : input.at("CaptureOptions")) capture.modes.push_back(option.at("CaptureMode"));
  const json types = input.value("CaptureContentTypeHeader", json::object());
  for (const json& one : types.value("CsvContentTypes", json::array())) capture.csv_types.push_back(one);
  for (const json& one : types.value("JsonContentTypes", json::array())) capture.json_types.push_back(one);
  return capture;
}

json capture_description(const control::CaptureSpec& capture) {
  json options = json::array();
  for (const std::string& mode : capture.modes) options.push_back({{"CaptureMode", mode}});
  json result{{"EnableCapture", capture.enabled},
              {"InitialSamplingPercentage", capture.percent},
              {"DestinationS3Uri", capture.destination},
              {"CaptureOptions", std::move(options)}};
  json types = json::object();
  if (!capture.csv_types.empty()) types["CsvContentTypes"] = capture.csv_types;
  if (!capture.json_types.empty()) types["JsonContentTypes"] = capture.json_types;
  if (!types.empty()) result["CaptureContentTypeHeader"] = std::move(types);
  return result;
}

AwsResult<control::AsyncSpec> async_of(const json& input) {
  const std::string where = "AsyncInferenceConfig.OutputConfig.";
  const json& output = input.at("OutputConfig");
  TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
      output, where,
      {{"NotificationConfig", "there are no SNS topics here; look for the objects"},
       {"KmsKeyId", "there is no key management here; objects lie as the object store keeps them"}}));
  control::AsyncSpec asynchronous;
  asynchronous.output = text_member(output, "S3OutputPath");
  if (asynchronous.output.empty())
    return invalid("{}S3OutputPath is missing: name where answers are to lie, as s3://BUCKET/PREFIX.", where);
  TERRAPIN_AWS_TRY_STATUS(check_s3(asynchronous.output, where + "S3OutputPath"));
  asynchronous.failure = text_member(output, "S3FailurePath");
  if (!asynchronous.failure.empty()) {
    TERRAPIN_AWS_TRY_STATUS(check_s3(asynchronous.failure, where + "S3FailurePath"));
  }
  asynchronous.max_concurrent =
      static_cast<int>(input.value("ClientConfig", json::object())
                           .value("MaxConcurrentInvocationsPerInstance", std::int64_t{0}));
  return asynchronous;
}

json async_description(const control::AsyncSpec& asynchronous) {
  json result{{"OutputConfig", {{"S3OutputPath", asynchronous.output}}}};
  if (!asynchronous.failure.empty()) result["OutputConfig"]["S3FailurePath"] = asynchronous.failure;
  if (asynchronous.max_concurrent > 0)
    result["ClientConfig"] = {{"MaxConcurrentInvocationsPerInstance", asynchronous.max_concurrent}};
  return result;
}

std::int64_t serving(const DeployedVariant& variant) {
  std::int64_t count = 0;
  for (const Instance& one : variant.instances)
    if (one.served != Timestamp()) ++count;
  return count;
}

// `wanted`: the variant of that name that is being brought up, with the weight and number that it will have.
json variant_summary(const DeployedVariant& variant, const DeployedVariant* wanted) {
  const control::VariantSpec& desired = wanted ? wanted->spec : variant.spec;
  json result{{"VariantName", variant.spec.name},
              {"DeployedImages", json::array({{{"SpecifiedImage", variant.container.image},
                                               {"ResolvedImage", variant.container.image}}})},
              {"CurrentWeight", variant.spec.weight},
              {"DesiredWeight", desired.weight},
              {"CurrentInstanceCount", serving(variant)},
              {"DesiredInstanceCount", desired.count}};
  if (!variant.spec.routing.empty()) result["RoutingConfig"] = {{"RoutingStrategy", variant.spec.routing}};
  return result;
}

const DeployedVariant* variant_named(const std::optional<Deployment>& deployment, const std::string& name) {
  if (deployment)
    for (const DeployedVariant& one : deployment->variants)
      if (one.spec.name == name) return &one;
  return nullptr;
}

json pending_summary(const Deployment& deployment) {
  json variants = json::array();
  for (const DeployedVariant& variant : deployment.variants) {
    json one = variant_summary(variant, nullptr);
    one["InstanceType"] = variant.spec.instance_type;
    one["VariantStatus"] =
        json::array({{{"Status", "Creating"},
                      {"StartTime", epoch_seconds(deployment.begun)},
                      {"StatusMessage", variant.problem.empty() ? "Model servers are started."
                                                                : variant.problem.substr(0, 1024)}}});
    variants.push_back(std::move(one));
  }
  return {{"EndpointConfigName", deployment.config},
          {"ProductionVariants", std::move(variants)},
          {"StartTime", epoch_seconds(deployment.begun)}};
}

}  // namespace

AwsResult<control::ModelSpec> model_spec(const json& input) {
  TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
      input, "",
      {{"VpcConfig", "model servers are processes of this machine, in no network of their own"},
       {"EnableNetworkIsolation", "model servers are not cut off from the network"},
       {"InferenceExecutionConfig", "a model has one container"}}));
  control::ModelSpec spec;
  spec.name = input.at("ModelName");
  spec.role = text_member(input, "ExecutionRoleArn");
  const json listed = input.value("Containers", json::array());
  const bool primary = input.contains("PrimaryContainer");
  if (primary == !listed.empty())
    return invalid("Give exactly one of PrimaryContainer and Containers; {} given.",
                   primary ? "both are" : "neither is");
  if (listed.size() > 1)
    return invalid(
        "Containers has {} members: inference pipelines are not served; give the built-in algorithm's alone.",
        listed.size());
  spec.in_list = !primary;
  TERRAPIN_AWS_TRY(spec.container, primary ? container_of(input["PrimaryContainer"], "PrimaryContainer.")
                                           : container_of(listed.front(), "Containers.1."));
  return spec;
}

AwsResult<control::EndpointConfigSpec> endpoint_config_spec(const json& input) {
  TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
      input, "",
      {{"ShadowProductionVariants", "answers are compared by asking a variant by name (TargetVariant)"},
       {"ExplainerConfig", "there is no explainer here"},
       {"KmsKeyId", "there is no key management here; the disk's own encryption protects what lies on it"},
       {"VpcConfig", "model servers are processes of this machine, in no network of their own"},
       {"EnableNetworkIsolation", "model servers are not cut off from the network"},
       {"MetricsConfig", "the service's own figures are at /metrics"}}));
  control::EndpointConfigSpec spec;
  spec.name = input.at("EndpointConfigName");
  spec.role = text_member(input, "ExecutionRoleArn");
  std::size_t number = 0;
  for (const json& one : input.at("ProductionVariants")) {
    TERRAPIN_AWS_TRY(control::VariantSpec variant,
                     variant_of(one, fmt::format("ProductionVariants.{}.", ++number)));
    spec.variants.push_back(std::move(variant));
  }
  if (const auto capture = input.find("DataCaptureConfig"); capture != input.end()) {
    TERRAPIN_AWS_TRY(spec.capture, capture_of(*capture));
  }
  if (const auto asynchronous = input.find("AsyncInferenceConfig"); asynchronous != input.end()) {
    TERRAPIN_AWS_TRY(spec.asynchronous, async_of(*asynchronous));
  }
  return spec;
}

AwsResult<void> check_deployment(const json& input) {
  const auto found = input.find("DeploymentConfig");
  if (found == input.end()) return {};
  TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
      *found, "DeploymentConfig.",
      {{"AutoRollbackConfiguration",
        "there are no alarms here; an update whose servers do not start is rolled back"},
       {"RollingUpdatePolicy", "all servers are exchanged at once, when every new one is healthy"}}));
  const json routing = found->value("BlueGreenUpdatePolicy", json::object())
                           .value("TrafficRoutingConfiguration", json::object());
  if (const std::string type = routing.value("Type", "ALL_AT_ONCE"); type != "ALL_AT_ONCE")
    return invalid(
        "DeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type '{}' is not served; "
        "ALL_AT_ONCE is. "
        "For a smaller share use two variants with weights.",
        type);
  return {};
}

AwsResult<control::Retained> retained_properties(const json& input) {
  TERRAPIN_AWS_TRY_STATUS(check_deployment(input));
  control::Retained retained;
  if (!input.value("RetainAllVariantProperties", false)) return retained;
  retained = {true, true, true};
  for (const json& one : input.value("ExcludeRetainedVariantProperties", json::array())) {
    const std::string type = one.at("VariantPropertyType");
    if (type == "DesiredInstanceCount") retained.counts = false;
    if (type == "DesiredWeight") retained.weights = false;
    if (type == "DataCaptureConfig") retained.capture = false;
  }
  return retained;
}

AwsResult<std::vector<control::VariantChange>> variant_changes(const json& input) {
  std::vector<control::VariantChange> changes;
  std::size_t number = 0;
  for (const json& one : input.at("DesiredWeightsAndCapacities")) {
    const std::string where = fmt::format("DesiredWeightsAndCapacities.{}.", ++number);
    TERRAPIN_AWS_TRY_STATUS(refuse_unserved(
        one, where, {{"ServerlessUpdateConfig", "model servers stay up; give DesiredInstanceCount"}}));
    control::VariantChange change;
    change.variant = one.at("VariantName");
    if (one.contains("DesiredWeight")) change.weight = one["DesiredWeight"].get<double>();
    if (one.contains("DesiredInstanceCount")) {
      const std::int64_t count = one["DesiredInstanceCount"];
      if (count < 1 || count > 1000)
        return invalid(
            "{}DesiredInstanceCount is {}; allowed are 1 to 1000. A variant of weight 0 gets no requests.",
            where, count);
      change.count = static_cast<int>(count);
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

json model_description(const control::Model& model, const Place& place) {
  json result{{"ModelName", model.spec.name},
              {"ModelArn", control_arn(place, control::kModelKind, model.spec.name)},
              {"CreationTime", epoch_seconds(model.row.created)},
              {"EnableNetworkIsolation", false}};
  const json container = container_json(model.spec.container);
  if (model.spec.in_list) {
    result["Containers"] = json::array({container});
  } else {
    result["PrimaryContainer"] = container;
  }
  if (!model.spec.role.empty()) result["ExecutionRoleArn"] = model.spec.role;
  return result;
}

json endpoint_config_description(const control::EndpointConfig& config, const Place& place) {
  json variants = json::array();
  for (const control::VariantSpec& variant : config.spec.variants) variants.push_back(variant_json(variant));
  json result{{"EndpointConfigName", config.spec.name},
              {"EndpointConfigArn", control_arn(place, control::kEndpointConfigKind, config.spec.name)},
              {"CreationTime", epoch_seconds(config.row.created)},
              {"EnableNetworkIsolation", false},
              {"ProductionVariants", std::move(variants)}};
  if (!config.spec.role.empty()) result["ExecutionRoleArn"] = config.spec.role;
  if (config.spec.capture) result["DataCaptureConfig"] = capture_description(*config.spec.capture);
  if (config.spec.asynchronous) result["AsyncInferenceConfig"] = async_description(*config.spec.asynchronous);
  return result;
}

json endpoint_description(const control::Endpoint& endpoint, const Place& place) {
  const control::EndpointState& state = endpoint.state;
  json result{{"EndpointName", endpoint.row.name},
              {"EndpointArn", control_arn(place, control::kEndpointKind, endpoint.row.name)},
              {"EndpointConfigName", endpoint.config()},
              {"EndpointStatus", endpoint.row.status},
              {"CreationTime", epoch_seconds(endpoint.row.created)},
              {"LastModifiedTime", epoch_seconds(endpoint.row.modified)}};
  if (result["EndpointConfigName"] == "") result.erase("EndpointConfigName");
  if (const auto& shown = state.active ? state.active : state.pending) {
    json variants = json::array();
    for (const DeployedVariant& variant : shown->variants)
      variants.push_back(
          variant_summary(variant, state.active ? variant_named(state.pending, variant.spec.name) : nullptr));
    // Nothing of it is there before it serves for the first time.
    if (state.active) result["ProductionVariants"] = std::move(variants);
    if (shown->capture)
      result["DataCaptureConfig"] = {
          {"EnableCapture", shown->capture->enabled},
          {"CaptureStatus", shown->capture->enabled && endpoint.row.status != control::kEndpointFailed
                                ? "Started"
                                : "Stopped"},
          {"CurrentSamplingPercentage", shown->capture->percent},
          {"DestinationS3Uri", shown->capture->destination},
          {"KmsKeyId", ""}};
    if (shown->asynchronous) result["AsyncInferenceConfig"] = async_description(*shown->asynchronous);
  }
  if (state.pending) result["PendingDeploymentSummary"] = pending_summary(*state.pending);
  if (!state.failed_variant.empty()) {
    const std::string reason = fmt::format(
        "The primary container for production variant {} did not pass the ping health check. Please check "
        "CloudWatch logs for this endpoint.{}{}",
        state.failed_variant, state.failure.empty() ? "" : " ", state.failure);
    result["FailureReason"] = reason.substr(0, 1024);
  }
  return result;
}

}  // namespace terrapin::api
