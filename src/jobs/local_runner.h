// Jobs as processes of this machine, each with a keeper of its own that outlives the server.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "jobs/runner.h"

namespace terrapin::jobs {

struct LocalRunnerOptions {
  std::filesystem::path root;       // a folder per job is made in it
  std::vector<std::string> keeper;  // the command that keeps the job of the folder that is appended to it
  int cores = 1;                    // lent to jobs, all together
  std::vector<std::string> gpus;    // as CUDA_VISIBLE_DEVICES names them
  std::chrono::milliseconds start_timeout = std::chrono::seconds(20);
};

// "0", "1", ...: the NVIDIA GPUs that this machine shows under /dev.
std::vector<std::string> local_gpus();

class LocalRunner final : public Runner {
 public:
  explicit LocalRunner(LocalRunnerOptions options);

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

 private:
  struct Place {
    int cores = 0;
    std::vector<std::string> gpus;
  };
  static Result<Place> parse_handle(const std::string& handle);
  Status launch(const JobFolder& folder);
  // True: nobody keeps the job and nobody can begin it any more; its exit file then says `reason`.
  Result<bool> seal_folder(const JobFolder& folder, const std::string& reason);

  const LocalRunnerOptions options_;
  std::mutex mutex_;
  std::map<std::string, Place> held_;  // guarded by mutex_; by job id
};

}  // namespace terrapin::jobs
