// People: who may sign in, as what, and how they got in. Tables identity_* (schema.h).
// Tokens (invitations, resets, sessions) are 256 random bits; only their SHA-256 is stored.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "identity/passwords.h"
#include "identity/rate_limit.h"
#include "storage/database.h"

namespace terrapin::identity {

enum class Role { kAdmin, kRequester, kWorker };
const char* role_name(Role role);  // "admin", "requester", "worker"
Result<Role> parse_role(std::string_view name);

// A member of this group belongs to the vendor's team and to no other: such an account is a worker only.
std::string vendor_group(std::string_view vendor);  // "vendor:<vendor>"

struct Account {
  std::string id;    // opaque, visible ASCII; never reused
  std::string name;  // e-mail address or name to sign in with; unique without regard to case
  std::string display_name;
  std::vector<Role> roles;
  std::vector<std::string> groups;
  std::string issuer, subject;  // of an OpenID Connect provider; "" for accounts with a password
  bool active = true;           // false: removed
  Timestamp created;
  std::int64_t credentials = 0;  // grows whenever what proves the account changes
  bool has(Role role) const;
};

// Who owns what the account makes (jobs): "account:<id>". No access key's owner is spelled so.
std::string principal_of(const Account& account);

struct NewInvitation {
  std::string name;  // the only name that may accept it; "": any
  std::vector<Role> roles{Role::kWorker};
  std::vector<std::string> groups;
  std::string made_by;                        // account id or principal
  std::optional<std::chrono::seconds> lasts;  // AccountOptions::invitation_lifetime if absent
};
struct Invitation {
  std::string id;
  std::string token;  // only in what invite() returns
  std::string name;
  std::vector<Role> roles;
  std::vector<std::string> groups;
  std::string made_by;
  Timestamp created, expires;
};
struct PasswordReset {
  std::string token;
  Timestamp expires;
};

// Neither member set: the name or the password is wrong, and which stays untold.
struct SignInOutcome {
  std::optional<Account> account;       // proved
  std::chrono::seconds retry_after{0};  // above zero: not looked at, so many attempts failed before
};

// What a provider said of someone, after its proof was checked (openid_connect.h).
struct OpenIdIdentity {
  std::string issuer, subject, name;
  std::vector<std::string> groups;
};

struct AccountOptions {
  std::chrono::seconds invitation_lifetime = std::chrono::hours(7 * 24);
  std::chrono::seconds reset_lifetime = std::chrono::hours(24);
  int max_password_hashes = 2;  // at once; 64 MiB each
  int max_waiting_hashes = 64;
  FailureDelays::Options account_delays{5, std::chrono::seconds(1), std::chrono::seconds(300),
                                        std::chrono::seconds(3600), 65'536};
  FailureDelays::Options address_delays{20, std::chrono::seconds(1), std::chrono::seconds(900),
                                        std::chrono::seconds(3600), 65'536};
  // Called after an account was removed, outside any transaction; gives its leases back. Its failure is
  // remove()'s; calling remove() again calls it again.
  std::function<Status(const Account&)> on_removed;
};

struct AccountFilter {
  std::optional<bool> active;
  std::string group;  // "": any
  bool without_vendors = false;
  std::int64_t offset = 0;
  int limit = 100;
};

// Any method may be called from any thread; a success is durable. kNotFound names the missing account.
class Accounts {
 public:
  // Brings the tables up to date.
  static Result<std::unique_ptr<Accounts>> open(storage::Database& database, const Clock& clock,
                                                AccountOptions options = {});

  // kInvalidArgument: a name, role or group that may not be; kAlreadyExists: an account has the name.
  Result<Invitation> invite(const NewInvitation& wanted);
  Result<std::vector<Invitation>> open_invitations();  // neither used nor expired, newest first
  Status revoke_invitation(const std::string& id);
  // kNotFound if the token is unknown, used or expired: one message for all three. No account is made.
  Result<Invitation> look_at_invitation(const std::string& token);
  // Uses the token up, once whatever the number of callers. On any failure the invitation stays open.
  // kAlreadyExists: the name is taken.
  Result<Account> accept_invitation(const std::string& token, const std::string& name,
                                    const std::string& display_name, const std::string& password);

  // A link for one who forgot; earlier ones of the account end. kConflict for a removed account or one of a
  // provider.
  Result<PasswordReset> make_reset(const std::string& account_id, const std::string& made_by);
  // Uses the token up, sets the password and ends the account's sessions.
  Result<Account> reset_password(const std::string& token, const std::string& password);
  // Ends the account's sessions. Wrong old passwords count as failed sign-ins.
  Result<SignInOutcome> change_password(const std::string& account_id, const std::string& old_password,
                                        const std::string& new_password, const std::string& remote_address);

  // Takes as long for a name nobody has. Slows down by account and by address.
  Result<SignInOutcome> sign_in(const std::string& name, const std::string& password,
                                const std::string& remote_address);
  // Makes the account at the first time (a worker), takes name and groups over at each. Vendors' groups and
  // "public-crowd" are not the provider's to give and left out. kDenied for a removed account.
  Result<Account> sign_in_with(const OpenIdIdentity& identity);

  Result<Account> account(const std::string& id);
  Result<std::vector<Account>> list(const AccountFilter& filter);  // by name
  // kConflict if no active admin would be left.
  Result<Account> update(const std::string& id, const std::string& display_name,
                         const std::vector<Role>& roles, const std::vector<std::string>& groups);
  // In or out of one group, all else as it is; said twice is said once. kConflict for an account whose groups
  // a provider gives, for one of a vendor and for a removed one.
  Result<Account> join_group(const std::string& id, const std::string& group);
  Result<Account> leave_group(const std::string& id, const std::string& group);
  // The account can no longer sign in, its sessions and reset links end at once, its name is free. kConflict
  // for the last active admin.
  Result<Account> remove(const std::string& id);
  // A removed account of a provider may sign in again; one with a password needs a reset link. kAlreadyExists
  // if its name was taken meanwhile.
  Result<Account> restore(const std::string& id);

  const PasswordHasher& hasher() const { return hasher_; }

 private:
  Accounts(storage::Database& database, const Clock& clock, AccountOptions options);
  Result<Account> change_group(const std::string& id, const std::string& group, bool in);
  storage::Database& database_;
  const Clock& clock_;
  const AccountOptions options_;
  PasswordHasher hasher_;  // synchronises itself, as do:
  FailureDelays by_account_, by_address_;
};

}  // namespace terrapin::identity
