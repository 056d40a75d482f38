// A JobSpec as JSON text, for the database. Inside this folder only.
#pragma once

#include <string>

#include "labeling/jobs/job.h"

namespace terrapin::labeling {

std::string to_json_text(const JobSpec& spec);
// kCorrupt naming the member.
Result<JobSpec> job_spec_from_json(const std::string& text);

}  // namespace terrapin::labeling
