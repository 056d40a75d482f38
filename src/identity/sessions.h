// Who is signed in. A session is a random token that the browser keeps in a cookie.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
#include "identity/accounts.h"
#include "storage/database.h"

namespace terrapin::identity {

struct SessionOptions {
  std::chrono::seconds lifetime = std::chrono::hours(12);  // however much it is used
  std::chrono::seconds idle_limit = std::chrono::hours(2);
  // Uses are written down this often at most, so an idle session may end this much early.
  std::chrono::seconds write_interval = std::chrono::seconds(60);
};

struct Session {
  Account account;   // as it is now
  std::string csrf;  // what state-changing requests must repeat
  Timestamp created, expires;
};
struct NewSession {
  std::string token;  // for the cookie; not stored
  Session session;
};

// Any method may be called from any thread. Sessions survive a restart.
class Sessions {
 public:
  static Result<std::unique_ptr<Sessions>> open(storage::Database& database, const Clock& clock,
                                                SessionOptions options = {});
  // For an account just proved; kDenied if it was removed or its password changed since. The session of
  // `replaced_token` ends, so what a browser brought along is never signed in.
  Result<NewSession> create(const Account& account, const std::string& replaced_token = {});
  // nullopt for a token that is unknown, ended, expired or idle for too long. Counts as a use.
  Result<std::optional<Session>> find(const std::string& token);
  Status end(const std::string& token);
  Status end_all(const std::string& account_id);

 private:
  Sessions(storage::Database& database, const Clock& clock, SessionOptions options)
      : database_(database), clock_(clock), options_(options) {}
  storage::Database& database_;
  const Clock& clock_;
  const SessionOptions options_;
};

}  // namespace terrapin::identity
