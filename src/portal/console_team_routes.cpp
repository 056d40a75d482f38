// Work teams and the people in them, as requesters see them: private ones they may change, vendors' and the
// public crowd only to send jobs to.
#include "portal/fields.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

using labeling::TeamKind;
using labeling::Workteam;

constexpr int kMaxMembersShown = 1000;

const char* kind_name(TeamKind kind) {
  switch (kind) {
    case TeamKind::kPrivate:
      return "private";
    case TeamKind::kVendor:
      return "vendor";
    case TeamKind::kPublic:
      return "public";
  }
  return "";
}

std::vector<std::string> groups_of(const Workteam& team) {
  std::vector<std::string> groups;
  for (const labeling::TeamMember& member : team.members) {
    if (!member.user_group.empty()) groups.push_back(member.user_group);
    groups.insert(groups.end(), member.openid_groups.begin(), member.openid_groups.end());
  }
  return groups;
}

// Where new members of the team go.
Result<std::string> first_group(const Workteam& team) {
  const auto groups = groups_of(team);
  if (groups.empty()) return fail(ErrorCode::kConflict, "work team '{}' names no group", team.name);
  return groups.front();
}

}  // namespace

Result<json> Portal::Implementation::team_json(const Workteam& team) {
  const auto groups = groups_of(team);
  json members = json::array();
  std::set<std::string> seen;
  if (team.kind == TeamKind::kPrivate) {
    for (const std::string& group : groups) {
      identity::AccountFilter filter;
      filter.active = true;
      filter.group = group;
      filter.limit = kMaxMembersShown;
      TERRAPIN_TRY(const auto people, context_.accounts.list(filter));
      for (const identity::Account& person : people)
        if (seen.insert(person.id).second)
          members.push_back(
              json{{"id", person.id}, {"name", person.name}, {"display_name", person.display_name}});
    }
  }
  TERRAPIN_TRY(const bool in_use, context_.jobs.team_in_use(team.arn));
  return json{{"name", team.name},
              {"arn", team.arn},
              {"description", team.description},
              {"kind", kind_name(team.kind)},
              {"groups", groups},
              {"members", std::move(members)},
              {"in_use", in_use}};
}

Result<std::vector<labeling::TeamMember>> Portal::Implementation::members_of(
    const std::vector<std::string>& groups) {
  TERRAPIN_TRY(const auto workforce, context_.workforces.private_workforce());
  if (!workforce) return fail(ErrorCode::kConflict, "there is no private workforce; create one first");
  std::vector<labeling::TeamMember> members;
  if (workforce->openid) {
    labeling::TeamMember all;
    all.openid_groups = groups;
    members.push_back(std::move(all));
    return members;
  }
  const labeling::AccountPool pool = workforce->pool.value_or(labeling::AccountPool{});
  for (const std::string& group : groups) members.push_back({pool.user_pool, pool.client_id, group, {}});
  return members;
}

Portal::Implementation::Handled Portal::Implementation::workteams(Call&) {
  json list = json::array();
  labeling::WorkforceFilter filter;
  filter.sort_by = labeling::WorkforceFilter::SortBy::kName;
  for (;;) {
    TERRAPIN_TRY(const auto page, context_.workforces.list_teams(filter));
    for (const Workteam& team : page.items) {
      TERRAPIN_TRY(json one, team_json(team));
      list.push_back(std::move(one));
    }
    if (!page.more) break;
    filter.offset += static_cast<std::int64_t>(page.items.size());
  }
  filter.offset = 0;
  for (;;) {
    TERRAPIN_TRY(const auto page, context_.workforces.list_vendors(filter));
    for (const Workteam& team : page.items) {
      TERRAPIN_TRY(json one, team_json(team));
      list.push_back(std::move(one));
    }
    if (!page.more) break;
    filter.offset += static_cast<std::int64_t>(page.items.size());
  }
  Workteam crowd;
  crowd.kind = TeamKind::kPublic;
  crowd.name = "default";
  crowd.arn = context_.workforces.team_arn(TeamKind::kPublic, crowd.name);
  crowd.description = "Everybody with an account of the public crowd";
  TERRAPIN_TRY(json one, team_json(crowd));
  list.push_back(std::move(one));
  return json_answer(200, json{{"workteams", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::create_workteam(Call& call) {
  Fields fields(call.body);
  Workteam wanted;
  wanted.name = fields.text("name");
  wanted.description = fields.text_or("description", wanted.name);
  const auto groups = fields.texts_or("groups", {wanted.name});
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(wanted.members, members_of(groups));
  TERRAPIN_TRY(const Workteam made, context_.workforces.create_team(wanted));
  TERRAPIN_TRY(json team, team_json(made));
  return json_answer(201, json{{"workteam", std::move(team)}});
}

Portal::Implementation::Handled Portal::Implementation::update_workteam(Call& call) {
  Fields fields(call.body);
  std::optional<std::string> description;
  std::optional<std::vector<labeling::TeamMember>> members;
  if (fields.has("description")) description = fields.text("description");
  const auto groups = fields.texts_or("groups", {});
  const bool regrouped = fields.has("groups");
  TERRAPIN_TRY_STATUS(fields.finish());
  if (regrouped) {
    TERRAPIN_TRY(members, members_of(groups));
  }
  TERRAPIN_TRY(const Workteam changed,
               context_.workforces.update_team(call.parameter("name"), description, members));
  TERRAPIN_TRY(json team, team_json(changed));
  return json_answer(200, json{{"workteam", std::move(team)}});
}

Portal::Implementation::Handled Portal::Implementation::delete_workteam(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const Workteam team, context_.workforces.team(call.parameter("name")));
  TERRAPIN_TRY(const bool in_use, context_.jobs.team_in_use(team.arn));
  if (in_use)
    return fail(ErrorCode::kConflict, "work team '{}' has labeling jobs that have not ended", team.name);
  TERRAPIN_TRY_STATUS(context_.workforces.delete_team(team.name));
  return json_answer(200, json::object());
}

Portal::Implementation::Handled Portal::Implementation::add_member(Call& call) {
  Fields fields(call.body);
  const std::string account = fields.text("account_id");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const Workteam team, context_.workforces.team(call.parameter("name")));
  TERRAPIN_TRY(const std::string group, first_group(team));
  TERRAPIN_TRY_STATUS(context_.accounts.join_group(account, group));
  TERRAPIN_TRY(json changed, team_json(team));
  return json_answer(200, json{{"workteam", std::move(changed)}});
}

Portal::Implementation::Handled Portal::Implementation::remove_member(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const Workteam team, context_.workforces.team(call.parameter("name")));
  // Of all the team's groups: who is left in one is left in the team.
  for (const std::string& group : groups_of(team)) {
    TERRAPIN_TRY_STATUS(context_.accounts.leave_group(call.parameter("account"), group));
  }
  TERRAPIN_TRY(json changed, team_json(team));
  return json_answer(200, json{{"workteam", std::move(changed)}});
}

Portal::Implementation::Handled Portal::Implementation::people(Call& call) {
  QueryFields query(call.request);
  identity::AccountFilter filter;
  filter.without_vendors = true;
  filter.offset = query.integer_or("offset", 0, 0, INT32_MAX);
  filter.limit = static_cast<int>(query.integer_or("limit", 100, 1, 1000));
  TERRAPIN_TRY_STATUS(query.finish());
  TERRAPIN_TRY(const auto found, context_.accounts.list(filter));
  json list = json::array();
  for (const identity::Account& person : found) {
    json whole = account_json(person);
    json one = json::object();
    for (const char* member : {"id", "name", "display_name", "roles", "groups", "active"})
      one[member] = std::move(whole[member]);
    list.push_back(std::move(one));
  }
  return json_answer(200, json{{"people", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::invite_worker(Call& call) {
  Fields fields(call.body);
  identity::NewInvitation wanted;
  wanted.name = fields.text_or("name", "");
  const std::string team_name = fields.text("workteam");
  if (fields.has("days")) wanted.lasts = std::chrono::days(fields.integer("days", 1, 90));
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const Workteam team, context_.workforces.team(team_name));
  TERRAPIN_TRY(const std::string group, first_group(team));
  wanted.groups = {group};
  wanted.made_by = call.account().id;
  TERRAPIN_TRY(const identity::Invitation made, context_.accounts.invite(wanted));
  return invitation_answer(call, made);
}

}  // namespace terrapin::portal
