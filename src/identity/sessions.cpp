#include "identity/sessions.h"

#include "identity/schema.h"

namespace terrapin::identity {

using storage::Transaction;

Result<std::unique_ptr<Sessions>> Sessions::open(storage::Database& database, const Clock& clock,
                                                 SessionOptions options) {
  TERRAPIN_TRY_STATUS(prepare_tables(database));
  return std::unique_ptr<Sessions>(new Sessions(database, clock, options));
}

Result<NewSession> Sessions::create(const Account& account, const std::string& replaced_token) {
  const Timestamp now = clock_.now();
  NewSession made{new_token(), {account, new_token(), now, now + options_.lifetime}};
  TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(made.session.account, read_account(transaction, account.id));
    if (!made.session.account.active || made.session.account.credentials != account.credentials)
      return fail(ErrorCode::kDenied, "the account was changed meanwhile: sign in again");
    TERRAPIN_TRY([[maybe_unused]] const auto purged,
                 transaction.run("DELETE FROM identity_sessions WHERE expires <= ?", to_microseconds(now)));
    TERRAPIN_TRY(
        [[maybe_unused]] const auto replaced,
        transaction.run("DELETE FROM identity_sessions WHERE digest = ?", token_digest(replaced_token)));
    TERRAPIN_TRY(
        [[maybe_unused]] const auto inserted,
        transaction.run("INSERT INTO identity_sessions (digest, account_id, csrf, created, last_used, "
                        "expires) VALUES (?, ?, ?, ?, ?, ?)",
                        token_digest(made.token), account.id, made.session.csrf, to_microseconds(now),
                        to_microseconds(now), to_microseconds(made.session.expires)));
    return {};
  }));
  return made;
}

Result<std::optional<Session>> Sessions::find(const std::string& token) {
  if (!looks_like_token(token)) return std::nullopt;
  const std::string digest = token_digest(token);
  const Timestamp now = clock_.now();
  std::optional<Session> session;
  bool write_use = false;
  TERRAPIN_TRY_STATUS(database_.read([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY(
        const auto row,
        (transaction.select_one<std::string, std::string, std::int64_t, std::int64_t, std::int64_t>(
            "SELECT account_id, csrf, created, last_used, expires FROM identity_sessions WHERE digest = ?",
            digest)));
    if (!row) return {};
    const auto& [account_id, csrf, created, last_used, expires] = *row;
    if (from_microseconds(expires) <= now || from_microseconds(last_used) + options_.idle_limit <= now)
      return {};
    TERRAPIN_TRY(Account account, read_account(transaction, account_id));
    if (!account.active) return {};
    write_use = from_microseconds(last_used) + options_.write_interval <= now;
    session = Session{std::move(account), csrf, from_microseconds(created), from_microseconds(expires)};
    return {};
  }));
  if (session && write_use) {
    TERRAPIN_TRY_STATUS(database_.write([&](Transaction& transaction) -> Status {
      TERRAPIN_TRY(
          [[maybe_unused]] const auto changed,
          transaction.run("UPDATE identity_sessions SET last_used = ? WHERE digest = ? AND last_used < ?",
                          to_microseconds(now), digest, to_microseconds(now)));
      return {};
    }));
  }
  return session;
}

Status Sessions::end(const std::string& token) {
  return database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY([[maybe_unused]] const auto ended,
                 transaction.run("DELETE FROM identity_sessions WHERE digest = ?", token_digest(token)));
    return {};
  });
}

Status Sessions::end_all(const std::string& account_id) {
  return database_.write([&](Transaction& transaction) -> Status {
    TERRAPIN_TRY([[maybe_unused]] const auto ended,
                 transaction.run("DELETE FROM identity_sessions WHERE account_id = ?", account_id));
    return {};
  });
}

}  // namespace terrapin::identity
