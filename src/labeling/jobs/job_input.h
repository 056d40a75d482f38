// From a job's input to its objects. Inside labeling only.
#pragma once

#include <functional>

#include "labeling/core.h"
#include "labeling/jobs/output.h"
#include "labeling/jobs/tables.h"

namespace terrapin::labeling {

// Stores one object for each line of the job's manifest, or of the one that is made of its prefix, and sets
// the job's `objects` and `passed`; what an earlier attempt left goes first. kInvalidArgument naming the
// line, kCancelled when `stopping` says so.
Status read_input(Core& core, const OutputLayout& layout, JobHead& job,
                  const std::function<bool()>& stopping);

}  // namespace terrapin::labeling
