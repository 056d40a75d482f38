// Training jobs: SageMaker's JSON <-> control's plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/exchange.h"
#include "control/training_jobs.h"

namespace terrapin::api {

// What a CreateTrainingJob request, which the model has accepted, asks for. ValidationException for members
// that are not served, by name and with what to use instead, and for values that do not fit together.
AwsResult<control::TrainingJobSpec> training_job_spec(const nlohmann::json& input);

// Parts of it, which other operations have too. `path`: of the member, for messages: "InputDataConfig".
AwsResult<std::vector<control::DataChannel>> training_channels(const nlohmann::json& list);
// Nothing if the image is that of the built-in algorithm: a repository whose name ends in
// semantic-segmentation, with or without a tag or digest. ValidationException naming the repository in AWS's
// words otherwise.
AwsResult<void> check_built_in_image(const std::string& image);
// ValidationException if `input` holds the member with a value that asks for what is not done here.
AwsResult<void> refuse_member(const nlohmann::json& input, const char* member, const char* instead);

// The metrics that the built-in algorithm says, as the descriptions of jobs have them.
nlohmann::json metric_definitions();

// DescribeTrainingJob's answer, and an element of ListTrainingJobs'.
nlohmann::json training_job_description(const control::TrainingJob& job, const Place& place);
nlohmann::json training_job_summary(const control::TrainingJob& job, const Place& place);

}  // namespace terrapin::api
