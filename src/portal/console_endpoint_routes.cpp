// Models and endpoints in the console; photos that are tried on them.
#include "portal/control_json.h"
#include "portal/fields.h"
#include "portal/implementation.h"
#include "portal/new_training.h"

namespace terrapin::portal {
namespace {

using control::Endpoint;
using control::Model;
using control::Resource;
using control::ResourceFilter;

constexpr std::size_t kMaxVariants = 10;
constexpr std::int64_t kMostInstances = 64;
constexpr double kMostWeight = 1e6;
constexpr std::size_t kMostListed = 1000;

Status present(const Result<Resource>& found) {
  if (found) return {};
  return tl::unexpected<Error>(found.error());
}

// Every row of a kind whose text can be read, by name.
template <class Visit>
Status for_each(control::Resources& resources, const char* kind, const Visit& visit) {
  ResourceFilter filter;
  filter.kind = kind;
  filter.sort_by = ResourceFilter::SortBy::kCreationTime;
  filter.descending = true;
  for (bool more = true; more; filter.offset += filter.limit) {
    TERRAPIN_TRY(const control::ResourcePage page, resources.list(filter));
    for (const Resource& row : page.resources) {
      TERRAPIN_TRY(more, visit(row));
      if (!more) return {};
    }
    more = page.more;
  }
  return {};
}

json told(const Endpoint& endpoint, const control::ControlPlane& plane) {
  const auto route = plane.routes().find(endpoint.row.name);
  return endpoint_json(endpoint, route.get());
}

http::Response failure_answer(const control::InvocationFailure& failure) {
  using Kind = control::InvocationFailure::Kind;
  switch (failure.kind) {
    case Kind::kNoEndpoint:
      return refusal(404, "NotFound", fmt::format("the endpoint '{}' serves nothing", failure.endpoint));
    case Kind::kNoVariant:
      return refusal(404, "NotFound", fmt::format("the endpoint '{}' has no such variant", failure.endpoint));
    case Kind::kModel:
      // What is wrong with the photo, in the model server's words; its own faults are the endpoint's.
      return failure.status >= 400 && failure.status < 500
                 ? refusal(400, "InvalidArgument", failure.message)
                 : refusal(502, "ModelError", fmt::format("the model failed: {}", failure.message));
    case Kind::kTimeout:
      return refusal(504, "Timeout", "the model did not answer in time; try a smaller photo");
    case Kind::kTooLarge:
      return refusal(502, "ModelError", failure.message);
    case Kind::kBody:
      return refusal(500, "Internal", "internal error");
    case Kind::kNotReady:
    case Kind::kAbandoned:
      break;
  }
  http::Response response =
      refusal(503, "Busy", fmt::format("the endpoint cannot answer now: {}", failure.message));
  response.headers.set("Retry-After", "1");
  return response;
}

struct NewVariant {
  std::string model;
  double weight = 1;
  int count = 1;
  std::string instance_type;
};

Result<std::vector<NewVariant>> variants_of(const json& list) {
  if (list.empty() || list.size() > kMaxVariants)
    return fail(ErrorCode::kInvalidArgument, "'variants' has {} members: allowed are 1 to {}", list.size(),
                kMaxVariants);
  std::vector<NewVariant> variants;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Fields fields(list[i]);
    NewVariant variant;
    variant.model = fields.text("model");
    variant.count = static_cast<int>(fields.integer_or("count", 1, 1, kMostInstances));
    variant.weight = fields.number_or("weight", 1, 0, kMostWeight);
    variant.instance_type = fields.text_or("instance_type", "local");
    if (const Status read = fields.finish(); !read)
      return fail(ErrorCode::kInvalidArgument, "'variants[{}]': {}", i, read.error().message);
    variants.push_back(std::move(variant));
  }
  return variants;
}

}  // namespace

// ---- models ----

Result<control::Model> Portal::Implementation::model_of(const Call& call, const std::string& name) const {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  auto model = plane->models().find(name);
  if (!model && model.error().code != ErrorCode::kNotFound) return model;
  if (model) {
    TERRAPIN_TRY(const bool may, may_use(call, model->spec.container.data));
    if (may) return model;
  }
  return fail(ErrorCode::kNotFound, "there is no model '{}'", name);
}

Portal::Implementation::Handled Portal::Implementation::models(Call& call) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  QueryFields query(call.request);
  TERRAPIN_TRY_STATUS(query.finish());
  json list = json::array();
  TERRAPIN_TRY_STATUS(
      for_each(plane->resources(), control::kModelKind, [&](const Resource& row) -> Result<bool> {
        TERRAPIN_TRY(control::ModelSpec spec, control::parse_model_spec(row.name, row.spec));
        TERRAPIN_TRY(const bool may, may_use(call, spec.container.data));
        if (may) list.push_back(model_json({std::move(spec), row}));
        return list.size() < kMostListed;
      }));
  return json_answer(200, json{{"models", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::model(Call& call) {
  TERRAPIN_TRY(const Model found, model_of(call, call.parameter("name")));
  json document = model_json(found);
  TERRAPIN_TRY(const storage::ObjectName data, storage::parse_s3_uri(found.spec.container.data));
  const auto info = context_.objects.head(data);
  document["bytes"] = info ? json(info->size) : json();  // null: the file is gone
  return json_answer(200, json{{"model", std::move(document)}});
}

Portal::Implementation::Handled Portal::Implementation::create_model(Call& call) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  Fields fields(call.body);
  control::ModelSpec spec;
  spec.name = fields.text("name");
  spec.container.data = fields.text("data");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(check_control_name("name", spec.name));
  TERRAPIN_TRY(const Model made, make_model(call, *plane, std::move(spec)));
  return json_answer(201, json{{"model", model_json(made)}});
}

Result<control::Model> Portal::Implementation::make_model(const Call& call, control::ControlPlane& plane,
                                                          control::ModelSpec spec) {
  const auto place = storage::parse_s3_uri(spec.container.data);
  if (!place) return fail(ErrorCode::kInvalidArgument, "'data': {}", place.error().message);
  TERRAPIN_TRY_STATUS(require_bucket(call, place->bucket));
  spec.container.image = kAlgorithmImage;
  spec.role = fmt::format("arn:aws:iam::{}:role/terrapin-console", context_.workforces.options().account_id);
  auto made = plane.models().create(spec, identity::principal_of(call.account()), {});
  if (!made && made.error().code == ErrorCode::kAlreadyExists)
    return fail(ErrorCode::kAlreadyExists, "'name': there is a model '{}'", spec.name);
  if (!made && made.error().code == ErrorCode::kInvalidArgument)
    return fail(ErrorCode::kInvalidArgument, "'data': {}", made.error().message);
  return made;
}

Portal::Implementation::Handled Portal::Implementation::delete_model(Call& call) {
  TERRAPIN_TRY(const Model found, model_of(call, call.parameter("name")));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  TERRAPIN_TRY_STATUS(plane->models().remove(found.spec.name));
  return json_answer(200, json::object());
}

// ---- endpoints ----

Result<bool> Portal::Implementation::may_see(const Call& call, const Endpoint& endpoint) const {
  if (!endpoint.state.active && !endpoint.state.pending) {
    for (const std::string& bucket : control::buckets_left(endpoint.state)) {
      TERRAPIN_TRY(const bool may, may_use(call, "s3://" + bucket));
      if (!may) return false;
    }
  }
  for (const auto* deployment : {&endpoint.state.active, &endpoint.state.pending}) {
    if (!*deployment) continue;
    for (const control::DeployedVariant& variant : (*deployment)->variants) {
      TERRAPIN_TRY(const bool may, may_use(call, variant.container.data));
      if (!may) return false;
    }
  }
  return true;
}

Result<control::Endpoint> Portal::Implementation::endpoint_of(const Call& call) const {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  const std::string name = call.parameter("name");
  auto endpoint = plane->endpoints().find(name);
  if (!endpoint && endpoint.error().code != ErrorCode::kNotFound) return endpoint;
  if (endpoint) {
    TERRAPIN_TRY(const bool may, may_see(call, *endpoint));
    if (may) return endpoint;
  }
  return fail(ErrorCode::kNotFound, "there is no endpoint '{}'", name);
}

Portal::Implementation::Handled Portal::Implementation::endpoints(Call& call) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  QueryFields query(call.request);
  TERRAPIN_TRY_STATUS(query.finish());
  json list = json::array();
  TERRAPIN_TRY_STATUS(
      for_each(plane->resources(), control::kEndpointKind, [&](const Resource& row) -> Result<bool> {
        Endpoint endpoint{row, {}};
        TERRAPIN_TRY(endpoint.state, control::parse_endpoint_state(row.state));
        TERRAPIN_TRY(const bool may, may_see(call, endpoint));
        if (may) list.push_back(told(endpoint, *plane));
        return list.size() < kMostListed;
      }));
  return json_answer(200, json{{"endpoints", std::move(list)}});
}

Portal::Implementation::Handled Portal::Implementation::endpoint(Call& call) {
  TERRAPIN_TRY(const Endpoint found, endpoint_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  return json_answer(200, json{{"endpoint", told(found, *plane)}});
}

Result<control::Endpoint> Portal::Implementation::make_endpoint(const Call& call,
                                                                control::ControlPlane& plane,
                                                                const std::string& name,
                                                                std::vector<control::VariantSpec> variants) {
  control::EndpointConfigSpec config;
  config.variants = std::move(variants);
  config.role =
      fmt::format("arn:aws:iam::{}:role/terrapin-console", context_.workforces.options().account_id);
  TERRAPIN_TRY(config.name, free_name(name, [&](const std::string& one) {
                 return present(plane.resources().find(control::kEndpointConfigKind, one));
               }));
  const std::string owner = identity::principal_of(call.account());
  TERRAPIN_TRY_STATUS(plane.endpoint_configs()
                          .create(config, owner, {{control::kMadeForTag, name}})
                          .map([](const control::EndpointConfig&) {}));
  auto made = plane.endpoints().create(name, config.name, owner, {});
  if (made) return made;
  (void)plane.endpoint_configs().remove(config.name);
  if (made.error().code == ErrorCode::kAlreadyExists)
    return fail(ErrorCode::kAlreadyExists, "'name': there is an endpoint '{}'", name);
  return made;
}

Portal::Implementation::Handled Portal::Implementation::create_endpoint(Call& call) {
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  Fields fields(call.body);
  const std::string name = fields.text("name");
  const json* list = fields.list("variants");
  TERRAPIN_TRY_STATUS(fields.finish());
  TERRAPIN_TRY_STATUS(check_control_name("name", name));
  TERRAPIN_TRY(const std::vector<NewVariant> wanted, variants_of(*list));
  std::vector<control::VariantSpec> variants;
  for (const NewVariant& one : wanted) {
    const auto model = model_of(call, one.model);
    if (!model && model.error().code == ErrorCode::kNotFound)
      return fail(ErrorCode::kInvalidArgument, "'variants': {}", model.error().message);
    if (!model) return tl::unexpected<Error>(model.error());
    control::VariantSpec variant;
    variant.model = model->spec.name;
    variant.weight = one.weight;
    variant.count = one.count;
    variant.instance_type = one.instance_type;
    TERRAPIN_TRY(variant.name, free_name(wanted.size() == 1 ? "AllTraffic" : variant.model,
                                         [&](const std::string& taken) -> Status {
                                           for (const control::VariantSpec& other : variants)
                                             if (other.name == taken) return {};
                                           return fail(ErrorCode::kNotFound, "{}", taken);
                                         }));
    variants.push_back(std::move(variant));
  }
  TERRAPIN_TRY(const Endpoint made, make_endpoint(call, *plane, name, std::move(variants)));
  return json_answer(201, json{{"endpoint", told(made, *plane)}});
}

Portal::Implementation::Handled Portal::Implementation::delete_endpoint(Call& call) {
  TERRAPIN_TRY(const Endpoint found, endpoint_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  TERRAPIN_TRY_STATUS(plane->endpoints().remove(found.row.name));
  const auto config = plane->endpoint_configs().find(found.config());
  if (config) {
    const auto made_for = config->row.tags.find(control::kMadeForTag);
    if (made_for != config->row.tags.end() && made_for->second == found.row.name)
      (void)plane->endpoint_configs().remove(config->spec.name);
  }
  return json_answer(200, json::object());
}

Portal::Implementation::Handled Portal::Implementation::change_weights(Call& call) {
  TERRAPIN_TRY(const Endpoint found, endpoint_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  Fields fields(call.body);
  const json* list = fields.list("variants");
  TERRAPIN_TRY_STATUS(fields.finish());
  if (list->empty() || list->size() > kMaxVariants)
    return fail(ErrorCode::kInvalidArgument, "'variants' has {} members: allowed are 1 to {}", list->size(),
                kMaxVariants);
  std::vector<control::VariantChange> changes;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Fields one((*list)[i]);
    control::VariantChange change;
    change.variant = one.text("name");
    if (one.has("weight")) change.weight = one.number_or("weight", 0, 0, kMostWeight);
    if (one.has("count")) change.count = static_cast<int>(one.integer("count", 1, kMostInstances));
    if (const Status read = one.finish(); !read)
      return fail(ErrorCode::kInvalidArgument, "'variants[{}]': {}", i, read.error().message);
    changes.push_back(std::move(change));
  }
  TERRAPIN_TRY(const Endpoint changed, plane->endpoints().update_variants(found.row.name, changes));
  return json_answer(200, json{{"endpoint", told(changed, *plane)}});
}

Portal::Implementation::Handled Portal::Implementation::try_photo(Call& call) {
  TERRAPIN_TRY(const Endpoint found, endpoint_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  QueryFields query(call.request);
  const std::string variant = query.text("variant").value_or("");
  TERRAPIN_TRY_STATUS(query.finish());
  if (call.request.body_bytes() == 0)
    return fail(ErrorCode::kInvalidArgument, "the body is empty: send a photo (JPEG, PNG or WebP)");
  control::Invocation invocation;
  invocation.endpoint = found.row.name;
  invocation.variant = variant;
  // Whatever the browser takes it for: the server looks at the bytes.
  invocation.content_type = "application/x-image";
  const std::string accept(call.request.headers.find("Accept").value_or(""));
  invocation.accept = accept == "image/png" ? accept : "application/json";
  if (call.request.spooled) {
    invocation.source = call.request.spooled.get();
  } else {
    invocation.body = call.request.body;
  }
  invocation.abandoned = call.request.client_gone.get();
  auto answer = plane->invocations().invoke(invocation);
  if (!answer) return failure_answer(answer.error());
  http::Response response =
      http::Response::bytes(200, std::move(answer->content_type), std::move(answer->body));
  response.headers.set("X-Variant", answer->variant);
  return response;
}

// ---- from a training to an endpoint ----

Portal::Implementation::Handled Portal::Implementation::deploy_training_job(Call& call) {
  TERRAPIN_TRY(const control::TrainingJob job, training_job_of(call));
  TERRAPIN_TRY(control::ControlPlane* const plane, control());
  Fields fields(call.body);
  const std::string instance_type = fields.text_or("instance_type", job.spec.instance_type);
  TERRAPIN_TRY_STATUS(fields.finish());
  if (job.state.model_uri.empty())
    return fail(ErrorCode::kConflict, "the training job '{}' is {} and has no model", job.spec.name,
                control::batch_status_name(job.state.status));
  // A model that was made of it before does; the name may be taken by another.
  control::ModelSpec spec;
  bool there = false;
  TERRAPIN_TRY(spec.name, free_name(job.spec.name, [&](const std::string& one) -> Status {
                 TERRAPIN_TRY(const Model other, plane->models().find(one));
                 there = other.spec.container.data == job.state.model_uri;
                 if (there) return fail(ErrorCode::kNotFound, "{}", one);
                 return {};
               }));
  spec.container.data = job.state.model_uri;
  control::VariantSpec variant;
  variant.name = "AllTraffic";
  variant.model = spec.name;
  variant.instance_type = instance_type;
  TERRAPIN_TRY(const std::string name, free_name(job.spec.name, [&](const std::string& one) {
                 return present(plane->resources().find(control::kEndpointKind, one));
               }));
  if (!there) {
    TERRAPIN_TRY_STATUS(make_model(call, *plane, spec).map([](const Model&) {}));
  }
  TERRAPIN_TRY(const Endpoint made, make_endpoint(call, *plane, name, {variant}));
  return json_answer(201, json{{"endpoint", told(made, *plane)}});
}

}  // namespace terrapin::portal
