#include "storage/database.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "storage/database_connection.h"
#include "storage/database_sql.h"

namespace terrapin::storage {
namespace detail {

Result<std::int64_t> to_integer(const std::string& text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) {
    return fail(ErrorCode::kInternal, "a column holds \"{}\" where a 64-bit integer was expected",
                shortened(text));
  }
  return value;
}

Result<double> to_number(const std::string& text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) {
    return fail(ErrorCode::kInternal, "a column holds \"{}\" where a number was expected", shortened(text));
  }
  return value;
}

}  // namespace detail

namespace {

constexpr std::size_t kMostShared = 256;
constexpr int kMostReaders = 8;

// What a `work` sees. After a failed statement PostgreSQL refuses all others until the work is undone; so
// does this, with both backends.
class ConnectionTransaction final : public Transaction {
 public:
  explicit ConnectionTransaction(Connection& connection) : connection_(connection) {}

  Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values) override {
    if (!failure_) return failure_copy();
    return noted(connection_.execute(sql, values));
  }
  Result<std::vector<TextRow>> query(std::string_view sql, int columns,
                                     std::span<const Value> values) override {
    if (!failure_) return failure_copy();
    return noted(connection_.query(sql, columns, values));
  }
  Status define(std::string_view statement) {
    if (!failure_) return failure_copy();
    return noted(connection_.define(statement));
  }
  // The first failure of a statement.
  const Status& failure() const { return failure_; }

 private:
  tl::unexpected<Error> failure_copy() const { return tl::unexpected<Error>(Error(failure_.error())); }
  template <class T>
  Result<T> noted(Result<T> result) {
    if (!result) failure_ = tl::unexpected<Error>(Error(result.error()));
    return result;
  }

  Connection& connection_;
  Status failure_;
};

using Work = std::function<Status(Transaction&)>;

struct Outcome {
  Status status;
  std::exception_ptr exception;
  bool good() const { return status.has_value() && exception == nullptr; }
};

Outcome perform(const Work& work, Connection& connection) {
  Outcome outcome;
  ConnectionTransaction transaction(connection);
  try {
    outcome.status = work(transaction);
  } catch (...) {
    // Handed to the caller's thread as it is.
    outcome.exception = std::current_exception();
  }
  if (outcome.good() && !transaction.failure()) outcome.status = transaction.failure();
  return outcome;
}

// One thread and one connection that carry out the writes of all threads.
class Writer {
 public:
  Writer(Backend& backend, std::unique_ptr<Connection> connection)
      : backend_(backend), connection_(std::move(connection)), thread_([this] { serve(); }) {}
  ~Writer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    arrived_.notify_one();
    thread_.join();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool is_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

  Status write(const Work& work, bool defines) {
    Waiting waiting{work, defines, {}, false, {}};
    std::unique_lock lock(mutex_);
    queue_.push_back(&waiting);
    arrived_.notify_one();
    waiting.finished.wait(lock, [&] { return waiting.done; });
    lock.unlock();
    if (waiting.outcome.exception) std::rethrow_exception(waiting.outcome.exception);
    return std::move(waiting.outcome.status);
  }

 private:
  struct Waiting {
    const Work& work;
    const bool defines;  // changes tables
    Outcome outcome;
    bool done;
    std::condition_variable finished;
  };

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      arrived_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      std::vector<Waiting*> taken;
      while (!queue_.empty() && taken.size() < kMostShared) {
        taken.push_back(queue_.front());
        queue_.pop_front();
      }
      lock.unlock();
      (void)commit_together(taken);
      lock.lock();
      for (Waiting* const waiting : taken) {
        waiting->done = true;
        waiting->finished.notify_one();
      }
      lock.unlock();
      if (connection_) connection_->tidy();
      lock.lock();
    }
  }

  // Nothing was done before a begin that fails: it is tried once more on a new connection if this one is
  // gone.
  Status begin() {
    if (connection_ && connection_->usable()) {
      Status begun = connection_->begin_write();
      if (begun || connection_->usable()) return begun;
    }
    connection_.reset();
    TERRAPIN_TRY(connection_, backend_.connect_writer());
    return connection_->begin_write();
  }

  // Fills in every outcome. A failure: nothing was begun, the database cannot be reached.
  Status commit_together(std::span<Waiting* const> batch) {
    if (Status begun = begin(); !begun) {
      for (Waiting* const waiting : batch) waiting->outcome = {begun, nullptr};
      return begun;
    }
    const bool alone = batch.size() == 1;
    for (Waiting* const waiting : batch) {
      if (Status status = carry_out(*waiting, alone); !status) {
        connection_->rollback();
        if (!alone) {
          one_by_one(batch);
        } else if (waiting->outcome.good()) {
          waiting->outcome.status = std::move(status);
        }
        return {};
      }
    }
    if (alone && !batch.front()->outcome.good()) {
      connection_->rollback();
      return {};
    }
    const CommitOutcome committed = connection_->commit();
    if (committed.kind == CommitOutcome::kUndone && !alone) {
      one_by_one(batch);
      return {};
    }
    for (Waiting* const waiting : batch) {
      if (committed.kind == CommitOutcome::kDurable || !waiting->outcome.good()) continue;
      Error error = committed.error;
      if (committed.kind == CommitOutcome::kUnknown) {
        error.code = ErrorCode::kIo;
        error.message = "whether the change was stored is not known: " + error.message;
      }
      waiting->outcome.status = tl::unexpected<Error>(std::move(error));
    }
    if (std::any_of(batch.begin(), batch.end(), [](const Waiting* waiting) { return waiting->defines; })) {
      connection_->forget_statements();
    }
    return {};
  }

  // A failure: the shared transaction cannot go on.
  Status carry_out(Waiting& waiting, bool alone) {
    if (!alone) {
      TERRAPIN_TRY_STATUS(connection_->mark());
    }
    waiting.outcome = perform(waiting.work, *connection_);
    if (!connection_->in_transaction()) {
      return fail(ErrorCode::kIo, "the database ended the transaction");
    }
    if (!alone && !waiting.outcome.good()) return connection_->undo_to_mark();
    return {};
  }

  // After a shared transaction came to nothing: whoever made it fail fails alone. Those that had failed saw
  // the state that is now undone, so they too start again.
  void one_by_one(std::span<Waiting* const> batch) {
    Status reached;
    for (Waiting* const waiting : batch) {
      waiting->outcome = {reached, nullptr};
      // A server that does not answer is not asked for each of them.
      if (reached) reached = commit_together({&waiting, 1});
    }
  }

  Backend& backend_;

  std::unique_ptr<Connection> connection_;  // used by thread_ alone

  std::mutex mutex_;
  std::deque<Waiting*> queue_;  // guarded by mutex_
  bool stopping_ = false;       // guarded by mutex_
  std::condition_variable arrived_;

  std::thread thread_;  // last: it uses all of these
};

// Connections for reading, made as needed and kept.
class Readers {
 public:
  explicit Readers(Backend& backend) : backend_(backend) {}

  Status read(const Work& work) {
    std::unique_ptr<Connection> connection = take();
    Outcome outcome;
    if (Status begun = begin(connection); begun) {
      outcome = perform(work, *connection);
      connection->rollback();
    } else {
      outcome.status = std::move(begun);
    }
    give_back(std::move(connection));
    if (outcome.exception) std::rethrow_exception(outcome.exception);
    return std::move(outcome.status);
  }

  void forget_statements() {
    const std::lock_guard lock(mutex_);
    for (const auto& connection : idle_) connection->forget_statements();
  }

 private:
  Status begin(std::unique_ptr<Connection>& connection) {
    if (connection && connection->usable()) {
      Status begun = connection->begin_read();
      if (begun || connection->usable()) return begun;
    }
    connection.reset();
    TERRAPIN_TRY(connection, backend_.connect_reader());
    return connection->begin_read();
  }

  // Empty: a new one is to be made.
  std::unique_ptr<Connection> take() {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [&] { return in_use_ < kMostReaders; });
    ++in_use_;
    if (idle_.empty()) return nullptr;
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }

  void give_back(std::unique_ptr<Connection> connection) {
    {
      const std::lock_guard lock(mutex_);
      --in_use_;
      if (connection && connection->usable()) idle_.push_back(std::move(connection));
    }
    given_back_.notify_one();
  }

  Backend& backend_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
  int in_use_ = 0;                                 // guarded by mutex_
  std::condition_variable given_back_;
};

Status check_migrations(const std::string& module, std::span<const Migration> migrations) {
  for (std::size_t i = 0; i < migrations.size(); ++i) {
    if (migrations[i].version != static_cast<int>(i) + 1) {
      return fail(ErrorCode::kInternal, "migration {} of {} has the version {}: they count 1, 2, 3", i + 1,
                  module, migrations[i].version);
    }
  }
  return {};
}

class SharedDatabase final : public Database {
 public:
  SharedDatabase(std::unique_ptr<Backend> backend, std::unique_ptr<Connection> writer)
      : backend_(std::move(backend)), readers_(*backend_), writer_(*backend_, std::move(writer)) {}

  Status migrate(const std::string& module, std::span<const Migration> migrations) override {
    TERRAPIN_TRY_STATUS(check_migrations(module, migrations));
    const Work work = [&](Transaction& any) -> Status {
      auto& transaction = static_cast<ConnectionTransaction&>(any);
      TERRAPIN_TRY_STATUS(
          transaction.define("CREATE TABLE IF NOT EXISTS schema_versions (module TEXT PRIMARY KEY, "
                             "version BIGINT NOT NULL)"));
      TERRAPIN_TRY(const auto found, transaction.select_one<std::int64_t>(
                                         "SELECT version FROM schema_versions WHERE module = ?", module));
      const std::int64_t present = found ? std::get<0>(*found) : 0;
      const auto newest = static_cast<std::int64_t>(migrations.size());
      if (present > newest) {
        return fail(
            ErrorCode::kUnsupported,
            "{}: its tables of \"{}\" have version {}, this program knows versions up to {}: use a newer one",
            description(), module, present, newest);
      }
      if (present == newest) return {};
      for (const Migration& migration : migrations.subspan(static_cast<std::size_t>(present))) {
        for (const std::string& statement : split_statements(migration.statements)) {
          if (const Status defined = transaction.define(statement); !defined) {
            return with_context(defined.error(),
                                fmt::format("migration {} of {}", migration.version, module));
          }
        }
      }
      return transaction
          .run(
              "INSERT INTO schema_versions (module, version) VALUES (?, ?) "
              "ON CONFLICT (module) DO UPDATE SET version = excluded.version",
              module, newest)
          .map([](std::int64_t) {});
    };
    TERRAPIN_TRY_STATUS(enqueue(work, true));
    readers_.forget_statements();
    return {};
  }

  Status write(const Work& work) override { return enqueue(work, false); }

  Status read(const Work& work) override {
    if (writer_.is_this_thread() || reading_ == this) {
      return fail(ErrorCode::kInternal,
                  "read() inside a transaction of the same database: use its Transaction");
    }
    struct Reading {
      explicit Reading(const void* now) : before(reading_) { reading_ = now; }
      ~Reading() { reading_ = before; }
      const void* before;
    } reading(this);
    return readers_.read(work);
  }

  Status backup_to(const std::string& path, const Work& look) override {
    return backend_->backup_to(path, [&](Connection& connection) -> Status {
      if (!look) return {};
      Outcome outcome = perform(look, connection);
      if (outcome.exception) std::rethrow_exception(outcome.exception);
      return std::move(outcome.status);
    });
  }
  Status check_backup() override { return backend_->check_backup(); }
  std::string description() const override { return backend_->description(); }

 private:
  Status enqueue(const Work& work, bool defines) {
    if (writer_.is_this_thread() || reading_ == this) {
      return fail(ErrorCode::kInternal, "write() inside a transaction of the same database");
    }
    return writer_.write(work, defines);
  }

  // The database whose read() this thread is in.
  static thread_local const void* reading_;

  std::unique_ptr<Backend> backend_;
  Readers readers_;
  Writer writer_;
};

thread_local const void* SharedDatabase::reading_ = nullptr;

Result<std::unique_ptr<Backend>> backend_for(const std::string& url) {
  if (url.starts_with("sqlite:")) return sqlite_backend(url.substr(7));
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) return postgres_backend(url);
  // The rest of the address may hold a password.
  return fail(ErrorCode::kInvalidArgument,
              "the database address begins with \"{}\": sqlite:/path/to/state.db and "
              "postgresql://user@host:port/database are allowed",
              shortened(url.substr(0, std::min<std::size_t>(url.find(':'), 20))));
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& url) {
  TERRAPIN_TRY(std::unique_ptr<Backend> backend, backend_for(url));
  TERRAPIN_TRY(std::unique_ptr<Connection> writer, backend->connect_writer());
  return std::unique_ptr<Database>(std::make_unique<SharedDatabase>(std::move(backend), std::move(writer)));
}

Status Database::restore(const std::string& url, const std::string& path, bool replace) {
  TERRAPIN_TRY(const std::unique_ptr<Backend> backend, backend_for(url));
  if (!replace) {
    TERRAPIN_TRY_STATUS(backend->check_empty());
  }
  return backend->restore_from(path);
}

Status Database::check_empty(const std::string& url) {
  TERRAPIN_TRY(const std::unique_ptr<Backend> backend, backend_for(url));
  return backend->check_empty();
}

}  // namespace terrapin::storage
