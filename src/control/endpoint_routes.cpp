#include "control/endpoint_routes.h"

#include <algorithm>

#include "base/text.h"

namespace terrapin::control {
namespace {

std::vector<const ServedInstancePtr*> ready(const VariantRoute& variant,
                                            const std::vector<std::string>& tried) {
  std::vector<const ServedInstancePtr*> found;
  for (const ServedInstancePtr& instance : variant.instances)
    if (instance->healthy.load() && std::find(tried.begin(), tried.end(), instance->id) == tried.end())
      found.push_back(&instance);
  return found;
}

}  // namespace

void RouteTable::set(std::shared_ptr<const EndpointRoute> route) {
  const std::lock_guard lock(mutex_);
  routes_[lower_case(route->name)] = std::move(route);
}

void RouteTable::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  routes_.erase(lower_case(name));
}

std::shared_ptr<const EndpointRoute> RouteTable::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = routes_.find(lower_case(std::string(name)));
  return found == routes_.end() ? nullptr : found->second;
}

tl::expected<TakenRoute, NoRoute> RouteTable::take(std::string_view endpoint, std::string_view variant,
                                                   const std::vector<std::string>& tried) {
  const std::string key = lower_case(std::string(endpoint));
  const std::lock_guard lock(mutex_);
  const auto found = routes_.find(key);
  if (found == routes_.end()) return tl::unexpected(NoRoute::kNoEndpoint);
  const EndpointRoute& route = *found->second;

  std::vector<const ServedInstancePtr*> choice;
  const VariantRoute* chosen = nullptr;
  if (!variant.empty()) {
    for (const VariantRoute& one : route.variants)
      if (one.name == variant) chosen = &one;
    if (!chosen) return tl::unexpected(NoRoute::kNoVariant);
    choice = ready(*chosen, tried);
  } else {
    double total = 0;
    std::vector<std::pair<const VariantRoute*, std::vector<const ServedInstancePtr*>>> open;
    for (const VariantRoute& one : route.variants) {
      auto instances = ready(one, tried);
      if (instances.empty() || one.weight <= 0) continue;
      total += one.weight;
      open.emplace_back(&one, std::move(instances));
    }
    double place = random_.uniform() * total;
    for (auto& [one, instances] : open) {
      chosen = one;
      choice = std::move(instances);
      if ((place -= one->weight) < 0) break;
    }
  }
  if (choice.empty()) return tl::unexpected(NoRoute::kNoneReady);
  // From a random one on, so that servers that are equally busy take turns.
  const auto start = static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(choice.size())));
  std::size_t best = start;
  for (std::size_t i = 1; !chosen->random && i < choice.size(); ++i) {
    const std::size_t at = (start + i) % choice.size();
    if ((*choice[at])->in_flight.load() < (*choice[best])->in_flight.load()) best = at;
  }
  return TakenRoute{found->second, InstanceLease(*choice[best])};
}

bool RouteTable::is_chosen(int percent) {
  const std::lock_guard lock(mutex_);
  return random_.below(100) < percent;
}

}  // namespace terrapin::control
