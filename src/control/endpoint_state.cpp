#include "control/endpoint_state.h"

#include <algorithm>
#include <limits>

#include "artifacts/json_fields.h"
#include "base/json_text.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"
#include "storage/object_store.h"

namespace terrapin::control {
namespace {

using artifacts::ObjectReader;
using nlohmann::json;

constexpr std::int64_t kAnyTime = std::numeric_limits<std::int64_t>::max();

json instance_json(const Instance& one) {
  return {{"id", one.id},
          {"variant", one.variant},
          {"job", one.job},
          {"bucket", one.bucket},
          {"made", to_microseconds(one.made)},
          {"served", to_microseconds(one.served)},
          {"retired", to_microseconds(one.retired)}};
}
json instances_json(const std::vector<Instance>& instances) {
  json list = json::array();
  for (const Instance& one : instances) list.push_back(instance_json(one));
  return list;
}
Result<std::vector<Instance>> parse_instances(const json& list) {
  std::vector<Instance> instances;
  for (const json& one : list) {
    ObjectReader reader(one, "instance");
    Instance instance;
    instance.id = reader.text("id");
    instance.variant = reader.text("variant");
    instance.job = reader.text("job");
    if (one.contains("bucket")) instance.bucket = reader.text("bucket");  // not in older rows
    instance.made = from_microseconds(reader.integer("made", 0, kAnyTime));
    instance.served = from_microseconds(reader.integer("served", 0, kAnyTime));
    instance.retired = from_microseconds(reader.integer("retired", 0, kAnyTime));
    TERRAPIN_TRY_STATUS(reader.finish());
    instances.push_back(std::move(instance));
  }
  return instances;
}

std::string bucket_of(const ModelContainer& container) {
  const auto model = storage::parse_s3_uri(container.data);
  return model ? model->bucket : "";
}

// A deployment's variants are kept as a configuration and a model each, which have their formats already.
json deployment_json(const std::optional<Deployment>& deployment) {
  if (!deployment) return json::object();
  json variants = json::array();
  for (const DeployedVariant& one : deployment->variants) {
    EndpointConfigSpec config;
    config.variants = {one.spec};
    ModelSpec model;
    model.container = one.container;
    variants.push_back({{"config", endpoint_config_text(config)},
                        {"model", model_spec_text(model)},
                        {"instances", instances_json(one.instances)},
                        {"failures", one.failures},
                        {"not_before", to_microseconds(one.not_before)},
                        {"problem", one.problem}});
  }
  return {
      {"config", deployment->config},
      {"begun", to_microseconds(deployment->begun)},
      {"variants", std::move(variants)},
      {"options",
       {{"capture", capture_json(deployment->capture)}, {"async", async_json(deployment->asynchronous)}}}};
}
Result<std::optional<Deployment>> parse_deployment(const json& document) {
  if (document.empty()) return std::optional<Deployment>();
  ObjectReader reader(document, "deployment");
  Deployment deployment;
  deployment.config = reader.text("config");
  deployment.begun = from_microseconds(reader.integer("begun", 0, kAnyTime));
  const json& variants = reader.array("variants");
  const json& options = reader.object("options");
  TERRAPIN_TRY_STATUS(reader.finish());
  TERRAPIN_TRY(deployment.capture, parse_capture(options.value("capture", json())));
  TERRAPIN_TRY(deployment.asynchronous, parse_async(options.value("async", json())));
  for (const json& one : variants) {
    ObjectReader fields(one, "variant");
    DeployedVariant variant;
    const std::string config = fields.text("config"), model = fields.text("model");
    const json& instances = fields.array("instances");
    variant.failures = static_cast<int>(fields.integer("failures", 0, 1'000'000));
    variant.not_before = from_microseconds(fields.integer("not_before", 0, kAnyTime));
    variant.problem = fields.text("problem");
    TERRAPIN_TRY_STATUS(fields.finish());
    TERRAPIN_TRY(EndpointConfigSpec spec, parse_endpoint_config(deployment.config, config));
    if (spec.variants.size() != 1) return fail(ErrorCode::kCorrupt, "a deployed variant is not one variant");
    variant.spec = std::move(spec.variants.front());
    TERRAPIN_TRY(ModelSpec named, parse_model_spec(variant.spec.model, model));
    variant.container = std::move(named.container);
    TERRAPIN_TRY(variant.instances, parse_instances(instances));
    for (Instance& instance : variant.instances)
      if (instance.bucket.empty()) instance.bucket = bucket_of(variant.container);
    deployment.variants.push_back(std::move(variant));
  }
  return std::optional<Deployment>(std::move(deployment));
}

std::string new_instance_id() {
  return "i-0" + crypto::hex(crypto::random_bytes(8));
}

bool holds(const std::vector<Instance>& instances, const std::string& id) {
  return std::any_of(instances.begin(), instances.end(), [&](const Instance& one) { return one.id == id; });
}
bool holds(const Deployment& deployment, const std::string& id) {
  return std::any_of(deployment.variants.begin(), deployment.variants.end(),
                     [&](const DeployedVariant& one) { return holds(one.instances, id); });
}

// One step of one endpoint.
class Step {
 public:
  Step(EndpointState& state, const std::function<InstanceSight(const Instance&)>& look,
       const MakeInstance& make, Timestamp now, const EndpointRules& rules)
      : state_(state), look_(look), make_(make), now_(now), rules_(rules) {}

  // Forgets servers that are no more.
  void settle(DeployedVariant& variant) {
    for (std::size_t i = 0; i < variant.instances.size();) {
      Instance& one = variant.instances[i];
      const InstanceSight sight = look_(one);
      if (sight.healthy && one.served == kNever) one.served = now_;
      std::string problem;
      if (sight.ended) {
        problem = sight.ending;
      } else if (sight.hung) {
        problem = "The model server did not answer /ping any more.";
      } else if (one.served == kNever && now_ >= one.made + patience(variant.spec)) {
        problem = sight.waits ? fmt::format("No place was free on this machine for {} seconds.",
                                            patience(variant.spec).count())
                              : fmt::format("The model server did not answer /ping within {} seconds.",
                                            patience(variant.spec).count());
      } else {
        ++i;
        continue;
      }
      const bool steady = one.served != kNever && now_ - one.served >= rules_.steady;
      variant.failures = steady ? 1 : variant.failures + 1;
      if (one.served == kNever && (sight.mendable || !sight.ended))
        variant.failures = std::max(variant.failures, rules_.tries);
      variant.not_before = now_ + pause(variant.failures);
      variant.problem = problem;
      retire(one);
      variant.instances.erase(variant.instances.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // Takes away servers that are too many, except from those of `kept`, and starts those that are missing.
  Status fill(DeployedVariant& variant, const Deployment* kept) {
    const auto wanted = static_cast<std::size_t>(variant.spec.count);
    while (variant.instances.size() > wanted) {
      const auto one = spare(variant.instances);
      if (!kept || !holds(*kept, one->id)) retire(*one);
      variant.instances.erase(one);
    }
    while (variant.instances.size() < wanted && now_ >= variant.not_before) {
      Instance one;
      one.id = new_instance_id();
      one.variant = variant.spec.name;
      one.bucket = bucket_of(variant.container);
      one.made = now_;
      TERRAPIN_TRY(one.job, make_(variant, one.id));
      variant.instances.push_back(std::move(one));
    }
    return {};
  }

  bool all_serve(const Deployment& deployment) const {
    return std::all_of(deployment.variants.begin(), deployment.variants.end(), [&](const auto& variant) {
      return variant.instances.size() == static_cast<std::size_t>(variant.spec.count) &&
             std::all_of(variant.instances.begin(), variant.instances.end(),
                         [&](const Instance& one) { return serves(one); });
    });
  }

  // Takes away what `kept` does not hold.
  void retire_all(Deployment& deployment, const Deployment* kept) {
    for (DeployedVariant& variant : deployment.variants) {
      for (const Instance& one : variant.instances)
        if (!kept || !holds(*kept, one.id)) retire(one);
      variant.instances.clear();
    }
  }

  void drain(EndpointOrders& orders) {
    for (std::size_t i = 0; i < state_.retired.size();) {
      const Instance& one = state_.retired[i];
      const InstanceSight sight = look_(one);
      if (sight.ended) {
        state_.past.push_back(one);
        state_.retired.erase(state_.retired.begin() + static_cast<std::ptrdiff_t>(i));
        continue;
      }
      // Not in the step that retired it: requests are still led to it until the routes are set anew.
      const bool idle = one.retired < now_ && sight.in_flight == 0;
      if (!sight.stopping && (idle || sight.hung || now_ - one.retired >= rules_.longest_drain))
        orders.stop.push_back(one.job);
      ++i;
    }
    while (state_.past.size() > rules_.kept_past) {
      orders.forget.push_back(state_.past.front().job);
      state_.past.erase(state_.past.begin());
    }
  }

  const DeployedVariant* hopeless(const Deployment& deployment) const {
    for (const DeployedVariant& variant : deployment.variants)
      if (variant.failures >= rules_.tries) return &variant;
    return nullptr;
  }

 private:
  bool serves(const Instance& one) const { return one.served != kNever && look_(one).healthy; }

  // Who is missed least: the youngest that does not serve, else the youngest.
  std::vector<Instance>::iterator spare(std::vector<Instance>& instances) const {
    const auto idle =
        std::find_if(instances.rbegin(), instances.rend(), [&](const Instance& one) { return !serves(one); });
    return std::prev(idle == instances.rend() ? instances.end() : idle.base());
  }

  static std::chrono::seconds patience(const VariantSpec& variant) {
    const auto time = [](int given) { return given > 0 ? given : kStartupTimeoutS; };
    return std::chrono::seconds(time(variant.startup_timeout_s) + time(variant.download_timeout_s));
  }

  // Before the first new try nothing is waited for, then twice as long each time.
  std::chrono::seconds pause(int failures) const {
    if (failures <= 1) return std::chrono::seconds(0);
    return std::min(rules_.longest_pause, std::chrono::seconds(1LL << std::min(failures - 2, 20)));
  }

  void retire(Instance one) {
    if (holds(state_.retired, one.id)) return;
    one.retired = now_;
    state_.retired.push_back(std::move(one));
  }

  EndpointState& state_;
  const std::function<InstanceSight(const Instance&)>& look_;
  const MakeInstance& make_;
  const Timestamp now_;
  const EndpointRules& rules_;
};

}  // namespace

std::vector<std::string> buckets_left(const EndpointState& state) {
  std::vector<std::string> buckets;
  for (const Instance& one : state.retired) buckets.push_back(one.bucket);
  if (buckets.empty()) buckets.emplace_back();
  return buckets;
}

std::string endpoint_state_text(const EndpointState& state) {
  return json_text(json{{"version", 1},
                        {"active", deployment_json(state.active)},
                        {"pending", deployment_json(state.pending)},
                        {"retired", instances_json(state.retired)},
                        {"past", instances_json(state.past)},
                        {"failed_variant", state.failed_variant},
                        {"failure", state.failure}});
}

Result<EndpointState> parse_endpoint_state(const std::string& text) {
  TERRAPIN_TRY(const json document, artifacts::parse_json(text));
  ObjectReader reader(document, "the state of an endpoint");
  reader.integer("version", 1, 1);
  const json& active = reader.object("active");
  const json& pending = reader.object("pending");
  const json& retired = reader.array("retired");
  const json& past = reader.array("past");
  EndpointState state;
  state.failed_variant = reader.text("failed_variant");
  state.failure = reader.text("failure");
  TERRAPIN_TRY_STATUS(reader.finish());
  TERRAPIN_TRY(state.active, parse_deployment(active));
  TERRAPIN_TRY(state.pending, parse_deployment(pending));
  TERRAPIN_TRY(state.retired, parse_instances(retired));
  TERRAPIN_TRY(state.past, parse_instances(past));
  return state;
}

Result<EndpointOrders> bring_on(std::string& status, EndpointState& state,
                                const std::function<InstanceSight(const Instance&)>& look,
                                const MakeInstance& make, Timestamp now, const EndpointRules& rules) {
  EndpointOrders orders;
  Step step(state, look, make, now, rules);
  step.drain(orders);

  if (status == kEndpointDeleting) {
    for (auto* deployment : {&state.pending, &state.active}) {
      if (*deployment) step.retire_all(**deployment, nullptr);
      deployment->reset();
    }
    if (state.retired.empty()) {
      for (const Instance& one : state.past) orders.forget.push_back(one.job);
      orders.remove = true;
    }
    return orders;
  }
  if (status == kEndpointFailed) return orders;

  if (state.active) {
    for (DeployedVariant& variant : state.active->variants) {
      step.settle(variant);
      TERRAPIN_TRY_STATUS(step.fill(variant, nullptr));
    }
  }
  if (status == kEndpointRollingBack && state.retired.empty()) status = kEndpointInService;
  if (!state.pending) return orders;

  Deployment& pending = *state.pending;
  for (DeployedVariant& variant : pending.variants) step.settle(variant);
  if (const DeployedVariant* variant = step.hopeless(pending)) {
    state.failed_variant = variant->spec.name;
    state.failure = variant->problem;
    step.retire_all(pending, state.active ? &*state.active : nullptr);
    if (state.active) {
      status = kEndpointRollingBack;
    } else {
      status = kEndpointFailed;
      state.active = std::move(pending);
    }
    state.pending.reset();
    return orders;
  }
  // What serves is touched at the changeover only.
  for (DeployedVariant& variant : pending.variants) {
    TERRAPIN_TRY_STATUS(step.fill(variant, state.active ? &*state.active : nullptr));
  }
  if (!step.all_serve(pending)) return orders;
  if (state.active) step.retire_all(*state.active, &pending);
  state.active = std::move(state.pending);
  state.pending.reset();
  state.failed_variant.clear();
  state.failure.clear();
  status = kEndpointInService;
  return orders;
}

}  // namespace terrapin::control
