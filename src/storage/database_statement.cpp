#include "storage/database_statement.h"

#include <soci/soci.h>

#include <variant>
#include <vector>

namespace terrapin::storage {
namespace {
constexpr std::size_t kMostStatements = 500;
constexpr std::size_t kKeptTextBytes = 4096;

// What a placeholder is bound to; its address stays.
struct Slot {
  long long integer = 0;
  double number = 0;
  std::string text;
};
}  // namespace

struct StatementCache::Prepared {
  explicit Prepared(soci::session& session) : statement(session) {}
  std::string key;
  std::vector<Slot> slots;
  soci::statement statement;
};

StatementCache::StatementCache(soci::session& session, Dialect dialect)
    : session_(session), dialect_(dialect) {}
StatementCache::~StatementCache() = default;

StatementCache::Prepared& StatementCache::prepared(const std::string& key, const std::string& statement,
                                                   std::string_view kinds) {
  auto made = std::make_unique<Prepared>(session_);
  made->key = key;
  made->slots.resize(kinds.size());
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    Slot& slot = made->slots[i];
    if (kinds[i] == 'i') made->statement.exchange(soci::use(slot.integer));
    if (kinds[i] == 'd') made->statement.exchange(soci::use(slot.number));
    if (kinds[i] == 't') made->statement.exchange(soci::use(slot.text));
  }
  made->statement.alloc();
  made->statement.prepare(statement);
  made->statement.define_and_bind();
  if (statements_.size() >= kMostStatements) {
    by_key_.erase(statements_.back()->key);
    statements_.pop_back();
  }
  statements_.push_front(std::move(made));
  by_key_[key] = statements_.begin();
  return *statements_.front();
}

Result<StatementCache::Running> StatementCache::execute(std::string_view sql, std::span<const Value> values) {
  running_ = nullptr;
  TERRAPIN_TRY_STATUS(check_values(values));
  const std::string kinds = value_kinds(values);
  std::string key;
  key.reserve(sql.size() + 1 + kinds.size());
  key.append(kinds).append(1, ' ').append(sql);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    statements_.splice(statements_.begin(), statements_, found->second);
    running_ = found->second->get();
  } else {
    TERRAPIN_TRY(const std::string statement, bound_statement(dialect_, sql, kinds));
    running_ = &prepared(key, statement, kinds);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    Slot& slot = running_->slots[i];
    if (const auto* integer = std::get_if<std::int64_t>(&values[i])) slot.integer = *integer;
    if (const auto* number = std::get_if<double>(&values[i])) slot.number = *number;
    if (const auto* text = std::get_if<std::string>(&values[i])) slot.text = *text;
  }
  Running running;
  running.has_row = running_->statement.execute(true);
  running.backend = running_->statement.get_backend();
  return running;
}

void StatementCache::finish() {
  if (running_ == nullptr) return;
  for (Slot& slot : running_->slots) {
    if (slot.text.capacity() > kKeptTextBytes) slot.text = std::string();
  }
  running_ = nullptr;
}

void StatementCache::give_up() {
  if (running_ == nullptr) return;
  const auto found = by_key_.find(running_->key);
  given_up_.splice(given_up_.end(), statements_, found->second);
  by_key_.erase(found);
  running_ = nullptr;
}

void StatementCache::sweep() {
  given_up_.clear();
}

void StatementCache::clear() {
  running_ = nullptr;
  by_key_.clear();
  statements_.clear();
  given_up_.clear();
}

}  // namespace terrapin::storage
