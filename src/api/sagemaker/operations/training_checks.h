// What is held against the state of buckets before a job is made.
#pragma once

#include <string>

#include "api/sagemaker/operations/operations.h"
#include "control/training_spec.h"

namespace terrapin::api {

// A key that may use some buckets only must not reach others through a job: AccessDeniedException.
AwsResult<void> check_training_buckets(const OperationContext& context, const control::TrainingJobSpec& spec);
// ValidationException naming the member if there is no bucket for "s3://bucket/..."; "" is fine.
AwsResult<void> check_output_bucket(const OperationContext& context, const std::string& uri,
                                    const char* member);
// The buckets that it writes to must be there, and every channel must hold something.
AwsResult<void> check_training_places(const OperationContext& context, const control::TrainingJobSpec& spec);

}  // namespace terrapin::api
