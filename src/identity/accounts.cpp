#include "identity/accounts.h"

#include <algorithm>
#include <set>

#include "base/logging.h"
#include "base/text.h"
#include "crypto/secrets.h"
#include "identity/schema.h"

namespace terrapin::identity {
namespace {

using storage::Transaction;

constexpr std::size_t kMaxNameBytes = 254, kMaxDisplayNameBytes = 200, kMaxGroupBytes = 128, kMaxGroups = 100;
constexpr auto kOldTokensKept = std::chrono::hours(30 * 24);
constexpr std::string_view kVendorPrefix = "vendor:";
constexpr std::string_view kAccountPrefix = "account:";
constexpr std::string_view kPublicCrowd = "public-crowd";  // labeling::kPublicCrowdGroup

Status check_name(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("@._%+-'&").find(c) != std::string_view::npos;
  };
  if (name.empty() || name.size() > kMaxNameBytes || !std::all_of(name.begin(), name.end(), allowed)) {
    return fail(ErrorCode::kInvalidArgument,
                "'{}' is no account name: allowed is an e-mail address or a name of 1 to {} characters "
                "A-Z a-z 0-9 @ . _ % + - ' &",
                name, kMaxNameBytes);
  }
  return {};
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Status check_display_name(const std::string& name) {
  if (name.empty() || name.size() > kMaxDisplayNameBytes || has_control_character(name)) {
    return fail(ErrorCode::kInvalidArgument,
                "the display name has {} bytes: allowed are 1 to {} without control characters", name.size(),
                kMaxDisplayNameBytes);
  }
  return {};
}

bool is_group_name(std::string_view group) {
  return !group.empty() && group.size() <= kMaxGroupBytes && !has_control_character(group);
}

Status check_roles_and_groups(const std::vector<Role>& roles, const std::vector<std::string>& groups) {
  if (roles.empty() || std::set<Role>(roles.begin(), roles.end()).size() != roles.size()) {
    return fail(ErrorCode::kInvalidArgument,
                "roles must name each of admin, requester, worker at most once and one at least");
  }
  if (groups.size() > kMaxGroups)
    return fail(ErrorCode::kInvalidArgument, "{} groups: allowed are {}", groups.size(), kMaxGroups);
  for (const std::string& group : groups) {
    if (!is_group_name(group)) {
      return fail(ErrorCode::kInvalidArgument,
                  "'{}' is no group: allowed are 1 to {} bytes without control characters", group,
                  kMaxGroupBytes);
    }
    if (!group.starts_with(kVendorPrefix)) continue;
    if (group.size() == kVendorPrefix.size())
      return fail(ErrorCode::kInvalidArgument, "the group 'vendor:' must name a vendor");
    if (groups.size() != 1 || roles != std::vector<Role>{Role::kWorker}) {
      return fail(ErrorCode::kInvalidArgument,
                  "a member of '{}' must be a worker, nothing else, and in no other group", group);
    }
  }
  if (std::set<std::string>(groups.begin(), groups.end()).size() != groups.size())
    return fail(ErrorCode::kInvalidArgument, "a group is named twice");
  return {};
}

// Names are unique by this. Characters of the prefixes of other accounts may not be in a name.
std::string key_of_name(const std::string& name) {
  return lower_case(name);
}
std::string key_of_subject(const std::string& issuer, const std::string& subject) {
  return "oidc:" + token_digest(issuer + "\n" + subject);
}
std::string key_of_removed(const std::string& id) {
  return "removed:" + id;
}

Status end_sessions(Transaction& transaction, const std::string& account_id) {
  TERRAPIN_TRY([[maybe_unused]] const auto ended,
               transaction.run("DELETE FROM identity_sessions WHERE account_id = ?", account_id));
  return {};
}
Status end_resets(Transaction& transaction, const std::string& account_id) {
  TERRAPIN_TRY(
      [[maybe_unused]] const auto ended,
      transaction.run("DELETE FROM identity_tokens WHERE kind = 'reset' AND account_id = ?", account_id));
  return {};
}

Status require_another_admin(Transaction& transaction, const std::string& id) {
  TERRAPIN_TRY(const auto row, transaction.select_one<std::int64_t>(
                                   "SELECT COUNT(*) FROM identity_accounts WHERE state = 'active' "
                                   "AND roles LIKE '%admin%' AND id <> ?",
                                   id));
  if (row && std::get<0>(*row) > 0) return {};
  return fail(ErrorCode::kConflict, "account '{}' is the last active admin: make another one first", id);
}

tl::unexpected<Error> no_invitation() {
  return fail(ErrorCode::kNotFound, "the invitation is unknown, used up or expired: ask for a new one");
}
tl::unexpected<Error> no_reset() {
  return fail(ErrorCode::kNotFound, "the reset link is unknown, used up or expired: ask for a new one");
}

constexpr const char* kTokenColumns =
    "SELECT id, name, roles, group_names, made_by, created, expires FROM identity_tokens ";
using TokenRow =
    std::tuple<std::string, std::string, std::string, std::string, std::string, std::int64_t, std::int64_t>;

Result<Invitation> to_invitation(const TokenRow& row) {
  Invitation invitation;
  invitation.id = std::get<0>(row);
  invitation.name = std::get<1>(row);
  TERRAPIN_TRY(invitation.roles, split_roles(std::get<2>(row)));
  invitation.groups = split_groups(std::get<3>(row));
  invitation.made_by = std::get<4>(row);
  invitation.created = from_microseconds(std::get<5>(row));
  invitation.expires = from_microseconds(std::get<6>(row));
  return invitation;
}

Result<Invitation> find_invitation(Transaction& transaction, const std::string& token, Timestamp now) {
  TERRAPIN_TRY(const auto row,
               (transaction.select_one<std::string, std::string, std::string, std::string, std::string,
                                       std::int64_t, std::int64_t>(
                   std::string(kTokenColumns) +
                       "WHERE digest = ? AND kind = 'invitation' AND used IS NULL AND expires > ?",
                   token_digest(token), to_microseconds(now))));
  if (!row) return no_invitation();
  return to_invitation(*row);
}

// The one caller whose update changes the row has the token.
Result<bool> use_token(Transaction& transaction, const std::string& token, const char* kind, Timestamp now) {
  TERRAPIN_TRY(
      const std::int64_t changed,
      transaction.run("UPDATE identity_tokens SET used = ? WHERE digest = ? AND kind = ? AND used IS "
                      "NULL AND expires > ?",
                      to_microseconds(now), token_digest(token), kind, to_microseconds(now)));
  return changed == 1;
}

Status insert_account(Transaction& transaction, const Account& account, const std::string& key,
                      const std::optional<std::string>& password) {
  auto inserted = transaction.run(
      "INSERT INTO identity_accounts (id, name, name_key, display_name, roles, group_names, issuer, subject, "
      "password, state, credentials, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?)",
      account.id, account.name, key, account.display_name, join_roles(account.roles),
      join_groups(account.groups), account.issuer, account.subject, password, account.credentials,
      to_microseconds(account.created));
  if (inserted) return {};
  if (inserted.error().code != ErrorCode::kAlreadyExists)
    return tl::unexpected<Error>(std::move(inserted.error()));
  return fail(ErrorCode::kAlreadyExists, "the name '{}' is taken", account.name);
}

std::string new_account_id() {
  return "person-" + lower_case(crypto::random_text(24));
}

}  // namespace

const char* role_name(Role role) {
  switch (role) {
    case Role::kAdmin:
      return "admin";
    case Role::kRequester:
      return "requester";
    case Role::kWorker:
      return "worker";
  }
  return "";
}

Result<Role> parse_role(std::string_view name) {
  for (const Role role : {Role::kAdmin, Role::kRequester, Role::kWorker})
    if (name == role_name(role)) return role;
  return fail(ErrorCode::kInvalidArgument, "'{}' is no role: allowed are admin, requester, worker", name);
}

std::string principal_of(const Account& account) {
  return std::string(kAccountPrefix) + account.id;
}

std::string vendor_group(std::string_view vendor) {
  return std::string(kVendorPrefix) + std::string(vendor);
}

bool Account::has(Role role) const {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

Accounts::Accounts(storage::Database& database, const Clock& clock, AccountOptions options)
    : database_(database),
      clock_(clock),
      options_(std::move(options)),
      hasher_(options_.max_password_hashes, options_.max_waiting_hashes),
      by_account_(clock, options_.account_delays),
      by_address_(clock, options_.address_delays) {}

Result<std::unique_ptr<Accounts>> Accounts::open(storage::Database& database, const Clock& clock,
                                                 AccountOptions options) {
  TERRAPIN_TRY_STATUS(prepare_tables(database));
  return std::unique_ptr<Accounts>(new Accounts(database, clock, std::move(options)));
}

// ---- invitations ----

Result<Invitation> Accounts::invite(const NewInvitation& wanted) {
  if (!wanted.name.empty()) {
    TERRAPIN_TRY_STATUS(check_name(wanted.name));
  }
  TERRAPIN_TRY_STATUS(check_roles_and_groups(wanted.roles, wanted.groups));
  const std::chrono::seconds lasts = wanted.lasts.value_or(options_.invitation_lifetime);
  if (lasts < std::chrono::minutes(1) || lasts > std::chrono::hours(90 * 24)) {
    return fail(ErrorCode::kInvalidArgument, "an invitation of {} s: allowed are 60 s to 90 days",
                lasts.count());
  }
  const Timestamp now = clock_.now();
  Invitation invitation{"invitation-" + lower_case(crypto::random_text(20)),
                        new_token(),
                        wanted.name,
                        wanted.roles,
                        wanted.groups,
                        wanted.made_by,
                        now,
                        now + lasts};
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    if (!wanted.name.empty()) {
      TERRAPIN_TRY(const auto taken,
                   transaction.select_one<std::string>("SELECT id FROM identity_accounts WHERE name_key = ?",
                                                       key_of_name(wanted.name)));
      if (taken) return fail(ErrorCode::kAlreadyExists, "the name '{}' is taken", wanted.name);
    }
    TERRAPIN_TRY([[maybe_unused]] const auto purged,
                 transaction.run("DELETE FROM identity_tokens WHERE expires < ?",
                                 to_microseconds(now - kOldTokensKept)));
    TERRAPIN_TRY(
        [[maybe_unused]] const auto inserted,
        transaction.run("INSERT INTO identity_tokens (digest, id, kind, account_id, name, roles, "
                        "group_names, made_by, created, expires, used) VALUES (?, ?, 'invitation', "
                        "NULL, ?, ?, ?, ?, ?, ?, NULL)",
                        token_digest(invitation.token), invitation.id, invitation.name,
                        join_roles(invitation.roles), join_groups(invitation.groups), invitation.made_by,
                        to_microseconds(invitation.created), to_microseconds(invitation.expires)));
    return {};
  }));
  return invitation;
}

Result<std::vector<Invitation>> Accounts::open_invitations() {
  std::vector<Invitation> invitations;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(
        const auto rows,
        (transaction.select<std::string, std::string, std::string, std::string, std::string, std::int64_t,
                            std::int64_t>(
            std::string(kTokenColumns) +
                "WHERE kind = 'invitation' AND used IS NULL AND expires > ? ORDER BY created DESC, id",
            to_microseconds(clock_.now()))));
    for (const TokenRow& row : rows) {
      TERRAPIN_TRY(Invitation invitation, to_invitation(row));
      invitations.push_back(std::move(invitation));
    }
    return {};
  }));
  return invitations;
}

Status Accounts::revoke_invitation(const std::string& id) {
  return database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(
        const std::int64_t removed,
        transaction.run("DELETE FROM identity_tokens WHERE id = ? AND kind = 'invitation' AND used IS NULL",
                        id));
    if (removed == 0) return fail(ErrorCode::kNotFound, "there is no open invitation '{}'", id);
    return {};
  });
}

Result<Invitation> Accounts::look_at_invitation(const std::string& token) {
  if (!looks_like_token(token)) return no_invitation();
  Invitation invitation;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(invitation, find_invitation(transaction, token, clock_.now()));
    return {};
  }));
  return invitation;
}

Result<Account> Accounts::accept_invitation(const std::string& token, const std::string& name,
                                            const std::string& display_name, const std::string& password) {
  // Looked at before anything is hashed: wrong tokens cost nothing.
  TERRAPIN_TRY(const Invitation seen, look_at_invitation(token));
  const std::string chosen = name.empty() ? seen.name : name;
  TERRAPIN_TRY_STATUS(check_name(chosen));
  if (!seen.name.empty() && key_of_name(chosen) != key_of_name(seen.name))
    return fail(ErrorCode::kInvalidArgument, "this invitation is for '{}', not for '{}'", seen.name, chosen);
  const std::string shown = display_name.empty() ? chosen : display_name;
  TERRAPIN_TRY_STATUS(check_display_name(shown));
  TERRAPIN_TRY_STATUS(PasswordHasher::check_choice(password, chosen));
  TERRAPIN_TRY(const std::string hash, hasher_.hash(password));

  Account account;
  account.id = new_account_id();
  account.name = chosen;
  account.display_name = shown;
  account.credentials = 1;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    const Timestamp now = clock_.now();
    TERRAPIN_TRY(const Invitation invitation, find_invitation(transaction, token, now));
    TERRAPIN_TRY(const bool ours, use_token(transaction, token, "invitation", now));
    if (!ours) return no_invitation();
    account.roles = invitation.roles;
    account.groups = invitation.groups;
    account.created = now;
    return insert_account(transaction, account, key_of_name(chosen), hash);
  }));
  return account;
}

// ---- passwords ----

Result<PasswordReset> Accounts::make_reset(const std::string& account_id, const std::string& made_by) {
  const Timestamp now = clock_.now();
  PasswordReset reset{new_token(), now + options_.reset_lifetime};
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const Account account, read_account(transaction, account_id));
    if (!account.active) return fail(ErrorCode::kConflict, "account '{}' is removed", account_id);
    if (!account.issuer.empty()) {
      return fail(ErrorCode::kConflict, "account '{}' signs in through {}: it has no password here",
                  account_id, account.issuer);
    }
    TERRAPIN_TRY_STATUS(end_resets(transaction, account_id));
    TERRAPIN_TRY(
        [[maybe_unused]] const auto inserted,
        transaction.run("INSERT INTO identity_tokens (digest, id, kind, account_id, name, roles, "
                        "group_names, made_by, created, expires, used) VALUES (?, ?, 'reset', ?, '', "
                        "'', '', ?, ?, ?, NULL)",
                        token_digest(reset.token), "reset-" + lower_case(crypto::random_text(20)), account_id,
                        made_by, to_microseconds(now), to_microseconds(reset.expires)));
    return {};
  }));
  return reset;
}

Result<Account> Accounts::reset_password(const std::string& token, const std::string& password) {
  if (!looks_like_token(token)) return no_reset();
  Account account;
  const auto find = [&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto row,
                 transaction.select_one<std::string>(
                     "SELECT account_id FROM identity_tokens WHERE digest = ? AND kind = 'reset' "
                     "AND used IS NULL AND expires > ?",
                     token_digest(token), to_microseconds(clock_.now())));
    if (!row) return no_reset();
    TERRAPIN_TRY(account, read_account(transaction, std::get<0>(*row)));
    return account.active ? Status() : Status(no_reset());
  };
  TERRAPIN_TRY_STATUS(database_.read(find));
  TERRAPIN_TRY_STATUS(PasswordHasher::check_choice(password, account.name));
  TERRAPIN_TRY(const std::string hash, hasher_.hash(password));
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY_STATUS(find(transaction));
    TERRAPIN_TRY(const bool ours, use_token(transaction, token, "reset", clock_.now()));
    if (!ours) return no_reset();
    TERRAPIN_TRY(
        [[maybe_unused]] const auto changed,
        transaction.run("UPDATE identity_accounts SET password = ?, credentials = credentials + 1 WHERE "
                        "id = ?",
                        hash, account.id));
    account.credentials += 1;
    return end_sessions(transaction, account.id);
  }));
  by_account_.succeeded(key_of_name(account.name));
  return account;
}

Result<SignInOutcome> Accounts::change_password(const std::string& account_id,
                                                const std::string& old_password,
                                                const std::string& new_password,
                                                const std::string& remote_address) {
  TERRAPIN_TRY(const Account present, account(account_id));
  if (!present.issuer.empty()) {
    return fail(ErrorCode::kConflict, "the account signs in through {}: it has no password here",
                present.issuer);
  }
  TERRAPIN_TRY_STATUS(PasswordHasher::check_choice(new_password, present.name));
  TERRAPIN_TRY(SignInOutcome outcome, sign_in(present.name, old_password, remote_address));
  if (!outcome.account) return outcome;
  TERRAPIN_TRY(const std::string hash, hasher_.hash(new_password));
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(
        const std::int64_t changed,
        transaction.run("UPDATE identity_accounts SET password = ?, credentials = credentials + 1 WHERE "
                        "id = ? AND state = 'active' AND credentials = ?",
                        hash, account_id, outcome.account->credentials));
    if (changed != 1)
      return fail(ErrorCode::kConflict, "the account was changed at the same time: try again");
    TERRAPIN_TRY_STATUS(end_resets(transaction, account_id));
    return end_sessions(transaction, account_id);
  }));
  outcome.account->credentials += 1;
  return outcome;
}

Result<SignInOutcome> Accounts::sign_in(const std::string& name, const std::string& password,
                                        const std::string& remote_address) {
  const std::string by_name = key_of_name(name.substr(0, kMaxNameBytes + 1));
  const std::string by_place = address_key(remote_address);
  SignInOutcome outcome;
  outcome.retry_after = by_address_.begin(by_place);
  if (outcome.retry_after.count() > 0) return outcome;
  outcome.retry_after = by_account_.begin(by_name);
  if (outcome.retry_after.count() > 0) {
    by_address_.take_back(by_place);
    return outcome;
  }
  // One look whoever asks; the account itself is read only once the password was right.
  std::string id, stored;
  std::int64_t credentials = 0;
  auto looked = database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(const auto row,
                 (transaction.select_one<std::string, std::optional<std::string>, std::int64_t>(
                     "SELECT id, password, credentials FROM identity_accounts WHERE name_key = ? AND "
                     "state = 'active'",
                     check_name(name) ? by_name : std::string())));
    if (!row) return {};
    id = std::get<0>(*row);
    stored = std::get<1>(*row).value_or("");
    credentials = std::get<2>(*row);
    return {};
  });
  Result<bool> right = looked ? hasher_.verify(password, stored)
                              : Result<bool>(tl::unexpected<Error>(std::move(looked.error())));
  if (!right) {  // not the caller's failure
    by_address_.take_back(by_place);
    by_account_.take_back(by_name);
    return tl::unexpected<Error>(std::move(right.error()));
  }
  if (!*right) return outcome;
  TERRAPIN_TRY(Account proved, account(id));
  // Removed, or given another password, while this one was being checked.
  if (!proved.active || proved.credentials != credentials) return outcome;
  by_account_.succeeded(by_name);
  by_address_.take_back(by_place);
  outcome.account = std::move(proved);
  return outcome;
}

Result<Account> Accounts::sign_in_with(const OpenIdIdentity& identity) {
  if (identity.issuer.empty() || identity.subject.empty())
    return fail(ErrorCode::kInvalidArgument, "an identity needs an issuer and a subject");
  std::vector<std::string> groups;
  for (const std::string& group : identity.groups) {
    const bool known = std::find(groups.begin(), groups.end(), group) != groups.end();
    const bool ours_to_give = group.starts_with(kVendorPrefix) || group == kPublicCrowd;
    if (!known && !ours_to_give && is_group_name(group) && groups.size() < kMaxGroups)
      groups.push_back(group);
  }
  std::string shown = identity.name;
  std::erase_if(shown, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (shown.empty() || shown.size() > kMaxDisplayNameBytes) shown = identity.subject.substr(0, 100);
  Account account;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    const storage::Value values[] = {identity.issuer, identity.subject};
    TERRAPIN_TRY(std::vector<Account> found,
                 read_accounts(transaction, "WHERE issuer = ? AND subject = ?", values));
    if (found.empty()) {
      account = Account{
          new_account_id(), shown, shown, {Role::kWorker}, groups, identity.issuer, identity.subject, true,
          clock_.now(),     1};
      return insert_account(transaction, account, key_of_subject(identity.issuer, identity.subject),
                            std::nullopt);
    }
    account = std::move(found.front());
    if (!account.active) return fail(ErrorCode::kDenied, "this account was removed: ask an admin");
    account.groups = groups;
    account.name = account.display_name = shown;
    TERRAPIN_TRY(
        [[maybe_unused]] const auto changed,
        transaction.run("UPDATE identity_accounts SET name = ?, display_name = ?, group_names = ? WHERE "
                        "id = ?",
                        shown, shown, join_groups(groups), account.id));
    return {};
  }));
  return account;
}

// ---- accounts ----

Result<Account> Accounts::account(const std::string& id) {
  Account account;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(account, read_account(transaction, id));
    return {};
  }));
  return account;
}

Result<std::vector<Account>> Accounts::list(const AccountFilter& filter) {
  if (filter.offset < 0 || filter.limit < 1 || filter.limit > 1000)
    return fail(ErrorCode::kInvalidArgument, "offset must be 0 or more and limit 1 to 1000");
  std::string condition = "WHERE 1 = 1";
  std::vector<storage::Value> values;
  if (filter.active) {
    condition += " AND state = ?";
    values.emplace_back(std::string(*filter.active ? "active" : "removed"));
  }
  if (!filter.group.empty()) {  // every name ends in a line end, and none holds one
    condition += " AND (group_names LIKE ? ESCAPE '\\' OR group_names LIKE ? ESCAPE '\\')";
    std::string escaped;
    for (const char c : filter.group) {
      if (c == '%' || c == '_' || c == '\\') escaped += '\\';
      escaped += c;
    }
    values.emplace_back(escaped + "\n%");
    values.emplace_back("%\n" + escaped + "\n%");
  }
  if (filter.without_vendors) {  // who is a vendor's is in no other group
    condition += fmt::format(" AND SUBSTR(group_names, 1, {}) <> '{}'", kVendorPrefix.size(), kVendorPrefix);
  }
  condition += " ORDER BY name_key, id LIMIT ? OFFSET ?";
  values.emplace_back(std::int64_t{filter.limit});
  values.emplace_back(filter.offset);
  std::vector<Account> accounts;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(accounts, read_accounts(transaction, condition, values));
    return {};
  }));
  // LIKE has no regard to case in SQLite.
  if (!filter.group.empty()) {
    std::erase_if(accounts, [&](const Account& account) {
      return std::find(account.groups.begin(), account.groups.end(), filter.group) == account.groups.end();
    });
  }
  return accounts;
}

Result<Account> Accounts::update(const std::string& id, const std::string& display_name,
                                 const std::vector<Role>& roles, const std::vector<std::string>& groups) {
  TERRAPIN_TRY_STATUS(check_display_name(display_name));
  TERRAPIN_TRY_STATUS(check_roles_and_groups(roles, groups));
  Account account;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(account, read_account(transaction, id));
    if (!account.active) return fail(ErrorCode::kConflict, "account '{}' is removed", id);
    if (account.has(Role::kAdmin) && std::find(roles.begin(), roles.end(), Role::kAdmin) == roles.end()) {
      TERRAPIN_TRY_STATUS(require_another_admin(transaction, id));
    }
    account.display_name = display_name;
    account.roles = roles;
    account.groups = groups;
    TERRAPIN_TRY(
        [[maybe_unused]] const auto changed,
        transaction.run("UPDATE identity_accounts SET display_name = ?, roles = ?, group_names = ? WHERE "
                        "id = ?",
                        display_name, join_roles(roles), join_groups(groups), id));
    return {};
  }));
  return account;
}

Result<Account> Accounts::join_group(const std::string& id, const std::string& group) {
  return change_group(id, group, true);
}

Result<Account> Accounts::leave_group(const std::string& id, const std::string& group) {
  return change_group(id, group, false);
}

Result<Account> Accounts::change_group(const std::string& id, const std::string& group, bool in) {
  Account account;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(account, read_account(transaction, id));
    if (!account.active) return fail(ErrorCode::kConflict, "account '{}' is removed", id);
    if (!account.issuer.empty())
      return fail(ErrorCode::kConflict, "the groups of account '{}' are those that {} tells", id,
                  account.issuer);
    if (!account.groups.empty() && account.groups.front().starts_with(kVendorPrefix))
      return fail(ErrorCode::kConflict, "account '{}' is of a vendor: it stays in that group alone", id);
    const auto present = std::find(account.groups.begin(), account.groups.end(), group);
    if ((present != account.groups.end()) == in) return {};
    if (in) {
      account.groups.push_back(group);
    } else {
      account.groups.erase(present);
    }
    TERRAPIN_TRY_STATUS(check_roles_and_groups(account.roles, account.groups));
    TERRAPIN_TRY([[maybe_unused]] const auto changed,
                 transaction.run("UPDATE identity_accounts SET group_names = ? WHERE id = ?",
                                 join_groups(account.groups), id));
    return {};
  }));
  return account;
}

Result<Account> Accounts::remove(const std::string& id) {
  Account account;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(account, read_account(transaction, id));
    TERRAPIN_TRY_STATUS(end_sessions(transaction, id));
    TERRAPIN_TRY_STATUS(end_resets(transaction, id));
    if (!account.active) return {};
    if (account.has(Role::kAdmin)) {
      TERRAPIN_TRY_STATUS(require_another_admin(transaction, id));
    }
    TERRAPIN_TRY(
        [[maybe_unused]] const auto changed,
        transaction.run("UPDATE identity_accounts SET state = 'removed', name_key = ?, password = NULL, "
                        "credentials = credentials + 1 WHERE id = ?",
                        key_of_removed(id), id));
    account.active = false;
    account.credentials += 1;
    return {};
  }));
  if (options_.on_removed) {
    TERRAPIN_TRY_STATUS(options_.on_removed(account));
  }
  return account;
}

Result<Account> Accounts::restore(const std::string& id) {
  Account account;
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(account, read_account(transaction, id));
    if (account.active) return fail(ErrorCode::kConflict, "account '{}' is not removed", id);
    const std::string key =
        account.issuer.empty() ? key_of_name(account.name) : key_of_subject(account.issuer, account.subject);
    auto changed = transaction.run(
        "UPDATE identity_accounts SET state = 'active', name_key = ?, credentials = credentials + 1 WHERE id "
        "= ?",
        key, id);
    if (!changed && changed.error().code == ErrorCode::kAlreadyExists)
      return fail(ErrorCode::kAlreadyExists, "the name '{}' was taken meanwhile", account.name);
    if (!changed) return tl::unexpected<Error>(std::move(changed.error()));
    account.active = true;
    account.credentials += 1;
    return {};
  }));
  return account;
}

}  // namespace terrapin::identity
