#include "labeling/jobs/job_rules.h"

#include <algorithm>

#include "base/utf8.h"
#include "storage/object_store.h"

namespace terrapin::labeling {
namespace {

constexpr std::int64_t kMostExactInteger = std::int64_t{1} << 53;  // of a JSON number that browsers read
constexpr std::size_t kMostUriBytes = 1024, kMostArnBytes = 2048;

template <class... A>
tl::unexpected<Error> refuse(fmt::format_string<A...> form, A&&... values) {
  return fail(ErrorCode::kInvalidArgument, form, std::forward<A>(values)...);
}

Status check_length(const char* member, std::string_view text, std::int64_t least, std::int64_t most) {
  if (!is_utf8(text)) return refuse("'{}' is not UTF-8", member);
  const std::int64_t characters = count_characters(text);
  if (characters >= least && characters <= most) return {};
  return refuse("'{}' has {} characters: allowed are {} to {}", member, characters, least, most);
}

Status check_range(const char* member, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return {};
  return refuse("'{}' is {}: allowed are {} to {}", member, value, least, most);
}

Status check_uri(const char* member, const std::string& uri, bool needs_key) {
  const auto name = storage::parse_s3_uri(uri);
  if (name && (!needs_key || !name->key.empty()) && uri.size() <= kMostUriBytes) return {};
  return refuse("'{}' is '{}': s3://bucket/{} is expected", member, uri.substr(0, 200),
                needs_key ? "key" : "prefix");
}

Status check_function(const char* member, const FunctionReference& function, TaskKind kind, bool before) {
  if (function.name.empty() || function.arn.size() > kMostArnBytes)
    return refuse("'{}' is '{}': the ARN of a function is expected", member, function.arn.substr(0, 200));
  const BuiltInFunction* known = function.find_built_in();
  if (known == nullptr || (known->before == before && known->kind == kind)) return {};
  return refuse("'{}' is {}, which is none for '{}'", member, function.name, task_kind_name(kind));
}

Status check_functions(const JobSpec& spec) {
  // A registered function goes with any kind of the other.
  const TaskKind kind = task_kind(spec);
  TERRAPIN_TRY_STATUS(check_function("pre_function_arn", spec.pre_function, kind, true));
  return check_function("post_function_arn", spec.post_function, kind, false);
}

Status check_label_attribute(const JobSpec& spec) {
  const std::string& name = spec.label_attribute;
  if (!is_plain_name(name, 127))
    return refuse("'label_attribute' is '{}': allowed are 1 to 127 letters, digits and hyphens inside", name);
  if (name == "source" || name == "source-ref" || name.ends_with("-metadata"))
    return refuse("'label_attribute' must not be '{}', which the manifest keeps", name);
  const BuiltInFunction* after = spec.post_function.find_built_in();
  if (after != nullptr && after->kind != TaskKind::kVerification && !name.ends_with("-ref"))
    return refuse("'label_attribute' is '{}': it must end in '-ref'", name);
  return {};
}

Status check_words(const JobSpec& spec) {
  TERRAPIN_TRY_STATUS(check_length("title", spec.title, 1, 128));
  TERRAPIN_TRY_STATUS(check_length("description", spec.description, 1, 255));
  if (spec.keywords.size() > 5)
    return refuse("'keywords' has {}: allowed are at most 5", spec.keywords.size());
  for (const std::string& keyword : spec.keywords) {
    TERRAPIN_TRY_STATUS(check_length("keywords", keyword, 1, 30));
  }
  for (const std::string& one : spec.content_classifiers)
    if (one != "FreeOfPersonallyIdentifiableInformation" && one != "FreeOfAdultContent")
      return refuse(
          "'content_classifiers' has '{}': allowed are FreeOfPersonallyIdentifiableInformation, "
          "FreeOfAdultContent",
          one);
  return {};
}

Status check_tags(const JobSpec& spec) {
  for (const auto& [name, value] : spec.tags)
    if (name == kAssistLearningTag && value != "on" && value != "off")
      return refuse("the tag '{}' is '{}': allowed are on and off", name, value);
  return {};
}

Status check_numbers(const JobSpec& spec) {
  TERRAPIN_TRY_STATUS(check_range("workers_per_object", spec.workers_per_object, 1, 9));
  TERRAPIN_TRY_STATUS(
      check_range("task_time_limit_s", spec.task_time_limit_s, kLeastTaskTimeLimit, kMostTaskTimeLimit));
  TERRAPIN_TRY_STATUS(check_range("task_availability_s", spec.task_availability_s, kLeastTaskAvailability,
                                  kMostTaskAvailability));
  TERRAPIN_TRY_STATUS(check_range("max_concurrent", spec.max_concurrent, 1, kMostConcurrent));
  if (spec.max_human_labeled_objects) {
    TERRAPIN_TRY_STATUS(
        check_range("max_human_labeled_objects", *spec.max_human_labeled_objects, 1, kMostExactInteger));
  }
  if (spec.max_percent_labeled) {
    TERRAPIN_TRY_STATUS(check_range("max_percent_labeled", *spec.max_percent_labeled, 1, 100));
  }
  return {};
}

Status check_team(const JobSpec& spec) {
  if (spec.workteam_arn.find(":workteam/") == std::string::npos ||
      spec.workteam_arn.find('*') != std::string::npos)
    return refuse("'workteam_arn' is '{}': the ARN of one work team is expected",
                  spec.workteam_arn.substr(0, 200));
  if (spec.price && spec.workteam_arn.find(":workteam/public-crowd/") == std::string::npos)
    return refuse("'price' is for the public crowd only");
  return {};
}

}  // namespace

bool is_plain_name(const std::string& text, std::size_t most) {
  if (text.empty() || text.size() > most) return false;
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!plain(text.front()) || !plain(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-'; });
}

Status check_spec(const JobSpec& spec) {
  if (!is_plain_name(spec.name, 63))
    return refuse("'name' is '{}': allowed are 1 to 63 letters, digits and hyphens inside",
                  spec.name.substr(0, 200));
  TERRAPIN_TRY_STATUS(check_functions(spec));
  TERRAPIN_TRY_STATUS(check_label_attribute(spec));
  TERRAPIN_TRY_STATUS(check_uri("input_uri", spec.input_uri, false));
  TERRAPIN_TRY_STATUS(check_uri("output_uri", spec.output_uri, false));
  TERRAPIN_TRY_STATUS(check_uri("categories_uri", spec.categories_uri, true));
  if (!spec.template_uri.empty()) {
    TERRAPIN_TRY_STATUS(check_uri("template_uri", spec.template_uri, true));
  }
  TERRAPIN_TRY_STATUS(check_words(spec));
  TERRAPIN_TRY_STATUS(check_numbers(spec));
  TERRAPIN_TRY_STATUS(check_tags(spec));
  return check_team(spec);
}

JobSpec completed(JobSpec spec) {
  const BuiltInFunction* after = spec.post_function.find_built_in();
  if (after != nullptr && after->majority) spec.majority_vote = true;
  return spec;
}

}  // namespace terrapin::labeling
