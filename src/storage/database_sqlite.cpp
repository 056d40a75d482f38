// SQLite through SOCI. The C interface beneath it is used for what SOCI does not reach: reading columns by
// the type they have (as text SQLite gives 15 digits of a double), transactions, the busy handler, backups.
#include <fcntl.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

#include "storage/database_connection.h"
#include "storage/database_statement.h"

namespace terrapin::storage {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kBusyLimit{30'000};
constexpr milliseconds kCheckpointLimit{200};
// Pages of the write-ahead log (4 KiB each): copied into the file from here on ...
constexpr int kCheckpointPages = 1000;
// ... and from here on the log is started anew, for which readers are waited a moment.
constexpr int kLargeLogPages = 16'384;

ErrorCode code_of(int result) {
  switch (result & 0xFF) {
    case SQLITE_CONSTRAINT: {
      const bool unique = result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY ||
                          result == SQLITE_CONSTRAINT_ROWID;
      return unique ? ErrorCode::kAlreadyExists : ErrorCode::kInvalidArgument;
    }
    case SQLITE_MISMATCH:
      return ErrorCode::kInvalidArgument;
    case SQLITE_FULL:
      return ErrorCode::kNoSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_TOOBIG:
      return ErrorCode::kTooLarge;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return ErrorCode::kInternal;
    default:
      return ErrorCode::kIo;
  }
}

bool is_full(int number) {
  return number == ENOSPC || number == EDQUOT;
}

// `handle`, if there is one, knows what the operating system said.
Error sqlite_error(const std::string& path, int result, std::string message, sqlite_api::sqlite3* handle) {
  if ((result & 0xFF) == SQLITE_BUSY) {
    message = fmt::format("another process held the database for more than {} s", kBusyLimit.count() / 1000);
  }
  ErrorCode code = code_of(result);
  if ((result & 0xFF) == SQLITE_IOERR && handle != nullptr) {
    const int number = sqlite_api::sqlite3_system_errno(handle);
    if (number != 0) message += fmt::format(" ({})", std::strerror(number));
    if (is_full(number)) code = ErrorCode::kNoSpace;
  }
  return Error{code, fmt::format("{}: {}", path, message)};
}

tl::unexpected<Error> errno_error(const std::string& path, const char* what) {
  const int number = errno;
  const ErrorCode code = is_full(number) ? ErrorCode::kNoSpace : ErrorCode::kIo;
  return fail(code, "{}: {}: {}", path, what, std::strerror(number));
}

Status sync_folder_of(const fs::path& path) {
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno_error(path.parent_path().string(), "cannot be opened");
  const bool synced = ::fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP;
  ::close(folder);
  if (!synced) return errno_error(path.parent_path().string(), "cannot be synced");
  return {};
}

Status make_folders(const fs::path& folder) {
  if (folder.empty() || fs::is_directory(folder)) return {};
  TERRAPIN_TRY_STATUS(make_folders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return errno_error(folder.string(), "cannot be made");
  }
  return sync_folder_of(folder);
}

// An empty file is an empty database.
Status make_file(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_regular_file(status)) return {};
  if (fs::exists(status)) {
    return fail(ErrorCode::kInvalidArgument, "{} is no regular file: the path of a database file is allowed",
                path.string());
  }
  TERRAPIN_TRY_STATUS(make_folders(path.parent_path()));
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    if (errno == EEXIST) return {};
    return errno_error(path.string(), "cannot be made");
  }
  ::close(file);
  return sync_folder_of(path);
}

// Waits by asking again every millisecond: SQLite's own handler sleeps up to 100 ms at a time and hardly ever
// meets the gap that a busy writer leaves between two transactions.
struct BusyWait {
  milliseconds limit = kBusyLimit;
  steady_clock::time_point since{};

  static int again(void* self, int count) {
    auto& wait = *static_cast<BusyWait*>(self);
    const auto now = steady_clock::now();
    if (count == 0) wait.since = now;
    if (now - wait.since >= wait.limit) return 0;
    std::this_thread::sleep_for(count < 10 ? std::chrono::microseconds(100)
                                           : std::chrono::microseconds(1000));
    return 1;
  }
};

class SqliteConnection final : public Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& path, bool for_writing) {
    try {
      auto connection = std::make_unique<SqliteConnection>(path);
      TERRAPIN_TRY_STATUS(connection->set_up(for_writing));
      return std::unique_ptr<Connection>(std::move(connection));
    } catch (const soci::sqlite3_soci_error& error) {
      return tl::unexpected<Error>(sqlite_error(path, error.result(), error.get_error_message(), nullptr));
    } catch (const soci::soci_error& error) {
      return fail(ErrorCode::kIo, "{}: {}", path, error.get_error_message());
    }
  }

  explicit SqliteConnection(const std::string& path)
      : path_(path),
        session_(soci::sqlite3, "dbname=\"" + path + "\""),
        handle_(static_cast<soci::sqlite3_session_backend*>(session_.get_backend())->conn_),
        statements_(session_, Dialect::kSqlite) {}

  Status begin_write() override { return run("BEGIN IMMEDIATE"); }
  Status begin_read() override { return run("BEGIN"); }

  CommitOutcome commit() override {
    const Status committed = run("COMMIT");
    const int result = sqlite_api::sqlite3_errcode(handle_);
    if (committed) return {};
    rollback();
    // A failed write or sync of the log leaves open what a restart after a crash would read.
    return {(result & 0xFF) == SQLITE_IOERR ? CommitOutcome::kUnknown : CommitOutcome::kUndone,
            committed.error()};
  }

  void rollback() override {
    if (in_transaction()) (void)run("ROLLBACK");
    statements_.sweep();
  }

  bool in_transaction() override { return sqlite_api::sqlite3_get_autocommit(handle_) == 0; }

  Status mark() override {
    TERRAPIN_TRY_STATUS(marked_ ? run("RELEASE work") : Status());
    marked_ = false;
    TERRAPIN_TRY_STATUS(run("SAVEPOINT work"));
    marked_ = true;
    return {};
  }
  Status undo_to_mark() override {
    TERRAPIN_TRY_STATUS(run("ROLLBACK TO work"));
    statements_.sweep();
    return {};
  }

  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values) override {
    const auto before = sqlite_api::sqlite3_total_changes64(handle_);
    return guarded(sql, [&]() -> Result<std::int64_t> {
      TERRAPIN_TRY(const StatementCache::Running running, statements_.execute(sql, values));
      finish(running);
      // Statements that change nothing leave the count of the one before.
      const bool changed = sqlite_api::sqlite3_total_changes64(handle_) != before;
      return changed ? sqlite_api::sqlite3_changes64(handle_) : 0;
    });
  }

  Result<std::vector<TextRow>> query(std::string_view sql, int columns,
                                     std::span<const Value> values) override {
    return guarded(sql, [&]() -> Result<std::vector<TextRow>> {
      TERRAPIN_TRY(const StatementCache::Running running, statements_.execute(sql, values));
      sqlite_api::sqlite3_stmt* const statement = statement_of(running);
      if (sqlite_api::sqlite3_column_count(statement) != columns) {
        return fail(ErrorCode::kInternal, "{} columns were expected, the statement gives {}: {}", columns,
                    sqlite_api::sqlite3_column_count(statement), shortened(sql));
      }
      std::vector<TextRow> rows;
      for (bool more = running.has_row; more;
           more = running.backend->fetch(1) == soci::details::statement_backend::ef_success) {
        TextRow& row = rows.emplace_back(static_cast<std::size_t>(columns));
        for (int column = 0; column < columns; ++column) row[column] = column_text(statement, column);
      }
      finish(running);
      return rows;
    });
  }

  Status define(std::string_view statement) override {
    const Status status = run(std::string(statement).c_str());
    if (!status) return with_context(status.error(), "in " + shortened(statement));
    return {};
  }

  void forget_statements() override { statements_.clear(); }
  bool usable() override { return true; }

  void tidy() override {
    if (log_pages_ < kCheckpointPages) return;
    const bool large = log_pages_ >= next_large_;
    busy_.limit = kCheckpointLimit;
    int in_log = 0;
    const int mode = large ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    const int result = sqlite_api::sqlite3_wal_checkpoint_v2(handle_, nullptr, mode, &in_log, nullptr);
    busy_.limit = kBusyLimit;
    // Readers that stay long keep the log: it is tried again when that much has been added.
    if (large) next_large_ = result == SQLITE_OK ? kLargeLogPages : log_pages_ + kLargeLogPages;
    log_pages_ = 0;
  }

 private:
  Status set_up(bool for_writing) {
    sqlite_api::sqlite3_extended_result_codes(handle_, 1);
    sqlite_api::sqlite3_busy_handler(handle_, &BusyWait::again, &busy_);
    sqlite_api::sqlite3_wal_hook(handle_, &SqliteConnection::after_commit, this);
    TERRAPIN_TRY_STATUS(use_write_ahead_log());
    TERRAPIN_TRY_STATUS(
        run("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA case_sensitive_like=ON;"
            "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA cache_size=-16384;"
            "PRAGMA journal_size_limit=67108864"));
    // Reads the schema, so that a damaged one shows here.
    TERRAPIN_TRY_STATUS(run("SELECT count(*) FROM sqlite_schema"));
    return for_writing ? Status() : run("PRAGMA query_only=ON");
  }

  // Two processes that make the file at once: SQLite refuses one of them without asking its busy handler.
  Status use_write_ahead_log() {
    const auto deadline = steady_clock::now() + kBusyLimit;
    for (;;) {
      std::string mode;
      Status status = run("PRAGMA journal_mode=WAL", &mode);
      if (status && mode == "wal") return {};
      if (status) {
        return fail(ErrorCode::kUnsupported,
                    "{}: SQLite cannot keep a write-ahead log here (journal mode {}): a local disk is needed",
                    path_, mode);
      }
      const bool busy = (sqlite_api::sqlite3_errcode(handle_) & 0xFF) == SQLITE_BUSY;
      if (!busy || steady_clock::now() > deadline) return status;
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  static int first_column(void* text, int count, char** values, char**) {
    if (count > 0 && values[0] != nullptr) *static_cast<std::string*>(text) = values[0];
    return 0;
  }

  Status run(const char* sql, std::string* answer = nullptr) {
    std::string ignored;
    const int result = sqlite_api::sqlite3_exec(handle_, sql, &SqliteConnection::first_column,
                                                answer == nullptr ? &ignored : answer, nullptr);
    if (result == SQLITE_OK) {
      if (!in_transaction()) marked_ = false;
      return {};
    }
    return tl::unexpected<Error>(sqlite_error(path_, result, sqlite_api::sqlite3_errmsg(handle_), handle_));
  }

  static int after_commit(void* self, sqlite_api::sqlite3*, const char*, int pages) {
    static_cast<SqliteConnection*>(self)->log_pages_ = pages;
    return SQLITE_OK;
  }

  static sqlite_api::sqlite3_stmt* statement_of(const StatementCache::Running& running) {
    return static_cast<soci::sqlite3_statement_backend*>(running.backend)->stmt_;
  }

  static std::optional<std::string> column_text(sqlite_api::sqlite3_stmt* statement, int column) {
    switch (sqlite_api::sqlite3_column_type(statement, column)) {
      case SQLITE_NULL:
        return std::nullopt;
      case SQLITE_INTEGER:
        return fmt::format("{}", sqlite_api::sqlite3_column_int64(statement, column));
      case SQLITE_FLOAT:
        return fmt::format("{}", sqlite_api::sqlite3_column_double(statement, column));
      default: {
        const auto* text = static_cast<const char*>(sqlite_api::sqlite3_column_blob(statement, column));
        const int bytes = sqlite_api::sqlite3_column_bytes(statement, column);
        return bytes == 0 ? std::string() : std::string(text, static_cast<std::size_t>(bytes));
      }
    }
  }

  // A statement that is not reset keeps the transaction from ending.
  void finish(const StatementCache::Running& running) {
    sqlite_api::sqlite3_reset(statement_of(running));
    statements_.finish();
  }

  template <class Function>
  auto guarded(std::string_view sql, Function function) -> decltype(function()) {
    try {
      auto result = function();
      if (!result) statements_.give_up(), statements_.sweep();
      return result;
    } catch (const soci::sqlite3_soci_error& error) {
      statements_.give_up();
      statements_.sweep();
      // SOCI puts the name of its own function before SQLite's message.
      std::string message = error.get_error_message();
      if (const std::size_t colon = message.find(": "); message.starts_with("sqlite3_") && colon + 1) {
        message.erase(0, colon + 2);
      }
      Error failure = sqlite_error(path_, error.result(), message, handle_);
      // query_only refuses a write in read().
      if ((error.result() & 0xFF) == SQLITE_READONLY) failure.code = ErrorCode::kInternal;
      failure.message += " (in " + shortened(sql) + ")";
      return tl::unexpected<Error>(std::move(failure));
    } catch (const soci::soci_error& error) {
      statements_.give_up();
      statements_.sweep();
      return fail(ErrorCode::kInternal, "{}: {} (in {})", path_, error.get_error_message(), shortened(sql));
    }
  }

  const std::string path_;
  BusyWait busy_;
  int log_pages_ = 0;
  int next_large_ = kLargeLogPages;
  bool marked_ = false;
  soci::session session_;
  sqlite_api::sqlite3* const handle_;
  StatementCache statements_;
};

// A handle of the C interface, for backups.
class PlainHandle {
 public:
  PlainHandle(const std::string& path, int flags)
      : result_(sqlite_api::sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr)) {
    sqlite_api::sqlite3_busy_timeout(handle_, static_cast<int>(kBusyLimit.count()));
  }
  ~PlainHandle() { close(); }
  PlainHandle(const PlainHandle&) = delete;
  PlainHandle& operator=(const PlainHandle&) = delete;
  int opened() const { return result_; }
  int close() {
    const int result = handle_ == nullptr ? SQLITE_OK : sqlite_api::sqlite3_close(handle_);
    handle_ = nullptr;
    return result;
  }
  sqlite_api::sqlite3* get() const { return handle_; }
  Error error(const std::string& path, int result) const {
    return sqlite_error(path, result, sqlite_api::sqlite3_errstr(result), handle_);
  }

 private:
  sqlite_api::sqlite3* handle_ = nullptr;
  const int result_;
};

// Fills the empty file `to`. One step under one read transaction: a consistent state, writers go on.
Status copy_database(const std::string& from, const std::string& to) {
  PlainHandle source(from, SQLITE_OPEN_READONLY);
  if (source.opened() != SQLITE_OK) return tl::unexpected<Error>(source.error(from, source.opened()));
  PlainHandle copy(to, SQLITE_OPEN_READWRITE);
  if (copy.opened() != SQLITE_OK) return tl::unexpected<Error>(copy.error(to, copy.opened()));
  // The file is synced as a whole at the end.
  sqlite_api::sqlite3_exec(copy.get(), "PRAGMA synchronous=OFF", nullptr, nullptr, nullptr);
  sqlite_api::sqlite3_backup* const backup =
      sqlite_api::sqlite3_backup_init(copy.get(), "main", source.get(), "main");
  if (backup == nullptr) {
    return tl::unexpected<Error>(copy.error(to, sqlite_api::sqlite3_errcode(copy.get())));
  }
  int stepped = SQLITE_OK;
  const auto deadline = steady_clock::now() + kBusyLimit;
  do {
    stepped = sqlite_api::sqlite3_backup_step(backup, -1);
    const bool busy = stepped == SQLITE_BUSY || stepped == SQLITE_LOCKED;
    if (!busy || steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(milliseconds(1));
  } while (true);
  const int finished = sqlite_api::sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE || finished != SQLITE_OK) {
    return tl::unexpected<Error>(copy.error(to, stepped != SQLITE_DONE ? stepped : finished));
  }
  const int closed = copy.close();
  if (closed != SQLITE_OK) return tl::unexpected<Error>(copy.error(to, closed));
  return {};
}

// One file on its own, also for a reader that may not write beside it.
Status without_log(const std::string& path) {
  PlainHandle file(path, SQLITE_OPEN_READWRITE);
  if (file.opened() != SQLITE_OK) return tl::unexpected<Error>(file.error(path, file.opened()));
  const int changed =
      sqlite_api::sqlite3_exec(file.get(), "PRAGMA journal_mode=DELETE", nullptr, nullptr, nullptr);
  if (changed != SQLITE_OK) return tl::unexpected<Error>(file.error(path, changed));
  const int closed = file.close();
  if (closed != SQLITE_OK) return tl::unexpected<Error>(file.error(path, closed));
  return {};
}

class SqliteBackend final : public Backend {
 public:
  explicit SqliteBackend(std::string path) : path_(std::move(path)) {}

  Result<std::unique_ptr<Connection>> connect_writer() override {
    return SqliteConnection::open(path_, true);
  }
  Result<std::unique_ptr<Connection>> connect_reader() override {
    return SqliteConnection::open(path_, false);
  }

  Status backup_to(const std::string& target, const std::function<Status(Connection&)>& look) override {
    const fs::path path = fs::absolute(target);
    std::error_code ignored;
    if (fs::equivalent(path, path_, ignored)) {
      return fail(ErrorCode::kInvalidArgument, "{} is the database itself: another path is allowed", target);
    }
    if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
      return fail(ErrorCode::kInvalidArgument, "{} is no regular file: the path of a file is allowed",
                  target);
    }
    const Status status = copy_into_place(path_, path, look);
    if (!status) return with_context(status.error(), "backup to " + target);
    return {};
  }

  std::string description() const override { return "SQLite file " + path_; }

  Status check_empty() override {
    std::error_code error;
    if (fs::file_size(path_, error) > 0)
      return fail(ErrorCode::kAlreadyExists, "{} is there; a path where no file is is allowed", path_);
    return {};
  }

  Status restore_from(const std::string& source) override {
    TERRAPIN_TRY_STATUS(copy_into_place(source, path_, [](Connection& copy) -> Status {
      TERRAPIN_TRY(const auto said, copy.query("PRAGMA quick_check(1)", 1, {}));
      if (said.size() == 1 && said.front().front() == "ok") return {};
      return fail(ErrorCode::kCorrupt, "damaged: {}", said.empty() ? "" : said.front().front().value_or(""));
    }));
    return {};
  }

 private:
  // `to` is the old file or the whole new one, also after a crash. A log of the old file goes with it.
  static Status copy_into_place(const std::string& from, const fs::path& to,
                                const std::function<Status(Connection&)>& look) {
    TERRAPIN_TRY_STATUS(make_folders(to.parent_path()));
    std::string temporary = to.string() + ".XXXXXX";
    const int file = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (file < 0) return errno_error(temporary, "cannot be made");
    Status status = copy_database(from, temporary);
    if (status) {
      auto copy = SqliteConnection::open(temporary, false);
      status = copy ? look(**copy) : Status(tl::unexpected<Error>(std::move(copy.error())));
    }
    if (status) status = without_log(temporary);
    if (status && ::fsync(file) != 0) status = errno_error(temporary, "cannot be synced");
    ::close(file);
    if (status) {
      ::unlink((to.string() + "-wal").c_str());
      ::unlink((to.string() + "-shm").c_str());
      if (::rename(temporary.c_str(), to.c_str()) != 0)
        status = errno_error(to.string(), "cannot be put in place");
    }
    if (!status) {
      for (const char* beside : {"", "-journal", "-wal", "-shm"}) ::unlink((temporary + beside).c_str());
      return status;
    }
    return sync_folder_of(to);
  }

  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<Backend>> sqlite_backend(const std::string& path) {
  const bool remote = path.starts_with("//") && !path.starts_with("///");
  if (path.empty() || path.starts_with(":") || remote || path.find_first_of("\"\n") != std::string::npos) {
    return fail(
        ErrorCode::kInvalidArgument,
        "sqlite:{}: a path is allowed, without double quotes, as in sqlite:/var/lib/terrapin/state.db", path);
  }
  const fs::path absolute = fs::absolute(path).lexically_normal();
  TERRAPIN_TRY_STATUS(make_file(absolute));
  return std::unique_ptr<Backend>(std::make_unique<SqliteBackend>(absolute.string()));
}

}  // namespace terrapin::storage
