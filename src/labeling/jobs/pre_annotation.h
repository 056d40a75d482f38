// What a registered pre-annotation function says of an object. Inside labeling only.
#pragma once

#include <string>

#include "labeling/core.h"
#include "labeling/jobs/tables.h"

namespace terrapin::labeling {

struct Prepared {
  std::string failure;     // not "": the object fails with it
  std::string task_input;  // JSON for the task's template
  bool needed = true;      // false: no person has to look
};
// Calls the function of `job`, which is not built in. kCancelled and kInternal say nothing about the object:
// it waits.
Result<Prepared> prepare_object(Core& core, const JobHead& job, const ObjectRow& object);

}  // namespace terrapin::labeling
