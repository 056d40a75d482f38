// A labeling job as the console's form asks for it.
#pragma once

#include <optional>
#include <string>

#include "labeling/jobs/job.h"
#include "labeling/tasks/template.h"
#include "portal/implementation.h"

namespace terrapin::portal {

struct NewJob {
  labeling::JobSpec spec;
  // Files to be made before the job; absent: the spec names its own, or needs none.
  std::optional<std::string> categories_text;
  std::optional<std::string> template_text;
};

// Annotation functions that are built in, by what they are for.
struct BuiltInFunction {
  const char* name;
  labeling::TaskKind kind;
  bool before;  // pre-annotation, else consolidation
};
const std::vector<BuiltInFunction>& built_in_functions();
const char* task_kind_name(labeling::TaskKind kind);  // "segmentation"
std::string built_in_arn(const std::string& region, const char* name);

// kInvalidArgument naming the member that is missing, wrong or not allowed with another. Where the files go
// is the spec's categories_uri and template_uri.
Result<NewJob> new_job_of(const json& body, const std::string& region);

}  // namespace terrapin::portal
