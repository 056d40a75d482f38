// What the operations share: how labeling's failures are told in SageMaker's words, times, tags and pages.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/sagemaker/operations/operations.h"
#include "base/clock.h"

// TERRAPIN_AWS_TRY(auto record, told(context, jobs.describe(name))); for AwsResult, as TERRAPIN_TRY for
// Result.
#define TERRAPIN_AWS_TRY(declaration, expression) \
  TERRAPIN_AWS_TRY_INNER(TERRAPIN_CONCAT(try_aws_, __LINE__), declaration, expression)
#define TERRAPIN_AWS_TRY_INNER(name, declaration, expression)                           \
  auto name = (expression);                                                             \
  if (!name) return tl::unexpected<::terrapin::api::AwsError>(std::move(name.error())); \
  declaration = std::move(*name)
#define TERRAPIN_AWS_TRY_STATUS(expression) \
  TERRAPIN_AWS_TRY_STATUS_INNER(TERRAPIN_CONCAT(try_aws_, __LINE__), expression)
#define TERRAPIN_AWS_TRY_STATUS_INNER(name, expression) \
  auto name = (expression);                             \
  if (!name) return tl::unexpected<::terrapin::api::AwsError>(std::move(name.error()))

namespace terrapin::api {

template <class... Args>
tl::unexpected<AwsError> refuse(const char* code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<AwsError>(AwsError{400, code, fmt::format(format, std::forward<Args>(args)...), {}});
}
template <class... Args>
tl::unexpected<AwsError> invalid(fmt::format_string<Args...> format, Args&&... args) {
  return refuse("ValidationException", format, std::forward<Args>(args)...);
}

// AlreadyExists is ResourceInUse; what the caller can mend ValidationException; the rest an internal failure.
AwsError error_told(const OperationContext& context, const Error& error);
template <class T>
AwsResult<T> told(const OperationContext& context, Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return std::move(*result);
    }
  }
  return tl::unexpected<AwsError>(error_told(context, result.error()));
}
// The same, where kNotFound is told as "Could not find <thing>." under `code`.
template <class T>
AwsResult<T> told(const OperationContext& context, Result<T> result, const char* code,
                  const std::string& thing) {
  if (!result && result.error().code == ErrorCode::kNotFound) {
    return refuse(code, "Could not find {}.", thing);
  }
  return told(context, std::move(result));
}

// AccessDeniedException if the key may not use the bucket of "s3://bucket/..."; "" is fine. `operation`: what
// it was used for.
AwsResult<void> check_bucket(const Place& place, const identity::AccessKey& caller,
                             std::string_view operation, const std::string& uri);
// "User: ... is not authorized to perform: sagemaker:<Operation> on resource: <resource> because <why>".
AwsError access_denied(const OperationContext& context, const std::string& resource, const std::string& why);

// The same of the context's caller.
AwsResult<void> check_bucket(const OperationContext& context, const std::string& uri);

std::string job_arn(const Place& place, std::string_view job_name);

nlohmann::json epoch_seconds(Timestamp time);
std::optional<Timestamp> time_member(const nlohmann::json& input, const char* member);
std::string text_member(const nlohmann::json& input, const char* member);  // "" if absent

// A request's tag list. ValidationException for a key twice or one that begins with "aws:" or as the
// service's own do.
AwsResult<labeling::Tags> tags_of(const nlohmann::json& list);
nlohmann::json tag_list(const labeling::Tags& tags);

// Where a list goes on. NextToken is opaque; it serves only the request that it came from, with any
// MaxResults.
struct PageRequest {
  std::int64_t offset = 0;
  int limit = 100;
  std::optional<Timestamp> as_of;  // of the first page, where the list says so
};
AwsResult<PageRequest> page_request(const OperationContext& context, const nlohmann::json& input);
std::string next_token(const OperationContext& context, const nlohmann::json& input, std::int64_t offset,
                       std::optional<Timestamp> as_of = {});

// What the members that all lists share ask for; `order`: where SortOrder is missing.
control::ResourceFilter resource_filter(const nlohmann::json& input, const PageRequest& page,
                                        const char* order);
// A page of control's rows of that kind: the filters, order and paging that every list of them takes, and
// their summaries as `member` of the answer.
AwsResult<nlohmann::json> list_resources(
    const OperationContext& context, const nlohmann::json& input, const char* kind, const char* member,
    const std::function<nlohmann::json(const control::Resource&)>& summary);

// NameContains, SortBy (Name, CreateDate, CreationTime), SortOrder and the page.
labeling::WorkforceFilter workforce_filter(const nlohmann::json& input, const PageRequest& page);

}  // namespace terrapin::api
