#pragma once

#include <string>

#include "labeling/jobs/job.h"

namespace terrapin::labeling {

// Seconds, both ends allowed.
inline constexpr std::int64_t kLeastTaskTimeLimit = 30, kMostTaskTimeLimit = 2'592'000;
inline constexpr std::int64_t kLeastTaskAvailability = 60, kMostTaskAvailability = 2'592'000;
inline constexpr std::int64_t kMostConcurrent = 5000;  // objects

// Whether `text` is 1 to `most` letters, digits and hyphens that neither begins nor ends with a hyphen: names
// of jobs (63) and label attributes (127).
bool is_plain_name(const std::string& text, std::size_t most);

// What a specification must be whoever made it (a form, a clone, AWS's API): names, lengths, ranges,
// functions that fit each other, addresses that are addresses. kInvalidArgument names the member as it is
// called in JobSpec's JSON ('label_attribute') and what is allowed. What needs the rest of the world is
// JobService's.
Status check_spec(const JobSpec& spec);

// The specification with what follows from its other members: majority_vote from post_function.
JobSpec completed(JobSpec spec);

}  // namespace terrapin::labeling
