// The tables of this folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/accounts.h"
#include "storage/database.h"

namespace terrapin::identity {

Status prepare_tables(storage::Database& database);

// What is stored of a token: its SHA-256 in hex.
std::string token_digest(std::string_view token);
// 256 random bits as 43 letters and digits.
std::string new_token();
bool looks_like_token(std::string_view text);

// Accounts that a condition chooses: "WHERE id = ?".
Result<std::vector<Account>> read_accounts(storage::Transaction& transaction, std::string_view condition,
                                           std::span<const storage::Value> values);
// kNotFound names the id.
Result<Account> read_account(storage::Transaction& transaction, const std::string& id);

std::string join_roles(const std::vector<Role>& roles);
Result<std::vector<Role>> split_roles(const std::string& text);
std::string join_groups(const std::vector<std::string>& groups);
std::vector<std::string> split_groups(const std::string& text);

}  // namespace terrapin::identity
