#include <nlohmann/json.hpp>

#include "api/sagemaker/operations/answers.h"
#include "api/sagemaker/operations/operations.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

AwsResult<void> check_workteam_served(const json& input) {
  if (input.value("NotificationConfiguration", json::object()).contains("NotificationTopicArn")) {
    return invalid(
        "NotificationConfiguration.NotificationTopicArn is not served: there is no notification service "
        "here. Leave it out; the server can call a webhook when tasks are ready.");
  }
  const json presign =
      input.value("WorkerAccessConfiguration", json::object()).value("S3Presign", json::object());
  const json constraints = presign.value("IamPolicyConstraints", json::object());
  for (const auto& [name, value] : constraints.items()) {
    if (value != "Disabled") {
      return invalid(
          "WorkerAccessConfiguration.S3Presign.IamPolicyConstraints.{} '{}' is not served; 'Disabled' is. To "
          "say where workers may come from use the workforce's SourceIpConfig.",
          name, value.get<std::string>());
    }
  }
  return {};
}

AwsResult<std::vector<labeling::TeamMember>> team_members(const json& definitions) {
  std::vector<labeling::TeamMember> members;
  std::size_t number = 0;
  for (const json& definition : definitions) {
    ++number;
    const bool cognito = definition.contains("CognitoMemberDefinition");
    const json groups =
        definition.value("OidcMemberDefinition", json::object()).value("Groups", json::array());
    if (cognito == !groups.empty()) {
      return invalid(
          "MemberDefinitions.{}: give exactly one of CognitoMemberDefinition and OidcMemberDefinition with "
          "Groups; it has {}.",
          number, cognito ? "both" : "neither");
    }
    labeling::TeamMember member;
    if (cognito) {
      const json& pool = definition["CognitoMemberDefinition"];
      member = {pool.at("UserPool"), pool.at("ClientId"), pool.at("UserGroup"), {}};
    } else {
      member.openid_groups = groups.get<std::vector<std::string>>();
    }
    members.push_back(std::move(member));
  }
  return members;
}

json team_json(const OperationContext& context, const labeling::Workteam& team) {
  json definitions = json::array();
  for (const labeling::TeamMember& member : team.members) {
    if (member.openid_groups.empty()) {
      definitions.push_back({{"CognitoMemberDefinition",
                              {{"UserPool", member.user_pool},
                               {"UserGroup", member.user_group},
                               {"ClientId", member.client_id}}}});
    } else {
      definitions.push_back({{"OidcMemberDefinition", {{"Groups", member.openid_groups}}}});
    }
  }
  json result{{"WorkteamName", team.name},
              {"WorkteamArn", team.arn},
              {"WorkforceArn", context.workforces.workforce_arn(team.workforce)},
              {"Description", team.description},
              {"MemberDefinitions", std::move(definitions)},
              {"CreateDate", epoch_seconds(team.created)},
              {"LastUpdatedDate", epoch_seconds(team.modified)}};
  if (!context.portal_address.empty()) result["SubDomain"] = context.portal_address;
  return result;
}

json vendor_json(const labeling::Workteam& team) {
  json result{{"WorkteamArn", team.arn}, {"ListingId", team.listing_id}};
  if (!team.title.empty()) result["MarketplaceTitle"] = team.title;
  if (!team.description.empty()) result["MarketplaceDescription"] = team.description;
  if (!team.seller.empty()) result["SellerName"] = team.seller;
  return result;
}

std::string team_arn(const OperationContext& context, const std::string& name) {
  return context.workforces.team_arn(labeling::TeamKind::kPrivate, name);
}
std::string team_named(const OperationContext& context, const std::string& name) {
  return fmt::format("workteam \"{}\"", team_arn(context, name));
}

}  // namespace

AwsResult<json> create_workteam(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY_STATUS(check_workteam_served(input));
  TERRAPIN_AWS_TRY(const labeling::Tags tags, tags_of(input.value("Tags", json::array())));
  labeling::Workteam team;
  team.name = input.at("WorkteamName");
  team.description = input.at("Description");
  team.workforce = text_member(input, "WorkforceName");
  TERRAPIN_AWS_TRY(team.members, team_members(input.at("MemberDefinitions")));
  auto made = context.workforces.create_team(team);
  if (!made && made.error().code == ErrorCode::kAlreadyExists) {
    return refuse(
        "ResourceInUse",
        "Workteam names must be unique within an AWS account and region, and a workteam with this name "
        "already exists ({}).",
        team_arn(context, team.name));
  }
  TERRAPIN_AWS_TRY(const auto created, told(context, std::move(made)));
  if (!tags.empty()) {
    TERRAPIN_AWS_TRY_STATUS(told(context, context.workforces.add_tags(created.arn, tags)));
  }
  return json{{"WorkteamArn", created.arn}};
}

AwsResult<json> describe_workteam(const OperationContext& context, const json& input) {
  const std::string name = input.at("WorkteamName");
  TERRAPIN_AWS_TRY(const auto team, told(context, context.workforces.team(name), "ValidationException",
                                         team_named(context, name)));
  return json{{"Workteam", team_json(context, team)}};
}

AwsResult<json> list_workteams(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  TERRAPIN_AWS_TRY(const auto found,
                   told(context, context.workforces.list_teams(workforce_filter(input, page))));
  json list = json::array();
  for (const labeling::Workteam& team : found.items) list.push_back(team_json(context, team));
  json answer{{"Workteams", std::move(list)}};
  if (found.more) answer["NextToken"] = next_token(context, input, page.offset + page.limit);
  return answer;
}

AwsResult<json> update_workteam(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY_STATUS(check_workteam_served(input));
  const std::string name = input.at("WorkteamName");
  std::optional<std::string> description;
  if (input.contains("Description")) description = text_member(input, "Description");
  std::optional<std::vector<labeling::TeamMember>> members;
  if (input.contains("MemberDefinitions")) {
    TERRAPIN_AWS_TRY(members, team_members(input["MemberDefinitions"]));
  }
  TERRAPIN_AWS_TRY(const auto team, told(context, context.workforces.update_team(name, description, members),
                                         "ValidationException", team_named(context, name)));
  return json{{"Workteam", team_json(context, team)}};
}

AwsResult<json> delete_workteam(const OperationContext& context, const json& input) {
  const std::string name = input.at("WorkteamName");
  const std::string arn = team_arn(context, name);
  TERRAPIN_AWS_TRY(const bool in_use, told(context, context.jobs.team_in_use(arn)));
  if (in_use) {
    return invalid(
        "The workteam {} has labeling jobs that have not ended; wait for them or stop them first "
        "(ListLabelingJobsForWorkteam names them).",
        arn);
  }
  TERRAPIN_AWS_TRY_STATUS(
      told(context, context.workforces.delete_team(name), "ValidationException", team_named(context, name)));
  return json{{"Success", true}};
}

AwsResult<json> describe_subscribed_workteam(const OperationContext& context, const json& input) {
  const std::string arn = input.at("WorkteamArn");
  TERRAPIN_AWS_TRY(const auto team, told(context, context.workforces.find_team(arn)));
  if (!team || team->kind != labeling::TeamKind::kVendor) {
    return invalid("Could not find subscribed workteam \"{}\".", arn);
  }
  return json{{"SubscribedWorkteam", vendor_json(*team)}};
}

AwsResult<json> list_subscribed_workteams(const OperationContext& context, const json& input) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  labeling::WorkforceFilter filter = workforce_filter(input, page);
  filter.sort_by = labeling::WorkforceFilter::SortBy::kName;
  TERRAPIN_AWS_TRY(const auto found, told(context, context.workforces.list_vendors(filter)));
  json list = json::array();
  for (const labeling::Workteam& team : found.items) list.push_back(vendor_json(team));
  json answer{{"SubscribedWorkteams", std::move(list)}};
  if (found.more) answer["NextToken"] = next_token(context, input, page.offset + page.limit);
  return answer;
}

}  // namespace terrapin::api
