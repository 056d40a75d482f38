#include "labeling/notices/notices.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/json_text.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"

namespace terrapin::labeling {
namespace fs = std::filesystem;
using std::chrono::seconds;
using storage::Transaction;
using I = std::int64_t;
using S = std::string;
namespace {

constexpr storage::Migration kMigrations[] = {
    {1, R"(
CREATE TABLE notice_outbox (
  id TEXT NOT NULL,
  webhook TEXT NOT NULL,
  event TEXT NOT NULL,
  body TEXT NOT NULL,
  created BIGINT NOT NULL,
  due BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  PRIMARY KEY (id, webhook));
CREATE INDEX notice_outbox_due ON notice_outbox (due, created)
)"},
    {2, R"(
CREATE TABLE notice_pauses (
  webhook TEXT PRIMARY KEY,
  not_before BIGINT NOT NULL
)
)"},
};

constexpr seconds kLongestWait{60};  // the clock may be set, the registry may change

std::string body_of(const std::string& id, const std::string& event, Timestamp time, const JobRecord& job) {
  nlohmann::ordered_json body;
  body["event"] = event;
  body["time"] = iso_text(time, 3) + "Z";
  body["jobName"] = job.spec.name;
  body["status"] = job_status_name(job.status);
  nlohmann::ordered_json counters;
  counters["totalLabeled"] = job.counters.total_labeled;
  counters["humanLabeled"] = job.counters.human_labeled;
  counters["machineLabeled"] = job.counters.machine_labeled;
  counters["failedNonRetryableError"] = job.counters.failed_non_retryable;
  counters["unlabeled"] = job.counters.unlabeled;
  body["counters"] = std::move(counters);
  body["id"] = id;
  return json_text(body);
}

}  // namespace

struct Notices::Entry {
  std::string id, webhook, event, body;
  Timestamp created;
  std::int64_t attempts = 0;
};

std::string notice_signature(const std::string& secret, const std::string& body) {
  const auto* key = reinterpret_cast<const std::uint8_t*>(secret.data());
  return "sha256=" + crypto::hex(crypto::hmac_sha256({key, secret.size()}, body));
}

Notices::Notices(storage::Database& state, std::unique_ptr<Webhooks> webhooks, const Clock& clock,
                 NoticesOptions options)
    : state_(state), webhooks_(std::move(webhooks)), clock_(clock), options_(std::move(options)) {}

Result<std::unique_ptr<Notices>> Notices::open(storage::Database& state, const fs::path& data_dir,
                                               const Clock& clock, NoticesOptions options) {
  TERRAPIN_TRY(auto webhooks, Webhooks::open(data_dir, clock));
  TERRAPIN_TRY_STATUS(state.migrate("notices", kMigrations));
  return std::unique_ptr<Notices>(new Notices(state, std::move(webhooks), clock, std::move(options)));
}

Notices::~Notices() {
  stop();
}

Status Notices::post(Transaction& state, const std::string& event, const JobRecord& job) {
  const auto webhooks = webhooks_->current();
  if (!webhooks) {
    spdlog::error("notice {} of job {} is not sent: {}", event, job.spec.name, webhooks.error().message);
    return {};
  }
  const std::string id = crypto::random_uuid();
  const Timestamp now = clock_.now();
  for (const Webhook& webhook : **webhooks) {
    if (!webhook.wants(event)) continue;
    TERRAPIN_TRY(const auto pause,
                 state.select_one<I>("SELECT not_before FROM notice_pauses WHERE webhook = ?", webhook.id));
    const I due = std::max(to_microseconds(now), pause ? std::get<0>(*pause) : 0);
    TERRAPIN_TRY_STATUS(
        state.run("INSERT INTO notice_outbox (id, webhook, event, body, created, due, attempts) VALUES (?, "
                  "?, ?, ?, ?, ?, 0)",
                  id, webhook.id, event, body_of(id, event, now, job), to_microseconds(now), due));
  }
  return {};
}

void Notices::wake() {
  const std::lock_guard lock(mutex_);
  posted_ = true;
  changed_.notify_all();
}

Status Notices::forget(const Entry& entry) {
  return state_.write([&](Transaction& state) -> Status {
    TERRAPIN_TRY_STATUS(
        state.run("DELETE FROM notice_outbox WHERE id = ? AND webhook = ?", entry.id, entry.webhook));
    TERRAPIN_TRY_STATUS(state.run("DELETE FROM notice_pauses WHERE webhook = ?", entry.webhook));
    return {};
  });
}

Status Notices::put_off(const Entry& entry, bool unreachable, Timestamp due, bool drop) {
  const I when = to_microseconds(due);
  return state_.write([&](Transaction& state) -> Status {
    if (drop) {
      TERRAPIN_TRY_STATUS(
          state.run("DELETE FROM notice_outbox WHERE id = ? AND webhook = ?", entry.id, entry.webhook));
    } else {
      TERRAPIN_TRY_STATUS(
          state.run("UPDATE notice_outbox SET due = ?, attempts = attempts + 1 WHERE id = ? AND webhook = ?",
                    when, entry.id, entry.webhook));
    }
    if (unreachable) {
      TERRAPIN_TRY_STATUS(state.run("UPDATE notice_outbox SET due = ? WHERE webhook = ? AND due < ?", when,
                                    entry.webhook, when));
      TERRAPIN_TRY_STATUS(
          state.run("INSERT INTO notice_pauses (webhook, not_before) VALUES (?, ?) ON CONFLICT (webhook) DO "
                    "UPDATE SET not_before = excluded.not_before",
                    entry.webhook, when));
    }
    return {};
  });
}

Status Notices::deliver(const Entry& entry, Deliveries& done) {
  TERRAPIN_TRY(const auto webhooks, webhooks_->current());
  const auto webhook = std::find_if(webhooks->begin(), webhooks->end(),
                                    [&](const Webhook& one) { return one.id == entry.webhook; });
  if (webhook == webhooks->end()) {
    TERRAPIN_TRY_STATUS(forget(entry));
    ++done.dropped;
    spdlog::warn("notice {} ({}) is dropped: webhook {} was removed", entry.id, entry.event, entry.webhook);
    return {};
  }
  HttpCall call;
  call.url = webhook->url;
  call.body = entry.body;
  call.headers = {{"X-Terrapin-Signature", notice_signature(webhook->secret, entry.body)},
                  {"X-Terrapin-Event", entry.event},
                  {"X-Terrapin-Notice", entry.id}};
  call.allow_private = webhook->allow_private;
  call.timeout = options_.timeout;
  call.keep_answer = false;
  const Attempt attempt = post_json(call, options_.http, stop_);
  if (attempt) {
    ++done.delivered;
    return forget(entry);
  }
  const Error& error = attempt.error().error;
  if (error.code == ErrorCode::kCancelled) return tl::unexpected<Error>(error);
  const Timestamp now = clock_.now();
  const auto doublings = std::min<std::int64_t>(entry.attempts, 30);
  const seconds pause =
      std::min(options_.longest_pause, options_.first_pause * (std::int64_t{1} << doublings));
  const Timestamp due = now + pause;
  const bool drop = due > entry.created + options_.keep;
  TERRAPIN_TRY_STATUS(put_off(entry, !attempt.error().answered, due, drop));
  if (drop) {
    ++done.dropped;
    spdlog::warn("notice {} ({}) to webhook {} is dropped after {} tries: {}", entry.id, entry.event,
                 entry.webhook, entry.attempts + 1, error.message);
  } else {
    ++done.failed;
    spdlog::info("notice {} ({}) to webhook {}: {}; it is tried again in {} s", entry.id, entry.event,
                 entry.webhook, error.message, pause.count());
  }
  return {};
}

Result<Notices::Deliveries> Notices::deliver_due() {
  const std::lock_guard one_pass(delivering_);
  Deliveries done;
  const I now = to_microseconds(clock_.now());
  // One at a time, since a delivery that fails changes what is due. What is posted meanwhile is left for the
  // next pass.
  for (;;) {
    if (stop_.is_set()) return fail(ErrorCode::kCancelled, "notices: shutting down");
    std::vector<Entry> entries;
    TERRAPIN_TRY_STATUS(state_.read([&](Transaction& state) -> Status {
      TERRAPIN_TRY(auto rows,
                   (state.select<S, S, S, S, I, I>(
                       "SELECT id, webhook, event, body, created, attempts FROM notice_outbox WHERE "
                       "due <= ? ORDER BY created, id LIMIT 1",
                       now)));
      entries.clear();
      for (auto& [id, webhook, event, body, created, attempts] : rows)
        entries.push_back({id, webhook, event, body, from_microseconds(created), attempts});
      return {};
    }));
    if (entries.empty()) return done;
    TERRAPIN_TRY_STATUS(deliver(entries.front(), done));
  }
}

Result<std::int64_t> Notices::waiting() {
  I count = 0;
  TERRAPIN_TRY_STATUS(state_.read([&](Transaction& state) -> Status {
    TERRAPIN_TRY(const auto row, state.select_one<I>("SELECT COUNT(*) FROM notice_outbox"));
    if (row) count = std::get<0>(*row);
    return {};
  }));
  return count;
}

void Notices::labor() {
  while (!stop_.is_set()) {
    {
      const std::lock_guard lock(mutex_);
      posted_ = false;
    }
    const auto done = deliver_due();
    auto wait = std::chrono::duration_cast<std::chrono::microseconds>(kLongestWait);
    if (done) {
      std::optional<I> next;
      const Status read = state_.read([&](Transaction& state) -> Status {
        TERRAPIN_TRY(const auto row,
                     state.select_one<std::optional<I>>("SELECT MIN(due) FROM notice_outbox"));
        next = row ? std::get<0>(*row) : std::nullopt;
        return {};
      });
      if (read && next)
        wait = std::clamp<std::chrono::microseconds>(from_microseconds(*next) - clock_.now(),
                                                     std::chrono::microseconds(0), wait);
    } else if (done.error().code != ErrorCode::kCancelled) {
      spdlog::error("notices: {}", done.error().message);
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [&] { return posted_ || stop_.is_set(); });
  }
}

void Notices::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { labor(); });
}

void Notices::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_.set();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace terrapin::labeling
