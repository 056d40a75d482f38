// Accounts and invitations.
#include "portal/fields.h"
#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

json role_names(const std::vector<identity::Role>& roles) {
  json names = json::array();
  for (const identity::Role role : roles) names.push_back(identity::role_name(role));
  return names;
}

Result<std::vector<identity::Role>> parse_roles(const std::vector<std::string>& names) {
  std::vector<identity::Role> roles;
  for (const std::string& name : names) {
    TERRAPIN_TRY(const identity::Role role, identity::parse_role(name));
    roles.push_back(role);
  }
  return roles;
}

json invitation_json(const identity::Invitation& invitation) {
  return json{{"id", invitation.id},
              {"name", invitation.name},
              {"roles", role_names(invitation.roles)},
              {"groups", invitation.groups},
              {"made_by", invitation.made_by},
              {"created", time_text(invitation.created)},
              {"expires", time_text(invitation.expires)}};
}

}  // namespace

// The token is behind '#': browsers send it to nobody, so no log holds it.
http::Response invitation_answer(const Call& call, const identity::Invitation& invitation) {
  return json_answer(201, json{{"invitation", invitation_json(invitation)},
                               {"link", call.base_url + "/_/join#" + invitation.token}});
}

Portal::Implementation::Handled Portal::Implementation::accounts(Call& call) {
  QueryFields query(call.request);
  identity::AccountFilter filter;
  const auto active = query.text("active");
  if (active) filter.active = query.flag_or("active", true);
  filter.group = query.text("group").value_or("");
  filter.offset = query.integer_or("offset", 0, 0, INT32_MAX);
  filter.limit = static_cast<int>(query.integer_or("limit", 100, 1, 1000));
  TERRAPIN_TRY_STATUS(query.finish());
  TERRAPIN_TRY(const auto found, context_.accounts.list(filter));
  json list = json::array();
  for (const identity::Account& one : found) list.push_back(account_json(one));
  return json_answer(200, json{{"accounts", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::account(Call& call) {
  TERRAPIN_TRY(const identity::Account found, context_.accounts.account(call.parameter("id")));
  return json_answer(200, json{{"account", account_json(found)}});
}

Portal::Implementation::Handled Portal::Implementation::update_account(Call& call) {
  TERRAPIN_TRY(const identity::Account present, context_.accounts.account(call.parameter("id")));
  std::vector<std::string> present_roles;
  for (const identity::Role role : present.roles) present_roles.emplace_back(identity::role_name(role));
  Fields fields(call.body);
  const std::string display_name = fields.text_or("display_name", present.display_name);
  const auto names = fields.texts_or("roles", present_roles),
             groups = fields.texts_or("groups", present.groups);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const auto roles, parse_roles(names));
  TERRAPIN_TRY(const identity::Account changed,
               context_.accounts.update(present.id, display_name, roles, groups));
  return json_answer(200, json{{"account", account_json(changed)}});
}

Portal::Implementation::Handled Portal::Implementation::remove_account(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::Account removed, context_.accounts.remove(call.parameter("id")));
  return json_answer(200, json{{"account", account_json(removed)}});
}

Portal::Implementation::Handled Portal::Implementation::restore_account(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::Account restored, context_.accounts.restore(call.parameter("id")));
  return json_answer(200, json{{"account", account_json(restored)}});
}

Portal::Implementation::Handled Portal::Implementation::reset_link(Call& call) {
  Fields fields(call.body);
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(const identity::PasswordReset reset,
               context_.accounts.make_reset(call.parameter("id"), call.account().id));
  return json_answer(
      201, json{{"link", call.base_url + "/_/reset#" + reset.token}, {"expires", time_text(reset.expires)}});
}

Portal::Implementation::Handled Portal::Implementation::invitations(Call&) {
  TERRAPIN_TRY(const auto open, context_.accounts.open_invitations());
  json list = json::array();
  for (const identity::Invitation& one : open) list.push_back(invitation_json(one));
  return json_answer(200, json{{"invitations", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::invite(Call& call) {
  Fields fields(call.body);
  identity::NewInvitation wanted;
  wanted.name = fields.text_or("name", "");
  const auto roles = fields.texts_or("roles", {"worker"});
  wanted.groups = fields.texts_or("groups", {});
  if (fields.has("days")) wanted.lasts = std::chrono::days(fields.integer("days", 1, 90));
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY(wanted.roles, parse_roles(roles));
  wanted.made_by = call.account().id;
  TERRAPIN_TRY(const identity::Invitation made, context_.accounts.invite(wanted));
  return invitation_answer(call, made);
}

Portal::Implementation::Handled Portal::Implementation::invite_vendor(Call& call) {
  Fields fields(call.body);
  identity::NewInvitation wanted;
  wanted.name = fields.text_or("name", "");
  if (fields.has("days")) wanted.lasts = std::chrono::days(fields.integer("days", 1, 90));
  TERRAPIN_TRY_STATUS(fields.finish());
  wanted.groups = {identity::vendor_group(call.parameter("vendor"))};
  // A vendor is one that has a team: an invitation to another would lead nowhere.
  TERRAPIN_TRY(const auto teams, context_.teams_of(wanted.groups));
  if (teams.empty()) return fail(ErrorCode::kNotFound, "there is no vendor '{}'", call.parameter("vendor"));
  wanted.made_by = call.account().id;
  TERRAPIN_TRY(const identity::Invitation made, context_.accounts.invite(wanted));
  return invitation_answer(call, made);
}

Portal::Implementation::Handled Portal::Implementation::revoke_invitation(Call& call) {
  TERRAPIN_TRY_STATUS(context_.accounts.revoke_invitation(call.parameter("id")));
  return json_answer(200, json::object());
}

}  // namespace terrapin::portal
