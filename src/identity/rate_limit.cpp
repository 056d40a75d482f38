#include "identity/rate_limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cmath>

namespace terrapin::identity {
namespace {

// Removes those that `idle` names; if that does not help, an arbitrary half: the table stays bounded.
template <class Map, class Idle>
void shrink(Map& map, std::size_t max_keys, const Idle& idle) {
  if (map.size() < max_keys) return;
  std::erase_if(map, idle);
  if (map.size() < max_keys) return;
  for (auto item = map.begin(); item != map.end() && map.size() > max_keys / 2;) item = map.erase(item);
}

}  // namespace

std::string address_key(std::string_view remote_address) {
  const std::string text(remote_address);
  in6_addr address{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return text;
  char name[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    ::inet_ntop(AF_INET, &address.s6_addr[12], name, sizeof name);
    return name;
  }
  std::fill(address.s6_addr + 8, address.s6_addr + 16, std::uint8_t{0});
  ::inet_ntop(AF_INET6, &address, name, sizeof name);
  return std::string(name) + "/64";
}

std::chrono::seconds TokenBuckets::take(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const Timestamp now = clock_.now();
  auto found = buckets_.find(key);
  if (found == buckets_.end()) {
    make_room(now);
    found = buckets_.emplace(key, Bucket{options_.burst, now}).first;
  }
  Bucket& bucket = found->second;
  const double elapsed = std::max(0.0, std::chrono::duration<double>(now - bucket.filled).count());
  bucket.tokens = std::min(options_.burst, bucket.tokens + elapsed * options_.per_second);
  bucket.filled = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return std::chrono::seconds(0);
  }
  const double wait = std::ceil((1 - bucket.tokens) / options_.per_second);
  return std::chrono::seconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(wait)));
}

void TokenBuckets::make_room(Timestamp now) {
  const std::chrono::duration<double> full_after(options_.burst / options_.per_second);
  shrink(buckets_, options_.max_keys,
         [&](const auto& item) { return now - item.second.filled > full_after; });
}

std::chrono::seconds FailureDelays::begin(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const Timestamp now = clock_.now();
  auto found = failures_.find(key);
  if (found == failures_.end()) {
    make_room(now);
    found = failures_.emplace(key, Failures{}).first;
  }
  Failures& failures = found->second;
  if (failures.count > 0 && now - failures.last > options_.forgotten_after) failures = Failures{};
  if (failures.count >= options_.free_failures && now < failures.next_allowed)
    return std::chrono::ceil<std::chrono::seconds>(failures.next_allowed - now);
  ++failures.count;
  failures.last = now;
  if (failures.count >= options_.free_failures) {
    const int doublings = std::min(failures.count - options_.free_failures, 30);
    failures.next_allowed = now + std::min(options_.first_delay * (std::int64_t{1} << doublings),
                                           std::chrono::seconds(options_.longest_delay));
  }
  return std::chrono::seconds(0);
}

void FailureDelays::succeeded(const std::string& key) {
  const std::lock_guard lock(mutex_);
  failures_.erase(key);
}

void FailureDelays::take_back(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(key);
  if (found == failures_.end()) return;
  if (--found->second.count <= 0) {
    failures_.erase(found);
  } else if (found->second.count < options_.free_failures) {
    found->second.next_allowed = {};
  }
}

void FailureDelays::make_room(Timestamp now) {
  shrink(failures_, options_.max_keys,
         [&](const auto& item) { return now - item.second.last > options_.forgotten_after; });
}

}  // namespace terrapin::identity
