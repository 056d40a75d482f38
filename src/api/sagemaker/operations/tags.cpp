#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/operations.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

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
  TERRAPIN_AWS_TRY(const Tagged resource, tagged(context, input, true));
  TERRAPIN_AWS_TRY(const labeling::Tags all,
                   told(context, context.workforces.add_tags(resource.arn, tags, resource.initial)));
  return json{{"Tags", tag_list(all)}};
}

AwsResult<json> list_tags(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  TERRAPIN_AWS_TRY(const Tagged resource, tagged(context, input, false));
  TERRAPIN_AWS_TRY(const auto tags, told(context, context.workforces.tags(resource.arn)));
  const json all = tag_list(tags.value_or(resource.initial));
  json list = json::array();
  const auto end = std::min<std::int64_t>(page.offset + page.limit, static_cast<std::int64_t>(all.size()));
  for (std::int64_t i = page.offset; i < end; ++i) list.push_back(all[static_cast<std::size_t>(i)]);
  json answer{{"Tags", std::move(list)}};
  if (end < static_cast<std::int64_t>(all.size())) answer["NextToken"] = next_token(context, input, end);
  return answer;
}

AwsResult<json> delete_tags(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const Tagged resource, tagged(context, input, true));
  const std::vector<std::string> keys = input.at("TagKeys");
  TERRAPIN_AWS_TRY_STATUS(
      told(context, context.workforces.remove_tags(resource.arn, keys, resource.initial)));
  return json::object();
}

}  // namespace terrapin::api
