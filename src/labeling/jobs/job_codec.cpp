#include "labeling/jobs/job_codec.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"

namespace terrapin::labeling {
namespace {

using nlohmann::json;

// Calls visit(name, member) for every member with the same shape in JSON.
template <class Spec, class Visit>
void visit_plain(Spec& spec, const Visit& visit) {
  visit("name", spec.name);
  visit("label_attribute", spec.label_attribute);
  visit("input_uri", spec.input_uri);
  visit("output_uri", spec.output_uri);
  visit("kms_key_id", spec.kms_key_id);
  visit("role_arn", spec.role_arn);
  visit("categories_uri", spec.categories_uri);
  visit("template_uri", spec.template_uri);
  visit("content_classifiers", spec.content_classifiers);
  visit("workteam_arn", spec.workteam_arn);
  visit("pre_function_arn", spec.pre_function.arn);
  visit("pre_function", spec.pre_function.name);
  visit("post_function_arn", spec.post_function.arn);
  visit("post_function", spec.post_function.name);
  visit("keywords", spec.keywords);
  visit("title", spec.title);
  visit("description", spec.description);
  visit("workers_per_object", spec.workers_per_object);
  visit("task_time_limit_s", spec.task_time_limit_s);
  visit("task_availability_s", spec.task_availability_s);
  visit("max_concurrent", spec.max_concurrent);
  visit("tags", spec.tags);
  visit("owner", spec.owner);
  visit("continues", spec.continues);
  visit("skip_labeled", spec.skip_labeled);
  visit("majority_vote", spec.majority_vote);
}

}  // namespace

std::string to_json_text(const JobSpec& spec) {
  json document = json::object();
  document["version"] = 1;
  visit_plain(spec, [&](const char* name, const auto& member) { document[name] = member; });
  if (spec.max_human_labeled_objects) document["max_human_labeled_objects"] = *spec.max_human_labeled_objects;
  if (spec.max_percent_labeled) document["max_percent_labeled"] = *spec.max_percent_labeled;
  if (spec.price)
    document["price"] = {spec.price->dollars, spec.price->cents, spec.price->tenth_fractions_of_a_cent};
  return json_text(document);
}

Result<JobSpec> job_spec_from_json(const std::string& text) {
  try {
    const json document = json::parse(text);
    if (document.at("version").get<int>() != 1)
      return fail(ErrorCode::kUnsupported, "labeling job: version {} of its record; 1 is known",
                  document.at("version").get<int>());
    JobSpec spec;
    visit_plain(spec, [&](const char* name, auto& member) { document.at(name).get_to(member); });
    if (document.contains("max_human_labeled_objects"))
      spec.max_human_labeled_objects = document.at("max_human_labeled_objects").get<std::int64_t>();
    if (document.contains("max_percent_labeled"))
      spec.max_percent_labeled = document.at("max_percent_labeled").get<int>();
    if (document.contains("price")) {
      const json& price = document.at("price");
      spec.price = Price{price.at(0).get<int>(), price.at(1).get<int>(), price.at(2).get<int>()};
    }
    return spec;
  } catch (const json::exception& error) {
    return fail(ErrorCode::kCorrupt, "labeling job: its record cannot be read: {}", error.what());
  }
}

}  // namespace terrapin::labeling
