// Labeling jobs: SageMaker's JSON <-> labeling's plain values.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/exchange.h"
#include "labeling/jobs/job.h"
#include "labeling/workforces/workforces.h"

namespace terrapin::api {

const char* status_text(labeling::JobStatus status);  // "InProgress"
// Of one of the model's values.
labeling::JobStatus status_of_text(std::string_view text);

// What a CreateLabelingJob request, which the model has accepted, asks for. ValidationException for members
// that are not served, by name and with what to use instead, and for values that do not fit together. Whether
// the work team exists is the caller's to ask.
AwsResult<labeling::JobSpec> job_spec(const nlohmann::json& input, const Place& place);

// DescribeLabelingJob's answer, an element of ListLabelingJobs' and one of ListLabelingJobsForWorkteam's.
nlohmann::json job_description(const labeling::JobRecord& job, const Place& place,
                               const labeling::Tags& tags);
nlohmann::json job_summary(const labeling::JobRecord& job, const Place& place);
nlohmann::json job_summary_for_team(const labeling::JobRecord& job, const Place& place);

}  // namespace terrapin::api
