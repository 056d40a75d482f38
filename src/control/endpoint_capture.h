// Requests and answers of endpoints as lines of JSON in the object store: docs/formats/endpoints.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/repeating_thread.h"
#include "base/result.h"
#include "control/endpoint_configs.h"
#include "storage/object_store.h"

namespace terrapin::control {

struct CapturedInvocation {
  std::string endpoint, variant, event_id;
  std::string custom_attributes, inference_id;
  Timestamp time;
  std::string input_type, output_type;
  std::span<const std::uint8_t> input, output;
};

// One line, with its line end; what the capture does not ask for is left out.
std::string capture_line(const CaptureSpec& capture, const CapturedInvocation& invocation);
// "<prefix>/<endpoint>/<variant>/2026/01/31/12/MM-SS-mmm-<unique>.jsonl"
storage::ObjectName capture_object(const std::string& destination, const CapturedInvocation& invocation,
                                   const std::string& unique);

struct CaptureOptions {
  std::chrono::milliseconds interval{5000};    // lines wait at most so long for others
  std::int64_t max_object_bytes = 8 << 20;     // then an object is written at once
  std::int64_t max_waiting_bytes = 256 << 20;  // above, lines are left out and counted in the log
};

// Gathers lines and writes them as objects from a thread of its own; invocations never wait for it.
// Thread-safe. What was gathered and not written is lost when the server is killed.
class EndpointCapture {
 public:
  EndpointCapture(storage::ObjectStore& objects, CaptureOptions options = {});
  ~EndpointCapture();  // stop()
  EndpointCapture(const EndpointCapture&) = delete;
  EndpointCapture& operator=(const EndpointCapture&) = delete;

  void start() { thread_.start(); }
  void stop();  // writes what waits
  void add(const CaptureSpec& capture, const CapturedInvocation& invocation);
  // Writes what waits now. kIo and the like if some of it could not be written: it waits on and is tried
  // again.
  Status flush();

 private:
  struct Batch {
    storage::ObjectName object;
    std::string lines;
    std::chrono::steady_clock::time_point since;
    std::chrono::steady_clock::time_point not_before{};  // after a failure
  };
  Status write(std::map<std::string, Batch> batches);
  void write_ripe();

  storage::ObjectStore& objects_;
  const CaptureOptions options_;
  std::mutex mutex_;
  std::map<std::string, Batch> waiting_;  // guarded by mutex_; by destination, endpoint and variant
  std::int64_t waiting_bytes_ = 0;        // guarded by mutex_; those being written too
  std::int64_t lost_lines_ = 0;           // guarded by mutex_
  RepeatingThread thread_;
};

}  // namespace terrapin::control
