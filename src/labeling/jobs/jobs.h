// JobService over the tables. Inside labeling only.
#pragma once

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

 private:
  Core& core_;
};

}  // namespace terrapin::labeling
