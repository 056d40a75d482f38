// JobService over the tables. Inside labeling only.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "labeling/consolidation/skills.h"
#include "labeling/core.h"
#include "labeling/jobs/tables.h"

namespace terrapin::labeling {

class Jobs final : public JobService {
 public:
  explicit Jobs(Core& core) : core_(core) {}

  Result<JobRecord> create(const JobSpec& spec) override;
  Result<JobRecord> describe(const std::string& name) override;
  Result<JobPage> list(const JobFilter& filter) override;
  Result<JobRecord> stop(const std::string& name) override;
  Result<JobRecord> clone(const std::string& name, const std::string& new_name,
                          const std::string& owner) override;
  Result<JobRecord> continue_job(const std::string& name, const std::string& new_name,
                                 const std::string& owner) override;
  Result<JobRecord> chain(const std::string& name, JobSpec spec) override;
  Result<std::vector<ObjectRecord>> objects(const std::string& name, const ObjectFilter& filter) override;
  Result<std::vector<AnswerRecord>> answers(const std::string& name, std::int64_t index) override;
  Status reopen_object(const std::string& name, std::int64_t index, bool discard_answers) override;
  Status withdraw_worker(const std::string& name, const std::string& worker_id) override;
  Result<std::vector<WorkerStatistics>> workers(const std::string& name) override;
  Result<bool> team_in_use(const std::string& workteam_arn) override;
  // job_review.cpp
  Result<artifacts::LabelCategories> categories(const std::string& name) override;
  Result<std::string> template_html(const std::string& name) override;
  Result<ObjectRecord> object(const std::string& name, std::int64_t index) override;
  Result<JobProgress> progress(const std::string& name) override;
  Result<FinishedMasks> finished_masks(const std::string& name, int most) override;

 private:
  // What the pages ask for every few seconds and costs a pass over all answers or votes of a job, with what
  // it was made from. By job id.
  struct Progress {
    std::int64_t answers = 0, newest = 0, spent = 0;
    JobProgress progress;
  };
  struct Estimate {
    std::int64_t objects = 0;
    int iteration = 0;
    WorkerSkills skills;
  };
  // As JobSkills: estimated again when a tenth more objects are known, fewer, or after a final pass.
  Result<std::shared_ptr<const Estimate>> estimate(const JobHead& job, std::int64_t objects);

  static constexpr std::size_t kMaxRemembered = 1000;  // jobs; then all is forgotten

  Core& core_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Progress>> progress_;   // guarded by mutex_
  std::map<std::string, std::shared_ptr<const Estimate>> estimates_;  // guarded by mutex_
};

}  // namespace terrapin::labeling
