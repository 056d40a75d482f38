#include "control/endpoints.h"

#include <algorithm>

namespace terrapin::control {
namespace {

template <class Found>
tl::unexpected<Error> missing(const char* kind, const std::string& name, const Found& found) {
  if (found.error().code != ErrorCode::kNotFound) return tl::unexpected<Error>(found.error());
  return fail(ErrorCode::kNotFound, "{} {}", kind, name);
}

Status check_in_service(const Resource& row) {
  if (row.status == kEndpointInService) return {};
  return fail(ErrorCode::kConflict, "endpoint '{}' is {}; it can be changed while it is {}", row.name,
              row.status, kEndpointInService);
}

}  // namespace

const std::string& Endpoint::config() const {
  static const std::string none;
  return state.active ? state.active->config : state.pending ? state.pending->config : none;
}

Endpoints::Endpoints(Resources resources, EndpointConfigs& configs, Models& models, const Slots& slots,
                     std::function<void()> changed)
    : resources_(std::move(resources)),
      configs_(configs),
      models_(models),
      slots_(slots),
      changed_(std::move(changed)) {}

Result<Deployment> Endpoints::deployment_of(const std::string& config) {
  const auto found = configs_.find(config);
  if (!found) return missing(kEndpointConfigKind, config, found);
  Deployment deployment;
  deployment.config = found->spec.name;
  deployment.begun = resources_.now();
  deployment.capture = found->spec.capture;
  deployment.asynchronous = found->spec.asynchronous;
  for (const VariantSpec& spec : found->spec.variants) {
    const auto model = models_.find(spec.model);
    if (!model) return missing(kModelKind, spec.model, model);
    TERRAPIN_TRY_STATUS(slots_.of(spec.instance_type));
    DeployedVariant variant;
    variant.spec = spec;
    variant.container = model->spec.container;
    deployment.variants.push_back(std::move(variant));
  }
  return deployment;
}

Result<Endpoint> Endpoints::create(const std::string& name, const std::string& config,
                                   const std::string& owner, const std::map<std::string, std::string>& tags) {
  EndpointState state;
  TERRAPIN_TRY(state.pending, deployment_of(config));
  Resource row;
  row.kind = kEndpointKind;
  row.name = name;
  row.owner = owner;
  row.status = kEndpointCreating;
  row.spec = "{}";
  row.state = endpoint_state_text(state);
  row.tags = tags;
  TERRAPIN_TRY(row, resources_.create(std::move(row)));
  changed_();
  return Endpoint{std::move(row), std::move(state)};
}

Result<Endpoint> Endpoints::find(const std::string& name) {
  TERRAPIN_TRY(Resource row, resources_.find(kEndpointKind, name));
  TERRAPIN_TRY(EndpointState state, parse_endpoint_state(row.state));
  return Endpoint{std::move(row), std::move(state)};
}

Result<Endpoint> Endpoints::change(const std::string& name,
                                   const std::function<Status(Resource&, EndpointState&)>& change) {
  EndpointState state;
  auto row = resources_.change(kEndpointKind, name, [&](storage::Transaction&, Resource& present) -> Status {
    TERRAPIN_TRY(state, parse_endpoint_state(present.state));
    TERRAPIN_TRY_STATUS(change(present, state));
    present.state = endpoint_state_text(state);
    return {};
  });
  if (!row) return tl::unexpected<Error>(row.error());
  changed_();
  return Endpoint{std::move(*row), std::move(state)};
}

Result<Endpoint> Endpoints::update(const std::string& name, const std::string& config,
                                   const Retained& retained) {
  // What is wrong with the endpoint is told before what is wrong with the configuration.
  TERRAPIN_TRY(const Resource before, resources_.find(kEndpointKind, name));
  TERRAPIN_TRY_STATUS(check_in_service(before));
  TERRAPIN_TRY(const Deployment made, deployment_of(config));
  return change(name, [&](Resource& row, EndpointState& state) -> Status {
    TERRAPIN_TRY_STATUS(check_in_service(row));
    Deployment next = made;
    if (state.active) {
      if (retained.capture) next.capture = state.active->capture;
      for (DeployedVariant& variant : next.variants)
        for (const DeployedVariant& old : state.active->variants) {
          if (old.spec.name != variant.spec.name) continue;
          if (retained.counts) variant.spec.count = old.spec.count;
          if (retained.weights) variant.spec.weight = old.spec.weight;
        }
    }
    state.pending = std::move(next);
    state.failure.clear();
    state.failed_variant.clear();
    row.status = kEndpointUpdating;
    return {};
  });
}

Result<Endpoint> Endpoints::update_variants(const std::string& name,
                                            const std::vector<VariantChange>& changes) {
  return change(name, [&](Resource& row, EndpointState& state) -> Status {
    TERRAPIN_TRY_STATUS(check_in_service(row));
    if (!state.active) return fail(ErrorCode::kInternal, "endpoint '{}' serves nothing", row.name);
    Deployment next = *state.active;
    next.begun = resources_.now();
    for (const VariantChange& change : changes) {
      const auto variant =
          std::find_if(next.variants.begin(), next.variants.end(),
                       [&](const DeployedVariant& one) { return one.spec.name == change.variant; });
      if (variant == next.variants.end()) {
        std::string known;
        for (const DeployedVariant& one : next.variants) known += (known.empty() ? "" : ", ") + one.spec.name;
        return fail(ErrorCode::kInvalidArgument, "There is no production variant '{}'; there are: {}.",
                    change.variant, known);
      }
      if (change.weight) variant->spec.weight = *change.weight;
      if (change.count) variant->spec.count = *change.count;
    }
    // What ended long ago says nothing about this change.
    for (DeployedVariant& one : next.variants) {
      one.failures = 0;
      one.not_before = {};
      one.problem.clear();
    }
    double weights = 0;
    for (const DeployedVariant& one : next.variants) weights += one.spec.weight;
    if (weights <= 0)
      return fail(ErrorCode::kInvalidArgument,
                  "The weights of the production variants are all 0; at least one must be above.");
    state.pending = std::move(next);
    state.failure.clear();
    state.failed_variant.clear();
    row.status = kEndpointUpdating;
    return {};
  });
}

Status Endpoints::remove(const std::string& name) {
  const auto removed = change(name, [&](Resource& row, EndpointState&) -> Status {
    if (row.status == kEndpointDeleting)
      return fail(ErrorCode::kConflict, "endpoint '{}' is {} already", row.name, kEndpointDeleting);
    row.status = kEndpointDeleting;
    return {};
  });
  if (!removed) return tl::unexpected<Error>(removed.error());
  return {};
}

}  // namespace terrapin::control
