// A client of one model server of this machine: kept-alive connections, deadlines, bodies that are not
// copied.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/result.h"

namespace terrapin::control {

struct InstanceRequest {
  std::string_view method = "GET", path = "/ping";
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  // One of the two.
  std::span<const std::uint8_t> body;
  const ByteSource* source = nullptr;
};

struct InstanceAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // names lower case
  Bytes body;
  std::string_view field(std::string_view name) const;  // "" without one
};

struct InstanceFault {
  enum class Kind {
    kUnreachable,  // it is not there, or went away before its answer was whole
    kTimeout,
    kAbandoned,  // the caller no longer wants the answer
    kTooLarge,   // the answer
    kBody,       // the request's body cannot be read
    kLocal,      // this process has no descriptor left to ask with: nothing is known of the server
  };
  Kind kind = Kind::kUnreachable;
  std::string message;
};

// Thread-safe: every request has a connection to itself.
class InstanceClient {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  // `name`: what the server is called; one of another name at that port refuses (421), which is kUnreachable.
  explicit InstanceClient(std::string name) : name_(std::move(name)) {}
  InstanceClient(const InstanceClient&) = delete;
  InstanceClient& operator=(const InstanceClient&) = delete;

  // Of 127.0.0.1; 0: not known yet.
  void set_port(int port) { port_.store(port); }
  int port() const { return port_.load(); }

  // The answer, whatever its status. A connection that the server closed while it was idle is no fault.
  tl::expected<InstanceAnswer, InstanceFault> ask(const InstanceRequest& request, Deadline deadline,
                                                  const std::atomic<bool>* abandoned = nullptr);

 private:
  struct Idle {
    Descriptor socket;
    Deadline since;
  };
  Descriptor take_idle();
  void keep(Descriptor socket);

  const std::string name_;
  std::atomic<int> port_{0};
  std::mutex mutex_;
  std::vector<Idle> idle_;  // guarded by mutex_; the last one is used first
};

}  // namespace terrapin::control
