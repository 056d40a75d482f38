// Tells registered addresses (notices/webhooks.h) what happens to jobs. What is to be sent waits in a table
// of the database, so it survives a restart; docs/formats/notices.md.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "labeling/functions/http_call.h"
#include "labeling/functions/stop_signal.h"
#include "labeling/labeling_service.h"
#include "labeling/notices/webhooks.h"
#include "storage/database.h"

namespace terrapin::labeling {

struct NoticesOptions {
  HttpSettings http;
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  // of one delivery
  std::chrono::seconds first_pause{5};                           // after the first failure; doubles
  std::chrono::seconds longest_pause = std::chrono::hours(1);
  std::chrono::seconds keep = std::chrono::hours(24);  // then a notice is dropped, with a line in the log
};

// "sha256=" and the HMAC of the body in lower-case hexadecimal: the header X-Terrapin-Signature.
std::string notice_signature(const std::string& secret, const std::string& body);

// Any method may be called from any thread; start() and stop() by one.
class Notices final : public NoticeSink {
 public:
  // Makes the table; no thread runs before start(). The references must outlive it.
  static Result<std::unique_ptr<Notices>> open(storage::Database& state,
                                               const std::filesystem::path& data_dir, const Clock& clock,
                                               NoticesOptions options = {});
  ~Notices() override;  // stop()

  // Stores one notice for each webhook that wants the event, in the caller's write; sent later, at least
  // once. Webhooks that cannot be read are a line in the log and no failure, for the job must go on.
  Status post(storage::Transaction& state, const std::string& event, const JobRecord& job) override;
  void wake() override;

  // Sends from a thread of its own from now on. Once.
  void start();
  // Breaks a delivery off, which is made again after the next start, and waits for the thread. For good.
  void stop();

  struct Deliveries {
    std::int64_t delivered = 0, failed = 0, dropped = 0;
  };
  // Sends in the caller all that is due now, instead of start(): for tests and one-shot commands. kCancelled
  // after stop().
  Result<Deliveries> deliver_due();
  // Notices that wait for their delivery.
  Result<std::int64_t> waiting();

 private:
  struct Entry;
  Notices(storage::Database& state, std::unique_ptr<Webhooks> webhooks, const Clock& clock,
          NoticesOptions options);
  Status deliver(const Entry& entry, Deliveries& done);
  // Received, or to a webhook that was removed.
  Status forget(const Entry& entry);
  // It failed: tried again at `due`, or dropped. A receiver that is `unreachable` gets nothing else before
  // `due` either, what is posted later included: each would cost a time-out.
  Status put_off(const Entry& entry, bool unreachable, Timestamp due, bool drop);
  void labor();

  storage::Database& state_;
  const std::unique_ptr<Webhooks> webhooks_;
  const Clock& clock_;
  const NoticesOptions options_;
  StopSignal stop_;
  std::mutex delivering_;  // one pass at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  bool posted_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace terrapin::labeling
