// terrapin keys: the access keys with which programs sign, also beside a running server.
#include <nlohmann/json.hpp>
#include <set>

#include "base/json_text.h"
#include "cli/command.h"
#include "cli/service/installation.h"
#include "crypto/secrets.h"
#include "identity/access_keys.h"

namespace terrapin::cli {
namespace {

struct KeysOptions {
  InstallationOptions installation;
  std::string scope = "requester", owner, id;
  std::vector<std::string> buckets;
};

Result<std::unique_ptr<identity::AccessKeys>> open_keys(const KeysOptions& options) {
  // Keys may be made before the first start.
  TERRAPIN_TRY(const Installation installation, open_installation(options.installation, true));
  return identity::AccessKeys::open(installation.data_dir, system_clock());
}

nlohmann::ordered_json to_json(const identity::AccessKey& key) {
  nlohmann::ordered_json json{{"AccessKeyId", key.id}};
  if (!key.secret.empty()) json["SecretAccessKey"] = key.secret;
  json["Scope"] = identity::scope_name(key.scope);
  json["Owner"] = key.owner;
  json["Buckets"] = key.buckets;
  json["Created"] = iso_text(key.created) + "Z";
  return json;
}

Result<int> create(const KeysOptions& options, bool json) {
  TERRAPIN_TRY(const identity::Scope scope, identity::parse_scope(options.scope));
  TERRAPIN_TRY(const auto keys, open_keys(options));
  // What an owner may read is what any of their keys may: keys of one owner must have the same buckets.
  std::string owner = options.owner;
  if (owner.empty()) owner = options.buckets.empty() ? "admin" : "key-" + crypto::random_text(8);
  TERRAPIN_TRY(const auto present, keys->list());
  for (const identity::AccessKey& other : present)
    if (other.owner == owner && std::set<std::string>(other.buckets.begin(), other.buckets.end()) !=
                                    std::set<std::string>(options.buckets.begin(), options.buckets.end()))
      return fail(ErrorCode::kInvalidArgument,
                  "--owner {}: their key {} may use {}, and all keys of an owner have the same buckets; name "
                  "another owner",
                  owner, other.id,
                  other.buckets.empty() ? "all buckets" : fmt::format("{}", fmt::join(other.buckets, ", ")));
  TERRAPIN_TRY(const identity::AccessKey key, keys->create(scope, owner, options.buckets));
  if (json) {
    fmt::print("{}\n", json_text(to_json(key)));
  } else {
    fmt::print("export AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\n", key.id, key.secret);
  }
  return 0;
}

Result<int> list_keys(const KeysOptions& options, bool json) {
  TERRAPIN_TRY(const auto keys, open_keys(options));
  TERRAPIN_TRY(const auto all, keys->list());
  if (json) {
    nlohmann::ordered_json document = nlohmann::ordered_json::array();
    for (const auto& key : all) document.push_back(to_json(key));
    fmt::print("{}\n", json_text(document));
    return 0;
  }
  for (const auto& key : all) {
    fmt::print("{}  {:<9}  {:<20}  {}Z  {}\n", key.id, identity::scope_name(key.scope), key.owner,
               iso_text(key.created),
               key.buckets.empty() ? "all buckets" : fmt::format("{}", fmt::join(key.buckets, ", ")));
  }
  return 0;
}

Result<int> revoke(const KeysOptions& options) {
  TERRAPIN_TRY(const auto keys, open_keys(options));
  TERRAPIN_TRY_STATUS(keys->revoke(options.id));
  fmt::print("{} is revoked\n", options.id);
  return 0;
}

}  // namespace

void add_keys_command(CLI::App& app, Invocation& invocation) {
  auto* keys = app.add_subcommand("keys", "Access keys of an installation, also beside a running server");
  keys->require_subcommand(1);
  auto options = std::make_shared<KeysOptions>();

  auto* create_command = keys->add_subcommand("create", "Make a key pair and print it this once");
  add_installation_options(*create_command, options->installation, false);
  create_command
      ->add_option("--scope", options->scope,
                   "admin: everything; requester: objects and labeling jobs; invoke: endpoints only")
      ->check(CLI::IsMember(std::vector<std::string>{"admin", "requester", "invoke"}))
      ->capture_default_str();
  create_command->add_option(
      "--owner", options->owner,
      "Whose jobs the key's jobs are (default: admin; with --bucket a name of its own)");
  create_command->add_option("--bucket", options->buckets,
                             "The only buckets it may use (repeatable; default: all)");
  create_command->add_flag("--json", invocation.json, "Print AccessKeyId and SecretAccessKey as JSON");
  create_command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return create(*options, invocation.json); };
  });

  auto* list_command = keys->add_subcommand("list", "List keys, without their secrets");
  add_installation_options(*list_command, options->installation, false);
  list_command->add_flag("--json", invocation.json, "As JSON");
  list_command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return list_keys(*options, invocation.json); };
  });

  auto* revoke_command = keys->add_subcommand("revoke", "End a key at once");
  add_installation_options(*revoke_command, options->installation, false);
  revoke_command->add_option("id", options->id, "AccessKeyId")->required();
  revoke_command->callback(
      [options, &invocation] { invocation.action = [options] { return revoke(*options); }; });
}

}  // namespace terrapin::cli
