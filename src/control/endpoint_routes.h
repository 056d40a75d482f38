// Which model server answers: variants by weight, then the least busy server. In memory only; the endpoint
// keeper says what is so.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "control/endpoint_configs.h"
#include "control/instance_client.h"

namespace terrapin::control {

// A model server as requests see it.
struct ServedInstance {
  ServedInstance(std::string instance_id, std::string job_id, std::string variant_name)
      : id(std::move(instance_id)), job(std::move(job_id)), variant(std::move(variant_name)), client(job) {}
  const std::string id, job, variant;
  InstanceClient client;
  std::atomic<bool> healthy{false};
  std::atomic<int> in_flight{0};
  std::atomic<std::int64_t> answered{0};  // with success, since this service has known it
  std::atomic<int> failed_pings{0};       // one after the other, those counted that are an interval apart
  std::chrono::steady_clock::time_point
      failed_at{};  // the last one counted; of who asks after its health alone
};
using ServedInstancePtr = std::shared_ptr<ServedInstance>;

struct VariantRoute {
  std::string name;
  double weight = 1;
  bool random = false;  // any server in place of the least busy
  std::vector<ServedInstancePtr> instances;
};
struct EndpointRoute {
  std::string name;
  std::vector<VariantRoute> variants;
  std::optional<CaptureSpec> capture;
  std::optional<AsyncSpec> asynchronous;
};

// A server that is being asked: counted among its requests for as long as this lives.
class InstanceLease {
 public:
  InstanceLease() = default;
  explicit InstanceLease(ServedInstancePtr instance) : instance_(std::move(instance)) {
    ++instance_->in_flight;
  }
  InstanceLease(InstanceLease&&) = default;
  InstanceLease& operator=(InstanceLease&& other) noexcept {
    give_back();
    instance_ = std::move(other.instance_);
    return *this;
  }
  ~InstanceLease() { give_back(); }
  ServedInstance& operator*() const { return *instance_; }
  ServedInstance* operator->() const { return instance_.get(); }

 private:
  void give_back() {
    if (instance_) --instance_->in_flight;
    instance_.reset();
  }
  ServedInstancePtr instance_;
};

enum class NoRoute {
  kNoEndpoint,  // none of that name serves
  kNoVariant,   // none of that name in the endpoint
  kNoneReady,   // every server was tried, or is not healthy
};

struct TakenRoute {
  std::shared_ptr<const EndpointRoute> endpoint;
  InstanceLease instance;
};

// Thread-safe.
class RouteTable {
 public:
  explicit RouteTable(std::uint64_t seed) : random_(seed) {}

  // From the next take() on.
  void set(std::shared_ptr<const EndpointRoute> route);
  void remove(const std::string& name);
  std::shared_ptr<const EndpointRoute> find(std::string_view name) const;

  // `variant` "": by weight among those with a server that is healthy and not in `tried`; a variant of weight
  // 0 only if it is named.
  tl::expected<TakenRoute, NoRoute> take(std::string_view endpoint, std::string_view variant,
                                         const std::vector<std::string>& tried = {});
  // True in that many of 100 cases.
  bool is_chosen(int percent);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const EndpointRoute>> routes_;  // guarded by mutex_; lower case
  Random random_;                                                       // guarded by mutex_
};

}  // namespace terrapin::control
