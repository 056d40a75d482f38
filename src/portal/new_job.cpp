#include "portal/new_job.h"

#include <algorithm>

#include "artifacts/label_categories.h"
#include "base/json_text.h"
#include "portal/fields.h"

namespace terrapin::portal {
namespace {

using labeling::JobSpec;
using labeling::TaskKind;

constexpr const char* kBuiltInAccount = "432418664414";
constexpr std::int64_t kMaxTemplateBytes = 2 << 20;

tl::unexpected<Error> refuse(const std::string& message) {
  return fail(ErrorCode::kInvalidArgument, "{}", message);
}

bool is_name(const std::string& text, std::size_t most) {
  if (text.empty() || text.size() > most) return false;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!plain(text.front()) || !plain(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-'; });
}

Status check_length(const char* member, const std::string& text, std::size_t least, std::size_t most) {
  if (text.size() >= least && text.size() <= most) return {};
  return fail(ErrorCode::kInvalidArgument, "'{}' has {} bytes: allowed are {} to {}", member, text.size(),
              least, most);
}

Status check_uri(const char* member, const std::string& uri, bool needs_key) {
  const auto name = storage::parse_s3_uri(uri);
  if (name && (!needs_key || !name->key.empty())) return {};
  return fail(ErrorCode::kInvalidArgument, "'{}' is '{}': s3://bucket/{} is expected", member, uri,
              needs_key ? "key" : "prefix");
}

Result<TaskKind> parse_kind(const std::string& name) {
  for (const TaskKind kind : {TaskKind::kSegmentation, TaskKind::kAdjustment, TaskKind::kVerification})
    if (name == task_kind_name(kind)) return kind;
  return fail(ErrorCode::kInvalidArgument,
              "'kind' is '{}': allowed are segmentation, adjustment, verification", name);
}

const char* function_name(TaskKind kind, bool before) {
  for (const BuiltInFunction& one : built_in_functions())
    if (one.kind == kind && one.before == before) return one.name;
  return "";
}

// The functions fit the kind, and each other.
Status read_functions(Fields& fields, JobSpec& spec, const std::string& region) {
  TERRAPIN_TRY(const TaskKind kind, parse_kind(fields.text_or("kind", "segmentation")));
  spec.majority_vote = fields.flag_or("majority_vote", false);
  const char* post =
      spec.majority_vote && kind != TaskKind::kVerification ? "ACS-SemanticSegmentation-Majority" : nullptr;
  spec.pre_function =
      function_of(fields.text_or("pre_function_arn", built_in_arn(region, function_name(kind, true))));
  spec.post_function = function_of(
      fields.text_or("post_function_arn", built_in_arn(region, post ? post : function_name(kind, false))));
  for (const bool before : {true, false}) {
    const labeling::FunctionReference& function = before ? spec.pre_function : spec.post_function;
    const char* member = before ? "pre_function_arn" : "post_function_arn";
    if (function.name.empty() || function.arn.size() > 2048)
      return fail(ErrorCode::kInvalidArgument, "'{}' is '{}': the ARN of a function is expected", member,
                  function.arn.substr(0, 200));
    if (!function.built_in()) continue;
    const auto& known = built_in_functions();
    const auto own = std::find_if(known.begin(), known.end(),
                                  [&](const BuiltInFunction& one) { return function.name == one.name; });
    if (own == known.end() || own->before != before || own->kind != kind)
      return fail(ErrorCode::kInvalidArgument, "'{}' is {}, which is none for '{}'", member, function.name,
                  task_kind_name(kind));
  }
  return {};
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
    return check_uri("categories_uri", job.spec.categories_uri, true);
  }
  const json* labels = fields.list("labels");
  if (labels == nullptr) return {};  // finish() tells it
  TERRAPIN_TRY(job.categories_text, categories_of(*labels));
  return {};
}

Status read_template(Fields& fields, NewJob& job) {
  const int given = (fields.has("template_uri") ? 1 : 0) + (fields.has("template_html") ? 1 : 0) +
                    (fields.has("instructions") ? 1 : 0);
  if (given > 1) return refuse("give one of 'template_uri', 'template_html' and 'instructions'");
  if (fields.has("template_uri")) {
    job.spec.template_uri = fields.text("template_uri");
    return check_uri("template_uri", job.spec.template_uri, true);
  }
  if (fields.has("template_html")) {
    job.template_text = fields.text("template_html");
    return check_length("template_html", *job.template_text, 1, kMaxTemplateBytes);
  }
  const json* object = fields.object_or_none("instructions");
  if (object == nullptr) return {};
  Fields members(*object);
  labeling::Instructions instructions;
  instructions.header = members.text_or("header", "");
  instructions.short_html = members.text_or("short_html", "");
  instructions.full_html = members.text_or("full_html", "");
  if (const Status read = members.finish(); !read)
    return fail(ErrorCode::kInvalidArgument, "'instructions': {}", read.error().message);
  job.template_text = labeling::default_template(instructions);
  return check_length("instructions", *job.template_text, 1, kMaxTemplateBytes);
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
  if (spec.workteam_arn.find(":workteam/public-crowd/") == std::string::npos)
    return refuse("'price' is for the public crowd only");
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

Status check_attribute(const JobSpec& spec) {
  const std::string& name = spec.label_attribute;
  if (!is_name(name, 127))
    return fail(ErrorCode::kInvalidArgument,
                "'label_attribute' is '{}': allowed are 1 to 127 letters, digits and hyphens inside", name);
  if (name == "source" || name == "source-ref" || name.ends_with("-metadata"))
    return fail(ErrorCode::kInvalidArgument, "'label_attribute' must not be '{}', which the manifest keeps",
                name);
  if (spec.post_function.built_in() && labeling::task_kind(spec) != TaskKind::kVerification &&
      !name.ends_with("-ref"))
    return fail(ErrorCode::kInvalidArgument, "'label_attribute' is '{}': it must end in '-ref'", name);
  return {};
}

void read_numbers(Fields& fields, JobSpec& spec) {
  spec.workers_per_object = static_cast<int>(fields.integer_or("workers_per_object", 1, 1, 9));
  spec.task_time_limit_s = fields.integer_or("task_time_limit_s", spec.task_time_limit_s, 30, 604'800);
  spec.task_availability_s =
      fields.integer_or("task_availability_s", spec.task_availability_s, 60, 2'592'000);
  spec.max_concurrent = fields.integer_or("max_concurrent", spec.max_concurrent, 1, 5000);
  if (fields.has("max_human_labeled_objects"))
    spec.max_human_labeled_objects = fields.integer("max_human_labeled_objects", 1, INT64_MAX);
  if (fields.has("max_percent_labeled"))
    spec.max_percent_labeled = static_cast<int>(fields.integer("max_percent_labeled", 1, 100));
  spec.skip_labeled = fields.flag_or("skip_labeled", false);
}

Status check_words(const JobSpec& spec) {
  TERRAPIN_TRY_STATUS(check_length("title", spec.title, 1, 128));
  TERRAPIN_TRY_STATUS(check_length("description", spec.description, 1, 255));
  if (spec.keywords.size() > 5) return refuse("'keywords' has more than 5");
  for (const std::string& keyword : spec.keywords) {
    TERRAPIN_TRY_STATUS(check_length("keywords", keyword, 1, 30));
  }
  for (const std::string& one : spec.content_classifiers)
    if (one != "FreeOfPersonallyIdentifiableInformation" && one != "FreeOfAdultContent")
      return fail(ErrorCode::kInvalidArgument,
                  "'content_classifiers' has '{}': allowed are FreeOfPersonallyIdentifiableInformation, "
                  "FreeOfAdultContent",
                  one);
  return {};
}

}  // namespace

const std::vector<BuiltInFunction>& built_in_functions() {
  using enum TaskKind;
  static const std::vector<BuiltInFunction> kFunctions{
      {"PRE-SemanticSegmentation", kSegmentation, true},
      {"PRE-AdjustmentSemanticSegmentation", kAdjustment, true},
      {"PRE-VerificationSemanticSegmentation", kVerification, true},
      {"ACS-SemanticSegmentation", kSegmentation, false},
      {"ACS-AdjustmentSemanticSegmentation", kAdjustment, false},
      {"ACS-VerificationSemanticSegmentation", kVerification, false},
      {"ACS-SemanticSegmentation-Majority", kSegmentation, false},
  };
  return kFunctions;
}

const char* task_kind_name(TaskKind kind) {
  switch (kind) {
    case TaskKind::kSegmentation:
      return "segmentation";
    case TaskKind::kAdjustment:
      return "adjustment";
    case TaskKind::kVerification:
      return "verification";
  }
  return "";
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
  TERRAPIN_TRY_STATUS(read_functions(fields, spec, region));
  TERRAPIN_TRY_STATUS(read_labels(fields, job));
  TERRAPIN_TRY_STATUS(read_template(fields, job));
  TERRAPIN_TRY_STATUS(read_price(fields, spec));
  TERRAPIN_TRY_STATUS(read_tags(fields, spec));
  TERRAPIN_TRY_STATUS(fields.finish());
  if (!is_name(spec.name, 63))
    return fail(ErrorCode::kInvalidArgument,
                "'name' is '{}': allowed are 1 to 63 letters, digits and hyphens inside", spec.name);
  TERRAPIN_TRY_STATUS(check_uri("input_uri", spec.input_uri, false));
  TERRAPIN_TRY_STATUS(check_uri("output_uri", spec.output_uri, false));
  TERRAPIN_TRY_STATUS(check_attribute(spec));
  TERRAPIN_TRY_STATUS(check_words(spec));
  std::string folder = spec.output_uri;
  while (folder.ends_with('/')) folder.pop_back();
  folder += "/" + spec.name + "/setup/";
  if (job.categories_text) spec.categories_uri = folder + "label-categories.json";
  if (job.template_text) spec.template_uri = folder + "template.liquid.html";
  return job;
}

}  // namespace terrapin::portal
