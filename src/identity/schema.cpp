#include "identity/schema.h"

#include <algorithm>
#include <array>

#include "crypto/hash.h"
#include "crypto/secrets.h"

namespace terrapin::identity {
namespace {

constexpr storage::Migration kMigrations[] = {
    {1, R"(CREATE TABLE identity_accounts (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  roles TEXT NOT NULL,
  group_names TEXT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  password TEXT,
  state TEXT NOT NULL,
  credentials BIGINT NOT NULL,
  created BIGINT NOT NULL);
CREATE UNIQUE INDEX identity_accounts_subject ON identity_accounts (issuer, subject) WHERE issuer <> '';
CREATE TABLE identity_tokens (
  digest TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  account_id TEXT,
  name TEXT NOT NULL,
  roles TEXT NOT NULL,
  group_names TEXT NOT NULL,
  made_by TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  used BIGINT);
CREATE INDEX identity_tokens_expires ON identity_tokens (expires);
CREATE INDEX identity_tokens_account ON identity_tokens (account_id);
CREATE TABLE identity_sessions (
  digest TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  csrf TEXT NOT NULL,
  created BIGINT NOT NULL,
  last_used BIGINT NOT NULL,
  expires BIGINT NOT NULL);
CREATE INDEX identity_sessions_account ON identity_sessions (account_id);
CREATE INDEX identity_sessions_expires ON identity_sessions (expires);
)"},
};

constexpr std::size_t kTokenCharacters = 43;  // of 62 each: 256.03 bits
constexpr int kAccountColumns = 10;

}  // namespace

Status prepare_tables(storage::Database& database) {
  return database.migrate("identity", kMigrations);
}

std::string token_digest(std::string_view token) {
  return crypto::hex(crypto::hash(crypto::HashKind::kSha256, token));
}

std::string new_token() {
  return crypto::random_text(kTokenCharacters);
}

bool looks_like_token(std::string_view text) {
  return text.size() == kTokenCharacters && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
         });
}

Result<std::vector<Account>> read_accounts(storage::Transaction& transaction, std::string_view condition,
                                           std::span<const storage::Value> values) {
  const std::string sql =
      "SELECT id, name, display_name, roles, group_names, issuer, subject, state, credentials, created "
      "FROM identity_accounts " +
      std::string(condition);
  TERRAPIN_TRY(const std::vector<storage::TextRow> rows, transaction.query(sql, kAccountColumns, values));
  std::vector<Account> accounts;
  accounts.reserve(rows.size());
  for (const storage::TextRow& row : rows) {
    std::array<std::string, kAccountColumns> text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!row[i]) return fail(ErrorCode::kCorrupt, "identity_accounts has a NULL in column {}", i);
      text[i] = *row[i];
    }
    Account account;
    account.id = text[0];
    account.name = text[1];
    account.display_name = text[2];
    TERRAPIN_TRY(account.roles, split_roles(text[3]));
    account.groups = split_groups(text[4]);
    account.issuer = text[5];
    account.subject = text[6];
    account.active = text[7] == "active";
    TERRAPIN_TRY(account.credentials, storage::detail::to_integer(text[8]));
    TERRAPIN_TRY(const std::int64_t created, storage::detail::to_integer(text[9]));
    account.created = from_microseconds(created);
    accounts.push_back(std::move(account));
  }
  return accounts;
}

Result<Account> read_account(storage::Transaction& transaction, const std::string& id) {
  const storage::Value value(id);
  TERRAPIN_TRY(std::vector<Account> found, read_accounts(transaction, "WHERE id = ?", {&value, 1}));
  if (found.empty()) return fail(ErrorCode::kNotFound, "there is no account '{}'", id);
  return std::move(found.front());
}

std::string join_roles(const std::vector<Role>& roles) {
  std::string text;
  for (const Role role : roles) {
    if (!text.empty()) text += ',';
    text += role_name(role);
  }
  return text;
}

Result<std::vector<Role>> split_roles(const std::string& text) {
  std::vector<Role> roles;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    TERRAPIN_TRY(const Role role, parse_role(std::string_view(text).substr(start, end - start)));
    roles.push_back(role);
    start = end + 1;
  }
  return roles;
}

std::string join_groups(const std::vector<std::string>& groups) {
  std::string text;
  for (const std::string& group : groups) text += group + "\n";
  return text;
}

std::vector<std::string> split_groups(const std::string& text) {
  std::vector<std::string> groups;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    groups.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return groups;
}

}  // namespace terrapin::identity
