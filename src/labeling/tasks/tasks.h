// TaskService over the tables. Inside labeling only.
#pragma once

#include "labeling/core.h"
#include "labeling/jobs/tables.h"

namespace terrapin::labeling {

class Tasks final : public TaskService {
 public:
  explicit Tasks(Core& core) : core_(core) {}

  Result<std::vector<WorkerJob>> jobs(const Worker& worker) override;
  Result<std::optional<Assignment>> accept_next(const Worker& worker, const std::string& job_name,
                                                bool prefetch) override;
  Result<TaskContent> content(const Worker& worker, const std::string& assignment_id) override;
  Result<Assignment> assignment(const Worker& worker, const std::string& assignment_id) override;
  Result<std::vector<Assignment>> history(const Worker& worker, std::int64_t offset, int limit) override;
  Result<DraftState> open_draft(const Worker& worker, const std::string& assignment_id,
                                const std::string& tab) override;
  Result<std::int64_t> save_draft(const Worker& worker, const std::string& assignment_id,
                                  const std::string& tab, const std::vector<DraftDelta>& deltas) override;
  Status save_snapshot(const Worker& worker, const std::string& assignment_id, const std::string& tab,
                       std::int64_t base_sequence, const std::string& snapshot) override;
  Status discard_draft(const Worker& worker, const std::string& assignment_id) override;
  Result<Assignment> submit(const Worker& worker, const std::string& assignment_id,
                            const std::string& answer_json) override;
  Result<Assignment> decline(const Worker& worker, const std::string& assignment_id,
                             const std::string& reason) override;
  Result<Assignment> give_back(const Worker& worker, const std::string& assignment_id) override;
  Result<std::optional<std::string>> previous(const Worker& worker, const std::string& job_name,
                                              const std::string& before) override;
  Result<std::string> answer(const Worker& worker, const std::string& assignment_id) override;

 private:
  Result<Assignment> end_lease(const Worker& worker, const std::string& assignment_id, AssignmentState to,
                               const std::string& reason);
  Core& core_;
};

// Ends leases whose time is over, at most `limit`; returns how many. The jobs they belong to are woken.
Result<std::int64_t> expire_leases(Core& core, int limit);
// Gives all leases of a worker back: they were removed.
Status give_back_leases(Core& core, const std::string& worker_id);

}  // namespace terrapin::labeling
