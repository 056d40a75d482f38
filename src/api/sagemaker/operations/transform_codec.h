// Batch transforms: SageMaker's JSON <-> control's plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/exchange.h"
#include "control/models.h"
#include "control/transform_jobs.h"

namespace terrapin::api {

// What a CreateTransformJob request, which the model has accepted, asks for of that model.
// ValidationException for members that are not served, by name and with what to use instead, and for values
// that do not fit together.
AwsResult<control::TransformSpec> transform_spec(const nlohmann::json& input,
                                                 const control::ModelSpec& model);

// DescribeTransformJob's answer, and an element of ListTransformJobs'.
nlohmann::json transform_job_description(const control::TransformJob& job, const Place& place);
nlohmann::json transform_job_summary(const control::TransformJob& job, const Place& place);

}  // namespace terrapin::api
