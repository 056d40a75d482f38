// Answers that are fetched later: requests are accepted into the state database, asked of the endpoint's
// servers one after the other, and their answers written as objects. docs/formats/endpoints.md.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/parallel.h"
#include "base/repeating_thread.h"
#include "base/result.h"
#include "control/async_queue.h"
#include "control/endpoint_routes.h"
#include "control/invocations.h"
#include "control/resources.h"
#include "storage/object_store.h"

namespace terrapin::control {

struct AsyncRequest {
  std::string input;  // s3://bucket/key
  std::string content_type, accept, custom_attributes;
  std::string inference_id;                   // "": one is made
  std::chrono::seconds time_to_live{21'600};  // until its turn; then it fails
  std::chrono::seconds time{900};             // for the answer
};
struct AsyncTicket {
  std::string inference_id;
  std::string output;   // where the answer will lie: s3://bucket/prefix/<unique>.out
  std::string failure;  // where the reason will lie if there is none: .../<unique>-error.out; "": nowhere
};

struct AsyncOptions {
  std::int64_t most_waiting = 10'000;     // of an endpoint, with those that are being answered
  int at_once = 16;                       // of all endpoints
  int at_once_of_endpoint = 8;            // so that a slow one leaves the others some
  int at_once_of_server = 4;              // where the endpoint's configuration says nothing
  int tries = 5;                          // that fail for a reason that may pass
  std::chrono::milliseconds pause{1000};  // after such a try; then twice as long each time, up to a minute
  std::chrono::milliseconds look_interval{1000};
};

// Thread-safe. What was accepted is answered, also by the next service: a request leaves the database when
// its object is written, so that a crash in between only repeats the prediction.
class AsyncInvocations {
 public:
  using Ask = std::function<tl::expected<InvocationAnswer, InvocationFailure>(const Invocation&)>;
  AsyncInvocations(Resources resources, AsyncQueue queue, storage::ObjectStore& objects,
                   const RouteTable& routes, const Clock& clock, Ask ask, AsyncOptions options = {});
  ~AsyncInvocations();  // stop()
  AsyncInvocations(const AsyncInvocations&) = delete;
  AsyncInvocations& operator=(const AsyncInvocations&) = delete;

  void start();
  void stop();  // answers that are waited for are given up; the next start() asks again

  // Durable when this returns. `async`: of the endpoint. kNotFound: there is no such endpoint (any more);
  // kTooLarge: too many of its requests wait.
  Result<AsyncTicket> accept(const std::string& endpoint, const AsyncSpec& async,
                             const AsyncRequest& request);

 private:
  // A request on its way through a thread of the pool.
  struct Item {
    AsyncInvocation request;
    std::string refusal;  // why it is not even asked; "": it is
  };
  void look_and_tell();
  Status look();
  Result<bool> is_gone(const AsyncQueue::Line& line);
  int allowed(const std::string& endpoint) const;
  void attend(const Item& item);
  void ask_for(const AsyncInvocation& request);
  void keep(const AsyncInvocation& request, const InvocationAnswer& answer);
  void try_again(const AsyncInvocation& request, const std::string& why);
  void wait_for_server(const AsyncInvocation& request);
  void refuse(const AsyncInvocation& request, const std::string& why);
  void end(const AsyncInvocation& request);
  void postpone(const AsyncInvocation& request, int tries, std::chrono::milliseconds pause);

  Resources resources_;
  AsyncQueue queue_;
  storage::ObjectStore& objects_;
  const RouteTable& routes_;
  const Clock& clock_;
  const Ask ask_;
  const AsyncOptions options_;

  std::atomic<bool> given_up_{false};
  std::mutex mutex_;
  std::map<std::string, std::string> held_;  // guarded by mutex_; id -> endpoint, of what the pool has
  std::uint64_t turn_ = 0;                   // of who looks
  RepeatingThread looks_;
  std::unique_ptr<ThreadPool> pool_;  // set while looks_ runs
};

}  // namespace terrapin::control
