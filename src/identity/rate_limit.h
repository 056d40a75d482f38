// How often someone may try. In memory: a restart forgets. All thread-safe; memory is bounded by max_keys.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"

namespace terrapin::identity {

// What one client is, as far as its address tells: an IPv4 address, the first 64 bits of an IPv6 one; the
// text itself if it is no address.
std::string address_key(std::string_view remote_address);

// A bucket for each key, that refills at a steady rate.
class TokenBuckets {
 public:
  struct Options {
    double per_second = 10, burst = 100;
    std::size_t max_keys = 65'536;
  };
  TokenBuckets(const Clock& clock, Options options) : clock_(clock), options_(options) {}
  // Takes one token: zero if there was one, else how long until there is (at least a second).
  std::chrono::seconds take(const std::string& key);

 private:
  struct Bucket {
    double tokens = 0;
    Timestamp filled;
  };
  void make_room(Timestamp now);
  const Clock& clock_;
  const Options options_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;  // guarded by mutex_
};

// Waiting times that double with each failure. An attempt counts as failed from its start, so that many at
// once gain nothing; success takes that back.
class FailureDelays {
 public:
  struct Options {
    int free_failures = 5;
    std::chrono::seconds first_delay{1}, longest_delay{300};
    std::chrono::seconds forgotten_after{3600};  // without a further failure
    std::size_t max_keys = 65'536;
  };
  FailureDelays(const Clock& clock, Options options) : clock_(clock), options_(options) {}
  // Zero: go on, and the failure is counted. Else how long to wait; nothing is counted.
  std::chrono::seconds begin(const std::string& key);
  void succeeded(const std::string& key);  // forgets the key's failures
  void take_back(const std::string& key);  // the failure that begin() counted was none

 private:
  struct Failures {
    int count = 0;
    Timestamp last, next_allowed;
  };
  void make_room(Timestamp now);
  const Clock& clock_;
  const Options options_;
  std::mutex mutex_;
  std::unordered_map<std::string, Failures> failures_;  // guarded by mutex_
};

}  // namespace terrapin::identity
