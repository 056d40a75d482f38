// A runner whose places are never free: jobs stay queued.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/process/assist_learning_work.h"
#include "jobs/runner.h"

namespace terrapin::test {

// Nothing runs: what a process wrote is put there by the test.
class IdleRunner final : public jobs::Runner {
 public:
  Result<std::optional<std::string>> reserve(const std::string&, const jobs::Work&) override {
    return std::optional<std::string>();
  }
  Status start(const std::string&, const std::string&, const jobs::Work&) override { return {}; }
  Result<jobs::Sight> adopt(const std::string&, const std::string&) override { return jobs::Sight{}; }
  Result<jobs::Sight> look(const std::string&, const std::string&) override { return jobs::Sight{}; }
  Status stop(const std::string&, const std::string&) override { return {}; }
  Status seal(const std::string&, const std::string&) override { return {}; }
  void release(const std::string&) override {}
  Status remove(const std::string& id, const std::string&) override {
    removed.push_back(id);
    return {};
  }
  Status clear(const std::string& id, const std::string&, const std::set<std::string>&) override {
    cleared.push_back(id);
    return {};
  }
  Result<std::string> read_file(const std::string& id, const std::string&, const std::string& name,
                                std::int64_t) override {
    if (name != control::kOutcomeFile || !outcomes.contains(id)) return fail(ErrorCode::kNotFound, "no file");
    return outcomes[id];
  }
  Result<jobs::OutputPage> output(const std::string&, std::int64_t, std::int64_t) override {
    return jobs::OutputPage{};
  }
  std::map<std::string, std::string> outcomes;
  std::vector<std::string> removed, cleared;
};

}  // namespace terrapin::test
