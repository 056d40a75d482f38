#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/control_resources.h"
#include "api/sagemaker/operations/operations.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

// Whoever may not see a resource may neither see nor change its tags: what its Describe operation says.
AwsResult<void> check_visible(const OperationContext& context, const control::Resource& row) {
  struct Description {
    const char *kind, *member;
    Operation describe;
  };
  static constexpr Description kDescriptions[] = {
      {control::kTrainingJobKind, "TrainingJobName", &describe_training_job},
      {control::kModelKind, "ModelName", &describe_model},
      {control::kEndpointConfigKind, "EndpointConfigName", &describe_endpoint_config},
      {control::kEndpointKind, "EndpointName", &describe_endpoint},
      {control::kTransformJobKind, "TransformJobName", &describe_transform_job},
      {control::kTuningJobKind, "HyperParameterTuningJobName", &describe_hyper_parameter_tuning_job},
  };
  if (context.caller.buckets.empty()) return {};
  for (const Description& one : kDescriptions) {
    if (row.kind != one.kind) continue;
    TERRAPIN_AWS_TRY_STATUS(one.describe(context, json{{one.member, row.name}}));
    return {};
  }
  return tl::unexpected<AwsError>(
      access_denied(context, row.name, "the access key may use some buckets only"));
}

// Rows of the control plane carry their tags themselves. nullopt: it is another resource's ARN.
AwsResult<std::optional<control::Resource>> control_resource(const OperationContext& context,
                                                             const json& input) {
  const std::string arn = input.at("ResourceArn");
  const auto named = parse_control_arn(context.place, arn);
  if (!named) return std::optional<control::Resource>();
  TERRAPIN_AWS_TRY(control::Resource row,
                   told(context, context.control.resources().find(named->first, named->second),
                        "ValidationException", fmt::format("resource \"{}\"", arn)));
  TERRAPIN_AWS_TRY_STATUS(check_visible(context, row));
  return std::optional<control::Resource>(std::move(row));
}

using Tagging = std::function<void(std::map<std::string, std::string>&)>;
AwsResult<labeling::Tags> change_tags(const OperationContext& context, const control::Resource& row,
                                      const Tagging& change) {
  TERRAPIN_AWS_TRY(
      const control::Resource changed,
      told(context, context.control.resources().change(
                        row.kind, row.name, [&](storage::Transaction&, control::Resource& now) -> Status {
                          change(now.tags);
                          if (now.tags.size() <= labeling::kMaxTags) return {};
                          return fail(ErrorCode::kInvalidArgument,
                                      "a resource can have {} tags; with these it would have {}",
                                      labeling::kMaxTags, now.tags.size());
                        })));
  return labeling::Tags(changed.tags.begin(), changed.tags.end());
}

struct Tagged {
  std::string arn;         // as tags are kept under it
  labeling::Tags initial;  // what a job was made with
};

AwsResult<Tagged> tagged(const OperationContext& context, const json& input, bool change) {
  const std::string arn = input.at("ResourceArn");
  const std::string jobs = job_arn(context.place, "");
  const std::string missing = fmt::format("resource \"{}\"", arn);
  if (arn.rfind(jobs, 0) == 0 && arn.size() > jobs.size()) {
    // The name is lower case in the ARN; jobs are found without regard to case.
    TERRAPIN_AWS_TRY(
        const labeling::JobRecord job,
        told(context, context.jobs.describe(arn.substr(jobs.size())), "ValidationException", missing));
    TERRAPIN_AWS_TRY_STATUS(check_bucket(context, job.spec.output_uri));
    return Tagged{job_arn(context.place, job.spec.name), {job.spec.tags.begin(), job.spec.tags.end()}};
  }
  if (change && context.caller.scope != identity::Scope::kAdmin) {
    return tl::unexpected<AwsError>(access_denied(
        context, arn, "only an access key of scope admin may change workforces and work teams"));
  }
  TERRAPIN_AWS_TRY(const auto workforce, told(context, context.workforces.private_workforce()));
  if (workforce && arn == context.workforces.workforce_arn(workforce->name)) return Tagged{arn, {}};
  TERRAPIN_AWS_TRY(const auto team, told(context, context.workforces.find_team(arn)));
  if (team && team->kind != labeling::TeamKind::kPublic) return Tagged{arn, {}};
  return invalid("Could not find {}.", missing);
}

}  // namespace

AwsResult<json> add_tags(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.at("Tags")));
  TERRAPIN_AWS_TRY(const auto row, control_resource(context, input));
  if (row) {
    TERRAPIN_AWS_TRY(const labeling::Tags now, change_tags(context, *row, [&](auto& kept) {
                       for (const auto& [key, value] : tags) kept[key] = value;
                     }));
    return json{{"Tags", tag_list(now)}};
  }
  TERRAPIN_AWS_TRY(const Tagged resource, tagged(context, input, true));
  TERRAPIN_AWS_TRY(const labeling::Tags all,
                   told(context, context.workforces.add_tags(resource.arn, tags, resource.initial)));
  return json{{"Tags", tag_list(all)}};
}

AwsResult<json> list_tags(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  TERRAPIN_AWS_TRY(const auto row, control_resource(context, input));
  json all;
  if (row) {
    all = tag_list(labeling::Tags(row->tags.begin(), row->tags.end()));
  } else {
    TERRAPIN_AWS_TRY(const Tagged resource, tagged(context, input, false));
    TERRAPIN_AWS_TRY(const auto tags, told(context, context.workforces.tags(resource.arn)));
    all = tag_list(tags.value_or(resource.initial));
  }
  json list = json::array();
  const auto end = std::min<std::int64_t>(page.offset + page.limit, static_cast<std::int64_t>(all.size()));
  for (std::int64_t i = page.offset; i < end; ++i) list.push_back(all[static_cast<std::size_t>(i)]);
  json answer{{"Tags", std::move(list)}};
  if (end < static_cast<std::int64_t>(all.size())) answer["NextToken"] = next_token(context, input, end);
  return answer;
}

AwsResult<json> delete_tags(const OperationContext& context, const json& input) {
  const std::vector<std::string> keys = input.at("TagKeys");
  TERRAPIN_AWS_TRY(const auto row, control_resource(context, input));
  if (row) {
    TERRAPIN_AWS_TRY_STATUS(change_tags(context, *row, [&](auto& kept) {
      for (const std::string& key : keys) kept.erase(key);
    }));
    return json::object();
  }
  TERRAPIN_AWS_TRY(const Tagged resource, tagged(context, input, true));
  TERRAPIN_AWS_TRY_STATUS(
      told(context, context.workforces.remove_tags(resource.arn, keys, resource.initial)));
  return json::object();
}

}  // namespace terrapin::api
