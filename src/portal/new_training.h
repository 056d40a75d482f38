// A training job as the console's form asks for it. docs/formats/console-http.md is its page.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "control/training_spec.h"

namespace terrapin::portal {

// The algorithm that models and training jobs of the console name.
inline constexpr const char* kAlgorithmImage = "semantic-segmentation";
inline constexpr double kValidationPercent = 20;

struct NewTraining {
  control::TrainingJobSpec spec;  // without channels if `labeling_job` is named
  std::string labeling_job;       // whose output it learns from, ""
  double validation_percent = kValidationPercent;
};

// Letters, digits and hyphens between them, at most 63: as AWS's names of jobs, models and endpoints.
// kInvalidArgument names the member.
Status check_control_name(const char* member, const std::string& name);

// kInvalidArgument names the member, its value and what is allowed.
Result<NewTraining> new_training_of(const nlohmann::json& body);

// `base`, or base-2, base-3, ...: the first that `find` does not know (kNotFound).
Result<std::string> free_name(const std::string& base, const std::function<Status(const std::string&)>& find);

}  // namespace terrapin::portal
