// Checking passwords without running out of memory: each Argon2id hash takes 64 MiB.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace terrapin::identity {

constexpr std::size_t kMinPasswordBytes = 10, kMaxPasswordBytes = 256;

// Thread-safe; waits while `max_running` hashes are being computed.
class PasswordHasher {
 public:
  // Above `max_waiting` waiting calls, more are refused with kCancelled (HTTP 503).
  PasswordHasher(int max_running, int max_waiting);
  // kInvalidArgument for a password that may not be chosen: too short, too long, or the account's own name.
  static Status check_choice(std::string_view password, std::string_view account_name);
  Result<std::string> hash(std::string_view password);
  // An empty `stored` takes as long as any other and is never right.
  Result<bool> verify(std::string_view password, const std::string& stored);
  struct Load {
    std::int64_t runs = 0;  // hashes computed so far
    int most_at_once = 0;
  };
  Load load() const;

 private:
  class Turn;
  Status enter();
  void leave();
  const int max_running_, max_waiting_;
  const std::string decoy_;  // the hash of a password that nobody has
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  int running_ = 0, waiting_ = 0;  // guarded by mutex_, as is:
  Load load_;
};

}  // namespace terrapin::identity
