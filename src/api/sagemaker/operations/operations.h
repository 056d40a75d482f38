// The operations of SageMakerService: from a request that the model has accepted to the answer's JSON. null:
// an answer without a body.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "api/exchange.h"
#include "labeling/jobs/job_service.h"
#include "labeling/workforces/workforces.h"

namespace terrapin::api {

struct OperationContext {
  labeling::JobService& jobs;
  labeling::Workforces& workforces;
  const Place& place;
  const std::string& portal_address;
  const identity::AccessKey& caller;
  std::string_view operation;
  const std::string& request_id;
};

using Operation = AwsResult<nlohmann::json> (*)(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_labeling_job(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_labeling_job(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_labeling_jobs(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_labeling_jobs_for_workteam(const OperationContext&,
                                                          const nlohmann::json& input);
AwsResult<nlohmann::json> stop_labeling_job(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_workforce(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_workforce(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_workforces(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> update_workforce(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> delete_workforce(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_workteam(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_workteam(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_workteams(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> update_workteam(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> delete_workteam(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_subscribed_workteam(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_subscribed_workteams(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> add_tags(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_tags(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> delete_tags(const OperationContext&, const nlohmann::json& input);

}  // namespace terrapin::api
