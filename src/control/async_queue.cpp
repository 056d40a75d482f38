#include "control/async_queue.h"

#include "base/text.h"

namespace terrapin::control {
namespace {

using storage::Transaction;
using storage::Value;
using I = std::int64_t;

// `endpoint_key` is the endpoint's name in lower case.
constexpr storage::Migration kMigrations[] = {
    {1, R"(
CREATE TABLE async_invocations (
  id TEXT NOT NULL PRIMARY KEY,
  endpoint_key TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  endpoint_made BIGINT NOT NULL,
  input TEXT NOT NULL,
  output TEXT NOT NULL,
  failure TEXT NOT NULL,
  content_type TEXT NOT NULL,
  accept TEXT NOT NULL,
  custom_attributes TEXT NOT NULL,
  inference_id TEXT NOT NULL,
  accepted BIGINT NOT NULL,
  deadline BIGINT NOT NULL,
  not_before BIGINT NOT NULL,
  time_s BIGINT NOT NULL,
  tries BIGINT NOT NULL
);
CREATE INDEX async_invocations_by_endpoint ON async_invocations (endpoint_key, endpoint_made, accepted, id);
CREATE INDEX async_invocations_by_deadline ON async_invocations (deadline);
)"},
};

}  // namespace

Result<AsyncQueue> AsyncQueue::open(storage::Database& state) {
  TERRAPIN_TRY_STATUS(state.migrate("async_invocations", kMigrations));
  return AsyncQueue(state);
}

Status AsyncQueue::add(Transaction& state, const AsyncInvocation& one) {
  TERRAPIN_TRY_STATUS(state.run(
      "INSERT INTO async_invocations (id, endpoint_key, endpoint, endpoint_made, input, output, failure, "
      "content_type, accept, custom_attributes, inference_id, accepted, deadline, not_before, time_s, tries) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      one.id, lower_case(one.endpoint), one.endpoint, to_microseconds(one.endpoint_made), one.input,
      one.output, one.failure, one.content_type, one.accept, one.custom_attributes, one.inference_id,
      to_microseconds(one.accepted), to_microseconds(one.deadline), to_microseconds(one.not_before),
      I{one.time.count()}, one.tries));
  return {};
}

Result<I> AsyncQueue::count(Transaction& state, const std::string& endpoint) {
  TERRAPIN_TRY(const auto rows,
               (state.select_one<I>("SELECT COUNT(*) FROM async_invocations WHERE endpoint_key = ?",
                                    lower_case(endpoint))));
  return rows ? std::get<0>(*rows) : 0;
}

Result<std::vector<AsyncQueue::Line>> AsyncQueue::lines() {
  std::vector<Line> found;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    found.clear();
    TERRAPIN_TRY(const auto rows,
                 (state.select<std::string, I>("SELECT DISTINCT endpoint_key, endpoint_made FROM "
                                               "async_invocations ORDER BY endpoint_key, endpoint_made")));
    for (const auto& [endpoint, made] : rows) found.push_back({endpoint, from_microseconds(made)});
    return {};
  }));
  return found;
}

Result<std::vector<AsyncInvocation>> AsyncQueue::select(const std::string& rest,
                                                        const std::vector<Value>& values) {
  std::vector<AsyncInvocation> found;
  TERRAPIN_TRY_STATUS(state_->read([&](Transaction& state) -> Status {
    found.clear();
    TERRAPIN_TRY(const auto rows,
                 state.query("SELECT id, endpoint, input, output, failure, content_type, accept, "
                             "custom_attributes, inference_id, endpoint_made, accepted, deadline, "
                             "not_before, time_s, tries FROM async_invocations " +
                                 rest,
                             15, values));
    for (const storage::TextRow& row : rows) {
      AsyncInvocation one;
      std::string* const texts[] = {&one.id,     &one.endpoint,          &one.input,
                                    &one.output, &one.failure,           &one.content_type,
                                    &one.accept, &one.custom_attributes, &one.inference_id};
      std::size_t column = 0;
      for (std::string* text : texts) *text = row[column++].value_or("");
      Timestamp* const times[] = {&one.endpoint_made, &one.accepted, &one.deadline, &one.not_before};
      for (Timestamp* time : times) {
        TERRAPIN_TRY(const I microseconds, storage::detail::to_integer(row[column++].value_or("")));
        *time = from_microseconds(microseconds);
      }
      TERRAPIN_TRY(const I time, storage::detail::to_integer(row[column++].value_or("")));
      TERRAPIN_TRY(const I tries, storage::detail::to_integer(row[column++].value_or("")));
      one.time = std::chrono::seconds(time);
      one.tries = static_cast<int>(tries);
      found.push_back(std::move(one));
    }
    return {};
  }));
  return found;
}

Result<std::vector<AsyncInvocation>> AsyncQueue::due(const Line& line, Timestamp now, int limit) {
  return select(
      "WHERE endpoint_key = ? AND endpoint_made = ? AND not_before <= ? ORDER BY accepted, id LIMIT ?",
      {Value(lower_case(line.endpoint)), Value(to_microseconds(line.endpoint_made)),
       Value(to_microseconds(now)), Value(I{limit})});
}

Result<std::vector<AsyncInvocation>> AsyncQueue::all(const Line& line, int limit) {
  return select(
      "WHERE endpoint_key = ? AND endpoint_made = ? ORDER BY accepted, id LIMIT ?",
      {Value(lower_case(line.endpoint)), Value(to_microseconds(line.endpoint_made)), Value(I{limit})});
}

Result<std::vector<AsyncInvocation>> AsyncQueue::expired(Timestamp now, int limit) {
  return select("WHERE deadline <= ? ORDER BY deadline, id LIMIT ?",
                {Value(to_microseconds(now)), Value(I{limit})});
}

Status AsyncQueue::postpone(const std::string& id, int tries, Timestamp not_before) {
  return state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(state.run("UPDATE async_invocations SET tries = ?, not_before = ? WHERE id = ?",
                                  tries, to_microseconds(not_before), id));
    return {};
  });
}

Status AsyncQueue::end(const std::string& id) {
  return state_->write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(state.run("DELETE FROM async_invocations WHERE id = ?", id));
    return {};
  });
}

}  // namespace terrapin::control
