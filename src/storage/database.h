// State: tables in SQLite or PostgreSQL, through SOCI, which shows in .cpp files of this folder alone. SQL is
// the common subset of both: BIGINT, DOUBLE PRECISION, TEXT; ON CONFLICT; no autoincrement (ids are made by
// the program). docs/formats/database.md lists what behaves alike on both and what has to be avoided.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "base/result.h"

namespace terrapin::storage {

// A bound parameter. Text is UTF-8 without zero bytes; bytes travel as base64.
using Value = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

// One statement's answer: every column as text, nullopt for NULL.
using TextRow = std::vector<std::optional<std::string>>;

// Inside one transaction. Not thread-safe; valid only during the function it is handed to.
// Parameters are '?' in the SQL, in order (a '?' inside quotes is not one). Statements are prepared once a
// connection. After a statement that failed every further one gives the same failure, and so does write() or
// read() even if the function returns a success: where a clash is expected, write ON CONFLICT DO NOTHING and
// look at the rows changed.
class Transaction {
 public:
  virtual ~Transaction() = default;
  // Rows changed. kAlreadyExists when a unique or primary key refuses, kInvalidArgument for another
  // constraint, kNoSpace for a full disk, kIo for what the server refuses.
  virtual Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values = {}) = 0;
  virtual Result<std::vector<TextRow>> query(std::string_view sql, int columns,
                                             std::span<const Value> values = {}) = 0;

  // execute_with("UPDATE t SET a = ? WHERE id = ?", a, id): integers, floating point, text, optional of
  // these, bool (0 or 1).
  template <class... Args>
  Result<std::int64_t> run(std::string_view sql, const Args&... args);
  // select<std::int64_t, std::string, std::optional<double>>("SELECT ...", args...): one tuple a row. A NULL
  // in a column that is no optional is kInternal naming the statement.
  template <class... Columns, class... Args>
  Result<std::vector<std::tuple<Columns...>>> select(std::string_view sql, const Args&... args);
  // The first row; nullopt if there is none.
  template <class... Columns, class... Args>
  Result<std::optional<std::tuple<Columns...>>> select_one(std::string_view sql, const Args&... args);
};

// A step of a schema, applied once and in order. Never edit one that was released: add the next.
struct Migration {
  int version = 0;         // 1, 2, 3, ...
  const char* statements;  // separated by ';' and a newline
};

// Thread-safe.
class Database {
 public:
  // "sqlite:/path/to/state.db" (WAL, synchronous=FULL; created 0600 if missing) or
  // "postgresql://user@host:port/database?..." (libpq's form). kInvalidArgument for another scheme,
  // kIo if it cannot be opened, kCorrupt for a file that is no database; a password never shows in a message.
  static Result<std::unique_ptr<Database>> open(const std::string& url);
  virtual ~Database() = default;

  // Brings the tables of `module` to the newest version, in one transaction; other processes wait.
  // kUnsupported if the database is newer than this program.
  virtual Status migrate(const std::string& module, std::span<const Migration> migrations) = 0;

  // Runs `work` in a transaction that is durable when this returns a success; an Error or exception of `work`
  // undoes all it did (the exception is thrown on, here). Writers run one after another, also across
  // processes, so `work` may read, decide and write without anyone in between. Writes of several threads
  // share one commit: `work` must not wait for anything but the database, and may be run again if a shared
  // commit failed (no side effects outside), on another thread than the caller's. kIo if the connection was
  // lost while committing: the message says that the change may be stored, and it is not repeated. Not
  // allowed inside another work of this database.
  virtual Status write(const std::function<Status(Transaction&)>& work) = 0;
  // Runs `work` on a consistent snapshot; it must not write. Readers do not wait for writers.
  virtual Status read(const std::function<Status(Transaction&)>& work) = 0;

  // A consistent copy of all tables as one file, while others write: SQLite's own backup, or the archive that
  // pg_dump makes (in PATH, and not older than the server). `look`, if given, reads the very state that the
  // copy holds; its failure is the backup's. A failure leaves no file.
  virtual Status backup_to(const std::string& path, const std::function<Status(Transaction&)>& look) = 0;
  Status backup_to(const std::string& path) { return backup_to(path, nullptr); }
  virtual std::string description() const = 0;  // without passwords
  // What backup_to needs beside the database is here; else kNotFound naming it.
  virtual Status check_backup() = 0;

  // Puts what backup_to wrote to `path` in place of what is at `url`, whole or not at all. Nobody may use the
  // database meanwhile. kAlreadyExists if there is anything and not `replace`, kInvalidArgument for another
  // kind of database, kCorrupt or kIo for a file that is no such copy.
  static Status restore(const std::string& url, const std::string& path, bool replace);
  // kAlreadyExists if there is anything at `url`.
  static Status check_empty(const std::string& url);
};

// ---- templates ----

namespace detail {
template <class T>
Value to_value(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return static_cast<std::int64_t>(value ? 1 : 0);
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<std::int64_t>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(value);
  } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
    return nullptr;
  } else {
    return std::string(value);
  }
}
template <class T>
Value to_value(const std::optional<T>& value) {
  return value ? to_value(*value) : Value(nullptr);
}

Result<std::int64_t> to_integer(const std::string& text);
Result<double> to_number(const std::string& text);

template <class T>
struct FromText {
  static Result<T> get(const std::optional<std::string>& text, std::string_view sql) {
    if (!text) return fail(ErrorCode::kInternal, "NULL where a value was expected: {}", sql);
    if constexpr (std::is_same_v<T, std::string>) {
      return *text;
    } else if constexpr (std::is_floating_point_v<T>) {
      return to_number(*text);
    } else {
      TERRAPIN_TRY(const std::int64_t number, to_integer(*text));
      return static_cast<T>(number);
    }
  }
};
template <class T>
struct FromText<std::optional<T>> {
  static Result<std::optional<T>> get(const std::optional<std::string>& text, std::string_view sql) {
    if (!text) return std::optional<T>();
    TERRAPIN_TRY(T value, FromText<T>::get(text, sql));
    return std::optional<T>(std::move(value));
  }
};

template <class Tuple, std::size_t... I>
Status fill(Tuple& tuple, const TextRow& row, std::string_view sql, std::index_sequence<I...>) {
  Status status;
  const auto one = [&](auto& target, const std::optional<std::string>& text) {
    auto value = FromText<std::remove_reference_t<decltype(target)>>::get(text, sql);
    if (!value) {
      status = tl::unexpected<Error>(std::move(value.error()));
      return false;
    }
    target = std::move(*value);
    return true;
  };
  (void)(one(std::get<I>(tuple), row[I]) && ...);
  return status;
}
}  // namespace detail

template <class... Args>
Result<std::int64_t> Transaction::run(std::string_view sql, const Args&... args) {
  const std::vector<Value> values{detail::to_value(args)...};
  return execute(sql, values);
}

template <class... Columns, class... Args>
Result<std::vector<std::tuple<Columns...>>> Transaction::select(std::string_view sql, const Args&... args) {
  const std::vector<Value> values{detail::to_value(args)...};
  TERRAPIN_TRY(const std::vector<TextRow> rows, query(sql, static_cast<int>(sizeof...(Columns)), values));
  std::vector<std::tuple<Columns...>> result(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    TERRAPIN_TRY_STATUS(detail::fill(result[i], rows[i], sql, std::index_sequence_for<Columns...>{}));
  }
  return result;
}

template <class... Columns, class... Args>
Result<std::optional<std::tuple<Columns...>>> Transaction::select_one(std::string_view sql,
                                                                      const Args&... args) {
  TERRAPIN_TRY(auto rows, (select<Columns...>(sql, args...)));
  if (rows.empty()) return std::optional<std::tuple<Columns...>>();
  return std::optional<std::tuple<Columns...>>(std::move(rows.front()));
}

}  // namespace terrapin::storage
