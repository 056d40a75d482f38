// The operations of SageMakerService: from a request that the model has accepted to the answer's JSON. null:
// an answer without a body.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "api/exchange.h"
#include "control/control_plane.h"
#include "labeling/jobs/job_service.h"
#include "labeling/workforces/workforces.h"

namespace terrapin::api {

struct OperationContext {
  labeling::JobService& jobs;
  labeling::Workforces& workforces;
  control::ControlPlane& control;
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

AwsResult<nlohmann::json> create_training_job(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_training_job(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_training_jobs(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> stop_training_job(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_model(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_model(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_models(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> delete_model(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_endpoint_config(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_endpoint_config(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_endpoint_configs(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> delete_endpoint_config(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_endpoint(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_endpoint(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_endpoints(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> update_endpoint(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> update_endpoint_weights_and_capacities(const OperationContext&,
                                                                 const nlohmann::json& input);
AwsResult<nlohmann::json> delete_endpoint(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_transform_job(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> describe_transform_job(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_transform_jobs(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> stop_transform_job(const OperationContext&, const nlohmann::json& input);

AwsResult<nlohmann::json> create_hyper_parameter_tuning_job(const OperationContext&,
                                                            const nlohmann::json& input);
AwsResult<nlohmann::json> describe_hyper_parameter_tuning_job(const OperationContext&,
                                                              const nlohmann::json& input);
AwsResult<nlohmann::json> list_hyper_parameter_tuning_jobs(const OperationContext&,
                                                           const nlohmann::json& input);
AwsResult<nlohmann::json> list_training_jobs_for_hyper_parameter_tuning_job(const OperationContext&,
                                                                            const nlohmann::json& input);
AwsResult<nlohmann::json> stop_hyper_parameter_tuning_job(const OperationContext&,
                                                          const nlohmann::json& input);

AwsResult<nlohmann::json> add_tags(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> list_tags(const OperationContext&, const nlohmann::json& input);
AwsResult<nlohmann::json> delete_tags(const OperationContext&, const nlohmann::json& input);

}  // namespace terrapin::api
