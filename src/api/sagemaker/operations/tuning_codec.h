// Hyperparameter tuning jobs: SageMaker's JSON <-> control's plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "api/exchange.h"
#include "control/tuning_jobs.h"

namespace terrapin::api {

// What a CreateHyperParameterTuningJob request, which the model has accepted, asks for. ValidationException
// for members that are not served, by name and with what to use instead, and for values that do not fit
// together.
AwsResult<control::TuningSpec> tuning_spec(const nlohmann::json& input);

// DescribeHyperParameterTuningJob's answer, and an element of ListHyperParameterTuningJobs'.
nlohmann::json tuning_job_description(const control::TuningJob& job, const Place& place);
nlohmann::json tuning_job_summary(const control::TuningJob& job, const Place& place);
// An element of ListTrainingJobsForHyperParameterTuningJob's answer.
nlohmann::json trial_summary(const control::TuningJob& job, const control::TuningTrial& trial,
                             const Place& place);

}  // namespace terrapin::api
