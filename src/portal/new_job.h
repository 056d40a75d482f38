// A labeling job as the console's form asks for it.
#pragma once

#include <optional>
#include <string>

#include "labeling/jobs/job.h"
#include "labeling/tasks/template.h"
#include "portal/fields.h"
#include "portal/implementation.h"

namespace terrapin::portal {

struct NewJob {
  labeling::JobSpec spec;
  // Files to be made before the job; absent: the spec names its own, or needs none.
  std::optional<std::string> categories_text;
  std::optional<std::string> template_text;
};

std::string built_in_arn(const std::string& region, const char* name);
// workers_per_object, task_time_limit_s, task_availability_s, max_concurrent; absent ones stay.
void read_pace(Fields& fields, labeling::JobSpec& spec);

// kInvalidArgument naming the member that is missing, wrong or not allowed with another. Where the files go
// is the spec's categories_uri and template_uri.
Result<NewJob> new_job_of(const json& body, const std::string& region);

}  // namespace terrapin::portal
