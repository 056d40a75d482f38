#include "control/endpoint_keeper.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "artifacts/json_fields.h"
#include "base/json_text.h"
#include "base/logging.h"
#include "base/text.h"
#include "control/process/child_environment.h"
#include "jobs/ending.h"

namespace terrapin::control {
namespace {

using nlohmann::json;
using Steady = std::chrono::steady_clock;

constexpr auto kStopGrace = std::chrono::seconds(30);  // `terrapin host` gives requests in flight 20
constexpr std::int64_t kMaxOutputBytes = 64 << 20;

bool leads_requests(const std::string& status) {
  return status == kEndpointInService || status == kEndpointUpdating || status == kEndpointRollingBack;
}

InstanceSight ended_sight(const jobs::JobRecord& job) {
  InstanceSight sight;
  sight.ended = true;
  sight.ending = job.failure;
  if (job.ending && !job.ending->said.empty()) sight.ending = job.ending->said;
  constexpr std::string_view kMendable = "ClientError: ";
  if (sight.ending.starts_with(kMendable)) {
    sight.mendable = true;
    sight.ending.erase(0, kMendable.size());
  }
  if (sight.ending.empty()) sight.ending = "The model server ended by itself.";
  return sight;
}

}  // namespace

std::string instance_order_text(const InstanceOrder& order) {
  return json_text(json{{"version", 1},
                        {"data_dir", order.data_dir},
                        {"model", order.model},
                        {"threads", order.threads},
                        {"long_side", order.settings.long_side},
                        {"max_batch", order.settings.max_batch}});
}

Result<InstanceOrder> parse_instance_order(const std::string& text) {
  TERRAPIN_TRY(const json document, artifacts::parse_json(text));
  artifacts::ObjectReader reader(document, kInstanceOrderFile);
  reader.integer("version", 1, 1);
  InstanceOrder order;
  order.data_dir = reader.text("data_dir");
  order.model = reader.text("model");
  order.threads = static_cast<int>(reader.integer("threads", 1, 1 << 20));
  order.settings.long_side = reader.integer("long_side", -1, 65'536);
  order.settings.max_batch = static_cast<int>(reader.integer("max_batch", 1, 256));
  TERRAPIN_TRY_STATUS(reader.finish());
  return order;
}

EndpointKeeper::EndpointKeeper(Resources resources, jobs::JobStore jobs, jobs::Runner& runner,
                               RouteTable& routes, const Slots& slots, const Clock& clock,
                               EndpointKeeperOptions options)
    : resources_(std::move(resources)),
      jobs_(std::move(jobs)),
      runner_(runner),
      routes_(routes),
      slots_(slots),
      clock_(clock),
      options_(std::move(options)),
      looks_("endpoints", options_.look_interval,
             [this] {
               (void)look(); /* logged there; tried again */
             }),
      questions_("health of endpoints", options_.first_ping_interval, [this] { ask_after_health(); }) {}

EndpointKeeper::~EndpointKeeper() {
  stop();
}

void EndpointKeeper::start() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
  }
  looks_.start();
  questions_.start();
}

void EndpointKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  looks_.stop();
  questions_.stop();
}

bool EndpointKeeper::wait_until_ready(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] { return ready_ || stopping_; }) && ready_;
}

Status EndpointKeeper::look() {
  Status first;
  const auto note = [&](const std::string& what, Status status) {
    if (status) return;
    spdlog::error("{}: {}", what, status.error().message);
    if (first) first = std::move(status);
  };
  ResourceFilter filter;
  filter.kind = kEndpointKind;
  filter.sort_by = ResourceFilter::SortBy::kName;
  const auto rows = resources_.all(filter);
  if (!rows) {
    note("endpoints", tl::unexpected<Error>(rows.error()));
    return first;
  }
  const auto listed = jobs_.live(options_.lane);
  if (!listed) {
    note("endpoints", tl::unexpected<Error>(listed.error()));
    return first;
  }
  std::map<std::string, jobs::JobRecord> live;
  for (const jobs::JobRecord& job : *listed) live.emplace(job.id, job);
  {
    const std::lock_guard lock(mutex_);
    handles_.clear();
    for (const auto& [id, job] : live) handles_[id] = job.handle;
  }
  std::set<std::string> names;
  for (const Resource& row : *rows) {
    names.insert(row.name);
    note("endpoint " + row.name, attend(row, live));
  }
  for (auto one = published_.begin(); one != published_.end();) {
    if (names.contains(one->first)) {
      ++one;
      continue;
    }
    routes_.remove(one->first);
    one = published_.erase(one);
  }
  const std::lock_guard lock(mutex_);
  // A server without a process is asked no more; requests that hold it let it go by themselves.
  std::erase_if(instances_, [&](const auto& one) { return !live.contains(one.first); });
  std::erase_if(asked_, [&](const auto& one) { return !live.contains(one.first); });
  if (!ready_) {
    ready_ = true;
    changed_.notify_all();
  }
  return first;
}

Status EndpointKeeper::attend(const Resource& row, const std::map<std::string, jobs::JobRecord>& live) {
  TERRAPIN_TRY(EndpointState state, parse_endpoint_state(row.state));
  const auto look = [&](const Instance& one) { return sight_of(one, live); };
  std::string status = row.status;
  bool makes = false;
  // First without a write: most looks change nothing.
  TERRAPIN_TRY(EndpointOrders orders,
               bring_on(
                   status, state, look,
                   [&](const DeployedVariant&, const std::string&) -> Result<std::string> {
                     makes = true;
                     return std::string();
                   },
                   clock_.now(), options_.rules));
  // Before the state forgets them.
  for (const std::string& id : orders.forget) {
    const auto job = jobs_.find(id);
    if (!job && job.error().code == ErrorCode::kNotFound) continue;
    if (!job) return tl::unexpected<Error>(job.error());
    TERRAPIN_TRY_STATUS(runner_.remove(id, job->handle));
    TERRAPIN_TRY_STATUS(jobs_.remove(id));
    ended_.erase(id);
  }
  if (orders.remove) {
    routes_.remove(row.name);
    published_.erase(row.name);
    const Status removed = resources_.remove(kEndpointKind, row.name);
    if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
    return {};
  }
  Resource present = row;
  if (makes || status != row.status || endpoint_state_text(state) != row.state) {
    const auto changed =
        resources_.change(kEndpointKind, row.name, [&](storage::Transaction& tx, Resource& now) -> Status {
          TERRAPIN_TRY(state, parse_endpoint_state(now.state));
          TERRAPIN_TRY(orders, bring_on(
                                   now.status, state, look,
                                   [&](const DeployedVariant& variant, const std::string& id) {
                                     return make_job(tx, now.name, variant, id);
                                   },
                                   clock_.now(), options_.rules));
          now.state = endpoint_state_text(state);
          // Before anybody reads that it is in service. A route too early for a write that fails goes at the
          // next look.
          if (leads_requests(now.status)) publish(now, state);
          return {};
        });
    if (!changed) return tl::unexpected<Error>(changed.error());
    present = *changed;
    if (present.status != row.status)
      spdlog::info("endpoint {}: {}{}{}", present.name, present.status, state.failure.empty() ? "" : ": ",
                   state.failure);
    if (makes && options_.job_changed) options_.job_changed();
  }
  publish(present, state);
  for (const std::string& id : orders.stop) {
    const auto stopped = jobs_.stop(id);
    if (!stopped && stopped.error().code != ErrorCode::kConflict &&
        stopped.error().code != ErrorCode::kNotFound)
      return tl::unexpected<Error>(stopped.error());
  }
  if (!orders.stop.empty() && options_.job_changed) options_.job_changed();
  return {};
}

Result<std::string> EndpointKeeper::make_job(storage::Transaction& state, const std::string& endpoint,
                                             const DeployedVariant& variant, const std::string& instance_id) {
  TERRAPIN_TRY(const Slot slot, slots_.of(variant.spec.instance_type));
  InstanceOrder order;
  order.data_dir = options_.data_dir.string();
  order.model = variant.container.data;
  order.threads = std::max(1, slot.cores);
  TERRAPIN_TRY(order.settings, server_settings(variant.container.environment));
  jobs::Work work;
  work.lane = options_.lane;
  work.arguments = {options_.program, "endpoint-instance"};
  work.inherited = inherited_by_jobs();
  work.cores = order.threads;
  // No two servers get the same GPU (a training may, too): they go to whom a slot gives some, not to
  // everybody.
  work.gpus = slots_.by_type.empty() ? 0 : slot.gpus;
  work.stop_grace = kStopGrace;
  work.max_output_bytes = kMaxOutputBytes;
  work.failure_file = kInstanceFailureFile;
  work.files = {{kInstanceOrderFile, instance_order_text(order)}};
  return jobs_.create(
      state, kInstanceJobKind,
      json_text(json{{"endpoint", endpoint}, {"variant", variant.spec.name}, {"instance", instance_id}}),
      work);
}

ServedInstancePtr EndpointKeeper::known(const Instance& instance) {
  std::string handle;
  ServedInstancePtr made;
  {
    const std::lock_guard lock(mutex_);
    auto& entry = instances_[instance.job];
    if (entry) return entry;
    entry = made = std::make_shared<ServedInstance>(instance.id, instance.job, instance.variant);
    if (const auto found = handles_.find(instance.job); found != handles_.end()) handle = found->second;
  }
  // One that served an earlier keeper is taken at its word, so that a restart costs no request.
  if (instance.served != kNever && !handle.empty()) {
    const auto port = runner_.read_file(instance.job, handle, kInstancePortFile, 16);
    const auto number = port ? artifacts::parse_count(*port, 65'535) : std::nullopt;
    if (number) {
      made->client.set_port(static_cast<int>(*number));
      made->healthy = true;
    }
  }
  return made;
}

InstanceSight EndpointKeeper::sight_of(const Instance& instance,
                                       const std::map<std::string, jobs::JobRecord>& live) {
  if (const auto found = ended_.find(instance.job); found != ended_.end()) return found->second;
  InstanceSight sight;
  const auto running = live.find(instance.job);
  if (running == live.end()) {
    const auto job = jobs_.find(instance.job);
    if (!job && job.error().code != ErrorCode::kNotFound) return sight;  // asked again at the next look
    if (!job) {
      sight.ended = true;
      sight.ending = "Nothing is left of the model server's job.";
    } else if (!jobs::has_ended(job->state)) {
      sight.waits = true;
      return sight;
    } else {
      sight = ended_sight(*job);
    }
    ended_[instance.job] = sight;
    return sight;
  }
  const ServedInstancePtr served = known(instance);
  sight.stopping = running->second.state == jobs::JobState::kStopping;
  sight.healthy = served->healthy.load();
  sight.hung = instance.served != kNever && served->failed_pings.load() >= options_.pings_until_hung;
  sight.in_flight = served->in_flight.load();
  return sight;
}

// Leads requests to what the state says, if it is not so yet.
void EndpointKeeper::publish(const Resource& row, const EndpointState& state) {
  if (!leads_requests(row.status) || !state.active) {
    if (published_.erase(row.name) != 0) routes_.remove(row.name);
    return;
  }
  auto route = std::make_shared<EndpointRoute>();
  route->name = row.name;
  route->capture = state.active->capture;
  route->asynchronous = state.active->asynchronous;
  std::string made_of = json_text(capture_json(route->capture)) + json_text(async_json(route->asynchronous));
  for (const DeployedVariant& variant : state.active->variants) {
    VariantRoute& one = route->variants.emplace_back();
    one.name = variant.spec.name;
    one.weight = variant.spec.weight;
    one.random = variant.spec.routing == kRandomRouting;
    made_of += fmt::format("\n{} {} {}", one.name, one.weight, one.random);
    for (const Instance& instance : variant.instances) {
      if (instance.served == kNever || ended_.contains(instance.job)) continue;
      one.instances.push_back(known(instance));
      made_of += " " + instance.id;
    }
  }
  std::string& before = published_[row.name];
  if (before == made_of) return;
  before = std::move(made_of);
  routes_.set(std::move(route));
}

void EndpointKeeper::ask_after_health() {
  struct Due {
    ServedInstancePtr instance;
    std::string handle;
  };
  std::vector<Due> due;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Steady::now();
    for (const auto& [job, instance] : instances_) {
      const auto handle = handles_.find(job);
      if (handle == handles_.end()) continue;
      const auto interval = instance->healthy ? options_.ping_interval : options_.first_ping_interval;
      auto& asked = asked_[job];
      if (asked != Steady::time_point() && now - asked < interval) continue;
      asked = now;
      due.push_back({instance, handle->second});
    }
  }
  // Those that answered last time first: one that hangs keeps the others waiting.
  std::stable_sort(due.begin(), due.end(), [](const Due& a, const Due& b) {
    return a.instance->failed_pings.load() < b.instance->failed_pings.load();
  });
  for (const auto& [instance, handle] : due) {
    if (instance->client.port() == 0) {
      const auto port = runner_.read_file(instance->job, handle, kInstancePortFile, 16);
      const auto number = port ? artifacts::parse_count(*port, 65'535) : std::nullopt;
      if (!number) continue;
      instance->client.set_port(static_cast<int>(*number));
    }
    const auto answer = instance->client.ask({}, Steady::now() + options_.ping_timeout);
    if (!answer && answer.error().kind == InstanceFault::Kind::kLocal) continue;
    const bool healthy = answer && answer->status == 200;
    const bool was = instance->healthy.exchange(healthy);
    bool counted = false;
    if (healthy) {
      instance->failed_pings = 0;
    } else if (const auto now = Steady::now();
               instance->failed_pings == 0 || now - instance->failed_at >= options_.ping_interval) {
      // A server is asked more often while it does not answer; whether it hangs is a question of time.
      counted = true;
      instance->failed_at = now;
      ++instance->failed_pings;
    }
    if (healthy != was || (counted && instance->failed_pings == options_.pings_until_hung)) wake();
  }
}

}  // namespace terrapin::control
