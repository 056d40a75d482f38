// terrapin people: invitations, accounts; terrapin vendors: outside companies' teams. Also beside a running
// server.
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "cli/command.h"
#include "cli/service/installation.h"
#include "identity/accounts.h"
#include "labeling/labeling_service.h"
#include "labeling/workforces/workforces.h"

namespace terrapin::cli {
namespace {

struct PeopleOptions {
  InstallationOptions installation;
  std::string role = "worker", name, url = "http://127.0.0.1:9000", title, description, seller;
  std::vector<std::string> groups;
  int days = 7;
};

struct OpenedPeople {
  Installation installation;
  std::unique_ptr<storage::Database> state;
  std::unique_ptr<identity::Accounts> accounts;
  std::unique_ptr<labeling::Workforces> workforces;
};

Result<OpenedPeople> open_people(const PeopleOptions& options) {
  OpenedPeople opened;
  TERRAPIN_TRY(opened.installation, open_installation(options.installation, false));
  TERRAPIN_TRY(opened.state, open_state(opened.installation));
  TERRAPIN_TRY(opened.accounts, identity::Accounts::open(*opened.state, system_clock()));
  TERRAPIN_TRY(
      opened.workforces,
      labeling::Workforces::open(*opened.state, {opened.installation.region, opened.installation.account_id},
                                 system_clock()));
  return opened;
}

Result<identity::Account> account_named(identity::Accounts& accounts, const std::string& name) {
  identity::AccountFilter filter;
  filter.limit = 1000;
  for (;;) {
    TERRAPIN_TRY(const auto page, accounts.list(filter));
    for (const identity::Account& account : page)
      if (account.name == name || account.id == name) return account;
    if (page.size() < 1000) return fail(ErrorCode::kNotFound, "there is no account '{}'", name);
    filter.offset += 1000;
  }
}

Result<int> invite(const PeopleOptions& options, bool json) {
  TERRAPIN_TRY(const OpenedPeople opened, open_people(options));
  identity::NewInvitation wanted;
  wanted.name = options.name;
  TERRAPIN_TRY(const identity::Role role, identity::parse_role(options.role));
  wanted.roles = {role};
  wanted.groups = options.groups;
  wanted.made_by = "command line";
  wanted.lasts = std::chrono::hours(24 * options.days);
  TERRAPIN_TRY(const identity::Invitation invitation, opened.accounts->invite(wanted));
  const std::string link = options.url + "/_/join#" + invitation.token;
  if (json) {
    const nlohmann::ordered_json document{
        {"link", link}, {"token", invitation.token}, {"expires", iso_text(invitation.expires) + "Z"}};
    fmt::print("{}\n", json_text(document));
  } else {
    fmt::print("{}\n(works once, until {}Z)\n", link, iso_text(invitation.expires));
  }
  return 0;
}

Result<int> list_people(const PeopleOptions& options, bool json) {
  TERRAPIN_TRY(const OpenedPeople opened, open_people(options));
  nlohmann::ordered_json document = nlohmann::ordered_json::array();
  identity::AccountFilter filter;
  filter.limit = 1000;
  for (;;) {
    TERRAPIN_TRY(const auto page, opened.accounts->list(filter));
    for (const identity::Account& account : page) {
      nlohmann::ordered_json roles = nlohmann::ordered_json::array();
      for (const identity::Role role : account.roles) roles.push_back(identity::role_name(role));
      document.push_back({{"id", account.id},
                          {"name", account.name},
                          {"display_name", account.display_name},
                          {"roles", roles},
                          {"groups", account.groups},
                          {"active", account.active}});
    }
    if (page.size() < 1000) break;
    filter.offset += 1000;
  }
  if (json) {
    fmt::print("{}\n", json_text(document));
    return 0;
  }
  for (const auto& account : document)
    fmt::print("{}  {:<24}  {:<24}  {}  {}\n", account["id"].get<std::string>(),
               account["name"].get<std::string>(), json_text(account["roles"]), json_text(account["groups"]),
               account["active"] == true ? "" : "removed");
  return 0;
}

Result<int> remove(const PeopleOptions& options) {
  TERRAPIN_TRY(const OpenedPeople opened, open_people(options));
  TERRAPIN_TRY(const identity::Account account, account_named(*opened.accounts, options.name));
  TERRAPIN_TRY_STATUS(opened.accounts->remove(account.id));
  // In the state that a running server works on: it gives their tasks to others at once.
  TERRAPIN_TRY(const auto objects, open_objects(opened.installation, system_clock()));
  labeling::LabelingOptions engine;
  engine.scratch_folder = opened.installation.scratch();
  TERRAPIN_TRY(const auto labeling,
               labeling::LabelingService::open(*opened.state, *objects, system_clock(), engine, {}));
  TERRAPIN_TRY_STATUS(labeling->give_back_leases(account.id));
  fmt::print("{} is removed; the tasks they held are free\n", account.name);
  return 0;
}

Result<int> reset(const PeopleOptions& options) {
  TERRAPIN_TRY(const OpenedPeople opened, open_people(options));
  TERRAPIN_TRY(const identity::Account account, account_named(*opened.accounts, options.name));
  TERRAPIN_TRY(const identity::PasswordReset made, opened.accounts->make_reset(account.id, "command line"));
  fmt::print("{}/_/reset#{}\n(works once, until {}Z)\n", options.url, made.token, iso_text(made.expires));
  return 0;
}

Result<int> add_vendor(const PeopleOptions& options, bool json) {
  TERRAPIN_TRY(const OpenedPeople opened, open_people(options));
  TERRAPIN_TRY(
      const labeling::Workteam team,
      opened.workforces->add_vendor({options.name, options.title, options.description, options.seller, ""}));
  identity::NewInvitation wanted;
  wanted.groups = {identity::vendor_group(options.name)};
  wanted.made_by = "command line";
  TERRAPIN_TRY(const identity::Invitation invitation, opened.accounts->invite(wanted));
  const std::string link = options.url + "/_/join#" + invitation.token;
  if (json) {
    fmt::print("{}\n", json_text(nlohmann::ordered_json{{"arn", team.arn}, {"invitation", link}}));
  } else {
    fmt::print(
        "{}\nInvitation for the vendor's first worker (once, until {}Z; more: terrapin people invite --group "
        "{}):\n  {}\n",
        team.arn, iso_text(invitation.expires), identity::vendor_group(options.name), link);
  }
  return 0;
}

Result<int> list_vendors(const PeopleOptions& options, bool json) {
  TERRAPIN_TRY(const OpenedPeople opened, open_people(options));
  TERRAPIN_TRY(const auto page, opened.workforces->list_vendors({}));
  nlohmann::ordered_json document = nlohmann::ordered_json::array();
  for (const labeling::Workteam& team : page.items) {
    if (json) {
      document.push_back({{"name", team.name}, {"arn", team.arn}, {"seller", team.seller}});
    } else {
      fmt::print("{:<24}  {}\n", team.name, team.arn);
    }
  }
  if (json) fmt::print("{}\n", json_text(document));
  return 0;
}

Result<int> remove_vendor(const PeopleOptions& options) {
  TERRAPIN_TRY(const OpenedPeople opened, open_people(options));
  TERRAPIN_TRY_STATUS(opened.workforces->remove_vendor(options.name));
  fmt::print("{} is removed\n", options.name);
  return 0;
}

using PeopleWork = Result<int> (*)(const PeopleOptions&, bool);

CLI::App* add(CLI::App* parent, const char* name, const char* text,
              const std::shared_ptr<PeopleOptions>& options, Invocation& invocation,
              std::function<Result<int>(const PeopleOptions&, bool)> work) {
  auto* command = parent->add_subcommand(name, text);
  add_installation_options(*command, options->installation, false);
  command->callback([options, &invocation, work] {
    invocation.action = [options, &invocation, work] { return work(*options, invocation.json); };
  });
  return command;
}

}  // namespace

void add_people_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<PeopleOptions>();
  auto* people = app.add_subcommand("people", "Workers, requesters and admins: invitations, accounts");
  people->require_subcommand(1);
  const auto url = [&](CLI::App* command) {
    command->add_option("--url", options->url, "Address of the server in links")->capture_default_str();
  };
  auto* invite_command =
      add(people, "invite", "Make an invitation, which works once", options, invocation, &invite);
  invite_command->add_option("--role", options->role, "worker, requester or admin")
      ->check(CLI::IsMember(std::vector<std::string>{"worker", "requester", "admin"}))
      ->capture_default_str();
  invite_command->add_option("--group", options->groups, "Group that work teams name (repeatable)");
  invite_command->add_option("--name", options->name, "The only name that may accept it (default: any)");
  invite_command->add_option("--days", options->days, "How long it holds")
      ->check(CLI::Range(1, 365))
      ->capture_default_str();
  invite_command->add_flag("--json", invocation.json, "As JSON");
  url(invite_command);
  add(people, "list", "List accounts", options, invocation, &list_people)
      ->add_flag("--json", invocation.json, "As JSON");
  add(people, "remove", "End an account and its sessions", options, invocation,
      [](const PeopleOptions& o, bool) { return remove(o); })
      ->add_option("name", options->name, "Name or id")
      ->required();
  auto* reset_command = add(people, "reset", "Make a link to set a new password", options, invocation,
                            [](const PeopleOptions& o, bool) { return reset(o); });
  reset_command->add_option("name", options->name, "Name or id")->required();
  url(reset_command);

  auto* vendors =
      app.add_subcommand("vendors", "Outside companies that label: each sees only jobs sent to its team");
  vendors->require_subcommand(1);
  auto* vendor_add =
      add(vendors, "add", "Make a vendor's team and an invitation", options, invocation, &add_vendor);
  vendor_add->add_option("name", options->name, "1 to 63 letters, digits and hyphens")->required();
  vendor_add->add_option("--title", options->title, "Name of the offer");
  vendor_add->add_option("--description", options->description, "What the team does");
  vendor_add->add_option("--seller", options->seller, "Company");
  vendor_add->add_flag("--json", invocation.json, "As JSON");
  url(vendor_add);
  add(vendors, "list", "List vendors", options, invocation, &list_vendors)
      ->add_flag("--json", invocation.json, "As JSON");
  add(vendors, "remove", "End a vendor's team", options, invocation,
      [](const PeopleOptions& o, bool) { return remove_vendor(o); })
      ->add_option("name", options->name, "Name of the vendor")
      ->required();
}

}  // namespace terrapin::cli
