#include "api/sagemaker/operations/answers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "api/errors.h"
#include "base/base64.h"
#include "base/json_text.h"
#include "base/text.h"
#include "crypto/hash.h"

namespace terrapin::api {
namespace {

using nlohmann::json;

// Stands for the operation and its filters.
std::string request_mark(const OperationContext& context, json input) {
  input.erase("NextToken");
  input.erase("MaxResults");
  const std::string text = std::string(context.operation) + json_text(input);
  return crypto::hex(crypto::hash(crypto::HashKind::kSha256, text)).substr(0, 16);
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

AwsError denied(const Place& place, const identity::AccessKey& caller, std::string_view operation,
                const std::string& resource, const std::string& why) {
  return {
      400,
      "AccessDeniedException",
      fmt::format("User: arn:aws:iam::{}:user/{} is not authorized to perform: sagemaker:{} on resource: {} "
                  "because {}",
                  place.account_id, caller.owner, operation, resource, why),
      {}};
}

}  // namespace

AwsError error_told(const OperationContext& context, const Error& error) {
  switch (error.code) {
    case ErrorCode::kAlreadyExists:
      return {400, "ResourceInUse", error.message, {}};
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kDenied:
    case ErrorCode::kConflict:
    case ErrorCode::kUnsupported:
    case ErrorCode::kTooLarge:
      return {400, "ValidationException", error.message, {}};
    case ErrorCode::kCancelled:
      return {503, "ServiceUnavailable", "The service is stopping. Please try again.", {}};
    case ErrorCode::kCorrupt:
    case ErrorCode::kNoSpace:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      break;
  }
  return internal_failure(Protocol::kJson, error, context.request_id);
}

AwsError access_denied(const OperationContext& context, const std::string& resource, const std::string& why) {
  return denied(context.place, context.caller, context.operation, resource, why);
}

AwsResult<void> check_bucket(const Place& place, const identity::AccessKey& caller,
                             std::string_view operation, const std::string& uri) {
  const std::vector<std::string>& allowed = caller.buckets;
  if (allowed.empty() || uri.empty()) return {};
  const std::string bucket = uri.substr(5, uri.find('/', 5) - 5);
  if (std::find(allowed.begin(), allowed.end(), bucket) != allowed.end()) return {};
  return tl::unexpected<AwsError>(denied(place, caller, operation, "arn:aws:s3:::" + bucket,
                                         "the access key may use other buckets only"));
}
AwsResult<void> check_bucket(const OperationContext& context, const std::string& uri) {
  return check_bucket(context.place, context.caller, context.operation, uri);
}

std::string job_arn(const Place& place, std::string_view job_name) {
  return fmt::format("arn:aws:sagemaker:{}:{}:labeling-job/{}", place.region, place.account_id,
                     lower_case(std::string(job_name)));
}

json epoch_seconds(Timestamp time) {
  return static_cast<double>(to_microseconds(time)) / 1e6;
}

std::optional<Timestamp> time_member(const json& input, const char* member) {
  const auto found = input.find(member);
  if (found == input.end()) return std::nullopt;
  return from_microseconds(std::llround(found->get<double>() * 1e6));
}

std::string text_member(const json& input, const char* member) {
  return input.value(member, std::string());
}

AwsResult<labeling::Tags> tags_of(const json& list) {
  labeling::Tags tags;
  for (const json& tag : list) {
    const std::string key = tag.at("Key");
    if (lower_case(key.substr(0, 4)) == "aws:") {
      return invalid(
          "The tag key \"{}\" begins with \"aws:\"; aws: prefixed tag key names are not allowed for "
          "external use.",
          key);
    }
    if (key.starts_with(control::kMadeForTag)) {
      return invalid(
          "The tag key \"{}\" begins with \"{}\"; such tags are the service's own and not allowed for "
          "external use.",
          key, control::kMadeForTag);
    }
    if (!tags.emplace(key, tag.at("Value")).second) {
      return invalid("The tag key \"{}\" is given twice; every key can be given once.", key);
    }
  }
  return tags;
}

json tag_list(const labeling::Tags& tags) {
  json list = json::array();
  for (const auto& [key, value] : tags) list.push_back({{"Key", key}, {"Value", value}});
  return list;
}

AwsResult<PageRequest> page_request(const OperationContext& context, const json& input) {
  PageRequest page;
  // ListTags alone allows more than 100.
  page.limit = static_cast<int>(std::min<std::int64_t>(input.value("MaxResults", std::int64_t{100}), 1000));
  const auto token = input.find("NextToken");
  if (token == input.end()) return page;
  Bytes bytes;
  std::string text;
  if (crypto::decode_base64(token->get_ref<const std::string&>(), bytes))
    text.assign(bytes.begin(), bytes.end());
  // "1 <mark> <offset> <microseconds or ->"
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ' ') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  const auto offset = parts.size() == 4 ? whole_number(parts[2]) : std::nullopt;
  const auto as_of = parts.size() == 4 ? whole_number(parts[3]) : std::nullopt;
  if (!offset || parts[0] != "1" || (!as_of && parts[3] != "-")) {
    return invalid("Invalid NextToken; give back the one of the answer before, as it is.");
  }
  if (parts[1] != request_mark(context, input)) {
    return invalid("NextToken is of another request; repeat that one, with the same filters and order.");
  }
  page.offset = *offset;
  if (as_of) page.as_of = from_microseconds(*as_of);
  return page;
}

std::string next_token(const OperationContext& context, const json& input, std::int64_t offset,
                       std::optional<Timestamp> as_of) {
  const std::string text = fmt::format("1 {} {} {}", request_mark(context, input), offset,
                                       as_of ? std::to_string(to_microseconds(*as_of)) : "-");
  return base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

control::ResourceFilter resource_filter(const json& input, const PageRequest& page, const char* order) {
  using SortBy = control::ResourceFilter::SortBy;
  const std::string sort_by = text_member(input, "SortBy");
  control::ResourceFilter filter;
  filter.name_contains = text_member(input, "NameContains");
  if (input.contains("StatusEquals")) filter.statuses = {text_member(input, "StatusEquals")};
  filter.created_after = time_member(input, "CreationTimeAfter");
  filter.created_before = time_member(input, "CreationTimeBefore");
  filter.modified_after = time_member(input, "LastModifiedTimeAfter");
  filter.modified_before = time_member(input, "LastModifiedTimeBefore");
  filter.sort_by = sort_by == "Name"     ? SortBy::kName
                   : sort_by == "Status" ? SortBy::kStatus
                                         : SortBy::kCreationTime;
  filter.descending = input.value("SortOrder", order) == "Descending";
  filter.offset = page.offset;
  filter.limit = page.limit;
  // What is made between two pages would push the others on.
  if (page.as_of && (!filter.created_before || *page.as_of < *filter.created_before))
    filter.created_before = page.as_of;
  return filter;
}

AwsResult<json> list_resources(const OperationContext& context, const json& input, const char* kind,
                               const char* member,
                               const std::function<json(const control::Resource&)>& summary) {
  TERRAPIN_AWS_TRY(const PageRequest page, page_request(context, input));
  // AWS lists these newest first, unless it is told otherwise.
  control::ResourceFilter filter = resource_filter(input, page, "Descending");
  filter.kind = kind;
  TERRAPIN_AWS_TRY(const control::ResourcePage found,
                   told(context, context.control.resources().list(filter)));
  json list = json::array();
  for (const control::Resource& row : found.resources) list.push_back(summary(row));
  json answer{{member, std::move(list)}};
  if (found.more && !found.resources.empty()) {
    // Pages after the first leave out what is newer than the first one's: it would push the others on.
    std::optional<Timestamp> as_of = page.as_of;
    if (!as_of && filter.descending && filter.sort_by == control::ResourceFilter::SortBy::kCreationTime)
      as_of = found.resources.front().created + std::chrono::microseconds(1);
    answer["NextToken"] =
        next_token(context, input, page.offset + static_cast<std::int64_t>(found.resources.size()), as_of);
  }
  return answer;
}

labeling::WorkforceFilter workforce_filter(const json& input, const PageRequest& page) {
  labeling::WorkforceFilter filter;
  filter.name_contains = text_member(input, "NameContains");
  filter.sort_by = text_member(input, "SortBy") == "Name" ? labeling::WorkforceFilter::SortBy::kName
                                                          : labeling::WorkforceFilter::SortBy::kCreationTime;
  filter.descending = text_member(input, "SortOrder") == "Descending";
  filter.offset = page.offset;
  filter.limit = page.limit;
  return filter;
}

}  // namespace terrapin::api
