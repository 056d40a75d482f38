// Requests held against AWS's own description of them (src/api/models/*.json, derived from botocore).
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "base/result.h"

namespace terrapin::api {

constexpr std::int64_t kMaxRequestBytes = std::int64_t{1} << 20;
constexpr int kMaxRequestDepth = 64;

// Constant after construction; any thread.
class ServiceModel {
 public:
  // The models that are compiled into the program.
  static const ServiceModel& sagemaker();
  static const ServiceModel& logs();
  // kCorrupt names what is wrong: a shape without a type, a pattern that cannot be compiled, ...
  static Result<ServiceModel> parse(std::string_view json);

  ServiceModel(ServiceModel&&) noexcept;
  ServiceModel& operator=(ServiceModel&&) noexcept;
  ~ServiceModel();

  bool has_operation(std::string_view operation) const;
  std::vector<std::string> operations() const;  // ascending

  // The request's members; an empty text counts as {}. SerializationException for text that is not JSON,
  // nests deeper than kMaxRequestDepth or has a member of another type; ValidationException that lists every
  // missing, unknown or unsuitable member, in AWS's words. null counts as absent and is left out of the
  // result. `operation` must be one of the model's.
  AwsResult<nlohmann::json> read_request(std::string_view operation, std::string_view text) const;

  // What the answer does to the operation's output shape that it should not: the same checks. Empty: nothing.
  std::vector<std::string> faults_of_answer(std::string_view operation, const nlohmann::json& answer) const;

 private:
  struct Document;
  explicit ServiceModel(std::unique_ptr<const Document> document);
  std::unique_ptr<const Document> document_;
};

// `1 validation error detected: Value '<value>' at '<member path>' failed to satisfy constraint: Member must
// <constraint>`, for what the model cannot say.
AwsError constraint_error(std::string_view value, std::string_view member_path, std::string_view constraint);

}  // namespace terrapin::api
