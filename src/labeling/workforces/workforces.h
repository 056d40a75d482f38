// Who labels: the private workforce and its teams, vendors' teams, the public crowd, and the tags of
// resources. docs/formats/workforces.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/database.h"

namespace terrapin::labeling {

// People sign in with accounts of a pool: the portal's own, whatever the pool is called.
struct AccountPool {
  std::string user_pool, client_id;
};
// People sign in at an OpenID Connect provider.
struct OpenIdProvider {
  std::string client_id, client_secret, issuer;
  std::string authorization_endpoint, token_endpoint, user_info_endpoint, logout_endpoint, jwks_uri;
  std::string scope;                                    // "" = the portal's default
  std::map<std::string, std::string> extra_parameters;  // of the authorization request
};

struct Workforce {
  std::string name;
  std::optional<AccountPool> pool;  // exactly one of these two
  std::optional<OpenIdProvider> openid;
  std::vector<std::string> cidrs;  // empty: from anywhere
  Timestamp created, modified;
};

// One of the groups whose people form a team: of the account pool, or of the OpenID provider.
struct TeamMember {
  std::string user_pool, client_id, user_group;  // pool
  std::vector<std::string> openid_groups;        // provider; then the others are empty
};

enum class TeamKind { kPrivate, kVendor, kPublic };

struct Workteam {
  TeamKind kind = TeamKind::kPrivate;
  std::string name, arn, description;
  std::string workforce;            // kPrivate: its name
  std::vector<TeamMember> members;  // kPrivate
  Timestamp created, modified;
  std::string listing_id, title, seller;  // kVendor
};

struct VendorSpec {
  std::string name;  // 1..63, [a-zA-Z0-9](-*[a-zA-Z0-9])*
  std::string title, description, seller;
  std::string listing_id;  // "" = "vendor-<name>"
};

struct WorkforceFilter {
  std::string name_contains;  // without case
  enum class SortBy { kName, kCreationTime } sort_by = SortBy::kCreationTime;
  bool descending = false;
  std::int64_t offset = 0;
  int limit = 100;
};
template <class T>
struct WorkforcePage {
  std::vector<T> items;
  bool more = false;
};

using Tags = std::map<std::string, std::string>;

struct WorkforcesOptions {
  std::string region = "us-east-1", account_id = "111122223333";
};

constexpr const char* kPublicCrowdAccount = "394669845002";
constexpr const char* kPublicCrowdGroup = "public-crowd";
constexpr std::size_t kMaxCidrs = 10;
constexpr std::size_t kMaxTags = 50;

// Thread-safe. What a method reports as done is durable. kNotFound, kAlreadyExists and kConflict name the
// thing; kInvalidArgument the value and what is allowed.
class Workforces {
 public:
  // Makes the tables and, once in the life of a database, the private workforce "default" with accounts of
  // our own. `database` and `clock` outlive the result.
  static Result<std::unique_ptr<Workforces>> open(storage::Database& database, WorkforcesOptions options,
                                                  const Clock& clock);

  // ---- workforces: at most one private ----

  // kConflict if there is one already, naming it. Of `workforce` name, pool or openid, and cidrs count.
  Result<Workforce> create_workforce(const Workforce& workforce);
  Result<Workforce> workforce(const std::string& name);
  // The private one; nullopt after it was deleted and before another is created.
  Result<std::optional<Workforce>> private_workforce();
  Result<WorkforcePage<Workforce>> list_workforces(const WorkforceFilter& filter);
  // Changes what is given. A provider can be changed only while no team exists (kConflict), and given only to
  // a workforce that has one (kInvalidArgument).
  Result<Workforce> update_workforce(const std::string& name, const std::optional<OpenIdProvider>& openid,
                                     const std::optional<std::vector<std::string>>& cidrs);
  // kConflict while teams exist, naming them. Its tags go with it.
  Status delete_workforce(const std::string& name);

  // ---- private teams ----

  // Of `team` name, description, members and workforce ("" = the private one) count.
  Result<Workteam> create_team(const Workteam& team);
  Result<Workteam> team(const std::string& name);
  Result<WorkforcePage<Workteam>> list_teams(const WorkforceFilter& filter);
  Result<Workteam> update_team(const std::string& name, const std::optional<std::string>& description,
                               const std::optional<std::vector<TeamMember>>& members);
  // The caller sees to it that no job needs the team. Its tags go with it.
  Status delete_team(const std::string& name);

  // ---- vendors' teams, each a team that this account is subscribed to ----

  Result<Workteam> add_vendor(const VendorSpec& vendor);
  Result<WorkforcePage<Workteam>> list_vendors(const WorkforceFilter& filter);
  Status remove_vendor(const std::string& name);

  // ---- teams of any kind ----

  // nullopt if there is none of that ARN.
  Result<std::optional<Workteam>> find_team(const std::string& arn);
  // The ARNs of the teams that people of these groups belong to, ascending. "vendor:<name>" is the vendor's
  // people, kPublicCrowdGroup the crowd: such names must come from accounts of our own, never from a
  // provider's claims (is_reserved_group).
  Result<std::vector<std::string>> teams_of(const std::vector<std::string>& groups);
  static std::string vendor_group(const std::string& vendor_name) { return "vendor:" + vendor_name; }
  static bool is_reserved_group(std::string_view group);

  // ---- tags, by the ARN of what carries them ----

  // nullopt: none were ever written for this ARN.
  Result<std::optional<Tags>> tags(const std::string& arn);
  // Adds and overwrites. `initial`: what the resource was made with, kept elsewhere; counts when none were
  // ever written. kInvalidArgument above kMaxTags. Returns all.
  Result<Tags> add_tags(const std::string& arn, const Tags& tags, const Tags& initial = {});
  Status remove_tags(const std::string& arn, const std::vector<std::string>& keys, const Tags& initial = {});
  Status forget_tags(const std::string& arn);

  std::string workforce_arn(const std::string& name) const;
  std::string team_arn(TeamKind kind, const std::string& name) const;
  const WorkforcesOptions& options() const { return options_; }

 private:
  Workforces(storage::Database& database, WorkforcesOptions options, const Clock& clock)
      : database_(database), options_(std::move(options)), clock_(clock) {}
  Result<std::vector<Workforce>> read_workforces(storage::Transaction& transaction) const;
  Result<std::vector<Workteam>> read_teams(storage::Transaction& transaction, const std::string* name) const;
  Result<std::vector<Workteam>> read_vendors(storage::Transaction& transaction,
                                             const std::string* name) const;

  storage::Database& database_;
  const WorkforcesOptions options_;
  const Clock& clock_;
};

// May people of this workforce come from this address (docs/formats/workforces.md).
bool address_allowed(const Workforce& workforce, std::string_view remote_address);

}  // namespace terrapin::labeling
