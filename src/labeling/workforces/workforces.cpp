#include "labeling/workforces/workforces.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/json_text.h"
#include "base/text.h"
#include "labeling/workforces/addresses.h"

namespace terrapin::labeling {
namespace {

using storage::Transaction;

constexpr storage::Migration kMigrations[] = {
    {1, R"sql(
CREATE TABLE workforces (
  name TEXT NOT NULL PRIMARY KEY, provider TEXT NOT NULL, user_pool TEXT NOT NULL, client_id TEXT NOT NULL,
  client_secret TEXT NOT NULL, issuer TEXT NOT NULL, authorization_endpoint TEXT NOT NULL,
  token_endpoint TEXT NOT NULL, user_info_endpoint TEXT NOT NULL, logout_endpoint TEXT NOT NULL,
  jwks_uri TEXT NOT NULL, openid_scope TEXT NOT NULL, extra_parameters TEXT NOT NULL, cidrs TEXT NOT NULL,
  created BIGINT NOT NULL, modified BIGINT NOT NULL);
CREATE TABLE workforces_begun (default_made BIGINT NOT NULL PRIMARY KEY);
CREATE TABLE workteams (
  name TEXT NOT NULL PRIMARY KEY, workforce TEXT NOT NULL, description TEXT NOT NULL,
  created BIGINT NOT NULL, modified BIGINT NOT NULL);
CREATE TABLE workteam_groups (
  team TEXT NOT NULL, definition BIGINT NOT NULL, place BIGINT NOT NULL, provider TEXT NOT NULL,
  group_name TEXT NOT NULL, user_pool TEXT NOT NULL, client_id TEXT NOT NULL,
  PRIMARY KEY (team, definition, place));
CREATE INDEX workteam_groups_by_group ON workteam_groups (group_name);
CREATE TABLE vendors (
  name TEXT NOT NULL PRIMARY KEY, listing_id TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL,
  seller TEXT NOT NULL, created BIGINT NOT NULL);
CREATE TABLE resource_tags (
  arn TEXT NOT NULL, tag_key TEXT NOT NULL, tag_value TEXT NOT NULL, PRIMARY KEY (arn, tag_key));
CREATE TABLE tagged_resources (arn TEXT NOT NULL PRIMARY KEY);
)sql"},
};

constexpr const char* kPool = "pool";
constexpr const char* kOpenId = "openid";

// A workforce's name may end in a hyphen.
Status check_name(const std::string& name, const char* what, bool may_end_in_hyphen = false) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool fits =
      !name.empty() && name.size() <= 63 && alphanumeric(name.front()) &&
      (may_end_in_hyphen || alphanumeric(name.back())) &&
      std::all_of(name.begin(), name.end(), [&](char c) { return alphanumeric(c) || c == '-'; });
  if (fits) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      "'{}' cannot name {}; allowed are 1 to 63 letters, digits and hyphens, a letter or digit first{}", name,
      what, may_end_in_hyphen ? "" : " and last");
}

Status check_text(const std::string& text, const char* what, std::size_t least, std::size_t most) {
  if (text.size() >= least && text.size() <= most && text.find('\0') == std::string::npos) return {};
  return fail(ErrorCode::kInvalidArgument, "{} has {} bytes; allowed are {} to {}, none of them zero", what,
              text.size(), least, most);
}

Status check_cidrs(const std::vector<std::string>& cidrs) {
  if (cidrs.size() > kMaxCidrs) {
    return fail(ErrorCode::kInvalidArgument, "{} ranges of addresses; at most {} are allowed", cidrs.size(),
                kMaxCidrs);
  }
  for (const std::string& cidr : cidrs) {
    TERRAPIN_TRY_STATUS(parse_cidr(cidr));
  }
  return {};
}

Status check_provider(const OpenIdProvider& provider) {
  const std::pair<const char*, const std::string*> addresses[] = {
      {"issuer", &provider.issuer},
      {"authorization endpoint", &provider.authorization_endpoint},
      {"token endpoint", &provider.token_endpoint},
      {"user info endpoint", &provider.user_info_endpoint},
      {"logout endpoint", &provider.logout_endpoint},
      {"JWKS address", &provider.jwks_uri}};
  for (const auto& [what, address] : addresses) {
    if (address->rfind("https://", 0) != 0 || address->size() == 8) {
      return fail(ErrorCode::kInvalidArgument, "the {} '{}' must be an https:// address", what, *address);
    }
    TERRAPIN_TRY_STATUS(check_text(*address, what, 1, 500));
  }
  TERRAPIN_TRY_STATUS(check_text(provider.client_id, "the client id", 1, 1024));
  TERRAPIN_TRY_STATUS(check_text(provider.client_secret, "the client secret", 1, 1024));
  return check_text(provider.scope, "the scope", 0, 1024);
}

Status check_members(const std::vector<TeamMember>& members) {
  if (members.empty() || members.size() > 10) {
    return fail(ErrorCode::kInvalidArgument, "{} member definitions; allowed are 1 to 10", members.size());
  }
  const TeamMember* pool = nullptr;
  for (const TeamMember& member : members) {
    const bool by_pool = !member.user_group.empty();
    if (by_pool == !member.openid_groups.empty()) {
      return fail(
          ErrorCode::kInvalidArgument,
          "a member definition names either a user group of the pool or groups of the OpenID provider");
    }
    std::vector<std::string> groups = member.openid_groups;
    if (by_pool) {
      groups.push_back(member.user_group);
      if (pool != nullptr && (pool->user_pool != member.user_pool || pool->client_id != member.client_id)) {
        return fail(
            ErrorCode::kInvalidArgument,
            "the member definitions name the user pools '{}' and '{}' or different clients; one team has "
            "one pool and one client",
            pool->user_pool, member.user_pool);
      }
      pool = &member;
    }
    for (const std::string& group : groups) {
      TERRAPIN_TRY_STATUS(check_text(group, "a group's name", 1, 512));
      if (Workforces::is_reserved_group(group)) {
        return fail(ErrorCode::kInvalidArgument,
                    "the group '{}' is kept for vendors and the public crowd; choose another name", group);
      }
    }
  }
  return {};
}

// Work forces, teams and vendors are few: filtered, sorted and cut here, so that names sort alike whatever
// the database's language settings.
template <class T>
WorkforcePage<T> page_of(std::vector<T> items, const WorkforceFilter& filter) {
  const std::string part = lower_case(filter.name_contains);
  std::erase_if(items, [&](const T& item) { return lower_case(item.name).find(part) == std::string::npos; });
  const bool by_name = filter.sort_by == WorkforceFilter::SortBy::kName;
  std::sort(items.begin(), items.end(), [&](const T& a, const T& b) {
    return by_name ? a.name < b.name : std::tie(a.created, a.name) < std::tie(b.created, b.name);
  });
  if (filter.descending) std::reverse(items.begin(), items.end());
  WorkforcePage<T> page;
  const auto count = static_cast<std::int64_t>(items.size());
  const std::int64_t begin = std::clamp<std::int64_t>(filter.offset, 0, count);
  const std::int64_t end = std::min<std::int64_t>(count, begin + std::max(filter.limit, 0));
  page.items.assign(std::make_move_iterator(items.begin() + begin),
                    std::make_move_iterator(items.begin() + end));
  page.more = end < count;
  return page;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    result.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

Status insert_workforce(Transaction& transaction, const Workforce& workforce) {
  const OpenIdProvider openid = workforce.openid.value_or(OpenIdProvider{});
  const AccountPool pool = workforce.pool.value_or(AccountPool{});
  TERRAPIN_TRY_STATUS(transaction.run(
      "INSERT INTO workforces (name, provider, user_pool, client_id, client_secret, issuer, "
      "authorization_endpoint, token_endpoint, user_info_endpoint, logout_endpoint, jwks_uri, openid_scope, "
      "extra_parameters, cidrs, created, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      workforce.name, workforce.openid ? kOpenId : kPool, pool.user_pool,
      workforce.openid ? openid.client_id : pool.client_id, openid.client_secret, openid.issuer,
      openid.authorization_endpoint, openid.token_endpoint, openid.user_info_endpoint, openid.logout_endpoint,
      openid.jwks_uri, openid.scope, json_text(nlohmann::json(openid.extra_parameters)),
      fmt::format("{}", fmt::join(workforce.cidrs, "\n")), to_microseconds(workforce.created),
      to_microseconds(workforce.modified)));
  return {};
}

Status insert_members(Transaction& transaction, const std::string& team,
                      const std::vector<TeamMember>& members) {
  std::int64_t definition = 0;
  for (const TeamMember& member : members) {
    const bool by_pool = !member.user_group.empty();
    const std::vector<std::string> groups =
        by_pool ? std::vector<std::string>{member.user_group} : member.openid_groups;
    std::int64_t place = 0;
    for (const std::string& group : groups) {
      TERRAPIN_TRY_STATUS(transaction.run(
          "INSERT INTO workteam_groups (team, definition, place, provider, group_name, user_pool, client_id) "
          "VALUES (?, ?, ?, ?, ?, ?, ?)",
          team, definition, place++, by_pool ? kPool : kOpenId, group, member.user_pool, member.client_id));
    }
    ++definition;
  }
  return {};
}

Status erase_tags(Transaction& transaction, const std::string& arn) {
  TERRAPIN_TRY_STATUS(transaction.run("DELETE FROM resource_tags WHERE arn = ?", arn));
  TERRAPIN_TRY_STATUS(transaction.run("DELETE FROM tagged_resources WHERE arn = ?", arn));
  return {};
}

Result<std::optional<Tags>> read_tags(Transaction& transaction, const std::string& arn) {
  TERRAPIN_TRY(const auto known,
               (transaction.select_one<std::string>("SELECT arn FROM tagged_resources WHERE arn = ?", arn)));
  if (!known) return std::optional<Tags>();
  TERRAPIN_TRY(const auto rows, (transaction.select<std::string, std::string>(
                                    "SELECT tag_key, tag_value FROM resource_tags WHERE arn = ?", arn)));
  Tags tags;
  for (const auto& [key, value] : rows) tags[key] = value;
  return std::optional<Tags>(std::move(tags));
}

Status write_tags(Transaction& transaction, const std::string& arn, const Tags& tags) {
  TERRAPIN_TRY_STATUS(erase_tags(transaction, arn));
  TERRAPIN_TRY_STATUS(transaction.run("INSERT INTO tagged_resources (arn) VALUES (?)", arn));
  for (const auto& [key, value] : tags) {
    TERRAPIN_TRY_STATUS(transaction.run(
        "INSERT INTO resource_tags (arn, tag_key, tag_value) VALUES (?, ?, ?)", arn, key, value));
  }
  return {};
}

tl::unexpected<Error> no_workforce(const std::string& name) {
  return fail(ErrorCode::kNotFound, "there is no workforce \"{}\"", name);
}
tl::unexpected<Error> no_team(const std::string& name) {
  return fail(ErrorCode::kNotFound, "there is no work team \"{}\"", name);
}

}  // namespace

Result<std::unique_ptr<Workforces>> Workforces::open(storage::Database& database, WorkforcesOptions options,
                                                     const Clock& clock) {
  TERRAPIN_TRY_STATUS(database.migrate("workforces", kMigrations));
  TERRAPIN_TRY_STATUS(database.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto begun,
                 (transaction.select_one<std::int64_t>("SELECT default_made FROM workforces_begun")));
    if (begun) return {};
    const Timestamp now = clock.now();
    TERRAPIN_TRY_STATUS(
        transaction.run("INSERT INTO workforces_begun (default_made) VALUES (?)", to_microseconds(now)));
    return insert_workforce(
        transaction,
        {"default", AccountPool{options.region + "_terrapin", "terrapin"}, std::nullopt, {}, now, now});
  }));
  return std::unique_ptr<Workforces>(new Workforces(database, std::move(options), clock));
}

// ---- workforces ----

Result<std::vector<Workforce>> Workforces::read_workforces(Transaction& transaction) const {
  using Text = std::string;
  TERRAPIN_TRY(const auto rows,
               (transaction.select<Text, Text, Text, Text, Text, Text, Text, Text, Text, Text, Text, Text,
                                   Text, Text, std::int64_t, std::int64_t>(
                   "SELECT name, provider, user_pool, client_id, client_secret, issuer, "
                   "authorization_endpoint, token_endpoint, user_info_endpoint, logout_endpoint, jwks_uri, "
                   "openid_scope, extra_parameters, cidrs, created, modified FROM workforces")));
  std::vector<Workforce> result;
  for (const auto& [name, provider, user_pool, client_id, client_secret, issuer, authorization_endpoint,
                    token_endpoint, user_info_endpoint, logout_endpoint, jwks_uri, scope, extra_parameters,
                    cidrs, created, modified] : rows) {
    Workforce workforce;
    workforce.name = name;
    if (provider == kOpenId) {
      const auto extra = nlohmann::json::parse(extra_parameters, nullptr, false);
      if (!extra.is_object()) {
        return fail(ErrorCode::kCorrupt, "workforce \"{}\": extra_parameters is no JSON object", name);
      }
      OpenIdProvider openid{client_id,       client_secret,
                            issuer,          authorization_endpoint,
                            token_endpoint,  user_info_endpoint,
                            logout_endpoint, jwks_uri,
                            scope,           {}};
      for (const auto& [key, value] : extra.items()) {
        if (value.is_string()) openid.extra_parameters[key] = value;
      }
      workforce.openid = std::move(openid);
    } else {
      workforce.pool = AccountPool{user_pool, client_id};
    }
    workforce.cidrs = lines(cidrs);
    workforce.created = from_microseconds(created);
    workforce.modified = from_microseconds(modified);
    result.push_back(std::move(workforce));
  }
  return result;
}

Result<Workforce> Workforces::create_workforce(const Workforce& workforce) {
  Workforce made = workforce;
  TERRAPIN_TRY_STATUS(check_name(made.name, "a workforce", true));
  if (made.pool.has_value() == made.openid.has_value()) {
    return fail(ErrorCode::kInvalidArgument,
                "workforce \"{}\": give exactly one of an account pool and an OpenID provider", made.name);
  }
  if (made.openid) {
    TERRAPIN_TRY_STATUS(check_provider(*made.openid));
  }
  TERRAPIN_TRY_STATUS(check_cidrs(made.cidrs));
  made.created = made.modified = clock_.now();
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto present, (transaction.select_one<std::string>("SELECT name FROM workforces")));
    if (present) {
      return fail(ErrorCode::kConflict,
                  "there is a private workforce already: \"{}\"; there can be one, delete it first",
                  std::get<0>(*present));
    }
    return insert_workforce(transaction, made);
  }));
  return made;
}

Result<Workforce> Workforces::workforce(const std::string& name) {
  TERRAPIN_TRY(const auto found, private_workforce());
  if (!found || found->name != name) return no_workforce(name);
  return *found;
}

Result<std::optional<Workforce>> Workforces::private_workforce() {
  std::optional<Workforce> result;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto all, read_workforces(transaction));
    result = all.empty() ? std::nullopt : std::optional<Workforce>(all.front());
    return {};
  }));
  return result;
}

Result<WorkforcePage<Workforce>> Workforces::list_workforces(const WorkforceFilter& filter) {
  std::vector<Workforce> all;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(all, read_workforces(transaction));
    return {};
  }));
  return page_of(std::move(all), filter);
}

Result<Workforce> Workforces::update_workforce(const std::string& name,
                                               const std::optional<OpenIdProvider>& openid,
                                               const std::optional<std::vector<std::string>>& cidrs) {
  if (openid) {
    TERRAPIN_TRY_STATUS(check_provider(*openid));
  }
  if (cidrs) {
    TERRAPIN_TRY_STATUS(check_cidrs(*cidrs));
  }
  Workforce changed;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto all, read_workforces(transaction));
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Workforce& one) { return one.name == name; });
    if (found == all.end()) return no_workforce(name);
    changed = *found;
    if (openid) {
      if (!changed.openid) {
        return fail(
            ErrorCode::kInvalidArgument,
            "workforce \"{}\" signs in with accounts of a pool; to use an OpenID provider delete it and "
            "create it with one",
            name);
      }
      TERRAPIN_TRY(const auto team, (transaction.select_one<std::string>(
                                        "SELECT name FROM workteams WHERE workforce = ?", name)));
      if (team) {
        return fail(
            ErrorCode::kConflict,
            "the OpenID provider of workforce \"{}\" can change only while it has no work team; it has "
            "\"{}\"",
            name, std::get<0>(*team));
      }
      changed.openid = openid;
    }
    if (cidrs) changed.cidrs = *cidrs;
    changed.modified = std::max(clock_.now(), changed.created);
    TERRAPIN_TRY_STATUS(transaction.run("DELETE FROM workforces WHERE name = ?", name));
    return insert_workforce(transaction, changed);
  }));
  return changed;
}

Status Workforces::delete_workforce(const std::string& name) {
  return database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto teams,
                 (transaction.select<std::string>(
                     "SELECT name FROM workteams WHERE workforce = ? ORDER BY name", name)));
    if (!teams.empty()) {
      std::string names;
      for (std::size_t i = 0; i < teams.size() && i < 20; ++i) {
        names += (i == 0 ? "" : ", ") + std::get<0>(teams[i]);
      }
      return fail(ErrorCode::kConflict, "workforce \"{}\" has {} work team{}: {}{}; delete them first", name,
                  teams.size(), teams.size() == 1 ? "" : "s", names, teams.size() > 20 ? ", ..." : "");
    }
    TERRAPIN_TRY(const std::int64_t gone, transaction.run("DELETE FROM workforces WHERE name = ?", name));
    if (gone == 0) return no_workforce(name);
    return erase_tags(transaction, workforce_arn(name));
  });
}

// ---- teams ----

Result<std::vector<Workteam>> Workforces::read_teams(Transaction& transaction,
                                                     const std::string* name) const {
  using Row = std::tuple<std::string, std::string, std::string, std::int64_t, std::int64_t>;
  using GroupRow = std::tuple<std::string, std::int64_t, std::string, std::string, std::string, std::string>;
  std::vector<Row> rows;
  std::vector<GroupRow> groups;
  const std::string columns = "SELECT name, workforce, description, created, modified FROM workteams";
  const std::string group_columns =
      "SELECT team, definition, provider, group_name, user_pool, client_id FROM workteam_groups";
  const std::string order = " ORDER BY team, definition, place";
  using Text = std::string;
  if (name != nullptr) {
    TERRAPIN_TRY(rows, (transaction.select<Text, Text, Text, std::int64_t, std::int64_t>(
                           columns + " WHERE name = ?", *name)));
    TERRAPIN_TRY(groups, (transaction.select<Text, std::int64_t, Text, Text, Text, Text>(
                             group_columns + " WHERE team = ?" + order, *name)));
  } else {
    TERRAPIN_TRY(rows, (transaction.select<Text, Text, Text, std::int64_t, std::int64_t>(columns)));
    TERRAPIN_TRY(groups,
                 (transaction.select<Text, std::int64_t, Text, Text, Text, Text>(group_columns + order)));
  }
  std::map<std::string, Workteam> teams;
  for (const auto& [team_name, workforce, description, created, modified] : rows) {
    Workteam& team = teams[team_name];
    team.name = team_name;
    team.arn = team_arn(TeamKind::kPrivate, team_name);
    team.workforce = workforce;
    team.description = description;
    team.created = from_microseconds(created);
    team.modified = from_microseconds(modified);
  }
  std::string last_team;
  std::int64_t last_definition = -1;
  for (const auto& [team_name, definition, provider, group, user_pool, client_id] : groups) {
    const auto found = teams.find(team_name);
    if (found == teams.end()) continue;
    std::vector<TeamMember>& members = found->second.members;
    if (members.empty() || last_team != team_name || last_definition != definition) members.emplace_back();
    last_team = team_name;
    last_definition = definition;
    if (provider == kPool) {
      members.back() = TeamMember{user_pool, client_id, group, {}};
    } else {
      members.back().openid_groups.push_back(group);
    }
  }
  std::vector<Workteam> result;
  result.reserve(teams.size());
  for (auto& [unused, team] : teams) result.push_back(std::move(team));
  return result;
}

Result<Workteam> Workforces::create_team(const Workteam& team) {
  TERRAPIN_TRY_STATUS(check_name(team.name, "a work team"));
  TERRAPIN_TRY_STATUS(check_text(team.description, "the description", 1, 800));
  TERRAPIN_TRY_STATUS(check_members(team.members));
  Workteam made;
  made.name = team.name;
  made.arn = team_arn(TeamKind::kPrivate, team.name);
  made.description = team.description;
  made.members = team.members;
  made.created = made.modified = clock_.now();
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto all, read_workforces(transaction));
    if (!team.workforce.empty()) {
      made.workforce = team.workforce;
    } else if (!all.empty()) {
      made.workforce = all.front().name;
    } else {
      return fail(ErrorCode::kNotFound, "there is no private workforce; create one first");
    }
    if (std::none_of(all.begin(), all.end(),
                     [&](const Workforce& one) { return one.name == made.workforce; })) {
      return no_workforce(made.workforce);
    }
    TERRAPIN_TRY(const auto present, (transaction.select_one<std::string>(
                                         "SELECT name FROM workteams WHERE name = ?", made.name)));
    if (present) return fail(ErrorCode::kAlreadyExists, "there is a work team \"{}\" already", made.name);
    TERRAPIN_TRY_STATUS(transaction.run(
        "INSERT INTO workteams (name, workforce, description, created, modified) VALUES (?, ?, ?, ?, ?)",
        made.name, made.workforce, made.description, to_microseconds(made.created),
        to_microseconds(made.modified)));
    return insert_members(transaction, made.name, made.members);
  }));
  return made;
}

Result<Workteam> Workforces::team(const std::string& name) {
  std::vector<Workteam> found;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(found, read_teams(transaction, &name));
    return {};
  }));
  if (found.empty()) return no_team(name);
  return found.front();
}

Result<WorkforcePage<Workteam>> Workforces::list_teams(const WorkforceFilter& filter) {
  std::vector<Workteam> all;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(all, read_teams(transaction, nullptr));
    return {};
  }));
  return page_of(std::move(all), filter);
}

Result<Workteam> Workforces::update_team(const std::string& name,
                                         const std::optional<std::string>& description,
                                         const std::optional<std::vector<TeamMember>>& members) {
  if (description) {
    TERRAPIN_TRY_STATUS(check_text(*description, "the description", 1, 800));
  }
  if (members) {
    TERRAPIN_TRY_STATUS(check_members(*members));
  }
  Workteam changed;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto found, read_teams(transaction, &name));
    if (found.empty()) return no_team(name);
    changed = found.front();
    if (description) changed.description = *description;
    changed.modified = std::max(clock_.now(), changed.created);
    TERRAPIN_TRY_STATUS(transaction.run("UPDATE workteams SET description = ?, modified = ? WHERE name = ?",
                                        changed.description, to_microseconds(changed.modified), name));
    if (!members) return {};
    changed.members = *members;
    TERRAPIN_TRY_STATUS(transaction.run("DELETE FROM workteam_groups WHERE team = ?", name));
    return insert_members(transaction, name, changed.members);
  }));
  return changed;
}

Status Workforces::delete_team(const std::string& name) {
  return database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const std::int64_t gone, transaction.run("DELETE FROM workteams WHERE name = ?", name));
    if (gone == 0) return no_team(name);
    TERRAPIN_TRY_STATUS(transaction.run("DELETE FROM workteam_groups WHERE team = ?", name));
    return erase_tags(transaction, team_arn(TeamKind::kPrivate, name));
  });
}

// ---- vendors ----

Result<std::vector<Workteam>> Workforces::read_vendors(Transaction& transaction,
                                                       const std::string* name) const {
  using Text = std::string;
  std::vector<std::tuple<Text, Text, Text, Text, Text, std::int64_t>> rows;
  const Text columns = "SELECT name, listing_id, title, description, seller, created FROM vendors";
  if (name != nullptr) {
    TERRAPIN_TRY(rows, (transaction.select<Text, Text, Text, Text, Text, std::int64_t>(
                           columns + " WHERE name = ?", *name)));
  } else {
    TERRAPIN_TRY(rows, (transaction.select<Text, Text, Text, Text, Text, std::int64_t>(columns)));
  }
  std::vector<Workteam> result;
  for (const auto& [vendor_name, listing_id, title, description, seller, created] : rows) {
    Workteam team;
    team.kind = TeamKind::kVendor;
    team.name = vendor_name;
    team.arn = team_arn(TeamKind::kVendor, vendor_name);
    team.listing_id = listing_id;
    team.title = title;
    team.description = description;
    team.seller = seller;
    team.created = team.modified = from_microseconds(created);
    result.push_back(std::move(team));
  }
  return result;
}

Result<Workteam> Workforces::add_vendor(const VendorSpec& vendor) {
  TERRAPIN_TRY_STATUS(check_name(vendor.name, "a vendor"));
  TERRAPIN_TRY_STATUS(check_text(vendor.title, "the title", 0, 200));
  TERRAPIN_TRY_STATUS(check_text(vendor.description, "the description", 0, 200));
  TERRAPIN_TRY_STATUS(check_text(vendor.seller, "the seller", 0, 200));
  TERRAPIN_TRY_STATUS(check_text(vendor.listing_id, "the listing id", 0, 200));
  const std::string listing = vendor.listing_id.empty() ? "vendor-" + vendor.name : vendor.listing_id;
  std::vector<Workteam> made;
  const std::int64_t now = to_microseconds(clock_.now());
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(made, read_vendors(transaction, &vendor.name));
    if (!made.empty())
      return fail(ErrorCode::kAlreadyExists, "there is a vendor \"{}\" already", vendor.name);
    TERRAPIN_TRY_STATUS(
        transaction.run("INSERT INTO vendors (name, listing_id, title, description, seller, created) VALUES "
                        "(?, ?, ?, ?, ?, ?)",
                        vendor.name, listing, vendor.title, vendor.description, vendor.seller, now));
    TERRAPIN_TRY(made, read_vendors(transaction, &vendor.name));
    return {};
  }));
  return made.front();
}

Result<WorkforcePage<Workteam>> Workforces::list_vendors(const WorkforceFilter& filter) {
  std::vector<Workteam> all;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(all, read_vendors(transaction, nullptr));
    return {};
  }));
  return page_of(std::move(all), filter);
}

Status Workforces::remove_vendor(const std::string& name) {
  return database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const std::int64_t gone, transaction.run("DELETE FROM vendors WHERE name = ?", name));
    if (gone == 0) return fail(ErrorCode::kNotFound, "there is no vendor \"{}\"", name);
    return erase_tags(transaction, team_arn(TeamKind::kVendor, name));
  });
}

// ---- any kind ----

Result<std::optional<Workteam>> Workforces::find_team(const std::string& arn) {
  const auto name_after = [&](TeamKind kind) -> std::optional<std::string> {
    const std::string start = team_arn(kind, "");
    if (arn.rfind(start, 0) != 0 || arn.size() == start.size()) return std::nullopt;
    return arn.substr(start.size());
  };
  if (arn == team_arn(TeamKind::kPublic, "default")) {
    Workteam crowd;
    crowd.kind = TeamKind::kPublic;
    crowd.name = "default";
    crowd.arn = arn;
    crowd.description = "The public crowd";
    return std::optional<Workteam>(std::move(crowd));
  }
  std::vector<Workteam> found;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    found.clear();
    if (const auto name = name_after(TeamKind::kPrivate)) {
      TERRAPIN_TRY(found, read_teams(transaction, &*name));
    } else if (const auto vendor = name_after(TeamKind::kVendor)) {
      TERRAPIN_TRY(found, read_vendors(transaction, &*vendor));
    }
    return {};
  }));
  return found.empty() ? std::optional<Workteam>() : std::optional<Workteam>(found.front());
}

Result<std::vector<std::string>> Workforces::teams_of(const std::vector<std::string>& groups) {
  std::set<std::string> arns;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    arns.clear();
    for (const std::string& group : groups) {
      if (group == kPublicCrowdGroup) {
        arns.insert(team_arn(TeamKind::kPublic, "default"));
      } else if (is_reserved_group(group)) {
        const std::string name = group.substr(vendor_group("").size());
        TERRAPIN_TRY(const auto vendor,
                     (transaction.select_one<std::string>("SELECT name FROM vendors WHERE name = ?", name)));
        if (vendor) arns.insert(team_arn(TeamKind::kVendor, name));
      } else {
        TERRAPIN_TRY(const auto teams, (transaction.select<std::string>(
                                           "SELECT team FROM workteam_groups WHERE group_name = ?", group)));
        for (const auto& [team_name] : teams) arns.insert(team_arn(TeamKind::kPrivate, team_name));
      }
    }
    return {};
  }));
  return std::vector<std::string>(arns.begin(), arns.end());
}

bool Workforces::is_reserved_group(std::string_view group) {
  return group == kPublicCrowdGroup || group.rfind("vendor:", 0) == 0;
}

// ---- tags ----

Result<std::optional<Tags>> Workforces::tags(const std::string& arn) {
  std::optional<Tags> result;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(result, read_tags(transaction, arn));
    return {};
  }));
  return result;
}

Result<Tags> Workforces::add_tags(const std::string& arn, const Tags& tags, const Tags& initial) {
  Tags all;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto present, read_tags(transaction, arn));
    all = present.value_or(initial);
    for (const auto& [key, value] : tags) all[key] = value;
    if (all.size() > kMaxTags) {
      return fail(ErrorCode::kInvalidArgument, "{} would have {} tags; at most {} are allowed", arn,
                  all.size(), kMaxTags);
    }
    return write_tags(transaction, arn, all);
  }));
  return all;
}

Status Workforces::remove_tags(const std::string& arn, const std::vector<std::string>& keys,
                               const Tags& initial) {
  return database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto present, read_tags(transaction, arn));
    Tags all = present.value_or(initial);
    for (const std::string& key : keys) all.erase(key);
    return write_tags(transaction, arn, all);
  });
}

Status Workforces::forget_tags(const std::string& arn) {
  return database_.write([&](Transaction& transaction) { return erase_tags(transaction, arn); });
}

// ---- names ----

std::string Workforces::workforce_arn(const std::string& name) const {
  return fmt::format("arn:aws:sagemaker:{}:{}:workforce/{}", options_.region, options_.account_id, name);
}

std::string Workforces::team_arn(TeamKind kind, const std::string& name) const {
  const bool crowd = kind == TeamKind::kPublic;
  const char* folder = crowd ? "public-crowd" : kind == TeamKind::kVendor ? "vendor-crowd" : "private-crowd";
  return fmt::format("arn:aws:sagemaker:{}:{}:workteam/{}/{}", options_.region,
                     crowd ? kPublicCrowdAccount : options_.account_id, folder, name);
}

bool address_allowed(const Workforce& workforce, std::string_view remote_address) {
  return address_allowed(workforce.cidrs, remote_address);
}

}  // namespace terrapin::labeling
