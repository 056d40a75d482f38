// Where the processes of one training meet: names and small values, kept by one of them or by their launcher.
// Ours and not c10d's TCPStore, because that one listens on every address of the machine. Free of torch.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/descriptor.h"
#include "base/result.h"

namespace terrapin::training {

// Listens on one address from a thread of its own until it is destroyed. What is said to it is bounded:
// 1 KiB a key, 1 MiB a value, 64 MiB together.
class RendezvousServer {
 public:
  // `address`: digits. `port` 0: any free one. kIo names the address.
  static Result<std::unique_ptr<RendezvousServer>> start(const std::string& address, int port);
  ~RendezvousServer();
  RendezvousServer(const RendezvousServer&) = delete;
  RendezvousServer& operator=(const RendezvousServer&) = delete;
  int port() const { return port_; }

 private:
  class Loop;
  RendezvousServer() = default;
  std::unique_ptr<Loop> loop_;
  int port_ = 0;
};

// Thread-safe: one call at a time goes over the wire. Calls end with kCancelled on interruption and with kIo
// past their deadline or once the server is gone.
class RendezvousClient {
 public:
  using Milliseconds = std::chrono::milliseconds;
  // Tries again until someone listens there or the time is over.
  static Result<std::unique_ptr<RendezvousClient>> connect(const std::string& host, int port,
                                                           Milliseconds timeout);
  Status set(const std::string& key, const std::string& value);
  // Waits for the key.
  Result<std::string> get(const std::string& key, Milliseconds timeout);
  Result<bool> has(const std::string& key);
  // Adds to a key that counts, which begins at 0. Returns what it is then.
  Result<std::int64_t> add(const std::string& key, std::int64_t value);

 private:
  explicit RendezvousClient(Descriptor socket) : socket_(std::move(socket)) {}
  Result<std::string> ask(char operation, const std::string& key, const std::string& value,
                          Milliseconds timeout);
  std::mutex mutex_;
  Descriptor socket_;  // guarded by mutex_; closed after a failure: an answer may still be on its way
};

}  // namespace terrapin::training
