// Prepared statements of one SOCI session. For the two backends' files only: SOCI's exceptions pass through.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "storage/database_sql.h"

namespace soci {
class session;
namespace details {
class statement_backend;
}  // namespace details
}  // namespace soci

namespace terrapin::storage {

class StatementCache {
 public:
  StatementCache(soci::session& session, Dialect dialect);
  ~StatementCache();
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  struct Running {
    soci::details::statement_backend* backend = nullptr;
    bool has_row = false;  // it stands on the first row of an answer
  };
  // Prepares the statement if it is not yet, binds copies of the values and executes it. Expected failures
  // are those of check_values and bound_statement; soci_error is thrown.
  Result<Running> execute(std::string_view sql, std::span<const Value> values);

  // Ends the execution: large texts are let go.
  void finish();
  // The same after a failure: the statement is given up. It lives on until `sweep`, because PostgreSQL
  // refuses to forget it in a failed transaction.
  void give_up();
  void sweep();  // outside a failed transaction
  void clear();

 private:
  struct Prepared;
  Prepared& prepared(const std::string& key, const std::string& statement, std::string_view kinds);

  soci::session& session_;
  const Dialect dialect_;
  std::list<std::unique_ptr<Prepared>> statements_;  // last used first
  std::unordered_map<std::string, std::list<std::unique_ptr<Prepared>>::iterator> by_key_;
  std::list<std::unique_ptr<Prepared>> given_up_;
  Prepared* running_ = nullptr;
};

}  // namespace terrapin::storage
