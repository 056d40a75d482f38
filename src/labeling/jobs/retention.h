// What of ended jobs goes with time. Inside labeling only.
#pragma once

#include <functional>

#include "labeling/core.h"

namespace terrapin::labeling {

// Removes drafts of jobs that ended a day ago and, as LabelingOptions say, answers. Ends early, as a success,
// when `stopping` says so.
Status apply_retention(Core& core, const std::function<bool()>& stopping);

}  // namespace terrapin::labeling
