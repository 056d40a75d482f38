// One session with a database, and what makes such sessions: the two backends of Database.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/database.h"

namespace terrapin::storage {

// How a COMMIT ended.
struct CommitOutcome {
  enum Kind {
    kDurable,
    kUndone,   // certainly not in the database
    kUnknown,  // the connection or the disk failed on the way: may be in the database
  } kind = kDurable;
  Error error;  // unless kDurable
};

// Used by one thread at a time; transactions follow one another. Nothing of SOCI, sqlite3 or libpq is thrown.
class Connection {
 public:
  virtual ~Connection() = default;

  // A transaction that is the only writing one of all processes until it ends. Nothing has happened if it
  // fails.
  virtual Status begin_write() = 0;
  // A transaction on one snapshot that cannot write.
  virtual Status begin_read() = 0;
  virtual CommitOutcome commit() = 0;
  virtual void rollback() = 0;
  // False: the server or SQLite has ended the transaction on its own, or the connection is gone.
  virtual bool in_transaction() = 0;

  // Marks the place that undo_to_mark goes back to, replacing an earlier mark of this transaction.
  virtual Status mark() = 0;
  virtual Status undo_to_mark() = 0;

  virtual Result<std::int64_t> execute(std::string_view sql, std::span<const Value> values) = 0;
  virtual Result<std::vector<TextRow>> query(std::string_view sql, int columns,
                                             std::span<const Value> values) = 0;
  // One statement of a schema, without parameters.
  virtual Status define(std::string_view statement) = 0;
  // After tables were changed: statements are prepared anew.
  virtual void forget_statements() = 0;

  // False: make a new one.
  virtual bool usable() = 0;
  // Called by the writer between two transactions, when nobody waits for their outcome any more.
  virtual void tidy() {}
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Result<std::unique_ptr<Connection>> connect_writer() = 0;
  virtual Result<std::unique_ptr<Connection>> connect_reader() = 0;
  // Database's; `look` gets a connection in a transaction that reads what the copy holds.
  virtual Status backup_to(const std::string& path, const std::function<Status(Connection&)>& look) = 0;
  virtual std::string description() const = 0;
  virtual Status check_backup() { return {}; }
  virtual Status check_empty() = 0;
  virtual Status restore_from(const std::string& path) = 0;  // in place of what is there
};

// `path` is what follows "sqlite:".
Result<std::unique_ptr<Backend>> sqlite_backend(const std::string& path);
Result<std::unique_ptr<Backend>> postgres_backend(const std::string& url);

}  // namespace terrapin::storage
