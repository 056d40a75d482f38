// From the answers on one object to its mask, figures and manifest entry. Inside labeling only.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "labeling/consolidation/skills.h"
#include "labeling/consolidation/votes.h"
#include "labeling/core.h"
#include "labeling/jobs/output.h"
#include "labeling/jobs/tables.h"

namespace terrapin::labeling {

// The votes of one job's consolidated objects and the skills they show. Not thread-safe.
class JobSkills {
 public:
  explicit JobSkills(int class_count) : votes_(class_count), skills_(class_count) {}
  // Reads what is stored.
  static Result<JobSkills> load(Core& core, const std::string& job_id, int class_count);
  Status add(const VoteCounts& object);
  Status remove(const VoteCounts& object);
  // Estimated again when a tenth more objects are known than last time, or always with `exact`.
  const WorkerSkills& skills(bool exact);

 private:
  JobVotes votes_;
  WorkerSkills skills_;
  std::int64_t objects_ = 0, estimated_at_ = 0;
  bool stale_ = false;
};

// Computes the object's result with these skills, writes its files and returns the row to be saved: state
// kLabeled, or kFailed with the reason (a worker's file is gone or damaged, a function refused). `votes_json`
// gets the object's votes ("" with one answer). Files that are superseded stay for the caller to remove once
// the row is saved. An error is of the machine (disk, store), not of the object.
struct ObjectResult {
  ObjectRow object;
  std::string votes_json;
};
Result<ObjectResult> consolidate_object(Core& core, const JobRow& job, const OutputLayout& layout,
                                        ObjectRow object, const std::vector<AssignmentRow>& answers,
                                        const WorkerSkills& skills);

}  // namespace terrapin::labeling
