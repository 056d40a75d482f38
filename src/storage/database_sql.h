// SQL as text: what stands between a statement of ours and a driver.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/database.h"

namespace terrapin::storage {

enum class Dialect { kSqlite, kPostgres };

// One letter a value: 'i' integer, 'd' floating point, 't' text, 'n' NULL.
std::string value_kinds(std::span<const Value> values);

// kInvalidArgument for text with a zero byte or that is no UTF-8, and for numbers that are not finite.
Status check_values(std::span<const Value> values);

// The statement as SOCI takes it. A '?' outside quotes and comments becomes, by its letter in `kinds`, NULL
// or a placeholder (for PostgreSQL with its type, which the server would otherwise guess); comments become a
// space. kInternal if the number of '?' is not that of `kinds`, or a ':' outside quotes would be taken for a
// placeholder.
Result<std::string> bound_statement(Dialect dialect, std::string_view sql, std::string_view kinds);

// The statements of a script, split at ';' outside quotes and comments, comments removed, none empty.
std::vector<std::string> split_statements(std::string_view script);

// CREATE TABLE and ALTER TABLE for PostgreSQL: TEXT becomes TEXT COLLATE "C", so that text is ordered by its
// bytes as in SQLite. Any other statement stays as it is.
std::string schema_statement(Dialect dialect, std::string_view statement);

// A statement in a message: on one line, at most 200 bytes.
std::string shortened(std::string_view sql);

}  // namespace terrapin::storage
