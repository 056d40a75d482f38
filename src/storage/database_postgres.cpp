// PostgreSQL through SOCI; libpq beneath it for transactions, whose exact outcome SOCI does not tell, and for
// reading an answer's columns.
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/percent.h"
#include "storage/database_connection.h"
#include "storage/database_statement.h"
#include "storage/postgres_tools.h"

namespace terrapin::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kOldestServer = 120'000;
constexpr unsigned kBooleanType = 16;  // pg_type's row for bool

// The number is that of "terrapin" in base 36: every writer of one database takes this lock.
constexpr const char* kBeginWrite =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock(2296844418455)";

constexpr const char* kSettings =
    "SET synchronous_commit TO on; SET standard_conforming_strings TO on; SET client_min_messages TO warning;"
    "SET lock_timeout TO '30s'; SET statement_timeout TO 0; SET idle_in_transaction_session_timeout TO 0;"
    "SET extra_float_digits TO 3";

struct Result1 {
  explicit Result1(PGresult* result) : get(result) {}
  ~Result1() { PQclear(get); }
  Result1(const Result1&) = delete;
  Result1& operator=(const Result1&) = delete;
  PGresult* const get;
};

bool is_lost(std::string_view state) {
  return state.starts_with("08") || state.starts_with("57P");
}

// `state`: SQLSTATE, PostgreSQL's appendix A; blank if there is none.
ErrorCode code_of(std::string_view state) {
  if (state == "23505" || state == "23P01") return ErrorCode::kAlreadyExists;
  if (state.starts_with("22") || state.starts_with("23")) return ErrorCode::kInvalidArgument;
  if (state == "53100") return ErrorCode::kNoSpace;
  if (state.starts_with("54")) return ErrorCode::kTooLarge;
  if (state == "42501") return ErrorCode::kIo;  // the database's user may not
  if (state == "25006" || state == "25P02") return ErrorCode::kInternal;
  if (state.starts_with("42") || state.starts_with("26")) return ErrorCode::kInternal;
  if (state == "XX001" || state == "XX002") return ErrorCode::kCorrupt;
  return ErrorCode::kIo;
}

// Where the server is, without a password.
struct Address {
  std::string url;          // in a form that SOCI hands on as it is; with the password
  std::string description;  // for people
  std::string tool_url;     // as `url`, for PostgreSQL's own programs: without the password
  std::string password;
};

Result<Address> parse_address(const std::string& url) {
  char* message = nullptr;
  PQconninfoOption* const options = PQconninfoParse(url.c_str(), &message);
  if (options == nullptr) {
    // libpq's message may quote a part of the password.
    PQfreemem(message);
    return fail(
        ErrorCode::kInvalidArgument,
        "the postgresql: address cannot be read: postgresql://user:password@host:port/database?option=value "
        "is allowed, with %-escapes for special characters in each part");
  }
  std::map<std::string, std::string> given = {{"fallback_application_name", "terrapin"},
                                              {"connect_timeout", "10"},
                                              {"tcp_user_timeout", "30000"},
                                              {"keepalives_idle", "30"}};
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) given[option->keyword] = option->val;
  }
  PQconninfoFree(options);
  given["client_encoding"] = "UTF8";

  Address address;
  // SOCI takes connect strings apart at spaces and double quotes; here are none.
  address.url = "postgresql://";
  char separator = '?';
  std::string options_without_password;
  for (const auto& [key, value] : given) {
    const std::string option = separator + key + "=" + percent_encode(value);
    address.url += option;
    separator = '&';
    if (key != "password") options_without_password += '&' + key + '=' + percent_encode(value);
  }
  address.password = given["password"];
  const auto or_default = [&](const char* key, const char* otherwise) {
    const std::string& value = given[key];
    return value.empty() ? std::string(otherwise) : value;
  };
  const std::string host =
      !given["host"].empty() ? given["host"] : or_default("hostaddr", "the local socket");
  address.description =
      fmt::format("PostgreSQL database {} at {}:{}", or_default("dbname", "of the user's name"), host,
                  or_default("port", "5432"));
  options_without_password.front() = '?';
  address.tool_url = "postgresql://" + options_without_password;
  return address;
}

std::string without_password(std::string text, const std::string& password) {
  if (password.empty()) return text;
  for (std::size_t at = 0; (at = text.find(password, at)) != std::string::npos; at += 3) {
    text.replace(at, password.size(), "***");
  }
  return text;
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

class PostgresConnection final : public Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const Address& address) {
    try {
      auto connection = std::make_unique<PostgresConnection>(address);
      TERRAPIN_TRY_STATUS(connection->set_up());
      return std::unique_ptr<Connection>(std::move(connection));
    } catch (const soci::soci_error& error) {
      return fail(ErrorCode::kIo, "{}: {}", address.description,
                  without_password(one_line(error.get_error_message()), address.password));
    }
  }

  explicit PostgresConnection(const Address& address)
      : name_(address.description),
        session_(soci::postgresql, address.url),
        handle_(static_cast<soci::postgresql_session_backend*>(session_.get_backend())->conn_),
        statements_(session_, Dialect::kPostgres) {}

  Status begin_write() override { return begin(kBeginWrite); }
  Status begin_read() override { return begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); }

  CommitOutcome commit() override {
    const Result1 result(PQexec(handle_, "COMMIT"));
    marked_ = false;
    if (PQresultStatus(result.get) == PGRES_COMMAND_OK) {
      if (std::string_view(PQcmdStatus(result.get)) == "COMMIT") return {};
      statements_.sweep();
      return {CommitOutcome::kUndone,
              Error{ErrorCode::kInternal, name_ + ": the server had given the transaction up"}};
    }
    Error error = error_of(result.get);
    const std::string state = state_of(result.get);
    if (!usable() || state.empty() || is_lost(state) || state.starts_with("40003")) {
      return {CommitOutcome::kUnknown, std::move(error)};
    }
    rollback();
    return {CommitOutcome::kUndone, std::move(error)};
  }

  void rollback() override {
    marked_ = false;
    if (in_transaction()) (void)run("ROLLBACK");
    statements_.sweep();
  }

  bool in_transaction() override {
    const PGTransactionStatusType status = PQtransactionStatus(handle_);
    return usable() && (status == PQTRANS_INTRANS || status == PQTRANS_INERROR);
  }

  Status mark() override {
    TERRAPIN_TRY_STATUS(run(marked_ ? "RELEASE SAVEPOINT work; SAVEPOINT work" : "SAVEPOINT work"));
    marked_ = true;
    return {};
  }
  Status undo_to_mark() override {
    TERRAPIN_TRY_STATUS(run("ROLLBACK TO SAVEPOINT work"));
    statements_.sweep();
    return {};
  }

  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values) override {
    return guarded(sql, [&]() -> Result<std::int64_t> {
      TERRAPIN_TRY(const StatementCache::Running running, statements_.execute(sql, values));
      const std::string changed = PQcmdTuples(result_of(running));
      const bool reads = PQnfields(result_of(running)) > 0 &&
                         std::string_view(PQcmdStatus(result_of(running))).starts_with("SELECT");
      finish(running);
      return changed.empty() || reads ? 0 : detail::to_integer(changed);
    });
  }

  Result<std::vector<TextRow>> query(std::string_view sql, int columns,
                                     std::span<const Value> values) override {
    return guarded(sql, [&]() -> Result<std::vector<TextRow>> {
      TERRAPIN_TRY(const StatementCache::Running running, statements_.execute(sql, values));
      PGresult* const result = result_of(running);
      if (PQnfields(result) != columns) {
        return fail(ErrorCode::kInternal, "{} columns were expected, the statement gives {}: {}", columns,
                    PQnfields(result), shortened(sql));
      }
      std::vector<TextRow> rows(static_cast<std::size_t>(PQntuples(result)),
                                TextRow(static_cast<std::size_t>(columns)));
      for (int column = 0; column < columns; ++column) {
        const bool boolean = PQftype(result, column) == kBooleanType;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          const int row = static_cast<int>(i);
          if (PQgetisnull(result, row, column) != 0) continue;
          const char* const text = PQgetvalue(result, row, column);
          rows[i][column].emplace(text, static_cast<std::size_t>(PQgetlength(result, row, column)));
          if (boolean) rows[i][column] = *text == 't' ? "1" : "0";
        }
      }
      finish(running);
      return rows;
    });
  }

  Status define(std::string_view statement) override {
    const Status status = run(schema_statement(Dialect::kPostgres, statement).c_str());
    if (!status) return with_context(status.error(), "in " + shortened(statement));
    return {};
  }

  void forget_statements() override { statements_.clear(); }
  bool usable() override { return PQstatus(handle_) == CONNECTION_OK; }

 private:
  Status set_up() {
    PQsetNoticeProcessor(
        handle_, [](void*, const char*) {}, nullptr);
    // Details quote whole rows, secrets and all.
    PQsetErrorVerbosity(handle_, PQERRORS_TERSE);
    if (PQserverVersion(handle_) < kOldestServer) {
      return fail(ErrorCode::kUnsupported, "{} is version {}: PostgreSQL 12 or newer is needed", name_,
                  PQparameterStatus(handle_, "server_version"));
    }
    const std::string encoding = PQparameterStatus(handle_, "server_encoding");
    if (encoding != "UTF8") {
      return fail(ErrorCode::kUnsupported,
                  "{} has the encoding {}: make the database with ENCODING 'UTF8' TEMPLATE template0", name_,
                  encoding);
    }
    return run(kSettings);
  }

  Status begin(const char* sql) {
    if (in_transaction()) rollback();
    marked_ = false;
    Status status = run(sql);
    if (!status) rollback();
    return status;
  }

  Status run(const char* sql) {
    const Result1 result(PQexec(handle_, sql));
    const ExecStatusType status = PQresultStatus(result.get);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) return {};
    return tl::unexpected<Error>(error_of(result.get));
  }

  static std::string state_of(const PGresult* result) {
    const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state == nullptr ? std::string() : std::string(state);
  }

  Error error_of(const PGresult* result) const {
    const char* const primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const std::string message = primary != nullptr ? primary : PQerrorMessage(handle_);
    return error_for(state_of(result), message);
  }

  Error error_for(const std::string& state, const std::string& message) const {
    if (state == "55P03") {
      return Error{ErrorCode::kIo, name_ + ": another process held the database for more than 30 s"};
    }
    return Error{code_of(state), fmt::format("{}: {}", name_, one_line(message))};
  }

  static PGresult* result_of(const StatementCache::Running& running) {
    return static_cast<soci::postgresql_statement_backend*>(running.backend)->result_.get_result();
  }

  // An answer of many megabytes is not kept until the statement runs again.
  void finish(const StatementCache::Running& running) {
    static_cast<soci::postgresql_statement_backend*>(running.backend)->result_.reset();
    statements_.finish();
  }

  template <class Function>
  auto guarded(std::string_view sql, Function function) -> decltype(function()) {
    try {
      auto result = function();
      if (!result) statements_.give_up();
      return result;
    } catch (const soci::postgresql_soci_error& error) {
      statements_.give_up();
      const std::string state = one_line(error.sqlstate());
      std::string message = error.get_error_message();
      if (const std::size_t at = message.find("ERROR:  "); at != std::string::npos) message.erase(0, at + 8);
      Error failure = error_for(state, message);
      failure.message += " (in " + shortened(sql) + ")";
      return tl::unexpected<Error>(std::move(failure));
    } catch (const soci::soci_error& error) {
      statements_.give_up();
      return fail(ErrorCode::kInternal, "{}: {} (in {})", name_, error.get_error_message(), shortened(sql));
    }
  }

  const std::string name_;
  bool marked_ = false;
  soci::session session_;
  PGconn* const handle_;
  StatementCache statements_;
};

class PostgresBackend final : public Backend {
 public:
  explicit PostgresBackend(Address address) : address_(std::move(address)) {}
  Result<std::unique_ptr<Connection>> connect_writer() override { return PostgresConnection::open(address_); }
  Result<std::unique_ptr<Connection>> connect_reader() override { return PostgresConnection::open(address_); }
  // pg_dump reads the snapshot of a transaction of ours, in which `look` reads too.
  Status backup_to(const std::string& target, const std::function<Status(Connection&)>& look) override {
    TERRAPIN_TRY(const std::unique_ptr<Connection> connection, connect_reader());
    TERRAPIN_TRY_STATUS(connection->begin_read());
    TERRAPIN_TRY(const auto told, connection->query("SELECT pg_export_snapshot(), current_schema()", 2, {}));
    if (told.size() != 1 || !told.front()[0] || !told.front()[1])
      return fail(ErrorCode::kIo, "{}: exports no snapshot, or has no schema", address_.description);
    // Tables of our schema alone: others may share the database.
    const std::string snapshot = "--snapshot=" + *told.front()[0];
    const std::string schema = "--schema=\"" + *told.front()[1] + "\"";
    TERRAPIN_TRY_STATUS(look(*connection));
    const fs::path path = fs::absolute(target);
    const std::string temporary = path.string() + ".unfinished";
    // Made here: nobody else may read it from the start.
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return fail(ErrorCode::kIo, "{}: cannot be made: {}", temporary, std::strerror(errno));
    Status status = run_postgres_tool("pg_dump",
                                      {"--format=custom", "--no-owner", "--no-privileges", snapshot, schema,
                                       "--file=" + temporary, "--dbname=" + address_.tool_url},
                                      address_.password);
    connection->rollback();
    const auto refused = [&](const std::string& at) -> Status {
      return fail(errno == ENOSPC ? ErrorCode::kNoSpace : ErrorCode::kIo, "{}: {}", at, std::strerror(errno));
    };
    if (status && ::fsync(file) != 0) status = refused(temporary);
    ::close(file);
    if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = refused(target);
    if (!status) {
      ::unlink(temporary.c_str());
      return with_context(std::move(status.error()), "backup to " + target);
    }
    const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = folder >= 0 && ::fsync(folder) == 0;
    if (folder >= 0) ::close(folder);
    return synced ? Status() : refused(path.parent_path().string());
  }

  Status check_backup() override { return run_postgres_tool("pg_dump", {"--version"}, ""); }

  Status check_empty() override {
    TERRAPIN_TRY(const std::string tables, one_text(kCountTables));
    if (tables == "0") return {};
    return fail(ErrorCode::kAlreadyExists, "{}: holds {} tables; an empty database is allowed",
                address_.description, tables);
  }

  Status restore_from(const std::string& path) override {
    TERRAPIN_TRY(const std::string schema, one_text("SELECT COALESCE(current_schema(), '')"));
    Status restored = run_postgres_tool(
        "pg_restore",
        {"--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", "--clean", "--if-exists",
         "--schema=" + schema, "--dbname=" + address_.tool_url, path},
        address_.password);
    if (!restored)
      return with_context(std::move(restored.error()),
                          fmt::format("restoring {} to {}", path, address_.description));
    TERRAPIN_TRY(const std::string tables, one_text(kCountTables));
    if (tables == "0")
      return fail(
          ErrorCode::kInvalidArgument,
          "{}: the copy {} holds no tables of the schema '{}'; it is put back where the schema has the "
          "same name",
          address_.description, path, schema);
    return {};
  }
  std::string description() const override { return address_.description; }

 private:
  static constexpr std::string_view kCountTables =
      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema()";

  // The only value of the only row.
  Result<std::string> one_text(std::string_view sql) {
    TERRAPIN_TRY(const std::unique_ptr<Connection> connection, connect_reader());
    TERRAPIN_TRY_STATUS(connection->begin_read());
    TERRAPIN_TRY(const auto rows, connection->query(sql, 1, {}));
    connection->rollback();
    return rows.front().front().value_or("");
  }

  const Address address_;
};

}  // namespace

Result<std::unique_ptr<Backend>> postgres_backend(const std::string& url) {
  TERRAPIN_TRY(Address address, parse_address(url));
  return std::unique_ptr<Backend>(std::make_unique<PostgresBackend>(std::move(address)));
}

}  // namespace terrapin::storage
