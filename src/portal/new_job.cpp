#include "portal/new_job.h"

#include "artifacts/label_categories.h"
#include "base/json_text.h"
#include "crypto/secrets.h"
#include "labeling/jobs/job_rules.h"
#include "portal/fields.h"

namespace terrapin::portal {
namespace {

using labeling::JobSpec;
using labeling::TaskKind;

constexpr const char* kBuiltInAccount = "432418664414";
constexpr std::size_t kMaxTemplateBytes = 2 << 20;

tl::unexpected<Error> refuse(const std::string& message) {
  return fail(ErrorCode::kInvalidArgument, "{}", message);
}

Result<TaskKind> parse_kind(const std::string& name) {
  for (const TaskKind kind : {TaskKind::kSegmentation, TaskKind::kAdjustment, TaskKind::kVerification})
    if (name == labeling::task_kind_name(kind)) return kind;
  return fail(ErrorCode::kInvalidArgument,
              "'kind' is '{}': allowed are segmentation, adjustment, verification", name);
}

const char* function_name(TaskKind kind, bool before, bool majority) {
  for (const labeling::BuiltInFunction& one : labeling::built_in_functions())
    if (one.kind == kind && one.before == before && one.majority == majority) return one.name;
  return majority ? function_name(kind, before, false) : "";
}

Result<TaskKind> read_functions(Fields& fields, JobSpec& spec, const std::string& region) {
  TERRAPIN_TRY(const TaskKind kind, parse_kind(fields.text_or("kind", "segmentation")));
  spec.majority_vote = fields.flag_or("majority_vote", false);
  const auto function = [&](const char* member, bool before) {
    const char* usual = function_name(kind, before, spec.majority_vote && !before);
    return labeling::FunctionReference::of_arn(fields.text_or(member, built_in_arn(region, usual)));
  };
  spec.pre_function = function("pre_function_arn", true);
  spec.post_function = function("post_function_arn", false);
  // Of those that say what they are for; a registered one serves any kind.
  for (const auto& [member, chosen] : {std::pair("pre_function_arn", &spec.pre_function),
                                       std::pair("post_function_arn", &spec.post_function)}) {
    const labeling::BuiltInFunction* known = chosen->find_built_in();
    if (known != nullptr && known->kind != kind)
      return fail(ErrorCode::kInvalidArgument, "'{}' is {}, which is none for the kind '{}'", member,
                  chosen->name, labeling::task_kind_name(kind));
  }
  return kind;
}

Result<std::string> categories_of(const json& labels) {
  json list = json::array();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Fields fields(labels[i]);
    json label{{"label", fields.text("label")}};
    if (fields.has("color")) label["hex-color"] = fields.text("color");
    if (fields.flag_or("void", false)) label["void"] = true;
    if (const Status read = fields.finish(); !read)
      return fail(ErrorCode::kInvalidArgument, "'labels[{}]': {}", i, read.error().message);
    list.push_back(std::move(label));
  }
  auto categories = artifacts::parse_label_categories(json_text(json{{"labels", std::move(list)}}));
  if (!categories) return fail(ErrorCode::kInvalidArgument, "'labels': {}", categories.error().message);
  return artifacts::format_label_categories(*categories);
}

Status read_labels(Fields& fields, NewJob& job) {
  if (fields.has("labels") == fields.has("categories_uri"))
    return refuse("give either 'labels' or 'categories_uri'");
  if (fields.has("categories_uri")) {
    job.spec.categories_uri = fields.text("categories_uri");
    return {};
  }
  const json* labels = fields.list("labels");
  if (labels == nullptr) return {};  // finish() tells it
  TERRAPIN_TRY(job.categories_text, categories_of(*labels));
  return {};
}

Status check_template(const char* member, const std::string& text) {
  if (!text.empty() && text.size() <= kMaxTemplateBytes) return {};
  return fail(ErrorCode::kInvalidArgument, "'{}' has {} bytes: allowed are 1 to {}", member, text.size(),
              kMaxTemplateBytes);
}

Status read_template(Fields& fields, TaskKind kind, NewJob& job) {
  const int given = (fields.has("template_uri") ? 1 : 0) + (fields.has("template_html") ? 1 : 0) +
                    (fields.has("instructions") ? 1 : 0);
  if (given > 1) return refuse("give one of 'template_uri', 'template_html' and 'instructions'");
  if (fields.has("template_uri")) {
    job.spec.template_uri = fields.text("template_uri");
    return {};
  }
  if (fields.has("template_html")) {
    job.template_text = fields.text("template_html");
    return check_template("template_html", *job.template_text);
  }
  const json* object = fields.object_or_none("instructions");
  if (object == nullptr) {
    // Registered functions do not tell the kind: the job's own template would be the canvas.
    if (kind != labeling::task_kind(job.spec)) job.template_text = labeling::default_template(kind);
    return {};
  }
  Fields members(*object);
  labeling::Instructions instructions;
  instructions.header = members.text_or("header", "");
  instructions.short_html = members.text_or("short_html", "");
  instructions.full_html = members.text_or("full_html", "");
  if (const Status read = members.finish(); !read)
    return fail(ErrorCode::kInvalidArgument, "'instructions': {}", read.error().message);
  job.template_text = labeling::default_template(kind, instructions);
  return check_template("instructions", *job.template_text);
}

Status read_price(Fields& fields, JobSpec& spec) {
  const json* object = fields.object_or_none("price");
  if (object == nullptr) return {};
  Fields members(*object);
  labeling::Price price;
  price.dollars = static_cast<int>(members.integer_or("dollars", 0, 0, 2));
  price.cents = static_cast<int>(members.integer_or("cents", 0, 0, 99));
  price.tenth_fractions_of_a_cent =
      static_cast<int>(members.integer_or("tenth_fractions_of_a_cent", 0, 0, 9));
  if (const Status read = members.finish(); !read)
    return fail(ErrorCode::kInvalidArgument, "'price': {}", read.error().message);
  spec.price = price;
  return {};
}

Status read_tags(Fields& fields, JobSpec& spec) {
  const json* object = fields.object_or_none("tags");
  if (object == nullptr) return {};
  if (object->size() > labeling::kMaxTags)
    return fail(ErrorCode::kInvalidArgument, "'tags' has {} members: allowed are {}", object->size(),
                labeling::kMaxTags);
  Fields members(*object);
  for (const auto& [key, value] : object->items()) {
    const std::string text = members.text(key.c_str());
    if (key.empty() || key.size() > 128 || text.size() > 256)
      return refuse("'tags': keys have 1 to 128 bytes, values at most 256");
    spec.tags.emplace_back(key, text);
  }
  return members.finish();
}

void read_numbers(Fields& fields, JobSpec& spec) {
  read_pace(fields, spec);
  if (fields.has("max_human_labeled_objects"))
    spec.max_human_labeled_objects = fields.integer("max_human_labeled_objects", 1, INT64_MAX);
  if (fields.has("max_percent_labeled"))
    spec.max_percent_labeled = static_cast<int>(fields.integer("max_percent_labeled", 1, 100));
  spec.skip_labeled = fields.flag_or("skip_labeled", false);
}

}  // namespace

void read_pace(Fields& fields, JobSpec& spec) {
  spec.workers_per_object =
      static_cast<int>(fields.integer_or("workers_per_object", spec.workers_per_object, 1, 9));
  spec.task_time_limit_s = fields.integer_or("task_time_limit_s", spec.task_time_limit_s,
                                             labeling::kLeastTaskTimeLimit, labeling::kMostTaskTimeLimit);
  spec.task_availability_s =
      fields.integer_or("task_availability_s", spec.task_availability_s, labeling::kLeastTaskAvailability,
                        labeling::kMostTaskAvailability);
  spec.max_concurrent =
      fields.integer_or("max_concurrent", spec.max_concurrent, 1, labeling::kMostConcurrent);
}

std::string built_in_arn(const std::string& region, const char* name) {
  return fmt::format("arn:aws:lambda:{}:{}:function:{}", region, kBuiltInAccount, name);
}

Result<NewJob> new_job_of(const json& body, const std::string& region) {
  Fields fields(body);
  NewJob job;
  JobSpec& spec = job.spec;
  spec.name = fields.text("name");
  spec.label_attribute = fields.text_or("label_attribute", "label-ref");
  spec.input_uri = fields.text("input_uri");
  spec.output_uri = fields.text("output_uri");
  spec.workteam_arn = fields.text("workteam_arn");
  spec.title = fields.text("title");
  spec.description = fields.text_or("description", spec.title);
  spec.keywords = fields.texts_or("keywords", {});
  spec.content_classifiers = fields.texts_or("content_classifiers", {});
  read_numbers(fields, spec);
  TERRAPIN_TRY(const TaskKind kind, read_functions(fields, spec, region));
  TERRAPIN_TRY_STATUS(read_labels(fields, job));
  TERRAPIN_TRY_STATUS(read_template(fields, kind, job));
  TERRAPIN_TRY_STATUS(read_price(fields, spec));
  TERRAPIN_TRY_STATUS(read_tags(fields, spec));
  TERRAPIN_TRY_STATUS(fields.finish());
  // A folder of its own: what another form of the same name wrote, or already lies there, stays as it is.
  std::string folder = spec.output_uri;
  while (folder.ends_with('/')) folder.pop_back();
  folder += "/" + spec.name + "/setup/" + crypto::random_uuid() + "/";
  if (job.categories_text) spec.categories_uri = folder + "label-categories.json";
  if (job.template_text) spec.template_uri = folder + "template.liquid.html";
  TERRAPIN_TRY_STATUS(labeling::check_spec(spec));
  return job;
}

}  // namespace terrapin::portal
