#include "portal/control_json.h"

#include <map>

#include "portal/implementation.h"

namespace terrapin::portal {
namespace {

using control::DataSource;

json time_or_null(const std::optional<Timestamp>& time) {
  return time ? json(time_text(*time)) : json();
}

bool is_set(Timestamp time) {
  return time.time_since_epoch().count() != 0;
}

const control::ServedInstance* served(const control::EndpointRoute* route, const std::string& id) {
  if (route == nullptr) return nullptr;
  for (const control::VariantRoute& variant : route->variants)
    for (const control::ServedInstancePtr& one : variant.instances)
      if (one->id == id) return one.get();
  return nullptr;
}

json variants_json(const control::Deployment& deployment, const control::EndpointRoute* route) {
  json variants = json::array();
  for (const control::DeployedVariant& variant : deployment.variants) {
    json instances = json::array();
    for (const control::Instance& instance : variant.instances) {
      const control::ServedInstance* live = served(route, instance.id);
      instances.push_back(
          json{{"id", instance.id},
               {"made", time_text(instance.made)},
               {"served", is_set(instance.served) ? json(time_text(instance.served)) : json()},
               {"healthy", live != nullptr && live->healthy.load()},
               {"in_flight", live != nullptr ? live->in_flight.load() : 0},
               {"answered", live != nullptr ? live->answered.load() : 0}});
    }
    variants.push_back(json{{"name", variant.spec.name},
                            {"model", variant.spec.model},
                            {"data", variant.container.data},
                            {"weight", variant.spec.weight},
                            {"count", variant.spec.count},
                            {"instance_type", variant.spec.instance_type},
                            {"problem", variant.problem},
                            {"instances", std::move(instances)}});
  }
  return variants;
}

}  // namespace

json training_summary_json(const control::TrainingJob& job) {
  const control::TrainingJobState& state = job.state;
  json metrics = json::object();
  for (const control::MetricValue& one : state.metrics) metrics[one.name] = one.value;
  const auto epochs = job.spec.hyperparameters.find("epochs");
  return json{{"name", job.spec.name},
              {"status", control::batch_status_name(state.status)},
              {"step", control::training_step_name(state.transitions.back().step)},
              {"created", time_text(job.resource.created)},
              {"modified", time_text(job.resource.modified)},
              {"started", time_or_null(state.started)},
              {"ended", time_or_null(state.ended)},
              {"seconds", state.seconds()},
              {"epochs", epochs == job.spec.hyperparameters.end() ? "" : epochs->second},
              {"failure_reason", state.failure_reason},
              {"model_uri", state.model_uri},
              {"metrics", std::move(metrics)},
              {"parent", job.resource.parent}};
}

json training_json(const control::TrainingJob& job) {
  json document = training_summary_json(job);
  json transitions = json::array(), channels = json::array();
  for (const control::TrainingTransition& one : job.state.transitions)
    transitions.push_back(json{{"step", control::training_step_name(one.step)},
                               {"start", time_text(one.start)},
                               {"end", time_or_null(one.end)},
                               {"message", one.message}});
  for (const control::DataChannel& one : job.spec.channels)
    channels.push_back(json{{"name", one.name},
                            {"kind", control::data_source_kind_name(one.source.kind)},
                            {"uri", one.source.uri},
                            {"attributes", one.source.attributes},
                            {"content_type", one.content_type}});
  document["transitions"] = std::move(transitions);
  document["channels"] = std::move(channels);
  document["hyperparameters"] = job.spec.hyperparameters;
  document["output_uri"] = job.spec.output_uri;
  document["checkpoint_uri"] = job.spec.checkpoint_uri;
  document["instance_type"] = job.spec.instance_type;
  document["max_run_s"] = job.spec.max_run_s;
  document["image"] = job.spec.image;
  return document;
}

json series_json(const std::vector<control::MetricValue>& values) {
  json list = json::array();
  for (const std::string& name : control::training_metric_names()) {
    std::map<int, double> points;
    for (const control::MetricValue& one : values)
      if (one.name == name && one.epoch > 0) points[one.epoch] = one.value;
    json made = json::array();
    for (const auto& [epoch, value] : points) made.push_back(json::array({epoch, value}));
    list.push_back(json{{"name", name}, {"points", std::move(made)}});
  }
  return list;
}

json model_json(const control::Model& model) {
  return json{{"name", model.spec.name},
              {"data", model.spec.container.data},
              {"environment", model.spec.container.environment},
              {"created", time_text(model.row.created)}};
}

json endpoint_json(const control::Endpoint& endpoint, const control::EndpointRoute* route) {
  const control::EndpointState& state = endpoint.state;
  const control::Deployment* now = state.active ? &*state.active : state.pending ? &*state.pending : nullptr;
  json document{{"name", endpoint.row.name},
                {"status", endpoint.row.status},
                {"created", time_text(endpoint.row.created)},
                {"modified", time_text(endpoint.row.modified)},
                {"config", endpoint.config()},
                {"failure", state.failure},
                {"variants", now != nullptr ? variants_json(*now, route) : json::array()},
                {"next", state.active && state.pending ? variants_json(*state.pending, route) : json()}};
  return document;
}

}  // namespace terrapin::portal
