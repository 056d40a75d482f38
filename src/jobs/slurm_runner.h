// Jobs as batch jobs of a Slurm cluster, each with its keeper on the node that Slurm chose. Server and nodes
// share the folder of the jobs. docs/decisions/0013-slurm.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/runner.h"

namespace terrapin::jobs {

struct SlurmRunnerOptions {
  std::filesystem::path root;  // a folder per job is made in it; the same path on every node
  std::vector<std::string>
      keeper;  // on the nodes: the command that stays with the job of the folder appended to it
  std::string partition, account;  // "": Slurm's default
  // More of sbatch's options, each one "--name=value" or "--name" of those that allowed_sbatch_options()
  // lists.
  std::vector<std::string> sbatch_options;
  std::int64_t memory_mib = 0;     // of a job; 0: Slurm's default
  int max_jobs = 500;              // in Slurm's queue or running, at a time; the rest waits here
  std::filesystem::path programs;  // the folder of sbatch, squeue, scancel and sacct; "": where PATH has them
  std::filesystem::path slurm_conf;  // "": the server's own SLURM_CONF, or where Slurm expects it
  // How often Slurm is asked about its jobs, all together; an end is seen sooner, by its exit file.
  std::chrono::milliseconds look_interval = std::chrono::seconds(5);
  std::chrono::milliseconds command_timeout = std::chrono::seconds(20);
  // How long an exit file is waited for once Slurm calls the job ended: other machines' files show late.
  std::chrono::milliseconds exit_file_wait = std::chrono::seconds(20);

  // kInvalidArgument or kNotFound naming what is wrong or missing. Asks Slurm nothing: it may be down now.
  Status check() const;
};

// Options of sbatch that concern where, when and with what a job runs, and nothing that this runner decides.
const std::set<std::string>& allowed_sbatch_options();

struct Answer;

class SlurmRunner final : public Runner {
 public:
  explicit SlurmRunner(SlurmRunnerOptions options);

  Result<std::optional<std::string>> reserve(const std::string& id, const Work& work) override;
  Status start(const std::string& id, const std::string& handle, const Work& work) override;
  Result<Sight> adopt(const std::string& id, const std::string& handle) override;
  Result<Sight> look(const std::string& id, const std::string& handle) override;
  Status stop(const std::string& id, const std::string& handle) override;
  Status seal(const std::string& id, const std::string& handle) override;
  void release(const std::string& id) override;
  Status remove(const std::string& id, const std::string& handle) override;
  Status clear(const std::string& id, const std::string& handle, const std::set<std::string>& kept) override;
  Result<std::string> read_file(const std::string& id, const std::string& handle, const std::string& name,
                                std::int64_t max_bytes) override;
  Result<OutputPage> output(const std::string& id, std::int64_t offset, std::int64_t max_bytes) override;

  JobFolder folder(const std::string& id) const { return {options_.root / id}; }

  // What Slurm says of one of its jobs.
  struct Row {
    std::int64_t number = 0;
    std::string state;       // "PENDING"
    bool had_node = false;   // it was given a node, so it may have begun
    std::string time_limit;  // "1-00:00:00", "UNLIMITED"; "" where nobody says
    std::string reason;      // why it waits
  };
  // The lines of squeue and of sacct that are about this program's jobs, by job id; what cannot be such a
  // line is none. Public for their tests.
  static std::multimap<std::string, Row> parse_queue(std::string_view text);
  static std::multimap<std::string, Row> parse_accounting(std::string_view text);
  // The number that `sbatch --parsable` printed.
  static std::optional<std::int64_t> parse_number(std::string_view text);

 private:
  using Steady = std::chrono::steady_clock;

  // All below with mutex_ held.
  // What this runner knows of a job only while it lives.
  struct Memory {
    std::optional<Steady::time_point> stop_asked, stop_sent, seen_ended;
    Steady::time_point submitted{};  // when sbatch was last asked
  };
  Status require_ended(const std::string& id, const std::string& handle);  // without mutex_
  Result<Answer> run(const std::string& program, const std::vector<std::string>& arguments);
  Status no_answer(const std::string& words);
  Status refresh(Steady::time_point not_before);
  Result<std::optional<Row>> find_row(const std::string& id, std::int64_t number);
  std::vector<std::string> sbatch_arguments(const std::string& id, const Work& work) const;
  Result<Sight> look_now(const std::string& id);
  Result<Sight> look_by_row(const std::string& id, std::int64_t number);
  Result<Sight> ended_by_file(const std::string& id);
  Result<Sight> conclude(const std::string& id, const std::string& reason);
  bool waited_for_the_file(const std::string& id);
  std::string last_words(const JobFolder& folder) const;

  const SlurmRunnerOptions options_;
  std::mutex mutex_;
  std::set<std::string> held_;                   // guarded by mutex_; job ids
  std::map<std::string, Memory> memory_;         // guarded by mutex_; by job id
  std::multimap<std::string, Row> rows_;         // guarded by mutex_; of the last answer
  std::optional<Steady::time_point> rows_time_;  // guarded by mutex_; when squeue was asked for it
  Steady::time_point silent_until_{};            // guarded by mutex_; Slurm is not asked before
  std::string silence_;                          // guarded by mutex_; "": it answered last time
  bool no_accounting_ = false;                   // guarded by mutex_; sacct said so
};

}  // namespace terrapin::jobs
